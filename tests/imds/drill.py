"""A drill on a real port, and whoever asks it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from spotward.aws.imds import Imds, ImdsPolicy
from spotward.emulator.imds.door import MetadataDoor, serving_metadata
from spotward.emulator.imds.script import parse_script
from spotward.emulator.imds.service import MetadataService
from spotward.http.client import Client
from spotward.http.values import Answer
from tests.hand_clock import HandClock

START = 1_794_432_634.0  # 2026-11-11T21:30:34Z
SECONDS = 60.0
HUNG_SECONDS = 0.7
"""How long is waited for an answer where some never come; those that do come on a busy machine need a part of it."""


def patience(fail: str) -> float:
    """How long to wait for an answer of a service that fails in this way."""
    return HUNG_SECONDS if "hang" in fail else SECONDS


@dataclass
class Drill:
    door: MetadataDoor
    clock: HandClock
    client: Client
    asking: list[Imds] = field(default_factory=list)

    @property
    def service(self) -> MetadataService:
        return self.door.service

    def imds(self, **policy: object) -> Imds:
        """A client of ours, which is closed with the drill."""
        told: dict[str, Any] = {"url": self.door.url, "answer_seconds_max": SECONDS, **policy}
        self.asking.append(Imds(ImdsPolicy(**told)))
        return self.asking[-1]

    async def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: str = "") -> Answer:
        return await self.client.ask(method, path, headers=headers, body=body.encode(), seconds_max=SECONDS)

    async def token(self, ttl_seconds: int = 60) -> str:
        answer = await self.ask("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": str(ttl_seconds)})
        assert answer.status == 200
        return answer.text

    async def get(self, path: str, token: str | None = None) -> Answer:
        headers = {} if token is None else {"X-aws-ec2-metadata-token": token}
        return await self.ask("GET", f"/latest/meta-data/{path}", headers)

    async def text(self, path: str) -> str | None:
        answer = await self.get(path, await self.token())
        return answer.text if answer.status == 200 else None

    def requests(self, path: str) -> int:
        return sum(n for (asked, _), n in self.service.requests.items() if asked == path)


@asynccontextmanager
async def drilling(steps: str = "", *, machine: str = "{}", v1: bool = True) -> AsyncIterator[Drill]:
    """A metadata service with a script, on a free port."""
    clock = HandClock(START)
    text = f"machine: {machine}\n" + (f"steps:\n{steps}" if steps.strip() else "")
    timeline = parse_script(text, file="drill.yaml").timeline(start_time=START)
    service = MetadataService(machines=timeline, drill=timeline, v1=v1)
    async with serving_metadata(service, clock) as door:
        client = Client("127.0.0.1", int(door.url.rpartition(":")[2]))
        drill = Drill(door=door, clock=clock, client=client)
        yield drill
        await client.close()
        for imds in drill.asking:
            await imds.close()
