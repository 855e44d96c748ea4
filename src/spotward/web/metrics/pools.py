"""How risky capacity is: pools that rest, and how often EC2 interrupts or warns."""

from collections import Counter

from spotward.web.metrics.question import Answer, Question, Reading, each, one


def _resting(reading: Reading) -> Answer:
    resting = Counter(
        region for (region, _), memory in reading.look.world.pools.items() if memory.until > reading.look.time
    )
    return [((region,), resting[region]) for region in reading.regions]


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
        answer=each(lambda look: look.notices.heard),
    ),
    Question(
        name="spotward_notice_age_seconds",
        help="How long ago what was told of an instance had happened when it was stored.",
        answer=one(lambda look: look.notices.age_seconds),
        distributed=True,
    ),
)
