"""A client of one server: one connection that is kept, and a limit on the time of the whole exchange.

A connection that was kept may have been closed by the server meanwhile; then the same request goes out once more over a
new one, if asking twice is the same as asking once. Nothing else is tried again: when to ask again is the caller's
decision. Proxies of the environment are not used.

Every failure is a Transient: `Timeout`, `Unreachable` (refused, closed, no route) or `NotHttp`.
"""

import asyncio
import ssl
from collections.abc import Mapping

import h11

from spotward.http.values import Answer
from spotward.model.errors import Transient

READ_BYTES = 65_536

ANSWER_BYTES_MAX = 1_048_576
"""A longer answer is not read to its end; it is as good as none."""

REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
"""Methods of which a second request changes no more than the first (RFC 9110, 9.2.2)."""


class Client:
    """Speaks to one host and port. One request at a time: those that come meanwhile wait."""

    def __init__(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> None:
        """Does not connect before it is asked for something."""
        self._host, self._port, self._tls = host, port, tls
        self._line: _Line | None = None
        self._turn = asyncio.Lock()
        shown = f"[{host}]" if ":" in host else host
        self._authority = f"{shown}:{port}"

    @property
    def where(self) -> str:
        """`127.0.0.1:9092`, for messages."""
        return self._authority

    async def ask(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        seconds_max: float,
    ) -> Answer:
        """The answer, whatever its status. seconds_max: from now to its last byte. Raises Transient."""
        fields = [("Host", self._authority), *(headers or {}).items()]
        if body or method in {"POST", "PUT", "PATCH"}:
            fields.append(("Content-Length", str(len(body))))
        request = h11.Request(method=method, target=target, headers=fields)
        try:
            async with asyncio.timeout(seconds_max), self._turn:
                return await self._asked(request, body, repeatable=method in REPEATABLE)
        except TimeoutError:
            raise Transient(f"{self.where} did not answer within {seconds_max:g} s", code="Timeout") from None
        except h11.RemoteProtocolError as error:
            raise Transient(f"{self.where} does not speak HTTP: {error}", code="NotHttp") from error
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that no resolver can be asked for
            raise Transient(f"{self.where} cannot be reached: {error}", code="Unreachable") from error

    async def close(self) -> None:
        """Lets the connection go; asking again opens another."""
        self._hang_up()
        await asyncio.sleep(0)  # asyncio closes the socket in the loop's next round, and this may be its last

    async def _asked(self, request: h11.Request, body: bytes, *, repeatable: bool) -> Answer:
        kept = self._line is not None
        try:
            try:
                return await self._over_the_line(request, body)
            except _ClosedUnanswered:
                self._hang_up()
                if not (kept and repeatable):
                    raise
            return await self._over_the_line(request, body)
        except (
            BaseException
        ):  # a cancelled exchange, too, leaves a line on which the next answer would be the wrong one
            self._hang_up()
            raise

    async def _over_the_line(self, request: h11.Request, body: bytes) -> Answer:
        if self._line is None:
            self._line = _Line(*await asyncio.open_connection(self._host, self._port, ssl=self._tls))
        answer = await self._line.exchange(request, body)
        if not self._line.ready_for_more():
            self._hang_up()
        return answer

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.drop()
            self._line = None


class _ClosedUnanswered(ConnectionError):  # noqa: N818 - it says what the server did
    """The server closed the connection and had said nothing."""


class _Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._protocol = h11.Connection(h11.CLIENT)

    async def exchange(self, request: h11.Request, body: bytes) -> Answer:
        """One request and its answer."""
        said = self._protocol.send(request) or b""
        if body:
            said += self._protocol.send(h11.Data(data=body)) or b""
        said += self._protocol.send(h11.EndOfMessage()) or b""
        try:
            self._writer.write(said)
            await self._writer.drain()
        except (ConnectionError, RuntimeError) as error:  # RuntimeError: the transport noticed first and is closed
            raise _ClosedUnanswered(str(error)) from error
        return await self._answer()

    async def _answer(self) -> Answer:
        head: h11.Response | None = None
        parts: list[bytes] = []
        length = 0
        while True:
            event = self._protocol.next_event()
            if event is h11.NEED_DATA:
                await self._hear(begun=head is not None)
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                length += len(event.data)
                if length > ANSWER_BYTES_MAX:
                    raise ConnectionError(f"the answer is longer than {ANSWER_BYTES_MAX} bytes")
                parts.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
                return Answer(status=head.status_code, body=b"".join(parts), headers=headers)
            elif isinstance(event, h11.ConnectionClosed):
                raise ConnectionError("it closed the connection")

    async def _hear(self, *, begun: bool) -> None:
        try:
            data = await self._reader.read(READ_BYTES)
        except ConnectionError as error:
            if begun or self._protocol.trailing_data[0]:
                raise
            raise _ClosedUnanswered(str(error)) from error
        if not data and not begun and not self._protocol.trailing_data[0]:
            raise _ClosedUnanswered("it closed the connection")
        self._protocol.receive_data(data)

    def ready_for_more(self) -> bool:
        """Can the next request go over it?"""
        if self._protocol.our_state is not h11.DONE or self._protocol.their_state is not h11.DONE:
            return False
        self._protocol.start_next_cycle()
        return not self._writer.is_closing()

    def drop(self) -> None:
        """At once, without a farewell."""
        self._writer.transport.abort()
