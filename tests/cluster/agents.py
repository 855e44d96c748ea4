"""`spotward agent` as a DaemonSet starts it: a process of its own beside a node of the stage, a metadata service that
follows a drill, and the rights of deploy/clusterrole.yaml."""

import asyncio
import itertools
import json
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from spotward.emulator.imds.door import MetadataDoor, serving_metadata
from spotward.emulator.imds.script import parse_script
from spotward.emulator.imds.service import MetadataService
from spotward.engine.clock import SystemClock
from spotward.http.client import Client
from spotward.model.cluster import Node
from tests.cli.program import bare_environment
from tests.cluster.control_plane import AGENT
from tests.cluster.stage import PATIENCE_SECONDS, Stage
from tests.ports import free_port

COMMAND = (sys.executable, "-m", "spotward", "agent")
SECONDS = 5.0
POLL_SECONDS = 0.5
START_SECONDS_MAX = 60.0
"""Of which it needs half a one, on a machine that has nothing else to do."""


class Agent:
    """One process at work."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, port: int) -> None:
        self.process, self._log, self._port = process, log, port

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it has logged, in whole lines."""
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.endswith("}")]

    @property
    def pages(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == "page"]

    def says(self, words: str) -> bool:
        return words in self._log.read_text()

    async def said(self, words: str, *, seconds_max: float = PATIENCE_SECONDS) -> None:
        """Wait for it. Fails with all that it said instead."""
        try:
            async with asyncio.timeout(seconds_max):
                while not self.says(words):  # noqa: ASYNC110 - a file tells nobody that it grew
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(self._log.read_text()) from None

    async def page(self, path: str) -> str:
        client = Client("127.0.0.1", self._port)
        try:
            return (await client.ask("GET", path, headers={}, seconds_max=SECONDS)).text
        finally:
            await client.close()


class Machine:
    """A node of the stage and the metadata service of its machine."""

    def __init__(self, stage: Stage, node: Node, door: MetadataDoor, folder: Path) -> None:
        self.stage, self.node, self.door, self._folder = stage, node, door, folder
        self._lives = itertools.count(1)

    async def now(self) -> Node:
        return await self.stage.node_now(self.node.name)

    async def happens(self, step: str) -> None:
        """One more step of the drill, now."""
        where = urlsplit(self.door.url)
        client = Client(str(where.hostname), where.port or 0)
        try:
            answer = await client.ask("POST", "/_spotward/steps", body=step.encode(), seconds_max=SECONDS)
        finally:
            await client.close()
        assert answer.status == 200, answer.text

    @asynccontextmanager
    async def agent(self, *words: str, config: str = "") -> AsyncIterator[Agent]:
        """Its agent, listening; killed at the end if it has not ended by itself."""
        port, settings = free_port(), self._folder / "spotward.yaml"
        log = self._folder / f"log of life {next(self._lives)}"
        settings.write_text(config)
        told: Mapping[str, object] = {
            "--node-name": self.node.name,
            "--kubeconfig": self.stage.control_plane.kubeconfig(AGENT),
            "--metadata-endpoint": self.door.url,
            "--bind-addr": f"127.0.0.1:{port}",
            "--state": self._folder / "state",
            "--config": settings,
            "--poll-seconds": POLL_SECONDS,
        }
        given = [str(part) for pair in told.items() for part in pair]
        with log.open("w") as output:
            process = await asyncio.create_subprocess_exec(
                *COMMAND, *given, *words, env=bare_environment(), stdout=output, stderr=output
            )
        agent = Agent(process, log, port)
        try:
            await agent.said('"started"', seconds_max=START_SECONDS_MAX)
            yield agent
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


@asynccontextmanager
async def machine(
    stage: Stage, folder: Path, steps: str = "", *, v1: bool = True, about: str = "", instance: str = ""
) -> AsyncIterator[Machine]:
    """A node whose machine has something to tell. steps: those of a drill, from now on. about: more of the machine.
    instance: the id of one that there is.
    """
    instance = instance or f"i-{secrets.token_hex(8)}0"
    node = await stage.node(providerID=f"aws:///us-east-1a/{instance}")
    text = f"machine: {{instance_id: {instance}, region: us-east-1, {about}}}\n" + (f"steps:\n{steps}" if steps else "")
    clock = SystemClock()
    timeline = parse_script(text, file="drill.yaml").timeline(start_time=clock.now())
    async with serving_metadata(MetadataService(machines=timeline, drill=timeline, v1=v1), clock) as door:
        yield Machine(stage, node, door, folder)
