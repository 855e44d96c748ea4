"""The page of `spotward run` on the embedded cloud, as Prometheus takes it: its linter has nothing to say, and each
panel and rule gives something, or is known to have nothing to tell here.

A group on demand becomes a Spot group, an instance of it is interrupted, and an alert comes in by a door and is
answered by a flow; all the while a real Prometheus scrapes.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from spotward.cli.exits import Exit
from tests.cli.conftest import cloud, region, scenery, spotward
from tests.cli.program import Program, Running
from tests.cli.scenery import Scenery
from tests.plugins.receiver import receiving
from tests.prometheus.conftest import StartPrometheus
from tests.prometheus.expressions import Panel, panels, rule_groups, with_everything
from tests.prometheus.servers import Prometheus, program

__all__ = ["cloud", "region", "scenery", "spotward"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TOKEN = "0123456789abcdef-one"

RULES = """
version: 1
rules:
  - name: hot
    events: prometheus.server.alert.Hot
    steps:
      - {plugin: notify, timeout: 1h, retries: 2, properties: {to: [hook], text: hot}}
"""

NO_CLUSTER = "no Kubernetes cluster is looked after here"
NOT_YET = "nothing of the kind happens here"

KNOWN_EMPTY = {
    "spotward: How long emptying takes": NO_CLUSTER,
    "spotward: Incidents": NO_CLUSTER,
    "spotward: Nodes emptied": NO_CLUSTER,
    "spotward: Time that is left now": NO_CLUSTER,
    "spotward: Refusals": NOT_YET,
    "spotward: Open flows": NOT_YET,
}
"""Panel → why it may have nothing to tell."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is looked at."""

    page: str
    prometheus: Prometheus


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Path]:
    with receiving() as hook:
        (tmp_path / "rules.yaml").write_text(RULES)
        (tmp_path / "tokens").write_text(TOKEN)
        file = tmp_path / "spotward.yaml"
        flows = {"rules": str(tmp_path / "rules.yaml"), "notify": {"hook": {"kind": "webhook", "url": hook.url}}}
        doors = {"port": 0, "token_file": str(tmp_path / "tokens")}
        file.write_text(json.dumps({"flows": flows, "doors": doors}))
        yield file


@pytest.fixture
def scene(scenery: Scenery, spotward: Program, settings: Path, prometheus: StartPrometheus) -> Iterator[Scene]:
    words = ("--config", settings, "--queue", "spotward", "--port", "0", "--log", "json")
    with spotward.running("run", *words) as daemon:
        page = scenery.until(lambda: daemon.says("started") and daemon.pages, seconds_max=150)
        server = prometheus(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "5s"},
                "scrape_configs": [
                    {"job_name": "spotward", "static_configs": [{"targets": [page.removeprefix("http://")]}]}
                ],
            },
            {"groups": rule_groups()},
        )
        scenery.until(lambda: _value(server, "spotward_acting"), seconds_max=150)
        group = scenery.group("web", size=2, watched=False)
        ended = 'increase(spotward_swaps_total{outcome="whole",cause="saving"}[1h])'
        scenery.until(lambda: _value(server, ended), seconds_max=150)
        # Prices are known as long as a ranking is remembered.
        for saving in ("spotward_group_saving_estimate_per_hour", "spotward_group_saving_estimate_accrued"):
            scenery.until(lambda name=saving: _value(server, name), seconds_max=150)
        scenery.site.interrupt(scenery.spot(group)[:1])
        assert _alert(daemon) == 200
        # What becomes of the interruption is no business of this test: two minutes are two seconds in this cloud.
        heard = 'spotward_events_heard_total{kind="instance.interruption"}'
        for wanted in (heard, "rate(spotward_flow_seconds_count[1h])"):
            scenery.until(lambda name=wanted: _value(server, name), seconds_max=150)
        yield Scene(page=page, prometheus=server)
        assert daemon.stop() == Exit.DONE


def _alert(daemon: Running) -> int:
    line = next(line for line in daemon.said.splitlines() if '"doors"' in line)
    alert: Any = {"labels": {"alertname": "Hot"}, "startsAt": "2025-11-22T08:26:01Z", "generatorURL": "http://p"}
    return requests.post(
        f"{json.loads(line)['doors']}/api/v2/alerts",
        json=[alert],
        headers={"authorization": f"Bearer {TOKEN}"},
        timeout=30,
    ).status_code


def _value(server: Prometheus, expression: str) -> float:
    return max((float(found["value"][1]) for found in server.query(expression)), default=0.0)


def test_the_page_is_as_prometheus_wants_it_and_each_panel_and_rule_gives_something(scene: Scene) -> None:
    text = requests.get(f"{scene.page}/metrics", timeout=60).text
    linted = subprocess.run(
        [program("promtool"), "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert (linted.returncode, linted.stdout, linted.stderr) == (0, "", "")
    ours = [panel for panel in panels() if panel.dashboard == "spotward"]
    silent = {str(panel) for panel in ours if not _tells(scene.prometheus, panel)}
    assert silent - set(KNOWN_EMPTY) == set()
    for panel in panels():
        for expression in panel.expressions:
            scene.prometheus.query(with_everything(expression))
    rules = scene.prometheus.get("/api/v1/rules")["data"]["groups"]
    assert [rule["lastError"] for group in rules for rule in group["rules"] if rule.get("lastError")] == []
    firing = {alert["labels"]["alertname"] for alert in scene.prometheus.alerts() if alert["state"] == "firing"}
    assert firing == set(), "all is well"


def _tells(server: Prometheus, panel: Panel) -> bool:
    return any(server.query(with_everything(expression)) for expression in panel.expressions)
