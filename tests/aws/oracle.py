"""A server that gives prepared answers, for what moto does not have, does not say, or says too slowly."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

Reply = bytes | tuple[int, bytes]
"""A body, or a status and a body."""


@dataclass
class Oracle:
    """Answers by operation; each request is noted with its parameters."""

    replies: dict[str, Callable[[dict[str, Any]], Reply] | Reply] = field(default_factory=dict)
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    url: str = ""

    def times(self, operation: str) -> int:
        """How often an operation was asked for."""
        return sum(name == operation for name, _ in self.heard)

    def answer(self, operation: str, parameters: dict[str, Any]) -> tuple[int, bytes]:
        """The prepared answer, or AWS's for an action that there is not."""
        self.heard.append((operation, parameters))
        if operation not in self.replies:
            return 400, error("InvalidAction", f"{operation} is not prepared")
        prepared = self.replies[operation]
        reply = prepared(parameters) if callable(prepared) else prepared
        return reply if isinstance(reply, tuple) else (200, reply)


@contextmanager
def serving(**replies: Callable[[dict[str, Any]], Reply] | Reply) -> Iterator[Oracle]:
    """An oracle on a free port of loopback."""
    oracle = Oracle(dict(replies))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            target = self.headers.get("X-Amz-Target")
            if target:
                operation, parameters = target.rsplit(".", 1)[-1], json.loads(body)
            else:
                parameters = {name: values[0] for name, values in parse_qs(body).items()}
                operation = parameters.pop("Action")
            status, answer = oracle.answer(operation, parameters)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    oracle.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield oracle
    finally:
        server.shutdown()
        server.server_close()


def error(code: str, message: str) -> bytes:
    """An error as EC2 writes it, which botocore also reads from the other services' query protocol."""
    return (
        f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors></Response>".encode()
    )
