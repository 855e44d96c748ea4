"""When pools run dry: the hazard behind every interruption that nobody scripted.

A drought takes a pool's Spot capacity away for a while. There is no public log of interruptions over many ordinary
pools, so this is a model, put together from what has been measured:

- How often: the Spot Advisor of June 2025 puts 22 % of all (region, type) pairs below 5 % interruptions a month, 19 %
  at 5–10, 14 % at 10–15, 13 % at 15–20 and 33 % above. A pool's hazard is drawn from these bands; one in a hundred,
  of large and GPU types one in ten, is scarce: the probes of r5.16xlarge and V100 that exist show 0.1 to 1.4 an hour.
- How long: outages of nine V100 zones over 45 days had a median of 29 minutes and a mean of 1.85 hours (log-normal).
- How much: four fifths and more of lost nodes went when half the fleet or more went at once; mostly nothing is left.
- Together: pools of one type in several zones, and of one family in one zone, share part of their droughts; nine of ten
  that fall together do so within three minutes.
- Warned: of 36 instances in one account's log 9 had a rebalance recommendation and then the interruption, 6 the
  interruption alone, and 21 the recommendation alone; leads began at a quarter of an hour and ended at nine hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import exp, inf, log

from spotward.sim.dice import Dice
from spotward.sim.sizes import is_accelerated, vcpus

HOUR_SECONDS = 3_600
DAY_SECONDS = 86_400
HOURS_PER_MONTH = 730

DROUGHT_SECONDS_MAX = DAY_SECONDS
WARNING_SECONDS_MAX = 9 * HOUR_SECONDS
CO_INTERRUPTION_SECONDS = 180

_BANDS = ((0.0, 0.002), (0.2165, 0.05), (0.4099, 0.10), (0.5453, 0.15), (0.6705, 0.20), (1.0, 0.60))
"""(share of pools below, interruptions a month there): the Spot Advisor's bands; their open ends are guesses."""

_SHARED_BY_TYPE, _SHARED_BY_FAMILY, _JOINS = 0.30, 0.25, 0.7
"""What part of a pool's hazard comes from droughts of its type or its family's hosts, and how often it joins one."""

_DRY = 0.7
_WARNED = 9 / 15
_FALSE_ALARMS_PER_DROUGHT = 21 / 15


@dataclass(frozen=True, slots=True)
class Drought:
    """From `start_time` to `end_time` no more than `capacity_left` Spot instances run; the risk shows beforehand."""

    start_time: float
    end_time: float
    warned_time: float
    """When a rebalance recommendation would come; infinite: it never does."""
    capacity_left: int


@dataclass(frozen=True, slots=True)
class Hazard:
    """How often a pool runs dry, and where it stands among all pools (0 calmest, 1 wildest)."""

    per_hour: float
    rank: float
    scarce: bool


class Droughts:
    """All droughts of one region."""

    def __init__(self, *, seed: int, region: str) -> None:
        self._dice = Dice(seed, region, "drought")
        self._hazards: dict[tuple[str, str], Hazard] = {}

    def hazard(self, instance_type: str, az: str) -> Hazard:
        """Seven pools of ten stand where their type stands, the others by themselves."""
        key = (instance_type, az)
        if key not in self._hazards:
            self._hazards[key] = self._drawn(instance_type, f"{instance_type}/{az}")
        return self._hazards[key]

    def _drawn(self, instance_type: str, pool: str) -> Hazard:
        dice = self._dice
        by_type = dice.uniform("like its type", pool) < 0.7
        rank = dice.uniform("rank", instance_type) if by_type else dice.uniform("rank", pool)
        wanted = is_accelerated(instance_type) or vcpus(instance_type) >= 64
        if dice.uniform("scarce", pool) < (0.1 if wanted else 0.01):
            return Hazard(exp(log(0.02) * (1 - rank)), rank, scarce=True)
        return Hazard(_per_hour(rank), rank, scarce=False)

    def beginning_on(self, instance_type: str, az: str, day: int) -> list[Drought]:
        """Droughts that begin in the day (days since 1970), in no particular order."""
        hazard = self.hazard(instance_type, az).per_hour
        pool = f"{instance_type}/{az}"
        shared_by = (
            (_SHARED_BY_TYPE, instance_type),
            (_SHARED_BY_FAMILY, f"{instance_type.partition('.')[0]}.*/{az}"),
        )
        left = hazard
        times: list[float] = []
        for share, source in shared_by:
            rate = share * _per_hour(self._dice.uniform("rank", source)) / _JOINS
            joins = min(1.0, share * hazard / rate)
            left -= rate * joins
            times += self._joined(pool, source, rate, joins, day)
        times += self._arrivals(f"own {pool}", left, day)
        return [self._drought(pool, time) for time in times]

    def false_alarms_on(self, instance_type: str, az: str, day: int) -> list[tuple[float, float]]:
        """(start, end) of risks that begin in the day and come to nothing."""
        pool = f"{instance_type}/{az}"
        rate = self.hazard(instance_type, az).per_hour * _FALSE_ALARMS_PER_DROUGHT
        starts = self._arrivals(f"alarm {pool}", rate, day)
        return [(start, start + self._warning_seconds(pool, start)) for start in starts]

    def _joined(self, pool: str, source: str, rate_per_hour: float, joins: float, day: int) -> Iterator[float]:
        for number, time in enumerate(self._arrivals(source, rate_per_hour, day)):
            if self._dice.uniform("joins", source, day, number, pool) < joins:
                yield time + self._dice.uniform("after", source, day, number, pool) * CO_INTERRUPTION_SECONDS

    def _arrivals(self, source: str, rate_per_hour: float, day: int) -> Iterator[float]:
        """A Poisson process, begun anew each day, which it does not remember."""
        seconds = 0.0
        for number in range(10_000):  # a day of a pool with 400 droughts an hour: never
            seconds -= log(self._dice.uniform("arrival", source, day, number)) * HOUR_SECONDS / rate_per_hour
            if seconds >= DAY_SECONDS:
                return
            yield float(int(day * DAY_SECONDS + seconds))

    def _drought(self, pool: str, time: float) -> Drought:
        dice, moment = self._dice, int(time)
        hours = 0.49 * exp(1.63 * dice.normal("hours", pool, moment))
        lead = self._warning_seconds(pool, time)
        return Drought(
            start_time=time,
            end_time=time + min(max(hours * HOUR_SECONDS, 60.0), DROUGHT_SECONDS_MAX),
            warned_time=time - lead if dice.uniform("warned", pool, moment) < _WARNED else inf,
            capacity_left=0
            if dice.uniform("dry", pool, moment) < _DRY
            else 1 + int(4 * dice.uniform("left", pool, moment)),
        )

    def _warning_seconds(self, pool: str, time: float) -> float:
        """Log-normal around 40 minutes."""
        seconds = 2_400 * exp(1.2 * self._dice.normal("lead", pool, int(time)))
        return min(max(seconds, 120.0), WARNING_SECONDS_MAX)


def _per_hour(rank: float) -> float:
    """The hazard of the pool that stands there among all, by the bands of the Spot Advisor."""
    for (low, least), (high, most) in pairwise(_BANDS):
        if rank <= high:
            way = (rank - low) / (high - low)
            # The last band is open: most of it lies near its lower end.
            monthly = least + (most - least) * (way * way if high == 1.0 else way)
            return -log(1 - monthly) / HOURS_PER_MONTH
    raise ValueError(f"a rank lies between 0 and 1, not at {rank}")
