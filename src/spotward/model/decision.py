"""What a decider answers: wishes, refusals, notes, times to be woken, and undertakings as they now stand.

A decider is a pure function `(World, Event) -> Decision`. It never acts and never waits.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from spotward.model.action import Action
from spotward.model.cloud import GroupId
from spotward.model.event import Event
from spotward.model.flow import Turn
from spotward.model.page import Note, Refusal
from spotward.model.undertaking import Undertaking
from spotward.model.world import Pause, World


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """An action that a decider wants, and why, in words."""

    action: Action
    reason: str
    urgent: bool = False
    """Capacity is at stake, and time runs: it is done before what only saves money, where both wait for room."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WakeAt:
    """Ask again about a subject at a time: how a decision waits. The core is told by a `Woken` event."""

    time: float
    subject: str


def next_beat(time: float, seconds: float) -> float:
    """The next whole multiple: whoever waits without a moment of its own waits for that one, so that asking again and
    again makes one wake and not a growing number of them.
    """
    return (math.floor(time / seconds) + 1) * seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Why a subject is left as it is. It stands on a page only when it changes; None takes it back."""

    subject: str
    text: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupPause:
    """A group is to be left alone for a while, or (None) no more."""

    subject: GroupId
    pause: Pause | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """All that a decider has to say to one event."""

    undertakings: tuple[Undertaking, ...] = ()
    """New and changed undertakings, whole."""
    wishes: tuple[Wish, ...] = ()
    wakes: tuple[WakeAt, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[Note, ...] = ()
    pauses: tuple[GroupPause, ...] = ()
    explained: tuple[GroupId, ...] = ()
    """Groups of which nobody need ask any more who set their desired capacity."""
    turns: tuple[tuple[str, Turn | None], ...] = ()
    """What is remembered of a group of a rule, or (None) no more."""
    withdrawn: tuple[str, ...] = ()
    """Keys of wishes that nobody will ask for any more: that they failed is forgotten."""

    @classmethod
    def joined(cls, decisions: "Iterable[Decision]") -> "Decision":
        """Several decisions as one, in order."""
        every = [decision for decision in decisions if decision is not NOTHING]
        if len(every) < 2:
            return every[0] if every else NOTHING
        return cls(
            undertakings=tuple(u for d in every for u in d.undertakings),
            wishes=tuple(w for d in every for w in d.wishes),
            wakes=tuple(w for d in every for w in d.wakes),
            verdicts=tuple(v for d in every for v in d.verdicts),
            refusals=tuple(r for d in every for r in d.refusals),
            notes=tuple(n for d in every for n in d.notes),
            pauses=tuple(p for d in every for p in d.pauses),
            explained=tuple(g for d in every for g in d.explained),
            turns=tuple(t for d in every for t in d.turns),
            withdrawn=tuple(k for d in every for k in d.withdrawn),
        )


NOTHING = Decision()

Decider = Callable[[World, Event], Decision]
"""`decide(world, event)`: the world already knows the event."""

Guard = Callable[[World, Wish], str | None]
"""`guard(world, wish)`: why the wish must not be done now, in words, or None to admit it."""
