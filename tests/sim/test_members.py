"""Single members: attached, detached, set aside, terminated, each within the group's bounds."""

from typing import Any

import pytest

from spotward.sim.errors import ApiError
from tests.sim.scene import GROUP_TAG, TARGETS, Scene


def attach(scene: Scene, *ids: str) -> None:
    scene.asg("AttachInstances", AutoScalingGroupName="web", InstanceIds=list(ids))


def terminate(scene: Scene, one: str, *, decrement: bool) -> dict[str, Any]:
    return scene.asg("TerminateInstanceInAutoScalingGroup", InstanceId=one, ShouldDecrementDesiredCapacity=decrement)


def detach(scene: Scene, *ids: str, decrement: bool) -> None:
    scene.asg(
        "DetachInstances", AutoScalingGroupName="web", InstanceIds=list(ids), ShouldDecrementDesiredCapacity=decrement
    )


def standby(scene: Scene, *ids: str, decrement: bool) -> None:
    scene.asg(
        "EnterStandby", AutoScalingGroupName="web", InstanceIds=list(ids), ShouldDecrementDesiredCapacity=decrement
    )


def test_attaching_raises_the_desired_capacity_and_gives_the_groups_tags() -> None:
    scene = Scene()
    tags = [{"Key": "team", "Value": "blue", "PropagateAtLaunch": True}]
    scene.group(desired=2, Tags=tags, TargetGroupARNs=[TARGETS])
    spot = scene.run(2, spot=True)
    attach(scene, *spot)
    assert scene.shown()["DesiredCapacity"] == 4
    assert scene.members(state="Pending") == spot
    assert {tag["Key"]: tag["Value"] for tag in scene.instance(spot[0])["Tags"]} == {GROUP_TAG: "web", "team": "blue"}
    scene.wait(30)
    assert set(spot) < set(scene.members())
    registered = scene.elb("DescribeTargetHealth", TargetGroupArn=TARGETS)["TargetHealthDescriptions"]
    assert len(registered) == 4
    assert "an instance was added in response to user request. Keeping the capacity at the new 4." in scene.causes()[0]
    # An attached member says of no template that it came from it.
    assert [one.get("LaunchTemplate") for one in scene.shown()["Instances"] if one["InstanceId"] in spot] == [
        None,
        None,
    ]


def test_attaching_beyond_the_maximum_is_refused_and_changes_nothing() -> None:
    scene = Scene()
    scene.group(desired=2, MaxSize=3)
    spot = scene.run(2, spot=True)
    with pytest.raises(ApiError) as error:
        attach(scene, *spot)
    assert (error.value.code, error.value.status) == ("ValidationError", 400)
    assert error.value.message == (
        "AutoScalingGroup web has min-size=0, max-size=3, and desired-size=2. To attach 2 instances, please update the "
        "AutoScalingGroup sizes appropriately."
    )
    assert scene.shown()["DesiredCapacity"] == 2
    assert scene.instance(spot[0])["Tags"] == []


def test_a_member_cannot_be_attached_again() -> None:
    scene = Scene()
    scene.group(desired=2)
    one = scene.members()[0]
    with pytest.raises(ApiError, match=f"The Instance: {one} is already part of AutoScalingGroup:web"):
        attach(scene, one)
    assert len(scene.members()) == 2


def test_only_running_instances_of_the_groups_zones_are_attached() -> None:
    scene = Scene()
    scene.group(desired=1, VPCZoneIdentifier="subnet-a")
    (elsewhere,) = scene.run(SubnetId="subnet-b")
    pending = scene.ec2(
        "RunInstances", ImageId="ami-0123456789abcdef0", InstanceType="m5.large", MinCount=1, MaxCount=1
    )
    for one, words in (
        (elsewhere, "is in availability zone us-east-1b, which is not among"),
        (pending["Instances"][0]["InstanceId"], r"is not in correct state. Instance\(s\) must be in 'running' state"),
        ("i-0gone", r"Invalid Instance ID\(s\): \[i-0gone\] specified"),
    ):
        with pytest.raises(ApiError, match=words):
            attach(scene, one)
    assert len(scene.members(state=None)) == 1


def test_no_more_than_twenty_are_attached_in_one_call() -> None:
    scene = Scene()
    scene.group(desired=0, MaxSize=50)
    many = scene.run(21)
    with pytest.raises(ApiError, match="Member must have length less than or equal to 20"):
        attach(scene, *many)
    attach(scene, *many[:20])
    assert len(scene.members(state=None)) == 20


def test_terminating_with_a_decrement_makes_the_group_smaller_for_good() -> None:
    scene = Scene()
    scene.group(desired=3)
    one = scene.members()[0]
    activity = terminate(scene, one, decrement=True)["Activity"]
    assert (activity["StatusCode"], activity["Progress"]) == ("InProgress", 50)
    assert activity["Cause"].endswith(
        f"instance {one} was taken out of service in response to a user request, shrinking the capacity from 3 to 2."
    )
    assert scene.shown()["DesiredCapacity"] == 2
    scene.wait(300)
    assert len(scene.members(state=None)) == 2


def test_terminating_without_a_decrement_makes_the_group_launch_another() -> None:
    scene = Scene()
    scene.group(desired=3)
    one = scene.members()[0]
    terminate(scene, one, decrement=False)
    scene.wait(120)
    assert scene.shown()["DesiredCapacity"] == 3
    assert len(scene.members()) == 3
    assert one not in scene.members(state=None)


def test_a_decrement_below_the_minimum_is_refused() -> None:
    scene = Scene()
    scene.group(desired=2, MinSize=2)
    with pytest.raises(ApiError) as error:
        terminate(scene, scene.members()[0], decrement=True)
    assert error.value.code == "ValidationError"
    assert error.value.message == (
        "Currently, desiredSize equals minSize (2). Terminating instance without replacement will violate group's min "
        "size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size."
    )
    with pytest.raises(ApiError, match=r"min-size=2, max-size=10, and desired-size=2\. To detach 1 instance, please"):
        detach(scene, scene.members()[0], decrement=True)


def test_a_call_for_a_stranger_or_for_one_on_its_way_out_is_refused() -> None:
    scene = Scene()
    scene.group(desired=2)
    (stranger,) = scene.run()
    with pytest.raises(ApiError, match=f"No managed instance found for instance ID: {stranger}"):
        terminate(scene, stranger, decrement=False)
    with pytest.raises(ApiError, match=f"The instance {stranger} is not part of Auto Scaling group web"):
        detach(scene, stranger, decrement=False)
    leaving = scene.members()[0]
    terminate(scene, leaving, decrement=False)
    for again in (terminate, detach):
        with pytest.raises(ApiError, match="is not in InService or EnteringStandby or Standby"):
            again(scene, leaving, decrement=False)


def test_a_detached_instance_runs_on_alone() -> None:
    scene = Scene()
    scene.group(desired=3, TargetGroupARNs=[TARGETS])
    one = scene.members()[0]
    detach(scene, one, decrement=True)
    assert scene.members(state="Detaching") == [one]
    scene.wait(30)
    assert one not in scene.members(state=None)
    assert scene.state(one) == "running"
    assert GROUP_TAG not in {tag["Key"] for tag in scene.instance(one)["Tags"]}
    assert len(scene.elb("DescribeTargetHealth", TargetGroupArn=TARGETS)["TargetHealthDescriptions"]) == 2
    scene.wait(300)
    assert len(scene.members()) == 2


def test_detaching_without_a_decrement_makes_the_group_launch_another() -> None:
    scene = Scene()
    scene.group(desired=2)
    detach(scene, scene.members()[0], decrement=False)
    scene.wait(120)
    assert len(scene.members()) == 2


def test_standby_is_out_of_service_but_in_the_group_and_comes_back() -> None:
    scene = Scene()
    scene.group(desired=2)
    one = scene.members()[0]
    standby(scene, one, decrement=True)
    scene.wait(300)
    assert scene.members(state="Standby") == [one]
    assert scene.shown()["DesiredCapacity"] == 1
    scene.asg("ExitStandby", AutoScalingGroupName="web", InstanceIds=[one])
    assert scene.shown()["DesiredCapacity"] == 2
    scene.wait(30)
    assert len(scene.members()) == 2


def test_standby_without_a_decrement_is_replaced_and_may_find_no_place_to_come_back_to() -> None:
    scene = Scene()
    scene.group(desired=2, MaxSize=2)
    one = scene.members()[0]
    standby(scene, one, decrement=False)
    scene.wait(120)
    assert len(scene.members()) == 2
    with pytest.raises(ApiError, match="To move out of standby 1 instance, please update"):
        scene.asg("ExitStandby", AutoScalingGroupName="web", InstanceIds=[one])


def test_members_are_described_by_instance() -> None:
    scene = Scene()
    scene.group(desired=2)
    (stranger,) = scene.run()
    one = scene.members()[0]
    (shown,) = scene.asg("DescribeAutoScalingInstances", InstanceIds=[one, stranger])["AutoScalingInstances"]
    assert (shown["AutoScalingGroupName"], shown["LifecycleState"], shown["HealthStatus"]) == (
        "web",
        "InService",
        "HEALTHY",
    )
    assert len(scene.asg("DescribeAutoScalingInstances")["AutoScalingInstances"]) == 2


def test_a_swap_keeps_the_group_at_full_strength_throughout() -> None:
    scene = Scene()
    scene.group(desired=3)
    old = scene.members()[0]
    zone = scene.instance(old)["Placement"]["AvailabilityZone"]
    (spot,) = scene.run(spot=True, SubnetId=f"subnet-{zone[-1]}")
    attach(scene, spot)
    for _ in range(30):
        scene.wait(1)
        assert len(scene.members()) >= 3
    terminate(scene, old, decrement=True)
    for _ in range(120):
        scene.wait(1)
        assert len(scene.members()) >= 3
    assert sorted(scene.zones()) == [1, 1, 1]
    assert (scene.shown()["DesiredCapacity"], spot in scene.members()) == (3, True)


@pytest.mark.parametrize("operation", ["AttachInstances", "SetDesiredCapacity", "DescribeScalingActivities"])
def test_a_group_that_does_not_exist_is_named(operation: str) -> None:
    with pytest.raises(ApiError, match="AutoScalingGroup name not found - AutoScalingGroup: gone not found"):
        Scene().asg(operation, AutoScalingGroupName="gone", InstanceIds=["i-1"], DesiredCapacity=1)
