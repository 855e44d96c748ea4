"""The doors of a plugin's server: our own contract, and both of Hollowtrees'.

Bytes are read here and not by gRPC, so that a message that is none is told apart from a fault of ours: the caller gets
INVALID_ARGUMENT and words, where gRPC itself would answer INTERNAL.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import isfinite
from typing import NoReturn

import grpc
from grpc import aio

from spotward.plugins.sdk.call import Answer, Call, Status
from spotward.plugins.sdk.describing import described
from spotward.plugins.sdk.hollowtrees import OK, first_value, second_value
from spotward.plugins.sdk.messages import M, Unreadable, answer_message, call_value, fields, read
from spotward.plugins.sdk.plugin import Plugin
from spotward.plugins.sdk.remembered import Remembered
from spotward.plugins.wire import hollowtrees_v1_pb2 as first
from spotward.plugins.wire import hollowtrees_v2_pb2 as second
from spotward.plugins.wire import plugin_pb2 as own

OWN = "spotward.plugin.v1.Plugin"
FIRST = "action.Action"
SECOND = "proto.EventHandler"

Context = aio.ServicerContext[bytes, bytes]

TRACEPARENT = "traceparent"
"""Metadata of W3C Trace Context."""

_SAID = 256
"""So many reports of progress may wait for a slow caller; more are left out."""


log = logging.getLogger("spotward.plugins.sdk")


class Doors:
    """One plugin, behind every door."""

    def __init__(self, plugin: Plugin, remembered: Remembered) -> None:
        self._plugin, self._remembered = plugin, remembered
        self._inside, self._shut = 0, False
        self._empty = asyncio.Event()

    async def shut(self) -> None:
        """Let nobody in any more; returns when the last call that was inside has its answer."""
        self._shut = True
        if self._inside:
            self._empty.clear()
            await self._empty.wait()

    def handlers(self) -> tuple[grpc.GenericRpcHandler, ...]:
        """What a server is given."""
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        return (
            grpc.method_handlers_generic_handler(
                OWN, {"Describe": unary(self.describe), "Validate": unary(self.validate), "Handle": stream(self.handle)}
            ),
            grpc.method_handlers_generic_handler(FIRST, {"HandleAlert": unary(self.handle_alert)}),
            grpc.method_handlers_generic_handler(SECOND, {"Handle": unary(self.handle_event)}),
        )

    async def describe(self, body: bytes, context: Context) -> bytes:
        """What the plugin is."""
        del body, context
        return described(self._plugin).SerializeToString()

    async def validate(self, body: bytes, context: Context) -> bytes:
        """Are these properties right?"""
        request = await _read(own.ValidateRequest, body, context)
        try:
            properties = fields(request.properties)
        except Unreadable as error:
            await _refuse(context, str(error))
        problems = [own.Problem(place=each.place, text=each.text) for each in self._plugin.problems(properties)]
        return own.Validation(problems=problems).SerializeToString()

    async def handle(self, body: bytes, context: Context) -> AsyncIterator[bytes]:
        """Do it: progress, then the result."""
        async with self._entered(context):
            async for each in self._handled(body, context):
                yield each

    async def _handled(self, body: bytes, context: Context) -> AsyncIterator[bytes]:
        request = await _read(own.HandleRequest, body, context)
        said: asyncio.Queue[own.HandleResponse] = asyncio.Queue(_SAID)

        async def tell(text: str, fraction: float) -> None:
            if not said.full():
                said.put_nowait(own.HandleResponse(progress=own.Progress(text=text, fraction=fraction)))

        try:
            call = call_value(
                request, seconds_left=_seconds_left(context), tell=tell, traceparent=_traceparent(context)
            )
        except Unreadable as error:
            await _refuse(context, str(error))
        answering = asyncio.ensure_future(self._answer(call))
        while not answering.done() or not said.empty():
            hearing = asyncio.ensure_future(said.get())
            try:
                await asyncio.wait({answering, hearing}, return_when=asyncio.FIRST_COMPLETED)
                if hearing.done():
                    yield hearing.result().SerializeToString()
            finally:  # nothing was said, or the caller is gone: nobody listens any more
                hearing.cancel()
        yield own.HandleResponse(result=_result(answering.result())).SerializeToString()

    async def handle_alert(self, body: bytes, context: Context) -> bytes:
        """The first generation's door."""
        alert = await _read(first.AlertEvent, body, context)
        call = Call(
            key=alert.eventId,
            event=first_value(alert),
            seconds_left=_seconds_left(context),
            traceparent=_traceparent(context),
        )
        await self._old_answer(call, context)
        return first.ActionResult(status=OK).SerializeToString()

    async def handle_event(self, body: bytes, context: Context) -> bytes:
        """The second generation's door."""
        message = await _read(second.CloudEvent, body, context)
        try:
            event = second_value(message)
        except Unreadable as error:
            await _refuse(context, str(error))
        call = Call(key=event.id, event=event, seconds_left=_seconds_left(context), traceparent=_traceparent(context))
        await self._old_answer(call, context)
        return second.Result(status=OK).SerializeToString()

    async def _old_answer(self, call: Call, context: Context) -> None:
        """Those engines look at the error alone: there is one exactly when it did not work."""
        async with self._entered(context):
            answer = await self._answer(call)
        if not answer.good:
            code = grpc.StatusCode.ABORTED if answer.status is Status.FAILED else grpc.StatusCode.FAILED_PRECONDITION
            await context.abort(code, answer.text)

    async def _answer(self, call: Call) -> Answer:
        answer = await self._remembered.once(call.key, lambda: self._plugin.answer(call))
        log.info("%s, %s: %s", call.key or "without a key", call.event.type, _said(answer))
        return answer

    @asynccontextmanager
    async def _entered(self, context: Context) -> AsyncIterator[None]:
        if self._shut:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "it is about to end; ask again")
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                self._empty.set()


def _said(answer: Answer) -> str:
    return f"{answer.status}: {answer.text}" if answer.text else answer.status


def _result(answer: Answer) -> own.Result:
    try:
        return answer_message(answer)
    except (TypeError, ValueError) as error:
        words = f"the plugin's output is no JSON ({error}); its words were: {answer.text}"
        return own.Result(status=own.Result.STATUS_FAILED, text=words)


async def _read(kind: type[M], body: bytes, context: Context) -> M:
    try:
        return read(kind, body)
    except Unreadable as error:
        await _refuse(context, str(error))


def _seconds_left(context: Context) -> float | None:
    left: float | None = context.time_remaining()
    return left if left is not None and isfinite(left) else None


def _traceparent(context: Context) -> str:
    """What the caller says of its trace, as OpenTelemetry's own instrumentation of gRPC does it."""
    sent = context.invocation_metadata() or ()
    return next((str(value) for name, value in sent if name == TRACEPARENT), "")


async def _refuse(context: Context, words: str) -> NoReturn:
    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, words)
    raise AssertionError("abort does not return")
