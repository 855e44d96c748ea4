"""Deeds that were answered: what came of each, and how long it took from the wish to the answer."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from spotward.model.event import Done, Event, Failed, FleetAnswered
from spotward.model.flow_event import PluginAnswered, Status
from spotward.model.histogram import Distribution
from spotward.model.node_event import NodeMarked, PodsAnswered
from spotward.model.wish import WishState
from spotward.model.world import World
from spotward.web.tallies.bounded import Histograms

DEED_OUTCOMES = ("done", "failed", "nothing", "unknown")
"""`nothing`: a fleet was answered and gave no instance. `unknown`: no answer came, so it may have been done."""

DEED_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)
"""From a call of the cluster's API to a fleet that tries its pools, and a plugin that drains."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deeds:
    """What was done by now."""

    answered: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(kind, outcome) → how many."""
    seconds: Mapping[tuple[str, ...], Distribution] = field(default_factory=dict)
    """(kind,) → how long they took, waiting for room included."""


class DeedTally:
    """Counts. To be told of every event whose step was stored, with the World before it."""

    def __init__(self) -> None:
        """Nothing was done yet."""
        self._answered: Counter[tuple[str, str]] = Counter()
        self._seconds = Histograms(DEED_SECONDS)

    @property
    def now(self) -> Deeds:
        """As it is now."""
        return Deeds(answered=dict(self._answered), seconds=self._seconds.now)

    def hear(self, before: World, event: Event) -> None:
        """A step was stored."""
        outcome = _outcome(event)
        wish = _answered(before, event) if outcome is not None else None
        if outcome is not None and wish is not None and wish.action is not None:
            self._answered[wish.action.kind, outcome] += 1
            self._seconds.count(event.time - wish.time, wish.action.kind)


def _answered(before: World, event: Event) -> WishState | None:
    """The deed that an event answers. before: while its wish is still in flight."""
    wish = before.wishes.get(getattr(event, "key", ""))
    return wish if wish is not None and wish.action is not None and wish.action.mutates else None


def _outcome(event: Event) -> str | None:
    match event:
        case Done() | NodeMarked() | PodsAnswered():
            return "done"
        case FleetAnswered():
            return "done" if event.instances else "nothing"
        case PluginAnswered(status=status):
            return "done" if status in {Status.DONE, Status.IGNORED} else "failed"
        case Failed():
            return "unknown" if event.outcome_unknown else "failed"
        case _:
            return None
