"""Instances of the virtual region: how they are launched, described, protected and ended."""

from datetime import UTC, datetime
from typing import Any

import pytest

from spotward.sim.errors import ApiError
from spotward.sim.shocks import PoolShock, QuotaShock
from tests.sim.scene import ARM_IMAGE, IMAGE, START, Scene, refusal


def test_an_instance_is_pending_until_it_has_booted() -> None:
    scene = Scene()
    answer = scene.ec2("RunInstances", ImageId=IMAGE, InstanceType="m5.large", MinCount=1, MaxCount=1)
    (instance,) = answer["Instances"]
    assert instance["State"] == {"Code": 0, "Name": "pending"}
    scene.wait(14)
    assert scene.state(instance["InstanceId"]) == "pending"
    scene.wait(12)
    assert scene.state(instance["InstanceId"]) == "running"


def test_a_terminated_instance_shuts_down_first_and_is_forgotten_after_an_hour() -> None:
    scene = Scene()
    (one,) = scene.run()
    answer = scene.ec2("TerminateInstances", InstanceIds=[one])
    assert answer["TerminatingInstances"] == [
        {
            "InstanceId": one,
            "CurrentState": {"Code": 32, "Name": "shutting-down"},
            "PreviousState": {"Code": 16, "Name": "running"},
        }
    ]
    scene.wait(60)
    gone = scene.instance(one)
    assert gone["State"]["Name"] == "terminated"
    assert gone["StateReason"] == {
        "Code": "Client.UserInitiatedShutdown",
        "Message": "Client.UserInitiatedShutdown: User initiated shutdown",
    }
    assert gone["NetworkInterfaces"] == []
    scene.wait(3600)
    with pytest.raises(ApiError) as error:
        scene.instance(one)
    assert refusal(error.value) == ("InvalidInstanceID.NotFound", f"The instance ID '{one}' does not exist")


def test_a_description_has_what_the_order_asked_for() -> None:
    scene = Scene()
    (one,) = scene.run(
        spot=True,
        SecurityGroupIds=["sg-1"],
        KeyName="ops",
        EbsOptimized=True,
        IamInstanceProfile={"Name": "web"},
        Monitoring={"Enabled": True},
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
        BlockDeviceMappings=[{"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 20, "VolumeType": "gp3"}}],
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}],
    )
    shown = scene.instance(one)
    assert shown["InstanceLifecycle"] == "spot"
    assert shown["SpotInstanceRequestId"].startswith("sir-")
    assert shown["Placement"] == {"AvailabilityZone": "us-east-1a", "GroupName": "", "Tenancy": "default"}
    assert shown["SubnetId"] == "subnet-a"
    assert shown["SecurityGroups"] == [{"GroupId": "sg-1", "GroupName": "web servers"}]
    assert shown["IamInstanceProfile"]["Arn"] == "arn:aws:iam::123456789012:instance-profile/web"
    assert shown["MetadataOptions"]["HttpTokens"] == "required"
    assert [one["DeviceName"] for one in shown["BlockDeviceMappings"]] == ["/dev/xvda", "/dev/sdb"]
    assert (shown["EbsOptimized"], shown["Monitoring"], shown["KeyName"]) == (True, {"State": "enabled"}, "ops")
    assert (shown["Architecture"], shown["VirtualizationType"], shown["PlatformDetails"], shown["UsageOperation"]) == (
        "x86_64",
        "hvm",
        "Linux/UNIX",
        "RunInstances",
    )
    assert shown["LaunchTime"] == datetime.fromtimestamp(START, UTC)
    assert shown["Tags"] == [{"Key": "Name", "Value": "web"}]


def test_an_on_demand_instance_has_no_lifecycle() -> None:
    scene = Scene()
    (one,) = scene.run()
    assert "InstanceLifecycle" not in scene.instance(one)
    assert scene.instances(("instance-lifecycle", ["spot"])) == []


def test_an_unchanged_instance_is_described_by_the_very_same_object() -> None:
    scene = Scene()
    scene.run()
    first, second = scene.instances(), scene.instances()
    assert first[0] is second[0]
    scene.ec2("CreateTags", Resources=[first[0]["InstanceId"]], Tags=[{"Key": "a", "Value": "b"}])
    assert scene.instances()[0]["Tags"] == [{"Key": "a", "Value": "b"}]


def test_a_repeated_client_token_launches_nothing_more() -> None:
    scene = Scene()
    wanted = {"ImageId": IMAGE, "InstanceType": "m5.large", "MinCount": 2, "MaxCount": 2, "ClientToken": "t"}
    first = scene.ec2("RunInstances", **wanted)
    scene.wait(60)
    second = scene.ec2("RunInstances", **wanted)
    assert first["ReservationId"] == second["ReservationId"]
    assert [one["State"]["Name"] for one in second["Instances"]] == ["running", "running"]
    assert len(scene.instances()) == 2


def test_a_client_token_with_other_parameters_is_refused() -> None:
    scene = Scene()
    wanted = {"ImageId": IMAGE, "InstanceType": "m5.large", "MinCount": 1, "ClientToken": "t"}
    scene.ec2("RunInstances", MaxCount=1, **wanted)
    with pytest.raises(ApiError, match="IdempotentParameterMismatch: Arguments on this idempotent request"):
        scene.ec2("RunInstances", MaxCount=2, **wanted)


def test_a_launch_that_failed_may_be_tried_again_with_the_same_token() -> None:
    scene = Scene(PoolShock(at_seconds=0, until_seconds=60, pool="m5.large/*", on_demand_capacity=0))
    wanted = {"ImageId": IMAGE, "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1, "ClientToken": "t"}
    with pytest.raises(ApiError, match="InsufficientInstanceCapacity"):
        scene.ec2("RunInstances", **wanted)
    scene.wait(60)
    assert len(scene.ec2("RunInstances", **wanted)["Instances"]) == 1


def test_a_lack_of_on_demand_capacity_names_the_other_zones() -> None:
    scene = Scene(PoolShock(at_seconds=0, pool="m5.large/us-east-1a", on_demand_capacity=0))
    with pytest.raises(ApiError) as error:
        scene.run()
    assert (error.value.code, error.value.status) == ("InsufficientInstanceCapacity", 500)
    assert error.value.message == (
        "We currently do not have sufficient m5.large capacity in the Availability Zone you requested (us-east-1a). "
        "Our system will be working on provisioning additional capacity. You can currently get m5.large capacity by "
        "not specifying an Availability Zone in your request or choosing us-east-1b, us-east-1c."
    )


def test_fewer_than_the_maximum_are_launched_when_there_is_room_for_the_minimum() -> None:
    scene = Scene(PoolShock(at_seconds=0, pool="m5.large/us-east-1a", spot_capacity=3))
    spot = {"InstanceMarketOptions": {"MarketType": "spot"}, "SubnetId": "subnet-a"}
    wanted = {"ImageId": IMAGE, "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 5, **spot}
    assert len(scene.ec2("RunInstances", **wanted)["Instances"]) == 3
    with pytest.raises(ApiError, match="There is no Spot capacity available that matches your request"):
        scene.ec2("RunInstances", **wanted)


def test_spot_beyond_the_quota_is_refused() -> None:
    scene = Scene(QuotaShock(at_seconds=0, spot_vcpu_quota=4))
    scene.run(2, spot=True)
    with pytest.raises(ApiError, match="MaxSpotInstanceCountExceeded: Max spot instance count exceeded"):
        scene.run(spot=True)


def test_a_terminated_spot_instance_gives_its_quota_back() -> None:
    scene = Scene(QuotaShock(at_seconds=0, spot_vcpu_quota=4))
    first, _ = scene.run(2, spot=True)
    scene.ec2("TerminateInstances", InstanceIds=[first])
    assert len(scene.run(spot=True)) == 1


def test_a_price_limit_below_the_price_is_refused() -> None:
    scene = Scene()
    options = {"MarketType": "spot", "SpotOptions": {"MaxPrice": "0.001"}}
    with pytest.raises(ApiError, match=r"SpotMaxPriceTooLow: Your Spot request price of 0\.001 is lower than"):
        scene.run(InstanceMarketOptions=options)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ImageId": "ami-gone"}, "InvalidAMIID.NotFound"),
        ({"ImageId": None}, "MissingParameter"),
        ({"ImageId": ARM_IMAGE}, "InvalidParameterValue"),
        ({"InstanceType": "m9.large"}, "InvalidParameterValue"),
        ({"SubnetId": "subnet-gone"}, "InvalidSubnetID.NotFound"),
        ({"SecurityGroupIds": ["sg-gone"]}, "InvalidGroup.NotFound"),
        ({"InstanceType": "m5a.large", "SubnetId": "subnet-c"}, "Unsupported"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/sdb", "Ebs": {}}]}, "MissingParameter"),
        ({"LaunchTemplate": {"LaunchTemplateId": "lt-gone"}}, "InvalidLaunchTemplateId.NotFound"),
    ],
)
def test_what_cannot_be_launched_is_refused_with_ec2s_code(change: dict[str, Any], code: str) -> None:
    scene = Scene()
    with pytest.raises(ApiError) as error:
        scene.run(**change)
    assert error.value.code == code
    assert scene.instances() == []


def test_a_volume_of_the_images_own_device_may_leave_out_its_size_and_type() -> None:
    scene = Scene()
    (one,) = scene.run(BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}}])
    assert len(scene.instance(one)["BlockDeviceMappings"]) == 1


def test_termination_protection_holds_until_it_is_taken_away() -> None:
    scene = Scene()
    one, two = scene.run(2)
    scene.ec2("ModifyInstanceAttribute", InstanceId=two, DisableApiTermination={"Value": True})
    shown = scene.ec2("DescribeInstanceAttribute", InstanceId=two, Attribute="disableApiTermination")
    assert shown["DisableApiTermination"] == {"Value": True}
    with pytest.raises(ApiError, match=r"OperationNotPermitted: The instance '.*' may not be terminated\. Modify its"):
        scene.ec2("TerminateInstances", InstanceIds=[one, two])
    assert scene.state(one) == "running"
    scene.ec2("ModifyInstanceAttribute", InstanceId=two, DisableApiTermination={"Value": False})
    scene.ec2("TerminateInstances", InstanceIds=[one, two])
    assert scene.state(two) == "shutting-down"


def test_an_instance_is_stopped_and_started_again() -> None:
    scene = Scene()
    (one,) = scene.run()
    scene.ec2("StopInstances", InstanceIds=[one])
    scene.wait(60)
    assert scene.state(one) == "stopped"
    scene.ec2("StartInstances", InstanceIds=[one])
    scene.wait(60)
    assert scene.state(one) == "running"


def test_a_terminated_instance_cannot_be_started() -> None:
    scene = Scene()
    (one,) = scene.run()
    scene.ec2("TerminateInstances", InstanceIds=[one])
    with pytest.raises(ApiError, match="IncorrectInstanceState"):
        scene.ec2("StartInstances", InstanceIds=[one])


def test_a_one_time_spot_instance_cannot_be_stopped() -> None:
    scene = Scene()
    (one,) = scene.run(spot=True)
    with pytest.raises(ApiError, match="UnsupportedOperation: You can't stop the Spot Instance"):
        scene.ec2("StopInstances", InstanceIds=[one])


def test_filters_are_all_required_and_their_values_are_alternatives() -> None:
    scene = Scene()
    spot = scene.run(2, spot=True, InstanceType="m6i.large")
    (other,) = scene.run(SubnetId="subnet-b")
    scene.ec2("CreateTags", Resources=[spot[0], other], Tags=[{"Key": "team", "Value": "blue"}])
    shown = {
        tuple(one["InstanceId"] for one in scene.instances(*filters))
        for filters in [
            [("instance-lifecycle", ["spot"]), ("tag:team", ["blue"])],
            [("instance-type", ["m6i.*"]), ("tag-key", ["te?m"])],
            [("instance-id", [spot[0]]), ("instance-state-name", ["running", "pending"])],
        ]
    }
    assert shown == {(spot[0],)}
    assert [one["InstanceId"] for one in scene.instances(("tag:team", ["blue", "red"]))] == [spot[0], other]
    assert [one["InstanceId"] for one in scene.instances(("availability-zone", ["us-east-1b"]))] == [other]
    assert scene.instances(("tag:team", ["green"])) == []


def test_an_unknown_filter_is_refused() -> None:
    with pytest.raises(ApiError, match="InvalidParameterValue: The filter 'colour' is invalid"):
        Scene().instances(("colour", ["blue"]))


def test_pages_show_every_instance_once_though_some_come_and_go_between_them() -> None:
    scene = Scene()
    ids = scene.run(7)
    seen: list[str] = []
    params: dict[str, Any] = {"MaxResults": 3}
    while True:
        answer = scene.ec2("DescribeInstances", **params)
        seen += [one["InstanceId"] for group in answer["Reservations"] for one in group["Instances"]]
        if "NextToken" not in answer:
            break
        params["NextToken"] = answer["NextToken"]
        scene.ec2("TerminateInstances", InstanceIds=[seen[-1]])
        scene.wait(3700)
    assert seen == ids


def test_a_spoilt_token_is_refused() -> None:
    with pytest.raises(ApiError, match="InvalidNextToken"):
        Scene().ec2("DescribeInstances", MaxResults=5, NextToken="%%%")


def test_a_dry_run_does_nothing() -> None:
    scene = Scene()
    with pytest.raises(ApiError) as error:
        scene.run(DryRun=True)
    assert (error.value.code, error.value.status) == ("DryRunOperation", 412)
    assert scene.instances() == []


def test_tags_are_set_described_and_removed() -> None:
    scene = Scene()
    (one,) = scene.run(TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "disk", "Value": "root"}]}])
    volume = scene.instance(one)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    scene.ec2("CreateTags", Resources=[one, volume], Tags=[{"Key": "team", "Value": "blue"}])
    shown = scene.ec2("DescribeTags", Filters=[{"Name": "resource-id", "Values": [one, volume]}])["Tags"]
    assert {(tag["ResourceType"], tag["Key"], tag["Value"]) for tag in shown} == {
        ("instance", "team", "blue"),
        ("volume", "disk", "root"),
        ("volume", "team", "blue"),
    }
    scene.ec2("DeleteTags", Resources=[one], Tags=[{"Key": "team", "Value": "red"}])
    assert scene.instance(one)["Tags"] == [{"Key": "team", "Value": "blue"}]
    scene.ec2("DeleteTags", Resources=[one], Tags=[{"Key": "team"}])
    assert scene.instance(one)["Tags"] == []


def test_tags_are_ours_for_what_lives_here_only() -> None:
    scene = Scene()
    (one,) = scene.run()
    volume = scene.instance(one)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    owns = scene.cloud.owns
    assert owns("ec2.CreateTags", {"Resources": [one, volume]})
    assert owns("ec2.CreateTags", {"Resources": ["i-0unknown"]})
    assert not owns("ec2.CreateTags", {"Resources": ["vpc-1"]})
    assert not owns("ec2.CreateTags", {"Resources": ["vol-somebody-elses"]})
    assert owns("ec2.DescribeTags", {"Filters": [{"Name": "resource-type", "Values": ["instance"]}]})
    assert not owns("ec2.DescribeTags", {})
    assert not owns("ec2.DescribeVpcs", {})


def test_awss_own_tags_cannot_be_touched() -> None:
    scene = Scene()
    (one,) = scene.run()
    with pytest.raises(ApiError, match="reserved for internal use"):
        scene.ec2("CreateTags", Resources=[one], Tags=[{"Key": "aws:x", "Value": ""}])


def test_every_change_of_state_is_an_event() -> None:
    scene = Scene()
    (one,) = scene.run(spot=True)
    scene.ec2("TerminateInstances", InstanceIds=[one])
    scene.wait(60)
    changes = scene.events()
    assert [(event["detail-type"], event["detail"].get("state")) for event in changes] == [
        ("EC2 Instance State-change Notification", "pending"),
        ("EC2 Spot Instance Request Fulfillment", None),
        ("EC2 Instance State-change Notification", "running"),
        ("EC2 Instance State-change Notification", "shutting-down"),
        ("EC2 Instance State-change Notification", "terminated"),
    ]
    assert changes[0] == {
        "version": "0",
        "id": changes[0]["id"],
        "detail-type": "EC2 Instance State-change Notification",
        "source": "aws.ec2",
        "account": "123456789012",
        "time": "2026-05-28T20:26:40Z",
        "region": "us-east-1",
        "resources": [f"arn:aws:ec2:us-east-1:123456789012:instance/{one}"],
        "detail": {"instance-id": one, "state": "pending"},
    }
    assert changes[1]["detail"].keys() == {"spot-instance-request-id", "instance-id"}
    assert scene.events() == []


def test_status_is_told_of_running_instances_unless_all_are_asked_for() -> None:
    scene = Scene()
    one, two = scene.run(2)
    scene.ec2("TerminateInstances", InstanceIds=[two])
    shown = scene.ec2("DescribeInstanceStatus")["InstanceStatuses"]
    assert [(status["InstanceId"], status["InstanceStatus"]["Status"]) for status in shown] == [(one, "ok")]
    assert len(scene.ec2("DescribeInstanceStatus", IncludeAllInstances=True)["InstanceStatuses"]) == 2


def test_each_spot_instance_has_a_request_that_tells_its_fate() -> None:
    scene = Scene()
    one, two = scene.run(2, spot=True)
    scene.cloud.interrupt([one])
    assert _request_statuses(scene) == {one: "marked-for-termination", two: "fulfilled"}
    scene.wait(121)
    assert _request_statuses(scene) == {one: "instance-terminated-no-capacity", two: "fulfilled"}


def _request_statuses(scene: Scene) -> dict[str, str]:
    requests = scene.ec2("DescribeSpotInstanceRequests")["SpotInstanceRequests"]
    return {one["InstanceId"]: one["Status"]["Code"] for one in requests}
