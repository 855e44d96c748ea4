"""A server with one function behind it, in the running loop: no thread, no process, no signal handler.

The function may answer, refuse to (None: the client hears nothing until it gives up), or say bytes that are no HTTP at
all, because there are servers in the world that do, and a drill needs one.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

import h11

from spotward.http.values import Answer, Request, text_answer

READ_BYTES = 65_536

BODY_BYTES_MAX = 1_048_576
"""A longer request is refused with 413."""

CONNECTIONS_MAX = 1_000
"""Connections beyond that are closed at once: a page for scrapers and probes needs a few, a stage of machines a few
hundred."""

IDLE_SECONDS_MAX = 300.0
"""A connection on which nothing is said for so long is closed."""

Answerer = Callable[[Request], Awaitable[Answer | bytes | None]]

log = logging.getLogger("spotward.http")


class Server:
    """Listens in one place or in several; all of them answer alike."""

    def __init__(self, answer: Answerer) -> None:
        """Listens nowhere yet."""
        self._answer = answer
        self._doors: list[asyncio.Server] = []
        self._visits: set[asyncio.Task[None]] = set()

    async def listen(self, host: str | None, port: int) -> int:
        """Opens a door; the port, which 0 lets the system choose. host: None is every address of the machine.

        Raises OSError when the address cannot be had.
        """
        door = await asyncio.start_server(self._visited, host, port)
        self._doors.append(door)
        number: int = door.sockets[0].getsockname()[1]
        return number

    async def close(self) -> None:
        """Ends: no further connection, and those that are open are closed."""
        for door in self._doors:
            door.close()
        for visit in self._visits:
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)

    async def _visited(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio runs this as a task"
        if len(self._visits) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        self._visits.add(task)
        try:
            await _Visit(self._answer, reader, writer).run()
        except (ConnectionError, TimeoutError):
            pass  # the client's business
        except asyncio.CancelledError:
            pass  # the server is closing; asyncio would report a cancelled visit as a fault
        finally:
            self._visits.discard(task)
            writer.close()


@asynccontextmanager
async def serving(answer: Answerer, *, host: str | None, port: int) -> AsyncIterator[int]:
    """Serves as long as the context is open; gives the port. Raises OSError when the address cannot be had."""
    server = Server(answer)
    number = await server.listen(host, port)
    try:
        yield number
    finally:
        await server.close()


class _Visit:
    """One connection."""

    def __init__(self, answer: Answerer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._answer, self._reader, self._writer = answer, reader, writer
        self._protocol = h11.Connection(h11.SERVER)
        name = writer.get_extra_info("peername")
        self._peer = str(name[0]) if name else ""

    async def run(self) -> None:
        """Request after request, until one of the two has had enough."""
        try:
            while (request := await self._request()) is not None:
                if not await self._answered(request):
                    return
                if self._protocol.our_state is h11.MUST_CLOSE or self._protocol.their_state is h11.MUST_CLOSE:
                    return
                self._protocol.start_next_cycle()
        except h11.RemoteProtocolError as error:
            with suppress(h11.LocalProtocolError):  # it may be too late for an answer
                await self._send(text_answer(error.error_status_hint, f"{error}\n"), method="GET")

    async def _request(self) -> Request | None:
        head: h11.Request | None = None
        parts: list[bytes] = []
        length = 0
        while True:
            event = self._protocol.next_event()
            if event is h11.NEED_DATA:
                async with asyncio.timeout(IDLE_SECONDS_MAX):
                    self._protocol.receive_data(await self._reader.read(READ_BYTES))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                length += len(event.data)
                if length > BODY_BYTES_MAX:
                    raise h11.RemoteProtocolError("the request is too long", error_status_hint=413)
                parts.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return Request(
                    method=head.method.decode("latin-1"),
                    target=head.target.decode("latin-1"),
                    headers={name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers},
                    body=b"".join(parts),
                    peer=self._peer,
                )
            else:
                return None

    async def _answered(self, request: Request) -> bool:
        """False when nothing may follow on this connection."""
        try:
            answer = await self._answer(request)
        # A fault of ours in one answer must not end the server, and the client is told that it is not its fault.
        except Exception:
            log.exception("fault while answering %s %s", request.method, request.path)
            answer = text_answer(500, "a fault of the server; its log says more\n")
        if answer is None:
            await self._reader.read()  # until the client gives up
            return False
        if isinstance(answer, bytes):
            await self._say(answer)
            return False
        await self._send(answer, method=request.method)
        return True

    async def _send(self, answer: Answer, *, method: str) -> None:
        headers = [*answer.headers.items(), ("content-length", str(len(answer.body)))]
        head = h11.Response(status_code=answer.status, reason=_reason(answer.status), headers=headers)
        said = self._protocol.send(head) or b""
        if answer.body and method != "HEAD":
            said += self._protocol.send(h11.Data(data=answer.body)) or b""
        said += self._protocol.send(h11.EndOfMessage()) or b""
        await self._say(said)

    async def _say(self, data: bytes) -> None:
        self._writer.write(data)
        async with asyncio.timeout(IDLE_SECONDS_MAX):
            await self._writer.drain()


def _reason(status: int) -> str:
    """`Not Found`, for people who read along."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
