"""What a group does by itself: it keeps its capacity, replaces what fails, and honours suspended processes."""

from typing import Any

import pytest

from spotward.sim.errors import ApiError
from spotward.sim.keeper import BATCH
from spotward.sim.shocks import PoolShock
from tests.sim.scene import GROUP_TAG, ZONES, Scene

LAUNCHED = "EC2 Instance Launch Successful"
NOT_LAUNCHED = "EC2 Instance Launch Unsuccessful"
ENDED = "EC2 Instance Terminate Successful"
NO_TEMPLATE = (
    "You must use a valid fully-formed launch template. The specified launch template, with template ID lt-0gone, does "
    "not exist."
)


def resize(scene: Scene, desired: int) -> None:
    scene.asg("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=desired)


def suspend(scene: Scene, *processes: str) -> None:
    scene.asg("SuspendProcesses", AutoScalingGroupName="web", ScalingProcesses=list(processes))


def resume(scene: Scene, *processes: str) -> None:
    scene.asg("ResumeProcesses", AutoScalingGroupName="web", ScalingProcesses=list(processes))


def test_a_new_group_launches_its_capacity_evenly_over_its_zones() -> None:
    scene = Scene()
    scene.group(desired=7)
    assert sorted(scene.zones()) == [2, 2, 3]
    entry = scene.shown()
    assert entry["AvailabilityZones"] == list(ZONES)
    assert {one["LifecycleState"] for one in entry["Instances"]} == {"InService"}
    assert entry["LaunchTemplate"].keys() == {"LaunchTemplateId", "LaunchTemplateName", "Version"}
    assert entry["Instances"][0]["LaunchTemplate"]["Version"] == "1"


def test_members_are_pending_until_they_run_and_a_little_longer() -> None:
    scene = Scene()
    scene.group(desired=0)
    resize(scene, 2)
    scene.wait(6)
    assert len(scene.members(state="Pending")) == 2
    assert {one["State"]["Name"] for one in scene.instances()} == {"pending"}
    scene.wait(26)
    assert {one["State"]["Name"] for one in scene.instances()} == {"running"}
    assert len(scene.members(state="Pending")) > 0
    scene.wait(10)
    assert len(scene.members()) == 2


def test_members_carry_their_groups_tags() -> None:
    scene = Scene()
    tags = [
        {"Key": "team", "Value": "blue", "PropagateAtLaunch": True},
        {"Key": "spotward:enabled", "Value": "true", "PropagateAtLaunch": False},
    ]
    scene.group(desired=1, Tags=tags)
    (one,) = scene.members()
    tagged = {tag["Key"]: tag["Value"] for tag in scene.instance(one)["Tags"]}
    assert tagged[GROUP_TAG] == "web"
    assert tagged["team"] == "blue"
    assert "spotward:enabled" not in tagged
    assert [one["InstanceId"] for one in scene.instances((f"tag:{GROUP_TAG}", ["web"]))] == scene.members()


def test_a_launch_is_told_in_awss_words_and_to_eventbridge() -> None:
    scene = Scene()
    scene.group(desired=1)
    (one,) = scene.members()
    (cause,) = scene.causes()
    assert cause == (
        "At 2026-05-28T20:26:40Z a user request created an AutoScalingGroup changing the desired capacity from 0 to "
        "1.  At 2026-05-28T20:26:45Z an instance was started in response to a difference between desired and actual "
        "capacity, increasing the capacity from 0 to 1."
    )
    (event,) = scene.events(LAUNCHED)
    assert event["source"] == "aws.autoscaling"
    assert event["resources"] == [
        scene.shown()["AutoScalingGroupARN"],
        f"arn:aws:ec2:us-east-1:123456789012:instance/{one}",
    ]
    detail = event["detail"]
    assert detail.pop("ActivityId") == detail.pop("RequestId")
    assert detail.pop("Cause") == cause
    assert detail.pop("EndTime") == event["time"]
    assert detail == {
        "AutoScalingGroupName": "web",
        "Description": f"Launching a new EC2 instance: {one}",
        "Destination": "AutoScalingGroup",
        "Details": {"Availability Zone": "us-east-1a", "Subnet ID": "subnet-a"},
        "EC2InstanceId": one,
        "Origin": "EC2",
        "StartTime": "2026-05-28T20:26:45Z",
        "StatusCode": "InProgress",
        "StatusMessage": "",
    }


def test_a_group_that_is_resized_grows_and_shrinks_and_stays_even() -> None:
    scene = Scene()
    scene.group(desired=3)
    resize(scene, 8)
    scene.wait(60)
    assert sorted(scene.zones()) == [2, 3, 3]
    resize(scene, 2)
    scene.wait(90)
    assert sorted(scene.zones()) == [0, 1, 1]
    assert len(scene.members(state=None)) == 2
    assert (
        "a user request explicitly set group desired capacity changing the desired capacity from 8 to 2."
        in scene.causes()[0]
    )
    assert "was selected for termination." in scene.causes()[0]
    assert len(scene.events(ENDED)) == 6


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (11, "New SetDesiredCapacity value 11 is above max value 10 for the AutoScalingGroup."),
        (1, "New SetDesiredCapacity value 1 is below min value 2 for the AutoScalingGroup."),
    ],
)
def test_a_capacity_out_of_bounds_is_refused(wanted: int, words: str) -> None:
    scene = Scene()
    scene.group(desired=2, MinSize=2)
    with pytest.raises(ApiError) as error:
        resize(scene, wanted)
    assert (error.value.code, error.value.message) == ("ValidationError", words)


def test_new_bounds_move_the_desired_capacity_into_them() -> None:
    scene = Scene()
    scene.group(desired=3)
    scene.asg("UpdateAutoScalingGroup", AutoScalingGroupName="web", MaxSize=2)
    assert scene.shown()["DesiredCapacity"] == 2
    scene.asg("UpdateAutoScalingGroup", AutoScalingGroupName="web", MinSize=4, MaxSize=9)
    assert scene.shown()["DesiredCapacity"] == 4
    assert len(scene.asg("DescribeAutoScalingGroups")["AutoScalingGroups"]) == 1


def test_a_member_that_is_terminated_behind_the_groups_back_is_replaced() -> None:
    scene = Scene()
    scene.group(desired=3)
    gone = scene.members()[1]
    scene.ec2("TerminateInstances", InstanceIds=[gone])
    scene.wait(20)
    assert gone in scene.members()
    scene.wait(100)
    assert gone not in scene.members(state=None)
    assert len(scene.members()) == 3
    assert sorted(scene.zones()) == [1, 1, 1]
    newest = scene.causes()
    assert newest[0].endswith("an instance was launched in response to an unhealthy instance needing to be replaced.")
    assert newest[1].endswith(
        "an instance was taken out of service in response to an EC2 health check indicating it has been terminated or "
        "stopped."
    )


def test_a_member_that_is_declared_unhealthy_is_replaced() -> None:
    scene = Scene()
    scene.group(desired=2)
    ill = scene.members()[0]
    scene.asg("SetInstanceHealth", InstanceId=ill, HealthStatus="Unhealthy")
    scene.wait(120)
    assert ill not in scene.members(state=None)
    assert len(scene.members()) == 2
    assert scene.state(ill) == "terminated"


def test_the_grace_period_is_respected_unless_the_caller_says_otherwise() -> None:
    scene = Scene()
    scene.group(desired=2, HealthCheckGracePeriod=600)
    first, second = scene.members()
    scene.asg("SetInstanceHealth", InstanceId=first, HealthStatus="Unhealthy")
    scene.asg("SetInstanceHealth", InstanceId=second, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False)
    scene.wait(120)
    assert first in scene.members()
    assert second not in scene.members(state=None)


def test_a_launch_that_finds_no_capacity_goes_to_another_zone() -> None:
    scene = Scene(PoolShock(at_seconds=0, pool="m5.large/us-east-1a", on_demand_capacity=0))
    scene.group(desired=3)
    assert scene.zones() in ([0, 1, 2], [0, 2, 1])
    (event, *_) = scene.events(NOT_LAUNCHED)
    assert event["detail"]["StatusCode"] == "Failed"
    assert event["detail"]["EC2InstanceId"] == ""
    assert event["detail"]["StatusMessage"].startswith("We currently do not have sufficient m5.large capacity")
    assert event["detail"]["StatusMessage"].endswith("Launching EC2 instance failed.")


def test_a_launch_that_fails_everywhere_is_tried_again_with_growing_pauses() -> None:
    scene = Scene(PoolShock(at_seconds=0, until_seconds=1000, pool="m5.large/*", on_demand_capacity=0))
    scene.group(desired=1)
    scene.wait(900)
    failures = [event["time"] for event in scene.events(NOT_LAUNCHED)]
    assert len(failures) == 3 * len(set(failures))
    assert len(set(failures)) == 5
    scene.wait(1200)
    assert len(scene.members()) == 1


def test_a_group_whose_launch_template_is_gone_fails_to_launch_and_says_why() -> None:
    scene = Scene()
    scene.group(desired=1)
    scene.ec2("DeleteLaunchTemplate", LaunchTemplateName="for-web")
    resize(scene, 2)
    scene.wait(60)
    activity = scene.asg("DescribeScalingActivities", AutoScalingGroupName="web", MaxRecords=1)["Activities"][0]
    assert activity["StatusCode"] == "Failed"
    assert "does not exist" in activity["StatusMessage"]
    assert len(scene.members()) == 1


def test_a_protected_member_survives_the_shrinking_of_its_group() -> None:
    scene = Scene()
    scene.group(desired=3)
    safe = scene.members()[2]
    scene.asg("SetInstanceProtection", AutoScalingGroupName="web", InstanceIds=[safe], ProtectedFromScaleIn=True)
    resize(scene, 1)
    scene.wait(120)
    assert scene.members() == [safe]
    resize(scene, 0)
    scene.wait(120)
    assert scene.members() == [safe]


@pytest.mark.parametrize(("policy", "place"), [("OldestInstance", 0), ("NewestInstance", 1)])
def test_a_termination_policy_chooses_by_age(policy: str, place: int) -> None:
    scene = Scene()
    scene.group(desired=1, VPCZoneIdentifier="subnet-a", TerminationPolicies=[policy])
    scene.wait(600)
    resize(scene, 2)
    scene.wait(60)
    by_age = scene.members()
    resize(scene, 1)
    scene.wait(90)
    assert scene.members() == [by_age[1 - place]]


def test_the_default_policy_lets_the_oldest_template_version_go_first() -> None:
    scene = Scene()
    scene.group(desired=1, VPCZoneIdentifier="subnet-a")
    (old,) = scene.members()
    data = {"InstanceType": "m6i.large"}
    scene.ec2("CreateLaunchTemplateVersion", LaunchTemplateName="for-web", SourceVersion="1", LaunchTemplateData=data)
    resize(scene, 2)
    scene.wait(60)
    (new,) = set(scene.members()) - {old}
    assert scene.instance(new)["InstanceType"] == "m6i.large"
    resize(scene, 1)
    scene.wait(90)
    assert scene.members() == [new]


def test_a_group_launches_from_its_launch_configuration() -> None:
    scene = Scene()
    scene.asg(
        "CreateLaunchConfiguration",
        LaunchConfigurationName="lc",
        ImageId="ami-0123456789abcdef0",
        InstanceType="c5.large",
        SecurityGroups=["sg-1"],
        IamInstanceProfile="web",
        SpotPrice="0.2",
    )
    scene.group(desired=1, LaunchConfigurationName="lc")
    (one,) = scene.shown()["Instances"]
    assert one["LaunchConfigurationName"] == "lc"
    shown = scene.instance(one["InstanceId"])
    assert (shown["InstanceType"], shown["InstanceLifecycle"]) == ("c5.large", "spot")
    assert shown["IamInstanceProfile"]["Arn"].endswith("instance-profile/web")
    with pytest.raises(ApiError, match="ResourceInUse"):
        scene.asg("DeleteLaunchConfiguration", LaunchConfigurationName="lc")
    shown = scene.asg("DescribeLaunchConfigurations", LaunchConfigurationNames=["lc", "gone"])["LaunchConfigurations"]
    assert [one["SpotPrice"] for one in shown] == ["0.2"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"MinSize": 5, "MaxSize": 4}, "Max bound must be greater than or equal to min bound"),
        ({"DesiredCapacity": 11}, "Desired capacity:11 must be between the specified min size:0 and max size:10"),
        (
            {"LaunchConfigurationName": "gone"},
            "Launch configuration name not found - Launch configuration gone not found",
        ),
        (
            {"LaunchTemplate": {"LaunchTemplateId": "lt-0gone"}},
            NO_TEMPLATE,
        ),
        ({"VPCZoneIdentifier": "subnet-gone"}, "The subnet ID 'subnet-gone' does not exist"),
        ({"VPCZoneIdentifier": ""}, "At least one Availability Zone or VPC Subnet is required."),
    ],
)
def test_a_group_that_cannot_be_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ApiError) as error:
        Scene().group(**change)
    assert (error.value.code, error.value.message) == ("ValidationError", words)


def test_a_group_is_deleted_only_when_it_is_empty_or_by_force() -> None:
    scene = Scene()
    scene.group(desired=2)
    members = scene.members()
    with pytest.raises(
        ApiError, match="ResourceInUse: You cannot delete an AutoScalingGroup while there are instances"
    ):
        scene.asg("DeleteAutoScalingGroup", AutoScalingGroupName="web")
    scene.asg("DeleteAutoScalingGroup", AutoScalingGroupName="web", ForceDelete=True)
    assert scene.shown()["Status"] == "Delete in progress"
    with pytest.raises(ApiError, match="pending delete"):
        suspend(scene, "Launch")
    scene.wait(10)
    assert scene.members(state="Terminating") == members
    scene.wait(60)
    assert scene.shown() == {}
    assert {scene.state(one) for one in members} == {"terminated"}
    with pytest.raises(ApiError, match="AutoScalingGroup name not found"):
        resize(scene, 1)


def test_an_absurd_capacity_is_launched_in_batches_and_keeps_nobody_waiting() -> None:
    plenty = PoolShock(at_seconds=0, pool="*", on_demand_capacity=100_000)
    scene = Scene(plenty)
    scene.group("other", desired=0)
    scene.group("web", desired=0, MaxSize=2**31 - 1)
    scene.asg("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=2**31 - 1)
    scene.wait(9)
    assert len(scene.members("web", None)) == BATCH, "the next batch comes with the next look"
    scene.asg("SetDesiredCapacity", AutoScalingGroupName="other", DesiredCapacity=1)
    scene.asg("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=BATCH + 10)
    scene.wait(60)
    assert len(scene.members("other")) == 1
    assert len(scene.members("web")) == BATCH + 10
    scene.asg("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=0)
    scene.wait(9)
    assert len(scene.members("web")) == 10
    scene.wait(120)
    assert scene.members("web", None) == []
