"""Finite capacity per pool (instance type, availability zone) of one region.

What the market does by itself (`supply`, `droughts`) and what a scenario or a drill scripts (`script`), in one place to
ask. The script wins. The same seed and region give the same answers on every machine and in every order of asking.
"""

from __future__ import annotations

from spotward.sim.prices import PriceBook
from spotward.sim.scenario import Scenario
from spotward.sim.script import Script, ScriptedPrices
from spotward.sim.shocks import Shock
from spotward.sim.sizes import vcpus
from spotward.sim.supply import Supply, depth
from spotward.sim.tariff import LINUX

ON_DEMAND_VCPUS = 200_000
"""On-demand capacity of a pool: ample, until a scenario says otherwise."""

SPOT_VCPU_QUOTA = 100_000
"""All Spot instances of an account in a region together. A region of 10,000 members never meets it by accident."""


class Pools:
    """All pools of one region."""

    def __init__(
        self, *, region: str, seed: int, prices: PriceBook, start_time: float, scenario: Scenario | None = None
    ) -> None:
        """`start_time` is when the virtual cloud begins; shocks count from there."""
        shocks = scenario.shocks if scenario else ()
        self._script = Script(region=region, start_time=start_time, shocks=shocks)
        self._supply = Supply(seed=seed, region=region, prices=prices, start_time=start_time)
        self._prices = ScriptedPrices(prices, self._script)

    @property
    def prices(self) -> PriceBook:
        """Spot prices with the scripted factors on them: serve these, not the book given at birth."""
        return self._prices

    def spot_capacity(self, instance_type: str, az: str, time: float) -> int:
        """How many Spot instances run there at most, ours included; 0: none, or not sold as Spot there."""
        scripted = self._script.spot_capacity(f"{instance_type}/{az}", time)
        if scripted is None:
            return self._supply.capacity(instance_type, az, time)
        return scripted if self._prices.at(instance_type, az, LINUX, time) is not None else 0

    def on_demand_capacity(self, instance_type: str, az: str, time: float) -> int:
        """How many on-demand instances run there at most; whether the type is offered at all is not asked here."""
        scripted = self._script.on_demand_capacity(f"{instance_type}/{az}", time)
        return ON_DEMAND_VCPUS // vcpus(instance_type) if scripted is None else scripted

    def at_risk(self, instance_type: str, az: str, time: float) -> bool:
        """Would a rebalance recommendation be raised for Spot instances there."""
        scripted = self._script.rebalance(f"{instance_type}/{az}", time)
        return self._supply.at_risk(instance_type, az, time) if scripted is None else scripted

    def capacity_depth(self, instance_type: str, az: str, time: float) -> float:
        """0 (empty) to 1 (bottomless): what capacity-optimized strategies go by. A pool at risk counts half."""
        deep = depth(instance_type, self.spot_capacity(instance_type, az, time))
        return deep / 2 if self.at_risk(instance_type, az, time) else deep

    def next_change(self, instance_type: str, az: str, after: float) -> float:
        """A time later than `after` up to which no answer about this pool changes; ask again then.

        `shock` may bring it forward.
        """
        scripted = self._script.next_change(f"{instance_type}/{az}", after)
        return min(scripted, self._supply.next_change(instance_type, az, after))

    def spot_vcpu_quota(self, time: float) -> int:
        """How many vCPUs may run as Spot; a request above it fails with MaxSpotInstanceCountExceeded."""
        scripted = self._script.spot_vcpu_quota(time)
        return SPOT_VCPU_QUOTA if scripted is None else scripted

    def shock(self, shock: Shock) -> None:
        """Script one more, at run time. Throttles, failures and interruptions are the cloud's to act on, not ours."""
        self._script.add(shock)
