"""The agent on its node: what the machine's own metadata service says, carried out in a real cluster.

The scenarios are those of the Node Termination Handler's end-to-end suite that begin with the metadata service; each
test says in its first line which one it is.
"""

import signal
from pathlib import Path

from spotward.kube.resources import EVENTS
from spotward.model.cluster import Node, Pod
from tests.cluster.agents import Agent, Machine, machine
from tests.cluster.stage import Stage, on_stage

INTERRUPTED = "  - {at: 0, interruption: terminate}"
MAINTAINED = "  - {at: 0, maintenance: {id: instance-event-1, code: system-reboot, not_before: 10m, not_after: 1h}}"
ADVISED = "  - {at: 0, rebalance: now}"
TAINT = "spotward.io/leaving"


def tainted(node: Node, cause: str) -> bool:
    return any(taint.key == TAINT and taint.value == cause for taint in node.taints)


async def cordoned(place: Machine) -> Node:
    return await place.stage.until(place.now, lambda node: node.unschedulable)


async def evicted(stage: Stage, pod: Pod) -> None:
    await stage.until(lambda: stage.pod_now(pod.name), lambda seen: seen is None)


async def stopped(agent: Agent) -> None:
    agent.process.send_signal(signal.SIGTERM)
    assert await agent.process.wait() == 0


@on_stage
async def test_spot_interruption_test(stage: Stage, tmp_path: Path) -> None:
    """spot-interruption-test, -events-on and -host-networking-off: cordon, taint, evict, and tell the cluster."""
    async with machine(stage, tmp_path, INTERRUPTED) as place:
        pod = await stage.pod(place.node)
        async with place.agent() as agent:
            assert tainted(await cordoned(place), "interruption")
            await evicted(stage, pod)
            await agent.said("is empty")
            await stage.until(
                lambda: stage.owner.json("list", EVENTS),
                lambda said: any(each.get("regarding", {}).get("name") == place.node.name for each in said["items"]),
            )
            metrics = await agent.page("/metrics")
            assert "aws_instance_termination_imminent" in metrics
            assert await agent.page("/healthz") == "alive\n"
            await stopped(agent)


@on_stage
async def test_imds_v2_test(stage: Stage, tmp_path: Path) -> None:
    """imds-v2-test: a service that answers nobody without a token."""
    async with machine(stage, tmp_path, INTERRUPTED, v1=False) as place:
        pod = await stage.pod(place.node)
        async with place.agent():
            await cordoned(place)
            await evicted(stage, pod)


@on_stage
async def test_cordon_only_test(stage: Stage, tmp_path: Path) -> None:
    """cordon-only-test: the pod stays."""
    async with machine(stage, tmp_path, INTERRUPTED) as place:
        pod = await stage.pod(place.node)
        async with place.agent(config="nodes: {interruption: cordon}"):
            await cordoned(place)
            seen = await stage.pod_now(pod.name)
            assert seen is not None
            assert not seen.leaving


@on_stage
async def test_asg_lifecycle_imds_test(stage: Stage, tmp_path: Path) -> None:
    """asg-lifecycle-imds-test: the group takes the instance out."""
    async with machine(stage, tmp_path, "  - {at: 0, target_state: Terminated}") as place:
        pod = await stage.pod(place.node)
        async with place.agent():
            await cordoned(place)
            await evicted(stage, pod)


@on_stage
async def test_maintenance_event_test(stage: Stage, tmp_path: Path) -> None:
    """maintenance-event-test: cordon, taint, evict."""
    async with machine(stage, tmp_path, MAINTAINED) as place:
        pods = await stage.deployment("web", 1)
        async with place.agent():
            assert tainted(await cordoned(place), "maintenance")
            await evicted(stage, pods[0])


@on_stage
async def test_maintenance_event_cancellation_test(stage: Stage, tmp_path: Path) -> None:
    """maintenance-event-cancellation-test: what was set is taken back, and the pod runs again."""
    async with machine(stage, tmp_path, MAINTAINED) as place:
        pods = await stage.deployment("web", 1)
        async with place.agent():
            await cordoned(place)
            await evicted(stage, pods[0])
            await place.happens("- {at: 0, cancel: instance-event-1}")
            after = await stage.until(place.now, lambda node: not node.unschedulable)
            assert not any(taint.key == TAINT for taint in after.taints)
            await stage.until(lambda: stage.pods(app="web"), lambda seen: [each.ready for each in seen] == [True])


@on_stage
async def test_dry_run_tests(stage: Stage, tmp_path: Path) -> None:
    """spot-interruption-dry-run-test: what would be done is said, and nothing is."""
    async with machine(stage, tmp_path, INTERRUPTED) as place:
        async with place.agent("--dry-run") as agent:
            await agent.said("dry run: would cordon")
            assert not (await place.now()).unschedulable
        assert not (tmp_path / "state").exists()


@on_stage
async def test_rebalance_recommendation_test(stage: Stage, tmp_path: Path) -> None:
    """rebalance-recommendation-test: cordoned at the advice with its pod running, emptied at the notice."""
    async with machine(stage, tmp_path, ADVISED) as place:
        pod = await stage.pod(place.node)
        async with place.agent():
            await cordoned(place)
            seen = await stage.pod_now(pod.name)
            assert seen is not None
            assert not seen.leaving
            await place.happens("- {at: 0, interruption: terminate}")
            await evicted(stage, pod)
            await stage.until(place.now, lambda node: tainted(node, "interruption"))


@on_stage
async def test_rebalance_recommendation_drain_test(stage: Stage, tmp_path: Path) -> None:
    """rebalance-recommendation-drain-test: where advice is to mean what a notice means."""
    async with machine(stage, tmp_path, ADVISED) as place:
        pods = await stage.deployment("web", 1)
        async with place.agent(config="nodes: {rebalance: drain}"):
            assert tainted(await cordoned(place), "rebalance")
            await evicted(stage, pods[0])


@on_stage
async def test_an_agent_that_was_killed_goes_on_without_asking_anything_twice(stage: Stage, tmp_path: Path) -> None:
    async with machine(stage, tmp_path, INTERRUPTED) as place:
        pod = await stage.pod(place.node)
        async with place.agent():
            await cordoned(place)
        async with place.agent():
            await evicted(stage, pod)
            await stage.until(place.now, lambda node: tainted(node, "interruption"))


@on_stage
async def test_a_command_of_the_users_runs_beside_the_cordon_and_does_not_hold_it_up(
    stage: Stage, tmp_path: Path
) -> None:
    config = "on_notice: [{command: [sh, -c, 'echo $SPOTWARD_ACTION of $SPOTWARD_INSTANCE_ID; sleep 600']}]"
    async with machine(stage, tmp_path, INTERRUPTED) as place:
        pod = await stage.pod(place.node)
        async with place.agent(config=config) as agent:
            await agent.said(f"terminate of {place.node.instance_id}")
            await cordoned(place)
            await evicted(stage, pod)
            await stopped(agent)
