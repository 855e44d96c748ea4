"""What is asked of CreateFleet, and how its answer is read."""

from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from spotward.aws.fleet import (
    OVERRIDES_MAX,
    TOKEN_LENGTH,
    client_token,
    fleet_answered,
    fleet_request,
    refused_for_capacity,
)
from spotward.model.cloud import Lifecycle, Pool
from spotward.model.errors import Permanent, Transient
from spotward.model.event import LaunchedInstance, PoolFailure
from tests.aws.deeds import fleet

TEMPLATE = {"LaunchTemplateId": "lt-0123456789abcdef0", "Version": "3"}
M5A, M5B = Pool(instance_type="m5.large", az="us-east-1a"), Pool(instance_type="m5.large", az="us-east-1b")


def overrides(request: dict[str, Any]) -> list[dict[str, str]]:
    (config,) = request["LaunchTemplateConfigs"]
    found: list[dict[str, str]] = config["Overrides"]
    return found


def test_the_request_says_what_the_wish_says_in_the_words_of_the_api() -> None:
    request = fleet_request(fleet(), TEMPLATE)
    assert request == {
        "Type": "instant",
        "ClientToken": client_token(fleet()),
        "TargetCapacitySpecification": {"TotalTargetCapacity": 2, "DefaultTargetCapacityType": "spot"},
        "SpotOptions": {"AllocationStrategy": "price-capacity-optimized"},
        "LaunchTemplateConfigs": [
            {
                "LaunchTemplateSpecification": TEMPLATE,
                "Overrides": [
                    {"InstanceType": "m5.large", "SubnetId": "subnet-a", "MaxPrice": "0.096"},
                    {"InstanceType": "m5a.large", "SubnetId": "subnet-a", "MaxPrice": "0.096"},
                ],
            }
        ],
        "TagSpecifications": [
            {
                "ResourceType": "instance",
                "Tags": [
                    {"Key": "spotward:launch", "Value": "swap us-east-1/web saving 1 us-east-1a 1"},
                    {"Key": "spotward:stands-for", "Value": "m5.large"},
                    {"Key": "team", "Value": "blue"},
                ],
            }
        ],
    }


def test_every_request_is_valid_by_the_service_model() -> None:
    shape = botocore.session.get_session().get_service_model("ec2").operation_model("CreateFleet").input_shape
    assert shape is not None
    for action in (
        fleet(),
        fleet(lifecycle=Lifecycle.ON_DEMAND),
        fleet(subnets=()),
        fleet(price_max_usd_per_hour=None),
    ):
        report = ParamValidator().validate(fleet_request(action, TEMPLATE), shape)
        assert not report.has_errors(), report.generate_report()


@given(key=st.text(min_size=1, max_size=256), attempt=st.integers(1, 9))
def test_one_wish_and_attempt_is_one_token_however_often_it_is_asked(key: str, attempt: int) -> None:
    action = fleet(key=key, attempt=attempt)
    assert client_token(action) == client_token(replace(action)) != client_token(replace(action, attempt=attempt + 1))
    assert len(client_token(action)) <= TOKEN_LENGTH
    assert client_token(action).isascii()
    assert fleet_request(action, TEMPLATE) == fleet_request(replace(action), TEMPLATE)


def test_on_demand_is_asked_for_by_lowest_price_and_without_a_ceiling() -> None:
    request = fleet_request(fleet(lifecycle=Lifecycle.ON_DEMAND), TEMPLATE)
    assert request["OnDemandOptions"] == {"AllocationStrategy": "lowest-price"}
    assert request["TargetCapacitySpecification"]["DefaultTargetCapacityType"] == "on-demand"
    assert "SpotOptions" not in request
    assert all("MaxPrice" not in override for override in overrides(request))


def test_every_subnet_of_a_zone_is_offered_and_no_other() -> None:
    action = fleet(
        pools=(M5A, M5B),
        subnets=(("us-east-1a", "subnet-1"), ("us-east-1a", "subnet-2"), ("us-east-1c", "subnet-3")),
    )
    assert [o["SubnetId"] for o in overrides(fleet_request(action, TEMPLATE))] == ["subnet-1", "subnet-2"]


def test_a_group_without_subnets_is_launched_by_zone() -> None:
    assert [o.get("AvailabilityZone") for o in overrides(fleet_request(fleet(subnets=()), TEMPLATE))] == [
        "us-east-1a",
        "us-east-1a",
    ]


def test_zones_in_which_the_group_has_no_subnet_are_an_error_that_names_them() -> None:
    with pytest.raises(Permanent, match="us-east-1/web has no subnet in us-east-1c; add one to the group"):
        fleet_request(fleet(pools=(Pool(instance_type="m5.large", az="us-east-1c"),)), TEMPLATE)


def test_the_best_three_hundred_are_offered() -> None:
    pools = tuple(Pool(instance_type=f"m{n}.large", az="us-east-1a") for n in range(400))
    offered = overrides(fleet_request(fleet(pools=pools), TEMPLATE))
    assert [o["InstanceType"] for o in offered] == [p.instance_type for p in pools[:OVERRIDES_MAX]]


@pytest.mark.parametrize(
    ("price", "text"), [(0.096, "0.096"), (12.0, "12"), (0.1234567, "0.123457"), (1e-6, "0.000001")]
)
def test_a_price_is_written_as_ec2_reads_it(price: float, text: str) -> None:
    assert overrides(fleet_request(fleet(price_max_usd_per_hour=price), TEMPLATE))[0]["MaxPrice"] == text


def test_tags_of_aws_itself_are_left_out_for_they_would_be_refused() -> None:
    request = fleet_request(fleet(tags=(("aws:cloudformation:stack-name", "s"), ("team", "blue"))), TEMPLATE)
    assert [tag["Key"] for tag in request["TagSpecifications"][0]["Tags"]] == ["spotward:launch", "team"]


# ---- the answer ------------------------------------------------------------------------------------------------------


def test_instances_are_read_with_type_zone_and_lifecycle_from_old_and_new_answers() -> None:
    answer = {
        "Instances": [
            {
                "InstanceIds": ["i-1", "i-2"],
                "InstanceType": "m5a.large",
                "Lifecycle": "spot",
                "LaunchTemplateAndOverrides": {"Overrides": {"InstanceType": "m5a.large", "SubnetId": "subnet-a"}},
            },
            {"InstanceIds": ["i-3"], "InstanceType": "m5.large", "AvailabilityZone": "us-east-1b", "Lifecycle": "spot"},
        ]
    }
    event = fleet_answered(fleet(count=3), answer, time=7.0)
    made = [("i-1", "m5a.large", "us-east-1a"), ("i-2", "m5a.large", "us-east-1a"), ("i-3", "m5.large", "us-east-1b")]
    assert event.instances == tuple(
        LaunchedInstance(id=i, instance_type=kind, az=az, lifecycle=Lifecycle.SPOT) for i, kind, az in made
    )
    assert (event.time, event.key, event.region, event.group_name) == (7.0, fleet().key, "us-east-1", "web")


def refusal(code: str, subnet: str = "subnet-a", message: str = "no") -> dict[str, Any]:
    return {
        "LaunchTemplateAndOverrides": {"Overrides": {"InstanceType": "m5.large", "SubnetId": subnet}},
        "Lifecycle": "spot",
        "ErrorCode": code,
        "ErrorMessage": message,
    }


def test_a_refusal_for_capacity_names_its_pool_once_however_many_subnets_it_has() -> None:
    action = fleet(subnets=(("us-east-1a", "subnet-a"), ("us-east-1a", "subnet-b")))
    both = [refusal("InsufficientInstanceCapacity"), refusal("InsufficientInstanceCapacity", "subnet-b")]
    event = fleet_answered(action, {"Errors": both}, time=7.0)
    assert event.instances == ()
    assert event.failures == (PoolFailure(pool=M5A, code="InsufficientInstanceCapacity", message="no"),)


def test_an_account_s_limit_blames_no_pool() -> None:
    event = fleet_answered(fleet(), {"Errors": [refusal("MaxSpotInstanceCountExceeded")]}, time=7.0)
    assert event.failures == (PoolFailure(pool=None, code="MaxSpotInstanceCountExceeded", message="no"),)


def test_a_type_that_its_zone_does_not_have_is_the_pool_s_own_trouble_whatever_the_code() -> None:
    words = "Your requested instance type (m5.large) is not supported in your requested Availability Zone (us-east-1a)."
    event = fleet_answered(fleet(), {"Errors": [refusal("InvalidFleetConfiguration", message=words)]}, time=7.0)
    assert [(f.pool, f.code) for f in event.failures] == [(M5A, "Unsupported")]


def test_what_no_pool_can_help_is_an_error_with_the_next_step() -> None:
    words = "You are not authorized to perform: iam:PassRole on resource: role/web. Encoded failure: abc"
    with pytest.raises(Permanent, match="add iam:PassRole to Spotward's policy"):
        fleet_answered(fleet(), {"Errors": [refusal("UnauthorizedOperation", message=words)]}, time=7.0)
    with pytest.raises(Permanent, match=r"ec2\.CreateFleet in us-east-1: InvalidAMIID\.NotFound: no"):
        fleet_answered(fleet(), {"Errors": [refusal("InvalidAMIID.NotFound")]}, time=7.0)


def test_trouble_that_passes_is_an_answer_because_the_same_request_would_get_the_same_empty_fleet() -> None:
    event = fleet_answered(fleet(), {"Errors": [refusal("RequestLimitExceeded")]}, time=7.0)
    assert [(f.pool, f.code) for f in event.failures] == [(None, "RequestLimitExceeded")]


def test_what_was_made_counts_whatever_else_was_refused() -> None:
    made = [{"InstanceIds": ["i-1"], "InstanceType": "m5.large", "AvailabilityZone": "us-east-1a", "Lifecycle": "spot"}]
    event = fleet_answered(fleet(), {"Instances": made, "Errors": [refusal("UnauthorizedOperation")]}, time=7.0)
    assert [each.id for each in event.instances] == ["i-1"]


def test_a_call_that_is_refused_for_capacity_is_an_answer_too() -> None:
    dry = refused_for_capacity(fleet(), Transient("none", code="InsufficientInstanceCapacity"), time=7.0)
    limit = refused_for_capacity(fleet(), Permanent("enough", code="MaxSpotInstanceCountExceeded"), time=7.0)
    assert dry is not None
    assert [failure.pool for failure in dry.failures] == list(fleet().pools)
    assert limit is not None
    assert [failure.pool for failure in limit.failures] == [None]
    assert refused_for_capacity(fleet(), Permanent("bad", code="InvalidParameterValue"), time=7.0) is None
