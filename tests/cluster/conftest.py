"""One control plane for all tests of a run, and for each test a namespace and nodes of its own.

Tests that stop a component start a control plane of their own (`own_control_plane`), so that nobody else meets them.
Those of a module that begin in a queue share a region of the embedded cloud, which runs as fast as the API server's
clock: what takes its time there to boot is asked for once, for all of them.
"""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.engine.clock import SystemClock
from spotward.kube.client import Kube
from spotward.kube.configuration import find_cluster
from tests.cli.program import Program
from tests.cli.scenery import CALM, Scenery
from tests.cluster.build import binaries
from tests.cluster.control_plane import ADMIN, SPOTWARD, ControlPlane
from tests.cluster.stage import grant
from tests.emulator.clients import eventually
from tests.plugins.receiver import Receiver, receiving

SPOTS = 10
"""Spot instances for the tests that want one each."""


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


# ---- a region of the embedded cloud ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")  # a process has one embedded cloud at a time, and other modules have their own
def region() -> Iterator[Scenery]:
    with Emulator(EmulatorSettings(seed=5, speed=1.0, start_time=SystemClock().now())) as emulator:
        emulator.sites.shock(CALM)
        yield Scenery(emulator, queue=False, bystander=False)


@pytest.fixture(scope="module")
def spots(region: Scenery) -> list[str]:
    """Spot instances in no group, which boot together; each is for one test."""
    made = region.hand.ec2.run_instances(
        ImageId=region.network.image_id,
        InstanceType="m5.large",
        SubnetId=region.network.subnet_ids[0],
        MinCount=SPOTS,
        MaxCount=SPOTS,
        InstanceMarketOptions={"MarketType": "spot"},
    )
    return [str(instance["InstanceId"]) for instance in made["Instances"]]


@pytest.fixture
def spot(region: Scenery, spots: list[str]) -> str:
    """A Spot instance that runs, in no group."""
    instance = spots.pop()
    eventually(lambda: region.state(instance) == "running", seconds_max=90)
    return instance


@pytest.fixture
def program(control_plane: ControlPlane, region: Scenery, tmp_path: Path) -> Program:
    """A daemon to come, with a queue of its own: what another had in hand when it was killed is not told to it."""
    region.queue_url = region.hand.build_queue(f"spotward-{secrets.token_hex(4)}")
    environment = region.cloud.environment(region=region.region)
    environment |= {"KUBECONFIG": str(control_plane.kubeconfig(SPOTWARD))}
    return Program(environment=environment, state=tmp_path / "state", cloud=region.cloud)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server
