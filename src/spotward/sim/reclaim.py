"""EC2 takes Spot capacity back.

When a pool holds more of our instances than it has room for, the surplus is chosen by the dice and warned; two minutes
later the warned instances are taken, whatever has changed meanwhile. A pool at risk recommends to each of its
instances, once, to move. Only pools that hold something of ours are watched, and each is asked again when the pools say
that their answer may change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from math import inf

from spotward.sim.instances import ALIVE, SPOT, Instance, Instances, Pool
from spotward.sim.pools import Pools
from spotward.sim.region import Region

RecommendationListener = Callable[[Instance], None]

_PRICE_HORIZON_SECONDS = 6 * 3600.0
"""How far ahead a pool with price limits in it is searched for its next price."""


class Reclaim:
    """The fate of one region's Spot instances."""

    def __init__(self, region: Region, instances: Instances, pools: Pools) -> None:
        """Watches from now on: make it before the first launch."""
        self._region = region
        self._instances = instances
        self._pools = pools
        self._due: dict[Pool, float] = {}
        """When each watched pool is asked next."""
        self._recommended: list[RecommendationListener] = []
        instances.listen(self._begin)

    def on_recommendation(self, listener: RecommendationListener) -> None:
        """Tell `listener` of every instance that gets a rebalance recommendation or, without one, a warning."""
        self._recommended.append(listener)

    def _begin(self, instance: Instance, old: str) -> None:
        if instance.lifecycle != SPOT:
            return
        has_limit = instance.order.price_max_usd_per_hour is not None
        if old == "" and (has_limit or instance.order.pool not in self._due):
            self._plan(instance.order.pool)
        if instance.state == "running" and old == "pending" and self._at_risk(instance.order.pool):
            self._recommend_soon(instance)

    # -- pools -------------------------------------------------------------------------------------------------------

    def recheck(self) -> None:
        """Ask every pool that holds Spot instances again, now."""
        for pool in self._instances.spot_pools():
            self._judge(pool)
            self._plan(pool)

    def _plan(self, pool: Pool) -> None:
        due = min(self._pools.next_change(*pool, self._region.now), self._next_price(pool))
        if due == inf:
            self._due.pop(pool, None)
            return
        self._due[pool] = due
        self._region.at(due, lambda: self._ask(pool, due))

    def _ask(self, pool: Pool, due: float) -> None:
        if self._due.get(pool) != due:
            return  # planned anew since
        del self._due[pool]
        if self._instances.holding(SPOT, pool):
            self._judge(pool)
            self._plan(pool)

    def _next_price(self, pool: Pool) -> float:
        """When the price next changes, if somebody there has set a limit to it."""
        held = self._instances.holding(SPOT, pool).values()
        limited = next((one for one in held if one.order.price_max_usd_per_hour is not None), None)
        if limited is None:
            return inf
        now = self._region.now
        product = limited.order.product
        changes = self._pools.prices.changes(*pool, product, now, now + _PRICE_HORIZON_SECONDS)
        return next((time for time, _ in changes if time > now), now + _PRICE_HORIZON_SECONDS)

    def _judge(self, pool: Pool) -> None:
        held = [one for one in self._instances.holding(SPOT, pool).values() if one.warning_time is None]
        self._warn(one for one in held if self._outbid(one))
        free = [one for one in held if one.warning_time is None]
        room = self._pools.spot_capacity(*pool, self._region.now)
        surplus = len(free) - room
        if surplus > 0:
            free.sort(key=lambda one: self._region.dice.uniform("victim", one.id, int(self._region.now)))
            self._warn(free[:surplus])
        if self._at_risk(pool):
            for one in held:
                self._recommend_soon(one)

    def _outbid(self, instance: Instance) -> bool:
        limit = instance.order.price_max_usd_per_hour
        if limit is None:
            return False
        price = self._pools.prices.at(*instance.order.pool, instance.order.product, self._region.now)
        return price is None or price > limit

    def _at_risk(self, pool: Pool) -> bool:
        return self._pools.at_risk(*pool, self._region.now)

    # -- instances ---------------------------------------------------------------------------------------------------

    def interrupt(self, chosen: Iterable[Instance]) -> list[str]:
        """Warn these now. Returns the ids of those that are Spot, alive and not warned yet."""
        able = [one for one in chosen if one.lifecycle == SPOT and one.state in ALIVE and one.warning_time is None]
        self._warn(able)
        return [one.id for one in able]

    def interrupt_matching(self, *, pool: str, group: str, count: int | None) -> list[str]:
        """Warn up to `count` instances of pools "type/zone" and groups that match, in the dice's order."""
        found = [
            one
            for one in self._instances.by_id.values()
            if fnmatchcase("/".join(one.order.pool), pool) and fnmatchcase(one.group or "", group)
            if one.lifecycle == SPOT and one.state in ALIVE and one.warning_time is None
        ]
        found.sort(key=lambda one: self._region.dice.uniform("victim", one.id, int(self._region.now)))
        return self.interrupt(found[:count])

    def _warn(self, victims: Iterable[Instance]) -> None:
        for instance in list(victims):
            instance.warning_time = self._region.now
            self._region.emit(
                source="aws.ec2",
                detail_type="EC2 Spot Instance Interruption Warning",
                # Here, unlike anywhere else, the ARN names the zone and no account.
                resources=[f"arn:{self._region.partition}:ec2:{instance.order.zone}:instance/{instance.id}"],
                detail={"instance-id": instance.id, "instance-action": "terminate"},
            )
            self._tell(instance)
            self._take_after_warning(instance)

    def _take_after_warning(self, instance: Instance) -> None:
        self._region.after(
            self._region.timings.interruption_warning_seconds,
            lambda: self._instances.terminate(instance, "Server.SpotInstanceTermination", "Spot instance termination"),
        )

    def _recommend_soon(self, instance: Instance) -> None:
        """At a time of its own within the spread; planned once, since the time is written down at once."""
        if instance.rebalance_time is not None:
            return
        seconds = self._region.timings.rebalance_recommendation_spread_seconds
        instance.rebalance_time = self._region.now + seconds * self._region.dice.uniform("recommend", instance.id)
        self._region.at(instance.rebalance_time, lambda: self._recommend(instance))

    def _recommend(self, instance: Instance) -> None:
        if instance.state not in ALIVE:
            return
        self._region.emit(
            source="aws.ec2",
            detail_type="EC2 Instance Rebalance Recommendation",
            resources=[f"arn:{self._region.partition}:ec2:{instance.order.zone}:instance/{instance.id}"],
            detail={"instance-id": instance.id},
        )
        self._tell(instance)

    def _tell(self, instance: Instance) -> None:
        for listener in self._recommended:
            listener(instance)
