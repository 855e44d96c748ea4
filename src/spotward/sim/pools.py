"""Finite capacity per pool (instance type, availability zone)."""

from __future__ import annotations

from spotward.sim.prices import PriceBook
from spotward.sim.scenario import Scenario, Shock


class Pools:
    def __init__(
        self, *, region: str, seed: int, prices: PriceBook, start_time: float, scenario: Scenario | None = None
    ) -> None:
        raise NotImplementedError

    @property
    def prices(self) -> PriceBook:
        """Spot prices with the scenario's price factors applied: serve these, not the book given at birth."""
        raise NotImplementedError

    def spot_capacity(self, instance_type: str, az: str, time: float) -> int:
        """How many Spot instances AWS would run there at most, ours included; 0 = none."""
        raise NotImplementedError

    def on_demand_capacity(self, instance_type: str, az: str, time: float) -> int:
        raise NotImplementedError

    def at_risk(self, instance_type: str, az: str, time: float) -> bool:
        """Would a rebalance recommendation be raised."""
        raise NotImplementedError

    def next_change(self, instance_type: str, az: str, after: float) -> float:
        """The next time (> after) at which any answer about this pool may change."""
        raise NotImplementedError

    def spot_vcpu_quota(self, time: float) -> int:
        raise NotImplementedError

    def shock(self, shock: Shock) -> None:
        raise NotImplementedError

    def capacity_depth(self, instance_type: str, az: str, time: float) -> float:
        """0..1, how deep the pool is."""
        raise NotImplementedError
