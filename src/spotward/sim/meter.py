"""What was used and what it cost, and how long groups had less than their owner asked for.

An instance is charged from `running` until it shuts down, by the second: Spot at the price in force, on-demand at the
list price. The charge goes to the group that has it as a member at the time; `""` is nobody's. The figures are the
region's own and go into no answer of the API: they are for the demo and the simulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from spotward.sim.catalogue import Catalogue
from spotward.sim.instances import SPOT, Instance, Instances
from spotward.sim.pools import Pools
from spotward.sim.region import Region

Charged = tuple[str, str]
"""(group, lifecycle)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Of one group and one lifecycle, since the start."""

    instance_seconds: float = 0.0
    cost: float = 0.0
    """In the region's currency: USD, or CNY in AWS's Chinese regions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The meter's reading."""

    time: float
    uses: Mapping[Charged, Use]
    """(group, `spot` or `on-demand`) -> use; the group is "" for instances that are no members."""
    shortfall_instance_seconds: Mapping[str, float]
    """Group -> how many instances were missing, times for how long.

    Missing is what the owner's desired capacity exceeds the InService members by that run. What AttachInstances adds to
    the desired capacity is lent, not wished for, until a decrement takes it back.
    """


@dataclass(slots=True)
class _Shortfall:
    missing: int = 0
    since: float = 0.0
    total: float = 0.0


@dataclass(slots=True)
class _Running:
    """An instance that is being charged."""

    group: str
    since: float


@dataclass(slots=True)
class _Sum:
    instance_seconds: float = 0.0
    cost: float = 0.0


@dataclass(slots=True)
class Meter:
    """The meter of one region."""

    region: Region
    catalogue: Catalogue
    pools: Pools
    instances: Instances
    _running: dict[str, tuple[Instance, _Running]] = field(default_factory=dict)
    _sums: dict[Charged, _Sum] = field(default_factory=dict)
    _shortfalls: dict[str, _Shortfall] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Reads from now on: make it before the first launch."""
        self.instances.listen(self._watch)

    def _watch(self, instance: Instance, old: str) -> None:
        if instance.state == "running":
            self._running[instance.id] = (instance, _Running(instance.group or "", self.region.now))
        elif old == "running":
            self._settle(*self._running.pop(instance.id))

    def moved(self, instance: Instance) -> None:
        """The instance has joined or left a group: what it has cost so far stays where it was."""
        if instance.id in self._running:
            running = self._running[instance.id][1]
            self._settle(instance, running)
            running.group, running.since = instance.group or "", self.region.now

    def missing(self, group: str, count: int) -> None:
        """From now on the group is `count` instances short."""
        known = self._shortfalls.setdefault(group, _Shortfall())
        known.total += known.missing * (self.region.now - known.since)
        known.missing, known.since = count, self.region.now

    def read(self) -> Usage:
        """The reading as of now."""
        for instance, running in self._running.values():
            self._settle(instance, running)
            running.since = self.region.now
        for group, shortfall in self._shortfalls.items():
            self.missing(group, shortfall.missing)
        return Usage(
            time=self.region.now,
            uses={key: Use(instance_seconds=one.instance_seconds, cost=one.cost) for key, one in self._sums.items()},
            shortfall_instance_seconds={group: one.total for group, one in self._shortfalls.items()},
        )

    def _settle(self, instance: Instance, running: _Running) -> None:
        total = self._sums.setdefault((running.group, instance.lifecycle), _Sum())
        total.instance_seconds += self.region.now - running.since
        total.cost += self._cost(instance, running.since, self.region.now)

    def _cost(self, instance: Instance, since: float, until: float) -> float:
        if since >= until:
            return 0.0
        order = instance.order
        if instance.lifecycle != SPOT:
            price = self.catalogue.on_demand_usd_per_hour(order.instance_type, order.product)
            return price * (until - since) / 3600
        changes = self.pools.prices.changes(order.instance_type, order.zone, order.product, since, until)
        ends = [time for time, _ in changes[1:]] + [until]
        return sum(
            price * max(0.0, end - max(time, since)) / 3600 for (time, price), end in zip(changes, ends, strict=True)
        )
