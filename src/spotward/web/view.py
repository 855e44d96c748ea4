"""What the pages may ask: the newest World, what was counted since the start, and how the running shell is.

A `View` listens to the live shell and keeps the World of the last stored step; counting is all it adds. `look()`
freezes everything into one value, on the loop and in microseconds. What a page then works out of it, however long that
takes, disturbs nobody and sees nothing move.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, get_args

from spotward.engine.core import Step
from spotward.engine.live import Live
from spotward.engine.ports import Clock
from spotward.groups.policy import GroupsPolicy
from spotward.model.action import Action
from spotward.model.event import Event
from spotward.model.page import Refusal
from spotward.model.world import World
from spotward.web.tally import Drains, Tally


def _kinds(members: Iterable[Any]) -> tuple[str, ...]:
    return tuple(sorted(str(f.default) for member in members for f in fields(member) if f.name == "kind"))


EVENT_KINDS = _kinds(get_args(Event))
DEED_KINDS = _kinds(action for action in get_args(Action) if action.mutates)
ACTION_KINDS = _kinds(get_args(Action))

DEED_OUTCOMES = ("done", "failed", "nothing", "unknown")
"""`nothing`: a fleet was answered and gave no instance. `unknown`: no answer came, so it may have been done."""

REFUSALS_ABOUT = ("deed", "group", "member")
"""What was refused: a deed that a guard did not admit, or the replacing of a group's members, or of one member.

The words of a refusal hold names and numbers; as a label they would have no bound. They stand in the journal.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shell:
    """How the running shell is at one moment; the defaults are those of a shell that has not begun."""

    inbox_depth: int = 0
    under_way: Mapping[str, int] = field(default_factory=dict)
    """Kind of action → how many are under way or wait for room."""
    busy_seconds: float = 0.0
    """For how long a turn of the loop has been going on without a sign of life, by the wall; 0 between turns."""
    store_trouble: str | None = None
    """Why the journal cannot be written now, or None."""
    standby: str | None = None
    """Why it only waits to take over, and for whom; None when it is its turn."""
    lease_trouble: str | None = None
    """Why the lease on the journal cannot be asked for or renewed now, or None."""
    acting: bool = True
    """May it begin a deed now?"""
    sources_unheard: tuple[str, ...] = ()
    """Names of the sources that cannot be heard now. Why stands in the log alone, for it may quote a request."""
    unreadable: int = 0
    """Deliveries that could not be read."""
    faults: int = 0
    """Events that were set aside because of a fault of ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """All that a page may tell, at one moment."""

    time: float
    """By Spotward's clock, Unix seconds."""
    regions: tuple[str, ...]
    """The regions that are looked after."""
    observe_seconds: float
    """How often they are to be observed; 0 for never by itself."""
    policy: GroupsPolicy
    cluster: str = ""
    """Name of the Kubernetes cluster that is looked after; empty where it has none, or there is none."""
    world: World = field(default_factory=World)
    last_turn_time: float | None = None
    """When the last step was stored; None before the first."""
    shell: Shell = field(default_factory=Shell)
    pages: int = 0
    events: Mapping[str, int] = field(default_factory=dict)
    """Kind → how many, since the start; so too below."""
    deeds: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(kind, outcome) → how many."""
    drains: Drains = field(default_factory=Drains)
    """What became of nodes and their pods."""
    refusals: Mapping[str, int] = field(default_factory=dict)
    """What they were about → how many."""
    aws_calls: Mapping[str, int] = field(default_factory=dict)
    """Operation → how many."""


class View:
    """A listener of the live shell, and what its pages look at. To be used on the shell's own loop."""

    def __init__(
        self,
        *,
        clock: Clock,
        regions: Sequence[str],
        observe_seconds: float,
        policy: GroupsPolicy,
        aws_calls: Callable[[], Mapping[str, int]],
        cluster: str = "",
    ) -> None:
        """`regions`: names, not globs. `aws_calls`: operation → calls since the start, to be read at any time.
        `cluster`: the cluster's name, if it has one.
        """
        self._clock = clock
        self._regions = tuple(regions)
        self._observe_seconds = observe_seconds
        self._policy = policy
        self._aws_calls = aws_calls
        self._cluster = cluster
        self._live: Live | None = None
        self._world = World()
        self._last_turn_time: float | None = None
        self._pages = 0
        self._events: Counter[str] = Counter()
        self._tally = Tally()
        self._refusals: Counter[str] = Counter()

    def follow(self, live: Live) -> None:
        """From now on tell how this shell is. The view must be among its listeners."""
        self._live = live

    def __call__(self, event: Event, step: Step) -> None:
        """A step was stored."""
        self._events[event.kind] += 1
        self._tally.hear(self._world, event, step)
        if step.page is not None:
            self._pages += 1
            self._refusals.update(_about(refusal, step.world) for refusal in step.page.refusals)
        self._world = step.world
        self._last_turn_time = self._clock.now()

    def look(self) -> Look:
        """Everything as it is now. To be called on the loop."""
        return Look(
            time=self._clock.now(),
            regions=self._regions,
            observe_seconds=self._observe_seconds,
            policy=self._policy,
            cluster=self._cluster,
            world=self._world,
            last_turn_time=self._last_turn_time,
            shell=Shell() if self._live is None else _shell(self._live),
            pages=self._pages,
            events=dict(self._events),
            deeds=dict(self._tally.deeds),
            drains=self._tally.drains,
            refusals=dict(self._refusals),
            aws_calls=dict(self._aws_calls()),
        )


def _shell(live: Live) -> Shell:
    turns = live.turns
    since = turns.busy_since
    return Shell(
        inbox_depth=live.inbox.depth,
        under_way=dict(live.crew.under_way),
        busy_seconds=0.0 if since is None else asyncio.get_running_loop().time() - since,
        store_trouble=turns.store_trouble,
        standby=live.tenure.standby,
        lease_trouble=live.tenure.trouble,
        acting=live.tenure.acting,
        sources_unheard=tuple(sorted(live.source_troubles)),
        unreadable=turns.unreadable,
        faults=turns.faults,
    )


def _about(refusal: Refusal, world: World) -> str:
    """A verdict is known by its subject, a wish by a key of its own."""
    if refusal.key != refusal.subject:
        return "deed"
    return "group" if refusal.subject in world.groups else "member"
