"""What we have begun and must finish.

A `Swap` puts new instances of a group in the place of old ones. Its plan is frozen at birth; beside the plan stand
facts, and the next step is always worked out from the facts (`spotward.groups.swap`), never from "the step after
the last one". That is what makes it safe to be killed anywhere: after a restart the facts are observed again.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from spotward.model.cloud import GroupId, LaunchSource, Lifecycle, Pool, PoolOffer, group_id
from spotward.model.flow import Flow
from spotward.model.incident import Incident
from spotward.model.order import Order


class SwapCause(StrEnum):
    """Why a swap was begun."""

    SAVING = "saving"
    """On-demand members above the base become Spot."""
    INTERRUPTION = "interruption"
    """EC2 takes a Spot member at a deadline."""
    REBALANCE = "rebalance"
    """EC2 advises to move off a Spot member."""
    BASE = "base"
    """There are fewer on-demand members than the base asks for."""
    ASKED = "asked"
    """Somebody ordered it, and nothing forces it."""


class CloneState(StrEnum):
    """How far a new instance has come."""

    LAUNCHED = "launched"
    RUNNING = "running"
    JOINED = "joined"
    """A member of the group, not serving yet."""
    SERVING = "serving"
    """In service, and healthy in the load balancers."""
    FAILED = "failed"
    """Never came into service in time: must go."""
    GONE = "gone"
    """Is no more, or is leaving, whoever did it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Old:
    """A member to be replaced."""

    id: str
    instance_type: str
    az: str
    runs_on: bool = False
    """It leaves its group alive, for whoever asked for that, or for EC2, to end it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """One fleet of a swap: so many instances in one zone. Frozen before it is asked, and repeated verbatim."""

    key: str
    az: str
    count: int
    lifecycle: Lifecycle
    pools: tuple[Pool, ...]
    answered: bool = False
    got: int = 0
    """How many instances it made."""
    dry: bool = False
    """It made too few, and every reason was that a pool has no capacity: such pools rest by themselves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clone:
    """A new instance of a swap."""

    id: str
    launch: str
    """Key of the launch that made it."""
    instance_type: str
    az: str
    lifecycle: Lifecycle
    state: CloneState = CloneState.LAUNCHED
    since: float
    """When it came into its state."""
    node_ready: bool = False
    """Its node was seen ready, where it must become one."""


class Verb(StrEnum):
    """What is asked of instances of a swap."""

    ATTACH = "attach"
    RETIRE = "retire"
    TERMINATE = "terminate"


@dataclass(frozen=True, kw_only=True, slots=True)
class Errand:
    """A deed that was asked of some instances; its key is that of the wish."""

    key: str
    verb: Verb
    instance_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Emptying:
    """An instance that may go, and that is a node which is not empty yet."""

    id: str
    since: float
    """When it was found that it may go."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Swap:
    """New members for old ones, in one batch."""

    kind: ClassVar[str] = "swap"

    key: str
    region: str
    group: str
    cause: SwapCause
    born: float
    deadline: float | None = None
    """When EC2 takes the old instance, for an interruption."""

    olds: tuple[Old, ...]
    launch_source: LaunchSource
    subnets: tuple[tuple[str, str], ...] = ()
    """(zone, subnet id)"""
    instance_type: str
    """The type whose place is taken."""
    offers: tuple[PoolOffer, ...]
    on_demand_usd_per_hour: float | None = None
    instance_tags: tuple[tuple[str, str], ...] = ()
    suspend: tuple[str, ...] = ()
    """Processes that must rest meanwhile, and that the owner has running."""
    of_nodes: bool = False
    """Its members are nodes of a Kubernetes cluster: a new one counts when its node is ready."""

    launches: tuple[Launch, ...]
    clones: tuple[Clone, ...] = ()
    retired: tuple[str, ...] = ()
    """Members that left by our request, with decrement."""
    errands: tuple[Errand, ...] = ()
    """What is asked of instances; the answers are not in yet, or in doubt after a restart."""
    emptying: tuple[Emptying, ...] = ()
    """Who may go, and is a node: it is emptied first, and that is the business of those who know the cluster."""
    kept: tuple[str, ...] = ()
    """Members that were to be replaced and stay, because they could not be emptied in time."""
    owed: int = 0
    """By how many the group's desired capacity is above what its owner set, because of us."""
    desired_seen: int
    """The desired capacity that we last saw, brought forward by our own acknowledged deeds."""
    unexplained: int = 0
    """By how many it is off what `desired_seen` explains, while we ask who changed it."""
    look_time: float
    """Not before then need the new instances be looked at again."""
    in_doubt: tuple[str, ...] = ()
    """`group`, `instances`: something was asked and may or may not have been done; observe before going on."""
    trouble: tuple[str, ...] = ()
    """What did not go as planned, in words, each said once."""
    abandoned: str | None = None
    """Why the swap is being undone, or None."""
    ended: str | None = None
    """What came of it, in words, once it is over."""
    ended_time: float | None = None

    @property
    def group_id(self) -> GroupId:
        """`region/name`."""
        return group_id(self.region, self.group)

    @property
    def subject(self) -> str:
        """Whom it is about: what the journal and the store find it by."""
        return self.group_id

    @property
    def about(self) -> tuple[str, ...]:
        """Others whom a page about its beginning and its end is about."""
        return (*(old.id for old in self.olds), *(clone.id for clone in self.clones))

    def on_errand(self, verb: Verb) -> tuple[str, ...]:
        """Instances of which that is asked now."""
        return tuple(i for errand in self.errands if errand.verb is verb for i in errand.instance_ids)

    def serves(self, clone: Clone) -> bool:
        """Does a new instance of it do what the member did whose place it takes?"""
        return clone.state is CloneState.SERVING and (clone.node_ready or not self.of_nodes)

    def lets_go(self, instance_id: str) -> bool:
        """May this one go, as soon as its node is empty?"""
        return any(each.id == instance_id for each in self.emptying)

    def runs_on(self, instance_id: str) -> bool:
        """Does this one leave its group alive?"""
        return any(old.id == instance_id and old.runs_on for old in self.olds)

    @property
    def urgent(self) -> bool:
        """Has to do with an instance that EC2 will take or may take."""
        return self.cause in (SwapCause.INTERRUPTION, SwapCause.REBALANCE)


Undertaking = Swap | Incident | Flow | Order
"""Each has a `key`, a `kind`, a `subject` (and others it is `about`), and knows when it was `born` and how it `ended`.
"""
