"""Rules come from a file of ours, from configurations of Hollowtrees, or from both."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, unquote

import pytest

from spotward.cli.exits import Exit
from spotward.cli.flow_parts import FlowParts, flow_parts
from spotward.cli.telling import Teller, say_mended
from spotward.config import parse
from spotward.engine.clock import SystemClock
from spotward.model.errors import ConfigError, Transient
from spotward.plugins.sdk import Call, Happening, done
from tests.aws.conftest import set_environment
from tests.cli.program import Program
from tests.plugins.receiver import receiving
from tests.plugins.sdk.served import in_a_loop

OLD = """
global: {bindAddr: ":9092"}
action_plugins:
  - {name: drainer, address: "localhost:8888", type: grpc}
  - {name: teller, address: "localhost:8080", type: fn, properties: {app: ht, function: tell}}
action_flows:
  - {name: spot, event_type: prometheus.server.alert.SpotTerminationNotice, action_plugins: [drainer, teller]}
"""

OURS = """
version: 1
rules:
  - {name: tidy, events: "com.example.*", steps: [{plugin: notify, properties: {to: [], text: x}}]}
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(OLD)
    (tmp_path / "rules.yaml").write_text(OURS)
    return tmp_path


def connected(settings: str) -> FlowParts:
    found = flow_parts(parse(settings, file="spotward.yaml"), SystemClock())
    assert found is not None
    return found


def test_an_old_configuration_alone_is_the_rules_and_its_plugins_are_called(files: Path) -> None:
    found = connected(f"compat: {{hollowtrees: {files}/config.yaml}}")
    assert [rule.name for rule in found.rules.every_rule] == ["spot"]
    assert {"drainer", "teller", "notify"} <= set(found.host.names)
    assert any(line.startswith(f"{files}/config.yaml:2:9: `global.bindAddr`:") for line in found.mended)


def test_beside_a_file_of_ours_both_are_the_rules(files: Path) -> None:
    found = connected(f"{{compat: {{hollowtrees: [{files}/config.yaml]}}, flows: {{rules: {files}/rules.yaml}}}}")
    assert [rule.name for rule in found.rules.every_rule] == ["tidy", "spot"]


@pytest.mark.parametrize(
    ("settings", "mistake"),
    [
        ("compat: {hollowtrees: nowhere.yaml}", "nowhere.yaml: cannot be read: .*; give the path of Hollowtrees'"),
        (
            "compat: {hollowtrees: [FOLDER/config.yaml, FOLDER/again.yaml]}",
            "the rule `spot` stands in .*config.yaml, too",
        ),
        ("{compat: {hollowtrees: FOLDER/config.yaml}, flows: {plugins: {nobody: {}}}}", "flows.plugins names `nobody`"),
        ("compat: {hollowtrees: FOLDER/strange.yaml}", "the plugin `drainer`: .*give host:port"),
    ],
)
def test_what_cannot_be_joined_stops_the_start(files: Path, settings: str, mistake: str) -> None:
    (files / "again.yaml").write_text(OLD)
    (files / "strange.yaml").write_text(OLD.replace("localhost:8888", "nowhere"))
    with pytest.raises(ConfigError, match=mistake):
        connected(settings.replace("FOLDER", str(files)))


def test_each_note_is_a_line_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    Teller("json")
    say_mended(["config.yaml:2:9: this is otherwise", "config.yaml:3:9: and that"])
    said = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert said == ["config.yaml:2:9: this is otherwise", "config.yaml:3:9: and that"]


def test_an_old_configuration_is_converted_into_rules_that_are_taken(alone: Program, files: Path) -> None:
    made = files / "made.yaml"
    assert alone("convert", "hollowtrees", files / "config.yaml", "-o", made).said.strip() == ""
    assert [rule.name for rule in connected(f"flows: {{rules: {made}}}").rules.rules] == ["spot"]
    told = alone("convert", "hollowtrees", "-", stdin="a: 1", code=Exit.USAGE).err
    assert "standard input:1:1: this is no configuration of Hollowtrees" in told


def test_who_checks_is_told_when_schedules_strike_and_what_of_an_old_file_is_otherwise(
    alone: Program, files: Path
) -> None:
    rules, config = files / "rules.yaml", files / "spotward.yaml"
    ours = OURS.replace("plugin: notify, properties: {to: [], text: x}", "plugin: http, properties: {target: tidy}")
    rules.write_text(f"{ours}\nschedule: {{often: {{every: 1h}}, nightly: {{cron: '30 3 * * *'}}}}\n")
    flows = f"{{rules: {rules}, targets: {{tidy: {{url: 'http://127.0.0.1:1/'}}}}}}"
    config.write_text(f"{{flows: {flows}, compat: {{hollowtrees: {files}/config.yaml}}}}")
    lines = alone("rules", "check", "--config", config).out.splitlines()
    assert lines[0] == "right: 2 rules, 2 plugins named"
    assert lines[1].startswith("schedule.often: next at 2")
    assert lines[2].endswith("03:30:00Z")
    assert any("config.yaml:2:9: `global.bindAddr`" in line for line in lines[3:])


# ---- plugins that are in AWS -----------------------------------------------------------------------------------------

IN_AWS = """
version: 1
plugins: {resize: {kind: lambda, address: "arn:aws:lambda:eu-west-1:123456789012:function:spotward-resize"}}
rules: [{name: grow, events: "com.example.*", steps: [{plugin: resize}]}]
"""
CALL = Call(key="grow.1.resize", event=Happening(id="1", source="/s", type="com.example.full"))


@in_a_loop
async def test_a_step_runs_a_function_and_a_function_that_does_not_answer_is_left_alone(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (files / "rules.yaml").write_text(IN_AWS)
    with receiving() as receiver:
        set_environment(monkeypatch, receiver.url)
        limits = "plugins: {resize: {failures_max: 1, rest_seconds: 60}}"
        found = connected(f"flows: {{rules: {files}/rules.yaml, {limits}}}")
        receiver.answer = b'{"status": "done", "text": "it has room again"}'
        assert await found.host.call("resize", CALL, seconds=20) == done("it has room again")
        receiver.pause.clear()
        with pytest.raises(Transient, match="did not answer within"):
            await found.host.call("resize", CALL, seconds=0.3)
        with pytest.raises(Transient, match="resize is left alone for"):
            await found.host.call("resize", CALL, seconds=20)
        receiver.pause.set()
        path, _, body = receiver.heard[0]
        await found.close()
    assert unquote(path).endswith(
        "/functions/arn:aws:lambda:eu-west-1:123456789012:function:spotward-resize/invocations"
    )
    assert json.loads(body)["idempotencykey"] == "grow.1.resize"


@in_a_loop
async def test_notify_tells_a_topic(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver:
        set_environment(monkeypatch, receiver.url)
        topic = "{kind: sns, arn: 'arn:aws:sns:eu-west-1:123456789012:spotward-oncall'}"
        found = connected(f"flows: {{rules: {files}/rules.yaml, notify: {{oncall: {topic}}}}}")
        receiver.answer = b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"
        told = replace(CALL, properties={"to": ["oncall"], "text": "it is full", "title": "full"})
        assert await found.host.call("notify", told, seconds=20) == done("oncall: published")
        await found.close()
        said = parse_qs(receiver.heard[0][2].decode())
    assert (said["Message"], said["Subject"]) == (["it is full"], ["full"])
    assert said["TopicArn"] == ["arn:aws:sns:eu-west-1:123456789012:spotward-oncall"]
