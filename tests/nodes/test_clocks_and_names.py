"""Clocks that differ, notices that leave less or more than two minutes, machines that freeze, nodes that name none."""

from dataclasses import replace

import pytest

from spotward.model.event import InstanceGone, InterruptionNoticed
from spotward.nodes.policy import NodesPolicy
from tests.nodes.stage import Stage
from tests.nodes.toy_cluster import CLUSTER, REGION, ToyCluster, a_budget, a_cluster, a_node, a_pod

POLICY = NodesPolicy(cluster=CLUSTER)


def noticed(deadline: float, *, time: float = 10.0, action: str = "terminate") -> InterruptionNoticed:
    return InterruptionNoticed(time=time, region=REGION, instance_id="i-1", deadline=deadline, action=action)


def asked(cluster: ToyCluster) -> list[tuple[float, str, int | None]]:
    """When, how and with what grace each pod was asked."""
    return [(round(time), verb, order.grace_seconds) for time, verb, order in cluster.orders]


# ---- clocks --------------------------------------------------------------------------------------------------------


def test_a_clock_that_is_a_minute_behind_gives_no_minute_that_is_not_there() -> None:
    """By our clock the machine goes in three minutes; EC2 never gives more than two."""
    cluster = a_cluster(a_pod("web-1"), budgets=(a_budget("web", max_unavailable="0"),))
    stage = Stage(cluster).hear(noticed(10.0 + 180.0)).play(until=129.0)
    assert stage.incident().deadline == 130.0
    assert asked(cluster) == [(80, "delete", None)]


def test_a_clock_that_is_a_minute_ahead_hurries_and_loses_nothing() -> None:
    cluster = a_cluster(a_pod("web-1", grace_seconds=60.0), a_pod("api-1"))
    stage = Stage(cluster).hear(noticed(10.0 + 60.0)).play(until=60.0)
    assert asked(cluster) == [(10, "evict", 39), (10, "evict", None)]
    assert stage.incident().drained


@pytest.mark.parametrize("late_seconds", [1.0, 60.0, 119.0])
def test_a_notice_whose_time_is_past_when_it_is_heard_leaves_each_pod_a_second_and_passes_what_holds_it(
    late_seconds: float,
) -> None:
    cluster = a_cluster(a_pod("web-1"), a_pod("db-1"), budgets=(a_budget("db", max_unavailable="0"),))
    stage = Stage(cluster).hear(noticed(200.0 - late_seconds, time=200.0)).play(until=230.0)
    assert sorted(asked(cluster)) == [(200, "delete", 1), (200, "evict", 1)]
    assert stage.incident().drained
    stage.play(until=3000.0)
    assert not stage.cluster.nodes["n-1"].unschedulable, "the machine runs on: it was the clock"


# ---- stop and hibernate --------------------------------------------------------------------------------------------


def test_at_a_hibernation_the_freeze_begins_at_once_and_so_everything_is_asked_at_once() -> None:
    cluster = a_cluster(
        a_pod("web-1", grace_seconds=60.0),
        a_pod("dns-1", priority=2_000_000_000),
        a_pod("db-1"),
        budgets=(a_budget("db", min_available="1"),),
    )
    Stage(cluster).hear(noticed(10.0, action="hibernate")).play(until=11.5)
    assert sorted(asked(cluster)) == [(10, "delete", 1), (10, "evict", 1), (10, "evict", 1)]


def test_a_machine_that_stops_has_its_two_minutes_and_its_node_back_when_it_comes_again() -> None:
    cluster = a_cluster(a_pod("web-1", grace_seconds=60.0))
    stage = Stage(cluster).hear(noticed(130.0, action="stop"))
    stage.at(130.0, lambda: cluster.switch_off("i-1", "stopped"))
    stage.hear(InstanceGone(time=131.0, region=REGION, instance_id="i-1", state="stopped"))

    def again() -> None:
        cluster.states.clear()
        cluster.nodes["n-1"] = replace(
            a_node(1, boot_id="boot-2"),
            unschedulable=True,
            taints=cluster.nodes["n-1"].taints,
            labels=cluster.nodes["n-1"].labels,
        )

    stage.at(900.0, again)
    stage.play(until=899.0)
    assert asked(cluster) == [(10, "evict", None)]
    assert "n-1" in cluster.nodes, "it may come back"
    stage.play(until=1000.0)
    assert not cluster.nodes["n-1"].unschedulable
    assert cluster.nodes["n-1"].taints == ()
    assert stage.world.incidents.get("i-1") is None


# ---- nodes that name no machine ------------------------------------------------------------------------------------


def nameless() -> ToyCluster:
    cluster = a_cluster(a_pod("web-1"))
    cluster.nodes["n-1"] = a_node(1, provider_id="")
    return cluster


def test_of_a_node_that_names_no_machine_it_is_said_that_nothing_can_be_heard() -> None:
    cluster = nameless()
    stage = Stage(cluster)
    stage.at(10.0, lambda: cluster.nodes.update({"n-1": replace(cluster.nodes["n-1"], labels={"new": "yes"})}))
    stage.at(200.0, lambda: cluster.nodes.update({"n-1": replace(cluster.nodes["n-1"], labels={"newer": "yes"})}))
    stage.play(until=100.0)
    assert "n-1" not in stage.world.verdicts, "its provider id may still come"
    stage.play(until=250.0)
    assert "names no EC2 instance" in stage.world.verdicts["n-1"]
    stage.at(300.0, lambda: cluster.nodes.update({"n-1": a_node(1)}))
    stage.play(until=310.0)
    assert "n-1" not in stage.world.verdicts


@pytest.mark.parametrize("heard", [-1.0, 10.0])
def test_an_agent_hears_of_its_own_node_whatever_that_names(heard: float) -> None:
    """Before and after the cluster was seen."""
    cluster = nameless()
    stage = Stage(cluster, policy=NodesPolicy(awaited=True, own_node="n-1"), alone=True)
    if heard < 0:
        stage.step(noticed(120.0, time=0.0))
    else:
        stage.hear(noticed(heard + 120.0, time=heard))
    stage.play(until=60.0)
    assert cluster.nodes["n-1"].unschedulable
    assert stage.incident().drained
    assert "n-1" not in stage.world.verdicts
