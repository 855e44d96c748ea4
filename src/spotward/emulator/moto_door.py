"""Everything that is not ours, answered by moto's server, called in this process as a WSGI application."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from spotward.emulator.wire import Reply, Request

Environ = dict[str, Any]
"""A WSGI environment."""

_ONE_AT_A_TIME = ("ec2", "autoscaling", "elasticloadbalancing", "events")
"""Services whose state in moto is no match for several threads, and which call nobody back over HTTP."""


class MotoDoor:
    """moto's whole server behind one method. Its state is the process's: there is one, and it begins empty."""

    def __init__(self, account: str) -> None:
        """Forgets what moto knew."""
        moto_api_backend.reset()
        self._account = account
        self._app = DomainDispatcherApplication(create_backend_app)
        self._locks = {service: threading.RLock() for service in _ONE_AT_A_TIME}

    def answer(self, request: Request, environ: Environ, service: str) -> Reply:
        """What moto answers. `service`: the signing name. Raises whatever moto raises."""
        given = {
            **environ,
            "wsgi.input": io.BytesIO(request.body),
            "wsgi.input_terminated": True,
            "CONTENT_LENGTH": str(len(request.body)),
            "HTTP_X_MOTO_ACCOUNT_ID": self._account,
        }
        given.pop("HTTP_TRANSFER_ENCODING", None)
        lock = self._locks.get(service)
        if lock is None:
            return _run(self._app, given)
        with lock:
            return _run(self._app, given)


def _run(app: Callable[[Environ, Any], Iterable[bytes]], environ: Environ) -> Reply:
    told: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], None]:  # noqa: ARG001 - WSGI's
        told.append((status, headers))
        return lambda data: None  # noqa: ARG005 - WSGI's old way of writing, which moto does not use

    chunks = app(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        getattr(chunks, "close", lambda: None)()
    status, headers = told[-1]
    by_name = {name.lower(): value for name, value in headers}
    content_type = by_name.pop("content-type", "")
    by_name.pop("content-length", None) if environ["REQUEST_METHOD"] != "HEAD" else None
    return Reply(status=int(status.split()[0]), body=body, content_type=content_type, headers=by_name)
