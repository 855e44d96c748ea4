"""One region as it is served: its virtual cloud and market, its queues, its event bus, its failures, under one lock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from spotward.emulator import moto_queues, world
from spotward.emulator.bus import Bus
from spotward.emulator.courier import Courier
from spotward.emulator.faults import Faults
from spotward.emulator.moto_queues import SqsOf
from spotward.emulator.queues.mailbox import Now
from spotward.emulator.queues.sqs import Sqs
from spotward.emulator.surroundings import MotoSurroundings
from spotward.emulator.throttle import Throttles, too_many_requests
from spotward.sim.cloud import Cloud
from spotward.sim.drills import Drills
from spotward.sim.meter import Usage
from spotward.sim.pools import Pools
from spotward.sim.prices import PriceBook, ReplayedPrices, SeededPrices
from spotward.sim.scenario import Scenario
from spotward.sim.shocks import Shock

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceFile:
    """Spot prices to replay."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What all regions of one embedded cloud have in common."""

    account: str
    seed: int
    start_time: float
    """When virtual time began."""
    now: Now
    """Virtual time."""
    waits: Now
    """The consumers' time."""
    scenario: Scenario
    prices: PriceFile | None
    throttling: bool
    sqs_of: SqsOf | None = None
    """Set by `Sites`, which has them."""


class Site:
    """One region. Safe for threads."""

    def __init__(self, region: str, circumstances: Circumstances) -> None:
        """Its clock has been running since the embedded cloud's start, whenever it is made."""
        self.region = region
        self._now = circumstances.now
        self._lock = threading.RLock()
        self._throttles = Throttles() if circumstances.throttling else None
        self._faults = Faults(region=region, start_time=circumstances.start_time)
        self._drills = Drills(region=region, start_time=circumstances.start_time)
        self.pools = _pools(region, circumstances)
        self.cloud = _cloud(region, circumstances, self.pools)
        assert circumstances.sqs_of is not None, "a site is made by Sites"
        self.bus = Bus(
            account=circumstances.account,
            region=region,
            seed=circumstances.seed,
            now=circumstances.now,
            sqs_of=circumstances.sqs_of,
        )
        self._courier = Courier(account=circumstances.account, region=region, sqs_of=circumstances.sqs_of)
        for shock in circumstances.scenario.shocks:
            self._script(shock)

    def admit(self, service: str, operation: str, params: Mapping[str, Any]) -> None:
        """Raises ApiError if the call comes too early after others, or the scenario lets it fail."""
        with self._lock:
            time = self._now()
            fault = self._faults.of(service, operation, time=time)
            if fault is not None:
                raise fault
            if self._throttles is not None and not self._throttles.admit(service, operation, params, time=time):
                raise too_many_requests(service)

    def owns(self, name: str, params: Mapping[str, Any]) -> bool:
        """Does the virtual cloud answer `ec2.RunInstances`, with these parameters?"""
        if name not in self.cloud.operations:
            return False
        with self._lock:
            return self.cloud.owns(name, params)

    def call(self, name: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Lets the virtual cloud answer, and publishes what happened. Raises ApiError."""
        with self._lock:
            time = self._now()
            self._advance(time)
            try:
                return self.cloud.call(name, params, time=time)
            finally:
                self._publish()

    def tick(self) -> float | None:
        """Lets happen what is due; answers when something is due again."""
        with self._lock:
            self._advance(self._now())
            self._publish()
            return self.next_time()

    def next_time(self) -> float | None:
        """When something is due next, in virtual time."""
        with self._lock:
            return self._next_time()

    def _next_time(self) -> float | None:
        return min(
            (time for time in (self.cloud.next_time(), self._drills.next_time()) if time is not None), default=None
        )

    def shock(self, shock: Shock) -> None:
        """Scripts one more, at run time."""
        with self._lock:
            self._advance(self._now())
            self.pools.shock(shock)
            self._script(shock)
            self.cloud.recheck_pools()
            self._publish()

    def interrupt(self, instance_ids: Sequence[str]) -> list[str]:
        """Warns these Spot instances now; answers those that it could be done to."""
        with self._lock:
            self._advance(self._now())
            warned = self.cloud.interrupt(instance_ids)
            self._publish()
            return warned

    def interrupt_pool(self, *, pool: str, group: str, count: int | None) -> list[str]:
        """The same for Spot instances of pools and groups that match the globs."""
        with self._lock:
            self._advance(self._now())
            warned = self.cloud.interrupt_pool(pool=pool, group=group, count=count)
            self._publish()
            return warned

    def usage(self) -> Usage:
        """What was used so far, and what it cost."""
        with self._lock:
            self._advance(self._now())
            self._publish()
            return self.cloud.usage()

    def look(self, at: Callable[[Cloud], T]) -> T:
        """What somebody sees who looks behind the API while no call is being answered."""
        with self._lock:
            self._advance(self._now())
            self._publish()
            return at(self.cloud)

    def _script(self, shock: Shock) -> None:
        self._faults.add(shock)
        self._drills.add(shock)

    def _advance(self, time: float) -> None:
        self._drills.advance(self.cloud, time)

    def _publish(self) -> None:
        for event in self.cloud.take_events():
            self.bus.publish(event)
        for notification in self.cloud.take_notifications():
            self._courier.carry(notification)


def make_sqs(region: str, circumstances: Circumstances) -> Sqs:
    """The queues of a region."""
    return Sqs(
        region=region,
        partition=world.partition(region),
        account=circumstances.account,
        stamps=circumstances.now,
        waits=circumstances.waits,
        seed=circumstances.seed,
        mirror=moto_queues.mirror(circumstances.account, region),
    )


def _pools(region: str, circumstances: Circumstances) -> Pools:
    return Pools(
        region=region,
        seed=circumstances.seed,
        prices=_prices(region, circumstances),
        start_time=circumstances.start_time,
        scenario=circumstances.scenario,
    )


def _prices(region: str, circumstances: Circumstances) -> PriceBook:
    catalogue = world.catalogue(region)

    def list_price(instance_type: str, product: str) -> float | None:
        return catalogue.on_demand_usd_per_hour(instance_type, product) if instance_type in catalogue.types else None

    def offered(instance_type: str, zone: str) -> bool:
        usage = world.INSTANCE_TYPES_BY_NAME[instance_type].get("SupportedUsageClasses", ())
        return catalogue.offered(instance_type, zone) and "spot" in usage

    seeded = SeededPrices(seed=circumstances.seed, region=region, list_price=list_price, offered=offered)
    if circumstances.prices is None:
        return seeded
    return ReplayedPrices(
        circumstances.prices.content,
        file=circumstances.prices.name,
        start_time=circumstances.start_time,
        fallback=seeded,
        list_price=list_price,
        az_ids=world.zone_ids(region),
    )


def _cloud(region: str, circumstances: Circumstances, pools: Pools) -> Cloud:
    return Cloud(
        region=region,
        account=circumstances.account,
        seed=circumstances.seed,
        pools=pools,
        start_time=circumstances.start_time,
        instance_types=world.INSTANCE_TYPES_BY_NAME,
        offerings=world.offerings(region),
        surroundings=MotoSurroundings(account=circumstances.account, region=region),
        zone_ids=world.zone_ids(region),
    )
