"""The agent on its node: what the machine's own metadata service says, carried out in a real cluster.

The scenarios are those of the Node Termination Handler's end-to-end suite that begin with the metadata service; each
test says in its first line which one it is.
"""

import json
import signal
from pathlib import Path

from spotward.model.cluster import OUT_OF_SERVICE_TAINT, Node, Pod
from tests.cluster.agents import Agent, Machine, machine
from tests.cluster.figures import figure
from tests.cluster.stage import Stage, on_stage
from tests.plugins.receiver import Receiver

INTERRUPTED = "  - {at: 0, interruption: terminate}"
MAINTAINED = "  - {at: 0, maintenance: {id: instance-event-1, code: system-reboot, not_before: 10m, not_after: 1h}}"
ADVISED = "  - {at: 0, rebalance: now}"
TAINT = "spotward.io/leaving"

FACTS = {
    "account-id",
    "availability-zone",
    "instance-id",
    "instance-life-cycle",
    "instance-type",
    "local-hostname",
    "local-ipv4",
    "public-hostname",
    "public-ipv4",
    "region",
}
"""What stands on every Kubernetes Event."""


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
    """spot-interruption-test: cordon, taint, evict. (Out of service is not marked what runs: see the known defects.)"""
    async with machine(stage, tmp_path, INTERRUPTED) as place:
        pod = await stage.pod(place.node)
        async with place.agent() as agent:
            assert tainted(await cordoned(place), "interruption")
            await evicted(stage, pod)
            await agent.said("is empty")
            assert not (await place.now()).has_taint(OUT_OF_SERVICE_TAINT)
            metrics = await agent.page("/metrics")
            assert "aws_instance_termination_imminent" in metrics
            assert await agent.page("/healthz") == "alive\n"
            await stopped(agent)


@on_stage
async def test_emit_events_test(stage: Stage, tmp_path: Path) -> None:
    """emit-events-test: the end of it stands on the node."""
    async with machine(stage, tmp_path, INTERRUPTED) as place:
        await stage.pod(place.node)
        async with place.agent():
            said = await stage.until(lambda: stage.events_about(place.node), lambda said: "CordonAndDrain" in said)
            assert "1 pod: 1 in good order; done" in said["CordonAndDrain"]["note"]
            assert said["CordonAndDrain"]["type"] == "Normal"


@on_stage
async def test_spot_interruption_test_events_on(stage: Stage, tmp_path: Path) -> None:
    """spot-interruption-test-events-on: each with all that is known of the machine, and with what the owner adds."""
    about = "instance_type: m5.large, account: '123456789012', private_ip: 192.168.0.1, public_ip: 203.0.113.7"
    async with machine(stage, tmp_path, INTERRUPTED, about=about) as place:
        await stage.pod(place.node)
        async with place.agent(config="kubernetes: {event_annotations: {example.com/team: a}}"):
            wanted = ("SpotInterruption", "PreDrain", "CordonAndDrain")
            said = await stage.until(lambda: stage.events_about(place.node), lambda said: {*wanted} <= {*said})
            for reason in wanted:
                found = said[reason]["metadata"]["annotations"]
                assert found.keys() >= FACTS
                assert (found["account-id"], found["example.com/team"]) == ("123456789012", "a")
                assert (found["instance-life-cycle"], found["public-ipv4"]) == ("spot", "203.0.113.7")


@on_stage
async def test_spot_interruption_test_host_networking_off(stage: Stage, tmp_path: Path) -> None:
    """spot-interruption-test-host-networking-off: the service is another hop away. While the hop limit refuses tokens
    the log names the setting; once it is raised, all goes its way."""
    refused = "  - {at: 0, for: 20s, fail: {hang: true, path: token}}"
    async with machine(stage, tmp_path, f"{refused}\n{INTERRUPTED}") as place:
        pod = await stage.pod(place.node)
        async with place.agent() as agent:
            await agent.said("set the instance's HttpPutResponseHopLimit to 2")
            assert tainted(await cordoned(place), "interruption")
            await evicted(stage, pod)


@on_stage
async def test_webhook_test(stage: Stage, tmp_path: Path, receiver: Receiver) -> None:
    """webhook-test: a template of the user's own, with the zone."""
    template = json.dumps({"text": "$cause of $instance on $node in $az, $moment"})
    async with machine(stage, tmp_path, INTERRUPTED) as place:
        await stage.pod(place.node)
        async with place.agent(config=f"webhook: {{url: '{receiver.url}/T0', template: '{template}'}}"):
            assert (await cordoned(place)).unschedulable
            await stage.until(place.now, lambda _: len(receiver.heard) == 2)
        node = place.node
        words = f"interruption of {node.instance_id} on {node.name} in us-east-1a"
        assert [json.loads(body)["text"] for _, _, body in receiver.heard] == [f"{words}, begin", f"{words}, end"]


@on_stage
async def test_prometheus_metrics_test(stage: Stage, tmp_path: Path) -> None:
    """prometheus-metrics-test: what was done, by kind and by what came of it."""
    async with machine(stage, tmp_path, INTERRUPTED) as place:
        pod = await stage.pod(place.node)
        async with place.agent() as agent:
            assert tainted(await cordoned(place), "interruption")
            await evicted(stage, pod)
            page = await stage.until(
                lambda: agent.page("/metrics"), lambda page: figure(page, "spotward_nodes_drained_total") > 0
            )
            for kind in ("cordon-node", "evict-pods"):
                assert figure(page, "spotward_deeds_total", kind=kind, outcome="done") == 1
            assert figure(page, "spotward_deeds_total", outcome="failed") == 0
            assert figure(page, "spotward_nodes_drained_total", cause="interruption") == 1
            assert figure(page, "spotward_pods_gone_total", how="graceful") == 1
            assert figure(page, "spotward_drain_spare_seconds_total") > 0
            assert figure(page, "process_resident_memory_bytes") > 1e6
            assert figure(page, "process_cpu_seconds_total") > 0


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
async def test_spot_interruption_dry_run_test(stage: Stage, tmp_path: Path) -> None:
    """spot-interruption-dry-run-test: what would be done is said, and nothing is."""
    await rehearsed(stage, tmp_path, INTERRUPTED)


@on_stage
async def test_maintenance_event_dry_run_test(stage: Stage, tmp_path: Path) -> None:
    """maintenance-event-dry-run-test."""
    await rehearsed(stage, tmp_path, MAINTAINED)


@on_stage
async def test_rebalance_recommendation_dry_run_test(stage: Stage, tmp_path: Path) -> None:
    """rebalance-recommendation-dry-run-test."""
    await rehearsed(stage, tmp_path, ADVISED, config="nodes: {rebalance: drain}")


async def rehearsed(stage: Stage, folder: Path, steps: str, config: str = "") -> None:
    async with machine(stage, folder, steps) as place:
        (pod,) = await stage.deployment("web", 1)
        async with place.agent("--dry-run", config=config) as agent:
            await agent.said(f"dry run: would cordon {place.node.name}")
            assert agent.says("its pods are moved now")
            assert not (await place.now()).unschedulable
            assert (await stage.pod_now(pod.name)).uid == pod.uid
        assert not (folder / "state").exists()


@on_stage
async def test_maintenance_event_reboot_test(stage: Stage, tmp_path: Path) -> None:
    """maintenance-event-reboot-test: emptied, rebooted, given back, though the service still lists the maintenance."""
    async with machine(stage, tmp_path, MAINTAINED.replace("10m", "5s")) as place:
        await stage.boot(place.node, "boot-1")
        pods = await stage.deployment("web", 1)
        async with place.agent():
            assert tainted(await cordoned(place), "maintenance")
            await evicted(stage, pods[0])
        await stage.boot(place.node, "boot-2")
        async with place.agent() as agent:
            after = await stage.until(place.now, lambda node: not node.unschedulable)
            assert not any(taint.key == TAINT for taint in after.taints)
            await stage.until(lambda: stage.pods(app="web"), lambda seen: [each.ready for each in seen] == [True])
            await agent.said(f"{place.node.name} stays: the machine was started again")
            polls = "spotward_imds_polls_total"
            before = figure(await agent.page("/metrics"), polls)
            await stage.until(lambda: agent.page("/metrics"), lambda page: figure(page, polls) > before + 2)
            assert not (await place.now()).unschedulable


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
