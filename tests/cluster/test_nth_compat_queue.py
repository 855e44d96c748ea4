"""The daemon in the place of the Node Termination Handler's queue mode: started with that one's variables alone."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.engine.clock import SystemClock
from tests.cli.program import Program
from tests.cli.scenery import CALM, Scenery
from tests.cluster.control_plane import SPOTWARD, ControlPlane
from tests.cluster.stage import Stage
from tests.emulator.clients import eventually

pytestmark = [pytest.mark.timeout(300)]


@pytest.fixture
def region() -> Iterator[Scenery]:
    with Emulator(EmulatorSettings(seed=5, speed=1.0, start_time=SystemClock().now())) as emulator:
        emulator.sites.shock(CALM)
        yield Scenery(emulator)


def a_spot_instance(region: Scenery) -> str:
    """One that runs, in no group."""
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


def variables(control_plane: ControlPlane, region: Scenery) -> dict[str, str]:
    """As the chart of that handler gives them to its Deployment, and the one that asks for them to be read."""
    cloud = region.cloud.environment(region=region.region)
    return {
        **{name: value for name, value in cloud.items() if name not in {"AWS_ENDPOINT_URL", "AWS_REGION"}},
        "KUBECONFIG": str(control_plane.kubeconfig(SPOTWARD)),
        "SPOTWARD_COMPAT_NTH": "true",
        "AWS_ENDPOINT": cloud["AWS_ENDPOINT_URL"],
        "AWS_REGION": region.region,
        "QUEUE_URL": str(region.queue_url),
        "ENABLE_SQS_TERMINATION_DRAINING": "true",
        "ENABLE_SPOT_INTERRUPTION_DRAINING": "false",
        "ENABLE_SCHEDULED_EVENT_DRAINING": "false",
        "ENABLE_REBALANCE_DRAINING": "false",
        "CHECK_TAG_BEFORE_DRAINING": "false",
        "TAINT_NODE": "true",
        "WORKERS": "10",
        "JSON_LOGGING": "true",
    }


def test_a_notice_from_the_queue_is_handled_with_their_variables_alone(
    control_plane: ControlPlane, region: Scenery, tmp_path: Path
) -> None:
    instance = a_spot_instance(region)
    program = Program(environment=variables(control_plane, region), state=tmp_path / "state", cloud=region.cloud)

    async def play() -> None:
        async with Stage(control_plane).set() as stage:
            doomed = await stage.node(providerID=f"aws:///us-east-1a/{instance}")
            pod = await stage.pod(doomed)
            with program.running("run", "--port", "0") as running:
                try:
                    await asyncio.to_thread(eventually, lambda: running.says('"started"'), seconds_max=90)
                    region.site.interrupt([instance])
                    await stage.until(lambda: stage.pod_now(pod.name), lambda seen: seen is None)
                finally:
                    sys.stdout.write(running.said)  # shown when the test fails
                node = await stage.node_now(doomed.name)
                assert node.unschedulable
                assert {"aws-node-termination-handler/spot-itn", "spotward.io/leaving"} <= {t.key for t in node.taints}
                assert running.says("`ENABLE_SPOT_INTERRUPTION_DRAINING` changes nothing")

    asyncio.run(play())
