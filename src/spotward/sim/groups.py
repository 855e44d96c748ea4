"""Auto Scaling groups: what a group is and how it is described. What it does is the keeper's.

A member's life in its group, which is not its life in EC2:

    Pending → Pending:Wait → Pending:Proceed → InService → Terminating → Terminating:Wait → Terminating:Proceed → (gone)
       ↑                                           │  ↘ Detaching → (gone)
       │                                           ↓
       └─────────────────────────── Standby ← EnteringStandby

The waits are for lifecycle hooks (`pauses`). Without a hook a member goes from Pending to InService and from
Terminating to its end; attached members and those that come back from Standby are never held on their way in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from spotward.sim.activities import Activity
from spotward.sim.answers import Rendered
from spotward.sim.errors import ApiError
from spotward.sim.hooks import Hook
from spotward.sim.instances import Instance
from spotward.sim.region import Region, when


class LifecycleState(StrEnum):
    """The words of the API."""

    PENDING = "Pending"
    PENDING_WAIT = "Pending:Wait"
    PENDING_PROCEED = "Pending:Proceed"
    IN_SERVICE = "InService"
    TERMINATING = "Terminating"
    TERMINATING_WAIT = "Terminating:Wait"
    TERMINATING_PROCEED = "Terminating:Proceed"
    DETACHING = "Detaching"
    ENTERING_STANDBY = "EnteringStandby"
    STANDBY = "Standby"


COUNTED = frozenset(
    {
        LifecycleState.PENDING,
        LifecycleState.PENDING_WAIT,
        LifecycleState.PENDING_PROCEED,
        LifecycleState.IN_SERVICE,
    }
)
"""The states that fill the desired capacity."""

LEAVING = frozenset({LifecycleState.TERMINATING, LifecycleState.TERMINATING_WAIT, LifecycleState.TERMINATING_PROCEED})
"""The states of a member whose termination has begun."""

PROCESSES = (
    "Launch",
    "Terminate",
    "HealthCheck",
    "ReplaceUnhealthy",
    "AZRebalance",
    "AlarmNotification",
    "ScheduledActions",
    "AddToLoadBalancer",
    "InstanceRefresh",
)

DELETING = "Delete in progress"


@dataclass(slots=True, kw_only=True, eq=False)
class Member:
    """One instance as its group sees it."""

    instance: Instance
    state: LifecycleState
    source: Mapping[str, Any]
    """What it was launched from: LaunchConfigurationName, LaunchTemplate, or nothing for an attached one."""
    weight: float = 1.0
    protected: bool = False
    unhealthy: str | None = None
    """Why its group takes it for unhealthy, in the words of an activity's cause; None while it is healthy."""
    in_service_time: float | None = None
    serving: float = 0.0
    """Its weight while it is in service and runs, else 0: its part of the group's `serving`."""
    attached: bool = False
    let_go: bool = False
    """Its hooks, if there were any, are done with it: nothing holds its termination any more."""
    activity: Activity | None = None
    """What is being done to it."""

    @property
    def id(self) -> str:
        """The instance's id."""
        return self.instance.id

    @property
    def zone(self) -> str:
        """Its availability zone."""
        return self.instance.order.zone


@dataclass(slots=True, kw_only=True, eq=False)
class Handover:
    """A member that is to be replaced, new one first."""

    cause: str
    """Why, as the new one's activity tells."""
    farewell: str
    """Why the old one goes, as its activity will tell."""
    old: Member
    new: Member


@dataclass(slots=True, kw_only=True, eq=False)
class Group:
    """One Auto Scaling group."""

    name: str
    arn: str
    created_time: float
    settings: dict[str, Any]
    """The parameters of Create and Update that are kept as they came, defaults included."""
    least: int
    most: int
    desired: int
    zones: Sequence[str]
    tags: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Key -> (value, propagate at launch)."""
    members: dict[str, Member] = field(default_factory=dict)
    suspended: dict[str, str] = field(default_factory=dict)
    """Process -> the reason shown."""
    hooks: dict[str, Hook] = field(default_factory=dict)
    """By name."""
    activities: list[Activity] = field(default_factory=list)
    handovers: list[Handover] = field(default_factory=list)
    status: str | None = None
    reason: str = ""
    """Why the desired capacity is what it is, for the causes of what follows from it."""
    borrowed: int = 0
    """What attachments have added to the desired capacity and decrements have not yet taken back."""
    serving: float = 0.0
    """The weights of the members that are in service and run, summed up."""
    replacements_due: int = 0
    """Unhealthy members that were terminated and are not yet replaced: their successors' cause says so."""
    next_launch_time: float = 0.0
    """Not to be tried before, after a launch that failed everywhere."""
    launch_failures: int = 0
    uneven_since: float | None = None
    wake_time: float | None = None
    rendered: Rendered | None = None

    # -- counting ----------------------------------------------------------------------------------------------------

    def counted(self) -> list[Member]:
        """The members that fill the desired capacity."""
        return [member for member in self.members.values() if member.state in COUNTED]

    def capacity(self) -> float:
        """What they sum up to."""
        return sum(member.weight for member in self.counted())

    def in_service(self) -> list[Member]:
        """The members that serve."""
        return [member for member in self.members.values() if member.state is LifecycleState.IN_SERVICE]

    def by_zone(self) -> Counter[str]:
        """How many counted members each of the group's zones has, empty zones included."""
        counts = Counter(dict.fromkeys(self.zones, 0))
        counts.update(member.zone for member in self.counted())
        return counts

    def runs(self, process: str) -> bool:
        """Is the process not suspended?"""
        return process not in self.suspended

    @property
    def deleting(self) -> bool:
        """Is the group on its way out?"""
        return self.status == DELETING

    @property
    def target_groups(self) -> Sequence[str]:
        """The ARNs of its target groups."""
        found: Sequence[str] = self.settings.get("TargetGroupARNs") or ()
        return found

    @property
    def checks_load_balancer(self) -> bool:
        """Does it take the load balancer's word for health?"""
        return "ELB" in str(self.settings.get("HealthCheckType", "EC2"))

    @property
    def grace_seconds(self) -> float:
        """How long after InService a failed health check is ignored."""
        return float(self.settings.get("HealthCheckGracePeriod") or 0)

    def subnets(self) -> list[str]:
        """The ids in VPCZoneIdentifier."""
        return [one.strip() for one in str(self.settings.get("VPCZoneIdentifier") or "").split(",") if one.strip()]

    def touch(self) -> None:
        """Something that a description shows has changed."""
        self.rendered = None


def find_group(groups: Mapping[str, Group], name: str) -> Group:
    """The group of that name. Raises ApiError when there is none."""
    if name not in groups:
        raise ApiError("ValidationError", f"AutoScalingGroup name not found - AutoScalingGroup: {name} not found")
    return groups[name]


# -- descriptions ----------------------------------------------------------------------------------------------------


def describe(group: Group, region: Region) -> Rendered:
    """The group's entry of DescribeAutoScalingGroups; the same object until the group changes."""
    if group.rendered is None:
        settings = {key: value for key, value in group.settings.items() if key not in _NOT_SHOWN}
        entry: dict[str, Any] = {
            "AutoScalingGroupName": group.name,
            "AutoScalingGroupARN": group.arn,
            **settings,
            "MinSize": group.least,
            "MaxSize": group.most,
            "DesiredCapacity": group.desired,
            "AvailabilityZones": list(group.zones),
            "Instances": [member_entry(member) for member in group.members.values()],
            "CreatedTime": when(group.created_time),
            "SuspendedProcesses": [
                {"ProcessName": process, "SuspensionReason": reason} for process, reason in group.suspended.items()
            ],
            "EnabledMetrics": [],
            "Tags": tag_entries(group),
            "TrafficSources": [{"Identifier": arn, "Type": "elbv2"} for arn in group.target_groups],
            "ServiceLinkedRoleARN": f"arn:{region.partition}:iam::{region.account}:role/aws-service-role/"
            "autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
        }
        if group.status is not None:
            entry["Status"] = group.status
        group.rendered = Rendered(entry)
    return group.rendered


_NOT_SHOWN = frozenset({"Tags", "LifecycleHookSpecificationList", "InstanceId", "AvailabilityZones"})


def member_entry(member: Member) -> dict[str, Any]:
    """The member as its group lists it."""
    entry = {
        "InstanceId": member.id,
        "InstanceType": member.instance.order.instance_type,
        "AvailabilityZone": member.zone,
        "LifecycleState": str(member.state),
        "HealthStatus": "Unhealthy" if member.unhealthy else "Healthy",
        "ProtectedFromScaleIn": member.protected,
        "ImageId": member.instance.order.image["ImageId"],
        **member.source,
    }
    return {**entry, "WeightedCapacity": f"{member.weight:g}"} if member.weight != 1.0 else entry


def tag_entries(group: Group, keys: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """The group's tags as the API lists them."""
    return [
        {
            "ResourceId": group.name,
            "ResourceType": "auto-scaling-group",
            "Key": key,
            "Value": group.tags[key][0],
            "PropagateAtLaunch": group.tags[key][1],
        }
        for key in sorted(group.tags if keys is None else keys)
    ]
