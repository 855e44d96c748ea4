"""From the queue to the last pod: EC2's own notice, a real queue, the daemon as a process, a real API server.

Nothing in between is made up: the embedded cloud warns of an instance, EventBridge puts it into SQS, `spotward run`
hears of it, and the pods of its node go by the eviction API. The cloud's clock runs with the API server's.
"""

import asyncio
import json
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from spotward.model.cluster import Node
from tests.cli.program import Program
from tests.cli.scenery import Scenery
from tests.cluster.control_plane import ControlPlane
from tests.cluster.figures import figure
from tests.cluster.queue_scenes import (
    EMPTY_SECONDS_MAX,
    SETTINGS,
    daemon,
    emptied,
    is_empty,
    machine_of,
    moment,
    moved,
    notice,
    played,
    put,
)
from tests.cluster.stage import Stage
from tests.emulator.clients import eventually
from tests.plugins.receiver import Receiver

pytestmark = [pytest.mark.timeout(300)]


# ---- the suite of the widely used handler, by its names ------------------------------------------------------------


def test_spot_interruption_sqs_test(control_plane: ControlPlane, region: Scenery, spot: str, program: Program) -> None:
    seen = emptied(control_plane, region, program, spot, lambda: notice(region, spot))
    assert seen.taint == "interruption"
    assert "node.kubernetes.io/exclude-from-external-load-balancers" in seen.node.labels
    explained = program("explain", spot).out
    assert "EC2 takes the Spot instance" in explained
    assert "cordon" in explained
    assert "evict" in explained


def test_ec2_state_change_sqs_test(control_plane: ControlPlane, region: Scenery, spot: str, program: Program) -> None:
    happens = partial(put, region, "EC2 Instance State-change Notification", "aws.ec2", stopping(spot))
    assert emptied(control_plane, region, program, spot, happens).taint == "shutdown"


def test_rebalance_recommendation_sqs_test(
    control_plane: ControlPlane, region: Scenery, spot: str, program: Program
) -> None:
    happens = partial(put, region, "EC2 Instance Rebalance Recommendation", "aws.ec2", {"instance-id": spot})
    settings = SETTINGS + "  rebalance: drain\n"
    assert emptied(control_plane, region, program, spot, happens, settings=settings).taint == "rebalance"


def test_scheduled_change_event_sqs_test(
    control_plane: ControlPlane, region: Scenery, spot: str, program: Program
) -> None:
    detail = scheduled(region, spot, "INSTANCE_RETIREMENT", timedelta(minutes=10))
    happens = partial(put, region, "AWS Health Event", "aws.health", detail)
    assert emptied(control_plane, region, program, spot, happens).taint == "maintenance"


def test_prometheus_metrics_sqs_test(
    control_plane: ControlPlane, region: Scenery, spots: list[str], spot: str, program: Program
) -> None:
    """Three instances, two of them tagged as the cluster's and one of these no node; the last is stopping."""
    tagged = [spot, spots[0]]
    tags = [{"Key": "kubernetes.io/cluster/play", "Value": "owned"}]
    region.hand.ec2.create_tags(Resources=tagged, Tags=tags)  # type: ignore[arg-type]  # boto3 takes plain mappings
    settings = SETTINGS.rstrip() + "\n  cluster: play\n"

    async def play(stage: Stage) -> None:
        doomed = await machine_of(stage, spot)
        await stage.deployment("web", 1)
        await stage.node()
        with daemon(program, region, settings) as running:
            for instance in (spots[0], spots[1], spot):
                put(region, "EC2 Instance State-change Notification", "aws.ec2", stopping(instance))
            await moved(stage, "web", doomed, 1)
            await asyncio.to_thread(eventually, lambda: is_empty(region), seconds_max=EMPTY_SECONDS_MAX)

            def page() -> str:
                return running.page("/metrics").text

            await asyncio.to_thread(
                eventually, lambda: figure(page(), "spotward_nodes_drained_total") == 1, seconds_max=60
            )
            told = page()
            for kind in ("cordon-node", "evict-pods", "tell-cluster"):
                assert figure(told, "spotward_deeds_total", kind=kind, outcome="done") >= 1
            assert figure(told, "spotward_nodes", state="cordoned") >= 1
            assert figure(told, "spotward_pods_gone_total") == 1
            assert figure(told, "process_resident_memory_bytes") > 1e6

    played(control_plane, play)


def stopping(instance: str) -> dict[str, str]:
    return {"instance-id": instance, "state": "stopping"}


def test_maintenance_event_reboot_sqs(
    control_plane: ControlPlane, region: Scenery, spot: str, program: Program
) -> None:
    """The same as in the agent's suite, heard through the queue: what a reboot is over for is given back."""

    async def play(stage: Stage) -> None:
        node = await machine_of(stage, spot)
        await stage.boot(node, "boot-1")
        await stage.deployment("web", 1)
        with daemon(program, region):
            put(region, "AWS Health Event", "aws.health", scheduled(region, spot, "SYSTEM_REBOOT", timedelta(0)))
            await stage.until(lambda: stage.node_now(node.name), lambda seen: seen.unschedulable)
            await stage.until(lambda: stage.pods(app="web"), lambda pods: [pod.node for pod in pods] == [None])
            await stage.boot(node, "boot-2")
            after = await moved_to(stage, node)
            assert not after.unschedulable
            assert not after.taints

    played(control_plane, play)


async def moved_to(stage: Stage, node: Node) -> Node:
    """The node, once the one pod of the deployment runs there."""
    await stage.until(
        lambda: stage.pods(app="web"), lambda pods: [(p.ready, p.node) for p in pods] == [(True, node.name)]
    )
    return await stage.node_now(node.name)


def scheduled(region: Scenery, instance: str, what: str, ahead: timedelta) -> dict[str, Any]:
    """The detail of a Health event about two instances."""
    return {
        "eventArn": f"arn:aws:health:us-east-1::event/EC2/AWS_EC2_{what}_SCHEDULED/1",
        "service": "EC2",
        "eventTypeCode": f"AWS_EC2_{what}_SCHEDULED",
        "eventTypeCategory": "scheduledChange",
        "eventRegion": region.region,
        "communicationId": f"{instance} {what}",
        "startTime": (moment() + ahead).strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "eventDescription": [{"language": "en_US", "latestDescription": "It will be done."}],
        "affectedEntities": [{"entityValue": "i-0another"}, {"entityValue": instance}],
    }


def test_rebalance_recommendation_sqs_node_not_found_test(
    control_plane: ControlPlane, region: Scenery, program: Program
) -> None:
    async def play(stage: Stage) -> None:
        node = await machine_of(stage, "i-0here")
        with daemon(program, region):
            put(region, "EC2 Instance Rebalance Recommendation", "aws.ec2", {"instance-id": "i-0nowhere"})
            await asyncio.to_thread(eventually, lambda: is_empty(region), seconds_max=EMPTY_SECONDS_MAX)
            assert not (await stage.node_now(node.name)).unschedulable

    played(control_plane, play)


# ---- who is told ---------------------------------------------------------------------------------------------------


def test_webhook_secret_test(
    control_plane: ControlPlane, region: Scenery, spot: str, program: Program, receiver: Receiver, tmp_path: Path
) -> None:
    """The address stands in a file; the body is a template; it is told at the beginning and at the end."""
    secret = tmp_path / "webhookurl"
    secret.write_text(f"{receiver.url}/T0/B0")
    template = tmp_path / "template"
    template.write_text('{"moment": "$moment", "node": "$node", "text": "$text"}')
    settings = SETTINGS + f"webhook:\n  url_file: {secret}\n  template_file: {template}\n"
    seen = emptied(
        control_plane,
        region,
        program,
        spot,
        lambda: notice(region, spot),
        settings=settings,
        after=lambda: len(receiver.heard) == 2,
    )
    assert [path for path, _, _ in receiver.heard] == ["/T0/B0", "/T0/B0"]
    begin, end = (json.loads(body) for _, _, body in receiver.heard)
    assert (begin["moment"], end["moment"]) == ("begin", "end")
    assert begin["node"] == end["node"] == seen.node.name
    assert "B0" not in seen.said


def test_webhook_http_proxy_test(
    control_plane: ControlPlane, region: Scenery, spot: str, program: Program, receiver: Receiver
) -> None:
    settings = SETTINGS + f"webhook: {{url: 'http://hooks.example.com/T0', proxy: '{receiver.url}'}}\n"
    emptied(
        control_plane,
        region,
        program,
        spot,
        lambda: notice(region, spot),
        settings=settings,
        after=lambda: len(receiver.heard) == 2,
    )
    assert {path for path, _, _ in receiver.heard} == {"http://hooks.example.com/T0"}
