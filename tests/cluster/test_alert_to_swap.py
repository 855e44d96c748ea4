"""From the metadata service to the whole group, with nothing made up in between: a real exporter, a real Prometheus, a
real Alertmanager, the daemon as a process, a real API server, the embedded cloud.

EC2's notice stands in the instance's metadata. The exporter of terminations shows it; Prometheus scrapes and fires;
Alertmanager tells the daemon's door; a rule takes the alert, and its chain first drains the node and then swaps the
member. No queue tells the daemon of the notice: what it knows, it knows by the alert. The seconds of each hop are
printed.
"""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from spotward.engine.clock import SystemClock
from spotward.engine.store import SqliteStore
from spotward.model.flow import Flow, Outcome
from tests.cli.program import Program, Running
from tests.cli.scenery import Scenery
from tests.cluster.control_plane import ControlPlane
from tests.cluster.machines import launched, machines, spot_groups, until
from tests.cluster.queue_scenes import played
from tests.cluster.stage import Stage
from tests.emulator.clients import eventually
from tests.ports import free_port
from tests.prometheus.servers import Prometheus, alertmanager_running, prometheus_running

TOKEN = "end-to-end-0123456789"

WHOLE_SECONDS_MAX = 120.0
"""From the notice to a drained node and a whole group."""

EXPOSED = "aws_instance_termination_imminent"

SETTINGS = """
kubernetes: {{enabled: true}}
observe_seconds: 3600
nodes:
  watch_seconds: 1
flows:
  rules: {rules}
doors:
  port: {port}
  token_file: {token}
"""

RULES = """
version: 1
rules:
  - name: spot-termination
    events: prometheus.server.alert.SpotTerminationNotice
    group_by: labels.instance_id
    finish_within: 10m
    steps:
      - plugin: kubernetes
        name: drain
        timeout: 110s
        properties: {action: drain}
        on_failure: continue
      - plugin: asg-swap
        name: swap
        timeout: 5m
"""

ALERT: dict[str, Any] = {
    "alert": "SpotTerminationNotice",
    "expr": f"{EXPOSED} == 1",
    "labels": {"severity": "critical"},
}

pytestmark = [pytest.mark.timeout(420)]


@dataclass(frozen=True, kw_only=True)
class Watchers:
    """Who sees the notice, up to the door."""

    prometheus: Prometheus
    exporter: str
    """Its page."""


@contextmanager
def watchers(region: Scenery, program: Program, instance: str, door: str, folder: Path) -> Iterator[Watchers]:
    """The exporter of one instance, Prometheus and Alertmanager, all at work."""
    with ExitStack() as running:
        port = free_port()
        metadata = f"{region.cloud.url}/_spotward/imds/{instance}/latest/meta-data/"
        words = ("--bind-addr", f"127.0.0.1:{port}", "--metadata-endpoint", metadata)
        running.enter_context(program.running("export", "terminations", *words))
        exporter = f"http://127.0.0.1:{port}/metrics"
        eventually(lambda: EXPOSED in _page(exporter), seconds_max=60)
        hook = {
            "url": f"{door}/alertmanager",
            "http_config": {"authorization": {"credentials": TOKEN}},
        }
        alertmanager = running.enter_context(
            alertmanager_running(
                folder / "alertmanager",
                {
                    "route": {"receiver": "spotward", "group_by": ["instance_id"], "group_wait": "0s"},
                    "receivers": [{"name": "spotward", "webhook_configs": [hook]}],
                },
            )
        )
        prometheus = running.enter_context(
            prometheus_running(
                folder / "prometheus",
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                    "scrape_configs": [
                        {"job_name": "terminations", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
                    ],
                    "alerting": {
                        "alertmanagers": [{"static_configs": [{"targets": [alertmanager.url.removeprefix("http://")]}]}]
                    },
                },
                {"groups": [{"name": "spot", "rules": [ALERT]}]},
            )
        )
        eventually(lambda: prometheus.query(EXPOSED), seconds_max=60)
        yield Watchers(prometheus=prometheus, exporter=exporter)


def _page(address: str) -> str:
    try:
        return requests.get(address, timeout=5).text
    except requests.ConnectionError:
        return ""


@contextmanager
def daemon(program: Program, folder: Path) -> Iterator[tuple[Running, str]]:
    """The daemon, and where its doors are."""
    port = free_port()
    (folder / "rules.yaml").write_text(RULES)
    (folder / "token").write_text(TOKEN)
    settings = folder / "spotward.yaml"
    settings.write_text(SETTINGS.format(rules=folder / "rules.yaml", port=port, token=folder / "token"))
    door = f"http://127.0.0.1:{port}"
    with program.running("run", "--config", settings, "--port", "0", "--log", "json") as running:
        eventually(lambda: running.says('"started"') and requests.get(f"{door}/healthz", timeout=5).ok, seconds_max=150)
        try:
            yield running, door
        finally:
            print(running.said)  # noqa: T201 - shown when the test fails
        assert "Traceback" not in running.said, running.said
        assert TOKEN not in running.said


def flow_of(program: Program, instance: str) -> Flow | None:
    """The flow about an instance, from the journal beside the daemon."""

    async def read() -> Flow | None:
        store = SqliteStore.to_read(program.state)
        try:
            every = await store.undertakings()
        finally:
            await store.close()
        return next((each for each in every if isinstance(each, Flow) and each.group.endswith(instance)), None)

    return asyncio.run(read())


def scraped_time(prometheus: Prometheus) -> float:
    """When Prometheus first read of the notice; Unix seconds."""
    series: Any = prometheus.get("/api/v1/query", query=f"{EXPOSED}[10m]")["data"]["result"]
    return min(float(time) for each in series for time, value in each["values"] if value == "1")


def fired_time(prometheus: Prometheus) -> float:
    """When its rule found that it fires; Unix seconds."""
    (alert,) = prometheus.alerts(ALERT["alert"])
    return datetime.fromisoformat(alert["activeAt"]).timestamp()


def test_a_notice_in_the_metadata_ends_in_a_drained_node_and_a_whole_group_within_two_minutes(
    control_plane: ControlPlane, region: Scenery, program: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ((group, (doomed, other)),) = spot_groups(region, "alerted").items()
    hops: dict[str, float] = {}

    async def play(stage: Stage) -> None:
        async with machines(stage, region, group) as here:
            with (
                daemon(program, tmp_path) as (_, door),
                watchers(region, program, doomed, door, tmp_path) as seen,
            ):
                started = SystemClock().now()
                region.site.interrupt([doomed])
                await until(partial(is_whole, region, group, doomed))
                hops["group whole"] = SystemClock().now()
                await until(lambda: (found := flow_of(program, doomed)) is not None and found.outcome is not None)
                flow = await asyncio.to_thread(flow_of, program, doomed)
                assert flow is not None
                shown = program("flows", "show", flow.key, "--state", program.state).out
                assert flow.outcome is Outcome.DONE, shown
                drain, swap = flow.facts
                assert drain.name == "drain"
                hops["scraped"] = scraped_time(seen.prometheus)
                hops["fires"] = fired_time(seen.prometheus)
                hops["heard at the door"] = flow.born
                hops["drained"] = drain.ended_time or 0.0
                hops["swapped"] = swap.ended_time or 0.0
                assert (await stage.node_now(here.names[doomed])).unschedulable or doomed not in here.nodes
                assert here.killed == []
                assert here.fewest[group] == 2, "nobody leaves before the new one serves"
                said = tell(started, hops)
                with capsys.disabled():
                    print(f"\n{shown}\n{said}")  # noqa: T201 - for whoever follows the run
                assert max(hops.values()) - started < WHOLE_SECONDS_MAX, said

    played(control_plane, play)
    assert len(launched(region, group)) == 1, "one in the place of one"
    assert other in region.spot(group)


def is_whole(region: Scenery, group: str, doomed: str) -> bool:
    """Two members serve besides the doomed one, which is left what time it has."""
    return sum(one.standing == "InService" for one in region.members(group) if one.id != doomed) == 2


def tell(started: float, hops: dict[str, float]) -> str:
    """The seconds from the notice to each hop, in their order."""
    lines = [f"  {time - started:6.1f} s  {name}" for name, time in sorted(hops.items(), key=lambda hop: hop[1])]
    return "\n".join(["after the notice stood in the metadata:", *lines])
