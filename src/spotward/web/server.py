"""Serving the pages inside the running loop: no process, no thread and no signal handler of its own.

The pages must never be why groups are not looked after. Only a port that cannot be had stops the start, because then an
operator would wait for metrics that never come; what goes wrong later is logged.

FastAPI and uvicorn are imported when pages are really served: commands that serve none start sooner and weigh less.
"""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import structlog

from spotward.model.errors import ConfigError
from spotward.web.view import View

if TYPE_CHECKING:
    import uvicorn

CONNECTIONS_MAX = 100
"""Connections beyond that are answered 503. A scraper and a probe need two."""

CLOSING_SECONDS_MAX = 2
"""How long an answer under way may take when the loop ends."""

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
    door = await _opened(host, port)
    server = _server(view)
    task = asyncio.create_task(server.serve(sockets=[door]))
    task.add_done_callback(_ended)
    try:
        yield _address(door)  # the door is open already: who comes before the server has begun waits in its queue
    finally:
        server.should_exit = True
        await asyncio.wait([task])
        door.close()


async def _opened(host: str, port: int) -> socket.socket:
    """A socket that listens there."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"web.host is {host!r}: {error}; set it to an address of this machine") from error
    family, _, _, _, address = found[0]
    try:
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise ConfigError(_why_not(host, port, error)) from error


def _why_not(host: str, port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"web.port is {port}, and another program listens there on {host}; set web.port to a free one, "
                "to 0 for any, or to null for no pages"
            )
        case errno.EACCES:
            return f"web.port is {port}, which this user may not open; set web.port to one above 1023"
        case errno.EADDRNOTAVAIL:
            return f"web.host is {host!r}, which is no address of this machine; set it to one, or to 0.0.0.0 for all"
        case _:
            return f"web.host is {host!r} and web.port {port}: {error.strerror}; set them to where pages can be served"


def _address(door: socket.socket) -> str:
    host, port = door.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _server(view: View) -> "uvicorn.Server":
    import uvicorn

    from spotward.web.app import build

    class Guest(uvicorn.Server):
        """A server in somebody else's loop: the signals are the host's."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = uvicorn.Config(
        build(view),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=CLOSING_SECONDS_MAX,
    )
    config.load()  # what is missing or wrong is found out here, not in a task of its own
    return Guest(config)


def _ended(task: "asyncio.Task[None]") -> None:
    """The pages are gone, and the work goes on: it must be known."""
    if not task.cancelled() and (fault := task.exception()) is not None:
        log.error("the pages are served no more", reason=f"{type(fault).__name__}: {fault}")
