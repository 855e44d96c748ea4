"""The metadata service on ports of this machine.

Every machine is at `/i-…/latest/` of the main port, and may be given a port of its own, where it is at `/latest/` as it
would be at 169.254.169.254. Two pages of ours stand beside it: `POST /_spotward/steps` adds steps to the drill (`at`
counts from then), `GET /_spotward/requests` counts what was asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from spotward.emulator.imds.script import parse_steps
from spotward.emulator.imds.service import MetadataService, Outcome, as_json
from spotward.emulator.imds.timeline import later
from spotward.engine.ports import Clock
from spotward.http.server import Server
from spotward.http.values import Answer, Request, text_answer
from spotward.model.errors import ConfigError

OURS = "/_spotward/"


class MetadataDoor:
    """Where a metadata service is to be found."""

    def __init__(self, service: MetadataService, clock: Clock, *, host: str) -> None:
        """Made by `serving_metadata`."""
        self.service = service
        self._clock, self._host = clock, host
        self._doors = AsyncExitStack()
        self.url = ""
        """Of the main port."""

    def url_of(self, instance_id: str) -> str:
        """One machine's address, behind which `/latest/…` stands."""
        return f"{self.url}/{instance_id}"

    async def own_port(self, instance_id: str, *, port: int = 0) -> str:
        """The address of a port that is one machine's alone. Raises OSError when it cannot be had."""
        return await self._open(port, instance_id)

    async def open(self, port: int) -> None:
        """The main port."""
        self.url = await self._open(port, None)

    async def close(self) -> None:
        """All ports."""
        await self._doors.aclose()

    async def _open(self, port: int, instance_id: str | None) -> str:
        async def answer(request: Request) -> Answer | bytes | None:
            return await self._answer(request, instance_id)

        server = Server(answer)
        number = await server.listen(self._host, port)
        self._doors.push_async_callback(server.close)
        shown = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{shown}:{number}"

    async def _answer(self, request: Request, instance_id: str | None) -> Answer | bytes | None:
        if request.path.startswith(OURS):
            return self._ours(request)
        outcome: Outcome = self.service.answer(request, time=self._clock.now(), instance_id=instance_id)
        if outcome.delay_seconds:
            await asyncio.sleep(outcome.delay_seconds)
        return outcome.answer

    def _ours(self, request: Request) -> Answer:
        match request.method, request.path.removeprefix(OURS):
            case "GET", "requests":
                return as_json(self.service.summary())
            case "POST", "steps":
                return self._add_steps(request)
            case _:
                pages = [f"GET {OURS}requests", f"POST {OURS}steps"]
                return replace(as_json({"error": "there is no such page", "pages": pages}), status=404)

    def _add_steps(self, request: Request) -> Answer:
        drill = self.service.drill
        if drill is None:
            return text_answer(409, "the embedded cloud decides here; use its own pages\n")
        try:
            steps = parse_steps(request.body.decode("utf-8", "replace"), file="steps")
        except ConfigError as error:
            return replace(as_json({"error": str(error)}), status=400)
        so_far = self._clock.now() - drill.start_time
        changed = drill.adding(later(step, so_far) for step in steps)
        if self.service.machines is drill:
            self.service.machines = changed
        self.service.drill = changed
        return as_json({"steps": len(steps)})


@asynccontextmanager
async def serving_metadata(
    service: MetadataService, clock: Clock, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[MetadataDoor]:
    """Serves as long as the context is open. Raises ConfigError when the address cannot be had."""
    door = MetadataDoor(service, clock, host=host)
    try:
        await door.open(port)
    except OSError as error:
        raise ConfigError(
            f"{host}:{port} cannot be listened on ({error.strerror}); give another --host or --port, 0 takes a free one"
        ) from error
    try:
        yield door
    finally:
        await door.close()
