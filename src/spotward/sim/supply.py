"""How much Spot capacity a pool has, hour by hour, while nobody scripts anything.

Capacity is what AWS has left of a host after on-demand. It is drawn per pool around 3,000 vCPUs (pools that run dry
often are smaller, GPU pools much smaller), moves whenever the price moves and against it (a price 1 % up means 3 % less
room), and falls away in a drought. One day of one pool is worked out at once and remembered.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, floor, log1p
from statistics import NormalDist

from spotward.sim.dice import Dice
from spotward.sim.droughts import DAY_SECONDS, Drought, Droughts
from spotward.sim.prices import PriceBook
from spotward.sim.sizes import is_accelerated, vcpus
from spotward.sim.tariff import LINUX

MEDIAN_POOL_VCPUS = 3_000
DEEP_POOL_VCPUS = 20_000
"""From here on a pool counts as bottomless."""

DAYS_REMEMBERED_PER_POOL = 4

_STANDARD_NORMAL = NormalDist()
_PRICE_ELASTICITY = 3.0


@dataclass(frozen=True, slots=True)
class _Day:
    """One pool's day: from each of `times` on, so much capacity, at risk or not."""

    times: Sequence[float]
    capacities: Sequence[int]
    at_risk: Sequence[bool]


_NEVER_SOLD = _Day((float("-inf"),), (0,), (False,))


class Supply:
    """The unscripted capacity of one region's pools."""

    def __init__(self, *, seed: int, region: str, prices: PriceBook, start_time: float) -> None:
        self._dice = Dice(seed, region, "supply")
        self._droughts = Droughts(seed=seed, region=region)
        self._prices, self._start_time = prices, start_time
        # Remembers what can be worked out again, so the order of questions shows nowhere.
        self._days: dict[tuple[str, str], dict[int, _Day]] = {}

    def capacity(self, instance_type: str, az: str, time: float) -> int:
        """Instances of that type."""
        day = self._day(instance_type, az, time)
        return day.capacities[bisect_right(day.times, time) - 1]

    def at_risk(self, instance_type: str, az: str, time: float) -> bool:
        """Would a rebalance recommendation stand."""
        day = self._day(instance_type, az, time)
        return day.at_risk[bisect_right(day.times, time) - 1]

    def next_change(self, instance_type: str, az: str, after: float) -> float:
        """Never later than the first moment of the next day, when it is well to ask again."""
        day = self._day(instance_type, az, after)
        index = bisect_right(day.times, after)
        return day.times[index] if index < len(day.times) else (floor(after / DAY_SECONDS) + 1.0) * DAY_SECONDS

    def _day(self, instance_type: str, az: str, time: float) -> _Day:
        days = self._days.setdefault((instance_type, az), {})
        number = floor(time / DAY_SECONDS)
        if number not in days:
            if len(days) >= DAYS_REMEMBERED_PER_POOL:
                days.clear()
            days[number] = self._worked_out(instance_type, az, number)
        return days[number]

    def _worked_out(self, instance_type: str, az: str, number: int) -> _Day:
        begin, end = float(number * DAY_SECONDS), float((number + 1) * DAY_SECONDS)
        prices = self._prices.changes(instance_type, az, LINUX, begin, end)
        if not prices:
            return _NEVER_SOLD
        # Yesterday's droughts and alarms reach into today, and tomorrow's droughts warn today.
        near = range(number - 1, number + 2)
        droughts = [d for day in near for d in self._droughts.beginning_on(instance_type, az, day)]
        risks = [span for day in near for span in self._droughts.false_alarms_on(instance_type, az, day)]
        risks += [(drought.warned_time, drought.end_time) for drought in droughts]
        edges = {time for time, _ in prices} | {time for span in risks for time in span}
        edges |= {time for drought in droughts for time in (drought.start_time, drought.end_time)}
        times = [begin, *sorted(time for time in edges if begin < time < end)]
        room = self._room(instance_type, az, prices)
        return _Day(
            times=times,
            capacities=[min(_last_before(room, time), _left(droughts, time)) for time in times],
            at_risk=[any(start <= time < stop for start, stop in risks) for time in times],
        )

    def _room(self, instance_type: str, az: str, prices: Sequence[tuple[float, float]]) -> list[tuple[float, int]]:
        """(since when, instances) for each price, droughts aside."""
        usual_price = self._prices.at(instance_type, az, LINUX, self._start_time) or prices[0][1]
        usual = self._usual_vcpus(instance_type, az) / vcpus(instance_type)
        room = []
        for time, price in prices:
            stir = exp(0.15 * self._dice.normal("stir", instance_type, az, int(time)))
            against_price = min(max((usual_price / price) ** _PRICE_ELASTICITY, 0.25), 4.0)
            room.append((time, max(int(usual * stir * against_price), 1)))
        return room

    def _usual_vcpus(self, instance_type: str, az: str) -> float:
        hazard = self._droughts.hazard(instance_type, az)
        if hazard.scarce:
            return 16 + 48 * self._dice.uniform("scarce", instance_type, az)
        calm = -_STANDARD_NORMAL.inv_cdf(hazard.rank)
        deep = 0.6 * calm + 0.8 * self._dice.normal("deep", instance_type, az)
        return MEDIAN_POOL_VCPUS * exp(0.9 * deep) * (0.05 if is_accelerated(instance_type) else 1.0)


def depth(instance_type: str, capacity: int) -> float:
    """0 (nothing left) to 1 (bottomless), growing with the logarithm of the vCPUs that the capacity amounts to."""
    return min(log1p(capacity * vcpus(instance_type)) / log1p(DEEP_POOL_VCPUS), 1.0)


def _left(droughts: Sequence[Drought], time: float) -> int:
    """What the driest drought of that moment leaves; a very large number when there is none."""
    return min((d.capacity_left for d in droughts if d.start_time <= time < d.end_time), default=10**9)


def _last_before(room: Sequence[tuple[float, int]], time: float) -> int:
    return room[max(bisect_right(room, time, key=lambda entry: entry[0]) - 1, 0)][1]
