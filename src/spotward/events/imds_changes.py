"""What is new in what the metadata service says: one event for each real change, whatever the number of polls.

A document repeats itself at every poll, so a notice needs an identity that stays the same, and never one that is made
from the text: a service, or a fake of it, may write another time at each answer. Hence:

- an interruption is one per machine and action. It is new again only if its deadline comes nearer; what moves later
  gives more time and changes nothing of what has begun;
- advice to rebalance is one per machine;
- scheduled maintenance is one per id of AWS's, and new again when its code or a time of it changes, or when it ends;
- a target state is new when it is another than the last.

What is not said any more has been withdrawn, but only if it is missing in several good answers in a row: a single
wrong 404 must not stop what was begun for a machine that will be gone in two minutes. A failed poll says nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from spotward.events.imds import INTERRUPTION, MAINTENANCE, REBALANCE, Told
from spotward.model.event import (
    Event,
    InterruptionNoticed,
    MaintenanceEnded,
    MaintenanceScheduled,
    NoticeWithdrawn,
    RebalanceAdvised,
    TargetStateChanged,
)

WITHDRAWN_AFTER_POLLS = 2
"""A notice that is missing in so many good answers, one after the other, is withdrawn."""

NEARER_SECONDS_MIN = 1.0
"""A deadline is nearer only by more than the second to which it is written."""


def identity(told: Told) -> str:
    """What makes it the same notice at the next poll. Never made of times."""
    match told:
        case InterruptionNoticed():
            return f"interruption {told.instance_id} {told.action}"
        case RebalanceAdvised():
            return f"rebalance {told.instance_id}"
        case MaintenanceScheduled() | MaintenanceEnded():
            return f"maintenance {told.event_id}"
        case TargetStateChanged():
            return f"target-state {told.instance_id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    told: Told
    missing: int = 0
    """In how many good answers, one after the other, it was not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What the service has said so far: path → identity → what."""

    notices: Mapping[str, Mapping[str, _Known]] = field(default_factory=dict)

    def of(self, path: str) -> tuple[Told, ...]:
        """What a document says, as far as it is known."""
        return tuple(known.told for known in self.notices.get(path, {}).values())

    def after(self, path: str, told: Sequence[Told], *, received: float) -> tuple[tuple[Event, ...], "Seen"]:
        """The events that a good answer leads to, and what is known then. received: Unix seconds."""
        known = self.notices.get(path, {})
        said = {identity(each): each for each in told}
        events: list[Event] = [each for key, each in said.items() if _is_new(known.get(key), each)]
        now = {key: _Known(told=_kept(known.get(key), each)) for key, each in said.items()}
        for key, before in known.items():
            if key in said or _superseded(before.told, told):
                continue
            missed = replace(before, missing=before.missing + 1)
            if missed.missing < WITHDRAWN_AFTER_POLLS or path not in _WITHDRAWABLE:
                now[key] = missed
            else:
                events.extend(_withdrawal(before.told, received))
        return tuple(events), Seen(notices={**self.notices, path: now})


_WITHDRAWABLE = frozenset({INTERRUPTION, REBALANCE, MAINTENANCE})
"""A target state is never withdrawn: another one takes its place."""


def _is_new(known: _Known | None, told: Told) -> bool:
    if known is None:
        return True
    match known.told, told:
        case (InterruptionNoticed() as before, InterruptionNoticed() as now):
            return now.deadline < before.deadline - NEARER_SECONDS_MIN
        case (RebalanceAdvised(), RebalanceAdvised()):
            return False
        case (before, now):
            return replace(before, time=now.time) != now


def _kept(known: _Known | None, told: Told) -> Told:
    """What to remember of a notice: the nearest deadline, so that none that creeps away step by step seems new."""
    return told if known is None or _is_new(known, told) else known.told


def _superseded(before: Told, told: Sequence[Told]) -> bool:
    """Has another notice of the same kind taken its place (stop became terminate)?"""
    return isinstance(before, InterruptionNoticed) and bool(told)


def _withdrawal(told: Told, received: float) -> Sequence[Event]:
    match told:
        case InterruptionNoticed():
            return (_withdrawn(told, "interruption", received),)
        case RebalanceAdvised():
            return (_withdrawn(told, "rebalance", received),)
        case MaintenanceScheduled():
            ended = MaintenanceEnded(
                time=received,
                region=told.region,
                instance_id=told.instance_id,
                event_id=told.event_id,
                outcome="withdrawn",
            )
            return (ended,)
        case _:
            return ()


def _withdrawn(
    told: InterruptionNoticed | RebalanceAdvised, notice: Literal["interruption", "rebalance"], received: float
) -> NoticeWithdrawn:
    return NoticeWithdrawn(time=received, region=told.region, instance_id=told.instance_id, notice=notice)
