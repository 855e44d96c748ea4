"""The values of the Helm chart as a configuration: what is right is carried over, all that is wrong told at once."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotward.compat.chart_values import EVERY_NAME, converted
from spotward.compat.go_template import translated
from spotward.compat.nth_chart import VALUES, ChartValue
from spotward.compat.nth_options import BY_CHART, OPTIONS
from spotward.compat.option import Outcome, Program, Translation
from spotward.compat.written import as_report, as_yaml
from spotward.config import Config, parse
from spotward.model.errors import ConfigError

EXAMPLES = Path(__file__).parents[2] / "examples/node-termination-handler"
QUEUE = "enableSqsTerminationDraining: true\nqueueURL: https://sqs.eu-west-1.amazonaws.com/1/nth\n"


def of(text: str) -> Translation:
    return converted(text, file="values.yaml")


def written(translation: Translation) -> Config:
    return parse(as_yaml(translation, source="values.yaml"), file="spotward.yaml")


def bad(text: str) -> list[str]:
    return [each.text for each in of(text).bad]


def test_what_is_written_is_a_configuration_that_says_the_same() -> None:
    text = QUEUE + (
        "taintNode: true\nworkers: 25\nawsRegion: eu-west-1\nheartbeatInterval: 60\nheartbeatUntil: 172800\n"
        'webhookURLSecretName: hook\nwebhookHeaders: \'{"X-Team": "wéb"}\'\n'
        "webhookTemplate: '{\"text\": \"{{ .Kind }} costs $5\"}'\nenablePrometheusServer: true\ncordonOnly: 'true'\n"
    )
    translation = of(text)
    config = written(translation)
    assert translation.bad == ()
    assert config.kubernetes.enabled
    assert (config.queue, config.regions) == ("https://sqs.eu-west-1.amazonaws.com/1/nth", ("eu-west-1",))
    assert (config.nodes.taint, config.nodes.nth_marks, config.nodes.interruption) == (True, True, "cordon")
    assert config.nodes.voluntary_drains_at_once_max == 25
    assert (config.nodes.heartbeats, config.nodes.heartbeat_seconds_max) == (True, 172_800)
    assert str(config.webhook.url_file) == "/etc/spotward/webhook/webhookurl"
    assert config.webhook.headers == {"X-Team": "wéb"}
    assert config.webhook.template == '{"text": "${cause} costs $$5"}'
    assert (config.web.host, config.web.port) == ("0.0.0.0", 9092)


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.name)
def test_every_example_is_carried_over_whole(file: Path) -> None:
    translation = of(file.read_text())
    assert translation.bad == ()
    assert written(translation).nodes.nth_marks


def test_nothing_said_is_the_agent_as_it_is_with_what_differs_in_comments() -> None:
    for text in ("", "# nothing\n", "null", "{}"):
        translation = of(text)
        assert translation.program is Program.AGENT
        assert written(translation) == Config()
        assert "# What differs where nothing was said:" in as_yaml(translation, source="x")
        assert "`nodes.termination` is `drain`; there it is off" in as_yaml(translation, source="x")


def test_the_first_lines_say_how_it_is_started() -> None:
    text = as_yaml(of("dryRun: true\njsonLogging: true\nlogLevel: DEBUG\n"), source="values.yaml").splitlines()[1]
    assert text == "# It is for: spotward agent --config FILE --dry-run --log json --log-level debug"
    queue = as_yaml(of(f"{QUEUE}awsEndpoint: http://127.0.0.1:4566"), source="values.yaml").splitlines()
    assert queue[1] == "# It is for: spotward run --config FILE"
    assert queue[2] == "# with, in its environment: AWS_ENDPOINT_URL=http://127.0.0.1:4566"


def test_all_that_is_wrong_is_told_at_once_with_its_line_and_the_nearest_name() -> None:
    text = (
        "cordononly: true\n"
        "procUptimeFile: /tmp/uptime\n"
        "image: {tagg: v1}\n"
        "workers: [1]\n"
        "taintNode: perhaps\n"
        "taintNode: true\n"
        "webhookTemplateConfigMapName: map\n"
        "awsAccessKeyID: AKIA\n"
        "targetNodeOs: linux windows\n"
        "extraEnv:\n"
        "  - {name: TAINT_EFFECT, value: NoExecute}\n"
        "  - {name: WEBHOOK_URL, valueFrom: {secretKeyRef: {name: x, key: y}}}\n"
        "  - nonsense\n"
        "whatever: 1\n"
    )
    said = bad(text)
    expected = [
        ("values.yaml:1:1: `cordononly` is wrong", "did you mean `cordonOnly`?"),
        ("values.yaml:2:1: `procUptimeFile` is refused", "leave it out"),
        ("values.yaml:3:9: `image.tagg` is wrong", "did you mean `tag`?"),
        ("values.yaml:4:1: `workers` is wrong", "give a whole number"),
        ("values.yaml:5:1: `taintNode` is wrong", "give true or false"),
        ("values.yaml:6:1: `taintNode` is wrong", "it stands here twice"),
        ("values.yaml:7:1: `webhookTemplateConfigMapName` is refused", "`webhook.template_file`"),
        ("values.yaml:8:1: `awsAccessKeyID` is refused", "a role"),
        ("values.yaml:9:1: `targetNodeOs` is refused", "Windows"),
        ("values.yaml:11:5: `extraEnv TAINT_EFFECT` is refused", "past every budget"),
        ("values.yaml:12:5: `extraEnv WEBHOOK_URL` is refused", "give it as a setting"),
        ("values.yaml:13:5: `extraEnv` is wrong", "as name and value"),
        ("values.yaml:14:1: `whatever` is wrong", "docs/reference/nth.md"),
    ]
    assert len(said) == len(expected)
    for line, (begins, holds) in zip(said, expected, strict=True):
        assert line.startswith(begins)
        assert holds in line


def test_what_is_left_out_stands_in_the_file_that_is_written_all_the_same() -> None:
    text = as_yaml(of("cordonOnly: true\nprocUptimeFile: x\nresources: {limits: {cpu: 1}}\n"), source="values.yaml")
    assert "# NOT carried over; see to each of these:\n#   - procUptimeFile: a reboot is told by the boot id" in text
    assert "#   - resources: about its own pods" in text
    assert parse(text, file="f").nodes.interruption == "cordon"


def test_the_report_is_for_programs() -> None:
    report = json.loads(as_report(of(f"{QUEUE}dryRun: true\nprocUptimeFile: x\n")))
    assert report["version"] == 1
    assert (report["program"], report["bad"], report["options"]) == ("run", 1, {"--dry-run": ""})
    assert report["settings"]["kubernetes"] == {"enabled": True}
    (refused,) = [each for each in report["findings"] if each["outcome"] == "refused"]
    assert (refused["name"], refused["line"], refused["column"]) == ("procUptimeFile", 4, 1)
    assert parse(json.dumps(report["settings"]), file="f").queue is not None


def test_the_values_of_a_chart_that_contains_it_are_found_below_its_name() -> None:
    text = "aws-node-termination-handler:\n  cordonOnly: true\n  workes: 1\n"
    assert of(text).settings["nodes.interruption"] == "cordon"
    assert bad(text)[0].startswith("values.yaml:3:3: `workes` is wrong")


def test_the_queue_mode_without_a_queue_is_told() -> None:
    assert "give its URL" in bad("enableSqsTerminationDraining: true")[0]


def test_an_extra_variable_beats_the_value_and_strangers_are_named() -> None:
    translation = of("taintNode: true\nextraEnv: [{name: TAINT_NODE, value: 'false'}, {name: TZ, value: UTC}]\n")
    assert translation.settings["nodes.taint"] is False
    named = {each.name: each for each in translation.findings}
    assert named["taintNode"].outcome is Outcome.UNUSED
    assert "no variable of the Node Termination Handler" in named["extraEnv TZ"].words
    assert of("extraEnv: []\n").bad == ()
    assert "a list of name and value" in bad("extraEnv: {TAINT_NODE: true}")[0]


def test_the_secret_of_the_address_counts_more_than_the_address() -> None:
    translation = of("webhookURL: https://example.com/s3cret\nwebhookURLSecretName: hook\n")
    assert set(translation.settings) == {"webhook.url_file"}
    assert translation.bad == ()
    assert "s3cret" not in as_yaml(translation, source="x") + as_report(translation)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.name)
def test_every_value_of_the_chart_that_is_no_option_is_said_to_be_carried_over_or_not(value: ChartValue) -> None:
    (found,) = [each for each in of(f"{value.name}: something\n").findings if each.name == value.name]
    assert found.words
    assert of(f"{value.name}: ''\n").bad == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a", "values.yaml:1:1: the file must be a mapping"),
        ("a: [", "values.yaml:1:5: this is not YAML"),
        ("a: \x00", "this is not YAML"),
        ("aws-node-termination-handler: 3", "`aws-node-termination-handler` must be a mapping"),
        ("[" * 4000, "nested too deeply"),
    ],
)
def test_what_is_no_mapping_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of(text)
    assert words in str(caught.value)


SCALARS = st.sampled_from(
    [
        "true",
        "false",
        '""',
        "null",
        "-1",
        "0",
        "30",
        "9092",
        "http://a/b",
        "'{}'",
        "x: y",
        "[]",
        "{}",
        "linux",
        "~",
        "#",
    ]
)


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.sampled_from(EVERY_NAME), SCALARS | st.text(max_size=12), max_size=12))
def test_whatever_the_values_are_what_is_written_can_be_read_and_says_the_same(values: dict[str, str]) -> None:
    text = "\n".join(f"{name}: {value}" for name, value in values.items())
    try:
        translation = of(text)
    except ConfigError:
        return
    assert written(translation) == Config.model_validate(translation.tree)
    json.loads(as_report(translation))


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_no_text_is_too_strange(text: str) -> None:
    with suppress(ConfigError):
        of(text)


# ---- templates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "becomes"),
    [
        ("", ""),
        ("plain $ text", "plain $$ text"),
        ("{{ .Kind }}", "${cause}"),
        ("{{.EventID}}/{{ .InstanceID }}", "${key}/${instance}"),
        ("a {{- .NodeName -}} b", "a${node}b"),
        ("{{/* why */}}x", "x"),
        ("a }} b", "a }} b"),
    ],
)
def test_a_template_that_only_names_fields_is_translated(template: str, becomes: str) -> None:
    assert translated(template) == becomes


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ .Pods }}", "there is no `.Pods` here"),
        ("{{ .Kind | upper }}", "more than a field"),
        ("{{ range .Pods }}{{ . }}{{ end }}", "more than a field"),
        ("{{ .Kind", "never closed"),
    ],
)
def test_what_a_template_computes_is_refused_by_name(template: str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace(".", r"\.")):
        translated(template)


def test_the_names_of_the_chart_are_those_of_the_options_and_the_rest() -> None:
    assert len(EVERY_NAME) == len(set(EVERY_NAME)) == len(BY_CHART) + len(VALUES) + 2
    assert len(BY_CHART) == sum(bool(option.chart) for option in OPTIONS)
