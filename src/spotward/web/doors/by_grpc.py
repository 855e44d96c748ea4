"""The door for CloudEvents by gRPC: `io.cloudevents.v1.CloudEventService/Publish`.

Bytes are read here and not by gRPC, so that what is no message is told apart from a fault of ours. What goes wrong is
said in gRPC's own words:

| status | when |
| --- | --- |
| OK | the event stands in the journal |
| INVALID_ARGUMENT | it cannot be read; the text says why, and sending it again does not help |
| UNAUTHENTICATED | without a token |
| RESOURCE_EXHAUSTED | it is too long; or too many wait, and `grpc-retry-pushback-ms` says when to come again |
| UNAVAILABLE | it could not be stored in time; say it again |
| UNIMPLEMENTED | there is no such method |
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from time import perf_counter
from typing import TYPE_CHECKING

from spotward.engine.ports import Clock
from spotward.model.errors import ConfigError, PayloadError
from spotward.model.flow_event import Occurred
from spotward.plugins.sdk.safety import Safety, Unsafe
from spotward.web.doors.body import BODY_BYTES_MAX
from spotward.web.doors.letterbox import COME_AGAIN_SECONDS, Letterbox, LetterboxFull, NotStored

if TYPE_CHECKING:
    import grpc
    from grpc import aio

DOOR = "grpc"
"""What it is called in figures, and on what comes in by it."""

SERVICE = "io.cloudevents.v1.CloudEventService"

CALLS_AT_ONCE_MAX = 2_000
"""More calls than this at once are told to come again (RESOURCE_EXHAUSTED): each waits until its event is stored."""

PUSHBACK = "grpc-retry-pushback-ms"
"""By this clients know when to come again."""

EMPTY = b""
"""A google.protobuf.Empty."""

GRACE_SECONDS = 5.0
"""How long calls under way may take to end when the door is closed."""


@asynccontextmanager
async def grpc_door(
    letterbox: Letterbox, clock: Clock, *, host: str, port: int | None, safety: Safety
) -> AsyncIterator[str | None]:
    """Open as long as the context is. Gives HOST:PORT, or None where no port is set.

    Raises ConfigError where it would be open to everybody, the address cannot be had, or gRPC is not installed.
    """
    if port is None:
        yield None
        return
    if find_spec("grpc") is None:
        raise ConfigError("doors.grpc_port needs gRPC, which is an extra: pip install 'spotward[plugins]'")
    try:
        safety = safety.checked(host)
        server, place = await _serving(_Door(letterbox, clock), safety, host, port)
    except Unsafe as error:
        raise ConfigError(f"doors: {error}".replace("--insecure", "doors.insecure")) from error
    try:
        yield place
    finally:
        await server.stop(GRACE_SECONDS)


async def _serving(door: "_Door", safety: Safety, host: str, port: int) -> "tuple[aio.Server, str]":
    """Raises Unsafe, ConfigError."""
    from grpc import aio  # late: gRPC weighs 30 MB
    from grpc_health.v1 import health, health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha import reflection

    from spotward.plugins.sdk.doorkeeper import Doorkeeper

    server = aio.server(
        interceptors=[Doorkeeper(safety, door.turned_away)],
        maximum_concurrent_rpcs=CALLS_AT_ONCE_MAX,
        options=[("grpc.max_receive_message_length", BODY_BYTES_MAX), ("grpc.so_reuseport", 0)],
    )
    server.add_generic_rpc_handlers((door.handler(),))
    state = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    await state.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
    reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    shown = f"[{host}]" if ":" in host else host
    credentials = safety.credentials()
    try:
        if credentials is None:
            taken = server.add_insecure_port(f"{shown}:{port}")
        else:
            taken = server.add_secure_port(f"{shown}:{port}", credentials)
    except RuntimeError as error:
        raise ConfigError(f"doors.grpc_port: cannot listen on {shown}:{port}; is it taken? choose another") from error
    await server.start()
    return server, f"{shown}:{taken}"


class _Door:
    """Puts what is published into the letterbox, and says what became of it."""

    def __init__(self, letterbox: Letterbox, clock: Clock) -> None:
        self._letterbox, self._clock = letterbox, clock

    def handler(self) -> "grpc.GenericRpcHandler":
        """What a server is given."""
        import grpc

        return grpc.method_handlers_generic_handler(
            SERVICE, {"Publish": grpc.unary_unary_rpc_method_handler(self.publish)}
        )

    def turned_away(self) -> None:
        """Somebody was not let in."""
        self._letterbox.tally.answered(DOOR, "UNAUTHENTICATED", None)

    async def publish(self, body: bytes, context: "aio.ServicerContext[bytes, bytes]") -> bytes:
        """Answers with nothing, once the event is stored."""
        begun = perf_counter()
        refusal = await self._refusal(body)
        status = "OK" if refusal is None else refusal.code.name
        self._letterbox.tally.answered(DOOR, status, perf_counter() - begun)
        if refusal is not None:
            await context.abort(refusal.code, refusal.text, refusal.metadata)
        return EMPTY

    async def _refusal(self, body: bytes) -> "_Refusal | None":
        """Why it is not taken; None once it is stored."""
        from grpc import StatusCode

        from spotward.web.doors.protobuf import published

        try:
            self._letterbox.check_room()
            occurred = Occurred(time=self._clock.now(), occurrence=published(body), door=DOOR)
            await self._letterbox.put([occurred])
        except PayloadError as error:
            return _Refusal(StatusCode.INVALID_ARGUMENT, str(error))
        except LetterboxFull as error:
            pushback = ((PUSHBACK, str(COME_AGAIN_SECONDS * 1000)),)
            return _Refusal(StatusCode.RESOURCE_EXHAUSTED, str(error), pushback)
        except NotStored as error:
            return _Refusal(StatusCode.UNAVAILABLE, str(error))
        return None


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why something is not taken, as gRPC says it."""

    code: "grpc.StatusCode"
    text: str
    metadata: tuple[tuple[str, str], ...] = ()
