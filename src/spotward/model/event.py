"""What happened. An event says where to look and what time it is; decisions are made from the World.

Three families: news from outside (a launch, a notice), observations (the answers to questions) and outcomes (the
answers to deeds). An outcome carries the key and the attempt of its action. `time` is Unix seconds, and it is the only
"now" that thinking knows.
"""

from dataclasses import dataclass
from typing import Literal

from spotward.model.cloud import CapacityHistory, Group, GroupDetails, Instance, Lifecycle, Pool, PoolOffer, group_id
from spotward.model.flow_event import FlowEvent
from spotward.model.node_event import ClusterObservation, ClusterOutcome, LifecycleHooked
from spotward.model.order import Ordered


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    """Time has passed: look again, and ask again what was put off."""

    kind: Literal["tick"] = "tick"
    time: float
    regions: tuple[str, ...] = ()
    """Regions whose observation is due."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Woken:
    """A moment that a decision asked for (`WakeAt`) has come."""

    kind: Literal["woken"] = "woken"
    time: float
    subject: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Restarted:
    """The process begins again from its store: what was asked and not answered is in doubt."""

    kind: Literal["restarted"] = "restarted"
    time: float


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceLaunched:
    """An instance runs, or a group launched one."""

    kind: Literal["instance.launched"] = "instance.launched"
    time: float
    region: str
    instance_id: str
    group: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceGone:
    """An instance is stopping, shutting down, stopped or terminated."""

    kind: Literal["instance.gone"] = "instance.gone"
    time: float
    region: str
    instance_id: str
    group: str | None = None
    state: str = "shutting-down"
    """stopping, shutting-down, stopped or terminated. Only the last two say that the machine is off."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InterruptionNoticed:
    """EC2 will take a Spot instance at `deadline`."""

    kind: Literal["instance.interruption"] = "instance.interruption"
    time: float
    region: str
    instance_id: str
    action: str = "terminate"
    """terminate, stop or hibernate"""
    deadline: float


@dataclass(frozen=True, kw_only=True, slots=True)
class RebalanceAdvised:
    """EC2 holds a Spot instance to be at elevated risk of interruption."""

    kind: Literal["instance.rebalance"] = "instance.rebalance"
    time: float
    region: str
    instance_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticeWithdrawn:
    """EC2 says no more what it said of an instance: the interruption or the advice came to nothing."""

    kind: Literal["instance.notice-withdrawn"] = "instance.notice-withdrawn"
    time: float
    region: str
    instance_id: str
    notice: Literal["interruption", "rebalance"]


@dataclass(frozen=True, kw_only=True, slots=True)
class MaintenanceScheduled:
    """EC2 will do something to an instance's host or to the instance, at a time that it tells days ahead."""

    kind: Literal["instance.maintenance"] = "instance.maintenance"
    time: float
    region: str
    instance_id: str
    event_id: str
    """AWS's own id; it stays the same when the times are moved."""
    code: str
    """instance-reboot, system-reboot, system-maintenance, instance-retirement or instance-stop"""
    start_time: float
    """Not before: nothing happens earlier than this."""
    end_time: float | None = None
    """Not after; None where it is not known."""
    deadline_time: float | None = None
    """The latest start to which an owner may move it; None where it cannot be moved."""
    description: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class MaintenanceEnded:
    """Scheduled maintenance is over, or will not be."""

    kind: Literal["instance.maintenance-ended"] = "instance.maintenance-ended"
    time: float
    region: str
    instance_id: str
    event_id: str
    outcome: Literal["completed", "canceled", "withdrawn"]
    """withdrawn: EC2 does not list it any more and does not say why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetStateChanged:
    """Auto Scaling is taking an instance to another state of its life in the group."""

    kind: Literal["instance.target-state"] = "instance.target-state"
    time: float
    region: str
    instance_id: str
    state: str
    """InService, Terminated, Detached, Standby, or Warmed: and what a warm pool does with it"""


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionObserved:
    """What differs in a region from what was known: an observation folded into its news."""

    kind: Literal["region.observed"] = "region.observed"
    time: float
    key: str
    attempt: int = 1
    as_of: float
    """When the first of the calls behind it was begun: what was done to a group since then is newer."""
    region: str
    groups: tuple[Group, ...] = ()
    """New or changed groups."""
    gone_groups: tuple[str, ...] = ()
    """Names of groups that are no more."""
    instances: tuple[Instance, ...] = ()
    """New or changed instances of groups in scope."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupObserved:
    """One group, seen whole."""

    kind: Literal["group.observed"] = "group.observed"
    time: float
    key: str
    attempt: int = 1
    as_of: float
    """When the first of the calls behind it was begun: what was done to a group since then is newer."""
    region: str
    group_name: str
    group: Group | None
    """None: there is no such group (any more)."""
    instances: tuple[Instance, ...] = ()
    missing_instances: tuple[str, ...] = ()
    """Ids that were asked for and that EC2 does not know (any more)."""
    details: GroupDetails | None = None
    """None unless asked for."""
    unhealthy: tuple[str, ...] | None = None
    """Members not (yet) healthy in a load balancer; None unless asked for."""
    history: CapacityHistory | None = None
    """How its desired capacity came about; None unless asked for."""

    @property
    def group_id(self) -> str:
        return group_id(self.region, self.group_name)


@dataclass(frozen=True, kw_only=True, slots=True)
class InstancesObserved:
    """Some instances of a group that are not members yet, seen."""

    kind: Literal["instances.observed"] = "instances.observed"
    time: float
    key: str
    attempt: int = 1
    region: str
    group_name: str
    instances: tuple[Instance, ...] = ()
    missing: tuple[str, ...] = ()
    """Ids that were asked for and that EC2 does not know (any more, or yet)."""

    @property
    def group_id(self) -> str:
        return group_id(self.region, self.group_name)


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceFound:
    """Where an instance belongs. `instance` is None when EC2 does not know it any more."""

    kind: Literal["instance.found"] = "instance.found"
    time: float
    key: str
    attempt: int = 1
    region: str
    instance_id: str
    instance: Instance | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolsRecommended:
    """The pools that fit, best first."""

    kind: Literal["pools.recommended"] = "pools.recommended"
    time: float
    key: str
    attempt: int = 1
    region: str
    group_name: str
    instance_type: str
    on_demand_usd_per_hour: float | None
    """What an hour of the original costs; None where no price is to be had."""
    currency: str = "USD"
    offers: tuple[PoolOffer, ...] = ()
    """Best first, all of them within the stated margin of the best of their zone or in reserve behind it."""
    compatible: int = 0
    """How many pools fit, resting ones included, of the types that cost less than on-demand somewhere."""
    reason: str = ""
    """When there is no offer: why, in words."""

    @property
    def group_id(self) -> str:
        return group_id(self.region, self.group_name)


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchedInstance:
    """One instance that a fleet made."""

    id: str
    instance_type: str
    az: str
    lifecycle: Lifecycle


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolFailure:
    """Why a fleet got nothing (more) from a pool. `pool` is None when the error is not about one pool."""

    pool: Pool | None
    code: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FleetAnswered:
    """What CreateFleet gave, and what it could not."""

    kind: Literal["fleet.answered"] = "fleet.answered"
    time: float
    key: str
    attempt: int
    region: str
    group_name: str
    instances: tuple[LaunchedInstance, ...] = ()
    failures: tuple[PoolFailure, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """A deed was done."""

    kind: Literal["done"] = "done"
    time: float
    key: str
    attempt: int = 1
    subject: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """An action, deed or question, failed; `code` is the outside's own word, `reason` is for a person."""

    kind: Literal["failed"] = "failed"
    time: float
    key: str
    attempt: int = 1
    subject: str
    code: str
    reason: str
    transient: bool
    retry_after_seconds: float = 0.0
    outcome_unknown: bool = False
    """The call may have been carried out although no answer came (a time-out, a broken connection)."""


News = InstanceLaunched | InstanceGone | InterruptionNoticed | RebalanceAdvised
Notice = NoticeWithdrawn | MaintenanceScheduled | MaintenanceEnded | TargetStateChanged
Told = News | Notice | LifecycleHooked
"""All that is told from outside about one instance."""
Observation = RegionObserved | GroupObserved | InstancesObserved | InstanceFound | PoolsRecommended
Outcome = FleetAnswered | Done | Failed
Event = (
    Tick
    | Woken
    | Restarted
    | News
    | Notice
    | LifecycleHooked
    | Observation
    | Outcome
    | ClusterObservation
    | ClusterOutcome
    | FlowEvent
    | Ordered
)
