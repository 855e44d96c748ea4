"""From the queue to the last pod: EC2's own notice, a real queue, the daemon as a process, a real API server.

Nothing in between is made up: the embedded cloud warns of an instance, EventBridge puts it into SQS, `spotward run`
hears of it, and the pods of its node go by the eviction API. The cloud's clock runs with the API server's.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.model.cluster import Node, Pod
from tests.cli.program import Program, Running
from tests.cli.scenery import CALM, Scenery
from tests.cluster.control_plane import SPOTWARD, ControlPlane
from tests.cluster.stage import Stage
from tests.emulator.clients import eventually

SETTINGS = """
kubernetes: {enabled: true}
observe_seconds: 3600
nodes:
  watch_seconds: 1
"""

pytestmark = [pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def region() -> Iterator[Scenery]:
    with Emulator(EmulatorSettings(seed=5, speed=1.0, start_time=time.time())) as emulator:
        emulator.sites.shock(CALM)
        yield Scenery(emulator)


@pytest.fixture
def spot(region: Scenery) -> str:
    """A Spot instance that runs, in no group."""
    made = region.hand.ec2.run_instances(
        ImageId=region.network.image_id,
        InstanceType="m5.large",
        SubnetId=region.network.subnet_ids[0],
        MinCount=1,
        MaxCount=1,
        InstanceMarketOptions={"MarketType": "spot"},
    )
    instance = str(made["Instances"][0]["InstanceId"])
    eventually(lambda: region.state(instance) == "running", seconds_max=90)
    return instance


@pytest.fixture
def program(control_plane: ControlPlane, region: Scenery, tmp_path: Path) -> Program:
    environment = region.cloud.environment(region=region.region)
    environment |= {"KUBECONFIG": str(control_plane.kubeconfig(SPOTWARD))}
    return Program(environment=environment, state=tmp_path / "state", cloud=region.cloud)


@contextmanager
def daemon(program: Program, settings: str = SETTINGS) -> Iterator[Running]:
    """The daemon, at work."""
    file = program.state.parent / "spotward.yaml"
    file.write_text(settings)
    with program.running("run", "--config", file, "--queue", "spotward", "--port", "0", "--log", "json") as running:
        eventually(lambda: running.says('"started"') and running.pages, seconds_max=60)
        yield running
        assert "Traceback" not in running.said, running.said


def played(control_plane: ControlPlane, play: Callable[[Stage], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with Stage(control_plane).set() as stage:
            await play(stage)

    asyncio.run(whole())


async def machine(stage: Stage, instance: str) -> Node:
    """The node of an instance."""
    return await stage.node(providerID=f"aws:///us-east-1a/{instance}")


async def moved(stage: Stage, app: str, away_from: Node, count: int) -> list[Pod]:
    """The pods of a deployment, once all are ready and none is on that node."""
    return await stage.until(
        lambda: stage.pods(app=app),
        lambda pods: len(pods) == count and all(p.ready and p.node != away_from.name for p in pods),
    )


def notice(region: Scenery, instance: str) -> None:
    region.site.interrupt([instance])


def is_empty(region: Scenery) -> bool:
    """Is nothing left in the queue, visible or in flight?"""
    asked: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    said = region.hand.sqs.get_queue_attributes(QueueUrl=str(region.queue_url), AttributeNames=asked)["Attributes"]
    return not any(int(value) for value in said.values())


def test_spot_interruption_sqs_test(control_plane: ControlPlane, region: Scenery, spot: str, program: Program) -> None:
    async def play(stage: Stage) -> None:
        doomed = await machine(stage, spot)
        await stage.deployment("web", 3)
        spare = await stage.node()
        with daemon(program) as running:
            begun = time.perf_counter()
            notice(region, spot)
            await moved(stage, "web", doomed, 3)
            seconds = time.perf_counter() - begun
            node = await stage.node_now(doomed.name)
            assert node.unschedulable
            assert {taint.key for taint in node.taints} >= {"spotward.io/leaving"}
            assert "node.kubernetes.io/exclude-from-external-load-balancers" in node.labels
            assert all(pod.node == spare.name for pod in await stage.pods(app="web"))
            assert seconds < 60, f"it took {seconds:.1f} s"
            await asyncio.to_thread(eventually, lambda: is_empty(region))
        explained = await asyncio.to_thread(program, "explain", spot)
        assert "EC2 takes the Spot instance" in explained.out

    played(control_plane, play)
