"""What Spot capacity costs: one price per pool (instance type, availability zone, product), a step function of time.

Since the end of 2017 AWS moves Spot prices by long-term supply and demand, not by auction. Measured on every price of
us-east-1 from March and April 2021 (1,236 Linux pools): the median pool is 68 % below on-demand (5 % of pools less than
50 %, 5 % more than 77 %) and is repriced about every six hours; a step is 0.2 % in the median and 7 % at most; three
pools in ten never move and are only announced anew once a day; over a month prices drift by 11 % (root mean square).
The Spot Advisor file of June 2025 still shows a median of 66 % for us-east-1. `SeededPrices` follows these numbers:

    price = on-demand × a third × family, type and zone (all fixed) × slow bounded noise (one part a month, one a week)

The noise interpolates between hashed values on a lattice, so any moment costs the same few hashes and nothing has to be
simulated from the beginning of the world. A licence is added undiscounted, as AWS does.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, exp, floor
from typing import Protocol

from spotward.sim.dice import Dice
from spotward.sim.price_file import read_price_file
from spotward.sim.tariff import LINUX, plain_product

ListPrice = Callable[[str, str], float | None]
"""(instance type, product) -> on-demand price per hour; None when the region does not know the type."""

Offered = Callable[[str, str], bool]
"""(instance type, availability zone) -> is it sold as Spot there."""

DAY_SECONDS = 86_400
REPRICED_EVERY_SECONDS = 21_600
"""Six hours: the median gap between two prices of a pool that moves."""

ANNOUNCED_EVERY_SLOTS = 4
"""A price that stays is announced anew once a day, with a new time; so does AWS."""

REPRICING_SPREAD_SECONDS = 7_200
"""Repricing comes up to two hours late, so that pools and days differ."""

MEDIAN_SHARE_OF_ON_DEMAND = 0.33
CALM_POOLS_SHARE = 0.3
AMPLITUDE_MAX = 0.35

_WEEKS, _MONTHS, _STEPS = (6 * DAY_SECONDS, 0.45), (30 * DAY_SECONDS, 0.9), 0.03
"""Two octaves as (period in seconds, weight) and the weight of what each repricing adds by itself."""


class PriceBook(Protocol):
    """Anyone who knows what Spot costs."""

    def at(self, instance_type: str, az: str, product: str, time: float) -> float | None:
        """The price in force, per hour in the region's currency; None when it is not sold as Spot there."""

    def changes(
        self, instance_type: str, az: str, product: str, since: float, until: float
    ) -> Sequence[tuple[float, float]]:
        """(time, price per hour) of each announcement up to and including `until`, oldest first.

        The first one is the price in force at `since`, with the time at which it was announced, which is earlier.
        Empty when it is not sold as Spot there.
        """


@dataclass(frozen=True, slots=True)
class _Pool:
    """What never changes about one pool; `amplitude` is of the logarithm of the price."""

    name: str
    level: float
    amplitude: float
    phase_seconds: float


class SeededPrices:
    """Prices made up from a seed; see the module's opening for what they follow."""

    def __init__(self, *, seed: int, region: str, list_price: ListPrice, offered: Offered) -> None:
        self._dice = Dice(seed, region, "price")
        self._list_price, self._offered = list_price, offered
        # Both only remember what the dice say anyway, so the order of questions shows nowhere.
        self._pools: dict[tuple[str, str], _Pool | None] = {}
        self._latest: dict[str, tuple[int, float]] = {}

    def at(self, instance_type: str, az: str, product: str, time: float) -> float | None:
        """See PriceBook."""
        if (pool := self._pool(instance_type, az)) is None:
            return None
        return self._price(pool, instance_type, product, self._slot_at(pool, time))

    def changes(
        self, instance_type: str, az: str, product: str, since: float, until: float
    ) -> Sequence[tuple[float, float]]:
        """See PriceBook."""
        if (pool := self._pool(instance_type, az)) is None:
            return []
        in_force, slot = self._slot_at(pool, since), self._slot_at(pool, max(since, until))
        newest_first: list[tuple[float, float]] = []
        price = self._price(pool, instance_type, product, slot)
        answered = False
        while not answered:
            before = self._price(pool, instance_type, product, slot - 1)
            if price != before or slot % ANNOUNCED_EVERY_SLOTS == 0:
                newest_first.append((self._repriced_time(pool, slot), price))
                answered = slot <= in_force
            slot, price = slot - 1, before
        return newest_first[::-1]

    def _pool(self, instance_type: str, az: str) -> _Pool | None:
        key = (instance_type, az)
        if key not in self._pools:
            sold = self._list_price(instance_type, LINUX) is not None and self._offered(instance_type, az)
            self._pools[key] = self._made(instance_type, az) if sold else None
        return self._pools[key]

    def _made(self, instance_type: str, az: str) -> _Pool:
        dice, name = self._dice, f"{instance_type}/{az}"
        family = instance_type.partition(".")[0]
        # Standard deviations of the logarithm: families 0.22 apart, types of one family 0.17, zones of one type 0.045
        # in the median type and 0.23 in one of twenty.
        zones_apart = 0.045 * exp(dice.normal("zones apart", instance_type))
        level = 0.22 * dice.normal("family", family) + 0.17 * dice.normal("type", instance_type)
        level += min(zones_apart, 0.5) * dice.normal("zone", name)
        moves = dice.uniform("calm", name) > CALM_POOLS_SHARE
        amplitude = min(0.1 * exp(0.88 * dice.normal("amplitude", name)), AMPLITUDE_MAX) if moves else 0.0
        phase = dice.uniform("phase", name) * REPRICED_EVERY_SECONDS
        return _Pool(name, level, amplitude, phase)

    def _slot_at(self, pool: _Pool, time: float) -> int:
        """The number of the repricing that is in force at `time`."""
        # One too late to begin with: cut to a whole second, a repricing may lie just before its slot.
        slot = floor((time - pool.phase_seconds) / REPRICED_EVERY_SECONDS) + 1
        while self._repriced_time(pool, slot) > time:
            slot -= 1
        return slot

    def _repriced_time(self, pool: _Pool, slot: int) -> float:
        """A whole second, as AWS's are."""
        late = self._dice.uniform("late", pool.name, slot) * REPRICING_SPREAD_SECONDS
        return float(floor(slot * REPRICED_EVERY_SECONDS + pool.phase_seconds + late))

    def _price(self, pool: _Pool, instance_type: str, product: str, slot: int) -> float:
        on_demand = self._list_price(instance_type, LINUX) or 0.0
        hardware = max(on_demand * self._share_of_on_demand(pool, slot), 0.0001)
        return round(hardware + licence(self._list_price, instance_type, product), 4)

    def _share_of_on_demand(self, pool: _Pool, slot: int) -> float:
        remembered, share = self._latest.get(pool.name, (None, 0.0))
        if remembered != slot:
            share = MEDIAN_SHARE_OF_ON_DEMAND * exp(pool.level + pool.amplitude * self._noise(pool, slot))
            share = min(max(share, 0.1), 1.0)  # AWS sells at most 90 % off and never above on-demand
            self._latest[pool.name] = (slot, share)
        return share

    def _noise(self, pool: _Pool, slot: int) -> float:
        if not pool.amplitude:
            return 0.0
        time = slot * REPRICED_EVERY_SECONDS + pool.phase_seconds
        steps = _STEPS * (2 * self._dice.uniform("step", pool.name, slot) - 1)
        return steps + sum(self._octave(pool.name, time, *octave) for octave in (_WEEKS, _MONTHS))

    def _octave(self, name: str, time: float, period_seconds: int, weight: float) -> float:
        """Between -weight and weight, smooth, and unrelated to itself a few periods later."""
        position = time / period_seconds
        left = floor(position)
        way = position - left
        way = way * way * (3 - 2 * way)
        ends = (2 * self._dice.uniform("lattice", name, period_seconds, point) - 1 for point in (left, left + 1))
        start, end = ends
        return weight * (start + (end - start) * way)


def licence(list_price: ListPrice, instance_type: str, product: str) -> float:
    """What the product costs more than Linux, per hour; Spot gives no discount on it."""
    if (plain := plain_product(product)) == LINUX:
        return 0.0
    return (list_price(instance_type, plain) or 0.0) - (list_price(instance_type, LINUX) or 0.0)


class ReplayedPrices:
    """Prices that really were, moved in time so that the file's first moment falls on `start_time`.

    A pool holds its first price before its first line and its last price after its last one. Products that the file
    does not name cost their licence more than Linux there; pools that it does not name are the fallback's.
    """

    def __init__(
        self,
        content: bytes,
        *,
        file: str,
        start_time: float,
        fallback: PriceBook,
        list_price: ListPrice,
        az_ids: Mapping[str, str] | None = None,
    ) -> None:
        """`content`: a CSV file, plain or gzipped (see `price_file`); `file` is its name for messages.

        `az_ids`: zone name -> zone id, for files that name zones by id. Raises ConfigError with file and line.
        """
        self._file = read_price_file(content, file=file)
        self._later_seconds = floor(start_time) - self._file.first_time
        self._fallback, self._list_price, self._az_ids = fallback, list_price, az_ids or {}

    def at(self, instance_type: str, az: str, product: str, time: float) -> float | None:
        """See PriceBook."""
        found = self._find(instance_type, az, product)
        if found is None:
            return self._fallback.at(instance_type, az, product, time)
        times, prices, added = found
        index = bisect_right(times, time - self._later_seconds) - 1
        return round(prices[max(index, 0)] + added, 6)

    def changes(
        self, instance_type: str, az: str, product: str, since: float, until: float
    ) -> Sequence[tuple[float, float]]:
        """See PriceBook."""
        found = self._find(instance_type, az, product)
        if found is None:
            return self._fallback.changes(instance_type, az, product, since, until)
        times, prices, added = found
        first = bisect_right(times, since - self._later_seconds) - 1
        end = max(first + 1, bisect_right(times, until - self._later_seconds))
        told = [(times[i] + self._later_seconds, round(prices[i] + added, 6)) for i in range(max(first, 0), end)]
        if first < 0:  # before the pool's first line: the same price, as announced some whole days before
            first_time = times[0] + self._later_seconds
            days = ceil((first_time - since) / DAY_SECONDS)
            told.insert(0, (first_time - days * DAY_SECONDS, round(prices[0] + added, 6)))
        return told

    def _find(self, instance_type: str, az: str, product: str) -> tuple[Sequence[float], Sequence[float], float] | None:
        """The pool's times, its prices, and what to add to each."""
        plain = plain_product(product)
        zone = self._az_ids.get(az, az) if self._file.zones_are_ids else az
        if (exact := self._file.pools.get((instance_type, zone, plain))) is not None:
            return *exact, 0.0
        if (linux := self._file.pools.get((instance_type, zone, LINUX))) is not None:
            return *linux, licence(self._list_price, instance_type, plain)
        return None
