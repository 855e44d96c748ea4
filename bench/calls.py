"""How many AWS calls it takes to move a group of twenty onto Spot, all told, as AWS would count them.

Each case has an embedded cloud of its own, in the same region with the same seed. The run is `spotward run --once`,
because it hears no events: a daemon that hears them looks less often.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil

from bench.cloud import Run, embedded_cloud, lifecycles
from bench.measure import BenchError, Measure
from spotward.cli.running import ONCE_OBSERVE_SECONDS
from spotward.emulator.stage import GroupPlan, StageHand

SIZE = 20
GROUP = "web"
REGION = "us-east-1"
ACCESS_KEY = "AKIABENCHCALLS000000"
GROUPS_PER_PAGE = 100
"""Of DescribeAutoScalingGroups, by AWS."""

SPEED = 8.0
"""Fast enough for a bench, slow enough that the programs' own time is no more than AWS's answers would take."""

CALLS_PER_REPLACEMENT_MAX = 3.0

LOOKS_MORE_MAX = 2
"""When exactly an instance runs is chance: two runs of the same case may differ by a look or two."""


PLAIN = GroupPlan(name=GROUP, size=SIZE)
"""Of a launch template; its max size is twice its size."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One group, and who else is in its region."""

    words: str
    group: GroupPlan = PLAIN
    others: int = 0
    """Other groups in the region."""

    @property
    def other_plans(self) -> list[GroupPlan]:
        """Half of them opted in, and wanted on demand."""
        wanted = (("spotward:on-demand-percentage", "100"),)
        return [
            GroupPlan(name=f"other-{at:03d}", size=1, opted_in=at % 2 == 0, tags=wanted if at % 2 == 0 else ())
            for at in range(self.others)
        ]


ALONE = Case(words="room in max size")
FULL = Case(words="no room", group=GroupPlan(name=GROUP, size=SIZE, size_max=SIZE))
CONFIGURED = Case(words="launch configuration", group=GroupPlan(name=GROUP, size=SIZE, with_configuration=True))
BALANCED = Case(words="target group", group=GroupPlan(name=GROUP, size=SIZE, balanced=True))
AMONG_100 = Case(words="100 other groups", others=100)
AMONG_300 = Case(words="300 other groups", others=300)
CASES = (ALONE, FULL, AMONG_100, AMONG_300, CONFIGURED, BALANCED)

AT_ONCE = 3
"""Cases wait most of the time, for their instances."""


def measures() -> Iterator[Measure]:
    """Calls per replacement, for each shape of group; what other groups add; and where the calls go."""
    with ThreadPoolExecutor(AT_ONCE) as workers:
        runs = dict(zip(CASES, workers.map(_run, CASES), strict=True))
    for case in (ALONE, FULL, CONFIGURED, BALANCED):
        yield Measure(
            name=f"calls per replacement, {case.words}",
            figure=runs[case].calls.total() / SIZE,
            at_most=CALLS_PER_REPLACEMENT_MAX,
        )
    for case in (AMONG_100, AMONG_300):
        yield from _added(case, runs[case], runs[ALONE])
    for operation, times in _by_number(runs[FULL].calls):
        yield Measure(name=f"  {FULL.words}: {operation}", figure=times)


def _run(case: Case) -> Run:
    with embedded_cloud(speed=SPEED) as cloud:
        hand = cloud.hand(REGION)
        network = hand.build_network()
        target_group = hand.build_target_group(network, GROUP) if case.group.balanced else None
        hand.build_group(network, case.group, target_group=target_group)
        hand.build_groups(network, case.other_plans)
        hand.wait_in_service([case.group, *case.other_plans], seconds_max=120)
        run = cloud.run_once(region=REGION, access_key=ACCESS_KEY)
        _must_be_moved(hand, case)
    return run


def _must_be_moved(hand: StageHand, case: Case) -> None:
    found = lifecycles(hand, GROUP)
    group = hand.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]
    if found != Counter(spot=SIZE) or group["MaxSize"] != (case.group.size_max or 2 * SIZE):
        raise BenchError(f"{case.words}: the group has {dict(found)} and max size {group['MaxSize']} afterwards")


def _added(case: Case, run: Run, alone: Run) -> Iterator[Measure]:
    """What the region's other groups add, and which part of it pages of the groups' description explain."""
    looks = 1 + int(run.virtual_seconds // ONCE_OBSERVE_SECONDS)
    pages = looks * (ceil((case.others + 1) / GROUPS_PER_PAGE) - 1)
    name = f"calls added by {case.words}"
    added = run.calls.total() - alone.calls.total()
    yield Measure(name=f"{name}, all told", figure=added)
    yield Measure(name=f"{name}, beyond {pages} pages of groups", figure=added - pages, at_most=LOOKS_MORE_MAX)
    deeds = _deeds(run.calls).total() - _deeds(alone.calls).total()
    yield Measure(name=f"{name}, other than Describe", figure=deeds, at_most=0)


def _deeds(calls: Counter[str]) -> Counter[str]:
    return Counter({name: times for name, times in calls.items() if ".Describe" not in name})


def _by_number(calls: Counter[str]) -> list[tuple[str, int]]:
    return sorted(calls.items(), key=lambda entry: (-entry[1], entry[0]))
