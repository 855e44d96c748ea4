"""One seed, one history; and what a region of ten thousand costs."""

import json
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotward.sim.shocks import PoolShock
from tests.sim.scene import Scene


def busy_hour(seed: int, *, step_seconds: float = 3600.0) -> str:
    """Everything that can be seen of an hour in which much happens, as text."""
    scene = Scene(
        PoolShock(at_seconds=900, pool="*/us-east-1a", spot_capacity=1),
        PoolShock(at_seconds=1500, pool="*/us-east-1b", rebalance=True),
        seed=seed,
    )
    scene.group(desired=4)
    name = scene.template("spot", InstanceMarketOptions={"MarketType": "spot"})
    scene.group("spot", desired=6, LaunchTemplate={"LaunchTemplateId": name}, CapacityRebalance=True)
    answer = scene.fleet(4, *({"InstanceType": kind, "SubnetId": "subnet-a"} for kind in ("m5.large", "c5.large")))
    until = scene.time + 3600
    while scene.time < until:
        scene.wait(min(step_seconds, until - scene.time))
    seen: list[Any] = [answer, scene.events(), scene.shown("web"), scene.shown("spot"), scene.instances()]
    return json.dumps(seen, default=str, sort_keys=True)


def test_the_same_seed_and_calls_give_the_same_history() -> None:
    assert busy_hour(3) == busy_hour(3)
    assert busy_hour(3) != busy_hour(4)


def test_how_often_time_is_told_does_not_matter() -> None:
    assert busy_hour(3, step_seconds=0.7) == busy_hour(3)


@settings(deadline=None)
@given(st.lists(st.floats(0, 5000), max_size=20))
def test_going_back_in_time_does_nothing(times: list[float]) -> None:
    scene = Scene()
    scene.run(2)
    for offset in times:
        before = scene.cloud.now
        scene.cloud.advance(scene.time + offset)
        assert scene.cloud.now == max(before, scene.time + offset)


def test_the_next_time_is_when_something_happens() -> None:
    scene = Scene()
    assert scene.cloud.next_time() is None
    scene.ec2("RunInstances", ImageId="ami-0123456789abcdef0", InstanceType="m5.large", MinCount=1, MaxCount=1)
    scene.events()
    due = scene.cloud.next_time()
    assert due is not None
    scene.cloud.advance(due - 0.001)
    assert scene.events() == []
    scene.cloud.advance(due)
    assert [event["detail"]["state"] for event in scene.events()] == ["running"]


@pytest.mark.slow
def test_a_region_of_ten_thousand_members_answers_in_moments() -> None:
    scene = Scene()
    name = scene.template()
    for number in range(500):
        scene.group(f"g{number:03d}", desired=0, MaxSize=40, LaunchTemplate={"LaunchTemplateId": name})
    for number in range(500):
        scene.asg("SetDesiredCapacity", AutoScalingGroupName=f"g{number:03d}", DesiredCapacity=20)
    scene.wait(120)

    def pages(operation: str, size: dict[str, int]) -> float:
        began, params = perf_counter(), dict[str, Any](size)
        while True:
            answer = scene.cloud.call(operation, params, time=scene.time)
            if "NextToken" not in answer:
                return perf_counter() - began
            params["NextToken"] = answer["NextToken"]

    assert len(scene.instances()) == 10_000
    assert pages("ec2.DescribeInstances", {"MaxResults": 1000}) < 1.0
    assert pages("autoscaling.DescribeAutoScalingGroups", {"MaxRecords": 100}) < 1.0
    began = perf_counter()
    for number in range(100):
        scene.instances(("tag:aws:autoscaling:groupName", [f"g{number:03d}"]))
    assert perf_counter() - began < 1.0
    began = perf_counter()
    scene.wait(3600)
    assert perf_counter() - began < 0.5
