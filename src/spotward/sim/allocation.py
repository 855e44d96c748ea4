"""Which pools get how many: EC2's allocation strategies.

Instances are given out one at a time, each to the pool that the strategy likes best at that moment. What a pool has
just got makes it shallower for the next, so the capacity-minded strategies spread by themselves, as AWS says they do.
The order in which the candidates are listed decides nothing; ties fall to price, then to the names.

Source for the strategies: the EC2 user guide, "Use allocation strategies to determine how EC2 Fleet … fulfills Spot and
On-Demand capacity". AWS does not publish its thresholds; ours stand below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from spotward.sim.instances import Order, Pool

DEEP_ENOUGH = 0.7
"""price-capacity-optimized takes the cheapest of the pools that are at least this fraction as deep as the deepest."""

AS_DEEP = 0.85
"""capacity-optimized-prioritized takes the first in priority of the pools at least this fraction as deep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One pool that a request allows, as it is now."""

    order: Order
    price_usd_per_hour: float
    depth: float
    """0 to 1."""
    room: int
    """How many more instances the pool takes."""
    vcpus: int
    priority: float = 0.0
    """The lower the sooner."""
    weight: float = 1.0
    """How many units of the target one instance gives."""
    source: int = 0
    """The place of the override in the request."""

    @property
    def rank(self) -> tuple[float, str, str, str]:
        """Cheapest unit first; the names settle ties."""
        subnet = str(self.order.subnet["SubnetId"])
        return (self.price_usd_per_hour / self.weight, self.order.instance_type, self.order.zone, subnet)


@dataclass(slots=True, kw_only=True)
class Taking:
    """What has been given out so far, and the quota that is left."""

    quota_vcpus: float
    pools: Counter[Pool] = field(default_factory=Counter)
    given: Counter[int] = field(default_factory=Counter)
    """The place in the list of candidates -> instances."""
    units: float = 0.0

    def fits(self, candidate: Candidate) -> bool:
        """Is there room and quota for one more?"""
        return self.pools[candidate.order.pool] < candidate.room and candidate.vcpus <= self.quota_vcpus

    def depth(self, candidate: Candidate) -> float:
        """The depth that is left after what we have just taken."""
        return candidate.depth * (1.0 - self.pools[candidate.order.pool] / (candidate.room + 1))

    def take(self, place: int, candidate: Candidate) -> None:
        """Give one instance."""
        self.pools[candidate.order.pool] += 1
        self.given[place] += 1
        self.units += candidate.weight
        self.quota_vcpus -= candidate.vcpus


Fitting = Sequence[tuple[int, Candidate]]
Strategy = Callable[[Fitting, Taking], tuple[int, Candidate]]


def _price_capacity_optimized(fitting: Fitting, taking: Taking) -> tuple[int, Candidate]:
    return min(_deep(fitting, taking, DEEP_ENOUGH), key=lambda pair: pair[1].rank)


def _capacity_optimized(fitting: Fitting, taking: Taking) -> tuple[int, Candidate]:
    return min(fitting, key=lambda pair: (-taking.depth(pair[1]), pair[1].rank))


def _capacity_optimized_prioritized(fitting: Fitting, taking: Taking) -> tuple[int, Candidate]:
    return min(_deep(fitting, taking, AS_DEEP), key=lambda pair: (pair[1].priority, pair[1].rank))


def _lowest_price(fitting: Fitting, taking: Taking) -> tuple[int, Candidate]:  # noqa: ARG001 - one of a table
    return min(fitting, key=lambda pair: pair[1].rank)


def _prioritized(fitting: Fitting, taking: Taking) -> tuple[int, Candidate]:  # noqa: ARG001 - one of a table
    return min(fitting, key=lambda pair: (pair[1].priority, pair[1].rank))


def _diversified(fitting: Fitting, taking: Taking) -> tuple[int, Candidate]:
    return min(fitting, key=lambda pair: (taking.pools[pair[1].order.pool], pair[1].rank))


def _deep(fitting: Fitting, taking: Taking, fraction: float) -> list[tuple[int, Candidate]]:
    deepest = max(taking.depth(candidate) for _, candidate in fitting)
    return [pair for pair in fitting if taking.depth(pair[1]) >= fraction * deepest]


SPOT_STRATEGIES: Mapping[str, Strategy] = {
    "price-capacity-optimized": _price_capacity_optimized,
    "capacity-optimized": _capacity_optimized,
    "capacity-optimized-prioritized": _capacity_optimized_prioritized,
    "lowest-price": _lowest_price,
    "diversified": _diversified,
}

ON_DEMAND_STRATEGIES: Mapping[str, Strategy] = {"lowest-price": _lowest_price, "prioritized": _prioritized}


def allocate(
    candidates: Sequence[Candidate],
    *,
    units: float,
    strategy: Strategy,
    quota_vcpus: float = float("inf"),
    budget_usd_per_hour: float = float("inf"),
) -> Counter[int]:
    """How many instances each candidate gives, by its place; less than `units` in sum where there is no more room."""
    taking = Taking(quota_vcpus=quota_vcpus)
    while taking.units < units:
        fitting = [
            (place, one)
            for place, one in enumerate(candidates)
            if taking.fits(one) and one.price_usd_per_hour <= budget_usd_per_hour
        ]
        if not fitting:
            break
        place, chosen = strategy(fitting, taking)
        taking.take(place, chosen)
        budget_usd_per_hour -= chosen.price_usd_per_hour
    return taking.given


def lowest_price_over(pools: int) -> Strategy:
    """lowest-price with InstancePoolsToUseCount: evenly over so many of the cheapest pools that have room."""

    def choose(fitting: Fitting, taking: Taking) -> tuple[int, Candidate]:
        cheapest: dict[Pool, None] = {}
        for _, one in sorted(fitting, key=lambda pair: pair[1].rank):
            cheapest.setdefault(one.order.pool)
        kept = set(list(cheapest)[:pools])
        return _diversified([pair for pair in fitting if pair[1].order.pool in kept], taking)

    return choose


def alike(candidates: Sequence[Candidate], *, one_type: bool, one_zone: bool) -> Iterable[list[int]]:
    """The places of candidates that may be mixed, when a request wants a single type or a single zone."""
    parts: dict[tuple[str, str], list[int]] = {}
    for place, one in enumerate(candidates):
        key = (one.order.instance_type if one_type else "", one.order.zone if one_zone else "")
        parts.setdefault(key, []).append(place)
    return parts.values()
