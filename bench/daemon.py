"""What the daemon costs that looks after five hundred groups of twenty and finds nothing to do.

Every member is on demand and the groups' tags want it so: each observation goes through all of it, and decides nothing.
"""

import json
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.cloud import EmbeddedCloud, embedded_cloud
from bench.measure import BenchError, Measure
from bench.process import SPOTWARD, cpu_seconds, peak_memory_mib
from spotward.emulator.stage import GroupPlan

GROUPS, SIZE = 500, 20
TYPES = ("m5.large", "c5.xlarge", "r5.large")
REGION = "us-east-1"
ACCESS_KEY = "AKIABENCHDAEMON00000"

SPEED = 10.0
"""The daemon looks every sixty virtual seconds: here every six, which must be longer than one look takes."""

STEADY_OBSERVATIONS = 4
POLL_SECONDS = 0.1
SECONDS_MAX = 120.0

MEMORY_MIB_MAX, FIRST_CPU_SECONDS_MAX, STEADY_CPU_SECONDS_MAX = 230.0, 8.0, 3.0


def measures() -> Iterator[Measure]:
    """Memory, and processor time of the first observation and of a later one."""
    with embedded_cloud(speed=SPEED) as cloud:
        _stage(cloud)
        with _daemon(cloud) as daemon:
            start = daemon.cpu_seconds
            daemon.wait_for_observation()
            first = daemon.rested_cpu_seconds()
            yield Measure(name="start, CPU", figure=start, unit="s")
            yield Measure(name="first observation, CPU", figure=first - start, unit="s", at_most=FIRST_CPU_SECONDS_MAX)
            for _ in range(STEADY_OBSERVATIONS):
                daemon.wait_for_observation()
            steady = (daemon.rested_cpu_seconds() - first) / STEADY_OBSERVATIONS
            yield Measure(name="one steady observation, CPU", figure=steady, unit="s", at_most=STEADY_CPU_SECONDS_MAX)
            yield Measure(name="one scrape of /metrics, CPU", figure=daemon.scrape_cpu_seconds(), unit="s")
            yield Measure(name="peak memory", figure=daemon.memory_mib, unit="MiB", at_most=MEMORY_MIB_MAX)


def _stage(cloud: EmbeddedCloud) -> None:
    hand = cloud.hand(REGION)
    network = hand.build_network()
    plans = [
        GroupPlan(
            name=f"group-{at:03d}",
            size=SIZE,
            instance_type=TYPES[at % len(TYPES)],
            tags=(("spotward:on-demand-percentage", "100"),),
        )
        for at in range(GROUPS)
    ]
    hand.build_groups(network, plans)
    hand.wait_in_service(plans, seconds_max=SECONDS_MAX)
    hand.build_queue()  # only now, so that the daemon does not begin with ten thousand old events


class _Daemon:
    """A running `spotward run`, seen from outside."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self._process, self._url = process, url
        self._observed: float | None = None
        """Age of the newest observation that was waited for, when it was last asked."""

    @property
    def memory_mib(self) -> float:
        """The most so far."""
        return peak_memory_mib(self._process.pid)

    @property
    def cpu_seconds(self) -> float:
        """Processor time so far."""
        return cpu_seconds(self._process.pid)

    def wait_for_observation(self) -> None:
        """Until the region has been observed once more."""
        deadline = time.perf_counter() + SECONDS_MAX
        while time.perf_counter() < deadline:
            age, known = self._age_seconds(), self._observed
            self._observed = age
            if age is not None and (known is None or age < known):
                return
            time.sleep(POLL_SECONDS)
        raise BenchError(f"the daemon did not look at {REGION} within {SECONDS_MAX:g} s")

    def rested_cpu_seconds(self) -> float:
        """Processor time so far, once it works no more."""
        before = -1.0
        while (now := self.cpu_seconds) - before > 0.01:
            before = now
            time.sleep(POLL_SECONDS)
        return now

    def scrape_cpu_seconds(self) -> float:
        """What one reading of all metrics costs."""
        before = self.rested_cpu_seconds()
        with urllib.request.urlopen(f"{self._url}/metrics") as answer:
            answer.read()
        return self.cpu_seconds - before

    def _age_seconds(self) -> float | None:
        try:
            with urllib.request.urlopen(f"{self._url}/readyz") as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:  # not ready yet; the body is the same
            text = error.read()
        age: float | None = json.loads(text)["observation_age_seconds"][REGION]
        return age


@contextmanager
def _daemon(cloud: EmbeddedCloud) -> Iterator[_Daemon]:
    with tempfile.TemporaryDirectory(prefix="spotward-bench-") as directory:
        lines = Path(directory) / "log"
        command = [*SPOTWARD, "run", "--region", REGION, "--queue", "spotward", "--port", "0"]
        command += ["--state", directory, "--log", "json"]
        environment = cloud.environment_of(region=REGION, access_key=ACCESS_KEY)
        with lines.open("w") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT, text=True)
        try:
            yield _Daemon(process, _pages_of(process, lines))
        finally:
            process.terminate()
            process.wait(timeout=30)


def _pages_of(process: "subprocess.Popen[str]", log: Path) -> str:
    """Where the daemon says that its pages are."""
    deadline = time.perf_counter() + SECONDS_MAX
    while process.poll() is None and time.perf_counter() < deadline:
        found = re.search(r'"pages": "([^"]+)"', log.read_text())
        if found:
            return found[1] if "://" in found[1] else f"http://{found[1]}"
        time.sleep(POLL_SECONDS)
    raise BenchError(f"spotward run did not start:\n{log.read_text()[-2000:]}")
