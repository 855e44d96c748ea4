"""Old configurations are read as they are, and what is mended is told."""

import json
import re
from textwrap import dedent

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spotward.model.errors import ConfigError, ConfigErrors
from spotward.model.plan import Then
from spotward.rules.hollowtrees import Translation, translated, words_of
from spotward.rules.old_written import as_rules_file
from spotward.rules.parse import parse
from tests.rules.made import alert
from tests.rules.stage import Plugins, Stage, fails, refuses

VERSION_1 = """
global:
  bindAddr: ":9092"
  bufferSize: 100
  defaultActionFlowConcurrency: 3
log: {format: text, level: debug}
action_plugins:
  - {name: ht-k8s-action-plugin, address: "localhost:8888", type: grpc}
  - {name: ht-aws-asg-action-plugin, address: "localhost:8889", type: grpc, properties: {region: eu-west-1}}
  - {name: tell, address: "localhost:8080", type: fn, properties: {app: hollowtrees, function: tell}}
action_flows:
  - name: spot termination
    description: drain first, then swap
    event_type: prometheus.server.alert.SpotTerminationNotice
    group_by: [cluster_name, instance_id]
    flow_cooldown: 1m
    repeat_cooldown: 5m
    retries: 2
    match:
      - cluster_name: prod
    action_plugins: [ht-k8s-action-plugin, ht-aws-asg-action-plugin]
  - name: all notices
    event_type: prometheus.server.alert.SpotTerminationNotice
    concurrent_flows: 7
    group_by: [instance_id]
    action_plugins: [tell, tell]
    colour: red
"""

VERSION_2 = """
log: {format: logfmt}
promalert: {listenAddress: ":8081", useJWTAuth: true, jwtSigningKey: sesame}
plugins:
  - {name: pipeline-scaler, address: "localhost:9993", type: grpc}
  - {name: other, address: "localhost:9994", type: grpc}
flows:
  scale:
    name: scale out
    allowedEvents: [prometheus.server.alert.InstanceTermination]
    plugins: [pipeline-scaler, other, internal-demo]
    cooldown: 5m
    groupBy: [org_id, cluster_id, instance_id]
    filters: {cluster_name: prod}
  everything:
    name: everything
    plugins: [other]
  demo:
    name: demo
    plugins: [internal-demo]
"""

EARLY = """
action_plugins:
  - {name: drainer, address: "localhost:8888"}
  - {name: swapper, address: "localhost:8889"}
rules:
  - name: spot_to_drainer
    event_type: prometheus.server.alert.SpotTerminationNotice
    action_plugins: [drainer, swapper]
  - {name: again, event_type: prometheus.server.alert.SpotTerminationNotice, action_plugins: [swapper]}
"""


def told(translation: Translation) -> str:
    return "\n".join(words_of(translation, "config.yaml"))


def test_version_1_is_read_as_it_is() -> None:
    old = translated(VERSION_1)
    first, second = old.rules.rules
    assert (old.generation, old.rules.first_match) == ("action_flows", True)
    assert [(c.name, c.kind, c.address) for c in old.rules.callees] == [
        ("ht-k8s-action-plugin", "hollowtrees-v1", "localhost:8888"),
        ("ht-aws-asg-action-plugin", "hollowtrees-v1", "localhost:8889"),
        ("tell", "fn", "http://localhost:8080/r/hollowtrees/tell"),
    ]
    assert old.rules.callees[1].properties_json == '{"region":"eu-west-1"}'
    assert (first.name, first.concurrency, first.cooldown_seconds) == ("spot-termination", 3, 300)
    assert first.group_by == (("labels", "cluster_name"), ("labels", "instance_id"))
    assert [condition.words for condition in first.where] == ["labels.cluster_name is prod"]
    assert [step.task.plugin for step in first.plan.steps] == ["ht-k8s-action-plugin", "ht-aws-asg-action-plugin"]
    assert {step.task.retries for step in first.plan.steps} == {2}
    assert {step.on_failure.then for step in first.plan.steps} == {Then.STOP}
    assert (second.concurrency, [step.task.name for step in second.plan.steps]) == (7, ["tell", "tell-2"])


def test_what_of_version_1_is_mended_is_told_and_unknown_keys_are_named() -> None:
    words = told(translated(VERSION_1))
    for mended in (
        "config.yaml:27:5: `colour` is no setting that Hollowtrees has",
        "an alert that is over is an event of its own",
        "an event that no rule takes is shown",
        "its flow was run when Prometheus sent the alert again",
        "without `repeat_cooldown` one success kept the group from ever being handled again",
        "`flow_cooldown` gives the place free",
        "`all-notices` and `spot-termination` have places of their own",
        "config.yaml:3:3: `global.bindAddr`: no door opens by itself",
        "alerts come in where `doors: {host: 0.0.0.0, port: 9092",
        "`global.bufferSize`: none is to be sized",
        "`log.format`, `log.level`: the log is that of the process",
        "it was waited for without end",
        "called without TLS, as before",
    ):
        assert mended in words, words


def test_version_2_is_read_as_it_is_and_its_plugins_are_called_in_the_written_order() -> None:
    old = translated(VERSION_2)
    first, second = old.rules.rules
    assert (old.generation, old.rules.first_match, len(old.rules.rules)) == ("flows", False, 2)
    assert {callee.kind for callee in old.rules.callees} == {"hollowtrees-v2"}
    assert (first.name, first.cooldown_seconds, first.concurrency) == ("scale-out", 300, None)
    assert [step.task.plugin for step in first.plan.steps] == ["pipeline-scaler", "other"]
    assert {step.on_failure.then for step in first.plan.steps} == {Then.CONTINUE}
    assert second.events == ("prometheus.server.alert.*",)
    words = told(old)
    assert "version 2 called them in any order" in words
    assert "`internal-demo` only wrote to the log" in words
    assert "`demo` calls no plugin, and is left out" in words
    assert "`promalert.listenAddress`: no door opens by itself" in words
    assert "`promalert.useJWTAuth`, `promalert.jwtSigningKey`: a token is compared and not taken apart" in words
    assert "sesame" not in words, "a signing key is a secret"
    assert "`org_id` and `cluster_id`" in words


def test_the_rules_of_the_first_months_all_run_and_an_error_holds_nothing_up() -> None:
    old = translated(EARLY)
    stage = Stage(old.rules, Plugins({"drainer": refuses})).hear(alert(instance_id="i-1")).play()
    assert old.generation == "rules"
    assert sorted(stage.called) == ["drainer", "swapper", "swapper"]


def test_names_that_rules_cannot_have_are_made_such_and_that_is_told() -> None:
    old = translated("""
        action_plugins: [{name: "my plugin.v1", address: "localhost:1"}, {name: my-plugin-v1, address: "localhost:2"}]
        action_flows:
          - name: Größe
            event_type: a
            repeat_cooldown: 2000h
            group_by: [x]
            action_plugins: [my plugin.v1, my-plugin-v1]
    """)
    assert [callee.name for callee in old.rules.callees] == ["my-plugin-v1", "my-plugin-v1-2"]
    assert [step.task.plugin for step in old.rules.rules[0].plan.steps] == ["my-plugin-v1", "my-plugin-v1-2"]
    assert old.rules.rules[0].name == "Gr--e"
    assert "the plugin `my plugin.v1` is called `my-plugin-v1` here" in told(old)
    assert "its cooldown is cut to 720 h" in told(old)


# ---- written down as rules of ours -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [VERSION_1, VERSION_2, EARLY, "flows: {}", "action_flows:"])
def test_an_old_configuration_is_written_down_as_rules_that_mean_the_same(text: str) -> None:
    old = translated(text)
    written = as_rules_file(old, source="config.yaml")
    assert parse(written) == old.rules, "the reader of rules reads what was meant"
    assert written.startswith("# Written by `spotward convert hollowtrees` from config.yaml (`")


def test_what_is_mended_stands_above_the_rule_that_it_is_about() -> None:
    written = as_rules_file(translated(VERSION_1), source="config.yaml")
    head, first, second = re.split(r"(?m)^  - name: ", written)
    assert "an alert that is over is an event of its own" in " ".join(head.split())
    assert "`flow_cooldown` gives the place free" in head, "which stands above the first rule"
    assert "`colour` is no setting that Hollowtrees has" in first
    assert "timeout: 5m\n        retries: 2" in first
    assert "#" not in second


def test_what_a_rules_file_has_no_room_for_is_told_with_what_reads_it() -> None:
    plugins = "action_plugins: [{name: p, address: 'localhost:1'}]\n"
    many = f"{{name: f, event_type: a, action_plugins: [{', '.join(['p'] * 40)}]}}"
    old = translated(f"{plugins}action_flows: [{many}]")
    with pytest.raises(
        ConfigError, match=r"here are 40 steps.*; name it in `compat.hollowtrees`, which reads it as it is"
    ):
        as_rules_file(old, source="x")


WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


@given(
    st.sampled_from(["action_flows", "rules"]),
    st.lists(st.tuples(WORDS, WORDS, st.dictionaries(WORDS, WORDS, max_size=2), st.floats(0, 1e4)), max_size=3),
    st.dictionaries(WORDS, st.one_of(WORDS, st.floats(), st.booleans(), st.none(), st.lists(WORDS)), max_size=2),
)
@settings(max_examples=100, deadline=None)
def test_whatever_can_be_written_down_means_the_same(
    generation: str, flows: list[tuple[str, str, dict[str, str], float]], properties: dict[str, object]
) -> None:
    file = {
        "action_plugins": [{"name": "p", "address": "localhost:1", "properties": properties}],
        generation: [
            {
                "name": name,
                "event_type": kind,
                "match": match,
                "flow_cooldown": f"{cooldown:.6f}s",
                "action_plugins": ["p"],
            }
            for name, kind, match, cooldown in flows
        ],
    }
    try:
        old = translated(json.dumps(file))
    except ConfigErrors:
        return
    try:
        written = as_rules_file(old, source=flows[0][0] if flows else "")
    except ConfigError:
        assume(False)
    assert parse(written) == old.rules


def test_an_old_flow_goes_as_it_is_written() -> None:
    old = translated(VERSION_1)
    notice = alert(instance_id="i-1", cluster_name="prod")
    stage = Stage(old.rules, Plugins({"ht-k8s-action-plugin": fails(2)})).hear(notice)
    stage.hear(alert(instance_id="i-1", cluster_name="prod", resolved=True), after=30).play()
    assert stage.called == ["ht-k8s-action-plugin"] * 3 + ["ht-aws-asg-action-plugin"]
    assert stage.outcomes == ["done: ht-k8s-action-plugin, ht-aws-asg-action-plugin"]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "this is no configuration of Hollowtrees"),
        ("a: 1", "this is no configuration of Hollowtrees"),
        ("action_flows: 5", "`action_flows` must be a list, not `5`"),
        ("action_flows: [{name: a, action_plugins: []}]", "lacks `event_type`"),
        ("action_flows: [{name: a, event_type: b, action_plugins: [nobody]}]", "unknown plugin `nobody`"),
        ("action_flows: [{name: a, event_type: b, flow_cooldown: soon}]", "must be a length of time"),
        ("action_flows: [{name: a, event_type: b, retries: x}]", "must be a whole number"),
        ("action_flows: []\naction_plugins: [{name: a, address: b, type: rest}]", "unknown type of plugin `rest`"),
        ("flows: {a: 5}", "a flow must be a mapping"),
        ("flows: [", "this is not YAML"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, mistake: str) -> None:
    with pytest.raises(ConfigErrors, match=r"^config.yaml:\d+:\d+: ") as raised:
        translated(dedent(text), file="config.yaml")
    assert mistake in str(raised.value)


@given(st.text("-[]{}:,&*'\" \nab1", max_size=50), st.sampled_from(["", "flows: ", "rules:\n", "action_flows: "]))
@settings(max_examples=150)
def test_no_text_breaks_the_reader_of_old_files(text: str, head: str) -> None:
    try:
        old = translated(head + text)
    except ConfigErrors:
        return
    assert old.generation in {"flows", "rules", "action_flows"}
