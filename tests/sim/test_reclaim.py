"""Spot capacity is taken back: recommendations, two minutes' warning, and the end."""

import pytest

from spotward.sim.shocks import PoolShock
from tests.sim.scene import START, Scene

WARNING = "EC2 Spot Instance Interruption Warning"
RECOMMENDATION = "EC2 Instance Rebalance Recommendation"


def test_a_pool_that_shrinks_warns_its_surplus_two_minutes_ahead() -> None:
    scene = Scene(PoolShock(at_seconds=600, pool="m5.large/us-east-1a", spot_capacity=2))
    ids = scene.run(5, spot=True)
    others = scene.run(2, spot=True, SubnetId="subnet-b")
    scene.events()
    scene.wait(600)
    warnings = scene.events(WARNING)
    victims = [event["detail"]["instance-id"] for event in warnings]
    assert len(victims) == 3
    assert set(victims) < set(ids)
    assert warnings[0]["time"] == "2026-05-28T20:36:40Z"
    assert warnings[0]["source"] == "aws.ec2"
    assert warnings[0]["resources"] == [f"arn:aws:ec2:us-east-1a:instance/{victims[0]}"]
    assert warnings[0]["detail"] == {"instance-id": victims[0], "instance-action": "terminate"}
    assert {scene.state(one) for one in victims} <= {"shutting-down", "terminated"}
    assert {scene.state(one) for one in {*ids, *others} - set(victims)} == {"running"}


def test_the_instance_runs_until_its_two_minutes_are_over() -> None:
    scene = Scene()
    (one,) = scene.run(spot=True)
    assert scene.cloud.interrupt([one]) == [one]
    scene.wait(119)
    assert scene.state(one) == "running"
    scene.wait(1)
    assert scene.state(one) == "shutting-down"
    assert scene.instance(one)["StateReason"] == {
        "Code": "Server.SpotInstanceTermination",
        "Message": "Server.SpotInstanceTermination: Spot instance termination",
    }
    assert scene.instance(one)["StateTransitionReason"].startswith("Service initiated (2026-05-28 ")


def test_nobody_is_warned_twice_and_on_demand_never() -> None:
    scene = Scene()
    (spot,), (other,) = scene.run(spot=True), scene.run()
    assert scene.cloud.interrupt([spot, other, "i-unknown"]) == [spot]
    assert scene.cloud.interrupt([spot]) == []
    assert len(scene.events(WARNING)) == 1


def test_a_shock_at_run_time_acts_when_the_pools_are_asked_again() -> None:
    scene = Scene()
    scene.run(3, spot=True)
    scene.shock("m5.large/*", spot_capacity=1)
    assert len(scene.events(WARNING)) == 2


def test_the_warned_still_hold_their_places_for_the_newcomers() -> None:
    scene = Scene()
    scene.run(3, spot=True)
    scene.shock("m5.large/us-east-1a", spot_capacity=2)
    assert scene.fleet(1, {"InstanceType": "m5.large", "SubnetId": "subnet-a"})["Instances"] == []


def test_a_pool_at_risk_recommends_to_each_instance_once() -> None:
    scene = Scene()
    ids = scene.run(3, spot=True)
    scene.shock("m5.large/us-east-1a", rebalance=True)
    scene.wait(61)
    events = scene.events(RECOMMENDATION)
    assert sorted(event["detail"]["instance-id"] for event in events) == sorted(ids)
    assert events[0]["detail"] == {"instance-id": events[0]["detail"]["instance-id"]}
    scene.shock("m5.large/us-east-1a", rebalance=False)
    scene.shock("m5.large/us-east-1a", rebalance=True)
    scene.wait(300)
    assert scene.events(RECOMMENDATION) == []


def test_an_instance_born_into_a_pool_at_risk_hears_of_it() -> None:
    scene = Scene(PoolShock(at_seconds=0, pool="m5.large/*", rebalance=True))
    (one,) = scene.run(spot=True)
    scene.wait(61)
    assert [event["detail"]["instance-id"] for event in scene.events(RECOMMENDATION)] == [one]


def test_a_price_above_the_limit_takes_the_instance() -> None:
    scene = Scene()
    scene.prices.fixed[("m5.large", "us-east-1a")] = 0.03
    scene.prices.steps[("m5.large", "us-east-1a")] = [(START + 1000, 0.06)]
    options = {"MarketType": "spot", "SpotOptions": {"MaxPrice": "0.05"}}
    (limited,) = scene.run(InstanceMarketOptions=options)
    (free,) = scene.run(spot=True)
    scene.wait(1200)
    assert (scene.state(limited), scene.state(free)) == ("terminated", "running")


@pytest.mark.parametrize(("pool", "count", "taken"), [("m5.large/us-east-1a", None, 3), ("*", 2, 2), ("c5.*", None, 0)])
def test_a_scenario_interrupts_by_pool(pool: str, count: int | None, taken: int) -> None:
    scene = Scene()
    scene.run(3, spot=True)
    assert len(scene.cloud.interrupt_pool(pool=pool, count=count)) == taken


def test_a_scenario_interrupts_by_group() -> None:
    scene = Scene()
    (mine,), _ = scene.run(spot=True), scene.run(spot=True)
    scene.group(desired=1)
    scene.asg("AttachInstances", AutoScalingGroupName="web", InstanceIds=[mine])
    assert scene.cloud.interrupt_pool(group="w*") == [mine]
