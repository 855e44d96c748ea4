"""One seed, one history."""

import json
from typing import Any

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
