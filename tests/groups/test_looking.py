"""When a swap looks: each look is a call, and two where a load balancer is asked as well."""

from itertools import pairwise

import pytest

from spotward.groups.policy import GroupPolicy, GroupsPolicy
from spotward.model.action import AttachInstances, ObserveGroup
from spotward.model.cloud import Lifecycle
from tests.groups.stage import Stage
from tests.groups.toy_cloud import AZS, ToyCloud

AT_ONCE = GroupsPolicy(defaults=GroupPolicy(surge_percentage=100))
BALANCED = ("arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/web/1",)


def a_stage(lifecycle: Lifecycle = Lifecycle.ON_DEMAND, *, balanced: bool = True) -> Stage:
    cloud = ToyCloud(boot_seconds=lambda: 20.0, service_seconds=lambda: 10.0)
    kind = "m5.large" if lifecycle is Lifecycle.ON_DEMAND else "c5.large"
    members = [(kind, AZS[n], lifecycle) for n in range(3)]
    cloud.set_up("web", members=members, max_size=9, target_groups=BALANCED if balanced else ())
    return Stage(cloud, policy=AT_ONCE)


def looks_after_joining(stage: Stage) -> list[float]:
    """How long after the last members joined the group was looked at each time."""
    joined = max(time for time, asked in stage.asked if isinstance(asked.action, AttachInstances))
    looks = [time for time, a in stage.asked if isinstance(a.action, ObserveGroup) and a.action.health]
    return [time - joined for time in looks if time > joined]


def test_members_behind_a_load_balancer_are_not_looked_at_before_they_can_be_healthy() -> None:
    looks = looks_after_joining(a_stage().play(until=300.0))
    assert len(looks) == 1
    assert looks[0] == pytest.approx(AT_ONCE.health_look_seconds, abs=2.0)


def test_the_longer_health_checks_take_the_further_apart_are_the_looks() -> None:
    stage = a_stage()
    stage.cloud.groups["web"].unhealthy = {f"i-{number}" for number in range(100, 120)}
    stage.at(400.0, stage.cloud.groups["web"].unhealthy.clear)
    stage.play(until=900.0)
    looks = looks_after_joining(stage)
    gaps = [after - before for before, after in pairwise(looks)]
    assert gaps == sorted(gaps)
    assert 3 <= len(looks) <= 10
    assert not stage.world.swaps


def test_without_a_load_balancer_there_is_nothing_to_wait_for() -> None:
    stage = a_stage(balanced=False).play(until=300.0)
    joined = max(time for time, asked in stage.asked if isinstance(asked.action, AttachInstances))
    looks = [t for t, a in stage.asked if isinstance(a.action, ObserveGroup) and t > joined]
    assert looks[0] - joined <= 2 * AT_ONCE.look_seconds


def test_a_rescue_looks_at_once() -> None:
    stage = a_stage(Lifecycle.SPOT)
    stage.play(until=30.0)
    stage.notice(next(iter(stage.cloud.groups["web"].members)), 40.0)
    stage.play(until=300.0, from_time=60.0)
    assert looks_after_joining(stage)[0] <= 2 * AT_ONCE.look_seconds
