"""Rate limits and scripted failures: the buckets by themselves, and what a client sees of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.emulator.faults import Faults
from spotward.emulator.front import STAGE_ACCESS_KEY
from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.emulator.throttle import Throttles
from spotward.sim.shocks import Failure, Throttle
from tests.emulator.clients import Clients, refused

CLOUD = EmulatorSettings(speed=0.01)
"""So slow that no bucket is refilled between two calls, however busy the machine."""


def burst(service: str, operation: str, params: dict[str, Any] | None = None, *, time: float = 0.0) -> int:
    """How many calls at once are let through a full bucket."""
    throttles, admitted = Throttles(), 0
    while throttles.admit(service, operation, params or {}, time=time):
        admitted += 1
    return admitted


@pytest.mark.parametrize(
    ("service", "operation", "params", "calls"),
    [
        ("ec2", "DescribeVpcs", {}, 100),
        ("ec2", "DescribeInstances", {}, 50),
        ("ec2", "DescribeInstances", {"MaxResults": 1000}, 100),
        ("ec2", "DescribeInstances", {"InstanceIds": ["i-1"]}, 100),
        ("ec2", "CreateFleet", {}, 50),
        ("ec2", "RunInstances", {"MaxCount": 1}, 5),
        ("ec2", "RunInstances", {"MaxCount": 400}, 2),
        ("ec2", "TerminateInstances", {"InstanceIds": ["i"] * 500}, 2),
        ("ec2", "CreateTags", {}, 100),
        ("autoscaling", "DescribeAutoScalingGroups", {}, 100),
        ("autoscaling", "AttachInstances", {}, 50),
        ("elbv2", "DescribeTargetHealth", {}, 100),
    ],
)
def test_a_burst_is_as_large_as_aws_says(service: str, operation: str, params: dict[str, Any], calls: int) -> None:
    assert burst(service, operation, params) == calls


def test_ec2_has_a_bucket_for_each_action_and_auto_scaling_one_for_all_changes() -> None:
    throttles = Throttles()
    while throttles.admit("ec2", "CreateFleet", {}, time=0.0):
        pass
    assert throttles.admit("ec2", "CreateVpc", {}, time=0.0)
    while throttles.admit("autoscaling", "AttachInstances", {}, time=0.0):
        pass
    assert not throttles.admit("autoscaling", "SuspendProcesses", {}, time=0.0)
    assert throttles.admit("autoscaling", "DescribeTags", {}, time=0.0)


@given(gaps=st.lists(st.floats(0, 3), max_size=60))
def test_no_more_passes_than_the_bucket_holds_and_the_rate_refills(gaps: list[float]) -> None:
    throttles, time, admitted = Throttles(), 0.0, 0
    for gap in gaps:
        time += gap
        admitted += throttles.admit("ec2", "RunInstances", {}, time=time)
    assert admitted <= 5 + 2 * time


def test_a_refused_call_takes_no_tokens() -> None:
    throttles = Throttles()
    assert throttles.admit("ec2", "TerminateInstances", {"InstanceIds": ["i"] * 900}, time=0.0)
    assert not throttles.admit("ec2", "TerminateInstances", {"InstanceIds": ["i"] * 900}, time=0.0)
    assert throttles.admit("ec2", "TerminateInstances", {"InstanceIds": ["i"] * 100}, time=0.0)


def test_a_scripted_failure_happens_so_many_times_in_its_region_and_time() -> None:
    faults = Faults(region="us-east-1", start_time=1000.0)
    faults.add(Failure(at_seconds=10, operation="ec2.Create*", code="UnauthorizedOperation", times=2))
    faults.add(Throttle(at_seconds=50, until_seconds=60, operation="DescribeTags"))
    faults.add(Failure(at_seconds=0, region="eu-*", operation="*", code="Never"))
    assert faults.of("ec2", "CreateFleet", time=1009.0) is None
    for _ in range(2):
        failure = faults.of("ec2", "CreateFleet", time=1010.0)
        assert failure is not None
        assert (failure.code, failure.status) == ("UnauthorizedOperation", 403)
    assert faults.of("ec2", "CreateFleet", time=1010.0) is None
    throttled = faults.of("autoscaling", "DescribeTags", time=1055.0)
    assert throttled is not None
    assert throttled.code == "Throttling"
    assert faults.of("autoscaling", "DescribeTags", time=1060.0) is None


# ---- over HTTP ----


def test_who_asks_too_often_is_told_so_in_each_services_words(aws: Clients) -> None:
    with refused("RequestLimitExceeded", status=503):
        for _ in range(80):
            aws("ec2").describe_instances()
    with refused("Throttling", status=400):
        for _ in range(150):
            aws("autoscaling").describe_tags()


def test_botocore_retries_and_gets_through(aws: Clients, cloud: Emulator) -> None:
    ec2 = aws("ec2", attempts=10)
    now = cloud.clock.now() - cloud.clock.start
    cloud.sites.shock(Throttle(at_seconds=0, until_seconds=now + 0.01, operation="ec2.DescribeVpcs"))
    answer = ec2.describe_vpcs()
    assert answer["ResponseMetadata"]["RetryAttempts"] >= 1
    errors = cloud.calls.summary()["errors"]
    assert {"ec2.DescribeVpcs", "RequestLimitExceeded"} <= {one[key] for one in errors for key in ("operation", "code")}


def test_regions_have_buckets_of_their_own(aws: Clients) -> None:
    with refused("RequestLimitExceeded"):
        for _ in range(60):
            aws("ec2", "eu-west-2").describe_instances()
    aws("ec2", "eu-west-3").describe_instances()


def test_the_stage_hand_is_never_throttled(aws: Clients) -> None:
    for _ in range(120):
        aws("autoscaling", "ap-south-1", access_key=STAGE_ACCESS_KEY).describe_tags()


def test_throttling_can_be_switched_off(cloud: Emulator) -> None:
    cloud.stop()
    with Emulator(EmulatorSettings(throttling=False)) as patient:
        ec2 = Clients(patient.url)("ec2")
        for _ in range(120):
            ec2.describe_instances()
    cloud.start()
