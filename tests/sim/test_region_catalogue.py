"""What the region sells: types, offerings, and Spot prices with their history."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spotward.sim.errors import ApiError
from tests.sim.scene import START, TYPES, ZONES, Scene

NOW = datetime.fromtimestamp(START, UTC)


def named(name: str, *values: str) -> dict[str, Any]:
    return {"Name": name, "Values": list(values)}


def types(**params: Any) -> list[str]:
    return [one["InstanceType"] for one in Scene().ec2("DescribeInstanceTypes", **params)["InstanceTypes"]]


def test_types_are_found_by_any_path_through_their_description() -> None:
    arm = named("processor-info.supported-architecture", "arm64")
    assert types(Filters=[arm]) == ["m6g.large"]
    assert types(Filters=[named("vcpu-info.default-vcpus", "4")]) == ["m5.xlarge"]
    assert types(Filters=[named("memory-info.size-in-mib", "4096")]) == ["c5.large"]
    assert types(Filters=[named("burstable-performance-supported", "true")]) == ["t3.large"]
    assert types(Filters=[named("supported-usage-class", "spot"), named("instance-type", "m6?.*")]) == [
        "m6g.large",
        "m6i.large",
    ]
    assert types(InstanceTypes=["t3.large", "c5.large"]) == ["c5.large", "t3.large"]


def test_a_type_that_does_not_exist_is_named() -> None:
    with pytest.raises(ApiError) as error:
        types(InstanceTypes=["m5.large", "m9.huge"])
    assert error.value.code == "InvalidInstanceType"
    assert error.value.message == "The following supplied instance types do not exist: [m9.huge]"


def test_a_filter_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(ApiError, match="The filter 'colour' is invalid"):
        types(Filters=[named("colour", "blue")])


def test_types_come_in_pages() -> None:
    scene = Scene()
    first = scene.ec2("DescribeInstanceTypes", MaxResults=5)
    rest = scene.ec2("DescribeInstanceTypes", MaxResults=5, NextToken=first["NextToken"])
    shown = [one["InstanceType"] for one in (*first["InstanceTypes"], *rest["InstanceTypes"])]
    assert shown == sorted(TYPES)
    assert "NextToken" not in rest


def test_offerings_tell_where_a_type_is_sold() -> None:
    scene = Scene()
    shown = scene.ec2(
        "DescribeInstanceTypeOfferings",
        LocationType="availability-zone",
        Filters=[named("instance-type", "m5a.*", "m5.large")],
    )["InstanceTypeOfferings"]
    assert [(one["InstanceType"], one["Location"]) for one in shown] == [
        *(("m5.large", zone) for zone in ZONES),
        *(("m5a.large", zone) for zone in ZONES[:2]),
    ]
    region = scene.ec2("DescribeInstanceTypeOfferings", Filters=[named("location", "us-east-1")])
    assert len(region["InstanceTypeOfferings"]) == len(TYPES)


def history(scene: Scene, **params: Any) -> list[tuple[str, str, str, float]]:
    shown = scene.ec2("DescribeSpotPriceHistory", **params)["SpotPriceHistory"]
    return [
        (one["InstanceType"], one["AvailabilityZone"], one["SpotPrice"], one["Timestamp"].timestamp() - START)
        for one in shown
    ]


def moving() -> Scene:
    scene = Scene()
    scene.prices.fixed[("m5.large", "us-east-1a")] = 0.03
    scene.prices.steps[("m5.large", "us-east-1a")] = [(START + 100, 0.04), (START + 5000, 0.05)]
    scene.wait(10_000)
    return scene


MINE = {"InstanceTypes": ["m5.large"], "AvailabilityZone": "us-east-1a", "ProductDescriptions": ["Linux/UNIX"]}


def test_now_means_the_price_in_force_with_its_own_earlier_time() -> None:
    scene = moving()
    shown = history(scene, **MINE, StartTime=NOW + timedelta(seconds=10_000))
    assert shown == [("m5.large", "us-east-1a", "0.050000", 5000.0)]


def test_a_span_begins_with_the_price_in_force_and_is_told_newest_first() -> None:
    scene = moving()
    span = {"StartTime": NOW + timedelta(seconds=50), "EndTime": NOW + timedelta(seconds=4999)}
    assert [one[2:] for one in history(scene, **MINE, **span)] == [("0.040000", 100.0), ("0.030000", -3600.0)]


def test_no_price_is_told_before_its_time() -> None:
    scene = Scene()
    scene.prices.steps[("m5.large", "us-east-1a")] = [(START + 100, 0.04)]
    far = NOW + timedelta(days=1)
    assert [one[3] for one in history(scene, **MINE, EndTime=far)] == [-3600.0]


def test_products_have_prices_of_their_own_and_the_old_names_are_understood() -> None:
    scene = Scene()
    mine = {**MINE, "StartTime": NOW}
    (linux,) = history(scene, **{**mine, "ProductDescriptions": ["Linux/UNIX (Amazon VPC)"]})
    (windows,) = history(scene, **{**mine, "ProductDescriptions": ["Windows"]})
    assert float(windows[2]) == pytest.approx(float(linux[2]) + 0.05)


def test_history_is_filtered_and_paged_without_loss() -> None:
    scene = moving()
    everything = scene.ec2("DescribeSpotPriceHistory")["SpotPriceHistory"]
    assert len(everything) == 4 * (len(TYPES) * 3 - 1) + 2 * 4
    seen: list[Any] = []
    params: dict[str, Any] = {"MaxResults": 7}
    while True:
        answer = scene.ec2("DescribeSpotPriceHistory", **params)
        seen += answer["SpotPriceHistory"]
        if "NextToken" not in answer:
            break
        scene.wait(1)
        params["NextToken"] = answer["NextToken"]
    assert seen == everything
    assert [one["Timestamp"] for one in seen] == sorted((one["Timestamp"] for one in seen), reverse=True)
    cheap = history(scene, Filters=[named("spot-price", "0.05????"), named("instance-type", "m5.large")])
    assert {one[2] for one in cheap} == {"0.050000"}


def test_placement_scores_follow_the_depth_of_the_pools() -> None:
    scene = Scene()
    scene.shock("m5.large/us-east-1a", spot_capacity=0)
    scene.shock("m5.large/us-east-1b", spot_capacity=10_000)
    shown = scene.ec2(
        "GetSpotPlacementScores", InstanceTypes=["m5.large"], TargetCapacity=1, SingleAvailabilityZone=True
    )["SpotPlacementScores"]
    assert [one["AvailabilityZoneId"] for one in shown] == ["us-east-1b", "us-east-1c", "us-east-1a"]
    assert (shown[0]["Score"], shown[-1]["Score"]) == (10, 1)


def test_a_page_of_prices_that_finds_nothing_ends_and_names_the_next() -> None:
    scene = Scene()
    asked: dict[str, Any] = {"Filters": [named("spot-price", "never")]}
    pages = 1
    while "NextToken" in (answer := scene.ec2("DescribeSpotPriceHistory", **asked)):
        assert answer["SpotPriceHistory"] == []
        asked["NextToken"] = answer["NextToken"]
        pages += 1
    assert 2 < pages <= 90


@pytest.mark.parametrize("place", ["[]", '["a"]', "[NaN, 1]", '[1.0, "", "", "", 2.0]', '[-2.0, "", "", "", 1.0]', "3"])
def test_a_price_token_of_another_call_is_refused(place: str) -> None:
    token = base64.urlsafe_b64encode(place.encode()).decode()
    with pytest.raises(ApiError, match="InvalidNextToken"):
        Scene().ec2("DescribeSpotPriceHistory", NextToken=token)
