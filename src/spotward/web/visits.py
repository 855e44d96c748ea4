"""One connection of a server of ours: a request has a time in which it must have come, and an answer is one write.

uvicorn waits for ever for the rest of a request that was begun; a hundred senders who say a byte a minute would take up
all connections. And it writes the head of an answer and its body apart, which costs a system call and wakes the other
side twice.
"""

import asyncio
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class Visit(H11Protocol):
    """uvicorn's own, with these two things."""

    request_seconds_max: float
    """So long after it was connected, or after its first byte, a request must have come whole."""
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Somebody has come."""
        super().connection_made(cast(asyncio.Transport, _OneWrite(transport, self.loop)))
        self._be_quick()

    def data_received(self, data: bytes) -> None:
        """Something was said."""
        super().data_received(data)
        self._be_quick()

    def connection_lost(self, exc: Exception | None) -> None:
        """Gone."""
        self._forget()
        super().connection_lost(exc)

    def _be_quick(self) -> None:
        """Give a request that is not whole its time; one that is needs none."""
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._forget()
        elif self._late is None:
            self._late = self.loop.call_later(self.request_seconds_max, self._too_late)

    def _forget(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _too_late(self) -> None:
        self._late = None
        if self.conn.our_state is h11.IDLE:  # its head has not come: nobody else will answer
            words = f"the request did not come whole within {self.request_seconds_max:g} s\n".encode()
            head = [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(words)))]
            answer = h11.Response(status_code=408, headers=[*head, ("connection", "close")])
            for event in (answer, h11.Data(data=words), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class _OneWrite:
    """A transport on which what is written in one go of the loop is sent in one."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Soon."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)

    def close(self) -> None:
        """After what was written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        pieces, self._pieces = self._pieces, []
        if pieces:
            self._transport.write(b"".join(pieces))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
