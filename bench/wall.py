"""How long it takes to move a group of a hundred, against a group of one: `spotward run --once`, surge 100 %.

The two groups of a pair stand in two regions of one embedded cloud, and are alike but for their size. Its speed is such
that most of the time is the instances' own: launch, boot and joining the group.
"""

from collections import Counter
from collections.abc import Iterator
from statistics import median

from bench.cloud import EmbeddedCloud, Run, embedded_cloud, lifecycles
from bench.measure import BenchError, Measure
from spotward.emulator.stage import GroupPlan

FEW, MANY = 1, 100
REGIONS = {FEW: "us-east-1", MANY: "us-west-2"}
PAIRS = 3
SPEED = 8.0
GROUP = "web"

RATIO_MAX = 3.0


def measures() -> Iterator[Measure]:
    """The median of the pairs, and what it is the ratio of."""
    pairs = [_pair(seed) for seed in range(1, PAIRS + 1)]
    for size in (FEW, MANY):
        wall = median(pair[size].wall_seconds for pair in pairs)
        yield Measure(name=f"{size} replaced, wall", figure=wall, unit="s")
        yield Measure(name=f"{size} replaced, virtual", figure=wall * SPEED, unit="s")
    ratios = [pair[MANY].wall_seconds / pair[FEW].wall_seconds for pair in pairs]
    yield Measure(name=f"wall time of {MANY} / of {FEW}, median of {PAIRS}", figure=median(ratios), at_most=RATIO_MAX)
    calls = median(pair[MANY].calls.total() for pair in pairs)
    yield Measure(name=f"calls per replacement, {MANY} replaced", figure=calls / MANY)


def _pair(seed: int) -> dict[int, Run]:
    with embedded_cloud(speed=SPEED, seed=seed) as cloud:
        return {size: _run(cloud, size) for size in (FEW, MANY)}


def _run(cloud: EmbeddedCloud, size: int) -> Run:
    region = REGIONS[size]
    hand = cloud.hand(region)
    plan = GroupPlan(name=GROUP, size=size, tags=(("spotward:surge-percentage", "100"),))
    hand.build_groups(hand.build_network(), [plan])
    hand.wait_in_service([plan], seconds_max=120)
    run = cloud.run_once(region=region, access_key=f"AKIABENCHWALL{size:07d}")
    found = lifecycles(hand, GROUP)
    if found != Counter(spot=size):
        raise BenchError(f"the group of {size} has {dict(found)} afterwards")
    return run
