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
from spotward.engine.turns import WRITE_SECONDS
from spotward.groups.policy import GroupsPolicy
from spotward.model.action import Action
from spotward.model.event import Event
from spotward.model.histogram import Distribution
from spotward.model.world import World
from spotward.web.refusals import reason_of
from spotward.web.tallies.deeds import Deeds, DeedTally
from spotward.web.tallies.doors import DoorCounts
from spotward.web.tallies.drains import Drains, DrainTally
from spotward.web.tallies.flows import FlowCounts, FlowTally
from spotward.web.tallies.notices import Notices, NoticeTally
from spotward.web.tallies.savings import SavingTally
from spotward.web.tallies.swaps import Swaps, SwapTally


def _kinds(members: Iterable[Any]) -> tuple[str, ...]:
    return tuple(sorted(str(f.default) for member in members for f in fields(member) if f.name == "kind"))


EVENT_KINDS = _kinds(get_args(Event))
DEED_KINDS = _kinds(action for action in get_args(Action) if action.mutates)
ACTION_KINDS = _kinds(get_args(Action))


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
    heard: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    """(source, kind) → how many events came in from outside."""
    source_heard: Mapping[str, float] = field(default_factory=dict)
    """Source → when it last said anything."""
    write_seconds: Distribution = field(default_factory=lambda: Distribution.empty(WRITE_SECONDS))
    """How long each commit to the journal took."""


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
    deeds: Deeds = field(default_factory=Deeds)
    """What was done."""
    drains: Drains = field(default_factory=Drains)
    """What became of nodes and their pods."""
    swaps: Swaps = field(default_factory=Swaps)
    """What came of swaps that have ended."""
    flows: FlowCounts = field(default_factory=FlowCounts)
    """What came of flows and their calls."""
    notices: Notices = field(default_factory=Notices)
    """What EC2 has said of instances."""
    saved: Mapping[tuple[str, ...], float] = field(default_factory=dict)
    """(region, group, currency) → what was saved, by the estimates."""
    doors: DoorCounts = field(default_factory=DoorCounts)
    """What was said at the doors."""
    plugins: Mapping[str, bool] = field(default_factory=dict)
    """Plugin that may be called → is it left alone, because it cannot be reached?"""
    refusals: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(what they were about, reason) → how many."""
    aws_calls: Mapping[str, int] = field(default_factory=dict)
    """Operation → how many."""
    aws_retries: Mapping[str, int] = field(default_factory=dict)
    """Operation → how many of them were sent again."""


def no_doors() -> DoorCounts:
    """There are none."""
    return DoorCounts()


def nothing() -> Mapping[str, Any]:
    """There is none of it."""
    return {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Elsewhere:
    """Whoever else counts something, to be asked at any time."""

    aws_calls: Callable[[], Mapping[str, int]] = nothing
    """Operation → calls since the start."""
    aws_retries: Callable[[], Mapping[str, int]] = nothing
    """Operation → how often a call was sent again."""
    doors: Callable[[], DoorCounts] = no_doors
    """What was said at the doors."""
    plugins: Callable[[], Mapping[str, bool]] = nothing
    """Plugin → is it left alone?"""


class View:
    """A listener of the live shell, and what its pages look at. To be used on the shell's own loop."""

    def __init__(
        self,
        *,
        clock: Clock,
        regions: Sequence[str],
        observe_seconds: float,
        policy: GroupsPolicy,
        elsewhere: Elsewhere | None = None,
        cluster: str = "",
        rules: Iterable[str] = (),
        plugins: Iterable[str] = (),
    ) -> None:
        """`regions`: names, not globs. `cluster`: the cluster's name, if it has one. `rules`, `plugins`: names of those
        that there are, which are told of from the start.
        """
        self._clock = clock
        self._regions = tuple(regions)
        self._observe_seconds = observe_seconds
        self._policy = policy
        self._elsewhere = elsewhere or Elsewhere()
        self._cluster = cluster
        self._live: Live | None = None
        self._world = World()
        self._last_turn_time: float | None = None
        self._pages = 0
        self._events: Counter[str] = Counter()
        self._deeds, self._drains, self._swaps = DeedTally(), DrainTally(), SwapTally()
        self._flows, self._notices, self._savings = FlowTally(rules, plugins), NoticeTally(), SavingTally(policy)
        self._refusals: Counter[tuple[str, str]] = Counter()

    def follow(self, live: Live) -> None:
        """From now on tell how this shell is. The view must be among its listeners."""
        self._live = live

    def __call__(self, event: Event, step: Step) -> None:
        """A step was stored."""
        before, time = self._world, self._clock.now()
        self._events[event.kind] += 1
        self._deeds.hear(before, event)
        self._drains.hear(before, step)
        self._swaps.hear(step)
        self._flows.hear(before, event, step)
        self._notices.hear(before, event, time=time)
        self._savings.hear(step.world, time=time)
        if step.page is not None:
            self._pages += 1
            self._refusals.update(reason_of(refusal, step) for refusal in step.page.refusals)
        self._world, self._last_turn_time = step.world, time

    def look(self) -> Look:
        """Everything as it is now. To be called on the loop."""
        now = self._clock.now()
        return Look(
            time=now,
            regions=self._regions,
            observe_seconds=self._observe_seconds,
            policy=self._policy,
            cluster=self._cluster,
            world=self._world,
            last_turn_time=self._last_turn_time,
            shell=Shell() if self._live is None else _shell(self._live),
            pages=self._pages,
            events=dict(self._events),
            deeds=self._deeds.now,
            drains=self._drains.now,
            swaps=self._swaps.now,
            flows=self._flows.now,
            notices=self._notices.now,
            saved=self._savings.at(now),
            doors=self._elsewhere.doors(),
            plugins=dict(self._elsewhere.plugins()),
            refusals=dict(self._refusals),
            aws_calls=dict(self._elsewhere.aws_calls()),
            aws_retries=dict(self._elsewhere.aws_retries()),
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
        heard=dict(turns.heard),
        source_heard=dict(live.source_heard),
        write_seconds=turns.write_seconds.now,
    )
