"""A client of one server: one connection that is kept, and a limit on the time of the whole exchange.

A connection that was kept may have been closed by the server meanwhile. Where that is known a new one is opened; where
the request was sent and not a byte of an answer came, it goes out once more, if asking twice is the same as asking
once. Nothing else is tried again: when to ask again is the caller's
decision. Proxies of the environment are not used.

Every failure is a Transient: `Timeout`, `Unreachable` (refused, closed, no route) or `NotHttp`.
"""

import asyncio
import ssl
from collections.abc import Mapping

import h11

from spotward.http.connection import Connection, headers_of
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
        self._line: Connection | None = None
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
        if self._line is not None:
            self._line.close()
            self._line = None
        await asyncio.sleep(0)  # asyncio closes the socket in the loop's next round, and this may be its last

    async def _asked(self, request: h11.Request, body: bytes, *, repeatable: bool) -> Answer:
        kept, self._line = self._line, None
        if kept is not None and kept.usable:
            try:
                return await self._over(kept, request, body)
            except (OSError, h11.ProtocolError):
                if kept.heard or not repeatable:
                    raise
        elif kept is not None:
            kept.close()
        return await self._over(await self._connected(), request, body)

    async def _connected(self) -> Connection:
        return await Connection.open(self._host, self._port, read_bytes=READ_BYTES, tls=self._tls)

    async def _over(self, line: Connection, request: h11.Request, body: bytes) -> Answer:
        try:
            head = await line.begin(request, body)
            content = await line.body(ANSWER_BYTES_MAX)
        except BaseException:  # a cancelled exchange, too: on that line the next answer would be the wrong one
            line.close()
            raise
        if line.usable:
            self._line = line
        else:
            line.close()
        return Answer(status=head.status_code, body=content, headers=headers_of(head))
