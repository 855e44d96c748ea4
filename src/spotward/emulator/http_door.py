"""The HTTP door: one thread for each connection, which stays open between requests.

werkzeug's own handler closes the connection after every answer and then waits up to ten milliseconds for more; with an
SDK that makes hundreds of calls a second that is most of the time. So the body is read to its end here, and the
connection is kept. Answers leave in one piece (buffered, without Nagle's algorithm), or each would wait 40 ms for the
client's acknowledgement.
"""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import DechunkedInput

from spotward.emulator.wire import Reply, Request

_log = logging.getLogger(__name__)

BODY_BYTES_MAX = 256 * 1024 * 1024
"""The largest request; larger ones are refused. It must hold what a test uploads to moto's S3."""

IDLE_SECONDS_MAX = 300.0
"""How long a connection may be silent before it is closed."""

Answer = Callable[[Request, Callable[[], dict[str, Any]]], Reply]
"""(request, the same as WSGI's environment) -> reply"""


class HttpDoor(ThreadingHTTPServer):
    """A server on its own thread. Raises OSError if the address cannot be had."""

    daemon_threads = True
    request_queue_size = 256

    # What moto's request handler looks at.
    ssl_context = None
    multithread = True
    multiprocess = False
    _server_version = "spotward"

    def __init__(self, host: str, port: int, answer: Answer) -> None:
        """Listens at once; `port` 0 takes any free one."""
        self.answer = answer
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__((host, port), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="http-door", daemon=True)

    @property
    def url(self) -> str:
        """Where it is to be found."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Ends: no further connection, and those that are open are closed, so that no client goes on with us."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was quicker

    def server_bind(self) -> None:
        """Without http.server's look-up of the host's full name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remembers the connection."""
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forgets the connection."""
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - http.server's signature
        """A connection that broke is the client's business; it is told to who listens to debugging."""
        _log.debug("connection of %s broke", client_address, exc_info=True)


class _Handler(MotoRequestHandler):
    """moto's handler, because it makes the WSGI environment that moto expects; what it does with it is ours."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = IDLE_SECONDS_MAX

    def run_wsgi(self) -> None:
        """Answers one request; werkzeug leads every method here."""
        body = self._body()
        if body is None:
            return
        url = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=unquote(url.path),
            query=url.query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )
        door: Any = self.server  # werkzeug says that it is one of its own
        self._send(door.answer(request, self.make_environ))

    def _body(self) -> bytes | None:
        """The whole body; None if it was refused."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdecimal() and len(length) < 20):
            return self._refuse(400)
        if int(length) > BODY_BYTES_MAX:
            return self._refuse(413)
        return self.rfile.read(int(length))

    def _chunks(self) -> bytes | None:
        try:
            body: bytes = DechunkedInput(self.rfile).read(BODY_BYTES_MAX)  # type: ignore[arg-type] # any file will do
        except OSError:
            return self._refuse(400)
        return body if len(body) < BODY_BYTES_MAX else self._refuse(413)

    def _refuse(self, status: int) -> bytes | None:
        self.close_connection = True
        self.send_error(status)
        return None

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            if name not in {"connection", "transfer-encoding", "date", "server"}:
                self.send_header(name, value)
        if reply.content_type:
            self.send_header("Content-Type", reply.content_type)
        if "content-length" not in reply.headers:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        self.wfile.flush()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Not at all: the call log knows more."""
