"""gRPC plugins: our own contract, and both of Hollowtrees'."""

from collections.abc import Mapping
from typing import Any

import grpc
from grpc import aio

from spotward.model.errors import Permanent
from spotward.plugins.host.settings import PluginSettings, Speaks
from spotward.plugins.host.speakers import Listener, Missed, Speaker
from spotward.plugins.host.wires import Wire
from spotward.plugins.sdk.call import Answer, Call, Problem, done, failed, refused
from spotward.plugins.sdk.doors import FIRST, OWN, SECOND, TRACEPARENT
from spotward.plugins.sdk.hollowtrees import first_message, second_message
from spotward.plugins.sdk.messages import Unreadable, answer_value, call_message, read, struct
from spotward.plugins.wire import plugin_pb2 as own

OUT_OF_REACH = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED})
"""They say nothing of the step: whether it was done is not known."""

NEVER = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
"""Another attempt gives the same answer until somebody changes something."""


def by_grpc(settings: PluginSettings) -> Speaker:
    """Whoever speaks to it."""
    wire = Wire(settings)
    return _Own(wire) if settings.speaks is Speaks.SPOTWARD else _Old(wire, settings.speaks)


async def description(settings: PluginSettings, seconds: float) -> own.Description:
    """What a plugin of our own contract says of itself. Raises Missed, and Permanent when it does not say."""
    wire = Wire(settings)
    try:
        method: aio.UnaryUnaryMultiCallable[bytes, bytes] = wire.channel().unary_unary(f"/{OWN}/Describe")
        return own.Description.FromString(await method(b"", metadata=wire.metadata(), timeout=seconds))
    except aio.AioRpcError as error:
        raise _outside(error, seconds) from error
    finally:
        await wire.close()


class _Own:
    """Our own contract."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def say(self, call: Call, seconds: float, listener: Listener) -> Answer:
        body = call_message(call).SerializeToString()
        method: aio.UnaryStreamMultiCallable[bytes, bytes] = self._wire.channel().unary_stream(f"/{OWN}/Handle")
        try:
            async for each in method(body, metadata=_metadata(self._wire, call), timeout=seconds):
                response = read(own.HandleResponse, each)
                if response.WhichOneof("moment") == "result":
                    return answer_value(response.result)
                await listener(response.progress.text, response.progress.fraction)
        except aio.AioRpcError as error:
            return _answer_in(error, seconds)
        except Unreadable as error:
            return failed(f"its answer cannot be read: {error}")
        raise Missed("it ended the call without a result")

    async def problems(self, properties: Mapping[str, Any], seconds: float) -> tuple[Problem, ...]:
        body = own.ValidateRequest(properties=struct(properties)).SerializeToString()
        method: aio.UnaryUnaryMultiCallable[bytes, bytes] = self._wire.channel().unary_unary(f"/{OWN}/Validate")
        try:
            answer = read(own.Validation, await method(body, metadata=self._wire.metadata(), timeout=seconds))
        except aio.AioRpcError as error:
            raise _outside(error, seconds) from error
        except Unreadable as error:
            raise Permanent(f"its answer cannot be read: {error}", code="Unreadable") from error
        return tuple(Problem(place=each.place, text=each.text) for each in answer.problems)

    async def close(self) -> None:
        await self._wire.close()


class _Old:
    """Either of Hollowtrees' contracts: an error is a failure, and everything else a success."""

    def __init__(self, wire: Wire, speaks: Speaks) -> None:
        self._wire = wire
        self._first = speaks is Speaks.HOLLOWTREES_V1

    async def say(self, call: Call, seconds: float, listener: Listener) -> Answer:
        del listener  # they tell of no progress
        message = first_message(call.event) if self._first else second_message(call.event)
        path = f"/{FIRST}/HandleAlert" if self._first else f"/{SECOND}/Handle"
        method: aio.UnaryUnaryMultiCallable[bytes, bytes] = self._wire.channel().unary_unary(path)
        # They know no idempotency key; one that was made since can read it here.
        metadata = (*_metadata(self._wire, call), ("idempotency-key", call.key.encode("ascii", "replace").decode()))
        try:
            await method(message.SerializeToString(), metadata=metadata, timeout=seconds)
        except aio.AioRpcError as error:
            return _answer_in(error, seconds)
        return done()

    async def problems(self, properties: Mapping[str, Any], seconds: float) -> tuple[Problem, ...]:
        del properties, seconds
        return ()

    async def close(self) -> None:
        await self._wire.close()


def _metadata(wire: Wire, call: Call) -> tuple[tuple[str, str], ...]:
    """What goes with a call: who we are, and in which trace it stands. Raises Permanent."""
    return (*wire.metadata(), *(((TRACEPARENT, call.traceparent),) if call.traceparent else ()))


def _answer_in(error: aio.AioRpcError, seconds: float) -> Answer:
    """What an error says of the step. Raises Missed when it says nothing of it."""
    if error.code() in OUT_OF_REACH:
        raise _missed(error, seconds) from error
    words = _words(error)
    return refused(words) if error.code() in NEVER else failed(words)


def _outside(error: aio.AioRpcError, seconds: float) -> Missed | Permanent:
    if error.code() in OUT_OF_REACH:
        return _missed(error, seconds)
    return Permanent(_words(error), code=error.code().name)


def _missed(error: aio.AioRpcError, seconds: float) -> Missed:
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Missed(f"it did not answer within {seconds:.3g} s")
    return Missed(f"it could not be reached: {error.details()}")


def _words(error: aio.AioRpcError) -> str:
    return f"{error.code().name}: {error.details()}" if error.details() else error.code().name
