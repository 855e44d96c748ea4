"""Instant fleets: where the instances come from, and what the answer says of the pools that gave none."""

from collections import Counter
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotward.sim.errors import ApiError
from spotward.sim.shocks import PoolShock, QuotaShock
from tests.sim.scene import Scene

LARGE = ("m5.large", "m6i.large", "m5a.large", "c5.large")


def spots(*types: str, subnet: str = "subnet-a") -> list[dict[str, Any]]:
    return [{"InstanceType": name, "SubnetId": subnet} for name in types]


def launched(answer: dict[str, Any]) -> Counter[str]:
    return Counter({one["InstanceType"]: len(one["InstanceIds"]) for one in answer["Instances"]})


def errors(answer: dict[str, Any]) -> dict[str, str]:
    """Instance type -> the code of its error."""
    return {
        one["LaunchTemplateAndOverrides"]["Overrides"]["InstanceType"]: one["ErrorCode"] for one in answer["Errors"]
    }


def test_a_fleet_launches_what_was_asked_and_tags_it() -> None:
    scene = Scene()
    tags = [
        {"ResourceType": "instance", "Tags": [{"Key": "spotward:key", "Value": "web/1"}]},
        {"ResourceType": "volume", "Tags": [{"Key": "disk", "Value": "root"}]},
        {"ResourceType": "fleet", "Tags": [{"Key": "who", "Value": "us"}]},
    ]
    answer = scene.fleet(2, *spots("m5.large"), TagSpecifications=tags)
    assert answer["Errors"] == []
    (batch,) = answer["Instances"]
    assert (batch["Lifecycle"], batch["InstanceType"], len(batch["InstanceIds"])) == ("spot", "m5.large", 2)
    assert batch["LaunchTemplateAndOverrides"]["Overrides"] == {"InstanceType": "m5.large", "SubnetId": "subnet-a"}
    shown = scene.instance(batch["InstanceIds"][0])
    tagged = {tag["Key"]: tag["Value"] for tag in shown["Tags"]}
    assert tagged["spotward:key"] == "web/1"
    assert tagged["aws:ec2:fleet-id"] == answer["FleetId"]
    assert tagged["aws:ec2launchtemplate:version"] == "1"
    fleet = scene.ec2("DescribeFleets", FleetIds=[answer["FleetId"]])["Fleets"][0]
    assert (fleet["FleetState"], fleet["FulfilledCapacity"], fleet["Type"]) == ("active", 2.0, "instant")
    assert fleet["Tags"] == [{"Key": "who", "Value": "us"}]


def test_the_same_token_gives_the_same_answer_even_an_empty_one() -> None:
    scene = Scene(PoolShock(at_seconds=0, until_seconds=60, pool="m5.large/*", spot_capacity=0))
    template = scene.template()
    first = scene.fleet(1, *spots("m5.large"), template=template, ClientToken="t")
    assert first["Instances"] == []
    scene.wait(120)
    assert scene.fleet(1, *spots("m5.large"), template=template, ClientToken="t") == first
    assert scene.instances() == []
    assert launched(scene.fleet(1, *spots("m5.large"), template=template, ClientToken="t2")) == {"m5.large": 1}


def test_the_same_token_with_other_parameters_is_refused() -> None:
    scene = Scene()
    template = scene.template()
    scene.fleet(1, *spots("m5.large"), template=template, ClientToken="t")
    with pytest.raises(ApiError, match="IdempotentParameterMismatch"):
        scene.fleet(2, *spots("m5.large"), template=template, ClientToken="t")


def test_price_capacity_optimized_takes_the_cheapest_of_the_deep_pools() -> None:
    scene = Scene(
        PoolShock(at_seconds=0, pool="m5.large/*", spot_capacity=2000),
        PoolShock(at_seconds=0, pool="m6i.large/*", spot_capacity=2000),
        PoolShock(at_seconds=0, pool="c5.large/*", spot_capacity=1),
    )
    scene.prices.fixed |= {("m5.large", "us-east-1a"): 0.04, ("m6i.large", "us-east-1a"): 0.03}
    scene.prices.fixed[("c5.large", "us-east-1a")] = 0.001
    assert launched(scene.fleet(3, *spots("m5.large", "m6i.large", "c5.large"))) == {"m6i.large": 3}


@pytest.mark.parametrize("order", list(permutations(("m5.large", "m6i.large", "c5.large"))))
def test_the_order_of_overrides_does_not_matter_to_price_capacity_optimized(order: tuple[str, ...]) -> None:
    overrides = [{**one, "Priority": float(place)} for place, one in enumerate(spots(*order))]
    assert launched(Scene().fleet(5, *overrides)) == launched(Scene().fleet(5, *spots(*sorted(order))))


def test_lowest_price_takes_the_cheapest_pool_and_the_next_when_that_is_empty() -> None:
    scene = Scene(PoolShock(at_seconds=0, pool="c5.large/*", spot_capacity=2))
    options = {"AllocationStrategy": "lowest-price"}
    assert launched(scene.fleet(3, *spots("m6i.large", "c5.large"), SpotOptions=options)) == {
        "c5.large": 2,
        "m6i.large": 1,
    }


def test_lowest_price_spreads_over_as_many_pools_as_it_is_told() -> None:
    options = {"AllocationStrategy": "lowest-price", "InstancePoolsToUseCount": 2}
    given = launched(Scene().fleet(4, *spots("c5.large", "m5.large", "m6i.large"), SpotOptions=options))
    assert given == {"c5.large": 2, "m5.large": 2}


def test_capacity_optimized_takes_the_deepest_pool_whatever_its_price() -> None:
    scene = Scene(PoolShock(at_seconds=0, pool="m6i.large/*", spot_capacity=5000))
    scene.prices.fixed[("m6i.large", "us-east-1a")] = 0.09
    options = {"AllocationStrategy": "capacity-optimized"}
    assert launched(scene.fleet(3, *spots("c5.large", "m6i.large"), SpotOptions=options)) == {"m6i.large": 3}


def test_capacity_optimized_prioritized_honours_the_priority_among_pools_as_deep() -> None:
    overrides = [
        {"InstanceType": "c5.large", "SubnetId": "subnet-a", "Priority": 2.0},
        {"InstanceType": "m6i.large", "SubnetId": "subnet-a", "Priority": 1.0},
    ]
    options = {"AllocationStrategy": "capacity-optimized-prioritized"}
    assert launched(Scene().fleet(2, *overrides, SpotOptions=options)) == {"m6i.large": 2}


def test_diversified_spreads_evenly() -> None:
    options = {"AllocationStrategy": "diversified"}
    given = launched(Scene().fleet(6, *spots("c5.large", "m5.large", "m6i.large"), SpotOptions=options))
    assert given == {"c5.large": 2, "m5.large": 2, "m6i.large": 2}


def test_an_unfilled_fleet_says_why_of_every_pool() -> None:
    scene = Scene(
        PoolShock(at_seconds=0, pool="m5.large/*", spot_capacity=1),
        PoolShock(at_seconds=0, pool="c5.large/*", spot_capacity=0),
    )
    overrides = [*spots("m5.large", "c5.large"), {"InstanceType": "m5a.large", "SubnetId": "subnet-c"}]
    overrides += [{"InstanceType": "m6i.large", "SubnetId": "subnet-a", "MaxPrice": "0.0001"}]
    answer = scene.fleet(3, *overrides)
    assert launched(answer) == {"m5.large": 1}
    assert errors(answer) == {
        "m5.large": "InsufficientInstanceCapacity",
        "c5.large": "InsufficientInstanceCapacity",
        "m5a.large": "InvalidFleetConfiguration",
        "m6i.large": "SpotMaxPriceTooLow",
    }


def test_a_fleet_beyond_the_quota_says_so() -> None:
    scene = Scene(QuotaShock(at_seconds=0, spot_vcpu_quota=6))
    answer = scene.fleet(5, *spots("m5.large", "m6i.large"))
    assert launched(answer).total() == 3
    assert set(errors(answer).values()) == {"MaxSpotInstanceCountExceeded"}


def test_a_subnet_that_is_gone_spoils_its_own_override_only() -> None:
    answer = Scene().fleet(1, *spots("m5.large", subnet="subnet-gone"), *spots("m5.large"))
    assert launched(answer) == {"m5.large": 1}
    assert errors(answer) == {"m5.large": "InvalidSubnetID.NotFound"}


def test_without_a_place_every_zones_default_subnet_is_tried() -> None:
    scene = Scene(PoolShock(at_seconds=0, pool="m5.large/us-east-1[ab]", spot_capacity=0))
    answer = scene.fleet(1, {"InstanceType": "m5.large"})
    (one,) = answer["Instances"][0]["InstanceIds"]
    assert scene.instance(one)["Placement"]["AvailabilityZone"] == "us-east-1c"


def test_a_fleet_splits_its_target_between_the_markets() -> None:
    target = {
        "TotalTargetCapacity": 5,
        "OnDemandTargetCapacity": 1,
        "SpotTargetCapacity": 2,
        "DefaultTargetCapacityType": "on-demand",
    }
    answer = Scene().fleet(5, *spots("m5.large"), TargetCapacitySpecification=target)
    assert {one["Lifecycle"]: len(one["InstanceIds"]) for one in answer["Instances"]} == {"on-demand": 3, "spot": 2}


def test_on_demand_follows_price_or_priority() -> None:
    target = {"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "on-demand"}
    overrides = [
        {"InstanceType": "m5.xlarge", "SubnetId": "subnet-a", "Priority": 1.0},
        {"InstanceType": "m5.large", "SubnetId": "subnet-a", "Priority": 2.0},
    ]
    cheap = Scene().fleet(1, *overrides, TargetCapacitySpecification=target)
    first = Scene().fleet(
        1, *overrides, TargetCapacitySpecification=target, OnDemandOptions={"AllocationStrategy": "prioritized"}
    )
    assert (launched(cheap), launched(first)) == ({"m5.large": 1}, {"m5.xlarge": 1})


def test_a_single_instance_type_is_kept_though_two_would_be_cheaper() -> None:
    scene = Scene(PoolShock(at_seconds=0, pool="c5.large/*", spot_capacity=2))
    options = {"AllocationStrategy": "lowest-price", "SingleInstanceType": True}
    assert launched(scene.fleet(3, *spots("c5.large", "m6i.large"), SpotOptions=options)) == {"m6i.large": 3}


def test_less_than_the_minimum_target_is_nothing_at_all() -> None:
    scene = Scene(PoolShock(at_seconds=0, pool="*", spot_capacity=2))
    options = {"AllocationStrategy": "lowest-price", "SingleInstanceType": True, "MinTargetCapacity": 3}
    answer = scene.fleet(3, *spots("c5.large", "m5.large"), SpotOptions=options)
    assert answer["Instances"] == []
    assert set(errors(answer).values()) == {"UnfulfillableCapacity"}
    assert scene.instances() == []


def test_weights_count_towards_the_target() -> None:
    overrides = [{"InstanceType": "m5.xlarge", "SubnetId": "subnet-a", "WeightedCapacity": 2.0}]
    assert launched(Scene().fleet(4, *overrides)) == {"m5.xlarge": 2}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Type": "maintain"}, "UnsupportedOperation"),
        ({"SpotOptions": {"AllocationStrategy": "cheapest"}}, "InvalidParameterValue"),
        ({"SpotOptions": {"MinTargetCapacity": 1}}, "InvalidParameterCombination"),
        ({"template": "lt-gone"}, "InvalidLaunchTemplateId.NotFound"),
        (
            {"TargetCapacitySpecification": {"TotalTargetCapacity": 1, "SpotTargetCapacity": 2}},
            "InvalidTargetCapacitySpecification",
        ),
    ],
)
def test_what_no_fleet_can_be_is_refused_outright(change: dict[str, Any], code: str) -> None:
    scene = Scene()
    with pytest.raises(ApiError) as error:
        scene.fleet(1, *spots("m5.large"), **change)
    assert error.value.code == code


def test_an_instant_fleet_shows_only_when_asked_for_and_is_deleted_with_its_instances() -> None:
    scene = Scene()
    fleet = scene.fleet(1, *spots("m5.large"))["FleetId"]
    assert scene.ec2("DescribeFleets")["Fleets"] == []
    kept = scene.ec2("DeleteFleets", FleetIds=[fleet], TerminateInstances=False)
    assert kept["UnsuccessfulFleetDeletions"][0]["Error"]["Code"] == "unexpectedError"
    gone = scene.ec2("DeleteFleets", FleetIds=[fleet], TerminateInstances=True)
    assert gone["SuccessfulFleetDeletions"][0]["CurrentFleetState"] == "deleted_terminating"
    scene.wait(60)
    assert scene.ec2("DescribeFleets", FleetIds=[fleet])["Fleets"][0]["FleetState"] == "deleted"


@settings(deadline=None)
@given(
    rooms=st.lists(st.integers(0, 6), min_size=4, max_size=4),
    count=st.integers(1, 20),
    strategy=st.sampled_from(["price-capacity-optimized", "capacity-optimized", "lowest-price", "diversified"]),
    quota=st.integers(0, 60),
)
def test_no_pool_gives_more_than_it_has_and_nothing_is_withheld(
    rooms: list[int], count: int, strategy: str, quota: int
) -> None:
    shocks = [
        PoolShock(at_seconds=0, pool=f"{name}/*", spot_capacity=room) for name, room in zip(LARGE, rooms, strict=True)
    ]
    scene = Scene(*shocks, QuotaShock(at_seconds=0, spot_vcpu_quota=quota))
    answer = scene.fleet(count, *spots(*LARGE), SpotOptions={"AllocationStrategy": strategy})
    given_ = launched(answer)
    assert all(given_[name] <= room for name, room in zip(LARGE, rooms, strict=True))
    assert given_.total() == min(count, sum(rooms), quota // 2)
    assert bool(answer["Errors"]) == (given_.total() < count)
