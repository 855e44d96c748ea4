"""What a clock begins: the moments of a schedule, as occurrences of their own.

Nothing here knows the time but the event's. What was struck last stands in memory (`World.turns`), stored in the same
commit as the flows that it began: killed before it, nothing was struck and it is struck after the restart; killed after
it, it was. Each moment is named by itself, so that one struck twice would be one all the same.
"""

import hashlib
from dataclasses import dataclass

from spotward.events.reading import iso
from spotward.model.decision import WakeAt
from spotward.model.flow import Turn
from spotward.model.flow_event import Occurred
from spotward.model.hours import UTC, Zone
from spotward.model.occurrence import Occurrence, json_value
from spotward.model.page import Note
from spotward.model.units import moment
from spotward.model.world import World
from spotward.rules.cron import Cron

TYPE = "schedule."
"""What the type of a stroke begins with; the schedule's name follows."""

MARK = "schedule: "
"""What the key of a schedule begins with, in memory and where it is woken. No rule is called so."""

LATE_SECONDS = 60.0
"""A stroke that comes later than this was missed."""

KEEP_SECONDS = 400 * 86_400.0
"""How long it is remembered of a schedule that is in no file any more what it struck last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """When something occurs by itself."""

    name: str
    every_seconds: float = 0.0
    """Each whole multiple of it since 1970, in UTC; 0 where `cron` says when."""
    cron: Cron | None = None
    zone: Zone = UTC
    """Whose clocks `cron` goes by."""
    run_missed: bool = False
    """What was due while nobody ran is struck once, late; else it is skipped."""
    data_json: str = "{}"

    @property
    def key(self) -> str:
        """In memory, and where it is woken."""
        return f"{MARK}{self.name}"

    @property
    def digest(self) -> str:
        """Of when it strikes: a schedule that was changed begins anew."""
        text = f"{self.every_seconds} {self.cron and _words(self.cron)} {self.zone.name}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def following(self, time: float) -> float | None:
        """When it strikes after a time; None if never again."""
        if self.cron is not None:
            return self.cron.following(time, self.zone)
        return (time // self.every_seconds + 1) * self.every_seconds

    def latest(self, after: float, until: float) -> float | None:
        """When it struck last, after one time and not after another."""
        if self.cron is not None:
            return self.cron.latest(after, until, self.zone)
        last = until // self.every_seconds * self.every_seconds
        return last if last > after else None


def _words(cron: Cron) -> str:
    sets = (cron.minutes, cron.hours, sorted(cron.month_days), sorted(cron.months), sorted(cron.week_days))
    return f"{sets} {cron.either_day} {cron.each_hour}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stroke:
    """What comes of looking at a schedule."""

    occurred: Occurred | None = None
    turn: Turn | None = None
    """What is remembered of it from now on; None if that has not changed."""
    wake: WakeAt | None = None
    note: Note | None = None


def struck(schedule: Schedule, world: World) -> Stroke:
    """Is it due? And when is it looked at next?"""
    now, mark = world.time, world.turns.get(schedule.key)
    following = schedule.following(now)
    wake = WakeAt(time=following, subject=schedule.key) if following is not None else None
    if mark is None or mark.begun_time is None or mark.seen != (schedule.digest,):
        return Stroke(turn=_marked(schedule, now, now, following), wake=wake)
    due = schedule.latest(mark.begun_time, now)
    if due is None:
        return Stroke(wake=wake)
    turn = _marked(schedule, now, due, following, number=mark.number + 1)
    if now - due > LATE_SECONDS and not schedule.run_missed:
        text = f"the stroke of {moment(due)} was missed while nobody ran, and is skipped"
        return Stroke(turn=turn, wake=wake, note=Note(subject=schedule.key, text=text))
    return Stroke(occurred=Occurred(time=now, occurrence=_stroke(schedule, due), door="schedule"), turn=turn, wake=wake)


def _marked(schedule: Schedule, now: float, due: float, following: float | None, *, number: int = 0) -> Turn:
    keep_until = max(now, following or now) + KEEP_SECONDS
    return Turn(heard_time=now, begun_time=due, number=number, seen=(schedule.digest,), keep_until=keep_until)


def _stroke(schedule: Schedule, due: float) -> Occurrence:
    """Named by its moment."""
    said = json_value(schedule.data_json)
    return Occurrence.of(
        id=iso(due),
        source=f"/schedule/{schedule.name}",
        type=f"{TYPE}{schedule.name}",
        subject=schedule.name,
        time=due,
        data={**(said if isinstance(said, dict) else {}), "schedule": schedule.name, "due": iso(due)},
    )
