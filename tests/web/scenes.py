"""A World in which every question has an answer, and the values that it is made of."""

from collections.abc import Mapping
from dataclasses import replace

from rpds import HashTrieMap

from spotward.engine.core import Step
from spotward.engine.memory import Change
from spotward.groups.policy import GroupsPolicy
from spotward.model.action import Action, ObserveGroup
from spotward.model.cloud import Group, Instance, LaunchSource, Lifecycle, Member, Pool, PoolOffer
from spotward.model.event import PoolsRecommended
from spotward.model.flow import facts_of
from spotward.model.flows import Flows
from spotward.model.histogram import Bounds, Distribution, Histogram
from spotward.model.incidents import Incidents
from spotward.model.page import Page
from spotward.model.pool_memory import PoolMemory
from spotward.model.swaps import Swaps
from spotward.model.undertaking import Swap, SwapCause
from spotward.model.wish import WishState
from spotward.model.wishes import Wishes
from spotward.model.world import Pause, World
from spotward.web.tallies.deeds import DEED_SECONDS, Deeds
from spotward.web.tallies.doors import WAIT_SECONDS, DoorCounts
from spotward.web.tallies.drains import DRAIN_SECONDS, Drains
from spotward.web.tallies.flows import FLOW_SECONDS, STEP_SECONDS, FlowCounts
from spotward.web.tallies.notices import Notices
from spotward.web.tallies.swaps import SWAP_SECONDS
from spotward.web.tallies.swaps import Swaps as EndedSwaps
from spotward.web.view import Elsewhere, Look, Shell, View
from tests.hand_clock import HandClock
from tests.nodes.stage import Stage as Nodes
from tests.nodes.toy_cluster import a_budget, a_cluster, a_pod
from tests.rules.made import alert, one_rule
from tests.rules.stage import Plugins, Stage

NOON = 1_764_000_000.0
REGION = "eu-west-1"
ZONE = "eu-west-1a"
OPTED_IN = {"spotward:enabled": "true"}


def instance(
    number: int, lifecycle: Lifecycle, *, instance_type: str = "m5.large", stands_for: str | None = None
) -> Instance:
    return Instance(
        id=f"i-{number:017x}",
        region=REGION,
        az=ZONE,
        instance_type=instance_type,
        lifecycle=lifecycle,
        state="running",
        launch_time=NOON - 3600 + number,
        stands_for=stands_for,
    )


def member(of: Instance, *, state: str = "InService") -> Member:
    return Member(instance_id=of.id, instance_type=of.instance_type, az=of.az, lifecycle_state=state)


def group(name: str, *members: Member, tags: Mapping[str, str] = OPTED_IN, desired: int | None = None) -> Group:
    return Group(
        region=REGION,
        name=name,
        min_size=0,
        max_size=100,
        desired=len(members) if desired is None else desired,
        azs=(ZONE,),
        members=members,
        launch=LaunchSource(template_id="lt-1", template_version="1"),
        tags=tags,
    )


def ranking(of: str, instance_type: str, on_demand: float | None, spot: Mapping[str, float | None]) -> PoolsRecommended:
    offers = tuple(
        PoolOffer(pool=Pool(instance_type=name, az=ZONE), usd_per_hour=price, expected_usd_per_hour=price)
        for name, price in spot.items()
    )
    return PoolsRecommended(
        time=NOON - 120,
        key=f"recommend {instance_type} for {REGION}/{of}",
        region=REGION,
        group_name=of,
        instance_type=instance_type,
        on_demand_usd_per_hour=on_demand,
        offers=offers,
    )


def swap(of: str, *, cause: SwapCause = SwapCause.SAVING, owed: int = 0) -> Swap:
    return Swap(
        key=f"swap {REGION}/{of} {cause}",
        region=REGION,
        group=of,
        cause=cause,
        born=NOON,
        olds=(),
        launch_source=LaunchSource(template_id="lt-1", template_version="1"),
        instance_type="m5.large",
        offers=(),
        launches=(),
        owed=owed,
        desired_seen=0,
        look_time=NOON,
    )


def world(*groups: Group, instances: tuple[Instance, ...] = ()) -> World:
    return World(
        time=NOON,
        groups=HashTrieMap({each.id: each for each in groups}),
        instances=HashTrieMap({each.id: each for each in instances}),
        group_of=HashTrieMap({m.instance_id: each.id for each in groups for m in each.members}),
    )


def asked(action: Action) -> WishState:
    return WishState(attempt=1, state="asked", time=NOON, action=action)


def full_world() -> World:
    """`web`: two on demand, one on Spot in another type's place, one unknown, one leaving; and a group out of scope."""
    on_demand = [instance(number, Lifecycle.ON_DEMAND) for number in (1, 2)]
    spot = instance(3, Lifecycle.SPOT, instance_type="m5a.large", stands_for="m5.large")
    unknown, leaving = instance(4, Lifecycle.SPOT), instance(5, Lifecycle.SPOT)
    members = [member(each) for each in (*on_demand, spot)]
    web = group(
        "web",
        *members,
        member(unknown, state="Pending"),
        member(leaving, state="Terminating"),
        tags={**OPTED_IN, "spotward:on-demand-base": "1"},
        desired=5,
    )
    stranger = instance(6, Lifecycle.ON_DEMAND)
    question = ObserveGroup(region=REGION, group="web", details=True)
    failed = replace(asked(question), state="failed", reason="AccessDenied")
    rested = PoolMemory(failures=1, until=NOON + 300, last_time=NOON, reason="ran dry")
    over = PoolMemory(failures=1, until=NOON - 1, last_time=NOON - 301, reason="ran dry")
    answer = ranking("web", "m5.large", 0.107, {"m5a.large": 0.04, "m6i.large": None})
    return replace(
        world(web, group("theirs", member(stranger), tags={}), instances=(*on_demand, spot, leaving, stranger)),
        recommended=HashTrieMap({answer.key: answer}),
        swaps=Swaps().with_swap(swap("web", owed=1)),
        pools=HashTrieMap(
            {
                (REGION, Pool(instance_type="m5.large", az=ZONE)): rested,
                (REGION, Pool(instance_type="m5d.large", az=ZONE)): over,
            }
        ),
        pauses=HashTrieMap({web.id: Pause(until=NOON + 90, failures=1, reason="no capacity")}),
        verdicts=HashTrieMap({web.id: "left alone"}),
        wishes=Wishes().with_wish(question.key, failed),
        observed=HashTrieMap({REGION: NOON - 30}),
        flows=_flows(),
        incidents=_incidents(),
    )


def _flows() -> Flows:
    """One that calls its first plugin, and one that waits for room at it."""
    stage = Stage(one_rule("[{plugin: drain}]"), Plugins(seconds={"drain": 60.0}))
    stage.hear(alert(instance_id="i-1")).play(1.0)
    calling = next(iter(stage.world.flows.by_key.values()))
    waiting = replace(calling, key="r.other", group="other", facts=facts_of(["drain"]), waits_for="drain")
    return stage.world.flows.with_flow(waiting)


def _incidents() -> Incidents:
    """One, of a node that is being emptied."""
    cluster = a_cluster(a_pod("web-1"), budgets=(a_budget("web", max_unavailable="0"),))
    incident = Nodes(cluster).notice("i-1", 10.0).play(until=30.0).incident()
    signals = tuple(replace(signal, deadline=NOON + 45) for signal in incident.signals)
    return Incidents().with_incident(replace(incident, signals=signals))


def look(known: World | None = None, **changes: object) -> Look:
    told = Look(
        time=NOON,
        regions=(REGION, "us-east-1"),
        observe_seconds=60.0,
        policy=GroupsPolicy(),
        world=World() if known is None else known,
        aws_calls={"ec2.DescribeInstances": 3},
    )
    return replace(told, **changes)  # type: ignore[arg-type]  # each test gives what the field takes


def counted(bounds: Bounds, *values: float) -> Distribution:
    """What a histogram of these values is."""
    histogram = Histogram(bounds)
    for value in values:
        histogram.count(value)
    return histogram.now


def full_look() -> Look:
    """One in which every question has an answer."""
    flow = next(iter(full_world().flows.by_key.values()))
    return look(
        full_world(),
        shell=Shell(heard={("prometheus", "occurred"): 7}, source_heard={"doors": NOON - 12}),
        deeds=Deeds(answered={("launch-fleet", "done"): 2}, seconds={("launch-fleet",): counted(DEED_SECONDS, 1.5, 4)}),
        drains=Drains(seconds={("interruption",): counted(DRAIN_SECONDS, 40.0)}),
        swaps=EndedSwaps(ended={("saving", "whole"): 3}, seconds={("saving",): counted(SWAP_SECONDS, 200.0)}),
        flows=FlowCounts(
            begun={(flow.rule,): 4},
            ended={(flow.rule, "done"): 3},
            seconds={(flow.rule,): counted(FLOW_SECONDS, 4.0)},
            calls={("drain", "done"): 3},
            retries={("drain",): 1},
            call_seconds={("drain",): counted(STEP_SECONDS, 0.2)},
        ),
        notices=Notices(heard={(REGION, "m5.large", "interruption"): 2}),
        saved={(REGION, "web", "USD"): 1.25},
        doors=DoorCounts(
            answers={("prometheus", "200"): 5}, wait_seconds={("prometheus",): counted(WAIT_SECONDS, 0.004)}
        ),
        plugins={"drain": True, "notify": False},
        aws_retries={"ec2.CreateFleet": 1},
    )


def view(
    clock: HandClock | None = None, *, regions: tuple[str, ...] = (REGION,), observe_seconds: float = 60.0
) -> View:
    return View(
        clock=clock or HandClock(NOON),
        regions=regions,
        observe_seconds=observe_seconds,
        policy=GroupsPolicy(),
        elsewhere=Elsewhere(aws_calls=lambda: {"ec2.DescribeInstances": 3}),
    )


def step(known: World, page: Page | None = None) -> Step:
    return Step(world=known, page=page, change=Change(time=known.time))
