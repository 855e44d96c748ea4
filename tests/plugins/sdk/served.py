"""A plugin's server on a free port, and who calls it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any

from grpc import aio

from spotward.plugins.sdk.doors import FIRST, OWN, SECOND
from spotward.plugins.sdk.plugin import Plugin
from spotward.plugins.sdk.safety import Safety
from spotward.plugins.sdk.serving import Place, Server
from spotward.plugins.wire import hollowtrees_v1_pb2 as first
from spotward.plugins.wire import hollowtrees_v2_pb2 as second
from spotward.plugins.wire import plugin_pb2 as own
from spotward.plugins.wire.cloudevents_pb2 import CloudEvent

OPEN = Safety(insecure=True)
SECONDS_MAX = 20.0


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 60))

    return run


@asynccontextmanager
async def serving(
    plugin: Plugin,
    *,
    safety: Safety = OPEN,
    remember: Path | None = None,
    calls_at_once_max: int = 100,
    grace_seconds: float = 0.2,
) -> AsyncIterator[Server]:
    place = Place(
        address="127.0.0.1:0",
        remember=remember,
        calls_at_once_max=calls_at_once_max,
        grace_seconds=grace_seconds,
    )
    server = Server(plugin, safety, place)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def calling(server: Server) -> AsyncIterator["Caller"]:
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield Caller(channel)


class Caller:
    """Sends bytes, as anybody could."""

    def __init__(self, channel: aio.Channel, token: str | None = None) -> None:
        self._channel = channel
        self._metadata = None if token is None else (("authorization", f"Bearer {token}"),)

    async def send(self, method: str, body: bytes) -> bytes:
        call: aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(method)
        return await call(body, metadata=self._metadata, timeout=SECONDS_MAX)

    async def handle_bytes(self, body: bytes) -> list[own.HandleResponse]:
        call: aio.UnaryStreamMultiCallable[bytes, bytes] = self._channel.unary_stream(f"/{OWN}/Handle")
        said = call(body, metadata=self._metadata, timeout=SECONDS_MAX)
        return [own.HandleResponse.FromString(each) async for each in said]

    async def handle(self, request: own.HandleRequest) -> list[own.HandleResponse]:
        return await self.handle_bytes(request.SerializeToString())

    async def result(self, request: own.HandleRequest) -> own.Result:
        return (await self.handle(request))[-1].result

    def watched_health(self) -> "aio.UnaryStreamCall[bytes, bytes]":
        call: aio.UnaryStreamMultiCallable[bytes, bytes] = self._channel.unary_stream("/grpc.health.v1.Health/Watch")
        return call(b"", metadata=self._metadata)

    async def describe(self) -> own.Description:
        return own.Description.FromString(await self.send(f"/{OWN}/Describe", b""))

    async def validate(self, **properties: Any) -> own.Validation:
        request = own.ValidateRequest()
        request.properties.update(properties)
        return own.Validation.FromString(await self.send(f"/{OWN}/Validate", request.SerializeToString()))

    async def alert(self, event: first.AlertEvent) -> str:
        answer = await self.send(f"/{FIRST}/HandleAlert", event.SerializeToString())
        return first.ActionResult.FromString(answer).status

    async def old_event(self, event: second.CloudEvent) -> str:
        answer = await self.send(f"/{SECOND}/Handle", event.SerializeToString())
        return second.Result.FromString(answer).status


def request(
    key: str = "flow-1/greet", kind: str = "prometheus.server.alert.Hot", **properties: Any
) -> own.HandleRequest:
    event = CloudEvent(id="e-1", source="http://prometheus", spec_version="1.0", type=kind)
    event.attributes["datacontenttype"].ce_string = "application/json"
    event.text_data = '{"labels": {"instance": "n-1"}}'
    message = own.HandleRequest(idempotency_key=key, event=event, flow="flow-1", step="greet", attempt=1)
    message.properties.update(properties)
    return message
