"""One control plane for all tests of a run, and for each test a namespace and nodes of its own.

Tests that stop a component start a control plane of their own (`own_control_plane`), so that nobody else meets them.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from spotward.engine.clock import SystemClock
from spotward.kube.client import Kube
from spotward.kube.configuration import find_cluster
from tests.cluster.build import binaries
from tests.cluster.control_plane import ADMIN, ControlPlane
from tests.cluster.stage import grant


def started(folder: Path) -> ControlPlane:
    wanted = binaries()
    if not wanted.built:
        pytest.fail(f"{wanted.kubernetes} is not built; `make cluster-test` builds it", pytrace=False)
    return ControlPlane(wanted, folder)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with started(tmp_path_factory.mktemp("control-plane")) as running:
        grant_all(running)
        yield running


@pytest.fixture(scope="module")
def module_control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One for the tests of a module that stop a component, and leave all of it running again."""
    with started(tmp_path_factory.mktemp("control-plane")) as running:
        grant_all(running)
        yield running


@pytest.fixture
def own_control_plane(tmp_path: Path) -> Iterator[ControlPlane]:
    with started(tmp_path) as running:
        grant_all(running)
        yield running


def grant_all(running: ControlPlane) -> None:
    async def grant_once() -> None:
        owner = Kube(find_cluster(running.kubeconfig(ADMIN)), clock=SystemClock())
        await grant(owner)
        owner.close()

    asyncio.run(grant_once())
