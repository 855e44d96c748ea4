"""A plugin that fails, hangs, dies in the middle or is slow holds up its own chains, and no others.

Each is a process of its own. The order of steps is looked at in what the good plugin wrote down; times only as far as
that the good chains were done before the hanging one was given up.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from tests.cli.program import Program
from tests.emulator.clients import eventually
from tests.journey.ledger import Ledger, ledger

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

GOOD_CHAINS = 200
BAD_CHAINS = 20
"""Of each kind: more than a plugin has calls at once, so that some wait for it."""
HANGS_SECONDS = 20

BAD = ("failing", "hanging", "dying", "slow")

RULES = """
version: 1
plugins:
  good: {{address: "127.0.0.1:{good}", properties: {{}}}}
  failing: {{address: "127.0.0.1:{failing}"}}
  hanging: {{address: "127.0.0.1:{hanging}"}}
  dying: {{address: "127.0.0.1:{dying}"}}
  slow: {{address: "127.0.0.1:{slow}"}}
rules:
  - name: good
    events: prometheus.server.alert.good
    steps:
      - {{plugin: good, name: first}}
      - {{plugin: good, name: second}}
      - {{plugin: good, name: third}}
  - name: failing
    events: prometheus.server.alert.failing
    steps: [{{plugin: failing, retries: 1}}, {{plugin: good}}]
  - {{name: hanging, events: prometheus.server.alert.hanging, steps: [{{plugin: hanging, timeout: {hangs}s}}]}}
  - {{name: dying, events: prometheus.server.alert.dying, steps: [{{plugin: dying}}, {{plugin: good}}]}}
  - {{name: slow, events: prometheus.server.alert.slow, steps: [{{plugin: slow}}, {{plugin: good, name: after}}]}}
"""

BAD_PLUGIN = """
import asyncio, os, sys
from spotward.plugins.sdk import plugin, failed, done
from spotward.plugins.sdk.safety import Safety
from spotward.plugins.sdk.serving import Place, Server

@plugin(name=sys.argv[1])
async def bad(call):
    match sys.argv[1]:
        case "failing":
            raise RuntimeError("it broke")
        case "hanging":
            await asyncio.sleep(3600)
        case "dying":
            os._exit(1)
        case _:
            await asyncio.sleep(1)
    return done()

async def main():
    server = Server(bad, Safety(insecure=True), Place(address="127.0.0.1:0"))
    await server.start()
    print(server.port, flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


@contextmanager
def bad_plugin(name: str) -> Iterator[int]:
    """Its port."""
    process = subprocess.Popen([sys.executable, "-c", BAD_PLUGIN, name], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def quiet_cloud() -> Iterator[Emulator]:
    with Emulator(EmulatorSettings(seed=7, speed=1.0)) as emulator:
        yield emulator


def alerts(name: str, number: int) -> list[dict[str, object]]:
    labels = [{"alertname": name, "instance": f"{name}-{at}"} for at in range(number)]
    return [{"labels": each, "startsAt": "2025-11-22T08:26:01Z"} for each in labels]


def test_a_bad_plugin_holds_up_its_own_chains_and_no_others(quiet_cloud: Emulator, tmp_path: Path) -> None:
    surroundings = {**quiet_cloud.environment(), "AWS_REGION": "us-east-1"}
    program = Program(environment=surroundings, state=tmp_path / "state", cloud=quiet_cloud)
    with ExitStack() as stack:
        good = stack.enter_context(ledger(tmp_path / "ledger.txt"))
        ports = {name: stack.enter_context(bad_plugin(name)) for name in BAD}
        settings = _settings(tmp_path, RULES.format(good=good.port, hangs=HANGS_SECONDS, **ports))
        daemon = stack.enter_context(
            program.running("run", "--config", settings, "--port", "0", "--log", "json"),
        )
        line = eventually(lambda: daemon.says("started") and _started(daemon.said), seconds_max=120)
        for name in (*BAD, "good"):
            body = alerts(name, GOOD_CHAINS if name == "good" else BAD_CHAINS)
            answer = requests.post(f"{line['doors']}/api/v2/alerts", data=json.dumps(body), timeout=60)
            assert answer.status_code == 200
        eventually(lambda: len(_of(good, "good")) == GOOD_CHAINS * 3, seconds_max=120)
        assert "hanging failed" not in daemon.said, "good chains were done while others hung"
        eventually(lambda: len(_of(good, "slow")) == BAD_CHAINS, seconds_max=120)
        failed = eventually(lambda: _all_failed(program, settings), seconds_max=180)
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.said
    by_instance: dict[str, list[str]] = {}
    for who, step in _of(good, "good"):
        by_instance.setdefault(who, []).append(step)
    assert list(by_instance.values()) == [["first", "second", "third"]] * GOOD_CHAINS
    assert {step for _, step in _of(good, "slow")} == {"after"}
    assert _of(good, "failing") == _of(good, "dying") == [], "a chain ends at the step that failed"
    for name, why in (("failing", "it broke"), ("hanging", "did not answer"), ("dying", "could not be reached")):
        reasons = [line for line in failed if line.startswith(f"{name}.")]
        assert len(reasons) == BAD_CHAINS
        assert any(why in line for line in reasons)
        assert all(f"{name} failed" in line for line in reasons)


def _of(plugin: Ledger, name: str) -> list[tuple[str, str]]:
    return [(who, step) for _, who, step in plugin.lines("effect") if who.startswith(f"{name}-")]


def _all_failed(program: Program, settings: Path) -> list[str] | None:
    lines = program("flows", "list", "--failed", "--config", settings).out.splitlines()[1:]
    return lines if len(lines) == 3 * BAD_CHAINS else None


def _started(said: str) -> dict[str, str] | None:
    return next((json.loads(line) for line in said.splitlines() if '"started"' in line), None)


def _settings(folder: Path, rules: str) -> Path:
    (folder / "rules.yaml").write_text(rules)
    told = {
        "observe_seconds": 86_400,
        "flows": {"rules": str(folder / "rules.yaml")},
        "doors": {"port": 0, "insecure": True},
    }
    file = folder / "spotward.yaml"
    file.write_text(json.dumps(told))
    return file
