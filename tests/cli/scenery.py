"""A region of the embedded cloud to play in: groups made when they are asked for, and what became of them.

Everything is set up over HTTP as its owner would, and read behind the API, where Spotward has no say. Each test gets
the region with a group that did not opt in (`bystander`); when the test is over that group must be what it was, byte
for byte, no call may have taken a group below its owner's capacity, and no instance of ours may be left over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

from spotward.emulator.server import Emulator
from spotward.emulator.site import Site
from spotward.emulator.stage import GroupPlan, Network, StageHand
from spotward.sim.checks import Watch, fingerprint
from spotward.sim.cloud import Cloud
from spotward.sim.shocks import Failure, PoolShock, Shock
from tests.emulator.clients import eventually

SPEED = 60.0
"""Virtual seconds in one of ours: an instance boots in a third of a second, and what Spotward allows ten minutes for
has ten of our seconds, which a busy machine needs."""

BYSTANDER = "bystander"
SETTLED_SECONDS_MAX = 90.0

CALM = PoolShock(at_seconds=0, pool="*", spot_capacity=10_000, on_demand_capacity=10_000, rebalance=False)
"""Nothing happens but what the test lets happen."""

NOTES = ("spotward:owner-max-size", "spotward:suspended-processes")
"""What stands on a group while something is borrowed of it."""

_numbers = count(1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A member of a group, or an instance that was one."""

    id: str
    instance_type: str
    zone: str
    spot: bool
    state: str
    """Of the instance: `running`."""
    standing: str
    """Of the member: `InService`."""
    tags: Mapping[str, str]


class Scenery:
    """One region."""

    def __init__(
        self, cloud: Emulator, region: str = "us-east-1", *, queue: bool = True, bystander: bool = True
    ) -> None:
        """Without a bystander no test is opened or closed."""
        self.cloud, self.region = cloud, region
        self.hand = StageHand(cloud.url, region=region)
        self.network: Network = self.hand.build_network()
        self.queue_url = self.hand.build_queue() if queue else None
        self.made: list[str] = []
        if bystander:
            self.build(GroupPlan(name=BYSTANDER, size=2, opted_in=False))
        self.watch = self.look(Watch)

    @property
    def site(self) -> Site:
        """Behind the API."""
        return self.cloud.sites.site(self.region)

    def look(self, at: Any) -> Any:
        """What `at(cloud)` sees there."""
        return self.site.look(at)

    # ---- setting up ----------------------------------------------------------------------------------------------

    def open(self) -> None:
        """A new test begins."""
        self.made.clear()
        self.watch = self.look(Watch)
        self.look(lambda _: self.watch.leave_alone(BYSTANDER))

    def close(self) -> list[str]:
        """The test is over: what was broken, in words; and its groups are deleted."""
        breaches = [str(each) for each in self.look(lambda _: self.watch.look_at_rest())]
        for name in self.made:
            if self.described(name):
                self.hand.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
        eventually(lambda: not any(self.described(name) for name in self.made), seconds_max=SETTLED_SECONDS_MAX)
        return breaches

    def group(
        self, name: str = "web", *, watched: bool = True, tags: Mapping[str, str] | None = None, **plan: Any
    ) -> str:
        """A group whose members all serve; its name is a new one. `watched`: it must be put back as it is now."""
        unique = f"{name}-{next(_numbers)}"
        settings = {"size": 2, **plan}
        self.build(GroupPlan(name=unique, tags=tuple((tags or {}).items()), **settings))
        if watched:
            self.keep_to_owner(unique)
        return unique

    def build(self, plan: GroupPlan) -> None:
        """The same, with every detail given."""
        target = self.hand.build_target_group(self.network, plan.name) if plan.balanced else None
        self.hand.build_group(self.network, plan, target_group=target)
        self.made.append(plan.name)
        self.hand.wait_in_service([plan])

    def keep_to_owner(self, group: str) -> None:
        """What its owner has set by now must be so in the end."""
        self.look(lambda _: self.watch.put_back(group))

    def template(self, **data: Any) -> str:
        """A launch template of the test's own; its id."""
        launch = {"ImageId": self.network.image_id, "InstanceType": "m5.large", **data}
        made = self.hand.ec2.create_launch_template(
            LaunchTemplateName=f"own-{next(_numbers)}",
            LaunchTemplateData=launch,  # type: ignore[arg-type]  # the test decides what stands in it
        )
        return str(made["LaunchTemplate"]["LaunchTemplateId"])

    def group_of_template(self, template: str, *, size: int = 2) -> str:
        """An opted-in group that launches from this template."""
        return self._group_of(size, LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"})

    def group_of_configuration(self, *, size: int = 2, **data: Any) -> str:
        """An opted-in group that launches from a launch configuration of the test's own."""
        name = f"own-{next(_numbers)}"
        launch = {"ImageId": self.network.image_id, "InstanceType": "m5.large", **data}
        self.hand.autoscaling.create_launch_configuration(LaunchConfigurationName=name, **launch)
        return self._group_of(size, LaunchConfigurationName=name)

    def _group_of(self, size: int, **source: Any) -> str:
        name = f"own-{next(_numbers)}"
        self.hand.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=0,
            MaxSize=size,
            DesiredCapacity=size,
            VPCZoneIdentifier=",".join(self.network.subnet_ids),
            Tags=[{"Key": "spotward:enabled", "Value": "true", "PropagateAtLaunch": False}],
            **source,
        )
        self.made.append(name)
        self.hand.wait_in_service([GroupPlan(name=name, size=size)])
        self.keep_to_owner(name)
        return name

    def shock(self, *shocks: Shock) -> None:
        """Something goes wrong, from now on or as it says."""
        for each in shocks:
            self.site.shock(each)

    def refuse(self, operation: str, code: str, *, times: int | None = None) -> None:
        """From now on this call is answered by an error, so many times."""
        self.shock(Failure(at_seconds=0, region=self.region, operation=operation, code=code, times=times))

    def news(self, detail_type: str, instance_id: str, *, seconds_max: float = SETTLED_SECONDS_MAX) -> str:
        """The event of that kind about that instance, as it came into the queue. All others there are forgotten."""

        def found() -> str | None:
            answer = self.hand.sqs.receive_message(
                QueueUrl=str(self.queue_url), MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            for message in answer.get("Messages", ()):
                self.hand.sqs.delete_message(QueueUrl=str(self.queue_url), ReceiptHandle=message["ReceiptHandle"])
                event = json.loads(message["Body"])
                if event["detail-type"] == detail_type and instance_id in message["Body"]:
                    return message["Body"]
            return None

        return str(eventually(found, seconds_max=seconds_max))

    # ---- looking on ----------------------------------------------------------------------------------------------

    def described(self, group: str) -> dict[str, Any]:
        """The group, as AWS describes it; empty when it is gone."""
        found: list[dict[str, Any]] = self.look(partial(_groups, group=group))
        return found[0] if found else {}

    def members(self, group: str) -> list[Member]:
        """Its members."""
        standing = {m["InstanceId"]: m["LifecycleState"] for m in self.described(group).get("Instances", ())}
        found = self.instances(InstanceIds=list(standing)) if standing else []
        return [_member(each, standing[each["InstanceId"]]) for each in found]

    def borrowed(self, group: str) -> bool:
        """Does a note of ours stand on it?"""
        return any(tag["Key"] in NOTES for tag in self.described(group)["Tags"])

    def spot(self, group: str) -> list[str]:
        """Ids of its Spot members in service."""
        return [m.id for m in self.members(group) if m.spot and m.standing == "InService"]

    def on_demand(self, group: str) -> list[str]:
        """Ids of its on-demand members in service."""
        return [m.id for m in self.members(group) if not m.spot and m.standing == "InService"]

    def launched(self) -> list[Member]:
        """Every instance that Spotward ever launched here, dead or alive, for the groups of this test."""
        ours = self.instances(Filters=[{"Name": "tag-key", "Values": ["spotward:launch"]}])
        every = [_member(each, "") for each in ours]
        return [one for one in every if any(f"/{name} " in one.tags["spotward:launch"] for name in self.made)]

    def instances(self, **asked: Any) -> list[dict[str, Any]]:
        """Instances, as EC2 describes them."""
        found: list[dict[str, Any]] = self.look(partial(_instances, asked=asked))
        return found

    def state(self, instance_id: str) -> str:
        """Of an instance: `running`."""
        return str(self.instances(InstanceIds=[instance_id])[0]["State"]["Name"])

    def shortfall(self, group: str) -> float:
        """Instance-seconds that the group had less than its owner asked for, since the start."""
        return self.site.usage().shortfall_instance_seconds.get(group, 0.0)

    def seconds(self) -> float:
        """Virtual seconds since the cloud's start, as shocks count them."""
        clock = self.cloud.clock
        return clock.now() - clock.start

    def fingerprints(self) -> dict[str, str]:
        """Of every group."""
        names = [entry["AutoScalingGroupName"] for entry in self.look(partial(_groups, group=None))]
        return {name: self.look(partial(_fingerprint, group=name)) for name in names}

    def templates_of_ours(self) -> list[str]:
        """Names of the temporary launch templates."""
        every = self.hand.ec2.describe_launch_templates()["LaunchTemplates"]
        return [one["LaunchTemplateName"] for one in every if one["LaunchTemplateName"].startswith("spotward-")]

    def until(self, question: Any, *, seconds_max: float = SETTLED_SECONDS_MAX) -> Any:
        """The first true answer."""
        return eventually(question, seconds_max=seconds_max)


def _groups(cloud: Cloud, *, group: str | None) -> list[dict[str, Any]]:
    asked: dict[str, Any] = {"AutoScalingGroupNames": [group]} if group else {}
    found = cloud.call("autoscaling.DescribeAutoScalingGroups", asked, time=cloud.now)["AutoScalingGroups"]
    return list(found)


def _instances(cloud: Cloud, *, asked: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    answer = cloud.call("ec2.DescribeInstances", asked, time=cloud.now)
    return [instance for reservation in answer["Reservations"] for instance in reservation["Instances"]]


def _fingerprint(cloud: Cloud, *, group: str) -> str:
    return fingerprint(cloud, group)


def _member(described: Mapping[str, Any], standing: str) -> Member:
    return Member(
        id=described["InstanceId"],
        instance_type=described["InstanceType"],
        zone=described["Placement"]["AvailabilityZone"],
        spot=described.get("InstanceLifecycle") == "spot",
        state=described["State"]["Name"],
        standing=standing,
        tags={tag["Key"]: tag["Value"] for tag in described.get("Tags", ())},
    )
