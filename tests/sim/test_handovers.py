"""New one first: uneven zones, rebalance recommendations, instance refreshes."""

from typing import Any

import pytest

from spotward.sim.errors import ApiError
from spotward.sim.shocks import PoolShock
from tests.sim.scene import Scene


def spot_group(scene: Scene, desired: int = 3, **params: Any) -> None:
    name = scene.template(InstanceMarketOptions={"MarketType": "spot"})
    scene.group(desired=desired, LaunchTemplate={"LaunchTemplateId": name, "Version": "$Latest"}, **params)


def never_below(scene: Scene, count: int, seconds: int) -> None:
    for _ in range(seconds // 2):
        scene.wait(2)
        assert len(scene.members()) >= count


def test_uneven_zones_are_evened_out_after_a_while_with_the_new_one_first() -> None:
    scene = Scene()
    scene.group(desired=3)
    spot = scene.run(3, spot=True)
    scene.asg("AttachInstances", AutoScalingGroupName="web", InstanceIds=spot)
    scene.wait(30)
    assert scene.zones() == [4, 1, 1]
    scene.wait(240)
    assert scene.zones() == [4, 1, 1]
    never_below(scene, 6, 1800)
    assert scene.zones() == [2, 2, 2]
    assert scene.shown()["DesiredCapacity"] == 6
    assert any("to aid in balancing the group's zones." in cause for cause in scene.causes())


def test_without_az_rebalance_uneven_zones_stay_uneven() -> None:
    scene = Scene()
    scene.group(desired=3)
    scene.asg("SuspendProcesses", AutoScalingGroupName="web", ScalingProcesses=["AZRebalance"])
    scene.asg("AttachInstances", AutoScalingGroupName="web", InstanceIds=scene.run(3, spot=True))
    scene.wait(3600)
    assert scene.zones() == [4, 1, 1]


def test_a_zone_that_has_no_capacity_does_not_hold_up_the_group() -> None:
    scene = Scene(PoolShock(at_seconds=0, until_seconds=3000, pool="m5.large/us-east-1b", on_demand_capacity=0))
    scene.group(desired=6)
    assert sorted(scene.zones()) == [0, 3, 3]
    scene.wait(2000)
    scene.asg("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=7)
    scene.wait(60)
    assert len(scene.members()) == 7
    scene.wait(4000)
    assert sorted(scene.zones()) == [2, 2, 3]


def test_with_capacity_rebalance_a_recommendation_brings_a_replacement_first() -> None:
    scene = Scene()
    spot_group(scene, CapacityRebalance=True, VPCZoneIdentifier="subnet-a,subnet-b")
    risky = [one for one in scene.members() if scene.instance(one)["Placement"]["AvailabilityZone"] == "us-east-1a"]
    scene.shock("m5.large/us-east-1a", rebalance=True)
    scene.wait(60)
    scene.shock("m5.large/us-east-1a", rebalance=False)
    never_below(scene, 3, 900)
    assert not set(risky) & set(scene.members(state=None))
    assert len(scene.members()) == 3
    assert scene.shown()["DesiredCapacity"] == 3


def test_with_capacity_rebalance_a_warning_is_survived_without_a_gap() -> None:
    scene = Scene()
    spot_group(scene, CapacityRebalance=True)
    scene.cloud.interrupt([scene.members()[0]])
    never_below(scene, 3, 300)


def test_without_capacity_rebalance_an_interruption_leaves_a_gap() -> None:
    scene = Scene()
    spot_group(scene)
    gone = scene.members()[0]
    scene.cloud.interrupt([gone])
    scene.wait(170)
    assert len([one for one in scene.members() if scene.state(one) == "running"]) == 2
    scene.wait(120)
    assert len(scene.members()) == 3
    assert gone not in scene.members(state=None)


def refresh(scene: Scene, **preferences: Any) -> str:
    answer = scene.asg("StartInstanceRefresh", AutoScalingGroupName="web", Preferences=preferences)
    return str(answer["InstanceRefreshId"])


def refreshes(scene: Scene) -> list[dict[str, Any]]:
    return list(scene.asg("DescribeInstanceRefreshes", AutoScalingGroupName="web")["InstanceRefreshes"])


def test_a_refresh_replaces_every_member_and_keeps_enough_of_them() -> None:
    scene = Scene()
    scene.group(desired=4)
    before = set(scene.members())
    name = refresh(scene, MinHealthyPercentage=75, InstanceWarmup=30)
    assert [one["Status"] for one in refreshes(scene)] == ["Pending"]
    with pytest.raises(ApiError, match="InstanceRefreshInProgress"):
        refresh(scene)
    scene.wait(60)
    (shown,) = refreshes(scene)
    assert (shown["InstanceRefreshId"], shown["Status"]) == (name, "InProgress")
    assert 0 < shown["InstancesToUpdate"] < 4
    never_below(scene, 3, 900)
    (shown,) = refreshes(scene)
    assert (shown["Status"], shown["PercentageComplete"], shown["InstancesToUpdate"]) == ("Successful", 100, 0)
    assert not before & set(scene.members())
    assert len(scene.members()) == 4


def test_a_refresh_above_full_capacity_never_goes_below_it() -> None:
    scene = Scene()
    scene.group(desired=4)
    before = set(scene.members())
    refresh(scene, MinHealthyPercentage=100, MaxHealthyPercentage=150, InstanceWarmup=0)
    never_below(scene, 4, 900)
    assert refreshes(scene)[0]["Status"] == "Successful"
    assert not before & set(scene.members())


def test_a_cancelled_refresh_begins_nothing_new() -> None:
    scene = Scene()
    scene.group(desired=4)
    before = set(scene.members())
    refresh(scene, MinHealthyPercentage=75)
    scene.wait(20)
    scene.asg("CancelInstanceRefresh", AutoScalingGroupName="web")
    scene.wait(600)
    assert refreshes(scene)[0]["Status"] == "Cancelled"
    assert len(before & set(scene.members())) == 3
    with pytest.raises(ApiError, match="ActiveInstanceRefreshNotFound"):
        scene.asg("CancelInstanceRefresh", AutoScalingGroupName="web")


def test_a_suspended_refresh_waits() -> None:
    scene = Scene()
    scene.group(desired=2)
    before = scene.members()
    scene.asg("SuspendProcesses", AutoScalingGroupName="web", ScalingProcesses=["InstanceRefresh"])
    refresh(scene)
    scene.wait(600)
    assert scene.members() == before
    scene.asg("ResumeProcesses", AutoScalingGroupName="web", ScalingProcesses=["InstanceRefresh"])
    scene.wait(900)
    assert not set(before) & set(scene.members())


def test_a_refresh_skips_what_already_matches() -> None:
    scene = Scene()
    scene.group(desired=2)
    before = scene.members()
    refresh(scene, SkipMatching=True)
    scene.wait(60)
    assert refreshes(scene)[0]["Status"] == "Successful"
    assert scene.members() == before
