"""What an occurrence begins, what it joins, and what is passed over: always with a word."""

from dataclasses import replace

import pytest

from spotward.model.flow_event import FlowCancelled
from spotward.model.occurrence import RESOLVED, Occurrence
from spotward.rules.match import matched
from spotward.rules.remembering import TURNS_MAX
from tests.rules.made import NOON, alert, occurrence, one_rule, rules
from tests.rules.stage import Plugins, Stage, refuses

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


def takers(text: str, one: Occurrence) -> list[str]:
    return [rule.name for rule in matched(rules(text), one).rules]


def rule(name: str, events: str, **more: str) -> str:
    extra = "".join(f", {key}: {value}" for key, value in more.items())
    return f"  - {{name: {name}, events: {events}, steps: [{{plugin: drain}}]{extra}}}\n"


# ---- which rules -------------------------------------------------------------------------------------------------


def test_the_first_rule_that_takes_an_event_gets_it_or_every_one_that_does() -> None:
    text = "rules:\n" + rule("a", "x.y") + rule("b", "'x.*'") + rule("c", "z") + rule("d", "[z, '*.y']")
    assert takers(f"match: first\n{text}", occurrence("x.y")) == ["a"]
    assert takers(f"match: all\n{text}", occurrence("x.y")) == ["a", "b", "d"]


@pytest.mark.parametrize(
    ("glob", "kind", "takes"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.bc", False),
        ("a.*", "a.", True),
        ("*b*", "abc", True),
        ("a*a", "a", False),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("*", "anything", True),
        ("prometheus.server.alert.*", "prometheus.server.alert.Up", True),
        ("prometheus.server.alert.*", f"prometheus.server.alert.Up{RESOLVED}", False),
        ("*", f"prometheus.server.alert.Up{RESOLVED}", False),
        ("*.resolved", f"prometheus.server.alert.Up{RESOLVED}", True),
        ("com.example.*", f"com.example.incident{RESOLVED}", True),
    ],
)
def test_a_glob_means_the_whole_type_and_an_alert_that_is_over_only_where_it_says_so(
    glob: str, kind: str, takes: bool
) -> None:
    assert (takers("rules:\n" + rule("a", f"'{glob}'"), occurrence(kind)) == ["a"]) == takes


@pytest.mark.parametrize(
    ("where", "data", "holds"),
    [
        ("data.a: x", {"a": "x"}, True),
        ("data.a: 8080", {"a": "8080"}, True),
        ("data.a: '8080'", {"a": 8080}, True),
        ("data.a: 5", {"a": 5.0}, True),
        ("data.a: true", {"a": True}, True),
        ("data.a: true", {"a": 1}, False),
        ("data.a: x", {"a": ["x"]}, False),
        ("data.a: {is_not: x}", {}, True),
        ("data.a: {is_not: x}", {"a": "x"}, False),
        ("data.a: {one_of: [x, y]}", {"a": "y"}, True),
        ("data.a: {none_of: [x, y]}", {"a": "y"}, False),
        ("data.a: {matches: 'm[57]\\..*'}", {"a": "m5.large"}, True),
        ("data.a: {matches: 'm5'}", {"a": "m5.large"}, False),
        ("data.a: {matches: '(?i)M5.*'}", {"a": "m5.large"}, True),
        ("data.a: {matches: 'm5$'}", {"a": "m5\n"}, False),
        ("data.a: {above: 5}", {"a": 5}, False),
        ("data.a: {above: 5}", {"a": "5.5"}, True),
        ("data.a: {at_least: 5, below: 7}", {"a": 7}, False),
        ("data.a: {at_least: 5, at_most: 7}", {"a": 7}, True),
        ("data.a: {above: 5}", {"a": True}, False),
        ("data.a: {above: 5}", {"a": "nan"}, False),
        ("data.a: {exists: true}", {"a": None}, True),
        ("data.a: {exists: true}", {}, False),
        ("data.a: {exists: false}", {}, True),
        ("data.a.b.1.c: x", {"a": {"b": [0, {"c": "x"}]}}, True),
        ("data.a.b.2.c: x", {"a": {"b": [0]}}, False),
        ("'data.\"a.b\"': x", {"a.b": "x"}, True),
        ("labels.a: x", {"labels": {"a": "x"}}, True),
        ("labels.a: x", {"a": "x"}, True),
        ("annotations.a: x", {"annotations": {"a": "x"}}, True),
        ("data: x", "x", True),
        ("type: com.example.thing", None, True),
        ("extensions.region: eu", None, True),
        ("time: {exists: false}", None, True),
    ],
)
def test_a_filter_looks_at_any_field(where: str, data: object, holds: bool) -> None:
    one = occurrence(data=data, extensions={"region": "eu"})
    assert (takers("rules:\n" + rule("a", "'*'", where=f"{{{where}}}"), one) == ["a"]) == holds


def test_an_expression_takes_no_time_whatever_the_text_is() -> None:
    read = rules("rules:\n" + rule("a", "'*'", where="{data.a: {matches: '(a|aa)+(.*a){5}$'}}"))
    assert not matched(read, occurrence(data={"a": "a" * 4_000 + "b"})).rules


# ---- what no rule takes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (occurrence("com.other"), "no rule takes events of its type"),
        (
            alert("SpotTerminationNotise"),
            (
                "no rule takes events of its type; a rule names `prometheus.server.alert.SpotTerminationNotice`, which "
                "is nearly the same"
            ),
        ),
        (alert(severity="info"), "no rule takes it: `r` wants that labels.severity is one of critical, page"),
        (
            alert(severity="page", resolved=True),
            "no rule takes it: alerts that are over are taken only by rules whose events end in `.resolved`",
        ),
        (alert("Off"), "no rule takes it: `off` is not enabled"),
    ],
)
def test_what_no_rule_takes_is_said_once_and_why(one: Occurrence, told: str) -> None:
    text = "rules:\n" + rule(
        "r",
        "prometheus.server.alert.SpotTerminationNotice",
        where="{labels.severity: {one_of: [critical, page]}}",
    )
    stage = Stage(rules(text + rule("off", "prometheus.server.alert.Off", enabled="false")))
    stage.hear(one).hear(replace(one, id="another"), after=5).play(60)
    assert stage.words() == [told]
    assert stage.world.verdicts[f"event {one.type}"] == told
    assert not stage.plugins.calls


def test_a_long_type_is_compared_with_nothing_so_that_no_sender_can_keep_us_busy() -> None:
    text = "rules:\n" + "".join(
        rule(f"r{number}", f"prometheus.server.alert.{'x' * 200}{number}") for number in range(99)
    )
    one = occurrence(f"prometheus.server.alert.{'x' * 900}")
    assert matched(rules(text), one).reason == "no rule takes events of its type"


def test_what_no_rule_takes_is_forgotten_when_it_is_not_heard_any_more_and_then_said_again() -> None:
    stage = Stage(one_rule()).hear(occurrence("com.other")).play(DAY)
    assert not len(stage.world.turns)
    assert not len(stage.world.verdicts)
    stage.hear(occurrence("com.other")).play(60)
    assert stage.words() == ["no rule takes events of its type"] * 2


# ---- groups ------------------------------------------------------------------------------------------------------


def test_the_same_occurrence_heard_again_begins_nothing_however_late() -> None:
    stage = Stage(one_rule())
    for minutes in range(0, 600, 7):
        stage.hear(alert(instance_id="i-1"), after=minutes * MINUTE)
    assert stage.play(DAY).called == ["drain", "swap"]


def test_occurrences_of_one_group_join_the_flow_that_is_open_and_begin_another_once_it_has_ended() -> None:
    stage = Stage(one_rule(group_by="[labels.cluster, labels.instance_id]"), Plugins(seconds={"drain": 30}))
    for number, instance in enumerate(["i-1", "i-1", "i-2", "i-1"]):
        stage.hear(alert(number=number, cluster="prod", instance_id=instance))
    stage.play(5)
    assert {flow.group: flow.joined_count for flow in stage.open} == {"prod/i-1": 2, "prod/i-2": 0}
    stage.play(HOUR)
    stage.hear(alert(number=9, cluster="prod", instance_id="i-1")).play(HOUR)
    assert stage.called.count("drain") == 3


def test_groups_whose_values_hold_the_mark_between_them_are_told_apart() -> None:
    stage = Stage(one_rule(group_by="[labels.a, labels.b]"), Plugins(seconds={"drain": 30}))
    stage.hear(alert(number=1, a="x/y", b="z")).hear(alert(number=2, a="x", b="y/z")).play(5)
    assert len(stage.open) == 2


def test_an_occurrence_without_the_fields_that_its_rule_groups_by_is_a_group_of_its_own() -> None:
    stage = Stage(one_rule(group_by="labels.nothing"), Plugins(seconds={"drain": 30}))
    stage.hear(alert(number=1)).hear(alert(number=2)).play(5)
    assert len(stage.open) == 2


def test_a_cooldown_passes_over_what_comes_too_soon_and_says_so_once() -> None:
    stage = Stage(one_rule("[{plugin: drain}]", group_by="labels.instance_id", cooldown="10m"))
    for number, minutes in enumerate([0, 3, 6, 9, 12]):
        stage.hear(alert(number=number, instance_id="i-1"), after=minutes * MINUTE)
    stage.play(HOUR)
    assert [round((time - NOON) / MINUTE) for time, _ in stage.plugins.calls] == [0, 12]
    assert stage.words().count("passed over: its last flow has ended, and its cooldown lasts until 12:10:00") == 1


def test_what_a_cooldown_passed_over_begins_a_flow_if_it_is_still_heard_afterwards() -> None:
    stage = Stage(one_rule("[{plugin: drain}]", group_by="labels.instance_id", cooldown="10m"))
    stage.hear(alert(number=1, instance_id="i-1"))
    for minutes in range(1, 20):
        stage.hear(alert(number=2, instance_id="i-1"), after=minutes * MINUTE)
    assert len(stage.play(HOUR).called) == 2


def test_what_repeats_begins_another_flow_when_it_is_still_heard_after_so_long() -> None:
    stage = Stage(one_rule("[{plugin: drain}]", repeat="30m"))
    for minutes in range(65):
        stage.hear(alert(instance_id="i-1"), after=minutes * MINUTE)
    stage.play(DAY)
    assert [round((time - NOON) / MINUTE) for time, _ in stage.plugins.calls] == [0, 30, 60]
    assert len({call.idempotency_key for _, call in stage.plugins.calls}) == 3


def test_a_cooldown_outlives_the_process() -> None:
    stage = Stage(one_rule("[{plugin: drain}]", group_by="labels.instance_id", cooldown="10m"))
    stage.hear(alert(number=1, instance_id="i-1")).kill(after=60).hear(alert(number=2, instance_id="i-1"), after=120)
    assert stage.play(HOUR).called == ["drain"]


def test_the_same_occurrence_begins_one_flow_for_each_rule_that_takes_it() -> None:
    text = "match: all\nrules:\n" + rule("a", "'*'") + rule("b", "'*'")
    stage = Stage(rules(text)).hear(occurrence()).play()
    assert sorted(flow.rule for flow in stage.ended) == ["a", "b"]
    assert len(set(stage.plugins.effects)) == 2


# ---- when --------------------------------------------------------------------------------------------------------


def test_a_delay_puts_the_first_step_off_also_over_a_restart() -> None:
    stage = Stage(one_rule(delay="5m")).hear(alert()).kill(after=60).play(HOUR)
    assert stage.plugins.calls[0][0] == pytest.approx(NOON + 300, abs=1)


def test_outside_of_business_hours_a_flow_waits_until_they_open() -> None:
    hours = "{days: mon-fri, from: '09:00', to: '13:30', zone: Europe/Berlin}"
    stage = Stage(one_rule(hours=hours))
    stage.hear(alert(number=1)).hear(alert(number=2), after=HOUR).play(DAY)
    assert [time for time, call in stage.plugins.calls if call.task == "drain"] == pytest.approx(
        [NOON, NOON + 20 * HOUR], abs=1
    )


def test_outside_of_business_hours_it_is_passed_over_where_the_rule_says_so() -> None:
    stage = Stage(one_rule(hours="{from: '14:00', to: '17:00', outside: skip}")).hear(alert()).play(DAY)
    assert not stage.plugins.calls
    assert "passed over: it came outside of the hours of `r`" in stage.words()


# ---- how many ----------------------------------------------------------------------------------------------------


def test_so_many_flows_of_a_rule_run_at_once_and_the_others_wait_in_the_order_of_their_coming() -> None:
    stage = Stage(one_rule("[{plugin: drain}]", concurrency=2), Plugins(seconds={"drain": 60}))
    for number in range(5):
        stage.hear(alert(number=number), after=number)
    stage.play(30)
    assert len(stage.called) == 2
    assert [flow.queued for flow in stage.open] == [False, False, True, True, True]
    stage.play(HOUR)
    assert [call.occurrence.id[-1] for _, call in stage.plugins.calls] == ["0", "1", "2", "3", "4"]
    assert [round((time - NOON) / MINUTE) for time, _ in stage.plugins.calls] == [0, 0, 1, 1, 2]


def test_a_killed_process_keeps_the_places_and_the_order_of_who_waits() -> None:
    stage = Stage(one_rule("[{plugin: drain}]", concurrency=1), Plugins(seconds={"drain": 60}))
    for number in range(4):
        stage.hear(alert(number=number), after=number)
    stage.kill(after=30).kill(after=90).play(HOUR)
    firsts = list(dict.fromkeys(call.occurrence.id[-1] for _, call in stage.plugins.calls))
    assert firsts == ["0", "1", "2", "3"]
    assert set(stage.plugins.effects.values()) == {1}


def test_a_cancelled_flow_makes_way_for_the_next() -> None:
    stage = Stage(one_rule("[{plugin: drain}]", concurrency=1), Plugins(seconds={"drain": 1_000}))
    stage.hear(alert(number=1)).hear(alert(number=2), after=1).play(10)
    first, second = stage.open
    stage.tell(FlowCancelled(time=0, flow=first.key)).play(1)
    assert stage.world.flows.by_key[second.key].running


def test_a_slow_or_failing_plugin_holds_up_only_its_own_chains() -> None:
    text = """
        match: all
        plugins:
          slow: {address: "a:1", at_once: 2}
          quick: {address: "a:2", at_once: 2}
        rules:
          - {name: stuck, events: a, steps: [{plugin: slow, timeout: 10m}]}
          - {name: broken, events: a, steps: [{plugin: drain, retries: 9, backoff: {first: 1m}}]}
          - {name: well, events: a, steps: [{plugin: quick}]}
    """
    stage = Stage(rules(text), Plugins({"drain": refuses}, seconds={"slow": 500}))
    for number in range(20):
        stage.hear(occurrence("a", number=number), after=number)
    stage.play(120)
    assert sum(flow.rule == "well" for flow in stage.ended) == 20
    assert max(flow.ended_time - flow.born for flow in stage.ended if flow.rule == "well" and flow.ended_time) < 1
    assert stage.world.flows.calls["slow"] == 2
    assert [flow.waits_for for flow in stage.open if flow.calling is None] == ["slow"] * 18
    stage.play(6 * HOUR)
    slow = [call.occurrence.id for _, call in stage.plugins.calls if call.task == "slow"]
    assert slow == [str(number) for number in range(20)]
    assert not stage.open
    assert not len(stage.world.flows.crowds)


def test_beyond_the_limit_of_open_flows_nothing_is_begun_and_that_is_said() -> None:
    text = "flows_open_max: 2\nrules: [{name: r, events: '*', steps: [{plugin: drain}]}]"
    stage = Stage(rules(text), Plugins(seconds={"drain": 50}))
    for number in range(4):
        stage.hear(occurrence(number=number))
    stage.play(30)
    assert len(stage.open) == 2
    assert "2 flows are open; the limit is 2" in stage.words()


def test_memory_of_groups_is_bounded() -> None:
    stage = Stage(one_rule())
    world = stage.world
    turn = Stage(one_rule()).hear(occurrence("com.other")).play(1).world.turns["event com.other"]
    for number in range(TURNS_MAX + 1):
        world = world.with_turn(f"event {number}", replace(turn, heard_time=NOON + number))
    stage.world = world
    stage.hear(occurrence("com.other")).play(1)
    assert len(stage.world.turns) <= TURNS_MAX * 0.9
    assert f"event {TURNS_MAX}" in stage.world.turns
    assert "event 0" not in stage.world.turns
