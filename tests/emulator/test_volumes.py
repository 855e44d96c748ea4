"""Volumes over HTTP: boto3's waiters see them come, be attached and go."""

from __future__ import annotations

import pytest

from spotward.emulator.server import Emulator
from spotward.emulator.stage import GroupPlan, StageHand
from tests.emulator.clients import Clients, eventually, refused


@pytest.fixture(scope="module")
def hand(cloud: Emulator) -> StageHand:
    return StageHand(cloud.url)


def test_a_volume_is_attached_to_a_member_and_free_again_when_its_machine_is_gone(
    aws: Clients, hand: StageHand
) -> None:
    ec2, network, plan = aws("ec2"), hand.build_network(), GroupPlan(name="stateful", size=1)
    hand.build_group(network, plan)
    hand.wait_in_service([plan])
    (group,) = hand.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["stateful"])["AutoScalingGroups"]
    (member,) = group["Instances"]
    made = ec2.create_volume(
        AvailabilityZone=member["AvailabilityZone"],
        Size=20,
        VolumeType="gp3",
        TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "for", "Value": "data"}]}],
    )
    volume = made["VolumeId"]

    def state() -> str:
        (found,) = ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
        return str(found["State"])

    eventually(lambda: state() == "available")
    attached = ec2.attach_volume(VolumeId=volume, InstanceId=member["InstanceId"], Device="/dev/sdf")
    assert attached["State"] in ("attaching", "attached")
    found = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [member["InstanceId"]]}])
    assert {one["Attachments"][0]["Device"] for one in found["Volumes"]} == {"/dev/xvda", "/dev/sdf"}
    with refused("VolumeInUse", status=400):
        ec2.delete_volume(VolumeId=volume)
    ec2.terminate_instances(InstanceIds=[member["InstanceId"]])
    eventually(lambda: state() == "available")
    assert ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [volume]}])["Tags"][0]["Key"] == "for"
    ec2.delete_volume(VolumeId=volume)
    with refused("InvalidVolume.NotFound", status=400):
        ec2.describe_volumes(VolumeIds=[volume])
