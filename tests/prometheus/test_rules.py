"""The rules and configurations under deploy/prometheus: by Prometheus' own tools, and against what there is to ask."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.prometheus.expressions import CHECKOUT, RULES, alerts, metrics_in, rule_groups, told_of, yaml
from tests.prometheus.servers import program

ALERTS = CHECKOUT / "docs" / "reference" / "alerts.md"


def ran(*words: str | Path, cwd: Path = RULES) -> str:
    done = subprocess.run([*map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_prometheus_reads_every_rule() -> None:
    out = ran(program("promtool"), "check", "rules", "--lint-fatal", "recording.rules.yml", "alerting.rules.yml")
    assert f"{len(alerts())} rules found" in out


@pytest.mark.slow
def test_every_rule_does_what_its_unit_test_says() -> None:
    assert "SUCCESS" in ran(program("promtool"), "test", "rules", "rules.test.yml")


@pytest.mark.slow
def test_the_configurations_can_be_used_as_they_are(tmp_path: Path) -> None:
    for file in RULES.glob("*.yml"):
        shutil.copy(file, tmp_path)
    for name in ("spotward-ca.crt", "spotward-token"):
        (tmp_path / name).touch()
    assert "is valid" in ran(program("promtool"), "check", "config", "prometheus.yml", cwd=tmp_path)
    assert "SUCCESS" in ran(program("amtool"), "check-config", "alertmanager.yml", cwd=tmp_path)


def test_every_alert_is_tested_firing_and_silent() -> None:
    tested = {each["name"] for each in yaml(RULES / "rules.test.yml")["tests"]}
    for rule in alerts():
        assert {f"{rule['alert']} fires", f"{rule['alert']} is silent"} <= tested


def test_everything_that_is_recorded_is_tested() -> None:
    asked = " ".join(
        each["expr"] for test in yaml(RULES / "rules.test.yml")["tests"] for each in test.get("promql_expr_test", ())
    )
    recorded = {rule["record"] for group in rule_groups() for rule in group["rules"] if "record" in rule}
    assert {name for name in recorded if name not in asked} == set()


def test_rules_ask_for_metrics_that_the_reference_tells_of() -> None:
    asked = {name for group in rule_groups() for rule in group["rules"] for name in metrics_in(rule["expr"])}
    assert asked - told_of() == set()


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_how_bad_it_is_what_it_is_and_what_to_look_at(rule: dict[str, dict[str, str]]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning", "none"}
    assert set(rule["annotations"]) == {"summary", "description"}
    assert rule["annotations"]["description"].endswith(".")


def test_the_reference_lists_every_alert_with_its_severity_and_no_other() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", ALERTS.read_text(), re.MULTILINE)
    assert dict(rows) == {rule["alert"]: rule["labels"]["severity"] for rule in alerts()}
    assert len(rows) == len(alerts())
