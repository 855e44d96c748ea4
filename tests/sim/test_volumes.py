"""EBS volumes: with their instances and on their own, attached and detached in time."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.sim.errors import ApiError
from tests.sim.scene import ZONES, Scene


def create(scene: Scene, **params: Any) -> str:
    """A volume that is ready."""
    made = scene.ec2("CreateVolume", **{"AvailabilityZone": ZONES[0], "Size": 20, **params})
    scene.wait(5)
    return str(made["VolumeId"])


def volume(scene: Scene, volume_id: str) -> dict[str, Any]:
    (found,) = scene.ec2("DescribeVolumes", VolumeIds=[volume_id])["Volumes"]
    return dict(found)


def attach(scene: Scene, volume_id: str, instance_id: str, device: str = "/dev/sdf") -> dict[str, Any]:
    return scene.ec2("AttachVolume", VolumeId=volume_id, InstanceId=instance_id, Device=device)


def state(scene: Scene, volume_id: str) -> tuple[str, str | None]:
    """The volume's, and its attachment's."""
    shown = volume(scene, volume_id)
    return shown["State"], shown["Attachments"][0]["State"] if shown["Attachments"] else None


def refused(scene: Scene, operation: str, code: str, **params: Any) -> None:
    with pytest.raises(ApiError) as refusal:
        scene.ec2(operation, **params)
    assert refusal.value.code == code


def test_a_volume_is_made_and_described() -> None:
    scene = Scene()
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "for", "Value": "data"}]}]
    asked = {"AvailabilityZone": ZONES[0], "Size": 100, "VolumeType": "gp3", "TagSpecifications": tags}
    made = scene.ec2("CreateVolume", **asked)
    assert made["State"] == "creating"
    scene.wait(2)
    shown = volume(scene, made["VolumeId"])
    assert shown == {
        "Attachments": [],
        "AvailabilityZone": ZONES[0],
        "CreateTime": made["CreateTime"],
        "Encrypted": False,
        "Iops": 3000,
        "MultiAttachEnabled": False,
        "Size": 100,
        "SnapshotId": "",
        "State": "available",
        "Tags": [{"Key": "for", "Value": "data"}],
        "Throughput": 125,
        "VolumeId": made["VolumeId"],
        "VolumeType": "gp3",
    }


def test_attaching_and_detaching_take_their_time() -> None:
    scene = Scene()
    (host,) = scene.run()
    one = create(scene)
    assert attach(scene, one, host)["State"] == "attaching"
    assert state(scene, one) == ("in-use", "attaching")
    scene.wait(4)
    assert state(scene, one) == ("in-use", "attached")
    assert [each["Ebs"]["VolumeId"] for each in scene.instance(host)["BlockDeviceMappings"]][-1] == one
    answer = scene.ec2("DetachVolume", VolumeId=one)
    assert (answer["State"], answer["InstanceId"], answer["Device"]) == ("detaching", host, "/dev/sdf")
    assert state(scene, one) == ("in-use", "detaching")
    scene.wait(6)
    assert state(scene, one) == ("available", None)
    assert len(scene.instance(host)["BlockDeviceMappings"]) == 1


def test_a_forced_detachment_waits_for_nothing() -> None:
    scene = Scene()
    (host,) = scene.run()
    one = create(scene)
    attach(scene, one, host)
    scene.wait(10)
    scene.ec2("DetachVolume", VolumeId=one, Force=True)
    assert state(scene, one) == ("available", None)


def test_the_volumes_of_an_instance_are_born_with_it_and_go_with_it_unless_they_are_to_stay() -> None:
    scene = Scene()
    kept = {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 50, "VolumeType": "gp3", "DeleteOnTermination": False}}
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "of", "Value": "web"}]}]
    (host,) = scene.run(BlockDeviceMappings=[kept], TagSpecifications=tags)
    of_host = [{"Name": "attachment.instance-id", "Values": [host]}]
    root, data = scene.ec2("DescribeVolumes", Filters=of_host)["Volumes"]
    assert (root["Size"], root["VolumeType"], root["Attachments"][0]["DeleteOnTermination"]) == (8, "gp2", True)
    assert (data["Size"], data["VolumeType"], data["Attachments"][0]["DeleteOnTermination"]) == (50, "gp3", False)
    assert (root["Tags"], data["Tags"]) == ([{"Key": "of", "Value": "web"}], [{"Key": "of", "Value": "web"}])
    scene.ec2("TerminateInstances", InstanceIds=[host])
    scene.wait(20)
    assert state(scene, data["VolumeId"])[0] == "in-use", "the machine is not gone yet"
    scene.wait(40)
    assert state(scene, data["VolumeId"]) == ("available", None)
    refused(scene, "DescribeVolumes", "InvalidVolume.NotFound", VolumeIds=[root["VolumeId"]])
    scene.wait(3700)
    assert volume(scene, data["VolumeId"])["Tags"] == [{"Key": "of", "Value": "web"}], "it outlives its instance"


def test_an_attached_volume_is_free_again_when_its_instance_is_interrupted() -> None:
    scene = Scene()
    (host,) = scene.run(spot=True)
    one = create(scene)
    attach(scene, one, host)
    scene.cloud.interrupt([host])
    scene.wait(120)
    assert state(scene, one) == ("in-use", "attached")
    scene.wait(60)
    assert state(scene, one) == ("available", None)


def test_a_stopped_instance_keeps_its_volumes_and_only_then_its_root_can_be_taken() -> None:
    scene = Scene()
    (host,) = scene.run()
    root = scene.instance(host)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    refused(scene, "DetachVolume", "OperationNotPermitted", VolumeId=root)
    scene.ec2("StopInstances", InstanceIds=[host])
    scene.wait(60)
    assert state(scene, root) == ("in-use", "attached")
    scene.ec2("DetachVolume", VolumeId=root)
    scene.wait(10)
    assert state(scene, root) == ("available", None)


def test_what_cannot_be_is_refused() -> None:
    scene = Scene()
    here, other = scene.run(2)
    (elsewhere,) = scene.run(SubnetId="subnet-b")
    one, two = create(scene), create(scene)
    refused(scene, "AttachVolume", "InvalidVolume.ZoneMismatch", VolumeId=one, InstanceId=elsewhere, Device="/dev/sdf")
    refused(scene, "DetachVolume", "IncorrectState", VolumeId=one)
    attach(scene, one, here)
    refused(scene, "AttachVolume", "VolumeInUse", VolumeId=one, InstanceId=other, Device="/dev/sdf")
    refused(scene, "AttachVolume", "InvalidParameterValue", VolumeId=two, InstanceId=here, Device="/dev/sdf")
    refused(scene, "DetachVolume", "InvalidAttachment.NotFound", VolumeId=one, InstanceId=other)
    refused(scene, "DeleteVolume", "VolumeInUse", VolumeId=one)
    scene.ec2("TerminateInstances", InstanceIds=[other])
    refused(scene, "AttachVolume", "IncorrectState", VolumeId=two, InstanceId=other, Device="/dev/sdf")
    refused(scene, "CreateVolume", "MissingParameter", AvailabilityZone=ZONES[0])
    refused(scene, "CreateVolume", "InvalidZone.NotFound", AvailabilityZone="mars-1a", Size=1)
    refused(scene, "CreateVolume", "InvalidParameterValue", AvailabilityZone=ZONES[0], Size=1, VolumeType="tape")
    fresh = scene.ec2("CreateVolume", AvailabilityZone=ZONES[0], Size=1)["VolumeId"]
    refused(scene, "AttachVolume", "IncorrectState", VolumeId=fresh, InstanceId=here, Device="/dev/sdg")
    scene.ec2("DeleteVolume", VolumeId=two)
    refused(scene, "DeleteVolume", "InvalidVolume.NotFound", VolumeId=two)


def test_volumes_are_found_by_filter_and_shown_in_pages() -> None:
    scene = Scene()
    scene.run(2)
    ids = [create(scene, Size=size, VolumeType="io2", Iops=1000) for size in (1, 2, 3)]
    free = [{"Name": "status", "Values": ["available"]}, {"Name": "volume-type", "Values": ["io?"]}]
    first = scene.ec2("DescribeVolumes", Filters=free, MaxResults=2)
    rest = scene.ec2("DescribeVolumes", Filters=free, MaxResults=2, NextToken=first["NextToken"])
    assert [one["VolumeId"] for one in (*first["Volumes"], *rest["Volumes"])] == ids
    assert "NextToken" not in rest
    by_size = [{"Name": "size", "Values": ["2"]}]
    assert [one["VolumeId"] for one in scene.ec2("DescribeVolumes", Filters=by_size)["Volumes"]] == ids[1:2]


def test_a_volume_is_tagged_on_its_own() -> None:
    scene = Scene()
    one = create(scene)
    scene.ec2("CreateTags", Resources=[one], Tags=[{"Key": "a", "Value": "b"}])
    by_tag = [{"Name": "tag:a", "Values": ["b"]}]
    assert [found["VolumeId"] for found in scene.ec2("DescribeVolumes", Filters=by_tag)["Volumes"]] == [one]
    (tag,) = scene.ec2("DescribeTags", Filters=[{"Name": "resource-id", "Values": [one]}])["Tags"]
    assert (tag["ResourceType"], tag["Key"]) == ("volume", "a")
    scene.ec2("DeleteTags", Resources=[one])
    assert "Tags" not in volume(scene, one)


def test_the_same_client_token_makes_one_volume() -> None:
    scene = Scene()
    asked = {"AvailabilityZone": ZONES[0], "Size": 1, "ClientToken": "once"}
    assert scene.ec2("CreateVolume", **asked)["VolumeId"] == scene.ec2("CreateVolume", **asked)["VolumeId"]


def test_volumes_of_somebody_else_are_not_ours() -> None:
    scene = Scene()
    one = create(scene)
    assert scene.cloud.owns("ec2.DescribeVolumes", {})
    assert scene.cloud.owns("ec2.DescribeVolumes", {"VolumeIds": [one, "vol-mottos"]})
    assert not scene.cloud.owns("ec2.DescribeVolumes", {"VolumeIds": ["vol-mottos"]})
    assert not scene.cloud.owns("ec2.AttachVolume", {"VolumeId": "vol-mottos"})


DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["attach", "detach", "force", "terminate", "stop", "start", "delete"]),
        st.integers(min_value=0, max_value=5),
        st.integers(min_value=0, max_value=12),
    ),
    max_size=12,
)


@given(deeds=DEEDS)
def test_whatever_is_done_volumes_and_instances_agree_on_what_is_attached(deeds: list[tuple[str, int, int]]) -> None:
    scene = Scene()
    hosts = scene.run(2)
    ids = [create(scene) for _ in range(3)]
    for deed, number, seconds in deeds:
        host, one = hosts[number % 2], ids[number % 3]
        with suppress(ApiError):
            _do(scene, deed, host, one)
        scene.wait(seconds)
        _check_agreement(scene)
    scene.wait(120)
    _check_agreement(scene)
    assert {each["State"] for each in scene.ec2("DescribeVolumes")["Volumes"]} <= {"available", "in-use"}


def _do(scene: Scene, deed: str, host: str, one: str) -> None:
    match deed:
        case "attach":
            attach(scene, one, host)
        case "detach" | "force":
            scene.ec2("DetachVolume", VolumeId=one, Force=deed == "force")
        case "delete":
            scene.ec2("DeleteVolume", VolumeId=one)
        case _:
            scene.ec2(f"{deed.capitalize()}Instances", InstanceIds=[host])


def _check_agreement(scene: Scene) -> None:
    by_volume = {
        (one["VolumeId"], where["InstanceId"], where["Device"], where["State"])
        for one in scene.ec2("DescribeVolumes")["Volumes"]
        for where in one["Attachments"]
    }
    by_instance = {
        (each["Ebs"]["VolumeId"], one["InstanceId"], each["DeviceName"], each["Ebs"]["Status"])
        for one in scene.instances()
        for each in one["BlockDeviceMappings"]
    }
    assert by_volume == by_instance
