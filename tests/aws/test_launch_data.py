"""A launch configuration as a launch template: nothing is lost, and nothing is made up."""

from base64 import b64encode
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from spotward.aws.launch_data import COPIED, DROPPED, template_data
from spotward.model.errors import Permanent

PLAIN = {"LaunchConfigurationName": "lc", "ImageId": "ami-1", "InstanceType": "m5.large", "CreatedTime": "x"}

FULL: dict[str, Any] = {
    **PLAIN,
    "LaunchConfigurationARN": "arn:aws:autoscaling:us-east-1:1:launchConfiguration:1:launchConfigurationName/lc",
    "KeyName": "ops",
    "SecurityGroups": ["sg-1", "sg-2"],
    "UserData": b64encode(b"#!/bin/sh\nexec web --port 80\n").decode(),
    "KernelId": "aki-1",
    "RamdiskId": "ari-1",
    "BlockDeviceMappings": [
        {
            "DeviceName": "/dev/xvda",
            "Ebs": {
                "SnapshotId": "snap-1",
                "VolumeSize": 40,
                "VolumeType": "gp3",
                "DeleteOnTermination": False,
                "Iops": 6000,
                "Throughput": 500,
                "Encrypted": True,
            },
        },
        {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
        {"DeviceName": "/dev/sdc", "NoDevice": True},
        {"DeviceName": "/dev/sdd", "Ebs": {"DeleteOnTermination": True}},
    ],
    "InstanceMonitoring": {"Enabled": False},
    "SpotPrice": "0.05",
    "IamInstanceProfile": "arn:aws-cn:iam::1:instance-profile/web",
    "EbsOptimized": True,
    "AssociatePublicIpAddress": False,
    "PlacementTenancy": "dedicated",
    "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"},
}


@cache
def model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def test_every_field_of_the_api_is_copied_or_dropped_for_a_reason() -> None:
    members = set(model("autoscaling").shape_for("LaunchConfiguration").members)
    assert members == COPIED | DROPPED.keys()
    assert not COPIED & DROPPED.keys()


def test_a_full_configuration_is_said_again_in_full() -> None:
    assert template_data(FULL) == {
        "ImageId": "ami-1",
        "InstanceType": "m5.large",
        "KeyName": "ops",
        "KernelId": "aki-1",
        "RamDiskId": "ari-1",
        "UserData": FULL["UserData"],
        "EbsOptimized": True,
        "Placement": {"Tenancy": "dedicated"},
        "MetadataOptions": FULL["MetadataOptions"],
        "IamInstanceProfile": {"Arn": "arn:aws-cn:iam::1:instance-profile/web"},
        "Monitoring": {"Enabled": False},
        "BlockDeviceMappings": [
            FULL["BlockDeviceMappings"][0],
            {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
            {"DeviceName": "/dev/sdc", "NoDevice": ""},
            {"DeviceName": "/dev/sdd", "Ebs": {"DeleteOnTermination": True}},
        ],
        "NetworkInterfaces": [
            {
                "DeviceIndex": 0,
                "AssociatePublicIpAddress": False,
                "DeleteOnTermination": True,
                "Groups": ["sg-1", "sg-2"],
            }
        ],
    }


def test_every_copied_field_has_its_effect() -> None:
    """A table that claims to copy a field, and code that does not, would be found out here."""
    whole = template_data(FULL)
    for field in sorted(COPIED - {"ImageId", "InstanceType"}):
        assert template_data({name: value for name, value in FULL.items() if name != field}) != whole, field


def test_a_plain_configuration_says_nothing_that_was_not_said_but_auto_scaling_s_own_default() -> None:
    assert template_data(PLAIN) == {"ImageId": "ami-1", "InstanceType": "m5.large", "Monitoring": {"Enabled": True}}


def test_what_auto_scaling_answers_for_nothing_is_nothing() -> None:
    empty = {
        "KeyName": "",
        "KernelId": "",
        "RamdiskId": "",
        "UserData": "",
        "SecurityGroups": [],
        "BlockDeviceMappings": [],
    }
    assert template_data({**PLAIN, **empty}) == template_data(PLAIN)


def test_a_volume_without_type_or_size_is_left_to_the_image() -> None:
    mapping = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeType": None, "VolumeSize": None, "Encrypted": True}}
    assert template_data({**PLAIN, "BlockDeviceMappings": [mapping]})["BlockDeviceMappings"] == [
        {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}}
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("web", {"Name": "web"}),
        ("arn:aws:iam::1:instance-profile/web", {"Arn": "arn:aws:iam::1:instance-profile/web"}),
        ("arn:aws-us-gov:iam::1:instance-profile/web", {"Arn": "arn:aws-us-gov:iam::1:instance-profile/web"}),
    ],
)
def test_a_profile_is_a_name_or_an_arn_of_any_partition(text: str, said: dict[str, str]) -> None:
    assert template_data({**PLAIN, "IamInstanceProfile": text})["IamInstanceProfile"] == said


def test_security_groups_by_name_go_where_they_can_and_are_refused_where_not() -> None:
    named = {**PLAIN, "SecurityGroups": ["default", "sg-1"]}
    assert template_data(named)["SecurityGroups"] == ["default"]
    assert template_data(named)["SecurityGroupIds"] == ["sg-1"]
    with pytest.raises(Permanent, match="give the group a launch template, or name them by id"):
        template_data({**named, "AssociatePublicIpAddress": True})


volumes = st.fixed_dictionaries(
    {},
    optional={
        "SnapshotId": st.just("snap-1"),
        "VolumeSize": st.integers(1, 16384),
        "VolumeType": st.sampled_from(["gp2", "gp3", "io1", "st1"]),
        "DeleteOnTermination": st.booleans(),
        "Iops": st.integers(100, 64000),
        "Encrypted": st.booleans(),
        "Throughput": st.integers(125, 1000),
    },
)
configurations = st.fixed_dictionaries(
    {"ImageId": st.just("ami-1"), "InstanceType": st.just("m5.large"), "LaunchConfigurationName": st.just("lc")},
    optional={
        "KeyName": st.text(max_size=9),
        "SecurityGroups": st.lists(st.from_regex(r"sg-[0-9a-f]{8}", fullmatch=True), max_size=3),
        "UserData": st.binary(max_size=60).map(lambda raw: b64encode(raw).decode()),
        "BlockDeviceMappings": st.lists(
            st.fixed_dictionaries(
                {"DeviceName": st.just("/dev/sdx")}, optional={"Ebs": volumes, "NoDevice": st.booleans()}
            ),
            max_size=3,
        ),
        "InstanceMonitoring": st.fixed_dictionaries({"Enabled": st.booleans()}),
        "IamInstanceProfile": st.sampled_from(["web", "arn:aws:iam::1:instance-profile/web"]),
        "EbsOptimized": st.booleans(),
        "AssociatePublicIpAddress": st.booleans(),
        "PlacementTenancy": st.sampled_from(["default", "dedicated"]),
        "MetadataOptions": st.fixed_dictionaries(
            {}, optional={"HttpTokens": st.sampled_from(["required", "optional"])}
        ),
    },
)


@given(configurations)
def test_every_configuration_becomes_a_template_that_the_service_model_takes(configuration: dict[str, Any]) -> None:
    shape = model("ec2").shape_for("RequestLaunchTemplateData")
    report = ParamValidator().validate(template_data(configuration), shape)
    assert not report.has_errors(), report.generate_report()
