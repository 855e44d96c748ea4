"""Business hours, in the local time of some place.

Which offset holds when is a matter of law and stands in files; thinking reads no files, so a `Zone` carries the offsets
that matter, and the same journal is replayed by the same ones.
"""

import bisect
from dataclasses import dataclass, replace

DAY_SECONDS = 86_400
WEEK_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FIRST_DAY = 3
"""The epoch began on a Thursday."""

LOOK_AHEAD_DAYS = 9
"""Hours open within a week; clocks that are changed may take a day away."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Zone:
    """The offsets of one place from UTC."""

    name: str
    offsets: tuple[tuple[float, int], ...] = ((0.0, 0),)
    """(Unix seconds from which it holds, seconds east of UTC), in order. The first holds before, too."""

    def offset_seconds(self, time: float) -> int:
        """East of UTC, at a time."""
        at = bisect.bisect_right(self.offsets, time, key=lambda each: each[0]) - 1
        return self.offsets[max(at, 0)][1] if self.offsets else 0

    def between(self, begin: float, end: float) -> "Zone":
        """Only what matters between two times."""
        first = max(bisect.bisect_right(self.offsets, begin, key=lambda each: each[0]) - 1, 0)
        last = bisect.bisect_right(self.offsets, end, key=lambda each: each[0])
        return replace(self, offsets=self.offsets[first : max(last, first + 1)])


UTC = Zone(name="UTC")


@dataclass(frozen=True, kw_only=True, slots=True)
class Hours:
    """On some days of the week, from a time of day to another; past midnight if it ends before it begins."""

    days: tuple[int, ...] = (0, 1, 2, 3, 4)
    """0 is Monday. A night belongs to the day on which it begins."""
    from_minute: int = 9 * 60
    to_minute: int = 17 * 60
    """Minutes after midnight. The same for both is the whole day."""
    zone: Zone = UTC
    wait: bool = True
    """What comes outside of them waits until they open; else it is passed over."""

    def open_at(self, time: float) -> bool:
        """Are they open?"""
        local = time + self.zone.offset_seconds(time)
        day, second = divmod(local, DAY_SECONDS)
        begin, end = self.from_minute * 60, self._end_seconds
        today = self._opens_on(int(day)) and begin <= second < end
        return today or (self._opens_on(int(day) - 1) and second + DAY_SECONDS < end)

    def next_open(self, time: float) -> float:
        """The first moment from then on at which they are open."""
        if self.open_at(time):
            return time
        today = int((time + self.zone.offset_seconds(time)) // DAY_SECONDS)
        for day in range(today, today + LOOK_AHEAD_DAYS + 1):
            if self._opens_on(day) and (opens := self._opening(day, time)) is not None:
                return opens
        return time + DAY_SECONDS

    def _opening(self, day: int, after: float) -> float | None:
        """When they open on that day; None where that is past, or where the clocks jump over the whole of them.

        Clocks that are changed show some times never and some twice: so both offsets near that time are tried.
        """
        local = day * DAY_SECONDS + self.from_minute * 60
        near = {self.zone.offset_seconds(local + hours * 3600) for hours in (-26, 0, 26)}
        moments = sorted(local - offset for offset in near)
        return next((moment for moment in moments if moment > after and self.open_at(moment)), None)

    def _opens_on(self, day: int) -> bool:
        return (day + FIRST_DAY) % 7 in self.days

    @property
    def _end_seconds(self) -> int:
        later = DAY_SECONDS if self.to_minute <= self.from_minute else 0
        return self.to_minute * 60 + later
