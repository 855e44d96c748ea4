"""From the queue to the last pod, set up: the daemon as a process, what is put into its queue, and what came of it."""

import asyncio
import json
import secrets
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from spotward.engine.clock import SystemClock
from spotward.model.cluster import Node, Pod
from tests.cli.program import Program, Running
from tests.cli.scenery import Scenery
from tests.cluster.control_plane import ControlPlane
from tests.cluster.stage import Stage
from tests.emulator.clients import eventually

SETTINGS = """
kubernetes: {enabled: true}
observe_seconds: 3600
nodes:
  watch_seconds: 1
"""

EMPTY_SECONDS_MAX = 90.0


@contextmanager
def daemon(program: Program, region: Scenery, settings: str = SETTINGS) -> Iterator[Running]:
    """The daemon, at work."""
    file = program.state.parent / "spotward.yaml"
    file.write_text(settings)
    queue = str(region.queue_url)
    with program.running("run", "--config", file, "--queue", queue, "--port", "0", "--log", "json") as running:
        eventually(lambda: running.says('"started"') and running.pages, seconds_max=150)
        try:
            yield running
        finally:
            sys.stdout.write(running.said)  # shown when the test fails
        assert "Traceback" not in running.said, running.said


def played(control_plane: ControlPlane, play: Callable[[Stage], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with Stage(control_plane).set() as stage:
            await play(stage)

    asyncio.run(whole())


async def machine_of(stage: Stage, instance: str) -> Node:
    """The node of an instance."""
    return await stage.node(providerID=f"aws:///us-east-1a/{instance}")


async def moved(stage: Stage, app: str, away_from: Node, count: int) -> list[Pod]:
    """The pods of a deployment, once all are ready and none is on that node."""
    return await stage.until(
        lambda: stage.pods(app=app),
        lambda pods: len(pods) == count and all(p.ready and p.node != away_from.name for p in pods),
    )


def notice(region: Scenery, instance: str) -> None:
    region.site.interrupt([instance])


def moment() -> datetime:
    """Now."""
    return datetime.fromtimestamp(SystemClock().now(), UTC)


def put(region: Scenery, detail_type: str, source: str, detail: dict[str, Any]) -> None:
    """An event as EventBridge puts it into the queue."""
    event = {
        "version": "0",
        "id": secrets.token_hex(16),
        "detail-type": detail_type,
        "source": source,
        "account": "123456789012",
        "time": moment().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region.region,
        "resources": [],
        "detail": detail,
    }
    region.hand.sqs.send_message(QueueUrl=str(region.queue_url), MessageBody=json.dumps(event))


def is_empty(region: Scenery) -> bool:
    """Is nothing left in the queue, visible or in flight?"""
    asked: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    said = region.hand.sqs.get_queue_attributes(QueueUrl=str(region.queue_url), AttributeNames=asked)["Attributes"]
    return not any(int(value) for value in said.values())


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What became of the node and of its pods."""

    node: Node
    taint: str
    """Value of our taint on it; empty without one."""
    said: str
    """All that the daemon printed."""


def emptied(
    control_plane: ControlPlane,
    region: Scenery,
    program: Program,
    instance: str,
    happens: Callable[[], None],
    *,
    settings: str = SETTINGS,
    after: Callable[[], object] = lambda: True,
) -> Seen:
    """A node with three pods of a deployment, the daemon, and what happens: until the pods run elsewhere, the queue is
    empty and `after` holds.
    """
    seen: list[Seen] = []

    async def play(stage: Stage) -> None:
        doomed = await machine_of(stage, instance)
        await stage.deployment("web", 3)
        await stage.node()
        with daemon(program, region, settings) as running:
            await asyncio.to_thread(happens)
            await moved(stage, "web", doomed, 3)
            await asyncio.to_thread(eventually, lambda: is_empty(region), seconds_max=EMPTY_SECONDS_MAX)
            await asyncio.to_thread(eventually, after, seconds_max=120)
            node = await stage.node_now(doomed.name)
            taint = next((t.value for t in node.taints if t.key == "spotward.io/leaving"), "")
            seen.append(Seen(node=node, taint=taint or "", said=running.said))

    played(control_plane, play)
    assert seen[0].node.unschedulable
    return seen[0]
