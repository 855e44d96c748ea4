"""What is secret never reaches a log, nor what commands print: a run with secrets that can be told from all else."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from tests.cli.program import Program
from tests.emulator.clients import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CANARIES = {
    name: f"canary-{name}-8c1f7e5d9b3a"
    for name in ("door-token", "wrong-token", "plugin-token", "slack-path", "hook-path", "hook-token", "mail-password")
}

RULES = """
version: 1
plugins:
  away: {{address: "127.0.0.1:{port}"}}
rules:
  - name: hot
    events: prometheus.server.alert.Hot
    steps:
      - {{plugin: notify, name: slack, properties: {{to: [slack], text: hot}}, on_failure: continue}}
      - {{plugin: notify, name: hook, properties: {{to: [hook], text: hot}}, on_failure: continue}}
      - {{plugin: notify, name: mail, properties: {{to: [mail], text: hot}}, on_failure: continue}}
      - {{plugin: away, timeout: 5s}}
"""


@pytest.fixture(scope="module")
def quiet_cloud() -> Iterator[Emulator]:
    with Emulator(EmulatorSettings(seed=6, speed=1.0)) as emulator:
        yield emulator


def closed_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def test_secrets_are_in_no_line_that_a_run_writes_however_much_goes_wrong(
    quiet_cloud: Emulator, tmp_path: Path
) -> None:
    surroundings = {**quiet_cloud.environment(), "AWS_REGION": "us-east-1"}
    program = Program(environment=surroundings, state=tmp_path / "state", cloud=quiet_cloud)
    settings = _settings(tmp_path)
    with program.running("run", "--config", settings, "--port", "0", "--log", "json") as daemon:
        line = eventually(lambda: daemon.says("started") and _started(daemon.said), seconds_max=120)
        alerts = f"{line['doors']}/api/v2/alerts"
        for token, status in (("wrong-token", 401), ("door-token", 200)):
            answer = requests.post(
                f"{alerts}?token={CANARIES[token]}",
                json=[{"labels": {"alertname": "Hot"}, "startsAt": "2025-11-22T08:26:01Z"}],
                headers={"authorization": f"Bearer {CANARIES[token]}"},
                timeout=30,
            )
            assert answer.status_code == status
        listed = eventually(lambda: _failed(program, settings), seconds_max=120)
        shown = program("flows", "show", listed.split()[0], "--config", settings).said
        figures = daemon.page("/metrics").text
        assert daemon.stop() == 0
    said = {
        "log": daemon.said,
        "flows list": listed,
        "flows show": shown,
        "metrics": figures,
        "settings": program("config", "settings").said,
        "journal": (tmp_path / "state" / "journal.sqlite").read_bytes().decode("latin-1"),
    }
    assert "slack" in shown
    found = [(where, name) for where, text in said.items() for name, canary in CANARIES.items() if canary in text]
    assert found == []


def _started(said: str) -> dict[str, str] | None:
    lines = (json.loads(line) for line in said.splitlines() if '"started"' in line)
    return next(lines, None)


def _failed(program: Program, settings: Path) -> str | None:
    lines = program("flows", "list", "--failed", "--config", settings).out.splitlines()
    return lines[1] if len(lines) > 1 else None


def _settings(folder: Path) -> Path:
    def secret(name: str, text: str) -> str:
        (folder / name).write_text(text)
        return str(folder / name)

    away = f"http://127.0.0.1:{closed_port()}"
    (folder / "rules.yaml").write_text(RULES.format(port=closed_port()))
    told = {
        "observe_seconds": 86_400,
        "doors": {"port": 0, "token_file": secret("tokens", CANARIES["door-token"])},
        "flows": {
            "rules": str(folder / "rules.yaml"),
            "plugins": {"away": {"token_file": secret("plugin", CANARIES["plugin-token"])}},
            "notify": {
                "slack": {"kind": "slack", "url_file": secret("slack", f"{away}/services/{CANARIES['slack-path']}")},
                "hook": {
                    "kind": "webhook",
                    "url": f"{away}/{CANARIES['hook-path']}",
                    "token_file": secret("hook", CANARIES["hook-token"]),
                },
                "mail": {
                    "kind": "email",
                    "host": "127.0.0.1",
                    "port": closed_port(),
                    "user": "me",
                    "password_file": secret("mail", CANARIES["mail-password"]),
                    "sender": "a@example.org",
                    "to": ["b@example.org"],
                },
            },
        },
    }
    file = folder / "spotward.yaml"
    file.write_text(json.dumps(told))
    return file
