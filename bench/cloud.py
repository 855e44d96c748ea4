"""The embedded cloud as a stranger has it: `spotward emulate` in a process of its own, spoken to over HTTP.

So the clock, the interpreter and the memory of what is measured are shared with nobody. Each run of Spotward has an
access key of its own, by which the cloud's call log tells its calls from all others.
"""

import json
import subprocess
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.measure import BenchError
from bench.process import SPOTWARD, cpu_seconds, environment
from spotward.emulator.stage import StageHand
from spotward.engine.clock import CLOCK_VARIABLE

RUN_SECONDS_MAX = 300.0
"""A run that takes longer is broken, or the machine is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One `spotward run --once`."""

    wall_seconds: float
    virtual_seconds: float
    calls: Counter[str]
    """Operation → how often, as the cloud counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbeddedCloud:
    """A running one."""

    process: "subprocess.Popen[str]"
    environment: dict[str, str]
    speed: float
    start_seconds: float
    """From the start of the process until it answers."""

    @property
    def url(self) -> str:
        """Its endpoint."""
        return self.environment["AWS_ENDPOINT_URL"]

    @property
    def cpu_seconds(self) -> float:
        """What it has cost so far."""
        return cpu_seconds(self.process.pid)

    def hand(self, region: str) -> StageHand:
        """Who builds in a region."""
        return StageHand(self.url, region=region)

    def environment_of(self, *, region: str, access_key: str) -> dict[str, str]:
        """What a program needs to find it."""
        own = {"AWS_DEFAULT_REGION": region, "AWS_REGION": region, "AWS_ACCESS_KEY_ID": access_key}
        return environment() | self.environment | own

    def calls_of(self, access_key: str) -> Counter[str]:
        """Operation → how often it was called by one program."""
        with urllib.request.urlopen(f"{self.url}/_spotward/calls") as answer:
            return Counter(json.load(answer)["by_access_key"].get(access_key, {}))

    def run_once(self, *, region: str, access_key: str) -> Run:
        """`spotward run --once` on a region. Raises BenchError if it did not end well."""
        with tempfile.TemporaryDirectory(prefix="spotward-bench-") as state:
            command = [*SPOTWARD, "run", "--once", "--region", region, "--state", state, "--log", "json"]
            began = time.perf_counter()
            ended = subprocess.run(
                command,
                env=self.environment_of(region=region, access_key=access_key),
                capture_output=True,
                text=True,
                timeout=RUN_SECONDS_MAX,
                check=False,
            )
            seconds = time.perf_counter() - began
        if ended.returncode:
            raise BenchError(f"spotward run --once ended with {ended.returncode}:\n{ended.stderr[-2000:]}")
        calls = self.calls_of(access_key)
        return Run(wall_seconds=seconds, virtual_seconds=seconds * self.speed, calls=calls)


@contextmanager
def embedded_cloud(*, speed: float, seed: int = 1) -> Iterator[EmbeddedCloud]:
    """An embedded cloud on a free port. Within the context it is running."""
    command = [*SPOTWARD, "emulate", "--speed", str(speed), "--seed", str(seed)]
    own = environment()
    began = time.perf_counter()
    process = subprocess.Popen(command, env=own, stdout=subprocess.PIPE, text=True)
    try:
        exported = _exported(process)
        seconds = time.perf_counter() - began
        yield EmbeddedCloud(process=process, environment=exported, speed=speed, start_seconds=seconds)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _exported(process: "subprocess.Popen[str]") -> dict[str, str]:
    """What the process tells a shell to export, once it is ready."""
    exported: dict[str, str] = {}
    assert process.stdout is not None
    for line in process.stdout:
        name, _, value = line.strip().removeprefix("export ").partition("=")
        exported[name] = value
        if name == CLOCK_VARIABLE:  # the last of them
            return exported
    raise BenchError("the embedded cloud did not start; see its words above")


def lifecycles(hand: StageHand, group: str) -> Counter[str]:
    """`spot` and `on-demand` → how many members in service a group has of it."""
    found = hand.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"][0]
    ids = [member["InstanceId"] for member in found["Instances"] if member["LifecycleState"] == "InService"]
    pages = hand.ec2.get_paginator("describe_instances").paginate(InstanceIds=ids)
    instances = [one for page in pages for each in page["Reservations"] for one in each["Instances"]]
    return Counter(one.get("InstanceLifecycle", "on-demand") for one in instances)
