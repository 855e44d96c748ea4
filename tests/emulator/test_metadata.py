"""Every instance of the embedded cloud has its metadata service: what it hears there is what AWS tells elsewhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from spotward.aws.imds import Imds, ImdsPolicy
from spotward.aws.imds_watch import Watch, WatchPolicy
from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.emulator.stage import Network, StageHand
from spotward.engine.clock import SystemClock
from spotward.events.imds import INTERRUPTION, MAINTENANCE, REBALANCE, TARGET_STATE, Machine
from spotward.model.event import InterruptionNoticed, MaintenanceScheduled, TargetStateChanged
from tests.emulator.clients import Clients, eventually

CLOUD = EmulatorSettings(speed=60)

NAMES = iter(f"metadata-{at}" for at in range(1_000))


@pytest.fixture(scope="module")
def network(cloud: Emulator) -> Network:
    return StageHand(cloud.url).build_network()


class Inside:
    """Somebody who runs in an instance."""

    def __init__(self, cloud: Emulator, instance_id: str) -> None:
        self.id, self.url = instance_id, f"{cloud.url}/_spotward/imds/{instance_id}"
        self.headers: dict[str, str] = {}

    def get(self, path: str) -> requests.Response:
        return requests.get(f"{self.url}/latest/meta-data/{path}", headers=self.headers, timeout=60)

    def text(self, path: str) -> str | None:
        answer = self.get(path)
        return answer.text if answer.status_code == 200 else None

    def heard(self) -> dict[type, Any]:
        """What an ear in it hears at its first poll, by kind."""

        async def listen() -> dict[type, Any]:
            imds = Imds(ImdsPolicy(url=self.url))
            watch = Watch(imds, SystemClock(), WatchPolicy())
            events = await watch.poll()
            assert watch.troubles == {}
            await imds.close()
            return {type(event): event for event in events}

        return asyncio.run(listen())


@pytest.fixture
def member(cloud: Emulator, aws: Clients, network: Network) -> Iterator[Inside]:
    """A Spot instance in service in a group of one."""
    name, asg = next(NAMES), aws("autoscaling")
    aws("ec2").create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData={"ImageId": network.image_id, "InstanceType": "m5.large"}
    )
    template = {"LaunchTemplateSpecification": {"LaunchTemplateName": name, "Version": "$Latest"}}
    all_spot = {"OnDemandBaseCapacity": 0, "OnDemandPercentageAboveBaseCapacity": 0}
    asg.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=0,
        MaxSize=2,
        DesiredCapacity=1,
        VPCZoneIdentifier=network.subnet_ids[0],
        MixedInstancesPolicy={"LaunchTemplate": template, "InstancesDistribution": all_spot},
    )

    def serving() -> list[str]:
        (group,) = asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        return [one["InstanceId"] for one in group["Instances"] if one["LifecycleState"] == "InService"]

    eventually(lambda: bool(serving()))
    yield Inside(cloud, serving()[0])
    asg.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)


def test_an_instance_is_told_who_it_is_as_the_api_tells_it(member: Inside, aws: Clients) -> None:
    (reservation,) = aws("ec2").describe_instances(InstanceIds=[member.id])["Reservations"]
    described = reservation["Instances"][0]
    assert member.text("instance-id") == member.id
    assert member.text("local-ipv4") == described["PrivateIpAddress"]
    assert member.text("placement/availability-zone") == described["Placement"]["AvailabilityZone"]
    assert member.text("instance-life-cycle") == described["InstanceLifecycle"] == "spot"
    assert member.text("ami-id") == described["ImageId"]
    assert member.text(TARGET_STATE) == "InService"
    assert [member.text(path) for path in (INTERRUPTION, REBALANCE, MAINTENANCE)] == [None, None, "[]"]


def test_an_interruption_is_heard_within_with_the_time_at_which_it_comes(member: Inside, cloud: Emulator) -> None:
    warned = requests.post(f"{cloud.url}/_spotward/interrupt", json={"instance_ids": [member.id]}, timeout=60)
    assert [member.id] in warned.json()["interrupted"].values()
    first = member.text(INTERRUPTION)
    assert first is not None
    assert json.loads(first)["action"] == "terminate"
    heard = member.heard()
    assert heard[InterruptionNoticed].instance_id == member.id
    assert member.text(INTERRUPTION) in (first, None), "the time does not move"


def test_who_is_gone_says_nothing_rather_than_that_the_notice_was_taken_back(member: Inside, cloud: Emulator) -> None:
    requests.post(f"{cloud.url}/_spotward/interrupt", json={"instance_ids": [member.id]}, timeout=60)
    eventually(lambda: member.get(INTERRUPTION).status_code == 503)
    assert Inside(cloud, "i-00000000000000000").get("instance-id").status_code == 503


def test_maintenance_is_heard_within(member: Inside, cloud: Emulator) -> None:
    shock = {"maintenance": {"instance": member.id, "code": "system-reboot", "notice": "14d"}}
    told = requests.post(f"{cloud.url}/_spotward/shock", json=shock, timeout=60)
    assert told.status_code == 200, told.text
    scheduled = member.heard()[MaintenanceScheduled]
    assert scheduled.code == "system-reboot"
    assert scheduled.event_id.startswith("instance-event-")


def test_an_instance_that_its_group_terminates_is_told_so(member: Inside, aws: Clients) -> None:
    asg = aws("autoscaling")
    (found,) = asg.describe_auto_scaling_instances(InstanceIds=[member.id])["AutoScalingInstances"]
    asg.put_lifecycle_hook(
        AutoScalingGroupName=found["AutoScalingGroupName"],
        LifecycleHookName="drain",
        LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
    )
    asg.terminate_instance_in_auto_scaling_group(InstanceId=member.id, ShouldDecrementDesiredCapacity=False)
    eventually(lambda: member.text(TARGET_STATE) == "Terminated")
    assert member.heard()[TargetStateChanged].state == "Terminated"


def test_an_instance_whose_owner_wants_tokens_answers_nobody_without(
    aws: Clients, cloud: Emulator, network: Network
) -> None:
    started = aws("ec2").run_instances(
        ImageId=network.image_id,
        InstanceType="m5.large",
        MinCount=1,
        MaxCount=1,
        SubnetId=network.subnet_ids[0],
        MetadataOptions={"HttpTokens": "required", "InstanceMetadataTags": "enabled"},
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "alone"}]}],
    )
    alone = Inside(cloud, started["Instances"][0]["InstanceId"])
    eventually(lambda: alone.get("instance-id").status_code == 401)
    token = requests.put(
        f"{alone.url}/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "21600"}, timeout=10
    )
    assert token.headers["X-aws-ec2-metadata-token-ttl-seconds"] == "21600"
    alone.headers["X-aws-ec2-metadata-token"] = token.text
    assert alone.text("tags/instance/Name") == "alone"
    assert alone.get(TARGET_STATE).status_code == 404
    assert isinstance(asyncio.run(Imds(ImdsPolicy(url=alone.url)).machine()), Machine)
