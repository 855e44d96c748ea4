"""HTTP/1.1 to one API server: this module keeps the connections, and knows what is said when one fails.

A request takes an idle connection or opens one; an answer read to its end puts it back. A watch has a connection to
itself. A peer that vanished without a word (its machine lost power) is noticed by TCP keepalive within
`PEER_SILENCE_SECONDS`, so no watch waits for ever on a dead line.

A connection that was idle may have been closed by the server at the very moment we wrote to it. Such a request is sent
once more on a fresh one, if not a byte of an answer had come. That is safe for all that this room sends: every deed
names the state or the identity that it is meant for, so the server refuses the second of two.
"""

import asyncio
import contextlib
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import h11

from spotward.http.connection import Connection, Dropped, headers_of
from spotward.http.values import Answer, Request
from spotward.kube.configuration import Cluster
from spotward.model.errors import ConfigError, OutsideError, Permanent, Transient

CONNECT_SECONDS_MAX = 5.0
"""How long a connection may take to stand, TLS included."""

REQUESTS_AT_ONCE_MAX = 64
"""Requests under way at the same time; watches are not counted. The API server shares its own seats fairly among
clients, so more would only wait there. Each connection costs a quarter of a megabyte, which asyncio sets aside for TLS:
who runs on every node asks for fewer."""

PEER_SILENCE_SECONDS = 20.0
"""A peer whose TCP does not answer for so long is given up."""

READ_BYTES = 256 * 1024
ANSWER_BYTES_MAX = 256 * 1024 * 1024
LINE_BYTES_MAX = 16 * 1024 * 1024
"""One line of a watch. etcd keeps no object above 1.5 MB; JSON may need more room than what is stored."""


class Stream:
    """An answer that goes on until somebody ends it."""

    def __init__(self, status: int, headers: Mapping[str, str], connection: Connection) -> None:
        self.status, self.headers = status, headers
        self._connection = connection

    async def read(self) -> Answer:
        """All of it, for an answer that turned out to be none of those."""
        return Answer(status=self.status, headers=self.headers, body=await self._connection.body(ANSWER_BYTES_MAX))

    async def lines(self) -> AsyncIterator[bytes]:
        """Line by line, without the line ends."""
        rest = b""
        async for chunk in self._connection.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line:
                    yield line
            if len(rest) > LINE_BYTES_MAX:
                raise Dropped(f"a line is longer than {LINE_BYTES_MAX} bytes")


class Wire:
    """All connections to one API server."""

    def __init__(self, cluster: Cluster, *, requests_at_once_max: int = REQUESTS_AT_ONCE_MAX) -> None:
        self._cluster = cluster
        parts = urlsplit(cluster.server)
        self._host, self._prefix = str(parts.hostname), parts.path.rstrip("/")
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._trust = trust(cluster) if parts.scheme == "https" else None
        self._authority = parts.netloc.rpartition("@")[2]
        self._idle: list[Connection] = []
        self._room = asyncio.Semaphore(requests_at_once_max)
        self._failed_time: float | None = None
        """When the server could last not be reached, by the stopwatch."""

    @property
    def seconds_since_failure(self) -> float:
        """How long ago the server could last not be reached; infinite if it always could."""
        return float("inf") if self._failed_time is None else time.perf_counter() - self._failed_time

    async def ask(self, request: Request, timeout_seconds: float, *, urgent: bool = False) -> Answer:
        """One request and its whole answer, whatever its status. An urgent one does not queue behind the others.

        Raises Transient (unreachable, dropped, too slow) or Permanent (the certificate is not trusted).
        """
        async with contextlib.nullcontext() if urgent else self._room:
            try:
                async with asyncio.timeout(timeout_seconds):
                    return await self._ask(request)
            except TimeoutError:
                raise self._slow(timeout_seconds) from None
            except (OSError, h11.ProtocolError) as error:
                raise self._unreachable(error) from error

    @contextlib.asynccontextmanager
    async def stream(self, request: Request, timeout_seconds: float) -> AsyncIterator[Stream]:
        """One request whose answer goes on: a watch. The limit is for its beginning. Raises as `ask` does, also from
        within the block, when the connection ends in the middle.
        """
        connection: Connection | None = None
        try:
            try:
                async with asyncio.timeout(timeout_seconds):
                    connection = await self._connect()
                    response = await connection.begin(self._written(request), request.body)
            except TimeoutError:
                raise self._slow(timeout_seconds) from None
            yield Stream(response.status_code, headers_of(response), connection)
        except (OSError, h11.ProtocolError) as error:
            raise self._unreachable(error) from error
        finally:
            if connection is not None:
                connection.close()

    def close(self) -> None:
        """Let go of every idle connection."""
        while self._idle:
            self._idle.pop().close()

    # ---- one request -----------------------------------------------------------------------------------------

    async def _ask(self, request: Request) -> Answer:
        if (idle := self._taken()) is not None:
            try:
                return await self._exchange(idle, request)
            except (OSError, h11.ProtocolError):
                if idle.heard:
                    raise
        return await self._exchange(await self._connect(), request)

    async def _exchange(self, connection: Connection, request: Request) -> Answer:
        try:
            response = await connection.begin(self._written(request), request.body)
            body = await connection.body(ANSWER_BYTES_MAX)
        except BaseException:  # a cancelled request leaves an answer on the line that nobody reads
            connection.close()
            raise
        if connection.usable:
            self._idle.append(connection)
        else:
            connection.close()
        return Answer(status=response.status_code, headers=headers_of(response), body=body)

    def _taken(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            connection.close()
        return None

    def _written(self, request: Request) -> h11.Request:
        headers = [("Host", self._authority), *request.headers.items(), ("Content-Length", str(len(request.body)))]
        return h11.Request(method=request.method, target=self._prefix + request.target, headers=headers)

    async def _connect(self) -> Connection:
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                connection = await Connection.open(
                    self._host,
                    self._port,
                    read_bytes=READ_BYTES,
                    tls=self._trust,
                    tls_name=self._cluster.tls_name,
                )
        except TimeoutError:
            raise ConnectionError(f"no connection within {CONNECT_SECONDS_MAX:g} s") from None
        connection.keep_alive(PEER_SILENCE_SECONDS)
        return connection

    # ---- what goes wrong -------------------------------------------------------------------------------------

    def _slow(self, seconds: float) -> Transient:
        self._failed_time = time.perf_counter()
        return Transient(f"the API server {self._place} gave no answer within {seconds:g} s", code="Timeout")

    def _unreachable(self, error: Exception) -> OutsideError:
        self._failed_time = time.perf_counter()
        if isinstance(error, ssl.SSLCertVerificationError):
            return Permanent(
                f"the certificate of the API server {self._place} is not trusted ({error.verify_message}); correct "
                "certificate-authority in the kubeconfig",
                code="CertificateRefused",
            )
        why = (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip()
        return Transient(
            f"the API server {self._place} cannot be reached: {why}; is it running, and does this machine reach it?",
            code="Unreachable",
        )

    @property
    def _place(self) -> str:
        return f"{self._cluster.server}, named by {self._cluster.origin},"


def trust(cluster: Cluster) -> ssl.SSLContext:
    """Whom we believe, and the certificate that we show. Raises ConfigError if either cannot be read."""
    try:
        context = ssl.create_default_context(cadata=cluster.authority.decode() if cluster.authority else None)
        # Python 3.13 asks more of an authority's certificate than Kubernetes, whose tools still make such without a
        # key identifier; client-go takes them, and a cluster that every other tool reaches must be reached.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not cluster.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if cluster.identity.certificate is not None:
            show(context, cluster.identity.certificate, cluster.identity.key)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(f"{cluster.origin}: a certificate or key cannot be used: {error}") from None
    return context


def show(context: ssl.SSLContext, certificate: bytes, key: bytes | None) -> None:
    """Python's ssl takes a certificate from a file alone; the file is ours only, and gone at once."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "client.pem"
        file.touch(mode=0o600)
        file.write_bytes(certificate + b"\n" + (key or b""))
        context.load_cert_chain(file)
