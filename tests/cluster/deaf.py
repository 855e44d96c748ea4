"""A door before the API server that can go deaf: it passes requests on, and not the answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import urlsplit

from spotward.engine.clock import SystemClock
from spotward.kube.client import Kube
from spotward.kube.configuration import find_cluster
from spotward.kube.store import KubeStore
from tests.cluster.control_plane import SPOTWARD, ControlPlane
from tests.cluster.room import NAMESPACE

ANSWERED_SECONDS = 0.4
"""So long after a request the server has done what it was asked: then the line is cut."""


class Door:
    """Between one client and the API server. What is encrypted stays so."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.port = 0
        self.lost = 0
        """How many of the next requests are carried out and not answered."""
        self.shut = False
        """Nobody is let in, and nobody answered."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)
        answers = asyncio.create_task(self._pass_on(server_reader, writer))
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self.shut:
                    break
                server_writer.write(data)
                await server_writer.drain()
                if self.lost > 0 and len(data) > 200:  # a request, and not the end of a handshake
                    self.lost -= 1
                    answers.cancel()
                    await asyncio.sleep(ANSWERED_SECONDS)
                    break
        answers.cancel()
        for each in (server_writer, writer):
            each.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()


@contextlib.asynccontextmanager
async def door(control_plane: ControlPlane) -> AsyncIterator[Door]:
    made = Door(int(urlsplit(control_plane.server).port or 0))
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


def store_through(door: Door, control_plane: ControlPlane, name: str) -> KubeStore:
    """A store whose calls go through it."""
    cluster = replace(find_cluster(control_plane.kubeconfig(SPOTWARD)), server=f"https://127.0.0.1:{door.port}")
    kube = Kube(cluster, clock=SystemClock())
    return KubeStore(kube, namespace=NAMESPACE, name=name, writer="through the door")
