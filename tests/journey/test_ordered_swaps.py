"""Swaps that alerts order: by the daemon's rules, across a kill, and by asg-swap as a server of its own, which an
engine of Hollowtrees calls as it called the old one.
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests

from spotward.cli.exits import Exit
from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.plugins.wire.hollowtrees_v1_pb2 import ActionResult, AlertEvent
from spotward.sim.shocks import PoolShock
from tests.cli.program import Program, Running
from tests.cli.scenery import CALM, Member, Scenery

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SPEED = 40.0
"""EC2's two minutes are three seconds of ours; a kill has time to come in the middle."""

TOKEN = "0123456789abcdef-one"

RULES = """
version: 1
rules:
  - name: rescue
    events: prometheus.server.alert.SpotTerminationNotice
    steps: [{plugin: asg-swap, timeout: 1h, retries: 20, backoff: {first: 0.1s, max: 1s}}]
  - name: rebalance
    events: prometheus.server.alert.SpotInstanceTooExpensive
    steps: [{plugin: asg-swap, timeout: 1h}]
"""

GROUPS = {
    "defaults": {"only_when_asked": True},
    "asked_cooldown_seconds": 0,
    "running_timeout_seconds": 36000,
    "attach_timeout_seconds": 36000,
    "in_service_timeout_seconds": 36000,
}
"""While a process is dead and another is being started, minutes of virtual time go by."""


@pytest.fixture(scope="module")
def cloud() -> Iterator[Emulator]:
    with Emulator(EmulatorSettings(seed=3, speed=SPEED)) as emulator:
        emulator.sites.shock(CALM)
        yield emulator


@pytest.fixture
def on_spot(scenery: Scenery, spotward: Program, tmp_path: Path) -> str:
    """A group that has moved onto Spot, at its largest size."""
    web = scenery.group(size=2, size_max=2, tags={"spotward:surge-percentage": "100"})
    replace(spotward, state=tmp_path / "before", apart=False)("run", "--once")
    assert len(scenery.spot(web)) == 2
    return web


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "tokens").write_text(TOKEN)
    file = tmp_path / "spotward.yaml"
    said = {
        "groups": GROUPS,
        "flows": {"rules": str(tmp_path / "rules.yaml")},
        "doors": {"port": 0, "token_file": str(tmp_path / "tokens")},
    }
    file.write_text(json.dumps(said))
    return file


def doors_of(daemon: Running, scenery: Scenery) -> str:
    def found() -> str | None:
        lines = (json.loads(line) for line in daemon.said.splitlines() if '"doors"' in line)
        return next((str(each["doors"]) for each in lines if each.get("doors")), None)

    return str(scenery.until(found, seconds_max=150))


def alert(address: str, name: str, scenery: Scenery, **labels: str) -> None:
    """As Prometheus sends it."""
    now = datetime.fromtimestamp(scenery.cloud.clock.now(), UTC).isoformat()
    said: Any = {"labels": {"alertname": name, **labels}, "startsAt": now, "generatorURL": "http://prometheus/graph"}
    answer = requests.post(
        f"{address}/api/v2/alerts", json=[said], headers={"authorization": f"Bearer {TOKEN}"}, timeout=30
    )
    assert answer.status_code == 200, answer.text


def flow(spotward: Program, settings: Path, rule: str, state: str) -> str | None:
    """What `flows show` says of the flow of a rule that is in that state."""
    here = replace(spotward, apart=False)
    listed = here("flows", "list", "--config", settings).out
    lines = [line.split() for line in listed.splitlines() if line.strip().startswith(f"{rule}.")]
    found = next((line[0] for line in lines if state in line), None)
    return None if found is None else " ".join(here("flows", "show", found, "--config", settings).out.split())


def dearest(scenery: Scenery, group: str) -> Member:
    """A Spot member whose pool costs half as much again from now on, and still less than EC2 may ask of us."""
    member = next(each for each in scenery.members(group) if each.spot and each.standing == "InService")
    pool = f"{member.instance_type}/{member.zone}"
    scenery.shock(PoolShock(at_seconds=scenery.seconds(), pool=pool, price_factor=1.5))
    return member


def test_a_notice_by_alert_is_survived_across_a_kill_with_one_replacement_and_costs_are_cut_when_that_is_ordered(
    scenery: Scenery, spotward: Program, on_spot: str, settings: Path
) -> None:
    short, launched = scenery.shortfall(on_spot), len(scenery.launched())
    victim = scenery.spot(on_spot)[0]
    words = ("run", "--config", settings, "--port", "0", "--log", "json")
    with spotward.running(*words) as daemon:
        alert(doors_of(daemon, scenery), "SpotTerminationNotice", scenery, instance_id=victim, asg_name=on_spot)
        scenery.until(lambda: len(scenery.launched()) > launched, seconds_max=150)
        daemon.process.kill()
        daemon.process.wait()
    with spotward.running(*words) as daemon:
        address = doors_of(daemon, scenery)
        shown = scenery.until(lambda: flow(spotward, settings, "rescue", "done"), seconds_max=150)
        assert f"{victim} is replaced in us-east-1/{on_spot} by i-" in shown
        assert "it runs on outside its group" in shown
        assert scenery.state(victim) == "running", "EC2 ends it, and nobody else"
        assert victim not in scenery.spot(on_spot)
        assert len(scenery.launched()) == launched + 1
        assert len(scenery.spot(on_spot)) == 2

        costly = dearest(scenery, on_spot)
        alert(address, "SpotInstanceTooExpensive", scenery, instance_id=costly.id, region="us-east-1")
        alert(address, "SpotInstanceTooExpensive", scenery, instance_id=costly.id, region="us-east-1")
        scenery.until(lambda: flow(spotward, settings, "rebalance", "done"), seconds_max=150)
        scenery.until(lambda: scenery.state(costly.id) == "terminated")
        assert len(scenery.launched()) == launched + 2, "the alert that was sent twice began one swap"
        assert daemon.stop(signal.SIGTERM) == Exit.DONE
        assert "Traceback" not in daemon.said
    assert len(scenery.spot(on_spot)) == 2
    assert scenery.shortfall(on_spot) == short, "the group was never smaller than it must be"
    scenery.hand.ec2.terminate_instances(InstanceIds=[victim])


LISTENS = re.compile(r"asg-swap 1 listens on (127\.0\.0\.1:\d+)")


def test_an_engine_of_hollowtrees_has_members_swapped_by_the_plugin_as_a_server_of_its_own(
    scenery: Scenery, spotward: Program, on_spot: str, tmp_path: Path
) -> None:
    other = scenery.group(size=1, opted_in=False)
    (tmp_path / "tokens").write_text(TOKEN)
    file = tmp_path / "plugin-config.yaml"
    said: dict[str, Any] = {
        "port": 0,
        "region": "us-east-1",
        "token_file": str(tmp_path / "tokens"),
        "state": str(tmp_path / "journal"),
        "groups": GROUPS,
    }
    file.write_text(json.dumps(said))
    costly, launched = dearest(scenery, on_spot), len(scenery.launched())
    with spotward.running("plugin", "serve", "asg-swap", "--config", file) as server:

        def listening() -> str | None:
            found = LISTENS.search(server.said)
            return found[1] if found else None

        with grpc.insecure_channel(scenery.until(listening, seconds_max=150)) as channel:
            call = _old_call(channel)
            kind = "prometheus.server.alert.SpotInstanceTooExpensive"
            for number in (1, 2):
                event = AlertEvent(eventId=f"e-{number}", eventType=kind, data={"instance_id": costly.id})
                assert call(event, TOKEN).status == "ok"
            assert len(scenery.launched()) == launched + 1
            assert costly.id not in scenery.spot(on_spot)

            for event, code, words in (
                (
                    AlertEvent(eventId="e-3", eventType=kind, data={"instance_id": scenery.on_demand(other)[0]}),
                    grpc.StatusCode.FAILED_PRECONDITION,
                    "tag it spotward:enabled=true to opt in",
                ),
                (
                    AlertEvent(eventId="e-4", eventType=kind, data={"instance_id": "i-0123456789abcdef0"}),
                    grpc.StatusCode.FAILED_PRECONDITION,
                    "EC2 knows no instance i-0123456789abcdef0 in us-east-1",
                ),
            ):
                with pytest.raises(grpc.RpcError) as caught:
                    call(event, TOKEN)
                assert caught.value.code() is code
                assert words in str(caught.value.details())
            with pytest.raises(grpc.RpcError) as caught:
                call(event, "nobody's token at all")
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
            unknown = AlertEvent(eventId="e-5", eventType="upscaling", data={"instance_id": costly.id})
            assert call(unknown, TOKEN).status == "ok", "as the old servers answered; the log says why nothing was done"
        assert server.stop(signal.SIGTERM) == Exit.DONE
        assert "Traceback" not in server.said
        assert "does not say that anything be replaced" in server.said
    assert len(scenery.spot(on_spot)) == 2


def _old_call(channel: grpc.Channel) -> Callable[[AlertEvent, str], ActionResult]:
    """`HandleAlert`, as a client of the old contract makes it."""
    handle = channel.unary_unary(
        "/action.Action/HandleAlert",
        request_serializer=AlertEvent.SerializeToString,
        response_deserializer=ActionResult.FromString,
    )

    def call(event: AlertEvent, token: str) -> ActionResult:
        answer: ActionResult = handle(event, metadata=(("authorization", f"Bearer {token}"),), timeout=120)
        return answer

    return call
