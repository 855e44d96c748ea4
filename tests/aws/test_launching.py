"""Launches against the embedded cloud, which keeps client tokens and runs out of capacity as EC2 does."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from spotward.aws.copies import IDLE_SECONDS, TAG_CONTENT, TemplateCopies, copy_name
from spotward.aws.hands import AwsHands
from spotward.aws.observe import Observer
from spotward.aws.session import Aws
from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.emulator.stage import Network, StageHand
from spotward.groups.policy import TAG_LAUNCH
from spotward.model.action import LaunchFleet, ObserveRegion, TerminateInstances
from spotward.model.cloud import LaunchSource, Lifecycle, Pool
from spotward.model.errors import Permanent
from spotward.model.event import Event, FleetAnswered
from spotward.model.world import World
from tests.aws.conftest import set_environment
from tests.aws.deeds import Attendant, fleet
from tests.aws.stage import NOW
from tests.hand_clock import HandClock

REGION = "us-east-1"
TYPES = ("m5.large", "m5a.large", "m6i.large")


class Yard:
    """An account with a network, a template and a configuration, and hands at work in it."""

    def __init__(self, cloud: Emulator) -> None:
        self.cloud, self.stage = cloud, StageHand(cloud.url)
        self.network: Network = self.stage.build_network()
        self.aws = Aws(attempts_max=1)
        self.template = self.stage.ec2.create_launch_template(
            LaunchTemplateName="web",
            LaunchTemplateData={"ImageId": self.network.image_id, "InstanceType": "m5.large"},
        )["LaunchTemplate"]["LaunchTemplateId"]
        self.stage.autoscaling.create_launch_configuration(
            LaunchConfigurationName="web",
            ImageId=self.network.image_id,
            InstanceType="m5.large",
            SecurityGroups=[self.network.security_group_id],
            UserData="#!/bin/sh\nexec web\n",
            SpotPrice="0.01",
            AssociatePublicIpAddress=False,
            MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            BlockDeviceMappings=[
                {
                    "DeviceName": self.network.root_device,
                    "Ebs": {"VolumeSize": 40, "VolumeType": "gp3", "Throughput": 500, "Iops": 4000, "Encrypted": True},
                }
            ],
        )
        self.number = 0

    def hands(self) -> AwsHands:
        """A process's own: a second one knows nothing of what the first did."""
        observer = Observer(self.aws, self.cloud.clock, world=World, in_scope=lambda _: True)
        return AwsHands(self.aws, self.cloud.clock, observer=observer, recommender=Attendant())

    def do(self, *actions: LaunchFleet, hands: AwsHands | None = None) -> Event:
        """What came of the last one; all are done at the same time by one process, which then ends."""
        doing = hands or self.hands()

        async def done() -> list[Event]:
            try:
                return await asyncio.gather(*(doing.do(action, 1) for action in actions))
            finally:
                await doing.close()

        return asyncio.run(done())[-1]

    def launch(self, **changes: Any) -> LaunchFleet:
        """Another launch, from the template into the first zone unless told otherwise."""
        self.number += 1
        plain: dict[str, Any] = {
            "key": f"swap us-east-1/web saving {self.number}",
            "launch": LaunchSource(template_id=self.template, template_version="$Latest"),
            "pools": tuple(Pool(instance_type=name, az=self.network.zones[0]) for name in TYPES),
            "subnets": tuple(zip(self.network.zones, self.network.subnet_ids, strict=True)),
        }
        return fleet(**{**plain, **changes})

    def made_for(self, action: LaunchFleet) -> list[Any]:
        """The instances that carry the launch's key."""
        filters: Any = [{"Name": f"tag:{TAG_LAUNCH}", "Values": [action.key]}]
        found = self.stage.ec2.describe_instances(Filters=filters)["Reservations"]
        return [instance for reservation in found for instance in reservation["Instances"]]

    def copies(self) -> list[str]:
        """Names of temporary launch templates that there are."""
        found = self.stage.ec2.describe_launch_templates()["LaunchTemplates"]
        return [t["LaunchTemplateName"] for t in found if t["LaunchTemplateName"].startswith("spotward-")]

    def shock(self, **shock: Any) -> None:
        requests.post(f"{self.cloud.url}/_spotward/shock", json=shock, timeout=60).raise_for_status()

    def calls(self) -> dict[str, int]:
        """Calls since this was last asked."""
        counts = dict(self.aws.counter.counts)
        self.aws.counter.counts.clear()
        return counts


FROM_CONFIGURATION = LaunchSource(configuration="web")


@pytest.fixture(scope="module")
def whole_yard() -> Iterator[Yard]:
    with Emulator(EmulatorSettings(speed=60.0, throttling=False)) as cloud, pytest.MonkeyPatch.context() as patch:
        set_environment(patch, cloud.url)
        yield Yard(cloud)


@pytest.fixture
def yard(whole_yard: Yard) -> Yard:
    whole_yard.calls()
    return whole_yard


def answered(event: Event) -> FleetAnswered:
    assert isinstance(event, FleetAnswered)
    return event


# ---- from a launch template ------------------------------------------------------------------------------------------


def test_one_call_launches_all_of_it_and_tells_what_came_of_it(yard: Yard) -> None:
    action = yard.launch(count=3)
    event = answered(yard.do(action))
    assert yard.calls() == {"ec2.CreateFleet": 1, "ec2.DescribeLaunchTemplates": 1}  # the latter once in a process
    made = {i["InstanceId"]: i for i in yard.made_for(action)}
    assert {each.id for each in event.instances} == set(made)
    assert len(made) == 3
    for each in event.instances:
        assert each.instance_type == made[each.id]["InstanceType"]
        assert each.az == made[each.id]["Placement"]["AvailabilityZone"] == yard.network.zones[0]
        assert each.lifecycle is Lifecycle.SPOT
        assert made[each.id]["InstanceLifecycle"] == "spot"
        tags = {tag["Key"]: tag["Value"] for tag in made[each.id]["Tags"]}
        assert (
            tags.items() >= {"team": "blue", "spotward:stands-for": "m5.large", "spotward:launch": action.key}.items()
        )


def test_on_demand_is_launched_on_demand(yard: Yard) -> None:
    action = yard.launch(lifecycle=Lifecycle.ON_DEMAND, count=1, pools=yard.launch().pools[:1])
    event = answered(yard.do(action))
    assert [each.lifecycle for each in event.instances] == [Lifecycle.ON_DEMAND]
    assert "InstanceLifecycle" not in yard.made_for(action)[0]


def test_asked_again_by_another_process_it_is_the_same_launch(yard: Yard) -> None:
    action = yard.launch()
    first, second = answered(yard.do(action)), answered(yard.do(action))
    assert first.instances == second.instances
    assert len(yard.made_for(action)) == action.count


def test_the_next_attempt_is_another_launch(yard: Yard) -> None:
    action = yard.launch(count=1)
    first, second = answered(yard.do(action)), answered(yard.do(replace(action, attempt=2)))
    assert first.instances != second.instances
    assert len(yard.made_for(action)) == 2


def test_a_token_known_from_another_request_leads_to_what_that_one_made(yard: Yard) -> None:
    action = yard.launch(count=2)
    first = answered(yard.do(action))
    second = answered(yard.do(replace(action, price_max_usd_per_hour=0.5)))
    assert {each.id for each in second.instances} == {each.id for each in first.instances}
    assert len(yard.made_for(action)) == 2


def test_a_token_known_from_another_request_that_made_nothing_is_an_error(yard: Yard) -> None:
    yard.shock(pool="m5zn.large/*", spot_capacity=0)
    action = yard.launch(pools=(Pool(instance_type="m5zn.large", az=yard.network.zones[0]),))
    assert answered(yard.do(action)).instances == ()
    with pytest.raises(Permanent, match="IdempotentParameterMismatch"):
        yard.do(replace(action, count=5))


def test_pools_without_capacity_are_named_and_the_others_launch(yard: Yard) -> None:
    dry = Pool(instance_type="m5n.large", az=yard.network.zones[0])
    yard.shock(pool=str(dry), spot_capacity=0)
    empty = answered(yard.do(yard.launch(pools=(dry,))))
    assert empty.instances == ()
    assert {(f.pool, f.code) for f in empty.failures} == {(dry, "InsufficientInstanceCapacity")}
    full = answered(yard.do(yard.launch(pools=(dry, Pool(instance_type="m5.large", az=dry.az)))))
    assert {each.instance_type for each in full.instances} == {"m5.large"}


def test_a_version_that_the_template_does_not_have_is_told(yard: Yard) -> None:
    launch = LaunchSource(template_id=yard.template, template_version="77")
    with pytest.raises(Permanent, match=f"launch template {yard.template} version 77 cannot be used"):
        yard.do(yard.launch(launch=launch))


def test_what_was_launched_can_be_terminated_by_the_same_hands(yard: Yard) -> None:
    hands, action = yard.hands(), yard.launch(count=1)
    (made,) = answered(yard.do(action, hands=hands)).instances
    deed = TerminateInstances(region=REGION, group="web", key="t", instance_ids=(made.id, "i-0123456789abcdef0"))
    asyncio.run(hands.do(deed, 1))
    assert yard.made_for(action)[0]["State"]["Name"] in ("shutting-down", "terminated")


# ---- from a launch configuration -------------------------------------------------------------------------------------


def test_a_configuration_is_launched_from_a_copy_that_is_gone_afterwards(yard: Yard) -> None:
    action = yard.launch(launch=FROM_CONFIGURATION)
    event = answered(yard.do(action))
    assert len(event.instances) == 2
    assert yard.copies() == []
    assert yard.calls() == {
        "autoscaling.DescribeLaunchConfigurations": 1,
        "ec2.CreateLaunchTemplate": 1,
        "ec2.CreateFleet": 1,
        "ec2.DeleteLaunchTemplate": 1,
        "ec2.DescribeLaunchTemplates": 1,  # once in a process
    }
    for instance in yard.made_for(action):
        assert instance["SecurityGroups"][0]["GroupId"] == yard.network.security_group_id


def test_all_launches_of_a_group_share_one_copy(yard: Yard) -> None:
    yard.do(*(yard.launch(launch=FROM_CONFIGURATION, count=1) for _ in range(4)))
    assert yard.copies() == []
    calls = yard.calls()
    assert calls["ec2.CreateFleet"] == 4
    assert calls["autoscaling.DescribeLaunchConfigurations"] == 1
    assert calls["ec2.CreateLaunchTemplate"] == calls["ec2.DeleteLaunchTemplate"] == 1


class WaitingClock(HandClock):
    """Whoever sleeps until a moment waits until it is set to that."""

    def __init__(self) -> None:
        super().__init__(NOW)
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    async def sleep_until(self, moment: float) -> None:
        woken = asyncio.Event()
        self._sleepers.append((moment, woken))
        await woken.wait()

    def pass_by(self, seconds: float) -> None:
        self.time += seconds
        for moment, woken in self._sleepers:
            if moment <= self.time:
                woken.set()


def test_a_copy_without_use_is_deleted_after_a_while(yard: Yard) -> None:
    clock = WaitingClock()
    observer = Observer(yard.aws, clock, world=World, in_scope=lambda _: True)
    hands = AwsHands(yard.aws, clock, observer=observer, recommender=Attendant())

    async def used() -> None:
        for _ in range(3):
            await hands.do(yard.launch(launch=FROM_CONFIGURATION, count=1), 1)
            await asyncio.sleep(0)
            clock.pass_by(0.7 * IDLE_SECONDS)
            await asyncio.sleep(0.1)
        assert yard.calls()["ec2.CreateLaunchTemplate"] == 1, "it was in use again and again"
        clock.pass_by(0.7 * IDLE_SECONDS)
        async with asyncio.timeout(60):
            while yard.copies():  # noqa: ASYNC110 - nobody tells when AWS has deleted it
                await asyncio.sleep(0.05)

    asyncio.run(used())


def test_launched_again_after_a_crash_it_is_the_same_launch(yard: Yard) -> None:
    action = yard.launch(launch=FROM_CONFIGURATION)
    first, second = answered(yard.do(action)), answered(yard.do(action))
    assert first.instances == second.instances
    assert len(yard.made_for(action)) == action.count
    assert yard.copies() == []


def left_by_a_crash(yard: Yard, action: LaunchFleet) -> None:
    """What a process leaves that is killed between making its copy and the launch."""

    async def killed() -> None:
        copies = TemplateCopies(yard.aws, yard.cloud.clock)
        await copies.make(action, copy_name(action))

    asyncio.run(killed())
    assert yard.copies() == [copy_name(action)]


def test_a_copy_that_a_crash_left_says_all_that_the_configuration_said(yard: Yard) -> None:
    action = yard.launch(launch=FROM_CONFIGURATION)
    left_by_a_crash(yard, action)
    (version,) = yard.stage.ec2.describe_launch_template_versions(LaunchTemplateName=copy_name(action))[
        "LaunchTemplateVersions"
    ]
    data: Any = version["LaunchTemplateData"]
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["BlockDeviceMappings"][0]["Ebs"]["Throughput"] == 500
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    assert data["NetworkInterfaces"][0]["Groups"] == [yard.network.security_group_id]
    assert data["UserData"] == "IyEvYmluL3NoCmV4ZWMgd2ViCg=="
    assert "InstanceMarketOptions" not in data
    yard.do(action)


def test_a_copy_that_a_crash_left_is_used_by_its_own_launch(yard: Yard) -> None:
    action = yard.launch(launch=FROM_CONFIGURATION)
    left_by_a_crash(yard, action)
    assert len(answered(yard.do(action)).instances) == 2
    assert yard.copies() == []


def test_a_copy_of_another_content_is_made_anew(yard: Yard) -> None:
    action = yard.launch(launch=FROM_CONFIGURATION)
    yard.stage.ec2.create_launch_template(
        LaunchTemplateName=copy_name(action),
        LaunchTemplateData={"ImageId": "ami-of-yesterday"},
        TagSpecifications=[
            {
                "ResourceType": "launch-template",
                "Tags": [{"Key": TAG_LAUNCH, "Value": action.key}, {"Key": TAG_CONTENT, "Value": "yesterday"}],
            }
        ],
    )
    assert len(answered(yard.do(action)).instances) == 2


def test_a_template_of_that_name_that_is_not_ours_is_neither_used_nor_deleted(yard: Yard) -> None:
    action = yard.launch(launch=FROM_CONFIGURATION)
    yard.stage.ec2.create_launch_template(
        LaunchTemplateName=copy_name(action), LaunchTemplateData={"ImageId": yard.network.image_id}
    )
    with pytest.raises(Permanent, match="is in the way and not ours"):
        yard.do(action)
    assert yard.copies() == [copy_name(action)]
    yard.stage.ec2.delete_launch_template(LaunchTemplateName=copy_name(action))


def test_what_lost_processes_left_is_swept_away_after_the_first_deed_and_not_by_looking(yard: Yard) -> None:
    yard.stage.ec2.create_launch_template(
        LaunchTemplateName="spotward-of-the-owner", LaunchTemplateData={"ImageId": yard.network.image_id}
    )
    lost = yard.launch(launch=FROM_CONFIGURATION)
    asyncio.run(TemplateCopies(yard.aws, yard.cloud.clock).make(lost, copy_name(lost)))
    hands = yard.hands()
    asyncio.run(hands.do(ObserveRegion(region=REGION), 1))
    assert sorted(yard.copies()) == sorted(["spotward-of-the-owner", copy_name(lost)])
    yard.calls()
    yard.do(yard.launch(count=1), hands=hands)
    yard.do(yard.launch(count=1), hands=hands)
    assert yard.copies() == ["spotward-of-the-owner"]
    assert yard.calls()["ec2.DescribeLaunchTemplates"] == 1
    yard.stage.ec2.delete_launch_template(LaunchTemplateName="spotward-of-the-owner")


def test_a_configuration_that_is_gone_is_told_with_the_next_step(yard: Yard) -> None:
    words = "launch configuration none is gone; give us-east-1/web a launch template or configuration that exists"
    with pytest.raises(Permanent, match=words):
        yard.do(yard.launch(launch=LaunchSource(configuration="none")))
