"""A node is not empty before load balancers have let go of it: by what they say, and no longer than there is time."""

from collections.abc import Callable

import pytest

from spotward.model.cloud import Group, Member, group_id
from spotward.model.event import GroupObserved
from spotward.model.node_action import CompleteLifecycle, LookAtTargets
from spotward.model.node_event import TargetGroupsSeen
from spotward.nodes.policy import NodesPolicy
from tests.nodes.stage import Stage
from tests.nodes.toy_cluster import CLUSTER, REGION, a_cluster, a_pod

ARN = f"arn:aws:elasticloadbalancing:{REGION}:123456789012:targetgroup/k8s-shop-web/0123"
State = Callable[[float, str], str]


def drains(begin: float, end: float) -> State:
    """Healthy, then draining, and then no target any more."""
    return lambda time, _place: "healthy" if time < begin else "draining" if time < end else ""


def staged(state: State, *, managed: bool = True, policy: NodesPolicy | None = None) -> Stage:
    cluster = a_cluster(a_pod("web-1"), target_state=state)
    stage = Stage(cluster, policy=policy or NodesPolicy(cluster=CLUSTER), alone=True)
    stage.hear(TargetGroupsSeen(time=1.0, target_groups=(ARN,) if managed else ()))
    return stage


def emptied_at(stage: Stage) -> float:
    time = stage.incident().drained_time
    assert time is not None
    return time


def test_a_hook_waits_until_the_target_has_drained_and_not_a_fixed_time() -> None:
    stage = staged(drains(15.0, 100.0)).hook("i-1", 10.0).play(until=400.0)
    assert 100.0 <= emptied_at(stage) <= 106.0
    assert len(stage.of(CompleteLifecycle)) == 1
    assert stage.incident().trouble == ()
    assert 10 <= len(stage.of(LookAtTargets)) <= 20


def test_a_node_that_is_a_target_nowhere_costs_no_look() -> None:
    stage = staged(drains(15.0, 100.0), managed=False).notice("i-1", 10.0).play(until=60.0)
    assert stage.of(LookAtTargets) == []
    assert emptied_at(stage) < 20.0


def test_switched_off_nothing_is_looked_at() -> None:
    policy = NodesPolicy(cluster=CLUSTER, load_balancer_targets=False)
    stage = staged(drains(15.0, 100.0), policy=policy).notice("i-1", 10.0).play(until=60.0)
    assert stage.of(LookAtTargets) == []
    assert emptied_at(stage) < 20.0


def test_the_pods_do_not_wait_for_it_and_the_deadline_ends_it() -> None:
    stage = staged(drains(15.0, 1000.0)).notice("i-1", 10.0).play(until=129.0)
    assert [round(time) for time, _, _ in stage.cluster.orders] == [10]
    assert emptied_at(stage) == pytest.approx(10.0 + 120.0 - 20.0, abs=1.0)
    assert "load balancers have not let go of n-1: k8s-shop-web (draining)" in stage.incident().trouble


def test_a_controller_that_does_not_take_the_node_out_is_waited_for_a_minute_and_named() -> None:
    stage = staged(lambda _time, _place: "healthy").hook("i-1", 10.0).play(until=400.0)
    assert 70.0 <= emptied_at(stage) <= 77.0
    assert any("k8s-shop-web (healthy); is their controller at work?" in words for words in stage.incident().trouble)


@pytest.mark.parametrize(("state", "waits"), [("healthy", False), ("draining", True)])
def test_a_target_of_the_nodes_own_group_is_waited_for_only_once_it_drains(state: str, waits: bool) -> None:
    """Nobody takes it out of that before the group itself does."""
    stage = staged(lambda time, _place: state if time < 90.0 else "unused", managed=False)
    group = Group(
        region=REGION,
        name="web",
        min_size=0,
        max_size=9,
        desired=1,
        azs=("us-east-1a",),
        members=(Member(instance_id="i-1", instance_type="m5.large", az="us-east-1a", lifecycle_state="InService"),),
        target_groups=("arn:own",),
        load_balancers=("classic",),
    )
    observed = GroupObserved(
        time=2.0, key=f"observe {group_id(REGION, 'web')}", region=REGION, group_name="web", as_of=2.0, group=group
    )
    stage.hear(observed).notice("i-1", 10.0).play(until=125.0)
    assert stage.of(LookAtTargets)
    assert (emptied_at(stage) >= 90.0) is waits


def test_what_cannot_be_asked_is_not_waited_for() -> None:
    stage = staged(drains(15.0, 1000.0), policy=NodesPolicy(cluster=CLUSTER))
    stage.fails = lambda action: isinstance(action, LookAtTargets)
    stage.hook("i-1", 10.0).play(until=400.0)
    assert emptied_at(stage) < 60.0
    assert any("could not be asked" in words for words in stage.incident().trouble)


def test_being_killed_in_the_middle_it_waits_on() -> None:
    stage = staged(drains(15.0, 100.0)).hook("i-1", 10.0)
    stage.at(50.0, stage.restart)
    stage.hear(TargetGroupsSeen(time=53.0, target_groups=(ARN,)))
    stage.play(until=400.0)
    assert 100.0 <= emptied_at(stage) <= 106.0
