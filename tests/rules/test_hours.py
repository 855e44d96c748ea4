"""Business hours are those of a place's clocks, also on the days on which they are changed."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotward.cli.zone_files import zones
from spotward.model.hours import UTC, Hours, Zone
from tests.rules.made import BERLIN, NEW_YORK, NOON

DAY = 86_400.0
YEARS = st.floats(NOON - 700 * DAY, NOON + 700 * DAY)
"""Two years back and two ahead of a day in 2026."""


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def weekly(zone: Zone, begin: str, end: str, *days: int) -> Hours:
    minutes = [int(each[:2]) * 60 + int(each[3:]) for each in (begin, end)]
    return Hours(days=days or (0, 1, 2, 3, 4), from_minute=minutes[0], to_minute=minutes[1], zone=zone)


@pytest.mark.parametrize(
    ("hours", "when", "opens"),
    [
        (weekly(UTC, "09:00", "17:00"), "2026-11-23T08:59:59+00:00", "2026-11-23T09:00:00+00:00"),
        (weekly(UTC, "09:00", "17:00"), "2026-11-23T09:00:00+00:00", "2026-11-23T09:00:00+00:00"),
        (weekly(UTC, "09:00", "17:00"), "2026-11-27T17:00:00+00:00", "2026-11-30T09:00:00+00:00"),
        (weekly(BERLIN, "09:00", "17:00"), "2026-11-23T07:00:00+00:00", "2026-11-23T08:00:00+00:00"),
        (weekly(BERLIN, "09:00", "17:00"), "2026-07-06T05:00:00+00:00", "2026-07-06T07:00:00+00:00"),
        (weekly(NEW_YORK, "09:00", "17:00"), "2026-11-23T12:00:00+00:00", "2026-11-23T14:00:00+00:00"),
        (weekly(UTC, "22:00", "06:00", 4), "2026-11-28T05:00:00+00:00", "2026-11-28T05:00:00+00:00"),
        (weekly(UTC, "22:00", "06:00", 4), "2026-11-28T07:00:00+00:00", "2026-12-04T22:00:00+00:00"),
        (weekly(UTC, "00:00", "00:00", 5, 6), "2026-11-27T12:00:00+00:00", "2026-11-28T00:00:00+00:00"),
        # Clocks go from 02:00 to 03:00: half past two is never shown, and the hours open when it is over.
        (weekly(BERLIN, "02:30", "05:00", 6), "2026-03-29T00:00:00+00:00", "2026-03-29T01:30:00+00:00"),
        (weekly(NEW_YORK, "02:30", "05:00", 6), "2026-03-08T05:00:00+00:00", "2026-03-08T07:30:00+00:00"),
        # Clocks go back from 03:00 to 02:00: half past two is shown twice, and the first counts.
        (weekly(BERLIN, "02:30", "05:00", 6), "2026-10-25T00:00:00+00:00", "2026-10-25T00:30:00+00:00"),
    ],
)
def test_hours_open_when_the_clocks_of_the_place_say_so(hours: Hours, when: str, opens: str) -> None:
    assert hours.next_open(at(when)) == at(opens)


HOURS = st.builds(
    Hours,
    days=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
    from_minute=st.integers(0, 1440),
    to_minute=st.integers(0, 1440),
    zone=st.sampled_from([UTC, BERLIN, NEW_YORK]),
)


@given(HOURS, YEARS)
@settings(max_examples=200)
def test_the_next_opening_is_open_or_an_hour_that_clocks_jump_over(hours: Hours, time: float) -> None:
    opens = hours.next_open(time)
    assert opens >= time
    assert opens - time <= 9 * DAY
    short = (hours.to_minute - hours.from_minute) % 1440
    assert hours.open_at(opens) or 0 < short <= 60


@given(st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]), YEARS)
@settings(max_examples=200, deadline=None)
def test_a_zone_knows_the_same_offsets_as_the_files_that_it_was_made_from(name: str, time: float) -> None:
    truth = datetime.fromtimestamp(time, ZoneInfo(name)).utcoffset()
    assert truth is not None
    zone = zones().zone(name)
    assert zone.offset_seconds(time) == truth.total_seconds()
    assert zone.between(time - DAY, time + DAY).offset_seconds(time) == truth.total_seconds()


def test_every_zone_of_the_machine_can_be_named() -> None:
    assert {"UTC", "Europe/Berlin", "America/New_York"} <= set(zones().names)
