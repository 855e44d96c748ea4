"""Rules tried out by hand: nothing is begun, and every answer says why."""

import json
from pathlib import Path
from typing import Any

import pytest

from spotward.cli.exits import Exit
from tests.cli.program import Program

RULES = """
version: 1
plugins:
  janitor: {address: "127.0.0.1:8888"}
rules:
  - name: off
    enabled: false
    events: prometheus.server.alert.*
    steps: [{plugin: notify}]
  - name: disk
    events: prometheus.server.alert.Disk*
    where: {labels.severity: critical}
    group_by: labels.instance
    cooldown: 1h
    delay: 30s
    steps:
      - plugin: janitor
        name: clean
        retries: 2
        on_failure:
          run: [{plugin: notify, properties: {text: Help}}]
          then: continue
      - plugin: http
        when: {labels.team: web, steps.clean.status: done}
  - name: rest
    events: "*"
    steps: [{plugin: notify}]
  - name: buckets
    events: aws.s3.*
    steps: [{plugin: notify}]
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    return file


def said(text: str) -> str:
    """With its blanks as a person reads them."""
    return " ".join(text.split())


def alert(name: str, **labels: str) -> dict[str, Any]:
    return {
        "labels": {"alertname": name, **labels},
        "startsAt": "2025-11-22T08:26:01Z",
        "generatorURL": "http://prometheus/graph",
    }


def test_what_each_rule_would_make_of_an_alert_is_told_with_its_steps(alone: Program, rules: Path) -> None:
    event = json.dumps([alert("DiskFull", severity="critical", instance="n-1", team="data")])
    told = said(alone("rules", "try", "--rules", rules, "-", stdin=event).out)
    assert "✗ off: `off` is not enabled" in told
    assert "✓ disk takes it, for n-1; it begins after 30 s; then none for 1 h" in told
    assert "1. clean (janitor), within 60 s, tried 3 times" in told
    assert 'once failed: notify, within 60 s {"text":"Help"}, then go on' in told
    assert "2. http, within 60 s skipped: it is not so that labels.team is web" in told
    assert "✗ rest: not asked: `disk` takes it first" in told


def test_an_event_that_no_rule_takes_is_told_with_the_reason_and_an_exit_code(alone: Program, rules: Path) -> None:
    rules.write_text(RULES.replace('events: "*"', "events: com.example.*"))
    event = json.dumps([alert("DiskFull", severity="info"), alert("DiskFull", severity="critical")])
    told = said(alone("rules", "try", "--rules", rules, "-", stdin=event, code=Exit.UNFINISHED).out)
    assert "`disk` wants that labels.severity is critical" in told


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"specversion": "1.0", "id": "1", "source": "shop", "type": "com.example.sold"}, "com.example.sold"),
        ([{"specversion": "1.0", "id": "1", "source": "shop", "type": "com.example.sold"}], "com.example.sold"),
        ({"alerts": [alert("Hot") | {"status": "firing"}]}, "prometheus.server.alert.Hot"),
        (
            {
                "id": "1",
                "source": "aws.ec2",
                "detail-type": "EC2 Spot Instance Interruption Warning",
                "time": "2025-11-22T08:26:01Z",
                "region": "eu-west-1",
                "detail": {"instance-id": "i-1"},
            },
            "aws.ec2.spot-instance-interruption-warning about i-1",
        ),
    ],
    ids=["event", "batch", "webhook", "eventbridge"],
)
def test_every_form_that_the_doors_take_is_read(alone: Program, rules: Path, event: object, kind: str) -> None:
    told = said(alone("rules", "try", "--rules", rules, "-", stdin=json.dumps(event)).out)
    assert told.startswith(kind)
    assert "✓ rest takes it" in told


@pytest.mark.parametrize("text", ["", "[", "3", "[3]", "{}", '{"specversion": "0.1"}'])
def test_what_is_no_event_is_told_with_the_next_step(alone: Program, rules: Path, text: str) -> None:
    told = alone("rules", "try", "--rules", rules, "-", stdin=text, code=Exit.USAGE).err
    assert "CloudEvent" in told


def test_one_that_cannot_be_read_does_not_cost_the_others(alone: Program, rules: Path) -> None:
    event = json.dumps([alert("Hot"), 3])
    told = said(alone("rules", "try", "--rules", rules, "-", stdin=event, code=Exit.UNFINISHED).out)
    assert "alert 1: it is a number" in told
    assert "✓ rest takes it" in told


def test_rules_are_checked_alone_and_as_the_configuration_names_them(
    alone: Program, rules: Path, tmp_path: Path
) -> None:
    assert said(alone("rules", "check", rules).out) == "right: 4 rules, 1 plugin named"
    config = tmp_path / "spotward.yaml"
    targets = "{orders: {url: 'http://127.0.0.1:1/'}}"
    config.write_text(f"flows: {{rules: {rules}, notify: {{}}, targets: {targets}}}\n")
    told = said(alone("rules", "check", "--config", config, code=Exit.USAGE).out)
    assert "rule rest, step notify: the plugin notify does not take to" in told, "plugins have their say"
    assert "not asked: janitor" in told
    assert "rule disk, step http: the plugin http does not take target" in told
    rules.write_text(
        "version: 1\nrules: [{name: a, events: x, steps: [{plugin: http, properties: {target: orders}}]}]\n"
    )
    assert said(alone("rules", "check", "--config", config).out) == "right: 1 rule, 0 plugins named"
    rules.write_text(RULES.replace("plugin: http", "plugin: htp").replace("1h", "soon"))
    told = said(alone("rules", "check", rules, code=Exit.USAGE).err)
    assert "did you mean `http`?" in told
    assert "soon" in told, "every mistake at once"


def test_without_rules_the_next_step_is_told(alone: Program) -> None:
    assert "flows.rules" in alone("rules", "check", code=Exit.USAGE).err


def test_the_schema_for_editors_is_the_one_in_the_reference(alone: Program) -> None:
    published = Path(__file__).parents[2] / "docs" / "reference" / "rules.schema.json"
    assert json.loads(alone("rules", "schema").out) == json.loads(published.read_text())
