"""Suspended processes are honoured, and what they left undone is made up for when they are resumed."""

import pytest

from spotward.sim.errors import ApiError
from tests.sim.scene import Scene


def resize(scene: Scene, desired: int) -> None:
    scene.asg("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=desired)


def suspend(scene: Scene, *processes: str) -> None:
    scene.asg("SuspendProcesses", AutoScalingGroupName="web", ScalingProcesses=list(processes))


def resume(scene: Scene, *processes: str) -> None:
    scene.asg("ResumeProcesses", AutoScalingGroupName="web", ScalingProcesses=list(processes))


def test_without_launch_nothing_is_launched_until_it_is_resumed() -> None:
    scene = Scene()
    scene.group(desired=3)
    suspend(scene, "Launch")
    scene.ec2("TerminateInstances", InstanceIds=[scene.members()[0]])
    scene.wait(300)
    assert len(scene.members(state=None)) == 2
    resume(scene, "Launch")
    scene.wait(60)
    assert len(scene.members()) == 3


def test_without_terminate_nothing_shrinks_and_nobody_is_replaced() -> None:
    scene = Scene()
    scene.group(desired=3)
    suspend(scene, "Terminate")
    resize(scene, 2)
    scene.asg("SetInstanceHealth", InstanceId=scene.members()[0], HealthStatus="Unhealthy")
    scene.wait(300)
    assert len(scene.members()) == 3
    resume(scene, "Terminate")
    scene.wait(120)
    assert len(scene.members()) == 2


def test_without_health_checks_a_dead_member_stays_until_they_are_resumed() -> None:
    scene = Scene()
    scene.group(desired=2)
    suspend(scene, "HealthCheck")
    dead = scene.members()[0]
    scene.ec2("TerminateInstances", InstanceIds=[dead])
    scene.wait(600)
    assert dead in scene.members()
    resume(scene, "HealthCheck")
    scene.wait(120)
    assert dead not in scene.members(state=None)
    assert len(scene.members()) == 2


def test_without_replace_unhealthy_the_sick_are_known_and_kept() -> None:
    scene = Scene()
    scene.group(desired=2)
    suspend(scene, "ReplaceUnhealthy")
    ill = scene.members()[0]
    scene.asg("SetInstanceHealth", InstanceId=ill, HealthStatus="Unhealthy")
    scene.wait(300)
    assert [one["HealthStatus"] for one in scene.shown()["Instances"] if one["InstanceId"] == ill] == ["Unhealthy"]
    scene.asg("SetInstanceHealth", InstanceId=ill, HealthStatus="Healthy")
    resume(scene, "ReplaceUnhealthy")
    scene.wait(300)
    assert ill in scene.members()


def test_suspended_processes_are_shown_with_their_reason_and_only_once() -> None:
    scene = Scene()
    scene.group(desired=0)
    suspend(scene, "Launch")
    before = scene.shown()["SuspendedProcesses"]
    scene.wait(60)
    suspend(scene)
    shown = scene.shown()["SuspendedProcesses"]
    assert len(shown) == 9
    assert (
        shown[0] == before[0] == {"ProcessName": "Launch", "SuspensionReason": "User suspended at 2026-05-28T20:28:40Z"}
    )
    resume(scene)
    assert scene.shown()["SuspendedProcesses"] == []
    with pytest.raises(ApiError, match="ValidationError"):
        suspend(scene, "Dance")
