"""The one place that asks the machine what time it is.

Everything else gets the time from an event, or from a `Clock` that it was given. Against the embedded cloud, whose
minutes may pass in seconds, the same program runs on a `ScaledClock`: `SPOTWARD_CLOCK` tells it when the virtual time
began and how fast it goes.
"""

import asyncio
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

from spotward.engine.ports import Clock
from spotward.model.errors import ConfigError

CLOCK_VARIABLE = "SPOTWARD_CLOCK"
"""`<start>:<wall0>:<speed>`: virtual Unix seconds at the wall time `wall0`, and virtual seconds per second."""

SLEEP_SLICE_SECONDS = 30.0
"""No single sleep is longer, in wall seconds, so that a machine that was suspended, or whose clock was set, notices."""


def uptime_seconds() -> float:
    """A stopwatch that nobody can set: seconds since the machine started, those included in which it was asleep."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaledClock:
    """Virtual time: it was `start` at the wall time `wall0`, and has gone `speed` times as fast since then."""

    start: float
    wall0: float
    speed: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(number) for number in (self.start, self.wall0, self.speed)):
            raise ConfigError("a clock's start, wall time and speed must be finite numbers")
        if self.speed <= 0:
            raise ConfigError(f"a clock's speed is {self.speed:g}; give a number above 0")

    def now(self) -> float:
        """Virtual Unix seconds."""
        return self.start + (time.time() - self.wall0) * self.speed

    async def sleep_until(self, moment: float) -> None:
        """Return when it is `moment` (virtual Unix seconds) or later; at once if it is."""
        while (left := (moment - self.now()) / self.speed) > 0:
            await asyncio.sleep(min(left, SLEEP_SLICE_SECONDS))


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The machine's own time."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    async def sleep_until(self, moment: float) -> None:
        """Return when it is `moment` (Unix seconds) or later; at once if it is."""
        while (left := moment - self.now()) > 0:
            await asyncio.sleep(min(left, SLEEP_SLICE_SECONDS))


def clock_from_environment(environment: Mapping[str, str] | None = None) -> Clock:
    """The clock that `SPOTWARD_CLOCK` describes, or the machine's own where it is not set.

    Raises ConfigError naming the variable, what was read and what would be right.
    """
    text = (os.environ if environment is None else environment).get(CLOCK_VARIABLE, "")
    if not text:
        return SystemClock()
    try:
        start, wall0, speed = (float(part) for part in text.split(":"))
        return ScaledClock(start=start, wall0=wall0, speed=speed)
    except (ValueError, ConfigError) as error:
        raise ConfigError(
            f"{CLOCK_VARIABLE}={text}: {error}; it must be <start>:<wall0>:<speed>, three numbers such as "
            "1700000000:1763800000:60 (`spotward emulate` prints the right one), or unset for the machine's own time"
        ) from None
