"""Serving the pages inside the running loop: no process, no thread and no signal handler of its own.

The pages must never be why groups are not looked after. Only a port that cannot be had stops the start, because then an
operator would wait for metrics that never come; what goes wrong later is logged.

FastAPI and uvicorn are imported when pages are really served: commands that serve none start sooner and weigh less.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import structlog

from spotward.model.errors import ConfigError
from spotward.web.view import View

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

CONNECTIONS_MAX = 100
"""Connections beyond that are answered 503. A scraper and a probe need two."""

CLOSING_SECONDS_MAX = 2
"""How long an answer under way may take when the loop ends."""

REQUEST_SECONDS_MAX = 15.0
"""A request that has not come whole so long after its first byte is given up."""

log = structlog.get_logger()


@asynccontextmanager
async def serving(view: View, *, host: str, port: int | None) -> AsyncIterator[str | None]:
    """Serve the pages as long as the context is open. Gives their address, `http://127.0.0.1:9107`.

    Port 0 takes a free one; None serves nothing, and the address is None. Raises ConfigError naming the setting when
    the address cannot be had.
    """
    if port is None:
        yield None
        return
    from spotward.web.app import build

    door = await opened(host, port)
    server = guest(build(view))
    task = asyncio.create_task(server.serve(sockets=[door]))
    task.add_done_callback(_ended)
    try:
        yield place_of(door)  # the door is open already: who comes before the server has begun waits in its queue
    finally:
        server.should_exit = True
        await asyncio.wait([task])
        door.close()


async def opened(host: str, port: int, *, section: str = "web") -> socket.socket:
    """A socket that listens there. section: of the configuration, which ConfigError names."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{section}.host is {host!r}: {error}; set it to an address of this machine") from error
    family, _, _, _, address = found[0]
    try:
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise ConfigError(_why_not(section, host, port, error)) from error


def _why_not(section: str, host: str, port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"{section}.port is {port}, and another program listens there on {host}; set {section}.port to a free "
                "one, to 0 for any, or to null for none"
            )
        case errno.EACCES:
            return f"{section}.port is {port}, which this user may not open; set {section}.port to one above 1023"
        case errno.EADDRNOTAVAIL:
            return (
                f"{section}.host is {host!r}, which is no address of this machine; set it to one, or to 0.0.0.0 for all"
            )
        case _:
            return f"{section}.host is {host!r}, its port {port}: {error.strerror}; set them to where we can listen"


def place_of(door: socket.socket, *, encrypted: bool = False) -> str:
    """Its address, as a browser takes it."""
    scheme, (host, port) = "https" if encrypted else "http", door.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def guest(
    app: "FastAPI", context: ssl.SSLContext | None = None, *, request_seconds_max: float = REQUEST_SECONDS_MAX
) -> "uvicorn.Server":
    """A server of an application. context: for TLS. request_seconds_max: see `visits`."""
    import uvicorn

    from spotward.web.visits import Visit

    class Guest(uvicorn.Server):
        """A server in somebody else's loop: the signals are the host's."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = uvicorn.Config(
        app,
        http=type("Visit", (Visit,), {"request_seconds_max": request_seconds_max}),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=CLOSING_SECONDS_MAX,
        ssl_context_factory=None if context is None else lambda *_: context,
    )
    config.load()  # what is missing or wrong is found out here, not in a task of its own
    return Guest(config)


def _ended(task: "asyncio.Task[None]") -> None:
    """The pages are gone, and the work goes on: it must be known."""
    if not task.cancelled() and (fault := task.exception()) is not None:
        log.error("the pages are served no more", reason=f"{type(fault).__name__}: {fault}")
