"""Lets in who sends a token, where one is asked for. The health service tells everybody whether the server lives."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from grpc import aio

from spotward.plugins.sdk.safety import Safety, Tokens

HEALTH = "/grpc.health.v1.Health/"

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]


def _nobody_counts() -> None:
    """Nobody wants to know."""


class Doorkeeper(aio.ServerInterceptor):
    """Looks at each call before it is read."""

    def __init__(self, safety: Safety, turned_away: Callable[[], None] = _nobody_counts) -> None:
        """turned_away: hears of each who is not let in. Raises Unsafe."""
        self._turned_away = turned_away
        self._tokens = Tokens(safety.token_file) if safety.token_file is not None else None

    async def intercept_service(self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler, or one that says that nobody is let in so."""
        details = handler_call_details
        if self._tokens is None or details.method.startswith(HEALTH):
            return await continuation(details)
        sent = dict(details.invocation_metadata or ()).get("authorization", "")
        if self._tokens.open_for(sent if isinstance(sent, str) else sent.decode(errors="replace")):
            return await continuation(details)
        self._turned_away()
        return _shut_like(await continuation(details))


def _shut_like(handler: Any) -> Any:
    """A handler of the same shape that refuses; a client would misread a refusal of another shape."""
    if handler is None:
        return None

    async def refuse(_: Any, context: aio.ServicerContext[Any, Any]) -> None:
        await context.abort(
            grpc.StatusCode.UNAUTHENTICATED, "send `authorization: Bearer TOKEN` with a token of this server"
        )

    async def refuse_many(_: Any, context: aio.ServicerContext[Any, Any]) -> Any:
        await refuse(_, context)
        yield b""

    match handler.request_streaming, handler.response_streaming:
        case False, False:
            return grpc.unary_unary_rpc_method_handler(refuse)
        case False, True:
            return grpc.unary_stream_rpc_method_handler(refuse_many)
        case True, False:
            return grpc.stream_unary_rpc_method_handler(refuse)
    return grpc.stream_stream_rpc_method_handler(refuse_many)
