"""A server on a real socket that says what a test wrote down, byte for byte: what no healthy API server would say."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from spotward.engine.clock import SystemClock
from spotward.kube.client import Kube
from spotward.kube.configuration import Cluster, Identity

Script = Callable[["Visit"], Awaitable[None]]


@dataclass
class Visit:
    """One connection, seen from the server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int

    async def request(self) -> tuple[str, str, dict[str, str], bytes]:
        """The next request: method, target, headers, body. Raises IncompleteReadError when the client is gone."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return method, target, headers, body

    async def say(self, status: int, body: Any, **headers: str) -> None:
        """A whole answer; anything but bytes as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}", "Content-Type: application/json"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + content)

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


@dataclass
class Scripted:
    """The server, and what it was asked."""

    port: int
    asked: list[str] = field(default_factory=list)
    visits: int = 0

    def kube(self, **identity: Any) -> Kube:
        server = f"http://127.0.0.1:{self.port}"
        cluster = Cluster(server=server, origin="the test", identity=Identity(**identity))
        return Kube(cluster, clock=SystemClock())


@asynccontextmanager
async def served(script: Script) -> AsyncIterator[Scripted]:
    """Runs the script for each connection."""
    state: Scripted

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.visits += 1
        try:
            await script(Visit(reader, writer, state.visits))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(visited, "127.0.0.1", 0)
    state = Scripted(port=server.sockets[0].getsockname()[1])
    try:
        yield state
    finally:
        server.close()


def always(status: int, body: Any, **headers: str) -> Script:
    """Every request gets the same answer."""

    async def script(visit: Visit) -> None:
        while True:
            await visit.request()
            await visit.say(status, body, **headers)

    return script


def status_body(reason: str, message: str, **details: Any) -> dict[str, Any]:
    """An API server's `Status` of failure."""
    return {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "details": details}
