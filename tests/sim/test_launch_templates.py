"""Launch templates: versions, names for versions, and the errors of those that are gone."""

from typing import Any

import pytest

from spotward.sim.errors import ApiError
from tests.sim.scene import IMAGE, Scene


def versions(scene: Scene, **params: Any) -> list[int]:
    shown = scene.ec2("DescribeLaunchTemplateVersions", **params)["LaunchTemplateVersions"]
    return [one["VersionNumber"] for one in shown]


def three_versions(scene: Scene) -> str:
    name = scene.template()
    for size in ("m5.xlarge", "c5.large"):
        data = {"InstanceType": size}
        scene.ec2("CreateLaunchTemplateVersion", LaunchTemplateId=name, SourceVersion="1", LaunchTemplateData=data)
    return name


def test_latest_and_default_name_versions() -> None:
    scene = Scene()
    name = three_versions(scene)
    scene.ec2("ModifyLaunchTemplate", LaunchTemplateId=name, DefaultVersion="2")
    assert versions(scene, LaunchTemplateId=name, Versions=["$Latest"]) == [3]
    assert versions(scene, LaunchTemplateId=name, Versions=["$Default"]) == [2]
    assert versions(scene, LaunchTemplateId=name) == [3, 2, 1]
    assert versions(scene, LaunchTemplateId=name, MinVersion="2", MaxVersion="2") == [2]
    shown = scene.ec2("DescribeLaunchTemplates", LaunchTemplateIds=[name])["LaunchTemplates"][0]
    assert (shown["DefaultVersionNumber"], shown["LatestVersionNumber"]) == (2, 3)


def test_a_version_keeps_what_its_source_has_and_it_does_not_change() -> None:
    scene = Scene()
    name = three_versions(scene)
    shown = scene.ec2("DescribeLaunchTemplateVersions", LaunchTemplateId=name, Versions=["2"])
    data = shown["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert data == {"ImageId": IMAGE, "InstanceType": "m5.xlarge", "SecurityGroupIds": ["sg-1"]}


def test_a_launch_takes_the_version_it_names_and_is_tagged_with_it() -> None:
    scene = Scene()
    name = three_versions(scene)
    answer = scene.ec2(
        "RunInstances", LaunchTemplate={"LaunchTemplateId": name, "Version": "2"}, MinCount=1, MaxCount=1
    )
    (instance,) = answer["Instances"]
    assert instance["InstanceType"] == "m5.xlarge"
    assert {"Key": "aws:ec2launchtemplate:version", "Value": "2"} in instance["Tags"]
    assert {"Key": "aws:ec2launchtemplate:id", "Value": name} in instance["Tags"]


def test_a_number_is_never_used_twice_and_the_default_is_not_deleted() -> None:
    scene = Scene()
    name = three_versions(scene)
    answer = scene.ec2("DeleteLaunchTemplateVersions", LaunchTemplateId=name, Versions=["1", "3", "9"])
    assert [one["VersionNumber"] for one in answer["SuccessfullyDeletedLaunchTemplateVersions"]] == [3]
    assert [one["VersionNumber"] for one in answer["UnsuccessfullyDeletedLaunchTemplateVersions"]] == [1, 9]
    assert versions(scene, LaunchTemplateId=name, Versions=["$Latest"]) == [2]
    scene.ec2("CreateLaunchTemplateVersion", LaunchTemplateId=name, LaunchTemplateData={"InstanceType": "t3.large"})
    assert versions(scene, LaunchTemplateId=name) == [4, 2, 1]


@pytest.mark.parametrize(
    ("reference", "code", "words"),
    [
        (
            {"LaunchTemplateId": "lt-0gone"},
            "InvalidLaunchTemplateId.NotFound",
            "The specified launch template, with template ID lt-0gone, does not exist.",
        ),
        (
            {"LaunchTemplateName": "gone"},
            "InvalidLaunchTemplateName.NotFoundException",
            "The specified launch template, with template name gone, does not exist.",
        ),
        ({"LaunchTemplateId": "nonsense"}, "InvalidLaunchTemplateId.Malformed", "Invalid id: 'nonsense'"),
        ({}, "MissingParameter", "Either a launch template ID or a launch template name is required."),
    ],
)
def test_a_template_that_is_not_there_is_named(reference: dict[str, str], code: str, words: str) -> None:
    with pytest.raises(ApiError) as error:
        Scene().ec2("CreateLaunchTemplateVersion", LaunchTemplateData={}, **reference)
    assert (error.value.code, error.value.message) == (code, words)


def test_a_version_that_is_not_there_is_named() -> None:
    scene = Scene()
    name = scene.template()
    with pytest.raises(ApiError) as error:
        versions(scene, LaunchTemplateId=name, Versions=["7"])
    assert error.value.code == "InvalidLaunchTemplateId.VersionNotFound"
    assert error.value.message == f"Could not find the specified version 7 for the launch template with ID {name}."


def test_a_deleted_template_is_gone_and_its_name_is_free() -> None:
    scene = Scene()
    name = scene.template("web")
    with pytest.raises(ApiError, match="AlreadyExistsException: Launch template name already in use"):
        scene.template("web")
    scene.ec2("DeleteLaunchTemplate", LaunchTemplateName="web")
    with pytest.raises(ApiError, match=r"InvalidLaunchTemplateId\.NotFound"):
        scene.ec2("DescribeLaunchTemplates", LaunchTemplateIds=[name])
    assert scene.template("web") != name


def test_templates_are_found_by_tag_and_shown_in_pages() -> None:
    scene = Scene()
    for number in range(5):
        tags = [{"ResourceType": "launch-template", "Tags": [{"Key": "spotward:key", "Value": str(number % 2)}]}]
        scene.ec2(
            "CreateLaunchTemplate", LaunchTemplateName=f"t{number}", LaunchTemplateData={}, TagSpecifications=tags
        )
    odd = scene.ec2("DescribeLaunchTemplates", Filters=[{"Name": "tag:spotward:key", "Values": ["1"]}])
    assert [one["LaunchTemplateName"] for one in odd["LaunchTemplates"]] == ["t1", "t3"]
    first = scene.ec2("DescribeLaunchTemplates", MaxResults=3)
    rest = scene.ec2("DescribeLaunchTemplates", MaxResults=3, NextToken=first["NextToken"])
    names = [one["LaunchTemplateName"] for one in (*first["LaunchTemplates"], *rest["LaunchTemplates"])]
    assert names == ["t0", "t1", "t2", "t3", "t4"]


def test_a_repeated_client_token_makes_no_second_template() -> None:
    scene = Scene()
    wanted = {"LaunchTemplateName": "web", "LaunchTemplateData": {"ImageId": IMAGE}, "ClientToken": "t"}
    first = scene.ec2("CreateLaunchTemplate", **wanted)
    assert scene.ec2("CreateLaunchTemplate", **wanted) == first
    with pytest.raises(ApiError, match="IdempotentParameterMismatch"):
        scene.ec2("CreateLaunchTemplate", **{**wanted, "LaunchTemplateData": {}})
