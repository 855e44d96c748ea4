"""The scripted part of the market: which shocks are in force for a pool, and the prices as they bend them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from math import inf
from typing import TypeVar

from spotward.sim.prices import PriceBook
from spotward.sim.shocks import PoolShock, QuotaShock, Shock, in_force

T = TypeVar("T")


class Script:
    """One region's shocks to pools and quota. Shocks of other regions and of other kinds are none of its business."""

    def __init__(self, *, region: str, start_time: float, shocks: Iterable[Shock]) -> None:
        self._region, self._start_time = region, start_time
        self._pool_shocks: list[PoolShock] = []
        self._quota_shocks: list[QuotaShock] = []
        self._by_pool: dict[str, tuple[PoolShock, ...]] = {}
        for shock in shocks:
            self.add(shock)

    def add(self, shock: Shock) -> None:
        """Takes effect for every question from now on, those about the past included."""
        if not fnmatchcase(self._region, shock.region):
            return
        if isinstance(shock, PoolShock):
            self._pool_shocks.append(shock)
            self._pool_shocks.sort(key=lambda known: known.at_seconds)
            self._by_pool.clear()
        elif isinstance(shock, QuotaShock):
            self._quota_shocks.append(shock)
            self._quota_shocks.sort(key=lambda known: known.at_seconds)

    def for_pool(self, pool: str) -> tuple[PoolShock, ...]:
        """Those that ever touch the pool, earliest first."""
        if pool not in self._by_pool:
            self._by_pool[pool] = tuple(shock for shock in self._pool_shocks if shock.hits(pool))
        return self._by_pool[pool]

    def spot_capacity(self, pool: str, time: float) -> int | None:
        """None: nothing is scripted."""
        return _last(shock.spot_capacity for shock in self._now(pool, time))

    def on_demand_capacity(self, pool: str, time: float) -> int | None:
        """None: nothing is scripted."""
        return _last(shock.on_demand_capacity for shock in self._now(pool, time))

    def rebalance(self, pool: str, time: float) -> bool | None:
        """None: nothing is scripted."""
        return _last(shock.rebalance for shock in self._now(pool, time))

    def price_factor(self, pool: str, time: float) -> float:
        """One when nothing is scripted."""
        factor = _last(shock.price_factor for shock in self._now(pool, time))
        return 1.0 if factor is None else factor

    def spot_vcpu_quota(self, time: float) -> int | None:
        """None: nothing is scripted."""
        seconds = time - self._start_time
        return _last(shock.spot_vcpu_quota for shock in self._quota_shocks if in_force(shock, seconds))

    def next_change(self, pool: str, after: float) -> float:
        """Infinite when nothing is to come."""
        return min((time for time in self.edges(self.for_pool(pool)) if time > after), default=inf)

    def edges(self, shocks: Iterable[PoolShock]) -> set[float]:
        """When the shocks begin and end."""
        seconds = {shock.at_seconds for shock in shocks} | {shock.until_seconds for shock in shocks}
        return {self._start_time + each for each in seconds if each is not None}

    def _now(self, pool: str, time: float) -> list[PoolShock]:
        seconds = time - self._start_time
        return [shock for shock in self.for_pool(pool) if in_force(shock, seconds)]


class ScriptedPrices:
    """A price book with the script's price factors on it."""

    def __init__(self, book: PriceBook, script: Script) -> None:
        self._book, self._script = book, script

    def at(self, instance_type: str, az: str, product: str, time: float) -> float | None:
        """See PriceBook."""
        price = self._book.at(instance_type, az, product, time)
        return None if price is None else self._bent(f"{instance_type}/{az}", price, time)

    def changes(
        self, instance_type: str, az: str, product: str, since: float, until: float
    ) -> Sequence[tuple[float, float]]:
        """See PriceBook."""
        told = self._book.changes(instance_type, az, product, since, until)
        pool = f"{instance_type}/{az}"
        shocks = [shock for shock in self._script.for_pool(pool) if shock.price_factor is not None]
        if not told or not shocks:
            return told
        told_times = [time for time, _ in told]
        edges = {time for time in self._script.edges(shocks) if told_times[0] < time <= max(since, until)}
        times = sorted(edges.union(told_times))
        announced = []
        for time in times[bisect_right(times, since) - 1 :]:
            price = told[bisect_right(told_times, time) - 1][1]
            announced.append((time, self._bent(pool, price, time)))
        return announced

    def _bent(self, pool: str, price: float, time: float) -> float:
        factor = self._script.price_factor(pool, time)
        return price if factor == 1.0 else max(round(price * factor, 6), 0.000001)


def _last(values: Iterable[T | None]) -> T | None:
    found = None
    for value in values:
        found = value if value is not None else found
    return found
