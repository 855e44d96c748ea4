"""What is counted of swaps, flows, notices, savings and doors: played out by the real deciders, counted as a shell's
listener counts it. And that nobody's names make labels without end.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rpds import HashTrieMap

from spotward.groups.policy import GroupsPolicy
from spotward.model.cloud import Lifecycle
from spotward.model.event import InterruptionNoticed, RebalanceAdvised
from spotward.model.histogram import Distribution, Histogram
from spotward.model.world import Doom, World
from spotward.web.tallies.bounded import OTHER, Counts, Histograms
from spotward.web.tallies.doors import DoorTally, door_of
from spotward.web.tallies.drains import LEFT_SECONDS
from spotward.web.tallies.flows import FlowCounts, FlowTally
from spotward.web.tallies.notices import NoticeTally
from spotward.web.tallies.savings import SavingTally
from spotward.web.tallies.swaps import Swaps, SwapTally
from tests.groups.stage import Stage as Groups
from tests.groups.test_endings import LONG, ON_DEMAND, SPOT, a_cloud
from tests.rules.made import alert, one_rule
from tests.rules.stage import Behaviour, Plugins, fails, refuses, unreachable
from tests.rules.stage import Stage as Rules
from tests.web.scenes import NOON, REGION, group, instance, member, ranking, world

BOUNDS = (1.0, 2.0, 5.0)

# ---- distributions ---------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(min_value=-10, max_value=100, allow_nan=False)))
def test_a_histogram_tells_how_many_values_are_not_above_each_bound(values: list[float]) -> None:
    histogram = Histogram(BOUNDS)
    for value in values:
        histogram.count(value)
    told = dict(histogram.now.buckets)
    assert told == {bound: sum(value <= bound for value in values) for bound in (*BOUNDS, float("inf"))}
    assert histogram.now.number == len(values)
    assert histogram.now.total == pytest.approx(sum(max(0.0, value) for value in values))


def test_a_distribution_stays_as_it_was() -> None:
    histogram = Histogram(BOUNDS)
    before = histogram.now
    histogram.count(3.0)
    assert before == Distribution.empty(BOUNDS)


@given(st.lists(st.text(max_size=3), max_size=60))
def test_names_beyond_the_limit_are_counted_together_and_nothing_is_lost(names: list[str]) -> None:
    counts, histograms = Counts(most=5), Histograms(BOUNDS, most=5)
    for name in names:
        counts.add(name)
        histograms.count(1.0, name)
    assert sum(counts.now.values()) == len(names)
    assert sum(each.number for each in histograms.now.values()) == len(names)
    assert len(counts.now) <= 6
    assert set(counts.now) == set(histograms.now) <= {(OTHER,), *((name,) for name in names)}


# ---- swaps -----------------------------------------------------------------------------------------------------------


def swapped(stage: Groups) -> Swaps:
    tally = SwapTally()
    for _, step in stage.steps:
        tally.hear(step)
    return tally.now


def test_a_swap_is_counted_once_by_its_cause_with_its_time_and_the_members_that_it_replaced() -> None:
    stage = Groups(a_cloud(ON_DEMAND, ON_DEMAND, max_size=3)).play(until=LONG)
    told = swapped(stage)
    assert told.members == {"saving": 2}
    assert {outcome for _, outcome in told.ended} == {"whole"}
    assert sum(told.ended.values()) == len(stage.ended)
    took = told.seconds["saving",]
    assert took.total == pytest.approx(sum((swap.ended_time or 0) - swap.born for swap in stage.ended))
    assert told.left_seconds.number == 0


def test_of_an_interruption_it_is_counted_what_was_left_when_all_was_replaced() -> None:
    cloud = a_cloud(SPOT, ON_DEMAND, max_size=3, tags={"spotward:enabled": "true", "spotward:on-demand-base": "1"})
    stage = Groups(cloud)
    stage.notice(next(iter(cloud.groups["web"].members)), 60.0)
    stage.play(until=LONG)
    told = swapped(stage)
    assert told.ended == {("interruption", "whole"): 1}
    assert told.left_seconds.number == 1
    assert 0 < told.left_seconds.total < 120


def test_a_swap_that_is_given_up_is_told_as_such() -> None:
    cloud = a_cloud(ON_DEMAND, max_size=1)
    stage = Groups(cloud).play(until=10.0)
    cloud.groups.clear()
    stage.restart()
    stage.play_on(until=LONG)
    assert swapped(stage).ended == {("saving", "abandoned"): 1}


# ---- flows -----------------------------------------------------------------------------------------------------------


def flowed(stage: Rules) -> FlowCounts:
    tally, before = FlowTally(), World()
    for event, step in stage.steps:
        tally.hear(before, event, step)
        before = step.world
    return tally.now


def test_a_flow_is_counted_by_its_rule_and_its_calls_by_their_plugins() -> None:
    stage = Rules(one_rule("[{plugin: drain, retries: 3}, {plugin: swap}]"), Plugins({"drain": fails(2)}))
    told = flowed(stage.hear(alert(instance_id="i-1")).play())
    assert (told.begun, told.ended) == ({("r",): 1}, {("r", "done"): 1})
    assert told.calls == {("drain", "failed"): 2, ("drain", "done"): 1, ("swap", "done"): 1}
    assert told.retries == {("drain",): 2}
    assert told.call_seconds["drain",].number == 3
    assert 0.0 < told.call_seconds["swap",].total < 1.0
    assert told.seconds["r",].number == 1


def test_rules_and_plugins_are_told_of_from_the_start_so_that_the_first_failure_is_an_increase() -> None:
    told = FlowTally(["hot"], ["drain"]).now
    assert told.ended == {("hot", "done"): 0, ("hot", "failed"): 0, ("hot", "cancelled"): 0}
    assert told.calls["drain", "unanswered"] == 0
    assert told.seconds["hot",].number == 0


@pytest.mark.parametrize(
    ("behaviour", "said"), [(refuses, "refused"), (unreachable(), "unanswered")], ids=["refused", "unanswered"]
)
def test_a_flow_that_failed_is_told_with_what_its_plugin_said(behaviour: Behaviour, said: str) -> None:
    told = flowed(Rules(one_rule("[{plugin: drain}]"), Plugins({"drain": behaviour})).hear(alert()).play())
    assert told.ended == {("r", "failed"): 1}
    assert told.calls == {("drain", said): 1}


def test_nothing_in_an_event_becomes_a_label() -> None:
    stage = Rules(one_rule("[{plugin: drain}]", group_by="labels.bomb"))
    for number in range(50):
        stage.hear(alert(number=number, bomb=f"boom-{number}", alertname=f"x{number}"))
    told = flowed(stage.play())
    assert "boom" not in repr(told)
    assert told.begun == {("r",): 50}


# ---- notices ---------------------------------------------------------------------------------------------------------


def interruption(instance_id: str, *, region: str = REGION) -> InterruptionNoticed:
    return InterruptionNoticed(time=NOON - 3, region=region, instance_id=instance_id, deadline=NOON + 117)


def test_an_instance_counts_once_for_each_kind_of_notice_under_its_own_type() -> None:
    spot = instance(1, Lifecycle.SPOT)
    known = world(group("web", member(spot)), instances=(spot,))
    advice = RebalanceAdvised(time=NOON - 60, region=REGION, instance_id=spot.id)
    tally = NoticeTally()
    for event in (advice, advice, interruption(spot.id), interruption(spot.id)):
        tally.hear(known, event, time=NOON)
        known = known.after(event)
    assert tally.now.heard == {(REGION, "m5.large", "rebalance"): 1, (REGION, "m5.large", "interruption"): 1}
    assert tally.now.age_seconds.number == 4
    assert tally.now.age_seconds.total == pytest.approx(60 + 60 + 3 + 3)


def test_an_instance_that_nobody_knows_lends_nothing_to_a_label() -> None:
    tally = NoticeTally()
    for number in range(100):
        tally.hear(World(), interruption(f"i-{number}", region=f"boom-{number}"), time=NOON)
    assert tally.now.heard == {}


def test_a_notice_that_was_known_before_a_restart_is_not_counted_again() -> None:
    spot = instance(1, Lifecycle.SPOT)
    known = world(group("web", member(spot)), instances=(spot,))
    doomed = replace(known, dooms=HashTrieMap({spot.id: Doom(time=NOON - 60, deadline=NOON + 60)}))
    tally = NoticeTally()
    tally.hear(doomed, interruption(spot.id), time=NOON)
    assert tally.now.heard == {}


# ---- savings ---------------------------------------------------------------------------------------------------------


def saving_world() -> World:
    spot = instance(1, Lifecycle.SPOT)
    answer = ranking("web", "m5.large", 0.1, {"m5.large": 0.04})
    return replace(world(group("web", member(spot)), instances=(spot,)), recommended=HashTrieMap({"a": answer}))


def test_what_was_saved_is_the_estimate_of_each_moment_times_how_long_it_held() -> None:
    tally = SavingTally(GroupsPolicy())
    known = saving_world()
    for seconds in (0, 30, 900, 1800):
        tally.hear(known, time=NOON + seconds)
    assert tally.at(NOON + 3600)[REGION, "web", "USD"] == pytest.approx(0.06)
    tally.at(NOON + 3600)
    tally.hear(World(), time=NOON + 3600)
    assert tally.at(NOON + 7200)[REGION, "web", "USD"] == pytest.approx(0.06), "what is not known is not made up"


def test_without_a_price_nothing_is_said_to_be_saved() -> None:
    tally = SavingTally(GroupsPolicy())
    tally.hear(replace(saving_world(), recommended=HashTrieMap()), time=NOON)
    assert tally.at(NOON + 7200) == {}


def test_a_clock_that_goes_back_takes_nothing_away() -> None:
    tally = SavingTally(GroupsPolicy())
    tally.hear(saving_world(), time=NOON)
    before = tally.at(NOON + 3600)
    assert tally.at(NOON + 60) == before


# ---- doors -----------------------------------------------------------------------------------------------------------


@given(st.text())
def test_a_path_that_somebody_makes_up_is_no_label(path: str) -> None:
    assert door_of(f"/nobody/{path}") == OTHER


def test_answers_are_counted_by_door_and_status() -> None:
    tally = DoorTally()
    tally.answered(door_of("/api/v2/alerts"), "200", 0.003)
    tally.answered(door_of("/flows/hot.123/retry"), "409", 0.003)
    told = {labels: number for labels, number in tally.now.answers.items() if number}
    assert told == {("prometheus", "200"): 1, ("flows", "409"): 1}
    assert tally.now.answers["alertmanager", "503"] == 0
    assert tally.now.wait_seconds["prometheus",].number == 1


def test_the_first_bucket_of_what_was_left_holds_what_came_too_late() -> None:
    histogram = Histogram(LEFT_SECONDS)
    histogram.count(-4.0)
    assert next(histogram.now.buckets) == (0.0, 1)
