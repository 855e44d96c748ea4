"""Time zones as the machine's files have them, made into values that thinking may hold.

The files are those of the system, or of the package `tzdata` where the system has none.
"""

from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from spotward.model.hours import Zone
from spotward.rules.build import Zones

FIRST_YEAR, LAST_YEAR = 2020, 2060
"""What is known of a zone: a flow begun now must find its offsets for as long as it may be open."""

DAY_SECONDS = 86_400


def zones() -> Zones:
    """All that there are. A zone is only read when a rule names it."""
    return Zones(names=tuple(sorted(available_timezones() | {"UTC"})), zone=zone_of)


@cache
def zone_of(name: str) -> Zone:
    """The offsets of one. Each change falls between two days of which it is looked at, and is then narrowed down."""
    place = ZoneInfo(name)
    first = int(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp())
    last = int(datetime(LAST_YEAR, 1, 1, tzinfo=UTC).timestamp())
    offsets = [(float(first), _offset(place, first))]
    for day in range(first, last, DAY_SECONDS):
        if _offset(place, day + DAY_SECONDS) != offsets[-1][1]:
            change = _change(place, day, day + DAY_SECONDS)
            offsets.append((float(change), _offset(place, change)))
    return Zone(name=name, offsets=tuple(offsets))


def _offset(place: ZoneInfo, time: int) -> int:
    offset = datetime.fromtimestamp(time, place).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def _change(place: ZoneInfo, before: int, after: int) -> int:
    """The first second of the new offset, between two moments that differ."""
    old = _offset(place, before)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset(place, middle) == old else (before, middle)
    return after
