"""What thinking and remembering cost, with five hundred groups of twenty in the World, half of their members Spot.

No network is in it: events are made here, go through the core with all its deciders and guards, and into a journal on
this machine's disk.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measure import BenchError, Measure
from spotward.aws.describe import instance_type_of
from spotward.emulator import world as emulated
from spotward.engine.core import Core
from spotward.engine.deciders import deciders, guards
from spotward.engine.ports import WHOLE_JOURNAL, Entry
from spotward.engine.store import SqliteStore, this_process
from spotward.groups.policy import GroupsPolicy
from spotward.market.prices import SpotPrice
from spotward.market.recommend import Market, recommend
from spotward.model.action import RecommendPools
from spotward.model.cloud import Group, Instance, InstanceType, LaunchSource, Lifecycle, Member, Pool
from spotward.model.event import Event, InstanceLaunched, InterruptionNoticed, RegionObserved, Tick
from spotward.model.world import World

GROUPS, SIZE = 500, 20
REGION = "us-east-1"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
TIME = 1_800_000_000.0
EVENTS = 2_000
COMMITS = 300
ENTRIES_PER_COMMIT = 100
"""As many events as the shell thinks about before it writes (`LivePolicy.batch_max`)."""
TRIES = 5
SPOT_SHARE = 0.4
"""Spot price over on-demand, for the question what could stand in: about what it was in 2024."""


@dataclass(frozen=True, slots=True)
class _Played:
    """Events that were thought about one after the other."""

    world: World
    entries: list[Entry]
    seconds: float


def measures() -> Iterator[Measure]:
    """Steps, commits, and a recommendation."""
    core = Core(deciders(GroupsPolicy()), guards(GroupsPolicy()))
    groups = [_group(at) for at in range(GROUPS)]
    first = _played(core, World(), [_seen(groups)])
    if len(first.world.instances) != GROUPS * SIZE:
        raise BenchError(f"the World holds {len(first.world.instances):,} instances")
    yield Measure(name=f"step: first observation of {GROUPS * SIZE:,}", figure=first.seconds, unit="s")
    steady = _played(core, first.world, [_seen(())])
    yield Measure(name="step: observation without news", figure=steady.seconds * 1000, unit="ms")
    ticking = _played(core, first.world, [Tick(time=TIME + 60, regions=(REGION,))])
    yield Measure(name="step: tick", figure=ticking.seconds * 1000, unit="ms")
    known = _played(core, first.world, [_launched(groups, number) for number in range(EVENTS)])
    yield Measure(name="steps: news that is known", figure=EVENTS / known.seconds, unit="/s")
    storm = _played(core, first.world, [_noticed(groups, number) for number in range(EVENTS)])
    yield Measure(name="steps: a storm of interruption notices", figure=EVENTS / storm.seconds, unit="/s")
    yield from asyncio.run(_commits(storm.entries))
    yield _recommendation()


# ---- thinking --------------------------------------------------------------------------------------------------------


def _played(core: Core, world: World, events: Iterable[Event]) -> _Played:
    entries, number, began = [], 1, time.perf_counter()
    for event in events:
        step = core.step(world, event, page_number=number)
        world, number = step.world, number + (step.page is not None)
        entries.append(Entry(event=event, step=step))
    return _Played(world, entries, time.perf_counter() - began)


def _group(at: int) -> Group:
    """Ten members on demand, ten on Spot, and wanted so."""
    name = f"group-{at:03d}"
    members = tuple(
        Member(
            instance_id=f"i-{at * SIZE + number:017x}",
            instance_type="m5.large",
            az=ZONES[number % len(ZONES)],
            lifecycle_state="InService",
        )
        for number in range(SIZE)
    )
    return Group(
        region=REGION,
        name=name,
        min_size=0,
        max_size=2 * SIZE,
        desired=SIZE,
        azs=ZONES,
        members=members,
        launch=LaunchSource(template_id="lt-1", template_version="1"),
        tags={"spotward:enabled": "true", "spotward:on-demand-percentage": "50"},
    )


def _seen(groups: Sequence[Group]) -> RegionObserved:
    instances = tuple(
        Instance(
            id=member.instance_id,
            region=REGION,
            az=member.az,
            instance_type=member.instance_type,
            lifecycle=Lifecycle.SPOT if number % 2 else Lifecycle.ON_DEMAND,
            state="running",
            launch_time=TIME - 3600,
            group=group.name,
        )
        for group in groups
        for number, member in enumerate(group.members)
    )
    return RegionObserved(
        time=TIME, key=f"observe {REGION}", as_of=TIME, region=REGION, groups=tuple(groups), instances=instances
    )


def _spot_member(groups: Sequence[Group], number: int) -> Member:
    return groups[number % GROUPS].members[1 + 2 * (number // GROUPS)]


def _launched(groups: Sequence[Group], number: int) -> InstanceLaunched:
    member = _spot_member(groups, number)
    return InstanceLaunched(time=TIME + number / 100, region=REGION, instance_id=member.instance_id)


def _noticed(groups: Sequence[Group], number: int) -> InterruptionNoticed:
    now, member = TIME + number / 100, _spot_member(groups, number)
    return InterruptionNoticed(time=now, region=REGION, instance_id=member.instance_id, deadline=now + 120)


# ---- remembering -----------------------------------------------------------------------------------------------------


async def _commits(entries: Sequence[Entry]) -> list[Measure]:
    """One event a commit, as on a calm day; and a whole burst in each."""
    single = [entries[at : at + 1] for at in range(COMMITS)]
    rest = entries[COMMITS:]
    bursts = [rest[start : start + ENTRIES_PER_COMMIT] for start in range(0, len(rest), ENTRIES_PER_COMMIT)]
    with tempfile.TemporaryDirectory(prefix="spotward-bench-") as directory:
        store = SqliteStore.to_write(Path(directory))
        lease = await store.lease(WHOLE_JOURNAL, this_process(), 600.0)
        seconds = []
        for batches in (single, bursts):
            began = time.perf_counter()
            for batch in batches:
                await store.commit(lease, batch)
            seconds.append(time.perf_counter() - began)
        await store.close()
    return [
        Measure(name="commits of one event", figure=COMMITS / seconds[0], unit="/s"),
        Measure(name=f"events in commits of {ENTRIES_PER_COMMIT}", figure=len(rest) / seconds[1], unit="/s"),
    ]


# ---- recommending ----------------------------------------------------------------------------------------------------


def _recommendation() -> Measure:
    """What could stand in for an m5.large in three zones, among all types of the region."""
    catalogue = emulated.catalogue(REGION)
    types: dict[str, InstanceType] = {name: instance_type_of(entry) for name, entry in catalogue.types.items()}
    offerings = {zone: frozenset(name for name in types if catalogue.offered(name, zone)) for zone in ZONES}
    prices = {
        Pool(instance_type=name, az=zone): SpotPrice(
            usd_per_hour=SPOT_SHARE * catalogue.on_demand_usd_per_hour(name, "Linux/UNIX"), time=TIME
        )
        for zone, sold in offerings.items()
        for name in sold
    }
    market = Market(types=types, offerings=offerings, spot_prices=prices, on_demand_usd_per_hour=0.096)
    question = RecommendPools(
        region=REGION,
        group="web",
        instance_type="m5.large",
        product="Linux/UNIX",
        architecture="x86_64",
        virtualization="hvm",
        azs=ZONES,
    )
    times = []
    for _ in range(TRIES):
        began = time.perf_counter()
        answer = recommend(question, market, time=TIME)
        times.append(time.perf_counter() - began)
        if not answer.offers:
            raise BenchError(f"nothing was recommended: {answer.reason}")
    return Measure(name=f"a recommendation among {len(prices):,} pools", figure=1000 * min(times), unit="ms")
