"""Lifecycle hooks from the group to the node and back: who is held, what keeps it held, and what lets it go."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from spotward.emulator.stage import GroupPlan
from tests.cli.program import Program
from tests.cli.scenery import Scenery
from tests.cluster.control_plane import ControlPlane
from tests.cluster.queue_scenes import SETTINGS, daemon, emptied, machine_of, moved, notice, played
from tests.cluster.stage import Stage
from tests.emulator.clients import eventually

pytestmark = [pytest.mark.timeout(300)]

HOOK_SECONDS = 300
BEATS_SECONDS_MAX = 25.0
"""For so long the hook is kept waiting in the test of heartbeats: a daemon that is started again is at work by then."""

BEATING = f"""
  heartbeat_seconds: 3
  heartbeat_seconds_max: {BEATS_SECONDS_MAX:g}
  hook_delay_seconds: {BEATS_SECONDS_MAX + 2:g}
"""


@dataclass(frozen=True, kw_only=True)
class Held:
    """Two groups whose members are held on their way out: of on-demand members, and of Spot members that are replaced
    when they are at risk and held on their way in as well."""

    nodes: str
    spot: str


@pytest.fixture(scope="module")
def held(region: Scenery) -> Iterator[Held]:
    plan = GroupPlan(name="held-nodes", size=2, opted_in=False)
    region.hand.build_group(region.network, plan)
    template = region.template(InstanceMarketOptions={"MarketType": "spot"})
    region.hand.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="held-spot",
        MinSize=0,
        MaxSize=2,
        DesiredCapacity=1,
        VPCZoneIdentifier=region.network.subnet_ids[0],
        LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
        CapacityRebalance=True,
    )
    region.hand.wait_in_service([plan, GroupPlan(name="held-spot", size=1)])
    hook(region, "held-nodes", "TERMINATING")
    hook(region, "held-spot", "TERMINATING")
    hook(region, "held-spot", "LAUNCHING")
    yield Held(nodes="held-nodes", spot="held-spot")
    for name in ("held-nodes", "held-spot"):
        region.hand.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)


def hook(region: Scenery, group: str, transition: str) -> None:
    region.hand.autoscaling.put_lifecycle_hook(
        AutoScalingGroupName=group,
        LifecycleHookName=transition.lower(),
        LifecycleTransition=f"autoscaling:EC2_INSTANCE_{transition}",
        HeartbeatTimeout=HOOK_SECONDS,
        DefaultResult="CONTINUE" if transition == "TERMINATING" else "ABANDON",
    )


def standing(region: Scenery, group: str) -> dict[str, str]:
    return {one["InstanceId"]: one["LifecycleState"] for one in region.described(group)["Instances"]}


def in_service(region: Scenery, group: str) -> str:
    return next(i for i, state in standing(region, group).items() if state == "InService")


def take_out(region: Scenery, instance: str) -> None:
    region.hand.autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=instance, ShouldDecrementDesiredCapacity=True
    )


def calls(region: Scenery, operation: str) -> int:
    return region.cloud.calls.count()[f"autoscaling.{operation}"]


def test_asg_lifecycle_sqs_test(control_plane: ControlPlane, region: Scenery, held: Held, program: Program) -> None:
    member = in_service(region, held.nodes)
    completed = calls(region, "CompleteLifecycleAction")
    seen = emptied(
        control_plane,
        region,
        program,
        member,
        lambda: take_out(region, member),
        after=lambda: standing(region, held.nodes).get(member) not in ("Terminating:Wait", "InService"),
    )
    assert seen.taint == "termination"
    assert calls(region, "CompleteLifecycleAction") == completed + 1


def test_asg_lifecycle_sqs_heartbeat_test(
    control_plane: ControlPlane, region: Scenery, held: Held, program: Program
) -> None:
    """The hook is kept waiting by a daemon, by the next one after that was killed, and for no longer than was set."""
    member = in_service(region, held.nodes)
    settings = SETTINGS.rstrip() + BEATING
    before = calls(region, "RecordLifecycleActionHeartbeat")

    def beats() -> int:
        return calls(region, "RecordLifecycleActionHeartbeat") - before

    async def play(stage: Stage) -> None:
        doomed = await machine_of(stage, member)
        await stage.deployment("web", 1)
        await stage.node()
        with daemon(program, region, settings):
            take_out(region, member)
            await moved(stage, "web", doomed, 1)
            await asyncio.to_thread(eventually, lambda: beats() >= 1, seconds_max=120)
        told = beats()  # the daemon was killed
        with daemon(program, region, settings) as running:
            await asyncio.to_thread(eventually, lambda: beats() > told, seconds_max=120)
            await asyncio.to_thread(eventually, lambda: running.says("heartbeat deadline exceeded"), seconds_max=120)
            most = beats()
            assert standing(region, held.nodes)[member] == "Terminating:Wait"
            await asyncio.to_thread(
                eventually, lambda: standing(region, held.nodes).get(member) != "Terminating:Wait", seconds_max=120
            )
            assert beats() == most <= BEATS_SECONDS_MAX / 3

    played(control_plane, play)


def test_asg_launch_lifecycle_sqs_test(
    control_plane: ControlPlane, region: Scenery, held: Held, program: Program
) -> None:
    """A group whose member is at risk launches another, which is held until its node is ready."""
    member = in_service(region, held.spot)

    async def play(stage: Stage) -> None:
        doomed = await machine_of(stage, member)
        await stage.deployment("web", 1)
        with daemon(program, region):
            notice(region, member)
            await stage.until(lambda: stage.node_now(doomed.name), lambda node: node.unschedulable)
            await asyncio.to_thread(
                eventually, lambda: "Pending:Wait" in standing(region, held.spot).values(), seconds_max=90
            )
            coming = next(i for i, state in standing(region, held.spot).items() if state == "Pending:Wait")
            await machine_of(stage, coming)
            await asyncio.to_thread(
                eventually, lambda: launch(region, held.spot, coming)["StatusCode"] == "Successful", seconds_max=120
            )
            assert standing(region, held.spot)[coming] == "InService"
            await moved(stage, "web", doomed, 1)

    played(control_plane, play)


def launch(region: Scenery, group: str, instance: str) -> dict[str, Any]:
    """The activity that launched an instance."""
    every = region.hand.autoscaling.describe_scaling_activities(AutoScalingGroupName=group)["Activities"]
    return dict(next(one for one in every if instance in one["Description"] and "Launching" in one["Description"]))
