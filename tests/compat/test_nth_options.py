"""The 57 options of the Node Termination Handler: each becomes what the table says, and none is passed over."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotward.cli.agent import parser
from spotward.compat.forms import read
from spotward.compat.nth import in_environment, on_command_line, program_for, translate
from spotward.compat.nth_options import BY_ENV, BY_FLAG, OPTIONS
from spotward.compat.option import BAD, Option, Outcome, Program, Said, Standing, Translation
from spotward.config import Config
from spotward.config import settings as every_setting

AGENT, RUN = Program.AGENT, Program.RUN
RESPONSES = ("interruption", "maintenance", "rebalance", "shutdown", "termination")
PAGES = {"web.host": "0.0.0.0", "web.port": 9999}
BEATS = {"nodes.heartbeats": True, "nodes.heartbeat_seconds": 30}
ANNOTATIONS = {"a": "b", "x.org/c": ""}
HEADERS = '{"Authorization": "Bearer s3cret"}'

BECOMES: list[tuple[str, str, Program, dict[str, object]]] = [
    ("DRY_RUN", "true", AGENT, {"--dry-run": ""}),
    ("DRY_RUN", "1", RUN, {"--dry-run": ""}),
    ("DRY_RUN", "F", RUN, {}),
    ("NODE_NAME", "n-1", AGENT, {"--node-name": "n-1"}),
    ("NODE_NAME", "n-1", RUN, {}),
    ("POD_NAME", "p-1", RUN, {"nodes.own_pod": "p-1"}),
    ("NAMESPACE", "kube-system", AGENT, {"nodes.own_namespace": "kube-system"}),
    ("INSTANCE_METADATA_URL", "http://10.0.0.1:80", AGENT, {"--metadata-endpoint": "http://10.0.0.1:80"}),
    ("METADATA_TRIES", "5", AGENT, {}),
    ("KUBERNETES_SERVICE_HOST", "10.1.0.1", AGENT, {"$KUBERNETES_SERVICE_HOST": "10.1.0.1"}),
    ("KUBERNETES_SERVICE_PORT", "6443", RUN, {"$KUBERNETES_SERVICE_PORT": "6443"}),
    ("KUBE_API_QPS", "50", RUN, {}),
    ("KUBE_API_BURST", "100", RUN, {}),
    ("IGNORE_DAEMON_SETS", "true", AGENT, {"nodes.daemon_sets": False}),
    ("IGNORE_DAEMON_SETS", "false", AGENT, {"nodes.daemon_sets": True}),
    ("DELETE_LOCAL_DATA", "true", AGENT, {"nodes.local_data": "evict"}),
    ("DELETE_LOCAL_DATA", "false", AGENT, {"nodes.local_data": "leave"}),
    ("GRACE_PERIOD", "45", AGENT, {"nodes.pod_grace_seconds_max": 45}),
    ("POD_TERMINATION_GRACE_PERIOD", "30", RUN, {"nodes.pod_grace_seconds_max": 30}),
    ("POD_TERMINATION_GRACE_PERIOD", "-1", RUN, {}),
    ("NODE_TERMINATION_GRACE_PERIOD", "300", RUN, {"nodes.termination_seconds": 300}),
    ("WEBHOOK_URL", "https://example.com/x", RUN, {"webhook.url": "https://example.com/x"}),
    ("WEBHOOK_PROXY", "http://proxy:3128", RUN, {"webhook.proxy": "http://proxy:3128"}),
    ("WEBHOOK_HEADERS", HEADERS, RUN, {"webhook.headers": json.loads(HEADERS)}),
    ("WEBHOOK_TEMPLATE", '{"text": "{{ .Kind }}"}', RUN, {"webhook.template": '{"text": "${cause}"}'}),
    ("ENABLE_SCHEDULED_EVENT_DRAINING", "false", AGENT, {"nodes.maintenance": "off"}),
    ("ENABLE_SCHEDULED_EVENT_DRAINING", "true", AGENT, {"nodes.maintenance": "drain"}),
    ("ENABLE_SPOT_INTERRUPTION_DRAINING", "false", AGENT, {"nodes.interruption": "off"}),
    ("ENABLE_SPOT_INTERRUPTION_DRAINING", "true", AGENT, {"nodes.interruption": "drain"}),
    ("ENABLE_ASG_LIFECYCLE_DRAINING", "false", AGENT, {"nodes.termination": "off"}),
    ("ENABLE_ASG_LIFECYCLE_DRAINING", "true", AGENT, {"nodes.termination": "drain"}),
    ("ENABLE_REBALANCE_MONITORING", "true", AGENT, {"nodes.rebalance": "cordon"}),
    ("ENABLE_REBALANCE_MONITORING", "false", AGENT, {"nodes.rebalance": "off"}),
    ("ENABLE_REBALANCE_DRAINING", "true", AGENT, {"nodes.rebalance": "drain"}),
    ("ENABLE_REBALANCE_DRAINING", "false", AGENT, {"nodes.rebalance": "off"}),
    ("ENABLE_SQS_TERMINATION_DRAINING", "true", RUN, {"kubernetes.enabled": True}),
    ("ENABLE_SQS_TERMINATION_DRAINING", "false", AGENT, {}),
    ("CHECK_ASG_TAG_BEFORE_DRAINING", "true", RUN, {}),
    ("CHECK_TAG_BEFORE_DRAINING", "false", RUN, {}),
    ("USE_PROVIDER_ID", "true", RUN, {}),
    ("CORDON_ONLY", "true", RUN, {f"nodes.{name}": "cordon" for name in RESPONSES}),
    ("CORDON_ONLY", "false", RUN, {}),
    ("TAINT_NODE", "true", AGENT, {"nodes.taint": True, "nodes.nth_marks": True}),
    ("TAINT_NODE", "false", AGENT, {"nodes.taint": False, "nodes.nth_marks": False}),
    ("TAINT_EFFECT", "prefernoschedule", AGENT, {"nodes.taint_effect": "PreferNoSchedule"}),
    ("ENABLE_OUT_OF_SERVICE_TAINT", "false", RUN, {"nodes.out_of_service": False}),
    ("EXCLUDE_FROM_LOAD_BALANCERS", "false", RUN, {"nodes.exclude_from_load_balancers": False}),
    ("JSON_LOGGING", "true", RUN, {"--log": "json"}),
    ("JSON_LOGGING", "false", AGENT, {"--log": "text"}),
    ("LOG_LEVEL", "DEBUG", AGENT, {"--log-level": "debug"}),
    ("LOG_LEVEL", "DEBUG", RUN, {}),
    ("LOG_FORMAT_VERSION", "2", RUN, {}),
    ("ENABLE_PROMETHEUS_SERVER", "true", RUN, {**PAGES, "web.port": 9092}),
    ("ENABLE_PROMETHEUS_SERVER", "false", RUN, {}),
    ("PROMETHEUS_SERVER_PORT", "9999", AGENT, {**PAGES, "--bind-addr": ":9999"}),
    ("ENABLE_PROBES_SERVER", "true", AGENT, {**PAGES, "web.port": 8080, "--bind-addr": ":8080"}),
    ("PROBES_SERVER_PORT", "9999", RUN, PAGES),
    ("PROBES_SERVER_ENDPOINT", "/healthz", RUN, {**PAGES, "web.port": 8080}),
    ("EMIT_KUBERNETES_EVENTS", "false", RUN, {"nodes.tell_cluster": False}),
    ("AWS_REGION", "eu-west-1", RUN, {"regions": ["eu-west-1"]}),
    ("AWS_ENDPOINT", "http://127.0.0.1:4566", RUN, {"$AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}),
    ("QUEUE_URL", "http://127.0.0.1:4566/0/q", RUN, {"queue": "http://127.0.0.1:4566/0/q"}),
    ("WORKERS", "25", RUN, {"nodes.voluntary_drains_at_once_max": 25}),
    ("COMPLETE_LIFECYCLE_ACTION_DELAY_SECONDS", "120", RUN, {"nodes.hook_delay_seconds": 120}),
    ("DELETE_SQS_MSG_IF_NODE_NOT_FOUND", "true", RUN, {}),
    ("USE_APISERVER_CACHE", "true", AGENT, {}),
    ("HEARTBEAT_INTERVAL", "60", RUN, {"nodes.heartbeats": True, "nodes.heartbeat_seconds": 60}),
    ("HEARTBEAT_UNTIL", "1.728e+05", RUN, {**BEATS, "nodes.heartbeat_seconds_max": 172_800}),
    ("KUBERNETES_EVENTS_EXTRA_ANNOTATIONS", "a=b, x.org/c=", RUN, {"kubernetes.event_annotations": ANNOTATIONS}),
    ("SQS_MSG_VISIBILITY_TIMEOUT_SEC", "60", RUN, {}),
]
"""What is said, to which program, and all that becomes of it: settings, options and variables."""

BESIDE = {
    "PROMETHEUS_SERVER_PORT": {"ENABLE_PROMETHEUS_SERVER": "true"},
    "PROBES_SERVER_PORT": {"ENABLE_PROBES_SERVER": "true"},
    "PROBES_SERVER_ENDPOINT": {"ENABLE_PROBES_SERVER": "true"},
    "HEARTBEAT_UNTIL": {"HEARTBEAT_INTERVAL": "30"},
}
"""Those that say something only beside others."""

REFUSED = [
    ("WEBHOOK_TEMPLATE_FILE", "/etc/t", RUN, "set `webhook.template_file`"),
    ("MANAGED_ASG_TAG", "mine", RUN, "set check-tag-before-draining to false"),
    ("MANAGED_TAG", "mine", RUN, "set check-tag-before-draining to false"),
    ("UPTIME_FROM_FILE", "/tmp/uptime", AGENT, "boot id"),
    ("TAINT_EFFECT", "NoExecute", AGENT, "past every budget"),
    ("WEBHOOK_TEMPLATE", "{{ .Pods }}", RUN, "there is no `.Pods` here"),
    ("WEBHOOK_TEMPLATE", "{{ if .Pods }}", RUN, "more than a field"),
    ("ENABLE_SQS_TERMINATION_DRAINING", "true", AGENT, "which is `spotward run`"),
    ("ENABLE_SQS_TERMINATION_DRAINING", "false", RUN, "which is `spotward agent`"),
    ("HEARTBEAT_UNTIL", "100", RUN, "without heartbeat-interval"),
]

WRONG = [
    ("DRY_RUN", "yes", "give true or false"),
    ("POD_TERMINATION_GRACE_PERIOD", "0", "give a whole number from 1 up, or -1 for what is usual"),
    ("NODE_TERMINATION_GRACE_PERIOD", "two minutes", "give a whole number from 1 up"),
    ("NODE_TERMINATION_GRACE_PERIOD", "0", "give a whole number from 1 up"),
    ("NODE_TERMINATION_GRACE_PERIOD", "nan", "give a whole number"),
    ("NODE_TERMINATION_GRACE_PERIOD", "1e99", "give a whole number"),
    ("TAINT_EFFECT", "NoShedule", "give one of NoSchedule, PreferNoSchedule, NoExecute"),
    ("WEBHOOK_URL", "hooks.example.com", "its value cannot be read; give an address"),
    ("WEBHOOK_PROXY", "tcp://proxy:1", "its value cannot be read; give an address"),
    ("WEBHOOK_HEADERS", "X: s3cret", "its value cannot be read; give a JSON object"),
    ("WEBHOOK_HEADERS", '{"X": 1}', "its value cannot be read; give a JSON object"),
    ("LOG_LEVEL", "loud", "give one of debug, info, warn, error"),
    ("HEARTBEAT_INTERVAL", "29", "from 30 to 3600, or -1"),
    ("AWS_REGION", "Ireland", "give a region such as eu-west-1"),
    ("KUBERNETES_EVENTS_EXTRA_ANNOTATIONS", "a", "give key=value"),
    ("KUBERNETES_EVENTS_EXTRA_ANNOTATIONS", "-a=b", "give key=value"),
    ("INSTANCE_METADATA_URL", "http://x:99999", "give an address"),
]


def translated(program: Program, **environment: str) -> Translation:
    said, strays = in_environment(environment)
    return translate(said, program, strays=strays)


def everything(translation: Translation) -> dict[str, object]:
    variables = {f"${name}": value for name, value in translation.environment.items()}
    return {**translation.settings, **translation.options, **variables}


def configured(translation: Translation) -> Config:
    return Config.model_validate(translation.tree)


def at(config: Config, name: str) -> Any:
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return list(value) if isinstance(value, tuple) else value


def test_there_are_57_options_and_no_name_is_anothers() -> None:
    assert len(OPTIONS) == len(BY_FLAG) == len(BY_ENV) == 57
    charts = [option.chart for option in OPTIONS if option.chart]
    assert len(charts) == len(set(charts))
    assert Counter(option.standing for option in OPTIONS).total() == 57


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.flag)
def test_every_target_of_an_option_is_there(option: Option) -> None:
    names = {each.name for each in every_setting()}
    agent = parser().format_help()
    for target in option.targets:
        program, _, word = target.rpartition(" ")
        if program == "agent":
            assert f"{word} " in agent or f"{word}]" in agent
        elif not program and not target.startswith("$"):
            assert target in names
    assert option.standing is not Standing.REFUSED or not option.targets


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.flag)
def test_what_is_usual_can_be_read(option: Option) -> None:
    """A chart says every option, at its default where its user says nothing: none of that may stand in the way."""
    if option.default and "…" not in option.default:
        for program in option.programs:
            queue = {"ENABLE_SQS_TERMINATION_DRAINING": "true"} if program is RUN else {}
            assert translated(program, **{option.env: option.default} | queue).bad == ()


@pytest.mark.parametrize("program", list(Program))
def test_a_pod_to_which_its_chart_gives_every_option_as_usual_starts(program: Program) -> None:
    usual = {option.env: option.default for option in OPTIONS if "…" not in option.default}
    queue = {
        "ENABLE_SQS_TERMINATION_DRAINING": str(program is RUN),
        "QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/1/q",
    }
    translation = translated(program, **usual | queue)
    assert translation.bad == ()
    assert configured(translation).nodes.interruption == "drain"


def test_the_template_that_is_usual_there_is_translated() -> None:
    usual = (
        '{"text":"[NTH] EventID: {{ .EventID }} - Kind: {{ .Kind }} - Instance: {{ .InstanceID }}'
        ' - Node: {{ .NodeName }} - Description: {{ .Description }} - Start Time: {{ .StartTime }}"}'
    )
    webhook = configured(translated(RUN, WEBHOOK_TEMPLATE=usual, WEBHOOK_URL="https://example.com/")).webhook
    assert "Kind: ${cause} - Instance: ${instance} - Node: ${node}" in webhook.template


@pytest.mark.parametrize(("env", "text", "program", "becomes"), BECOMES)
def test_each_option_becomes_what_the_table_says(
    env: str, text: str, program: Program, becomes: dict[str, object]
) -> None:
    translation = translated(program, **{env: text}, **BESIDE.get(env, {}))
    assert everything(translation) == becomes
    assert translation.bad == ()
    prefix = f"{program} "
    told = {target.removeprefix(prefix) for target in BY_ENV[env].targets}
    assert set(becomes) <= told | (set(BEATS) if env == "HEARTBEAT_UNTIL" else {*PAGES, "--bind-addr"})
    config = configured(translation)
    for name, value in translation.settings.items():
        assert at(config, name) == value
    changed = {name.split(".")[0] for name in translation.settings} or {"nothing"}
    for section in Config.model_fields.keys() - changed:
        assert getattr(config, section) == getattr(Config(), section)


def test_every_supported_and_mapped_option_is_among_those_tried() -> None:
    tried = {env for env, *_ in BECOMES}
    kept = {option.env for option in OPTIONS if option.standing is not Standing.REFUSED}
    assert kept == tried
    assert {option.env for option in OPTIONS} - kept <= {env for env, *_ in REFUSED}


@pytest.mark.parametrize(("env", "text", "program", "words"), REFUSED)
def test_what_cannot_be_done_is_refused_by_name_with_the_next_step(
    env: str, text: str, program: Program, words: str
) -> None:
    translation = translated(program, **{env: text})
    assert [(each.name, each.outcome) for each in translation.bad] == [(env, Outcome.REFUSED)]
    assert words in translation.bad[0].words
    assert everything(translation) == {}


@pytest.mark.parametrize(("env", "text", "words"), WRONG)
def test_a_value_that_cannot_be_read_is_told_with_what_would_be_right_and_never_taken_for_another(
    env: str, text: str, words: str
) -> None:
    (found,) = translated(BY_ENV[env].programs[0], **{env: text}).bad
    assert (found.name, found.outcome) == (env, Outcome.WRONG)
    assert words in found.words
    assert "s3cret" not in found.text


def test_all_that_is_wrong_is_told_at_once() -> None:
    translation = translated(
        RUN, DRY_RUN="yes", TAINT_EFFECT="NoExecute", WEBHOOK_TEMPLATE_FILE="t", WORKERS="0", QUEUE_URL="q"
    )
    assert sorted(each.name for each in translation.bad) == [
        "DRY_RUN",
        "QUEUE_URL",
        "TAINT_EFFECT",
        "WEBHOOK_TEMPLATE_FILE",
        "WORKERS",
    ]


# ---- who counts ----------------------------------------------------------------------------------------------------


def test_a_flag_beats_a_variable_and_the_conflict_is_named() -> None:
    flags, _ = on_command_line(["--taint-node=false", "-workers", "3", "--cordon-only"])
    variables, _ = in_environment({"TAINT_NODE": "true", "WORKERS": "3"})
    translation = translate([*flags, *variables], RUN)
    assert translation.settings["nodes.taint"] is False
    assert translation.settings["nodes.voluntary_drains_at_once_max"] == 3
    assert translation.settings["nodes.interruption"] == "cordon"
    overruled = [each for each in translation.findings if "counts" in each.words]
    assert [each.name for each in overruled] == ["TAINT_NODE"]
    assert "`--taint-node` says otherwise" in overruled[0].words


def test_a_deprecated_name_stands_behind_the_one_that_took_its_place() -> None:
    flags, _ = on_command_line(["--check-asg-tag-before-draining=true"])
    variables, _ = in_environment({"CHECK_TAG_BEFORE_DRAINING": "false", "MANAGED_TAG": "mine"})
    translation = translate([*flags, *variables], RUN)
    assert translation.bad == ()
    assert any(
        each.name == "--check-asg-tag-before-draining" and "counts" in each.words for each in translation.findings
    )
    only = translated(RUN, CHECK_ASG_TAG_BEFORE_DRAINING="false", MANAGED_ASG_TAG="mine")
    assert only.bad == ()


def test_what_is_usual_leaves_the_word_to_a_deprecated_name() -> None:
    said = translated(AGENT, POD_TERMINATION_GRACE_PERIOD="-1", GRACE_PERIOD="45")
    assert said.settings == {"nodes.pod_grace_seconds_max": 45}
    assert [each.name for each in said.findings] == ["GRACE_PERIOD"]


def test_an_empty_variable_says_nothing() -> None:
    assert translated(AGENT, **dict.fromkeys(BY_ENV, "")) == Translation(program=AGENT)
    assert translated(AGENT, **dict.fromkeys(BY_ENV, "  ")).findings == ()


def test_what_the_other_mode_alone_reads_changes_nothing_and_that_is_said() -> None:
    """The chart turns what the IMDS mode hears off in its queue mode, where that means nothing."""
    off = {"ENABLE_SPOT_INTERRUPTION_DRAINING": "false", "ENABLE_REBALANCE_DRAINING": "false"}
    queue = translated(RUN, ENABLE_SQS_TERMINATION_DRAINING="true", **off)
    assert queue.settings == {"kubernetes.enabled": True}
    assert [each.outcome for each in queue.findings if each.name in off] == [Outcome.UNUSED] * 2
    assert translated(AGENT, QUEUE_URL="http://q/1").settings == {}


def test_which_program_is_meant_is_what_the_mode_says() -> None:
    said, _ = in_environment({"ENABLE_SQS_TERMINATION_DRAINING": "TRUE"})
    assert program_for(said) is RUN
    assert program_for([]) is AGENT


def test_two_servers_at_two_ports_are_refused_and_at_one_they_are_one() -> None:
    both = {"ENABLE_PROMETHEUS_SERVER": "true", "ENABLE_PROBES_SERVER": "true"}
    assert {each.name for each in translated(RUN, **both).bad} == set(both)
    assert translated(RUN, **both, PROBES_SERVER_PORT="9092").settings == {**PAGES, "web.port": 9092}


def test_cordon_only_leaves_off_what_is_off() -> None:
    said = translated(
        AGENT, CORDON_ONLY="true", ENABLE_SPOT_INTERRUPTION_DRAINING="false", ENABLE_REBALANCE_DRAINING="true"
    )
    assert said.settings["nodes.interruption"] == "off"
    assert said.settings["nodes.rebalance"] == "cordon"
    assert said.settings["nodes.maintenance"] == "cordon"


# ---- strangers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("TAINT_NODES", "TAINT_NODE"),
        ("ENABLE_SPOT_DRAINING", "ENABLE_SPOT_INTERRUPTION_DRAINING"),
        ("NODE_TERMINATION_GRACE_PERIOD_SECONDS", "NODE_TERMINATION_GRACE_PERIOD"),
        ("HEARTBEAT_INTERVALL", "HEARTBEAT_INTERVAL"),
        ("WEBHOOK_URLS", "WEBHOOK_URL"),
    ],
)
def test_a_variable_that_looks_like_an_option_is_told_with_the_nearest(name: str, near: str) -> None:
    (found,) = translated(RUN, **{name: "x"}).findings
    assert (found.name, found.outcome) == (name, Outcome.UNUSED)
    assert f"did you mean {near}?" in found.words


@pytest.mark.parametrize("name", ["PATH", "HOME", "KUBERNETES_SERVICE_PORT_HTTPS", "AWS_PROFILE", "POD_IP", "HOSTNAME"])
def test_the_rest_of_the_environment_is_nobodys_business(name: str) -> None:
    assert translated(RUN, **{name: "x"}).findings == ()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--taint-nodes"], "did you mean --taint-node?"),
        (["--xyz"], "docs/reference/nth.md"),
        (["--taint-node", "true"], "--name=false"),
        (["--workers"], ""),
    ],
)
def test_an_option_that_is_none_is_wrong(words: list[str], found: str) -> None:
    said, wrong = on_command_line(words)
    assert [found in each.words for each in wrong] == [True] * bool(found)
    assert all(each.outcome in BAD for each in wrong)
    assert not found or len(said) == (words[0] == "--taint-node")


# ---- always --------------------------------------------------------------------------------------------------------

LIKELY = st.sampled_from(
    ["true", "false", "-1", "0", "1", "60", "120", "9092", "http://a/b", "NoSchedule", "a=b", "{}", "/healthz", "info"]
)
VALUES = LIKELY | st.text(max_size=30)


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(BY_ENV)), VALUES, max_size=20),
    st.sampled_from(list(Program)),
)
def test_whatever_is_said_has_a_finding_and_what_comes_out_is_a_configuration(
    environment: dict[str, str], program: Program
) -> None:
    translation = translated(program, **environment)
    found = Counter(each.name for each in translation.findings)
    for name, text in environment.items():
        twin = BY_FLAG[BY_ENV[name].now].env if BY_ENV[name].now else ""
        agrees = bool(text.strip()) and environment.get(twin, "").strip() == text.strip()
        assert found[name] == (0 if agrees or says_nothing(BY_ENV[name], text) else 1)
    configured(translation)


def says_nothing(option: Option, text: str) -> bool:
    try:
        return read(option.form, text) is None
    except ValueError:
        return False


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([f"--{flag}" for flag in BY_FLAG]) | VALUES, max_size=8))
def test_no_command_line_is_too_strange(words: list[str]) -> None:
    said, wrong = on_command_line(words)
    assert len(said) + len(wrong) <= len(words)
    assert all(isinstance(each, Said) for each in said)
