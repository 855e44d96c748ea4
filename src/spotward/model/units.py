"""Words for numbers and times, the same wherever a person reads them."""

from collections.abc import Iterable
from datetime import UTC, datetime

_FIRST_DATE_SECONDS = datetime(1, 1, 1, tzinfo=UTC).timestamp()
_LAST_DATE_SECONDS = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()

HOURS_PER_MONTH = 730
"""AWS's own month: 365 × 24 / 12 hours."""


def clock(time: float) -> str:
    """`14:05:09` in UTC, for a line that stands near its date."""
    return _date(time).strftime("%H:%M:%S")


def moment(time: float) -> str:
    """`2026-11-22 14:05:09Z`."""
    return _date(time).strftime("%Y-%m-%d %H:%M:%SZ")


def timestamp(time: float) -> str:
    """`2026-11-22T14:05:09Z`, as programs read it (RFC 3339)."""
    return _date(time).strftime("%Y-%m-%dT%H:%M:%SZ")


def _date(time: float) -> datetime:
    """The nearest date that a calendar has: a sender may write any number, and the page about it must still be made."""
    return datetime.fromtimestamp(min(max(time, _FIRST_DATE_SECONDS), _LAST_DATE_SECONDS), UTC)


def span(seconds: float) -> str:
    """`45 s`, `3 min`, `2 h 5 min`: as exact as a person wants it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 instance`, `3 instances`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def listed(names: Iterable[str], *, most: int = 5) -> str:
    """`a, b and 3 more`: never a wall of names."""
    every = list(names)
    shown = every[:most]
    if len(every) > most:
        return f"{', '.join(shown)} and {len(every) - most} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
