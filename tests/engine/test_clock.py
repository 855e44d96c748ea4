import asyncio
import time

import pytest

from spotward.engine.clock import ScaledClock, SystemClock, clock_from_environment
from spotward.model.errors import ConfigError

WALL = time.time()  # noqa: TID251 - what the clocks are compared with


def test_the_system_clock_tells_unix_seconds() -> None:
    assert 0 <= SystemClock().now() - WALL < 600


def test_a_scaled_clock_begins_at_its_start_and_runs_as_fast_as_it_says() -> None:
    clock = ScaledClock(start=1_000_000.0, wall0=WALL - 3600, speed=60.0)
    assert 0 <= clock.now() - 1_216_000.0 < 36_000


@pytest.mark.parametrize("clock", [SystemClock(), ScaledClock(start=0.0, wall0=WALL, speed=100.0)])
def test_a_clock_sleeps_until_it_is_that_time_and_not_at_all_when_it_is_past(clock: SystemClock | ScaledClock) -> None:
    with pytest.raises(StopIteration):
        clock.sleep_until(clock.now() - 5).send(None)  # it came to its end without once giving the loop a turn
    moment = clock.now() + (0.05 if isinstance(clock, SystemClock) else 5.0)
    asyncio.run(clock.sleep_until(moment))
    assert clock.now() >= moment


def test_without_the_variable_it_is_the_machines_own_time() -> None:
    assert clock_from_environment({}) == SystemClock()
    assert clock_from_environment({"SPOTWARD_CLOCK": ""}) == SystemClock()


def test_the_variable_names_start_wall_time_and_speed() -> None:
    clock = clock_from_environment({"SPOTWARD_CLOCK": "1700000000:1763800000.5:60"})
    assert clock == ScaledClock(start=1_700_000_000.0, wall0=1_763_800_000.5, speed=60.0)


@pytest.mark.parametrize("text", ["noon", "1:2", "1:2:3:4", "1:2:0", "1:2:-3", "1:2:nan", "inf:2:3", "::"])
def test_a_variable_that_makes_no_clock_is_named_with_what_would_be_right(text: str) -> None:
    with pytest.raises(ConfigError, match=r"SPOTWARD_CLOCK=.*<start>:<wall0>:<speed>"):
        clock_from_environment({"SPOTWARD_CLOCK": text})
