"""What the agent of a node costs and how quick it is, beside a real control plane and the embedded metadata service.

The control plane is that of `make cluster-test`, which builds it.
"""

import asyncio
import json
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.measure import BenchError, Measure
from bench.node import CORE_PERCENT_MAX, HOST, POLL_SECONDS, START_SECONDS_MAX, free_port, running
from bench.process import SPOTWARD, cpu_seconds, peak_memory_mib
from spotward.engine.store import SqliteStore
from spotward.model.cluster import Node
from spotward.model.incident import Incident
from tests.cluster.build import binaries
from tests.cluster.control_plane import SPOTWARD as ACCOUNT
from tests.cluster.control_plane import ControlPlane
from tests.cluster.stage import Stage, grant

PODS = 10
STARTS = 4
IDLE_SECONDS = 40.0
QUIET_SECONDS = 10.0
EMPTY_SECONDS_MAX = 90.0
LEFT_SECONDS = 110
"""Between the notice and the deadline."""

MEMORY_MB_MAX, CORDON_SECONDS_MAX = 45.0, 1.0
"""Megabytes, of 1,000,000 bytes."""

WATCHES_MAX, LISTS_MAX = 2, 2
"""Its own node and the pods on it: each is listed once, and then watched."""

SETTINGS = 'nodes: {rebalance: drain}\nwebhook: {template: \'{"text": "$text"}\'}\n'
"""Of a node's usual agent: it reads a file."""


def measures() -> Iterator[Measure]:
    """Start, memory, processor time at rest, and the time from the poll that saw a notice to the cordon."""
    if not (wanted := binaries()).built:
        raise BenchError(f"{wanted.kubernetes} is not built; `make cluster-test` builds it")
    with (
        tempfile.TemporaryDirectory(prefix="spotward-bench-agent-") as folder,
        ControlPlane(wanted, Path(folder)) as at,
    ):
        instance = f"i-{secrets.token_hex(8)}0"
        node = asyncio.run(_scene(at, instance))
        yield from _measured(at, Path(folder), node, instance)


async def _scene(control_plane: ControlPlane, instance: str) -> Node:
    """A node with pods on it. It outlives its stage."""
    stage = Stage(control_plane)
    await grant(stage.owner)
    await stage.create_namespace()
    node = await stage.node(providerID=f"aws:///us-east-1a/{instance}")
    for _ in range(PODS):
        await stage.pod(node)
    return node


def _measured(control_plane: ControlPlane, folder: Path, node: Node, instance: str) -> Iterator[Measure]:
    pages, metadata = free_port(), free_port()
    drill = folder / "drill.yaml"
    command = [*SPOTWARD, "agent", "--node-name", node.name, "--kubeconfig", str(control_plane.kubeconfig(ACCOUNT))]
    command += ["--bind-addr", f"{HOST}:{pages}", "--metadata-endpoint", f"http://{HOST}:{metadata}"]
    command += ["--state", str(folder / "state"), "--poll-seconds", str(POLL_SECONDS)]
    settings = folder / "spotward.yaml"
    settings.write_text(SETTINGS)
    command += ["--config", str(settings)]
    service, page = (
        [*SPOTWARD, "imds", "--port", str(metadata), "--script", str(drill)],
        f"http://{HOST}:{pages}/healthz",
    )
    drill.write_text(f"machine: {{instance_id: {instance}, region: us-east-1}}\n")
    with running(service, f"http://{HOST}:{metadata}/"):
        starts = []
        for _ in range(STARTS):
            with running(command, page) as (_process, seconds):
                starts.append(seconds)
        yield Measure(name="agent, start until it answers", figure=min(starts), unit="s", at_most=START_SECONDS_MAX)
        with running(command, page) as (process, _):
            time.sleep(2 * POLL_SECONDS)
            before = cpu_seconds(process.pid)
            time.sleep(IDLE_SECONDS)
            percent = 100 * (cpu_seconds(process.pid) - before) / IDLE_SECONDS
            yield Measure(name="agent at rest, of a core", figure=percent, unit="%", at_most=CORE_PERCENT_MAX)
            yield _memory("agent at rest, peak memory", process.pid)
        yield from _calls(command, page, folder / "calls.log")
    drill.write_text(
        drill.read_text() + f"steps:\n  - {{at: 5s, interruption: {{action: terminate, in: {LEFT_SECONDS}s}}}}\n"
    )
    with running(service, f"http://{HOST}:{metadata}/"), running(command, page) as (process, _):
        incident = _emptied(folder / "state" / "agent")
        signal, marked = incident.signals[0], incident.marked_time
        if marked is None:
            raise BenchError(f"{incident.node} was emptied and never cordoned")
        seconds = marked - signal.time
        yield Measure(name="notice seen to node cordoned", figure=seconds, unit="s", at_most=CORDON_SECONDS_MAX)
        yield _memory(f"agent that emptied {PODS} pods, peak memory", process.pid)


def _calls(command: Sequence[str], page: str, log: Path) -> Iterator[Measure]:
    """What an agent to whom nothing happens asks of the API server, from its start on."""
    with log.open("wb") as output, running([*command, "--log-level", "debug"], page, log=output):
        time.sleep(QUIET_SECONDS)
    lines = [json.loads(line) for line in log.read_text().splitlines() if '"API call"' in line]
    watches = sum(line["call"].startswith("watch ") for line in lines)
    yield Measure(name="agent at rest, watches", figure=watches, at_most=WATCHES_MAX)
    yield Measure(name=f"other calls in its first {QUIET_SECONDS:g} s", figure=len(lines) - watches, at_most=LISTS_MAX)


def _memory(name: str, pid: int) -> Measure:
    megabytes = peak_memory_mib(pid) * 2**20 / 1e6
    return Measure(name=name, figure=megabytes, unit="MB", at_most=MEMORY_MB_MAX)


def _emptied(journal: Path) -> Incident:
    """The incident, once the node is empty, as the agent's journal has it."""
    end = time.perf_counter() + EMPTY_SECONDS_MAX
    while time.perf_counter() < end:
        for incident in asyncio.run(_incidents(journal)):
            if incident.drained:
                return incident
        time.sleep(1.0)
    raise BenchError(f"the node was not empty within {EMPTY_SECONDS_MAX:g} s")


async def _incidents(journal: Path) -> list[Incident]:
    store = SqliteStore.to_read(journal)
    try:
        remembered = await store.load()
        return [each for each in remembered.world.open_undertakings if isinstance(each, Incident)]
    finally:
        await store.close()
