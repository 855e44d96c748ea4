"""What an hour in a pool is expected to cost beyond its price.

An interruption costs the overlap: the replacement is paid for while it boots and warms up, and the old one until it has
been emptied. So an hour is expected to cost

    price × (1 + interruptions per hour × hours lost at each)

The rate differs by orders of magnitude between pools, and nothing here knows it: `ConstantRisk` takes one rate for all,
which leaves the order by price as it is and only says honestly what the saving is. A better estimate takes its place
behind `Risk`.
"""

from dataclasses import dataclass
from typing import Protocol

from spotward.model.cloud import Pool
from spotward.model.units import HOURS_PER_MONTH


class Risk(Protocol):
    """Whoever knows how often a pool is interrupted."""

    def interruptions_per_hour(self, region: str, pool: Pool) -> float:
        """How many times an instance there is expected to be taken in one hour; 0 or more."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ConstantRisk:
    """The same for all pools."""

    interruptions_per_month: float = 0.1
    """AWS's Spot Advisor puts every pool into a band of interruptions per month, from under 5 % to over 20 %; half of
    all Linux pools are in the bands below 10 % (its file of June 2025). Set 0 to count the price alone."""

    def interruptions_per_hour(self, region: str, pool: Pool) -> float:  # noqa: ARG002 - the same for all, so neither matters
        """See `Risk`."""
        return self.interruptions_per_month / HOURS_PER_MONTH


RESTART_OVERHEAD_HOURS = 0.1
"""What each interruption costs, in hours of the pool's price: about two minutes until the replacement runs, two of
warming up and two in which both serve."""


def expected_usd_per_hour(price_usd_per_hour: float, risk: Risk, region: str, pool: Pool) -> float:
    """Price and risk together, in the price's own currency."""
    return price_usd_per_hour * (1 + risk.interruptions_per_hour(region, pool) * RESTART_OVERHEAD_HOURS)
