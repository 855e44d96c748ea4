"""Who stands at the doors: counts who comes, and lets nobody past who shows no credential.

It is plain ASGI, before everything else: middleware over requests and responses costs ten times as much for each alert.
"""

from collections.abc import Callable
from time import perf_counter

from fastapi import Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spotward.web.tallies.doors import DoorTally, door_of

Opens = Callable[[str], bool]
"""Does this `Authorization` header open the door?"""

OPEN_PATHS = frozenset({"/healthz"})
"""What everybody may ask."""


class Doorkeeper:
    """In front of an application."""

    def __init__(self, app: ASGIApp, *, opens: Opens | None, refusal: Callable[[], Response], tally: DoorTally) -> None:
        """opens: None lets everybody in. refusal: what is said to whom it does not."""
        self._app, self._opens, self._refusal, self._tally = app, opens, refusal, tally

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on, or say that nobody is let in so."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = perf_counter(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await (self._app if self._may(scope) else self._refusal())(scope, receive, counted)
        finally:
            self._tally.answered(door_of(scope["path"]), str(status), perf_counter() - begun)

    def _may(self, scope: Scope) -> bool:
        return self._opens is None or scope["path"] in OPEN_PATHS or self._opens(_shown(Headers(scope=scope)))


def _shown(headers: Headers) -> str:
    """The credential: a bearer token, or what an API destination sends as its key."""
    key = headers.get("x-api-key")
    return headers.get("authorization", "") or (f"Bearer {key}" if key else "")
