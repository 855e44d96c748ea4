"""Sources of events at once, in one daemon: an alert for an old rule, gRPC, the queue and the clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from spotward.engine.store import SqliteStore
from spotward.model.world import World
from spotward.plugins.wire.cloudevents_pb2 import CloudEvent, PublishRequest
from spotward.web.doors.by_grpc import SERVICE
from tests.cli.program import Program, Running
from tests.cli.scenery import Scenery
from tests.journey.test_flows import TOKEN, Doors, Recorder, served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RULES = """
version: 1
schedule:
  often: {{every: 1m, missed: run}} # of the embedded cloud's clock, a second of ours: a busy machine is late
plugins:
  recorder: {{address: "127.0.0.1:{port}"}}
rules:
  - {{name: by-grpc, events: com.example.thing, steps: [{{plugin: recorder, name: published, timeout: 1h}}]}}
  - {{name: by-queue, events: com.example.orders.*, steps: [{{plugin: recorder, name: queued, timeout: 1h}}]}}
  - {{name: by-clock, events: schedule.often, group_by: type, steps: [{{plugin: recorder, name: struck, timeout: 1h}}]}}
"""

OLD = """
global: {{bindAddr: ":9092"}}
action_plugins: [{{name: old-recorder, address: "127.0.0.1:{port}", type: grpc}}]
action_flows: [{{name: old, event_type: prometheus.server.alert.Hot, action_plugins: [old-recorder]}}]
"""

ORDER = {
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "Order Placed",
    "source": "com.example.orders",
    "account": "123456789012",
    "time": "2025-11-22T08:26:01Z",
    "region": "us-east-1",
    "resources": [],
    "detail": {"number": "5"},
}


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def settings(tmp_path: Path, recorder: Recorder) -> Iterator[Path]:
    with served(recorder) as port:
        (tmp_path / "rules.yaml").write_text(RULES.format(port=port))
        (tmp_path / "config.yaml").write_text(OLD.format(port=port))
        (tmp_path / "tokens").write_text(TOKEN)
        file = tmp_path / "spotward.yaml"
        flows = {"rules": str(tmp_path / "rules.yaml")}
        compat = {"hollowtrees": str(tmp_path / "config.yaml")}
        doors = {"port": 0, "grpc_port": 0, "token_file": str(tmp_path / "tokens")}
        file.write_text(json.dumps({"observe_seconds": 86400, "flows": flows, "compat": compat, "doors": doors}))
        yield file


def publish(daemon: Running) -> None:
    started = next(json.loads(line) for line in daemon.said.splitlines() if '"grpc_door"' in line)
    event = CloudEvent(id="e-1", source="/test", spec_version="1.0", type="com.example.thing", text_data='{"a": "b"}')
    body = PublishRequest(event=event).SerializeToString()
    with grpc.insecure_channel(started["grpc_door"]) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{SERVICE}/Publish")
        assert call(body, timeout=60, metadata=(("authorization", f"Bearer {TOKEN}"),)) == b""


def test_what_comes_by_any_way_begins_the_flow_of_its_rule(
    scenery: Scenery, spotward: Program, settings: Path, recorder: Recorder
) -> None:
    words = ("run", "--config", settings, "--queue", "spotward", "--port", "0", "--log", "json")
    with spotward.running(*words) as daemon:
        assert Doors(daemon, scenery).alert("n-1") == 200
        publish(daemon)
        scenery.hand.sqs.send_message(QueueUrl=str(scenery.queue_url), MessageBody=json.dumps(ORDER))
        scenery.until(lambda: wanted(recorder), seconds_max=150)
    said = daemon.said
    assert "no door opens by itself" in said, "what of the old file is otherwise is told at the start"
    assert "Traceback" not in said
    old = next(call for call in recorder.calls if call.event.type == "prometheus.server.alert.Hot")
    assert old.event.labels["instance"] == "n-1"
    queued = next(call for call in recorder.calls if call.step == "queued")
    assert queued.event.data["detail"] == {"number": "5"}
    dues = [call.event.data["due"] for call in recorder.calls if call.step == "struck"]
    assert len(dues) == len(set(dues)) >= 2
    struck = asyncio.run(remembered(spotward)).turns["schedule: often"]
    assert struck.number >= 2, "what was struck last outlives the process"


async def remembered(spotward: Program) -> World:
    """What the next start will know."""
    store = SqliteStore.to_read(spotward.state)
    try:
        return (await store.load()).world
    finally:
        await store.close()


def wanted(recorder: Recorder) -> bool:
    """Was it called for each of them, and by the clock twice?"""
    steps = [call.step for call in recorder.calls]
    old = any(call.event.type == "prometheus.server.alert.Hot" for call in recorder.calls)
    return old and {"published", "queued"} <= set(steps) and steps.count("struck") >= 2
