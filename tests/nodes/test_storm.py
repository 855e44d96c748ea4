"""Many nodes at once: what it costs each, and that none is forgotten."""

from collections import Counter
from dataclasses import replace

from spotward.model.node_action import CordonNode, EvictPods, TellCluster, WatchPods
from spotward.nodes.policy import NodesPolicy
from tests.nodes.stage import Stage
from tests.nodes.toy_cluster import CLUSTER, a_budget, a_cluster, a_pod

NODES = 20
PODS = 5


def a_storm(*, kill_at: float | None = None, **changes: object) -> Stage:
    """Every node but a few is interrupted in the same second, and gone two minutes later."""
    pods = [a_pod(f"web-{n}x{k}", f"n-{n}", labels={"app": "web"}) for n in range(1, NODES + 1) for k in range(PODS)]
    budget = a_budget("web", min_available=str(NODES * PODS * 9 // 10))
    cluster = a_cluster(*pods, nodes=NODES + 5, budgets=(budget,), **changes)
    stage = Stage(cluster, policy=NodesPolicy(cluster=CLUSTER), lag=0.1)
    for n in range(1, NODES + 1):
        stage.notice(f"i-{n}", 10.0 + n / 1000)
    if kill_at is not None:
        stage.at(kill_at, stage.restart)
    return stage


def test_every_node_of_a_storm_is_emptied_before_its_deadline() -> None:
    stage = a_storm().play(until=129.0)
    incidents = [stage.incident(f"i-{n}") for n in range(1, NODES + 1)]
    assert all(incident.drained for incident in incidents)
    assert not any(record.past_budget for incident in incidents for record in incident.pods)


def test_a_node_of_a_storm_costs_a_handful_of_calls() -> None:
    stage = a_storm().play(until=129.0)
    asked = Counter(type(asked.action) for _, asked in stage.asked)
    assert asked[CordonNode] == NODES
    assert asked[WatchPods] == NODES
    assert asked[TellCluster] <= 2 * NODES
    ordered = Counter(order.uid for _, verb, order in stage.cluster.orders if verb == "evict")
    assert max(ordered.values()) <= 2
    assert asked[EvictPods] <= 4 * NODES


def test_killed_in_the_middle_of_a_storm_no_node_is_forgotten() -> None:
    stage = a_storm(kill_at=11.5).play(until=400.0)
    assert len(stage.world.incidents) == 0
    assert {incident.instance_id for incident in stage.ended} == {f"i-{n}" for n in range(1, NODES + 1)}
    assert not {f"n-{n}" for n in range(1, NODES + 1)} & set(stage.cluster.nodes)


def test_no_more_than_so_many_pods_are_asked_in_one_call() -> None:
    pods = [a_pod(f"web-{k}") for k in range(25)]
    policy = replace(NodesPolicy(cluster=CLUSTER), pods_at_once_max=10)
    stage = Stage(a_cluster(*pods), policy=policy).notice("i-1", 10.0).play(until=60.0)
    assert stage.incident().drained
    assert [len(action.pods) for action in stage.of(EvictPods) if isinstance(action, EvictPods)] == [10, 10, 5]
