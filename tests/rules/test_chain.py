"""A chain goes as it is written: its order, its retries, its conditions, what follows what, and how it ends."""

from dataclasses import replace
from itertools import pairwise

import pytest

from spotward.model.flow import Flow, Outcome, TaskState
from spotward.model.flow_event import FlowCancelled, FlowRetried, PluginProgressed, Status
from tests.rules.made import NOON, alert, one_rule, rules
from tests.rules.stage import Behaviour, Plugins, Stage, answer, done, fails, hangs, refuses, unreachable

NOTICE = alert(instance_id="i-1")


def flow_of(stage: Stage) -> Flow:
    return (stage.open or stage.ended)[-1]


# ---- order -------------------------------------------------------------------------------------------------------


def test_plugins_are_called_in_the_written_order_each_after_the_one_before_has_answered() -> None:
    stage = Stage(one_rule("[{plugin: swap}, {plugin: drain}, {plugin: notify}]")).hear(NOTICE).play()
    assert stage.called == ["swap", "drain", "notify"]
    times = [time for time, _ in stage.plugins.calls]
    assert times == sorted(times)
    assert stage.outcomes == ["done: swap, drain, notify"]
    assert not stage.open
    assert not stage.world.wishes


def test_a_call_carries_the_event_its_properties_its_deadline_and_what_came_of_earlier_steps() -> None:
    text = """
        plugins: {mine: {address: "a:1", properties: {region: eu-west-1, dry: true}}}
        rules:
          - name: r
            events: prometheus.server.alert.*
            happens: labels.at
            steps:
              - {plugin: drain, properties: {do: drain}, timeout: 30s}
              - {plugin: mine, properties: {dry: false}}
    """
    plugins = Plugins({"drain": lambda call, _: answer(call, text="empty", output='{"evicted":3}')})
    notice = alert(instance_id="i-1", at="2026-11-23T12:02:00Z")
    stage = Stage(rules(text), plugins).hear(notice).play()
    (_, first), (_, second) = plugins.calls
    assert (first.occurrence, first.properties_json, first.timeout_seconds) == (notice, '{"do":"drain"}', 30)
    assert (first.deadline_time, first.happens_time, first.tries) == (NOON + 30, NOON + 120, 1)
    assert second.properties_json == '{"dry":false,"region":"eu-west-1"}'
    assert [(e.task, e.state, e.text, e.output_json) for e in second.earlier] == [
        ("drain", TaskState.DONE, "empty", '{"evicted":3}')
    ]
    assert first.idempotency_key != second.idempotency_key
    assert stage.outcomes == ["done: drain, mine"]


# ---- failing and trying again ------------------------------------------------------------------------------------


def test_a_step_that_fails_is_tried_again_under_the_same_key_after_longer_and_longer_pauses() -> None:
    steps = "[{plugin: drain, retries: 3, backoff: {first: 2s, factor: 3, max: 10s}}, {plugin: swap}]"
    plugins = Plugins({"drain": fails(3)})
    stage = Stage(one_rule(steps), plugins).hear(NOTICE).play()
    assert stage.called == ["drain"] * 4 + ["swap"]
    keys = {call.idempotency_key for _, call in plugins.calls if call.task == "drain"}
    assert len(keys) == 1
    assert [call.tries for _, call in plugins.calls] == [1, 2, 3, 4, 1]
    times = [time for time, call in plugins.calls if call.task == "drain"]
    assert [round(later - sooner) for sooner, later in pairwise(times)] == [2, 6, 10]
    assert stage.outcomes == ["done: drain, swap"]


def test_the_last_failure_stops_the_chain_and_its_words_say_why() -> None:
    stage = Stage(one_rule("[{plugin: drain, retries: 1}, {plugin: swap}]"), Plugins({"drain": fails(9, "no way")}))
    stage.hear(NOTICE).play()
    assert stage.called == ["drain", "drain"]
    assert stage.outcomes == ["failed: drain failed: no way"]
    assert stage.ended[0].outcome is Outcome.FAILED
    assert stage.ended[0].fact("swap").state is TaskState.WAITING


def test_what_refuses_is_not_tried_again() -> None:
    stage = Stage(one_rule("[{plugin: drain, retries: 5}]"), Plugins({"drain": refuses})).hear(NOTICE).play()
    assert stage.called == ["drain"]
    assert stage.outcomes == ["failed: drain refused: I will not"]


def test_a_plugin_with_nothing_to_do_is_as_good_as_done() -> None:
    plugins = Plugins({"drain": lambda call, _: answer(call, Status.IGNORED, "no node of mine")})
    stage = Stage(one_rule(), plugins).hear(NOTICE).play()
    assert stage.called == ["drain", "swap"]
    assert stage.outcomes == ["done: drain, swap"]


def test_a_plugin_that_hangs_is_given_up_at_its_deadline_and_asked_again() -> None:
    stage = Stage(one_rule("[{plugin: drain, timeout: 20s, retries: 1}]"), Plugins({"drain": hangs}))
    stage.hear(NOTICE).play()
    assert [round(time - NOON) for time, _ in stage.plugins.calls] == [0, 22]
    assert stage.outcomes == ["failed: drain failed: no answer in time; it may have been done"]


def test_a_plugin_that_cannot_be_reached_is_tried_as_often_as_the_step_says_and_not_as_the_core_would() -> None:
    steps = "[{plugin: drain, retries: 2, backoff: {first: 100ms, factor: 1}}]"
    stage = Stage(one_rule(steps), Plugins({"drain": unreachable()})).hear(NOTICE).play()
    assert len(stage.called) == 3
    assert stage.time > stage.plugins.calls[-1][0]
    assert stage.plugins.calls[-1][0] - NOON < 2
    assert not stage.world.wishes


def test_a_plugin_that_can_never_be_asked_is_not_asked_again() -> None:
    stage = Stage(one_rule("[{plugin: drain, retries: 9}]"), Plugins({"drain": unreachable(transient=False)}))
    assert stage.hear(NOTICE).play().called == ["drain"]


def test_a_plugin_may_ask_for_a_longer_pause() -> None:
    steps = "[{plugin: drain, retries: 1, backoff: {first: 1s}}]"
    stage = Stage(one_rule(steps), Plugins({"drain": fails(1, after=45)})).hear(NOTICE).play()
    (first, _), (second, _) = stage.plugins.calls
    assert 45 <= second - first < 46


@pytest.mark.parametrize("output", ['{"a":"' + "x" * 20_000 + '"}', "no json", "[1]"], ids=["long", "text", "list"])
def test_output_that_is_too_much_or_none_is_left_out_and_that_is_said(output: str) -> None:
    plugins = Plugins({"drain": lambda call, _: answer(call, text="well", output=output)})
    stage = Stage(one_rule("[{plugin: drain}]"), plugins).hear(NOTICE).play()
    fact = stage.ended[0].fact("drain")
    assert (fact.state, fact.output_json) == (TaskState.DONE, "{}")
    assert "left out" in fact.text


# ---- what follows what -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "behaviour", "called", "ended"),
    [
        (
            "[{plugin: drain, on_failure: continue}, {plugin: swap}]",
            refuses,
            "drain swap",
            "done: swap; drain refused: I will not",
        ),
        ("[{plugin: drain, on_success: stop}, {plugin: swap}]", done, "drain", "done: drain"),
        (
            "[{plugin: drain, on_failure: {run: [{plugin: notify}, {plugin: http}], then: stop}}, {plugin: swap}]",
            refuses,
            "drain notify http",
            "failed: drain refused: I will not",
        ),
        (
            "[{plugin: drain, on_failure: {run: [{plugin: notify}], then: continue}}, {plugin: swap}]",
            refuses,
            "drain notify swap",
            "done: notify, swap; drain refused: I will not",
        ),
        (
            "[{plugin: drain, on_success: {run: [{plugin: notify}]}}, {plugin: swap}]",
            done,
            "drain notify swap",
            "done: drain, notify, swap",
        ),
        (
            "[{plugin: drain, on_failure: {run: [{plugin: notify}]}}, {plugin: swap}]",
            done,
            "drain swap",
            "done: drain, swap",
        ),
    ],
)
def test_what_follows_a_step_is_as_written(steps: str, behaviour: Behaviour, called: str, ended: str) -> None:
    stage = Stage(one_rule(steps), Plugins({"drain": behaviour})).hear(NOTICE).play()
    assert stage.called == called.split()
    assert stage.outcomes == [ended]


def test_a_failure_among_what_follows_holds_nothing_up() -> None:
    steps = "[{plugin: drain, on_success: {run: [{plugin: notify}]}}, {plugin: swap}]"
    stage = Stage(one_rule(steps), Plugins({"notify": refuses})).hear(NOTICE).play()
    assert stage.called == ["drain", "notify", "swap"]
    assert stage.outcomes == ["done: drain, swap; notify refused: I will not"]


def test_a_condition_looks_at_what_came_of_earlier_steps() -> None:
    steps = """
              - {plugin: drain, on_failure: continue}
              - {plugin: swap, when: {steps.drain.output.left: {above: 0}}}
              - {plugin: notify, when: {steps.drain.status: {one_of: [failed, refused]}}}
              - {plugin: http, when: {steps.swap.status: skipped}}
    """
    plugins = Plugins({"drain": lambda call, _: answer(call, output='{"left":0}')})
    stage = Stage(one_rule(steps), plugins).hear(NOTICE).play()
    assert stage.called == ["drain", "http"]
    assert "swap is skipped: it is not so that steps.drain.output.left is above 0" in stage.words()
    assert [fact.state.value for fact in stage.ended[0].facts] == ["done", "skipped", "skipped", "done"]


# ---- being killed ------------------------------------------------------------------------------------------------


def test_killed_while_a_step_is_asked_it_goes_on_at_that_step_under_the_same_key() -> None:
    plugins = Plugins(seconds={"swap": 10})
    stage = Stage(one_rule("[{plugin: drain}, {plugin: swap}, {plugin: notify}]"), plugins)
    stage.hear(NOTICE).kill(after=5).play()
    assert stage.called == ["drain", "swap", "swap", "notify"]
    swaps = [call for _, call in plugins.calls if call.task == "swap"]
    assert swaps[0].idempotency_key == swaps[1].idempotency_key
    assert [call.tries for call in swaps] == [1, 1]
    assert set(plugins.effects.values()) == {1}
    assert stage.outcomes == ["done: drain, swap, notify"]


def test_killed_in_a_pause_it_waits_out_what_is_left_of_it() -> None:
    steps = "[{plugin: drain, retries: 1, backoff: {first: 60s, max: 60s}}]"
    stage = Stage(one_rule(steps), Plugins({"drain": fails(1)})).hear(NOTICE).kill(after=30).play()
    (first, _), (second, _) = stage.plugins.calls
    assert 60 <= second - first < 61


def test_a_flow_keeps_the_plan_that_it_was_begun_with_and_ends_without_its_rule() -> None:
    plugins = Plugins(seconds={"drain": 10})
    stage = Stage(one_rule(), plugins).hear(NOTICE)
    stage.kill(after=5, rules=rules("rules: [{name: r, events: a, steps: [{plugin: notify}]}]"))
    assert stage.play().called == ["drain", "drain", "swap"]
    stage = Stage(one_rule(), Plugins(seconds={"drain": 10})).hear(NOTICE).kill(after=5, rules=rules("rules: []"))
    assert stage.play().outcomes == ["done: drain, swap"]


def test_an_answer_that_comes_twice_or_from_nowhere_changes_nothing() -> None:
    stage = Stage(one_rule()).hear(NOTICE).play()
    (_, call), *_ = stage.plugins.calls
    before = stage.world
    stage.step(replace(answer(call), time=stage.time))
    stage.step(replace(answer(call), time=stage.time, flow="r.nobody", key="call r.nobody.drain"))
    assert replace(stage.world, time=0) == replace(before, time=0)


# ---- its limits --------------------------------------------------------------------------------------------------


def test_a_flow_that_takes_too_long_ends_as_failed_and_its_last_call_gets_the_time_that_is_left() -> None:
    steps = "[{plugin: drain, retries: 99, backoff: {first: 10s, max: 10s}}, {plugin: swap}]"
    stage = Stage(one_rule(steps, finish_within="25s"), Plugins({"drain": fails(99, "not yet")}))
    stage.hear(NOTICE).play()
    assert stage.outcomes == ["failed: drain was not done within 25 s: not yet"]
    assert stage.ended[0].ended_time == NOON + 25
    assert [round(call.timeout_seconds) for _, call in stage.plugins.calls] == [25, 15, 5]


# ---- people ------------------------------------------------------------------------------------------------------


def test_a_cancelled_flow_ends_at_once_and_its_late_answer_changes_nothing() -> None:
    stage = Stage(one_rule(), Plugins(seconds={"drain": 30})).hear(NOTICE).play(5)
    flow = flow_of(stage)
    stage.tell(FlowCancelled(time=0, flow=flow.key, by="ops")).play()
    assert stage.outcomes == ["cancelled by ops"]
    assert stage.ended[0].fact("drain").state is TaskState.LEFT
    assert stage.called == ["drain"]
    assert not stage.world.wishes
    assert not len(stage.world.flows.calls)


def test_a_failed_flow_that_somebody_retries_goes_on_where_it_stopped_under_the_same_keys() -> None:
    plugins = Plugins({"swap": fails(1)})
    stage = Stage(one_rule("[{plugin: drain}, {plugin: swap}, {plugin: notify}]"), plugins).hear(NOTICE).play()
    assert stage.outcomes == ["failed: swap failed: it did not work"]
    stage.tell(FlowRetried(time=0, flow=stage.ended[0], by="ops")).play()
    assert stage.called == ["drain", "swap", "swap", "notify"]
    assert len({call.idempotency_key for _, call in plugins.calls if call.task == "swap"}) == 1
    assert stage.outcomes[1:] == ["done: drain, swap, notify"]
    assert stage.ended[-1].retried == 1


def test_retrying_what_is_done_or_whose_group_has_another_flow_is_told_and_does_nothing() -> None:
    stage = Stage(one_rule(group_by="labels.instance_id"), Plugins({"swap": fails(1)})).hear(NOTICE).play(60)
    failed_one = stage.ended[0]
    stage.hear(alert(instance_id="i-1", number=2)).play(0.1)
    holder = stage.open[0].key
    stage.tell(FlowRetried(time=0, flow=failed_one)).play(0.1)
    assert f"it does not go on: {holder} is open for the same group" in stage.words()
    stage.play()
    stage.tell(FlowRetried(time=0, flow=replace(failed_one, outcome=Outcome.DONE))).play()
    assert "it does not go on: it is done" in stage.words()
    assert not stage.open


def test_an_open_flow_that_somebody_retries_does_not_rest_any_longer() -> None:
    steps = "[{plugin: drain, retries: 1, backoff: {first: 1h, max: 1h}}]"
    stage = Stage(one_rule(steps), Plugins({"drain": fails(1)})).hear(NOTICE).play(60)
    stage.tell(FlowRetried(time=0, flow=flow_of(stage))).play(60)
    assert stage.outcomes == ["done: drain"]


def test_progress_is_shown_and_makes_no_page() -> None:
    stage = Stage(one_rule(), Plugins(seconds={"drain": 30})).hear(NOTICE).play(5)
    flow = flow_of(stage)
    stage.tell(PluginProgressed(time=0, flow=flow.key, task="drain", text="3 of 7 pods", fraction=0.4)).play(1)
    assert flow_of(stage).fact("drain").progress == "3 of 7 pods"
    assert stage.steps[-1][1].page is None
