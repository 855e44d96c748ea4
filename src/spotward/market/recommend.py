"""Rank the pools that can stand in for a type: fit first, then price and risk together.

A pool is offered when its type fits (`catalogue`), is permitted by the operator's lists and sold in the zone, when it
is not resting, and when it is expected to cost less than on-demand. Order: expected cost; among equals the smaller
type, then the name, so that the same facts always give the same ranking. Pools without a price come last, and only
where the operator trusts that Spot is cheaper.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import isfinite

from spotward.market.catalogue import misfit, permitted, remark
from spotward.market.prices import SpotPrice, currency_of
from spotward.market.risk import ConstantRisk, Risk, expected_usd_per_hour
from spotward.model.action import RecommendPools
from spotward.model.cloud import InstanceType, Pool, PoolOffer
from spotward.model.event import PoolsRecommended
from spotward.model.units import counted

OFFERS_PER_ZONE_MAX = 60
"""No more pools of one zone are named: a fleet uses fewer, and the rest is a reserve for when those run dry."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Market:
    """What is known of a region's types and prices when a question is answered."""

    types: Mapping[str, InstanceType]
    """Type name → type, the original among them. Types that are left out are not considered."""
    offerings: Mapping[str, AbstractSet[str]] | None
    """Zone → names of the types that EC2 has there; None if it was not asked."""
    spot_prices: Mapping[Pool, SpotPrice]
    on_demand_usd_per_hour: float | None
    """What an hour of the original costs on demand."""
    unpriced_because: str = ""
    """Why there is no on-demand price, in words."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A pool that fits, on its way to become an offer."""

    kind: InstanceType
    offer: PoolOffer

    @property
    def rank(self) -> tuple[bool, float, int, int, str, str]:
        """Sorts best first."""
        cost = self.offer.expected_usd_per_hour
        pool = self.offer.pool
        return (cost is None, cost or 0.0, self.kind.vcpu, self.kind.memory_mib, pool.instance_type, pool.az)


def recommend(
    question: RecommendPools, market: Market, *, time: float, attempt: int = 1, risk: Risk | None = None
) -> PoolsRecommended:
    """The answer to a question about pools, best first; one without offers says why.

    time: when the market was looked at, Unix seconds. risk: `ConstantRisk` unless given.
    """
    fitting = list(_fitting(question, market, risk or ConstantRisk()))
    rested = [c for c in fitting if c.offer.pool not in set(question.exclude)]
    offered = sorted((c for c in rested if _saves(question, market, c.offer)), key=lambda c: c.rank)
    return PoolsRecommended(
        time=time,
        key=question.key,
        attempt=attempt,
        region=question.region,
        group_name=question.group,
        instance_type=question.instance_type,
        on_demand_usd_per_hour=market.on_demand_usd_per_hour,
        currency=currency_of(question.region),
        offers=_foremost(c.offer for c in offered),
        compatible=len(fitting),
        reason="" if offered else _why_none(question, market, fitting, rested),
    )


def fits(question: RecommendPools, original: InstanceType, candidate: InstanceType) -> bool:
    """Can the type stand in for the original at all, whatever it costs?"""
    return (
        candidate.spot
        and permitted(
            candidate.name, question.instance_type, allowed=question.allowed_types, denied=question.denied_types
        )
        and misfit(
            original,
            candidate,
            architecture=question.architecture,
            virtualization=question.virtualization,
            burstable_for_fixed=question.burstable_for_fixed,
        )
        is None
    )


def price_limit(question: RecommendPools, on_demand_usd_per_hour: float | None) -> float | None:
    """From what price on a pool is no saving; None where no price is known."""
    return None if on_demand_usd_per_hour is None else on_demand_usd_per_hour * question.price_max_of_on_demand


def within_margin(offers: Sequence[PoolOffer], margin_percentage: float) -> tuple[PoolOffer, ...]:
    """The offers whose expected cost is at most so much above the best of them, best first.

    Where no offer has a price all are equally good, and all are given.
    """
    costs = [o.expected_usd_per_hour for o in offers if o.expected_usd_per_hour is not None]
    if not costs:
        return tuple(offers)
    limit = min(costs) * (1 + margin_percentage / 100)
    near = [o for o in offers if o.expected_usd_per_hour is not None and o.expected_usd_per_hour <= limit]
    return tuple(sorted(near, key=lambda o: o.expected_usd_per_hour or 0.0))


def _fitting(question: RecommendPools, market: Market, risk: Risk) -> Iterator[_Candidate]:
    original = market.types.get(question.instance_type)
    if original is None:
        return
    for kind in market.types.values():
        if not fits(question, original, kind):
            continue
        for az in dict.fromkeys(question.azs):
            pool = Pool(instance_type=kind.name, az=az)
            if _is_offered(market, pool):
                yield _Candidate(kind, _offer(question, market, risk, pool, remark(original, kind)))


def _is_offered(market: Market, pool: Pool) -> bool:
    """EC2 says that it has the type in the zone; where it was not asked, a Spot price says so."""
    if market.offerings is None:
        return pool in market.spot_prices
    return pool.instance_type in market.offerings.get(pool.az, frozenset())


def _offer(question: RecommendPools, market: Market, risk: Risk, pool: Pool, note: str) -> PoolOffer:
    price = market.spot_prices.get(pool)
    if price is None or not isfinite(price.usd_per_hour) or price.usd_per_hour <= 0:
        return PoolOffer(pool=pool, usd_per_hour=None, expected_usd_per_hour=None, note=note)
    return PoolOffer(
        pool=pool,
        usd_per_hour=price.usd_per_hour,
        expected_usd_per_hour=expected_usd_per_hour(price.usd_per_hour, risk, question.region, pool),
        price_time=price.time,
        note=note,
    )


def _saves(question: RecommendPools, market: Market, offer: PoolOffer) -> bool:
    limit = price_limit(question, market.on_demand_usd_per_hour)
    if limit is None or offer.expected_usd_per_hour is None:
        return question.allow_unpriced
    return offer.expected_usd_per_hour < limit


def _foremost(offers: Iterable[PoolOffer]) -> tuple[PoolOffer, ...]:
    """The first of each zone, in the order they come."""
    seen: Counter[str] = Counter()
    kept = []
    for offer in offers:
        seen[offer.pool.az] += 1
        if seen[offer.pool.az] <= OFFERS_PER_ZONE_MAX:
            kept.append(offer)
    return tuple(kept)


def _why_none(
    question: RecommendPools, market: Market, fitting: Sequence[_Candidate], rested: Sequence[_Candidate]
) -> str:
    """Why there is no offer, in words."""
    kind, limit = question.instance_type, price_limit(question, market.on_demand_usd_per_hour)
    if limit is None and not question.allow_unpriced:
        because = f" ({market.unpriced_because})" if market.unpriced_because else ""
        return (
            f"no on-demand price is known for {kind} with {question.product} in {question.region}{because}, so no "
            "saving can be shown; give --on-demand-prices FILE, or allow replacement without a price"
        )
    if kind not in market.types:
        return f"EC2 does not describe {kind} in {question.region}, so nothing can be measured against it"
    if not fitting:
        return f"none of {counted(len(market.types), 'type')} that were looked at can stand in for {kind}"
    if not rested:
        return f"all {counted(len(fitting), 'pool')} that fit are resting: they ran dry or were interrupted lately"
    priced = [c.offer for c in rested if c.offer.expected_usd_per_hour is not None]
    if not priced:
        return f"AWS told no Spot price for any of the {counted(len(rested), 'pool')} that fit {kind}"
    best = within_margin(priced, 0)[0]
    return (
        f"no pool that fits {kind} costs less than {limit:.4g} {currency_of(question.region)} an hour; "
        f"the cheapest is {best.pool} at {best.usd_per_hour:.4g}"
    )
