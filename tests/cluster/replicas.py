"""Two replicas of `spotward run`: real processes, a real control plane, the embedded cloud. And their owner, who starts
a dead one again, as a Deployment would."""

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from spotward.emulator.server import Emulator
from tests.cli.program import Program, Ran, Running, is_change
from tests.cli.scenery import Scenery
from tests.cluster.control_plane import SPOTWARD, ControlPlane
from tests.cluster.room import NAMESPACE
from tests.emulator.clients import eventually

SPEED = 20.0
"""Virtual seconds in one of ours: a take-over of ten of our seconds is some minutes there."""

SETTINGS = """
store: {{kind: kubernetes, namespace: {namespace}, name: {journal}}}
observe_seconds: 20
groups:
  running_timeout_seconds: 36000
  attach_timeout_seconds: 36000
  in_service_timeout_seconds: 36000
"""
"""While nobody acts, minutes of virtual time go by: nothing is given up for that."""

START_SECONDS_MAX = 150.0
"""A process on a busy machine, and the one before it may have to be outlived by its lease."""

STILL_SECONDS = 0.3
"""A replica that changed nothing for so long is in the middle of no call that changes something."""

_journals = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Replica:
    """One process."""

    running: Running
    cloud: Emulator

    @property
    def readiness(self) -> dict[str, Any]:
        """What /readyz says; empty if nobody answers."""
        try:
            found: dict[str, Any] = requests.get(f"{self.running.pages}/readyz", timeout=2).json()
        except (requests.RequestException, ValueError):
            return {}
        return found

    @property
    def acts(self) -> bool:
        """Is it its turn?"""
        return self.readiness.get("standby", "") is None

    @property
    def stands_by(self) -> bool:
        return "held by" in str(self.readiness.get("standby", ""))

    def changes(self, since: float = 0.0) -> list[str]:
        """Calls of it that change something, from a virtual time on."""
        mine = [c for c in self.cloud.calls.newest() if c.access_key == self.running.key and c.time >= since]
        return [call.name for call in mine if is_change(call.name) and not call.name.startswith("sqs.")]

    def is_still(self) -> bool:
        """Has it changed something, and is it waiting now for what that leads to?"""
        mine = [c.time for c in self.cloud.calls.newest() if c.access_key == self.running.key and is_change(c.name)]
        return bool(self.changes()) and self.cloud.clock.now() - max(mine) > STILL_SECONDS * SPEED

    def send(self, number: signal.Signals) -> None:
        self.running.process.send_signal(number)


@dataclass
class Pair:
    """The replicas of one journal."""

    program: Program
    settings: Path
    cloud: Emulator
    stack: ExitStack
    replicas: list[Replica] = field(default_factory=list)

    def start(self) -> Replica:
        """One more."""
        words = ("run", "--config", self.settings, "--queue", "spotward", "--port", "0", "--log", "json")
        running = self.stack.enter_context(self.program.running(*words))
        eventually(lambda: running.says('"started"') and running.pages, seconds_max=START_SECONDS_MAX)
        replica = Replica(running=running, cloud=self.cloud)
        self.replicas.append(replica)
        return replica

    def two(self) -> tuple[Replica, Replica]:
        """Both at work: the one that acts, and the one that stands by."""
        first = self.start()
        eventually(lambda: first.acts, seconds_max=START_SECONDS_MAX)
        second = self.start()
        eventually(lambda: second.stands_by, seconds_max=START_SECONDS_MAX)
        return first, second

    def say(self, *words: str, code: int = 0) -> Ran:
        """Another command on the same journal."""
        return self.program(*words, "--config", self.settings, code=code)

    def one_that_acts(self) -> Replica | None:
        """The first that says so."""
        return next((each for each in self.replicas if each.acts), None)

    def bury(self, replica: Replica) -> None:
        self.replicas.remove(replica)
        replica.running.process.wait()


@contextmanager
def pair(control_plane: ControlPlane, scenery: Scenery, folder: Path) -> Iterator[Pair]:
    """Two replicas to come, of a journal of their own. What they said is shown when the test fails."""
    settings = folder / "spotward.yaml"
    settings.write_text(SETTINGS.format(namespace=NAMESPACE, journal=f"pair-{os.getpid()}-{next(_journals)}"))
    environment = scenery.cloud.environment(region=scenery.region) | {
        "KUBECONFIG": str(control_plane.kubeconfig(SPOTWARD))
    }
    program = Program(environment=environment, state=folder / "state", cloud=scenery.cloud)
    with ExitStack() as stack:
        yield Pair(program=program, settings=settings, cloud=scenery.cloud, stack=stack)


def seconds_until(question: Callable[[], object], *, seconds_max: float) -> float:
    """How long it took to become true."""
    begun = time.perf_counter()
    eventually(question, seconds_max=seconds_max)
    return time.perf_counter() - begun
