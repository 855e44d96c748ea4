"""How risky capacity is: pools that rest, and how often EC2 interrupts or warns."""

from collections import Counter

from spotward.model.cloud import Lifecycle
from spotward.web.metrics.question import Answer, Labels, Question, Reading, one
from spotward.web.tallies.notices import NOTICES


def _resting(reading: Reading) -> Answer:
    resting = Counter(
        region for (region, _), memory in reading.look.world.pools.items() if memory.until > reading.look.time
    )
    return [((region,), resting[region]) for region in reading.regions]


def _notices(reading: Reading) -> Answer:
    """Types that the fleet has on Spot now are told before any notice, so that the first one is an increase."""
    spot = (each for each in reading.look.world.instances.values() if each.lifecycle is Lifecycle.SPOT)
    types = {(each.region, each.instance_type) for each in spot}
    told: dict[Labels, float] = {(*each, notice): 0.0 for each in types for notice in NOTICES}
    return sorted((told | dict(reading.look.notices.heard)).items())


POOLS = (
    Question(
        name="spotward_pools_resting",
        labels=("region",),
        help="Pools that are left alone because they ran dry or were interrupted lately.",
        answer=_resting,
    ),
    Question(
        name="spotward_notices_total",
        labels=("region", "instance_type", "notice"),
        help="Instances that are known and of which EC2 said: interruption, or rebalance; each counts once.",
        answer=_notices,
    ),
    Question(
        name="spotward_notice_age_seconds",
        help="How long ago what was told of an instance had happened when it was stored.",
        answer=one(lambda look: look.notices.age_seconds),
        distributed=True,
    ),
)
