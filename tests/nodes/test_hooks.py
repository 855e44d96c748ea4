"""Lifecycle hooks: kept waiting while there is something to wait for, completed when there is nothing."""

from dataclasses import replace

import pytest

from spotward.model.cluster import Condition
from spotward.model.event import Failed, Restarted
from spotward.model.incident import Incident
from spotward.model.node_action import CompleteLifecycle, RecordHeartbeat
from spotward.model.node_event import LifecycleHooked
from spotward.model.world import World
from spotward.nodes.incidents import incidents
from spotward.nodes.policy import NodesPolicy, Response
from tests.nodes.stage import Stage
from tests.nodes.test_drain import with_volume
from tests.nodes.toy_cluster import CLUSTER, a_budget, a_cluster, a_node, a_pod

POLICY = NodesPolicy(cluster=CLUSTER)


def test_the_hook_is_completed_only_when_pods_are_gone_and_volumes_detached() -> None:
    cluster = with_volume(a_cluster(a_pod("db-0", claims=("data",)), detach_seconds=40.0))
    stage = Stage(cluster).hook("i-1", 10.0).play(until=45.0)
    assert cluster.hooks_done == []
    stage.play(until=60.0)
    assert cluster.hooks_done == ["token-1"]


def test_while_a_node_is_being_emptied_the_hook_is_told_at_half_of_its_timeout() -> None:
    slow = a_pod("slow-1", grace_seconds=300.0)
    stage = Stage(a_cluster(slow, stop_seconds=lambda _pod: 300.0)).hook("i-1", 10.0).play(until=400.0)
    assert [round(time) for time, _ in stage.cluster.beats] == [70, 130, 190, 250]
    assert stage.cluster.hooks_done == ["token-1"]


def test_heartbeats_come_as_often_as_is_wanted_but_never_later_than_half_of_the_timeout() -> None:
    slow = a_pod("slow-1", grace_seconds=130.0)
    for wanted, beats in ((30.0, [40, 70, 100, 130]), (500.0, [70, 130])):
        cluster = a_cluster(slow, stop_seconds=lambda _pod: 130.0)
        policy = replace(POLICY, heartbeat_seconds=wanted)
        Stage(cluster, policy=policy).hook("i-1", 10.0).play(until=139.0)
        assert [round(time) for time, _ in cluster.beats] == beats


def test_the_hook_is_completed_so_long_after_the_node_is_empty_as_is_wanted_and_kept_waiting_until_its_limit() -> None:
    policy = replace(POLICY, hook_delay_seconds=120.0, heartbeat_seconds=30.0, heartbeat_seconds_max=100.0)
    stage = Stage(a_cluster(a_pod("web-1")), policy=policy).hook("i-1", 10.0).play(until=125.0)
    assert [round(time) for time, _ in stage.cluster.beats] == [40, 70, 100]
    assert stage.incident().drained
    assert stage.cluster.hooks_done == []
    assert "heartbeat deadline exceeded: the hook drain is kept waiting no longer" in stage.words()
    stage.play(until=150.0)
    assert stage.cluster.hooks_done == ["token-1"]


def test_a_restart_loses_no_heartbeat() -> None:
    slow = a_pod("slow-1", grace_seconds=300.0)
    stage = Stage(a_cluster(slow, stop_seconds=lambda _pod: 300.0)).hook("i-1", 10.0)
    for moment in (60.0, 100.0, 131.0):
        stage.at(moment, stage.restart)
    stage.play(until=400.0)
    beats = [time for time, _ in stage.cluster.beats]
    gaps = [after - before for before, after in zip([10.0, *beats], beats, strict=False)]
    assert max(gaps) < 120.0
    assert stage.cluster.hooks_done == ["token-1"]


def test_a_hook_that_nobody_waits_at_any_more_is_let_go() -> None:
    slow = a_pod("slow-1", grace_seconds=300.0)
    stage = Stage(a_cluster(slow, stop_seconds=lambda _pod: 300.0)).hook("i-1", 10.0).play(until=60.0)
    wished = "incident i-1 10.000 heartbeat drain token-1"
    stage.hear(
        Failed(time=75.0, key=wished, subject="i-1", code="ValidationError", reason="No active hook", transient=False)
    )
    stage.play(until=400.0)
    assert all(time < 75.0 for time, _ in stage.cluster.beats)
    assert stage.of(CompleteLifecycle) == []


def test_what_is_left_at_the_hooks_deadline_is_deleted_past_its_budget() -> None:
    policy = replace(POLICY, termination_seconds=200.0)
    cluster = a_cluster(a_pod("web-1"), budgets=(a_budget("web", max_unavailable="0"),))
    Stage(cluster, policy=policy).hook("i-1", 10.0).play(until=300.0)
    ((time, verb, _),) = cluster.orders
    assert verb == "delete"
    assert time == pytest.approx(10 + 200 - 20 - 30, abs=0.2)
    assert cluster.hooks_done == ["token-1"]


def test_without_heartbeats_nobody_is_asked_to_wait() -> None:
    stage = Stage(a_cluster(a_pod("web-1")), policy=replace(POLICY, heartbeats=False)).hook("i-1", 10.0)
    stage.play(until=300.0)
    assert stage.of(RecordHeartbeat) == []
    assert stage.cluster.hooks_done == ["token-1"]


def test_the_hook_of_a_tagged_instance_that_never_became_a_node_is_completed() -> None:
    stage = Stage(a_cluster()).hook("i-lost", 10.0).play(until=60.0)
    assert stage.cluster.hooks_done == ["token-1"]
    assert stage.incident("i-lost").ended == "i-lost is no node of this cluster"


def test_the_hook_of_a_stranger_is_none_of_our_business() -> None:
    stage = Stage(a_cluster()).hook("i-99", 10.0).play(until=60.0)
    assert stage.cluster.hooks_done == []
    assert stage.world.incidents.get("i-99") is None


def test_a_launch_hook_is_completed_when_the_node_is_ready() -> None:
    cluster = a_cluster()
    waiting = replace(a_node(1), conditions=(Condition(type="Ready", status="False"),))
    cluster.nodes["n-1"] = waiting
    stage = Stage(cluster).hook("i-1", 10.0, launching=True).play(until=60.0)
    assert cluster.hooks_done == []
    stage.at(61.0, lambda: cluster.nodes.update({"n-1": a_node(1)}))
    stage.play(until=70.0)
    assert cluster.hooks_done == ["token-1"]
    assert stage.world.incidents.get("i-1") is None
    assert not cluster.nodes["n-1"].unschedulable


def test_a_launch_hook_waits_for_a_node_that_has_not_joined_yet() -> None:
    cluster = a_cluster()
    stage = Stage(cluster).hook("i-lost-1", 10.0, launching=True).play(until=60.0)
    assert stage.world.incidents.get("i-lost-1") is not None
    joined = replace(a_node(9), provider_id="aws:///us-east-1a/i-lost-1")
    stage.at(61.0, lambda: cluster.nodes.update({"n-9": joined}))
    stage.play(until=70.0)
    assert cluster.hooks_done == ["token-1"]


def test_a_launch_hook_waits_for_its_node_where_the_cluster_has_no_name_and_strangers_are_not_kept_waiting() -> None:
    cluster = a_cluster()
    policy = NodesPolicy(awaited=True)
    stage = Stage(cluster, policy=policy).hook("i-1-new", 10.0, launching=True).hook("i-2-new", 10.0, launching=True)
    stage.play(until=90.0)
    joined = replace(a_node(9), provider_id="aws:///us-east-1a/i-1-new")
    stage.at(91.0, lambda: cluster.nodes.update({"n-9": joined}))
    stage.play(until=100.0)
    assert cluster.hooks_done == ["token-1"]
    assert cluster.beats == []
    stage.play(until=4000.0)
    assert stage.incident("i-2-new").ended == "i-2-new is no node of this cluster"
    assert cluster.hooks_done == ["token-1"]
    assert cluster.beats == []


def test_two_hooks_of_one_instance_are_both_served() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).hook("i-1", 10.0).hook("i-1", 10.5, token="token-2").play(until=60.0)
    assert sorted(stage.cluster.hooks_done) == ["token-1", "token-2"]


def test_where_nodes_are_only_cordoned_the_hook_is_completed_all_the_same() -> None:
    policy = replace(POLICY, termination=Response.CORDON)
    stage = Stage(a_cluster(a_pod("web-1")), policy=policy).hook("i-1", 10.0).play(until=60.0)
    assert stage.cluster.hooks_done == ["token-1"]
    assert stage.cluster.orders == []


def test_a_hook_that_may_not_be_answered_yet_is_not_let_go() -> None:
    slow = a_pod("slow-1", grace_seconds=300.0)
    stage = Stage(a_cluster(slow, stop_seconds=lambda _pod: 300.0)).hook("i-1", 10.0).play(until=60.0)
    wished = "incident i-1 10.000 heartbeat drain token-1"
    stage.hear(Failed(time=75.0, key=wished, subject="i-1", code="AccessDenied", reason="no", transient=False))
    stage.play(until=400.0)
    assert any(time > 75.0 for time, _ in stage.cluster.beats)
    assert stage.cluster.hooks_done == ["token-1"]


@pytest.mark.parametrize("awaited", [True, False])
def test_what_comes_before_the_cluster_was_seen_waits_for_it_where_one_is_looked_after(awaited: bool) -> None:
    world = World().after(Restarted(time=1.0))
    hooked = LifecycleHooked(
        time=2.0, region="us-east-1", instance_id="i-1", group="nodes", hook="drain", token="token-1"
    )
    decided = incidents(NodesPolicy(awaited=awaited))(world.after(hooked), hooked)
    assert [each.instance_id for each in decided.undertakings if isinstance(each, Incident)] == ["i-1"] * awaited
