"""Ten thousand alerts within seconds, and the daemon killed three times meanwhile: nothing is lost, nothing is doubled.

The daemon and the plugin are processes of their own. Whoever sends says again what was not answered with 200, as
Prometheus does. What it cost is printed: `pytest -rP tests/journey/test_burst.py`.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import pytest
import requests

from bench.process import peak_memory_mib
from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from tests.cli.program import Program, Running
from tests.emulator.clients import eventually
from tests.journey.ledger import REFUSAL, Ledger, ledger

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ALERTS = 10_000
BATCH = 64
"""Alerts in a POST: what Prometheus sends."""
SENDERS = 4
KILLED_AT = (0.02, 0.3, 0.65)
"""Shares of all that is to be done: first in the middle of the sending, and twice in the middle of the work."""
FAULT_EVERY = 100
"""One of so many is refused by the plugin, and another one fails at its first try."""
TWO_STEPS_EVERY = 10
"""One of so many has a second step."""
SECONDS_MAX = 400.0

RULES = """
version: 1
plugins:
  ledger: {{address: "127.0.0.1:{port}", at_once: 64}}
rules:
  - name: hot
    events: prometheus.server.alert.Hot
    group_by: labels.instance
    steps:
      - {{plugin: ledger, name: first, retries: 9, backoff: {{first: 0.2s, max: 1s}}}}
      - plugin: ledger
        name: second
        retries: 9
        backoff: {{first: 0.2s, max: 1s}}
        when: {{labels.tier: gold}}
"""


@pytest.fixture(scope="module")
def quiet_cloud() -> Iterator[Emulator]:
    """A region in which there is nothing, at the speed of our own time."""
    with Emulator(EmulatorSettings(seed=5, speed=1.0)) as emulator:
        yield emulator


@dataclass
class Daemon:
    """A daemon that is started again whenever it was killed."""

    program: Program
    settings: Path
    address: str = ""
    memory_mib: float = 0.0
    rests_seconds: list[float] = field(default_factory=list)
    """From each start of the process, how long until a step was done."""

    @contextmanager
    def running(self, plugin: Ledger) -> Iterator[Running]:
        before, begun = plugin.effects, time.perf_counter()
        with self.program.running("run", "--config", self.settings, "--port", "0", "--log", "json") as process:
            self.address = eventually(lambda: process.says("started") and _doors(process.said), seconds_max=120)
            resumed = Thread(target=self._resumed, args=(plugin, before, begun))
            resumed.start()
            watched = Thread(target=self._watch, args=(process,))
            watched.start()
            try:
                yield process
            finally:
                resumed.join()
                watched.join()

    def _resumed(self, plugin: Ledger, before: int, begun: float) -> None:
        eventually(lambda: plugin.effects > before, seconds_max=120)
        self.rests_seconds.append(time.perf_counter() - begun)

    def _watch(self, process: Running) -> None:
        """Its memory, until it ends."""
        while process.process.poll() is None:
            with suppress(OSError):
                self.memory_mib = max(self.memory_mib, peak_memory_mib(process.process.pid))
            time.sleep(0.2)


def _doors(said: str) -> str:
    lines = (json.loads(line) for line in said.splitlines() if '"started"' in line)
    return next((str(line["doors"]) for line in lines), "")


def instance(number: int) -> str:
    return f"n-{number:05d}"


def fault(number: int) -> str:
    return {0: "refused", 1: "once"}.get(number % FAULT_EVERY, "")


def steps(number: int) -> list[str]:
    """What is to be done about it."""
    if fault(number) == "refused":
        return []
    return ["first", "second"] if number % TWO_STEPS_EVERY == 0 else ["first"]


def alert(number: int) -> dict[str, object]:
    tier = "iron" if number % TWO_STEPS_EVERY else "gold"
    labels = {"alertname": "Hot", "instance": instance(number), "severity": "critical", "tier": tier}
    if fault(number):
        labels["fault"] = fault(number)
    annotations = {"summary": f"{instance(number)} is hot, and has been for five minutes"}
    told = {"startsAt": "2025-11-22T08:26:01Z", "generatorURL": "http://prometheus:9090/graph"}
    return {"labels": labels, "annotations": annotations, **told}


class Sender:
    """Sends every alert until it is taken."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._left = deque(range(0, ALERTS, BATCH))
        self.answers: Counter[str] = Counter()

    def run(self) -> None:
        with ThreadPoolExecutor(SENDERS) as senders:
            for sender in [senders.submit(self._send) for _ in range(SENDERS)]:
                sender.result()

    def _send(self) -> None:
        with requests.Session() as session:
            while self._left:
                first = self._left.popleft()
                body = json.dumps([alert(number) for number in range(first, min(first + BATCH, ALERTS))])
                while self._answer(session, body) != "200":
                    time.sleep(0.1)

    def _answer(self, session: requests.Session, body: str) -> str:
        try:
            answer = str(session.post(f"{self._daemon.address}/api/v2/alerts", data=body, timeout=30).status_code)
        except requests.RequestException as error:
            answer = type(error).__name__
        self.answers[answer] += 1
        return answer


def test_of_ten_thousand_alerts_in_a_burst_none_is_lost_and_none_is_doubled_though_the_daemon_is_killed_three_times(
    quiet_cloud: Emulator, tmp_path: Path
) -> None:
    program = Program(environment=quiet_cloud.environment(), state=tmp_path / "state", cloud=quiet_cloud)
    wanted = sum(len(steps(number)) for number in range(ALERTS))
    with ledger(tmp_path / "ledger.txt") as plugin, ThreadPoolExecutor(1) as beside:
        daemon = Daemon(_in_a_region(program), _settings(tmp_path, plugin))
        sender = Sender(daemon)
        sent, begun = None, time.perf_counter()
        for share in KILLED_AT:
            with daemon.running(plugin) as process:
                sent = sent or beside.submit(sender.run)
                _wait_for(plugin, int(wanted * share))
                process.process.kill()
                process.process.wait()
        with daemon.running(plugin) as process:
            _wait_for(plugin, wanted)
            assert sent is not None
            sent.result(timeout=SECONDS_MAX)
            eventually(lambda: "no flow" in _listed(daemon, "--open"), seconds_max=60)
            seconds = time.perf_counter() - begun
            failed = _listed(daemon, "--failed").splitlines()[1:]
            assert process.stop() == 0
            assert "Traceback" not in process.said
    assert len(sender.answers) > 1, "it was killed while alerts were sent"
    _nothing_was_lost_or_doubled(plugin)
    assert {line.split()[1] for line in failed} == {instance(n) for n in range(ALERTS) if fault(n) == "refused"}
    assert all(REFUSAL in line for line in failed)
    rests = ", ".join(f"{each:.1f}" for each in daemon.rests_seconds[1:])
    print(  # noqa: T201 - the figures are half of what is wanted to be known
        f"{ALERTS:,} alerts from the start to the last step in {seconds:.1f} s, {len(KILLED_AT)} kills included: "
        f"{ALERTS / seconds:.0f}/s. From each kill until a further step was done: {rests} s. "
        f"Peak memory {daemon.memory_mib:.0f} MiB. Answers to the sender: {dict(sender.answers)}"
    )


def _wait_for(plugin: Ledger, effects: int) -> None:
    eventually(lambda: plugin.effects >= effects, seconds_max=SECONDS_MAX)


def _nothing_was_lost_or_doubled(plugin: Ledger) -> None:
    effects = [(who, step, key) for key, who, step in plugin.lines("effect")]
    keys = {(who, step): key for who, step, key in effects}
    assert len(effects) == len(keys) == len(set(keys.values())), "each step has one effect and one key"
    done: dict[str, list[str]] = {}
    for who, step, _ in effects:
        done.setdefault(who, []).append(step)
    assert done == {instance(number): steps(number) for number in range(ALERTS) if steps(number)}, "in their order"
    refused = sum(fault(number) == "refused" for number in range(ALERTS))
    called = {key for (key,) in plugin.lines("call")}
    assert len(called) == len(effects) + refused, "each step was asked under one key"


def _in_a_region(program: Program) -> Program:
    return Program(
        environment={**program.environment, "AWS_REGION": "us-east-1"}, state=program.state, cloud=program.cloud
    )


def _settings(folder: Path, plugin: Ledger) -> Path:
    (folder / "rules.yaml").write_text(RULES.format(port=plugin.port))
    told = {
        "observe_seconds": 86_400,
        "flows": {"rules": str(folder / "rules.yaml")},
        "doors": {"port": 0, "insecure": True},
    }
    file = folder / "spotward.yaml"
    file.write_text(json.dumps(told))
    return file


def _listed(daemon: Daemon, *words: str) -> str:
    return daemon.program("flows", "list", *words, "--config", daemon.settings).out
