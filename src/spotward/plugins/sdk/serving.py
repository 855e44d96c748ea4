"""A plugin as a program: `serve(greet)` at the end of a file makes a gRPC server of it.

It listens on 127.0.0.1:8888 unless told otherwise, asks for a token or a client certificate, answers reflection and the
standard health service (which everybody may ask), and lets calls under way end when it is told to stop.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotward.plugins.sdk.plugin import Plugin

if TYPE_CHECKING:  # gRPC is loaded when a server is made, not by whoever only tests the plugin's own function
    from grpc import aio

    from spotward.plugins.sdk.doors import Doors
    from spotward.plugins.sdk.safety import Safety

ADDRESS = "127.0.0.1:8888"

CALLS_AT_ONCE_MAX = 100
"""More calls than this at once are told to come again (RESOURCE_EXHAUSTED)."""

MESSAGE_BYTES_MAX = 1024 * 1024
"""A longer message is refused (RESOURCE_EXHAUSTED)."""

GRACE_SECONDS = 20.0
"""How long calls under way may take to end when the server is told to stop. Kubernetes kills after thirty."""

LAST_WORDS_SECONDS = 0.5
"""How long an answer that was given may be on its way when the server closes; who only watches is cut off then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a server listens and how it remembers."""

    address: str = ADDRESS
    """host:port, [IPv6]:port or unix:/path; port 0 is any that is free."""
    remember: Path | None = None
    """A file in which answers outlive the process, so that a repeated call has no second effect even then."""
    calls_at_once_max: int = CALLS_AT_ONCE_MAX
    grace_seconds: float = GRACE_SECONDS
    """How long calls under way may take to end when it is told to stop."""


class Server:
    """A plugin's server. Started, it listens until it is stopped."""

    def __init__(self, plugin: Plugin, safety: "Safety", place: Place) -> None:
        """Raises Unsafe when it would let anybody in, OSError when it cannot remember."""
        from spotward.plugins.sdk.remembered import Remembered

        self._plugin, self._place = plugin, place
        self._safety = safety.checked(host_of(place.address))
        self._remembered = Remembered(place.remember)
        self._server: aio.Server | None = None
        self._doors: Doors | None = None
        self._health: Any = None
        self.port = 0

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be had."""
        from grpc import aio
        from grpc_health.v1 import health, health_pb2, health_pb2_grpc
        from grpc_reflection.v1alpha import reflection

        from spotward.plugins.sdk.doorkeeper import Doorkeeper
        from spotward.plugins.sdk.doors import FIRST, OWN, SECOND, Doors

        server = aio.server(
            interceptors=[Doorkeeper(self._safety)],
            maximum_concurrent_rpcs=self._place.calls_at_once_max,
            options=[("grpc.max_receive_message_length", MESSAGE_BYTES_MAX), ("grpc.so_reuseport", 0)],
        )
        self._doors = Doors(self._plugin, self._remembered)
        for handler in self._doors.handlers():
            server.add_generic_rpc_handlers((handler,))
        self._health = health.aio.HealthServicer()
        for service in (OWN, FIRST, SECOND):
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection((OWN, FIRST, SECOND, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        self.port = self._listening(server)
        await server.start()
        self._server = server

    def _listening(self, server: "aio.Server") -> int:
        credentials = self._safety.credentials()
        address = self._place.address
        try:
            if credentials is None:
                return server.add_insecure_port(address)
            return server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}: it is taken, or no address of this machine") from error

    async def stop(self) -> None:
        """Take no new calls, let those under way end within the grace, and close.

        Meanwhile the health service says NOT_SERVING, and who calls hears that it may ask again.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self._place.grace_seconds):
                await self._emptied()
        if self._server is not None:
            await self._server.stop(LAST_WORDS_SECONDS)
        self._remembered.close()
        await self._plugin.close()

    async def _emptied(self) -> None:
        if self._doors is not None:
            await self._health.enter_graceful_shutdown()
            await self._doors.shut()
        await self._remembered.settled()


def host_of(address: str) -> str:
    """The host of `host:port`."""
    return address if address.startswith("unix:") else address.rpartition(":")[0]


def serve(plugin: Plugin, arguments: Sequence[str] | None = None) -> None:
    """Run the plugin as a program, until SIGTERM or Ctrl-C. Its options are read from the command line.

    arguments: instead of the command line's. Ends the process with 2, and words, when it must not or cannot listen.
    """
    from spotward.plugins.sdk.safety import Safety, Unsafe

    said = _parser(plugin).parse_args(arguments)
    safety = Safety(
        certificate=said.tls_certificate,
        key=said.tls_key,
        client_ca=said.client_ca,
        token_file=said.token_file,
        insecure=said.insecure,
    )
    try:
        server = Server(plugin, safety, Place(address=said.address, remember=said.remember))
        asyncio.run(served(server, lambda: _told(plugin, said.address, server.port)))
    except (Unsafe, OSError) as error:
        sys.stderr.write(f"{plugin.name}: {error}\n")
        raise SystemExit(2) from None


async def served(server: Server, started: Callable[[], Awaitable[None] | None]) -> None:
    """Start it, and stop it when the process is told to end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    await server.start()
    started()
    await ended.wait()
    await server.stop()


def _told(plugin: Plugin, address: str, port: int) -> None:
    where = address if address.startswith("unix:") else f"{host_of(address)}:{port}"
    sys.stderr.write(f"{plugin.name} {plugin.version} listens on {where}\n")
    sys.stderr.flush()


def _parser(plugin: Plugin) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=plugin.name, description=plugin.description())
    parser.add_argument("--address", default=ADDRESS, help="host:port to listen on (%(default)s)")
    parser.add_argument("--tls-certificate", type=Path, help="PEM certificate chain of this server")
    parser.add_argument("--tls-key", type=Path, help="its private key")
    parser.add_argument("--client-ca", type=Path, help="let in who shows a certificate of this authority")
    parser.add_argument("--token-file", type=Path, help="let in who sends one of the tokens in this file")
    parser.add_argument("--insecure", action="store_true", help="let everybody in, readable on the way")
    parser.add_argument("--remember", type=Path, help="a file in which answers outlive this process")
    return parser
