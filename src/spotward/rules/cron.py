"""Cron expressions: the five fields that everybody knows, by the clocks of a place.

`minute hour day-of-month month day-of-week`, each `*`, a number, a range, a list, with `/step`; months and days also
by their names; 7 is Sunday as 0 is. As ever, where both days are restricted, either may fit. `@hourly`, `@daily`,
`@weekly`, `@monthly` and `@yearly` stand for the usual.

Clocks that are changed show some times never and some twice. A time of fixed hours that is never shown counts at the
moment of the change plus what it lacks, and one that is shown twice counts once, the first time; with `*` as the hour
each moment counts as it comes.

Written here because a decision may read no clock, and the libraries that there are do; the grammar is small.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from spotward.model.hours import DAY_SECONDS, Zone

SHORTHANDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTH_DAYS_MAX = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

LOOK_AHEAD_DAYS = 9 * 366
"""A 29th of February may be eight years away; what does not come by then never does."""

EPOCH = date(1970, 1, 1)
CHANGE_SECONDS = 26 * 3600
"""So far from a local time its zone has the offset of before, or of after, a change near it."""

SHIFT_SECONDS_MAX = 3 * 3600
"""No change of clocks of our days is larger; where one is (a place that skips a day), a stroke may come a day later."""

_ITEM = re.compile(r"(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/(\d{1,4}))?")


class NoCron(ValueError):  # noqa: N818 - it says how things are, and reads as that
    """This is no cron expression; the text says what is wrong and what would be right."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cron:
    """One expression, understood."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    month_days: frozenset[int]
    months: frozenset[int]
    week_days: frozenset[int]
    """0 is Sunday."""
    either_day: bool
    """Both days are restricted: either may fit."""
    each_hour: bool
    """The hour is `*`."""

    def following(self, time: float, zone: Zone) -> float | None:
        """The first moment after a time; None where none comes within nine years."""
        today = _local_day(time, zone)
        for until in (time + 3600.0, math.inf):  # who strikes each minute is not asked for the whole day
            for day in range(today - 1, today + (2 if until < math.inf else LOOK_AHEAD_DAYS)):
                if found := self._on(day, zone, time, until):
                    return found[0]
        return None

    def latest(self, after: float, until: float, zone: Zone) -> float | None:
        """The last moment after one time and not after another; None where there is none."""
        for day in range(_local_day(until, zone) + 1, _local_day(after, zone) - 2, -1):
            if found := self._on(day, zone, after, until):
                return found[-1]
        return None

    def _on(self, day: int, zone: Zone, after: float, until: float) -> Sequence[float]:
        """Every moment of a local day after one time and not after another, in order."""
        if not self._fits(day):
            return ()
        least = after + zone.offset_seconds(after) - SHIFT_SECONDS_MAX
        most = until + (zone.offset_seconds(until) if until < math.inf else 0) + SHIFT_SECONDS_MAX
        begins = (day * DAY_SECONDS + hour * 3600 for hour in self.hours)
        near = [begin for begin in begins if least - 3600 < begin <= most]
        locals_ = (begin + minute * 60 for begin in near for minute in self.minutes)
        moments = {moment for local in locals_ for moment in self._moments(local, zone)}
        return sorted(moment for moment in moments if after < moment <= until)

    def _moments(self, local: int, zone: Zone) -> Iterator[float]:
        """When clocks show this: once, or at a change never or twice."""
        before = zone.offset_seconds(local - CHANGE_SECONDS)
        offsets = sorted(
            {before, zone.offset_seconds(local + CHANGE_SECONDS), zone.offset_seconds(local)}, reverse=True
        )
        shown = [float(local - offset) for offset in offsets if zone.offset_seconds(local - offset) == offset]
        if self.each_hour:
            yield from shown
        else:
            yield shown[0] if shown else float(local - before)

    def _fits(self, day: int) -> bool:
        local = EPOCH + timedelta(days=day)
        month_day, week_day = local.day in self.month_days, (local.isoweekday() % 7) in self.week_days
        fits = month_day or week_day if self.either_day else month_day and week_day
        return fits and local.month in self.months


def cron(text: str) -> Cron:
    """Raises NoCron."""
    said = SHORTHANDS.get(text.strip().lower(), text).lower().split()
    if text.strip().startswith("@") and len(said) == 1:
        raise NoCron(f"`{text:.40}` is not known; there are {', '.join(SHORTHANDS)}")
    if len(said) != 5:
        raise NoCron(f"it has {len(said)} fields; write five: minute hour day-of-month month day-of-week")
    minutes = _field(said[0], "minute", 0, 59)
    hours = _field(said[1], "hour", 0, 23)
    month_days = _field(said[2], "day of the month", 1, 31)
    months = _field(said[3], "month", 1, 12, MONTHS)
    week_days = {day % 7 for day in _field(said[4], "day of the week", 0, 7, DAYS)}
    either_day = not said[2].startswith("*") and not said[4].startswith("*")
    if not either_day and not any(min(month_days) <= MONTH_DAYS_MAX[month - 1] for month in months):
        raise NoCron("no such day ever comes; correct the day or the month")
    return Cron(
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        month_days=frozenset(month_days),
        months=frozenset(months),
        week_days=frozenset(week_days),
        either_day=either_day,
        each_hour=said[1].startswith("*") and len(hours) == 24,
    )


def _field(text: str, what: str, least: int, most: int, names: Sequence[str] = ()) -> set[int]:
    found: set[int] = set()
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise NoCron(
                f"the {what} is `{item:.20}`; write `*`, numbers, ranges and lists, such as `1-5,10` or `*/15`"
            )
        begin, end, step = match.groups()
        if begin == "*":
            first, last = least, most - (most == 7)
        else:
            first = _number(begin, what, least, most, names)
            last = _number(end, what, least, most, names) if end else (most - (most == 7) if step else first)
        if (begin == "*" and end) or last < first or (step and not int(step)):
            raise NoCron(f"the {what} is `{item:.20}`; a range goes upwards, and a step is at least 1")
        found.update(range(first, last + 1, int(step or 1)))
    return found


def _number(text: str, what: str, least: int, most: int, names: Sequence[str]) -> int:
    if text in names:
        return names.index(text) + least
    number = int(text) if text.isdecimal() and len(text) < 4 else -1
    if not least <= number <= most:
        raise NoCron(f"the {what} is `{text:.20}`; give {least} to {most}{_or_names(names)}")
    return number


def _or_names(names: Sequence[str]) -> str:
    return f", or {names[0]} to {names[-1]}" if names else ""


def _local_day(time: float, zone: Zone) -> int:
    return int((time + zone.offset_seconds(time)) // DAY_SECONDS)
