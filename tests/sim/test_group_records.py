"""What is written on groups: tags, activities; and how groups are found."""

from tests.sim.scene import Scene


def test_a_deleted_groups_activities_are_still_told_to_who_asks() -> None:
    scene = Scene()
    scene.group(desired=1)
    scene.asg("DeleteAutoScalingGroup", AutoScalingGroupName="web", ForceDelete=True)
    scene.wait(90)
    told = scene.asg("DescribeScalingActivities", AutoScalingGroupName="web", IncludeDeletedGroups=True)["Activities"]
    assert [one["Description"].split(":")[0] for one in told] == [
        "Terminating EC2 instance",
        "Launching a new EC2 instance",
    ]


def test_groups_are_found_by_tag_and_shown_in_pages() -> None:
    scene = Scene()
    for number in range(5):
        tags = [{"Key": "spotward:enabled", "Value": "true" if number % 2 else "false"}]
        scene.group(f"g{number}", desired=0, Tags=tags)
    enabled = [{"Name": "tag:spotward:enabled", "Values": ["true"]}]
    shown = scene.asg("DescribeAutoScalingGroups", Filters=enabled)["AutoScalingGroups"]
    assert [one["AutoScalingGroupName"] for one in shown] == ["g1", "g3"]
    first = scene.asg("DescribeAutoScalingGroups", MaxRecords=3)
    rest = scene.asg("DescribeAutoScalingGroups", NextToken=first["NextToken"])
    names = [one["AutoScalingGroupName"] for one in (*first["AutoScalingGroups"], *rest["AutoScalingGroups"])]
    assert names == ["g0", "g1", "g2", "g3", "g4"]


def test_group_tags_are_put_and_taken_away() -> None:
    scene = Scene()
    scene.group(desired=0)
    tag = {
        "ResourceId": "web",
        "ResourceType": "auto-scaling-group",
        "Key": "a",
        "Value": "b",
        "PropagateAtLaunch": True,
    }
    scene.asg("CreateOrUpdateTags", Tags=[tag])
    assert scene.shown()["Tags"] == [tag]
    mine = [{"Name": "auto-scaling-group", "Values": ["web"]}]
    assert scene.asg("DescribeTags", Filters=mine)["Tags"] == [tag]
    scene.asg("DeleteTags", Tags=[{"ResourceId": "web", "Key": "a"}])
    assert scene.shown()["Tags"] == []
