"""What is cheaper than a member that is said to cost too much: by its own figures, and never by a hair."""

from collections.abc import Sequence

from spotward.model.cloud import Instance, Pool, PoolOffer
from spotward.model.event import PoolsRecommended

PRICES_AGE_SECONDS = 60.0
"""Whoever says that something is too expensive has seen a price of now: it is not compared with older ones."""


def cost_of(answer: PoolsRecommended, pool: Pool) -> float | None:
    """What an hour of a pool is expected to cost; None where the ranking does not name it."""
    return next((offer.expected_usd_per_hour for offer in answer.offers if offer.pool == pool), None)


def cheaper(offers: Sequence[PoolOffer], cost: float | None, *, gain_percentage: float) -> tuple[PoolOffer, ...]:
    """Those that are expected to cost so much less. cost: None where the ranking does not name the member's own pool,
    which then is worse than all that it names.
    """
    limit = float("inf") if cost is None else cost * (1 - gain_percentage / 100)
    return tuple(o for o in offers if o.expected_usd_per_hour is not None and o.expected_usd_per_hour <= limit)


def why_it_stays(instance: Instance, own: Pool, answer: PoolsRecommended, *, gain_percentage: float) -> str | None:
    """The figures; None where there is nothing to compare with."""
    others = [o for o in answer.offers if o.pool != own and o.expected_usd_per_hour is not None]
    if not others:
        return None
    best, mine = others[0], _price(cost_of(answer, own))
    return (
        f"{instance.id} ({own}) is expected to cost {mine} an hour, and the best of the others, {best.pool}, "
        f"{_price(best.expected_usd_per_hour)}: not {gain_percentage:g} % less, so it stays"
    )


def _price(usd_per_hour: float | None) -> str:
    return "an unknown price" if usd_per_hour is None else f"{usd_per_hour:.4f}"
