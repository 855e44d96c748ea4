"""A real Prometheus and a real Alertmanager, each a process of its own on a free port of the loopback address.

They come from the system's packages (`make prometheus`). Each gets a folder for its configuration, its data and its
log, is ready when it says so itself (`/-/ready`), and is stopped with its test. Configurations are values: what is
written to the file is JSON, which is YAML as well.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.emulator.clients import eventually
from tests.ports import free_port

NAMES = {
    "prometheus": ("prometheus",),
    "promtool": ("promtool",),
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),
    "amtool": ("amtool",),
}
"""Debian's names, and those of Prometheus' own downloads."""

READY_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 20.0
PROMETHEUS_FILE = "prometheus.yml"
RULES_FILE = "rules.yml"


def program(name: str) -> str:
    """Where it is; a test that needs it fails with the next step where it is not."""
    for candidate in NAMES[name]:
        found = shutil.which(candidate) or shutil.which(candidate, path="/usr/bin:/usr/sbin:/usr/local/bin")
        if found:
            return found
    pytest.fail(f"{name} is not installed; `make prometheus` installs it", pytrace=False)


@dataclass(frozen=True, kw_only=True)
class Server:
    """One that runs."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def said(self) -> str:
        """Its log so far."""
        return (self.folder / "log").read_text()

    def get(self, path: str, **parameters: str) -> Any:
        """A page of its API, read as JSON; fails where it is refused."""
        answer = requests.get(f"{self.url}{path}", params=parameters, timeout=30)
        assert answer.ok, f"{path} {parameters}: {answer.status_code} {answer.text}"
        return answer.json()

    def is_ready(self) -> bool:
        """Does it say so itself?"""
        assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.said[-3000:]}"
        try:
            return requests.get(f"{self.url}/-/ready", timeout=5).ok
        except requests.ConnectionError:
            return False


@dataclass(frozen=True, kw_only=True)
class Prometheus(Server):
    """A Prometheus."""

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What the expression gives now: `metric` and `value` of each series. Fails if Prometheus cannot read it."""
        found: list[dict[str, Any]] = self.get("/api/v1/query", query=expression)["data"]["result"]
        return found

    def alerts(self, name: str | None = None) -> list[dict[str, Any]]:
        """Alerts that are pending or firing, all of them or those of one name."""
        alerts: list[dict[str, Any]] = self.get("/api/v1/alerts")["data"]["alerts"]
        return [alert for alert in alerts if name in {None, alert["labels"]["alertname"]}]

    def targets(self) -> dict[str, str]:
        """Address that is scraped → `up`, `down` or `unknown`."""
        targets = self.get("/api/v1/targets", state="active")["data"]["activeTargets"]
        return {target["scrapeUrl"]: target["health"] for target in targets}


@dataclass(frozen=True, kw_only=True)
class Alertmanager(Server):
    """An Alertmanager."""

    def alerts(self, name: str | None = None) -> list[dict[str, Any]]:
        """Alerts that it knows and that are not resolved, all of them or those of one name."""
        alerts: list[dict[str, Any]] = self.get("/api/v2/alerts")
        return [alert for alert in alerts if name in {None, alert["labels"]["alertname"]}]


@contextmanager
def prometheus_running(
    folder: Path, config: Mapping[str, Any], rules: Mapping[str, Any] | None = None
) -> Iterator[Prometheus]:
    """One with this configuration (of which `rule_files` is ours where `rules` are given), until it is left."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RULES_FILE).write_text(json.dumps(rules or {"groups": []}))
    own = {} if rules is None else {"rule_files": [str(folder / RULES_FILE)]}
    (folder / PROMETHEUS_FILE).write_text(json.dumps({**config, **own}))
    port = free_port()
    words = [
        program("prometheus"),
        f"--config.file={folder / PROMETHEUS_FILE}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--web.enable-lifecycle",
    ]
    with _process(words, folder) as process:
        server = Prometheus(url=f"http://127.0.0.1:{port}", folder=folder, process=process)
        eventually(server.is_ready, seconds_max=READY_SECONDS_MAX)
        yield server


@contextmanager
def alertmanager_running(folder: Path, config: Mapping[str, Any]) -> Iterator[Alertmanager]:
    """One with this configuration and no peers, until it is left."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "alertmanager.yml").write_text(json.dumps(config))
    port = free_port()
    words = [
        program("alertmanager"),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.path={folder / 'data'}",
        "--cluster.listen-address=",
    ]
    with _process(words, folder) as process:
        server = Alertmanager(url=f"http://127.0.0.1:{port}", folder=folder, process=process)
        eventually(server.is_ready, seconds_max=READY_SECONDS_MAX)
        yield server


@contextmanager
def _process(words: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
