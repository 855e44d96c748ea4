"""From a CloudEvent that stands in its sender's trace to the plugin that it leads to, by a daemon of its own."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from spotward.cli.exits import Exit
from tests.cli.program import Program
from tests.cli.scenery import Scenery
from tests.journey.test_flows import TOKEN, Doors, Recorder, served
from tests.web.traces.collector import collecting

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TRACE, SENDER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

RULES = """
version: 1
plugins:
  recorder: {{address: "127.0.0.1:{port}"}}
rules:
  - name: hot
    events: com.example.hot
    steps: [{{plugin: recorder, timeout: 1h}}]
"""


def test_a_trace_goes_through_from_the_sender_to_the_plugin(
    scenery: Scenery, spotward: Program, tmp_path: Path
) -> None:
    recorder = Recorder()
    with served(recorder) as port, collecting() as collector:
        (tmp_path / "rules.yaml").write_text(RULES.format(port=port))
        (tmp_path / "tokens").write_text(TOKEN)
        settings = tmp_path / "spotward.yaml"
        doors = {"port": 0, "token_file": str(tmp_path / "tokens")}
        flows, traces = {"rules": str(tmp_path / "rules.yaml")}, {"endpoint": collector.endpoint}
        settings.write_text(json.dumps({"observe_seconds": 86400, "flows": flows, "doors": doors, "traces": traces}))
        with spotward.running("run", "--config", settings, "--port", "0", "--log", "json") as daemon:
            event: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "/s", "type": "com.example.hot"}
            answer = requests.post(
                f"{Doors(daemon, scenery).address}/events",
                json={**event, "traceparent": f"00-{TRACE}-{SENDER}-01"},
                headers={"content-type": "application/cloudevents+json", "authorization": f"Bearer {TOKEN}"},
                timeout=30,
            )
            assert answer.status_code == 200
            scenery.until(lambda: collector.named("call-plugin"), seconds_max=150)
            assert daemon.stop() == Exit.DONE
        (call,) = collector.named("call-plugin")
        ours = {span.span_id: span for span in collector.spans if span.trace_id == TRACE}
    (told,) = recorder.calls
    assert told.traceparent == f"00-{TRACE}-{call.span_id}-01", "the plugin is told of the very span of its call"
    line = [call]
    while line[-1].parent_id != SENDER:
        line.append(ours[line[-1].parent_id])
    assert [span.name for span in line] == ["call-plugin", "page", "occurred"]
    assert call.attributes["spotward.idempotency_key"] == told.key
