"""The daemon in the place of the Node Termination Handler's queue mode: started with that one's variables alone."""

import asyncio
import sys
from dataclasses import replace

import pytest

from tests.cli.program import Program
from tests.cli.scenery import Scenery
from tests.cluster.control_plane import SPOTWARD, ControlPlane
from tests.cluster.stage import Stage
from tests.emulator.clients import eventually

pytestmark = [pytest.mark.timeout(300)]


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
    control_plane: ControlPlane, region: Scenery, program: Program, spot: str
) -> None:
    program = replace(program, environment=variables(control_plane, region))

    async def play() -> None:
        async with Stage(control_plane).set() as stage:
            doomed = await stage.node(providerID=f"aws:///us-east-1a/{spot}")
            pod = await stage.pod(doomed)
            with program.running("run", "--port", "0") as running:
                try:
                    await asyncio.to_thread(eventually, lambda: running.says('"started"'), seconds_max=90)
                    region.site.interrupt([spot])
                    await stage.until(lambda: stage.pod_now(pod.name), lambda seen: seen is None)
                finally:
                    sys.stdout.write(running.said)  # shown when the test fails
                node = await stage.node_now(doomed.name)
                assert node.unschedulable
                assert {"aws-node-termination-handler/spot-itn", "spotward.io/leaving"} <= {t.key for t in node.taints}
                assert running.says("`ENABLE_SPOT_INTERRUPTION_DRAINING` changes nothing")

    asyncio.run(play())
