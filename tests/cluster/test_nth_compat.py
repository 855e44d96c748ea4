"""An agent in the place of the Node Termination Handler: started with that one's variables, and with nothing else."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from spotward.cli.exits import Exit
from spotward.model.cluster import EXCLUDE_FROM_LOAD_BALANCERS_LABEL
from tests.cli.program import bare_environment
from tests.cluster.agents import Agent, Machine, machine
from tests.cluster.control_plane import SPOTWARD
from tests.cluster.stage import Stage, on_stage

INTERRUPTED = "  - {at: 0, interruption: terminate}"
COMMAND = (sys.executable, "-m", "spotward", "agent")
THEIRS = "aws-node-termination-handler"


def variables(place: Machine, folder: Path, port: int, **more: str) -> dict[str, str]:
    """As the chart of that handler gives them to its pods, and the one that asks for them to be read."""
    return {
        **bare_environment(),
        "HOME": str(folder),
        "KUBECONFIG": str(place.stage.control_plane.kubeconfig(SPOTWARD)),
        "SPOTWARD_COMPAT_NTH": "true",
        "NODE_NAME": place.node.name,
        "POD_NAME": "aws-node-termination-handler-x7k2p",
        "NAMESPACE": "kube-system",
        "INSTANCE_METADATA_URL": place.door.url,
        "METADATA_TRIES": "3",
        "DELETE_LOCAL_DATA": "",
        "POD_TERMINATION_GRACE_PERIOD": "20",
        "ENABLE_SPOT_INTERRUPTION_DRAINING": "true",
        "ENABLE_SQS_TERMINATION_DRAINING": "false",
        "TAINT_NODE": "true",
        "EXCLUDE_FROM_LOAD_BALANCERS": "true",
        "JSON_LOGGING": "true",
        "ENABLE_PROMETHEUS_SERVER": "true",
        "PROMETHEUS_SERVER_PORT": str(port),
        **more,
    }


@asynccontextmanager
async def agent_of(place: Machine, folder: Path, **more: str) -> AsyncIterator[Agent]:
    """The agent, without a word on its command line; killed at the end if it has not ended by itself."""
    port, log = free_port(), folder / "log"
    with log.open("a") as output:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, env=variables(place, folder, port, **more), stdout=output, stderr=output
        )
    try:
        yield Agent(process, log, port)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        number: int = door.getsockname()[1]
        return number


@on_stage
async def test_a_notice_is_handled_with_their_variables_alone(stage: Stage, tmp_path: Path) -> None:
    async with machine(stage, tmp_path, INTERRUPTED) as place:
        pod = await stage.pod(place.node)
        async with agent_of(place, tmp_path) as agent:
            await agent.said("`TAINT_NODE` is mapped (nodes.taint, nodes.nth_marks)")
            node = await stage.until(place.now, lambda node: node.unschedulable and len(node.taints) > 2)
            taints = {taint.key: taint.value for taint in node.taints}
            assert taints[f"{THEIRS}/spot-itn"] == f"spot-itn-{place.node.instance_id}"
            assert taints["spotward.io/leaving"] == "interruption"
            assert node.labels[EXCLUDE_FROM_LOAD_BALANCERS_LABEL] == THEIRS
            await stage.until(lambda: stage.pod_now(pod.name), lambda seen: seen is None)
            await agent.said("is empty")
            assert "aws_instance_termination_imminent" in await agent.page("/metrics")


@on_stage
async def test_what_cannot_be_kept_stops_the_start_before_anything_is_touched(stage: Stage, tmp_path: Path) -> None:
    async with machine(stage, tmp_path, INTERRUPTED) as place:
        async with agent_of(place, tmp_path, TAINT_EFFECT="NoExecute", UPTIME_FROM_FILE="x") as agent:
            assert await agent.process.wait() == Exit.USAGE
            assert agent.says("`TAINT_EFFECT` is refused: it would take every pod at once, past every budget")
            assert agent.says("`UPTIME_FROM_FILE` is refused: a reboot is told by the boot id")
        assert not (await place.now()).unschedulable
