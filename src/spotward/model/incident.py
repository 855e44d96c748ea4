"""One node that must be emptied, from the first sign of it to the end: whatever and however often is heard.

An `Incident` is an undertaking of one instance. Everything that is heard of that instance becomes a `Signal` on the
same incident: advice, a notice, a hook, maintenance, a state. The soonest deadline among the signals that still hold is
the one that binds. Beside the signals stand facts: what we set on the node (and so may take back), how far each pod is,
which hook waits for us. The next step is always worked out from these (`spotward.nodes.steps`).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import ClassVar

from spotward.model.balancers import Balancers
from spotward.model.cluster import Taint
from spotward.model.workload import Surge


class Cause(StrEnum):
    """What kind of thing was heard."""

    INTERRUPTION = "interruption"
    """EC2 takes the Spot instance at a deadline."""
    TERMINATION = "termination"
    """Its group takes it out: a lifecycle hook, or the target state that IMDS shows."""
    SHUTDOWN = "shutdown"
    """It is stopping or shutting down already."""
    MAINTENANCE = "maintenance"
    """EC2 will reboot, stop or retire it at a time."""
    REBALANCE = "rebalance"
    """EC2 holds it to be at elevated risk."""
    SWAP = "swap"
    """We replace it, for money's sake or on advice: its successor is ready."""
    ASKED = "asked"
    """A step of the user's own rules wants it empty; nobody takes the machine."""
    ARRIVAL = "arrival"
    """It is only coming: a launch hook waits until the node is ready."""


FORCED = frozenset({Cause.INTERRUPTION, Cause.TERMINATION, Cause.SHUTDOWN})
"""Causes after which the machine goes, whatever we do."""


STARTED_AGAIN = "the machine was started again"
"""Why a signal holds no more that a new boot has ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """One thing that was heard of an instance."""

    cause: Cause
    id: str
    """Names the thing and not the message: heard twice, or from two sources, it has one id."""
    time: float
    """When it was first heard of."""
    deadline: float | None = None
    """When the machine is taken, as far as this signal goes; None where it says nothing of that."""
    text: str = ""
    """EC2's own word: `stop`, `hibernate`, `system-reboot`, the hook's name."""
    over: str | None = None
    """Why it holds no more, in words; None while it holds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HookDuty:
    """A lifecycle hook that waits for us."""

    group: str
    hook: str
    token: str
    launching: bool = False
    heard_time: float
    timeout_seconds: float | None = None
    """The hook's heartbeat timeout; None until its group's details are known."""
    beat_time: float
    """When it was last told that we are at it."""
    beats: int = 0
    over: str | None = None
    """`completed`, or why nobody waits any more; None while it waits."""


class Fate(StrEnum):
    """How far a pod is."""

    WAITING = "waiting"
    """Its turn has not come, or it may be asked again."""
    ASKED = "asked"
    """An eviction or a deletion is on its way to the API server."""
    LEAVING = "leaving"
    """The API server accepted it; the pod runs out its grace."""
    BLOCKED = "blocked"
    """A budget, or something else that may change, says no for now."""
    LEFT = "left alone"
    """It is not to be moved; `reason` says why."""
    GONE = "gone"
    KILLED = "killed"
    """Still there when the machine went."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PodRecord:
    """What became of one pod of the node."""

    uid: str
    namespace: str
    name: str
    fate: Fate = Fate.WAITING
    since: float
    """When it came to that."""
    reason: str = ""
    grace_seconds: float
    """What its owner gave it to stop."""
    given_seconds: float | None = None
    """What it was given instead, where the time did not suffice."""
    past_budget: bool = False
    """It was deleted although a budget said no."""
    budgets: tuple[str, ...] = ()
    """Budgets that it waits for, as `namespace/name`."""
    deadlocked: bool = False
    """No eviction of it can ever be accepted; asking again is no use."""
    tries: int = 0
    retry_time: float = 0.0
    """Not asked again before then, unless the budget's news come first."""
    asked_time: float | None = None
    """When it was first asked to go."""
    volumes: tuple[str, ...] = ()
    """Persistent volumes of it that only one node may hold: its successor waits for their detaching."""

    @property
    def id(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def open(self) -> bool:
        """Is there still something to wait for?"""
        return self.fate in (Fate.WAITING, Fate.ASKED, Fate.LEAVING, Fate.BLOCKED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """What we set on the node, and nothing that was there before: only this is ever taken back."""

    cordoned: bool = False
    taints: tuple[Taint, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return self.cordoned or bool(self.taints) or bool(self.labels)


class Replacement(StrEnum):
    """How it stands with the node's successor."""

    NONE = "none"
    """Not asked for."""
    WANTED = "wanted"
    """The drain waits for it, or runs beside it where there is no time to wait."""
    READY = "ready"


@dataclass(frozen=True, kw_only=True, slots=True)
class Incident:
    """What is done about one instance that is, or may be, a node of ours."""

    kind: ClassVar[str] = "incident"

    key: str
    instance_id: str
    region: str
    born: float
    signals: tuple[Signal, ...]

    node: str = ""
    """Name of its node; empty until the cluster was seen."""
    node_uid: str = ""
    boot_id: str = ""
    """Of the machine at the first sight of the node."""
    marks: Marks = Marks()
    marked: str = ""
    """How far it was marked: `cordon`, `mark` (all that a node gets that is being emptied), or not at all."""
    marking: str = ""
    """How far it is being marked: that was asked, and the answer is to come, or was lost."""
    marked_time: float | None = None
    """When the node was known to be marked: no new pod comes after that, but one may have been under way."""
    pods: tuple[PodRecord, ...] = ()
    hooks: tuple[HookDuty, ...] = ()
    surges: tuple[Surge, ...] = ()
    """Deployments that were lent one more pod, so that those on the node can go."""
    balancers: Balancers = field(default_factory=Balancers)
    """How far load balancers have let go of the node."""
    replacement: Replacement = Replacement.NONE
    begun_time: float | None = None
    """When emptying it began; None while it only waits, or is only marked."""
    drained_time: float | None = None
    """When nothing was left on it that could be moved, and its volumes were detached."""
    off_time: float | None = None
    """When EC2 said that the machine is off."""
    off_state: str = ""
    """stopped or terminated"""
    out_of_service: bool = False
    """We asked for the out-of-service taint, and so take it off again if the machine comes back."""
    clear_time: float = 0.0
    """Not before then is more cleared up: the cluster may not show yet what was done last."""
    look_time: float = 0.0
    """Not before then need EC2 be asked again whether the machine still runs."""
    told: tuple[str, ...] = ()
    """What was told already to whoever wants to know (`spotward.nodes.keys.Errand`)."""
    trouble: tuple[str, ...] = ()
    """What did not go as planned, each said once."""
    ended: str | None = None
    """What came of it, in words, once it is over."""
    ended_time: float | None = None

    @property
    def subject(self) -> str:
        """Whom it is about: what the journal and the store find it by."""
        return self.instance_id

    @property
    def about(self) -> tuple[str, ...]:
        """Others whom a page about its beginning and its end is about."""
        return (self.node,) if self.node else ()

    @property
    def held(self) -> tuple[Signal, ...]:
        """The signals that still hold."""
        return tuple(signal for signal in self.signals if signal.over is None)

    @property
    def causes(self) -> frozenset[Cause]:
        """What kinds of signal still hold."""
        return frozenset(signal.cause for signal in self.held)

    @property
    def deadline(self) -> float | None:
        """When the machine is taken: the soonest that any signal names; None if none does."""
        return min((s.deadline for s in self.held if s.deadline is not None), default=None)

    @property
    def forced(self) -> bool:
        """Does the machine go, whatever we do?"""
        return not FORCED.isdisjoint(self.causes)

    @property
    def advised(self) -> bool:
        """Does EC2 advise to leave it, and nothing worse?"""
        return Cause.REBALANCE in self.causes and not self.forced

    @property
    def drained(self) -> bool:
        """Is nothing left on the node that could be moved? Then the machine may be terminated."""
        return self.drained_time is not None

    @property
    def draining(self) -> bool:
        """Is it being emptied now?"""
        return self.begun_time is not None and not self.drained and self.off_time is None

    @property
    def voluntary(self) -> bool:
        """Is it being emptied although nothing forces it?"""
        return self.draining and not self.forced

    @property
    def held_pods(self) -> Counter[str]:
        """Budget → how many pods of it wait for that."""
        return Counter(name for pod in self.pods if pod.fate is Fate.BLOCKED for name in pod.budgets)

    def with_signal(self, signal: Signal) -> "Incident":
        """With a signal in the place of the one with its id, or added."""
        others = tuple(each for each in self.signals if each.id != signal.id)
        return replace(self, signals=(*others, signal))

    def at_rest(self) -> "Incident":
        """Without what an earlier turn of it came to: nothing is done, nothing is told, of whatever comes next."""
        return replace(
            self,
            pods=(),
            replacement=Replacement.NONE,
            begun_time=None,
            drained_time=None,
            look_time=0.0,
            told=(),
            trouble=(),
        )

    def with_pods(self, records: Iterable[PodRecord]) -> "Incident":
        """With some pods as they now stand."""
        fresh = {record.uid: record for record in records}
        return replace(self, pods=tuple(fresh.get(each.uid, each) for each in self.pods)) if fresh else self

    def surge_of(self, namespace: str, name: str) -> Surge | None:
        """What is lent to a Deployment, or was; None if it was never thought of."""
        return next((each for each in self.surges if (each.namespace, each.name) == (namespace, name)), None)

    def with_surge(self, surge: Surge) -> "Incident":
        """With one as it now stands, or added."""
        others = tuple(each for each in self.surges if each.id != surge.id)
        return replace(self, surges=(*others, surge))

    def with_trouble(self, text: str) -> "Incident":
        """With one more thing that did not go as planned, said once."""
        return self if text in self.trouble else replace(self, trouble=(*self.trouble, text))
