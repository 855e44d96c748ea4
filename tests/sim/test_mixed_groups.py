"""Groups with a mixed-instances policy: how much is on-demand, where the Spot comes from, and what is not done."""

from collections import Counter
from typing import Any

import pytest

from spotward.sim.errors import ApiError
from spotward.sim.purchasing import on_demand_wanted
from spotward.sim.shocks import PoolShock
from tests.sim.scene import Scene


def mixed(scene: Scene, desired: int, *types: str, **distribution: Any) -> None:
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateId": scene.template(), "Version": "$Latest"},
            "Overrides": [{"InstanceType": name} for name in types],
        },
        "InstancesDistribution": distribution,
    }
    scene.group(desired=desired, MixedInstancesPolicy=policy)


def bought(scene: Scene) -> Counter[tuple[str, str]]:
    shown = [scene.instance(one) for one in scene.members()]
    return Counter((one.get("InstanceLifecycle", "on-demand"), one["InstanceType"]) for one in shown)


@pytest.mark.parametrize(
    ("capacity", "base", "percentage", "wanted"),
    [(10, 0, 100, 10), (10, 0, 0, 0), (10, 2, 0, 2), (10, 2, 50, 6), (10, 2, 25, 4), (3, 5, 0, 3), (0, 2, 50, 0)],
)
def test_on_demand_is_the_base_and_a_percentage_above_it_rounded_up(
    capacity: int, base: int, percentage: int, wanted: int
) -> None:
    distribution = {"OnDemandBaseCapacity": base, "OnDemandPercentageAboveBaseCapacity": percentage}
    assert on_demand_wanted(capacity, distribution) == wanted


def test_a_mixed_group_buys_its_base_on_demand_and_the_rest_as_spot() -> None:
    scene = Scene()
    mixed(
        scene,
        6,
        "m6i.large",
        "c5.large",
        OnDemandBaseCapacity=1,
        OnDemandPercentageAboveBaseCapacity=20,
        SpotAllocationStrategy="price-capacity-optimized",
    )
    # On-demand by priority, Spot by price among pools that are all as deep.
    assert bought(scene) == {("on-demand", "m6i.large"): 2, ("spot", "c5.large"): 4}


def test_an_unset_percentage_means_that_everything_is_on_demand() -> None:
    scene = Scene()
    mixed(scene, 2, "m6i.large")
    assert bought(scene) == {("on-demand", "m6i.large"): 2}
    shown = scene.shown()["MixedInstancesPolicy"]["InstancesDistribution"]
    assert shown["OnDemandPercentageAboveBaseCapacity"] == 100
    assert shown["SpotAllocationStrategy"] == "lowest-price"


def test_without_spot_capacity_the_group_waits_and_buys_no_on_demand() -> None:
    scene = Scene(PoolShock(at_seconds=0, until_seconds=600, pool="*", spot_capacity=0))
    mixed(scene, 2, "m6i.large", "c5.large", OnDemandBaseCapacity=1, OnDemandPercentageAboveBaseCapacity=0)
    assert bought(scene) == {("on-demand", "m6i.large"): 1}
    failed = scene.events("EC2 Instance Launch Unsuccessful")
    assert failed[0]["detail"]["StatusMessage"] == (
        "Could not launch Spot Instances. InsufficientInstanceCapacity - There is no Spot capacity available that "
        "matches your request. Launching EC2 instance failed."
    )
    scene.wait(1200)
    assert bought(scene).total() == 2


def test_scaling_in_gives_up_the_market_that_the_group_has_too_much_of() -> None:
    scene = Scene()
    mixed(scene, 4, "c5.large", OnDemandBaseCapacity=1, OnDemandPercentageAboveBaseCapacity=0)
    scene.asg("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=2)
    scene.wait(120)
    assert bought(scene) == {("on-demand", "c5.large"): 1, ("spot", "c5.large"): 1}


def test_a_template_that_asks_for_spot_itself_does_not_go_with_a_policy() -> None:
    scene = Scene()
    name = scene.template(InstanceMarketOptions={"MarketType": "spot"})
    policy = {"LaunchTemplate": {"LaunchTemplateSpecification": {"LaunchTemplateId": name}}}
    with pytest.raises(ApiError, match="Incompatible launch template"):
        scene.group(MixedInstancesPolicy=policy)


def test_a_policy_of_unknown_strategy_is_refused() -> None:
    with pytest.raises(ApiError, match="Invalid SpotAllocationStrategy: diversified"):
        mixed(Scene(), 1, "c5.large", SpotAllocationStrategy="diversified")
