"""Is there room? What the pools and the account's quota leave for one more instance.

The pools say how many instances AWS would run there at most, ours included; what we hold is subtracted here. The quota
is the account's, in vCPUs over all its Spot instances.
"""

from __future__ import annotations

from spotward.sim.catalogue import Catalogue
from spotward.sim.errors import ApiError
from spotward.sim.instances import ALIVE, SPOT, Instance, Instances, Order
from spotward.sim.pools import Pools
from spotward.sim.region import Region

NO_SPOT = "There is no Spot capacity available that matches your request."


class Capacity:
    """Room in one region's pools."""

    def __init__(self, region: Region, catalogue: Catalogue, pools: Pools, instances: Instances) -> None:
        """Counts the vCPUs of Spot from now on: make it before the first launch."""
        self._region = region
        self._catalogue = catalogue
        self._pools = pools
        self._instances = instances
        self._spot_vcpus = 0
        instances.listen(self._count)

    def _count(self, instance: Instance, old: str) -> None:
        born, gone = old == "", old in ALIVE and instance.state not in ALIVE
        if instance.lifecycle == SPOT and (born or gone):
            vcpus = self._catalogue.vcpus(instance.order.instance_type)
            self._spot_vcpus += vcpus if born else -vcpus

    def room(self, market: str, instance_type: str, zone: str) -> int:
        """How many more instances the pool takes now, the quota aside."""
        ask = self._pools.spot_capacity if market == SPOT else self._pools.on_demand_capacity
        held = len(self._instances.holding(market, (instance_type, zone)))
        return max(0, ask(instance_type, zone, self._region.now) - held)

    def quota_vcpus(self) -> int:
        """How many vCPUs the account may still start as Spot."""
        return max(0, self._pools.spot_vcpu_quota(self._region.now) - self._spot_vcpus)

    def quota_room(self, instance_type: str) -> int:
        """How many more Spot instances of the type the account's quota allows now."""
        return self.quota_vcpus() // self._catalogue.vcpus(instance_type)

    def depth(self, instance_type: str, zone: str) -> float:
        """How deep the Spot pool is, 0 to 1."""
        return self._pools.capacity_depth(instance_type, zone, self._region.now)

    def spot_usd_per_hour(self, order: Order) -> float | None:
        """What the order would pay now as Spot; None where the type is not sold as Spot."""
        return self._pools.prices.at(order.instance_type, order.zone, order.product, self._region.now)

    def allowed(self, order: Order, count: int) -> tuple[int, ApiError | None]:
        """How many of `count` can be launched, and AWS's words for the rest."""
        if order.market != SPOT:
            room = self.room(order.market, order.instance_type, order.zone)
            return min(count, room), self._no_on_demand(order) if room < count else None
        refused = self.impossible(order)
        if refused is not None:
            return 0, refused
        room, quota = self.room(SPOT, order.instance_type, order.zone), self.quota_room(order.instance_type)
        if quota < min(room, count):
            return quota, ApiError("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
        return min(count, room), ApiError("InsufficientInstanceCapacity", NO_SPOT, 500) if room < count else None

    def impossible(self, order: Order) -> ApiError | None:
        """Why the order cannot be launched at today's price, whatever the room; None when it can."""
        if order.market != SPOT:
            return None
        price, limit = self.spot_usd_per_hour(order), order.price_max_usd_per_hour
        if price is None:
            return ApiError("InsufficientInstanceCapacity", NO_SPOT, 500)
        if limit is not None and limit < price:
            return ApiError(
                "SpotMaxPriceTooLow",
                f"Your Spot request price of {limit:g} is lower than the minimum required Spot request fulfillment "
                f"price of {price:.4f}.",
            )
        return None

    def _no_on_demand(self, order: Order) -> ApiError:
        name = order.instance_type
        elsewhere = [
            zone
            for zone in self._catalogue.zones_of(name)
            if zone != order.zone and self.room(order.market, name, zone) > 0
        ]
        hint = (
            f" You can currently get {name} capacity by not specifying an Availability Zone in your request or "
            f"choosing {', '.join(elsewhere)}."
            if elsewhere
            else ""
        )
        return ApiError(
            "InsufficientInstanceCapacity",
            f"We currently do not have sufficient {name} capacity in the Availability Zone you requested "
            f"({order.zone}). Our system will be working on provisioning additional capacity.{hint}",
            500,
        )
