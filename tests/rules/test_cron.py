"""Cron expressions: read or told why not, and right at every hour of the year, also where clocks are changed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spotward.cli.zone_files import zone_of
from spotward.model.hours import Zone
from spotward.rules.cron import NoCron, cron

UTC_ZONE = Zone(name="UTC")


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def told(time: float | None, zone: str = "UTC") -> str:
    return "never" if time is None else datetime.fromtimestamp(time, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M %z")


@pytest.mark.parametrize(
    ("expression", "after", "comes"),
    [
        ("* * * * *", "2026-11-23 12:00", "2026-11-23 12:01"),
        ("30 3 * * *", "2026-11-23 03:30", "2026-11-24 03:30"),
        ("*/15 * * * *", "2026-11-23 12:46", "2026-11-23 13:00"),
        ("5/20 * * * *", "2026-11-23 12:25", "2026-11-23 12:45"),
        ("0 9-17/4 * * mon-fri", "2026-11-20 17:00", "2026-11-23 09:00"),
        ("0 0 29 2 *", "2026-11-23 12:00", "2028-02-29 00:00"),
        ("0 0 29 2 *", "2096-03-01 00:00", "2104-02-29 00:00"),
        ("0 0 1,15 * sun", "2026-11-23 12:00", "2026-11-29 00:00"),
        ("0 0 1,15 * sun", "2026-11-29 12:00", "2026-12-01 00:00"),
        ("0 0 * * 7", "2026-11-23 12:00", "2026-11-29 00:00"),
        ("0 0 * DEC *", "2026-11-23 12:00", "2026-12-01 00:00"),
        ("@hourly", "2026-11-23 12:00", "2026-11-23 13:00"),
        ("@daily", "2026-12-31 12:00", "2027-01-01 00:00"),
        ("@yearly", "2026-11-23 12:00", "2027-01-01 00:00"),
    ],
)
def test_what_comes_next(expression: str, after: str, comes: str) -> None:
    assert told(cron(expression).following(at(after), UTC_ZONE)) == f"{comes} +0000"


@pytest.mark.parametrize(
    ("expression", "after", "comes"),
    [
        ("30 2 * * *", "2026-03-28 12:00", ["2026-03-29 03:30 +0200", "2026-03-30 02:30 +0200"]),
        ("30 2 * * *", "2026-10-24 12:00", ["2026-10-25 02:30 +0200", "2026-10-26 02:30 +0100"]),
        (
            "30 * * * *",
            "2026-10-25 01:00",
            ["2026-10-25 01:30 +0200", "2026-10-25 02:30 +0200", "2026-10-25 02:30 +0100"],
        ),
        (
            "30 * * * *",
            "2026-03-29 01:00",
            ["2026-03-29 01:30 +0100", "2026-03-29 03:30 +0200", "2026-03-29 04:30 +0200"],
        ),
    ],
)
def test_where_clocks_are_changed(expression: str, after: str, comes: Sequence[str]) -> None:
    time, found = at(after, "Europe/Berlin"), []
    for _ in comes:
        following = cron(expression).following(time, zone_of("Europe/Berlin"))
        assert following is not None
        found.append(told(following, "Europe/Berlin"))
        time = following
    assert found == list(comes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("* * * *", "it has 4 fields; write five"),
        ("", "it has 0 fields"),
        ("@often", "`@often` is not known; there are @hourly"),
        ("60 * * * *", "the minute is `60`; give 0 to 59"),
        ("* 24 * * *", "the hour is `24`; give 0 to 23"),
        ("* * 0 * *", "the day of the month is `0`; give 1 to 31"),
        ("* * * 13 *", "the month is `13`; give 1 to 12, or jan to dec"),
        ("* * * * mun", "the day of the week is `mun`; give 0 to 7, or sun to sat"),
        ("* * * * mon#2", "the day of the week is `mon#2`; write `*`, numbers, ranges and lists"),
        ("* * l * *", "the day of the month is `l`"),
        ("5-1 * * * *", "a range goes upwards"),
        ("*/0 * * * *", "a step is at least 1"),
        ("*-5 * * * *", "a range goes upwards"),
        ("0 0 31 2,4 *", "no such day ever comes"),
    ],
)
def test_what_is_none_is_told(text: str, words: str) -> None:
    with pytest.raises(NoCron) as caught:
        cron(text)
    assert words in str(caught.value)


@given(st.text("0123456789*/-,@ajnmosudy# ", max_size=25))
@settings(max_examples=300)
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        read = cron(text)
    except NoCron:
        return
    following = read.following(0.0, UTC_ZONE)
    assert following is None or following > 0


FIELDS = st.tuples(
    st.sets(st.integers(0, 59), min_size=1, max_size=4),
    st.one_of(st.none(), st.sets(st.integers(0, 23), min_size=1, max_size=4)),
    st.one_of(st.none(), st.sets(st.integers(1, 31), min_size=1, max_size=4)),
    st.one_of(st.none(), st.sets(st.integers(0, 6), min_size=1, max_size=3)),
)
YEAR = (at("2026-01-01 00:00"), at("2027-01-01 00:00"))


def written(values: set[int] | None) -> str:
    return "*" if values is None else ",".join(str(each) for each in sorted(values))


@given(FIELDS, st.integers(int(YEAR[0]), int(YEAR[1])), st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]))
@example(({30}, {2}, None, None), int(at("2026-10-24 12:00")), "Europe/Berlin")
@example(({30}, {2}, None, None), int(at("2026-03-28 12:00")), "Europe/Berlin")
@settings(max_examples=50, deadline=None)
def test_it_comes_whenever_the_clock_on_the_wall_shows_it(
    fields: tuple[set[int], set[int] | None, set[int] | None, set[int] | None], start: int, zone: str
) -> None:
    minutes, hours, month_days, week_days = fields
    read = cron(f"{written(minutes)} {written(hours)} {written(month_days)} * {written(week_days)}")
    end = start + 3 * 86_400
    found, time = [], float(start)
    while (following := read.following(time, zone_of(zone))) is not None and following <= end:
        found.append(following)
        time = following
    assert found == [moment for moment in _by_the_wall(fields, start, end, zone) if moment > start]
    latest = read.latest(float(start), float(end), zone_of(zone))
    assert latest == (found[-1] if found else None)


def _by_the_wall(
    fields: tuple[set[int], set[int] | None, set[int] | None, set[int] | None], start: int, end: int, zone: str
) -> list[float]:
    """Every minute looked at one by one, as a person would with a clock and a calendar."""
    hours = fields[1]
    found: set[float] = set()
    for time in range((start - 7200) // 60 * 60, end + 1, 60):
        shown = datetime.fromtimestamp(time, UTC).astimezone(ZoneInfo(zone))
        again = shown.fold == 1 and hours is not None
        before = datetime.fromtimestamp(time - 60, UTC).astimezone(ZoneInfo(zone))
        walls = [] if again else [shown.replace(tzinfo=None)]
        jump = (shown.replace(tzinfo=None) - before.replace(tzinfo=None)).total_seconds()
        if jump > 60 and hours is not None:  # times that no clock shows come so long after the change
            first = before.replace(tzinfo=None) + timedelta(minutes=1)
            skipped = [first + timedelta(minutes=n) for n in range(int(jump // 60) - 1)]
            found |= {time + (wall - first).total_seconds() for wall in skipped if _fits(wall, fields)}
        if any(_fits(wall, fields) for wall in walls):
            found.add(float(time))
    return sorted(moment for moment in found if moment <= end)


def _fits(wall: datetime, fields: tuple[set[int], set[int] | None, set[int] | None, set[int] | None]) -> bool:
    minutes, hours, month_days, week_days = fields
    days = [month_days is None or wall.day in month_days, week_days is None or wall.isoweekday() % 7 in week_days]
    day = any(days) if month_days is not None and week_days is not None else all(days)
    return wall.minute in minutes and (hours is None or wall.hour in hours) and day
