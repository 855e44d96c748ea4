"""Rules at work: an alert comes in, plugins are called in the written order, and a killed daemon goes on."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from spotward.cli.exits import Exit
from spotward.plugins.sdk import Answer, Call, Plugin, done, failed, refused
from tests.cli.program import Program, Running
from tests.cli.scenery import Scenery
from tests.plugins.receiver import Receiver, receiving
from tests.plugins.sdk.served import serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TOKEN = "0123456789abcdef-one"

RULES = """
version: 1
plugins:
  recorder: {{address: "127.0.0.1:{port}"}}
rules:
  - name: hot
    events: prometheus.server.alert.Hot
    group_by: labels.instance
    cooldown: 1h
    steps:
      - plugin: recorder
        name: first
        timeout: 1h # of the embedded cloud's clock, which runs fast
        retries: 50
        backoff: {{first: 0.1s, max: 0.5s}}
      - plugin: recorder
        name: second
        timeout: 1h
        properties: {{of: first}}
      - plugin: notify
        timeout: 1h
        retries: 50
        properties: {{to: [hook], text: "$labels.instance: $earlier.second"}}
"""


class Recorder(Plugin):
    """Keeps what it is asked, and waits where it is told to."""

    name = "recorder"

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.go = threading.Event()
        self.go.set()
        self.answers: list[Answer] = []
        self.hook: Receiver | None = None
        """Who is told by the last step."""

    async def handle(self, call: Call) -> Answer:
        self.calls.append(call)
        await asyncio.to_thread(self.go.wait, 120)
        return self.answers.pop(0) if self.answers else done(f"{call.step} is done")

    def steps(self, instance: str) -> list[str]:
        return [call.step for call in self.calls if call.event.labels["instance"] == instance]


@contextmanager
def served(recorder: Recorder) -> Iterator[int]:
    """Its server, in a thread of its own; the port."""
    ports: list[int] = []
    up, down = threading.Event(), threading.Event()

    async def live() -> None:
        async with serving(recorder) as server:
            ports.append(server.port)
            up.set()
            await asyncio.to_thread(down.wait)

    thread = threading.Thread(target=lambda: asyncio.run(live()), daemon=True)
    thread.start()
    assert up.wait(20)
    try:
        yield ports[0]
    finally:
        down.set()
        thread.join(20)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


class Doors:
    """The doors of a running daemon."""

    def __init__(self, daemon: Running, scenery: Scenery) -> None:
        self.address = scenery.until(lambda: _doors_in(daemon.said), seconds_max=150)

    def alert(self, instance: str, *, token: str | None = TOKEN) -> int:
        alert = {
            "labels": {"alertname": "Hot", "instance": instance},
            "startsAt": "2025-11-22T08:26:01Z",
            "generatorURL": "http://prometheus/graph",
        }
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return requests.post(
            f"{self.address}/api/v2/alerts", data=json.dumps([alert]), headers=headers, timeout=30
        ).status_code


def _doors_in(said: str) -> str | None:
    for line in said.splitlines():
        if '"doors"' in line and (address := json.loads(line).get("doors")):
            return str(address)
    return None


@pytest.fixture
def settings(tmp_path: Path, recorder: Recorder) -> Iterator[Path]:
    with served(recorder) as port, receiving() as hook:
        (tmp_path / "rules.yaml").write_text(RULES.format(port=port))
        (tmp_path / "tokens").write_text(TOKEN)
        file = tmp_path / "spotward.yaml"
        file.write_text(
            json.dumps(
                {
                    "observe_seconds": 86400,
                    "flows": {
                        "rules": str(tmp_path / "rules.yaml"),
                        "notify": {"hook": {"kind": "webhook", "url": hook.url}},
                    },
                    "doors": {"port": 0, "token_file": str(tmp_path / "tokens")},
                }
            )
        )
        recorder.hook = hook
        yield file


def test_an_alert_begins_a_flow_that_calls_its_plugins_in_the_written_order(
    scenery: Scenery, spotward: Program, settings: Path, recorder: Recorder
) -> None:
    recorder.answers = [failed("not yet")]
    with spotward.running("run", "--config", settings, "--port", "0", "--log", "json") as daemon:
        doors = Doors(daemon, scenery)
        assert doors.alert("n-0", token=None) == 401
        assert [doors.alert(f"n-{number}") for number in (1, 2, 1)] == [200] * 3
        hook = recorder.hook
        assert hook is not None
        scenery.until(lambda: len(hook.heard) == 2, seconds_max=150)
        assert daemon.stop(signal.SIGTERM) == Exit.DONE
        assert "Traceback" not in daemon.said
        assert TOKEN not in daemon.said
    steps = sorted([recorder.steps("n-1"), recorder.steps("n-2")], key=len)
    assert steps == [["first", "second"], ["first", "first", "second"]]
    assert {json.loads(body)["text"] for _, _, body in hook.heard} == {"n-1: second is done", "n-2: second is done"}


def test_a_daemon_that_is_killed_in_the_middle_goes_on_at_the_step_that_had_not_answered(
    scenery: Scenery, spotward: Program, settings: Path, recorder: Recorder
) -> None:
    recorder.go.clear()
    words = ("run", "--config", settings, "--port", "0", "--log", "json")
    with spotward.running(*words) as daemon:
        assert Doors(daemon, scenery).alert("n-1") == 200
        scenery.until(lambda: recorder.calls, seconds_max=150)
        daemon.process.kill()
        daemon.process.wait()
    recorder.go.set()
    hook = recorder.hook
    assert hook is not None
    with spotward.running(*words) as daemon:
        scenery.until(lambda: len(hook.heard) == 1, seconds_max=150)
        assert daemon.stop(signal.SIGTERM) == Exit.DONE
    assert recorder.steps("n-1") == ["first", "second"], "the second call of the first step had the first one's effect"
    assert len({call.key for call in recorder.calls}) == 2


def test_a_flow_that_failed_is_listed_shown_and_retried_by_hand(
    scenery: Scenery, spotward: Program, settings: Path, recorder: Recorder
) -> None:
    recorder.answers = [refused("the owner forbids it")]
    words = ("--config", settings)
    with spotward.running("run", *words, "--port", "0", "--log", "json") as daemon:
        doors = Doors(daemon, scenery)
        assert doors.alert("n-1") == 200
        key = scenery.until(lambda: _failed_flow(spotward, settings), seconds_max=150)
        shown = spotward("flows", "show", key, *words).out
        assert "first recorder refused" in " ".join(shown.split())
        assert "the owner forbids it" in shown
        settings.write_text(_with_port(settings, doors.address))
        spotward("flows", "cancel", key, *words, code=Exit.USAGE)
        assert "was taken" in spotward("flows", "retry", key, *words).out
        hook = recorder.hook
        assert hook is not None
        scenery.until(lambda: len(hook.heard) == 1, seconds_max=150)
        assert daemon.stop(signal.SIGTERM) == Exit.DONE
    assert "done" in spotward("flows", "show", key, *words).out
    assert "no flow" in spotward("flows", "list", "--open", *words).out
    assert "no flow is called" in spotward("flows", "show", "nobody", *words, code=Exit.USAGE).said


def _failed_flow(spotward: Program, settings: Path) -> str | None:
    lines = spotward("flows", "list", "--failed", "--config", settings).out.splitlines()
    return lines[1].split()[0] if len(lines) > 1 else None


def _with_port(settings: Path, address: str) -> str:
    told = json.loads(settings.read_text())
    told["doors"]["port"] = int(address.rpartition(":")[2])
    return json.dumps(told)
