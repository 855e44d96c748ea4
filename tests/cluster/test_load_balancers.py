"""A node behind a load balancer: its pods go at once, and it is held until its target has drained.

The target group is the embedded cloud's, with its deregistration delay; the binding is an object of the real cluster.
The load balancer controller alone is played: it takes a node with the label out of its target group.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from spotward.aws.session import Aws
from spotward.aws.targets import TargetHands
from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.engine.clock import SystemClock
from spotward.kube.resources import TARGET_GROUP_BINDINGS, Resource
from spotward.model.cluster import EXCLUDE_FROM_LOAD_BALANCERS_LABEL, Node
from spotward.model.node_action import EvictPods
from tests.cli.scenery import CALM, Scenery
from tests.cluster.stage import Stage, on_stage
from tests.cluster.watchman import CLOCK, watching
from tests.emulator.clients import eventually

DELAY_SECONDS = 9
SPEED = 10.0
"""Of the cloud's clock: a machine takes half a minute of it to run and to be a healthy target."""

DEFINITIONS = Resource(
    group="apiextensions.k8s.io", version="v1", plural="customresourcedefinitions", kind="CustomResourceDefinition"
)
DEFINITION = f"{TARGET_GROUP_BINDINGS.plural}.{TARGET_GROUP_BINDINGS.group}"

pytestmark = [pytest.mark.timeout(300)]


@pytest.fixture
def region() -> Iterator[Scenery]:
    with Emulator(EmulatorSettings(seed=5, speed=SPEED, start_time=SystemClock().now())) as emulator:
        emulator.sites.shock(CALM)
        yield Scenery(emulator)


@pytest.fixture
def target_group(region: Scenery) -> str:
    """Behind a Network Load Balancer, whose connections stay open for all of the delay."""
    elb = region.hand.elbv2
    made = elb.create_target_group(Name="k8s-shop-web", Protocol="TCP", Port=80, VpcId=region.network.vpc_id)
    arn = str(made["TargetGroups"][0]["TargetGroupArn"])
    balancer = elb.create_load_balancer(Name="web", Subnets=list(region.network.subnet_ids), Type="network")
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
        Protocol="TCP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )
    delay: Any = [{"Key": "deregistration_delay.timeout_seconds", "Value": f"{DELAY_SECONDS * SPEED:.0f}"}]
    elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=delay)
    return arn


@pytest.fixture
def instance(region: Scenery, target_group: str) -> str:
    """A machine that runs, and is a healthy target."""
    made = region.hand.ec2.run_instances(
        ImageId=region.network.image_id,
        InstanceType="m5.large",
        SubnetId=region.network.subnet_ids[0],
        MinCount=1,
        MaxCount=1,
    )
    one = str(made["Instances"][0]["InstanceId"])
    eventually(lambda: region.state(one) == "running", seconds_max=90)
    region.hand.elbv2.register_targets(TargetGroupArn=target_group, Targets=[{"Id": one}])
    eventually(lambda: state(region, target_group, one) == "healthy", seconds_max=90)
    return one


def state(region: Scenery, arn: str, instance: str) -> str:
    (found,) = region.hand.elbv2.describe_target_health(TargetGroupArn=arn, Targets=[{"Id": instance}])[
        "TargetHealthDescriptions"
    ]
    return str(found["TargetHealth"]["State"])


@asynccontextmanager
async def bound(stage: Stage, arn: str) -> AsyncIterator[None]:
    """The controller's kind of object, and one that binds the target group to nodes."""
    names = {"plural": TARGET_GROUP_BINDINGS.plural, "kind": TARGET_GROUP_BINDINGS.kind, "singular": "binding"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": TARGET_GROUP_BINDINGS.version, "served": True, "storage": True, "schema": schema}
    spec = {"group": TARGET_GROUP_BINDINGS.group, "names": names, "scope": "Namespaced", "versions": [version]}
    await stage.create(DEFINITIONS, {"metadata": {"name": DEFINITION}, "spec": spec})
    body = {"metadata": {"name": "web"}, "spec": {"targetGroupARN": arn, "targetType": "instance"}}

    async def created() -> int:
        typed = {"apiVersion": TARGET_GROUP_BINDINGS.api_version, "kind": TARGET_GROUP_BINDINGS.kind, **body}
        answer = await stage.owner.answer("create", TARGET_GROUP_BINDINGS, namespace=stage.namespace, body=typed)
        return answer.status

    try:
        await stage.until(created, lambda status: status in {201, 409})
        yield
    finally:
        await stage.owner.answer("delete", DEFINITIONS, name=DEFINITION)


async def controller(stage: Stage, node: Node, region: Scenery, arn: str) -> float:
    """Takes the node out of the target group once it has the label. Gives when."""
    await stage.until(lambda: stage.node_now(node.name), lambda seen: EXCLUDE_FROM_LOAD_BALANCERS_LABEL in seen.labels)
    target: Any = [{"Id": node.instance_id or ""}]
    await asyncio.to_thread(lambda: region.hand.elbv2.deregister_targets(TargetGroupArn=arn, Targets=target))
    return CLOCK.now()


@on_stage
async def test_a_node_behind_a_load_balancer_is_held_until_its_target_has_drained(
    stage: Stage,
    tmp_path: Path,
    region: Scenery,
    target_group: str,
    instance: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in region.cloud.environment(region=region.region).items():
        monkeypatch.setenv(name, value)
    node = await stage.node(providerID=f"aws:///us-east-1a/{instance}")
    await stage.deployment("web", 2)
    await stage.node()
    aws = Aws()
    async with bound(stage, target_group), watching(stage, tmp_path, targets=TargetHands(aws, CLOCK)) as spotward:
        spotward.notice(node, seconds=100.0)
        taken_out = await controller(stage, node, region, target_group)
        incident = await spotward.drained(node, seconds_max=90.0)
        assert incident.drained_time is not None
        assert incident.drained_time >= taken_out + DELAY_SECONDS - 1.0
        assert await asyncio.to_thread(state, region, target_group, instance) == "unused"
        assert incident.trouble == ()
        moved = [
            time for a, time in zip(spotward.hands.done, spotward.hands.times, strict=True) if isinstance(a, EvictPods)
        ]
        assert max(moved) < taken_out + DELAY_SECONDS, "the pods did not wait for it"
        assert aws.counter.counts["elbv2.DescribeTargetHealth"] <= 10
    aws.close()
