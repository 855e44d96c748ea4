"""One connection to a server, one request at a time: h11 keeps the protocol, asyncio moves the bytes.

Who keeps it, shares it or tries again is for those above to decide; `heard` and `usable` tell them what they need.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator

import h11

HEADER_BYTES_MAX = 64 * 1024


class Dropped(ConnectionError):  # noqa: N818 - it says what happened, and reads as that
    """The peer closed the connection before its answer was whole, or the answer is longer than it may be."""


class Connection:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, read_bytes: int) -> None:
        """read_bytes: no more are read at once."""
        self._reader, self._writer, self._read_bytes = reader, writer, read_bytes
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEADER_BYTES_MAX)
        self.heard = False
        """Did a byte of the present answer come?"""

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        *,
        read_bytes: int,
        tls: ssl.SSLContext | None = None,
        tls_name: str | None = None,
    ) -> "Connection":
        """tls_name: whose certificate is expected, if not the host's. Raises OSError."""
        reader, writer = await asyncio.open_connection(
            host, port, limit=read_bytes, ssl=tls, server_hostname=(tls_name or host) if tls else None
        )
        return cls(reader, writer, read_bytes=read_bytes)

    @property
    def usable(self) -> bool:
        """Nobody has closed it yet, as far as we know, and it is idle."""
        return self._http.our_state is h11.IDLE and not self._reader.at_eof() and not self._writer.is_closing()

    async def begin(self, request: h11.Request, body: bytes) -> h11.Response:
        """Send, and read as far as the headers of the answer. Raises OSError, h11.ProtocolError."""
        self.heard = False
        parts = (request, h11.Data(data=body), h11.EndOfMessage()) if body else (request, h11.EndOfMessage())
        self._writer.write(b"".join(self._http.send(part) or b"" for part in parts))
        await self._writer.drain()
        event = await self._event()
        while isinstance(event, h11.InformationalResponse):
            event = await self._event()
        if not isinstance(event, h11.Response):
            raise Dropped("the connection was closed before an answer came")
        return event

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, as it comes; after its end the connection may be used again. Raises OSError, h11.ProtocolError."""
        while isinstance(event := await self._event(), h11.Data):
            yield bytes(event.data)
        if not isinstance(event, h11.EndOfMessage):
            raise Dropped("the connection was closed within an answer")
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()

    async def body(self, bytes_max: int) -> bytes:
        """All of it. Raises OSError, h11.ProtocolError; Dropped for one that is longer."""
        parts: list[bytes] = []
        size = 0
        async for chunk in self.chunks():
            parts.append(chunk)
            size += len(chunk)
            if size > bytes_max:
                raise Dropped(f"an answer is longer than {bytes_max} bytes")
        return b"".join(parts)

    async def _event(self) -> h11.Event | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            data = await self._reader.read(self._read_bytes)
            self.heard = self.heard or bool(data)
            if not data and not self.heard:
                raise Dropped("the connection was closed before an answer came")
            self._http.receive_data(data)
        assert event is not h11.NEED_DATA
        return event  # type: ignore[return-value]  # the type checker cannot tell the sentinel from its class

    def keep_alive(self, silence_seconds: float) -> None:
        """Ask the kernel to notice within so long that the peer is gone. Raises nothing: what a system lacks is left
        out.
        """
        connected = self._writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (
            ("TCP_KEEPIDLE", int(silence_seconds / 2)),
            ("TCP_KEEPINTVL", int(silence_seconds / 4)),
            ("TCP_KEEPCNT", 2),
            ("TCP_USER_TIMEOUT", int(silence_seconds * 1000)),
        ):
            if hasattr(socket, name):
                connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def close(self) -> None:
        """Let go of it at once. Nothing of ours is on the way any more, so there is no farewell to wait for."""
        self._writer.transport.abort()


def headers_of(response: h11.Response) -> dict[str, str]:
    """With names in lower case, which h11 gives."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
