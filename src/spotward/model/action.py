"""What we want done. An action is a wish with a key: the key names what is wanted, not the attempt.

Asking twice with one key is asking once. The outcome comes back as an `Event` that carries the same key. Reading is an
action too: a decider that knows too little asks for an observation. `mutates` tells the deeds from the questions, so
that a dry run and `plan` are the same program with the deeds left out.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from spotward.model.cloud import LaunchSource, Lifecycle, Pool, group_id
from spotward.model.flow_action import CallPlugin
from spotward.model.node_action import NodeAction


@dataclass(frozen=True, kw_only=True, slots=True)
class ObserveRegion:
    """Look at every group of a region, and at the instances of those in scope."""

    kind: Literal["observe-region"] = "observe-region"
    mutates: ClassVar[bool] = False
    region: str

    @property
    def key(self) -> str:
        return f"observe {self.region}"

    @property
    def subject(self) -> str:
        return self.region


@dataclass(frozen=True, kw_only=True, slots=True)
class ObserveGroup:
    """Look at one group, and at the members that we do not know as instances yet. Answered by `GroupObserved`."""

    kind: Literal["observe-group"] = "observe-group"
    mutates: ClassVar[bool] = False
    region: str
    group: str
    details: bool = False
    """Also hooks, refresh, launch data, subnets and stack."""
    health: bool = False
    """Also the health of the instances in the group's load balancers."""
    history: bool = False
    """Also how its desired capacity was changed lately."""

    @property
    def key(self) -> str:
        return f"observe {self.subject}"

    @property
    def subject(self) -> str:
        return group_id(self.region, self.group)


@dataclass(frozen=True, kw_only=True, slots=True)
class ObserveInstances:
    """Look at instances that are not members of their group yet. Answered by `InstancesObserved`."""

    kind: Literal["observe-instances"] = "observe-instances"
    mutates: ClassVar[bool] = False
    region: str
    group: str
    key: str
    instance_ids: tuple[str, ...] = ()
    launches: tuple[str, ...] = ()
    """Launch keys whose instances must be found by their tag `spotward:launch`, whatever group they are in."""

    @property
    def subject(self) -> str:
        return group_id(self.region, self.group)


@dataclass(frozen=True, kw_only=True, slots=True)
class FindInstance:
    """Find out which group an instance belongs to. Answered by `InstanceFound`."""

    kind: Literal["find-instance"] = "find-instance"
    mutates: ClassVar[bool] = False
    region: str
    instance_id: str

    @property
    def key(self) -> str:
        return f"find {self.instance_id}"

    @property
    def subject(self) -> str:
        return self.instance_id


@dataclass(frozen=True, kw_only=True, slots=True)
class RecommendPools:
    """Rank the pools that can stand in for one type of a group. Answered by `PoolsRecommended`."""

    kind: Literal["recommend-pools"] = "recommend-pools"
    mutates: ClassVar[bool] = False
    region: str
    group: str
    instance_type: str
    product: str
    architecture: str
    virtualization: str
    azs: tuple[str, ...]
    exclude: tuple[Pool, ...] = ()
    """Pools that ran dry or were interrupted lately."""
    allowed_types: tuple[str, ...] = ()
    """Globs; empty allows all."""
    denied_types: tuple[str, ...] = ()
    burstable_for_fixed: bool = False
    allow_unpriced: bool = False
    """Replace even where no price is known."""
    price_max_of_on_demand: float = 1.0
    """A pool dearer than this share of the on-demand price is no saving."""
    prices_age_seconds_max: float | None = None
    """Older Spot prices than this will not do. None leaves it to whoever answers."""

    @property
    def key(self) -> str:
        """Names all that the owner's tags have a say in, so that a changed tag is a new question."""
        words = [f"recommend {self.instance_type} ({self.product}) for {self.subject}"]
        if self.allowed_types:
            words.append(f"among {' '.join(self.allowed_types)}")
        if self.denied_types:
            words.append(f"without {' '.join(self.denied_types)}")
        if self.burstable_for_fixed:
            words.append("burstable too")
        if self.prices_age_seconds_max is not None:
            words.append("by the latest prices")
        return " ".join(words)

    @property
    def subject(self) -> str:
        return group_id(self.region, self.group)


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchFleet:
    """Launch instances by one CreateFleet of type instant. Answered by `FleetAnswered`.

    The whole value is the request: repeated with the same `attempt` it is the same request to the letter, under the
    same client token, so that AWS answers a repetition with what it did the first time.
    """

    kind: Literal["launch-fleet"] = "launch-fleet"
    mutates: ClassVar[bool] = True
    region: str
    group: str
    key: str
    """Also the value of the tag `spotward:launch` on every instance that comes of it."""
    attempt: int
    count: int
    lifecycle: Lifecycle
    launch: LaunchSource
    pools: tuple[Pool, ...]
    subnets: tuple[tuple[str, str], ...] = ()
    """(availability zone, subnet id) for the zones of the pools; empty for a group that names no subnets."""
    tags: tuple[tuple[str, str], ...] = ()
    """Tags of the instances besides our own: those that the group propagates."""
    price_max_usd_per_hour: float | None = None
    """Never pay more for an hour (the on-demand price); None leaves AWS's own limit, the on-demand price."""

    @property
    def subject(self) -> str:
        return group_id(self.region, self.group)


@dataclass(frozen=True, kw_only=True, slots=True)
class AttachInstances:
    """Make running instances members of a group; its desired capacity rises by their number."""

    kind: Literal["attach-instances"] = "attach-instances"
    mutates: ClassVar[bool] = True
    region: str
    group: str
    key: str
    instance_ids: tuple[str, ...]
    """At most 20, the limit of the call."""

    @property
    def subject(self) -> str:
        return group_id(self.region, self.group)


@dataclass(frozen=True, kw_only=True, slots=True)
class RetireMember:
    """Terminate a member through its group, which then wants one fewer."""

    kind: Literal["retire-member"] = "retire-member"
    mutates: ClassVar[bool] = True
    region: str
    group: str
    key: str
    instance_id: str
    detach: bool = False
    """Take it out of the group and let it run on. AWS runs no termination hook then."""

    @property
    def subject(self) -> str:
        return group_id(self.region, self.group)


@dataclass(frozen=True, kw_only=True, slots=True)
class TerminateInstances:
    """Terminate instances of ours that are in no group."""

    kind: Literal["terminate-instances"] = "terminate-instances"
    mutates: ClassVar[bool] = True
    region: str
    group: str
    key: str
    instance_ids: tuple[str, ...]
    launched_by_time: float = 0.0
    """None of them was launched after this (Unix seconds). EC2 may not show yet what was launched a moment ago."""

    @property
    def subject(self) -> str:
        return group_id(self.region, self.group)


@dataclass(frozen=True, kw_only=True, slots=True)
class SetMaxSize:
    """Set the group's max size, to make room for a swap or to put the owner's value back."""

    kind: Literal["set-max-size"] = "set-max-size"
    mutates: ClassVar[bool] = True
    region: str
    group: str
    key: str
    max_size: int
    expected: int | None = None
    """Only if this stands there, looked at right before; None sets it in any case. AWS has no such condition, and a
    max size set below what the owner has raised it to meanwhile would make the group shrink at once."""

    @property
    def subject(self) -> str:
        return group_id(self.region, self.group)


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreDesired:
    """Set the desired capacity to what the owner asked for, where our own steps took it below that."""

    kind: Literal["restore-desired"] = "restore-desired"
    mutates: ClassVar[bool] = True
    region: str
    group: str
    key: str
    desired: int
    expected: int
    """Only if this stands there, looked at right before: else somebody has changed it once more."""

    @property
    def subject(self) -> str:
        return group_id(self.region, self.group)


@dataclass(frozen=True, kw_only=True, slots=True)
class SuspendProcesses:
    """Suspend processes of a group that its owner has running."""

    kind: Literal["suspend-processes"] = "suspend-processes"
    mutates: ClassVar[bool] = True
    region: str
    group: str
    key: str
    processes: tuple[str, ...]

    @property
    def subject(self) -> str:
        return group_id(self.region, self.group)


@dataclass(frozen=True, kw_only=True, slots=True)
class ResumeProcesses:
    """Resume the processes that we suspended, and no other."""

    kind: Literal["resume-processes"] = "resume-processes"
    mutates: ClassVar[bool] = True
    region: str
    group: str
    key: str
    processes: tuple[str, ...]

    @property
    def subject(self) -> str:
        return group_id(self.region, self.group)


@dataclass(frozen=True, kw_only=True, slots=True)
class TagGroup:
    """Write on the group what its owner had, before it is changed; AWS alone then tells how to put it back."""

    kind: Literal["tag-group"] = "tag-group"
    mutates: ClassVar[bool] = True
    region: str
    group: str
    key: str
    tags: tuple[tuple[str, str], ...]

    @property
    def subject(self) -> str:
        return group_id(self.region, self.group)


@dataclass(frozen=True, kw_only=True, slots=True)
class UntagGroup:
    """Take our own notes off the group, once everything is as its owner had it."""

    kind: Literal["untag-group"] = "untag-group"
    mutates: ClassVar[bool] = True
    region: str
    group: str
    key: str
    names: tuple[str, ...]

    @property
    def subject(self) -> str:
        return group_id(self.region, self.group)


Question = ObserveRegion | ObserveGroup | ObserveInstances | FindInstance | RecommendPools
Deed = (
    LaunchFleet
    | AttachInstances
    | RetireMember
    | TerminateInstances
    | SetMaxSize
    | RestoreDesired
    | SuspendProcesses
    | ResumeProcesses
    | TagGroup
    | UntagGroup
)
Action = Question | Deed | NodeAction | CallPlugin
