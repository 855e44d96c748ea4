"""What is counted, and what a look holds."""

from dataclasses import replace

import pytest

from spotward.cli.rehearsal import dry_run_guard
from spotward.engine.core import Core, name_of
from spotward.engine.deciders import guards
from spotward.engine.rule_deciders import rule_guards
from spotward.groups.guard import capacity_guard
from spotward.groups.policy import GroupsPolicy
from spotward.model.action import (
    Action,
    LaunchFleet,
    ObserveRegion,
    RetireMember,
)
from spotward.model.cloud import LaunchSource, Lifecycle
from spotward.model.decision import Decision, Wish
from spotward.model.event import Done, Event, Failed, FleetAnswered, LaunchedInstance, RegionObserved, Tick
from spotward.model.node_action import CordonNode, EvictPods
from spotward.model.node_event import NodeMarked, PodsAnswered
from spotward.model.page import Page, Refusal
from spotward.model.world import World
from spotward.rules.rulebook import Rules
from spotward.web.refusals import GUARDS, REFUSALS
from spotward.web.tallies.deeds import DEED_OUTCOMES
from spotward.web.view import DEED_KINDS, EVENT_KINDS
from tests.hand_clock import HandClock
from tests.web.scenes import NOON, REGION, asked, full_world, group, step, view, world

TICK = Tick(time=NOON)
RETIRE = RetireMember(region=REGION, group="web", key="retire i-1", instance_id="i-1")
LAUNCH = LaunchFleet(
    region=REGION,
    group="web",
    key="launch 1",
    attempt=1,
    count=1,
    lifecycle=Lifecycle.SPOT,
    launch=LaunchSource(template_id="lt-1", template_version="1"),
    pools=(),
)
CORDON = CordonNode(instance_id="i-1", key="cordon n-1", node="n-1", uid="u-1")
EVICT = EvictPods(instance_id="i-1", key="evict from n-1", node="n-1", pods=())
LAUNCHED = LaunchedInstance(id="i-9", instance_type="m5.large", az="eu-west-1a", lifecycle=Lifecycle.SPOT)


def failed(action: Action, *, outcome_unknown: bool = False) -> Failed:
    return Failed(
        time=NOON,
        key=action.key,
        subject=action.subject,
        code="Oops",
        reason="because",
        transient=True,
        outcome_unknown=outcome_unknown,
    )


def fleet(*instances: LaunchedInstance) -> FleetAnswered:
    return FleetAnswered(time=NOON, key=LAUNCH.key, attempt=1, region=REGION, group_name="web", instances=instances)


def in_flight(*actions: Action) -> World:
    world = World(time=NOON)
    for action in actions:
        world = world.with_wish(action.key, asked(action))
    return world


def page(*refusals: Refusal) -> Page:
    return Page(number=1, time=NOON, event_kind="tick", event_text="", subjects=(), refusals=refusals)


def test_events_are_counted_by_kind_and_pages_by_number() -> None:
    seen = view()
    seen(TICK, step(World()))
    seen(TICK, step(World(), page()))
    assert seen.look().events == {"tick": 2}
    assert seen.look().pages == 1


@pytest.mark.parametrize(
    ("action", "answer", "counted"),
    [
        (RETIRE, Done(time=NOON, key=RETIRE.key, subject=RETIRE.subject), {("retire-member", "done"): 1}),
        (RETIRE, failed(RETIRE), {("retire-member", "failed"): 1}),
        (RETIRE, failed(RETIRE, outcome_unknown=True), {("retire-member", "unknown"): 1}),
        (LAUNCH, fleet(LAUNCHED), {("launch-fleet", "done"): 1}),
        (LAUNCH, fleet(), {("launch-fleet", "nothing"): 1}),
        (CORDON, NodeMarked(time=NOON, key=CORDON.key, instance_id="i-1", node="n-1"), {("cordon-node", "done"): 1}),
        (EVICT, PodsAnswered(time=NOON, key=EVICT.key, instance_id="i-1", node="n-1"), {("evict-pods", "done"): 1}),
        (ObserveRegion(region=REGION), failed(ObserveRegion(region=REGION)), {}),
        (ObserveRegion(region=REGION), RegionObserved(time=NOON, key="observe", as_of=NOON, region=REGION), {}),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_a_deed_is_counted_by_what_came_of_it_and_a_question_is_none(
    action: Action, answer: Event, counted: dict[tuple[str, str], int]
) -> None:
    seen = view()
    before = in_flight(action)
    seen(TICK, step(before))
    seen(answer, step(before.after(answer)))
    assert seen.look().deeds.answered == counted
    assert set(counted) <= {(kind, outcome) for kind in DEED_KINDS for outcome in DEED_OUTCOMES}


def test_an_answer_that_nobody_waits_for_is_no_deed_of_ours() -> None:
    seen = view()
    seen(fleet(LAUNCHED), step(World()))
    assert seen.look().deeds.answered == {}


WEB = f"{REGION}/web"


@pytest.mark.parametrize(
    ("refusal", "counted"),
    [
        (Refusal(key="retire i-1", subject=WEB, reason="too few"), ("deed", "capacity")),
        (Refusal(key="launch 1", subject=WEB, reason="AccessDenied: no"), ("deed", "outside")),
        (Refusal(key=WEB, subject=WEB, reason="no launch data"), ("group", "left_alone")),
        (Refusal(key=f"nodes in {WEB}", subject=f"nodes in {WEB}", reason="3"), ("group", "nodes_left_alone")),
        (Refusal(key="i-1", subject="i-1", reason="a node"), ("member", "kept")),
        (Refusal(key="drain of n-1", subject="drain of n-1", reason="a budget"), ("node", "drain_held")),
        (Refusal(key="event x.y", subject="event x.y", reason="nobody takes it"), ("rule", "no_rule")),
        (Refusal(key="hot n-1", subject="hot n-1", reason="cooling down"), ("rule", "passed_over")),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else None,
)
def test_a_refusal_is_counted_by_who_refused_or_what_is_left_alone_not_by_its_words(
    refusal: Refusal, counted: tuple[str, str]
) -> None:
    seen = view()
    told = replace(step(world(group("web")), page(refusal)), refused_by={"retire i-1": "capacity"})
    seen(TICK, told)
    assert seen.look().refusals == {counted: 1}
    assert counted in REFUSALS


def test_the_reasons_of_refusals_are_the_guards_there_are() -> None:
    policy = GroupsPolicy()
    every = (*guards(policy), *rule_guards(Rules()), dry_run_guard)
    assert {name_of(guard) for guard in every} == set(GUARDS)


def test_the_core_says_which_guard_refused() -> None:
    core = Core([lambda *_: Decision(wishes=(Wish(action=RETIRE, reason="just so"),))], [capacity_guard])
    known = world(group("web", desired=0))
    step_ = core.step(known, TICK, page_number=1)
    assert step_.refused_by == {RETIRE.key: "capacity"}


def test_a_look_stays_as_it_was_while_the_view_goes_on() -> None:
    clock = HandClock(NOON)
    seen = view(clock)
    seen(TICK, step(World()))
    before = seen.look()
    clock.time += 10
    seen(TICK, step(full_world(), page()))
    assert (before.events, before.pages, len(before.world.groups)) == ({"tick": 1}, 0, 0)
    assert (before.last_turn_time, seen.look().last_turn_time) == (NOON, NOON + 10)


def test_every_kind_of_event_and_deed_is_known_by_name() -> None:
    assert {"tick", "region.observed", "instance.interruption", "failed"} <= set(EVENT_KINDS)
    assert {"launch-fleet", "retire-member", "untag-group"} <= set(DEED_KINDS)
    assert {"cordon-node", "evict-pods"} <= set(DEED_KINDS)
    assert not {"observe-region", "watch-pods"} & set(DEED_KINDS)
