"""What is told of nodes: played incidents, counted as a shell's listener counts them."""

from dataclasses import replace

from rpds import HashTrieMap

from spotward.model.cloud import Instance, Lifecycle
from spotward.model.cluster import Condition
from spotward.model.world import World
from spotward.nodes.policy import NodesPolicy
from spotward.web.exposition import rendered
from spotward.web.node_exposition import NodeView
from spotward.web.node_questions import nodes, open_incidents, pods_held, tagged_instances, tagged_nodes
from spotward.web.tallies.deeds import DeedTally
from spotward.web.tallies.drains import Drains, DrainTally
from tests.nodes.stage import Stage
from tests.nodes.toy_cluster import CLUSTER, REGION, a_budget, a_cluster, a_node, a_pod

POLICY = NodesPolicy(cluster=CLUSTER)


def drained(stage: Stage) -> Drains:
    tally, before = DrainTally(), World()
    for _, step in stage.steps:
        tally.hear(before, step)
        before = step.world
    return tally.now


def deeds(stage: Stage) -> dict[tuple[str, str], int]:
    tally, before = DeedTally(), World()
    for event, step in stage.steps:
        tally.hear(before, event)
        before = step.world
    return dict(tally.now.answered)


def test_a_drain_is_counted_once_with_its_cause_its_time_and_what_was_left() -> None:
    stage = Stage(a_cluster(a_pod("web-1"), a_pod("web-2"))).notice("i-1", 10.0).play(until=400.0)
    drains = drained(stage)
    assert drains.nodes == {"interruption": 1}
    assert drains.pods == {"graceful": 2}
    took = drains.seconds["interruption",]
    assert [each.number for each in drains.seconds.values() if each.number] == [1]
    assert 4.0 < took.total < 10.0
    assert drains.left_seconds.number == 1
    assert 100.0 < drains.left_seconds.total < 120.0
    assert drains.incidents == {"interruption": 1}


def test_pods_are_counted_by_how_they_went() -> None:
    slow = a_pod("slow-1", grace_seconds=600.0)
    stuck = a_pod("stuck-1", finalizers=("theirs",))
    held = a_pod("held-1")
    cluster = a_cluster(slow, stuck, held, budgets=(a_budget("held", max_unavailable="0"),))
    stage = Stage(cluster).notice("i-1", 10.0).play(until=400.0)
    assert drained(stage).pods == {"shortened": 1, "past-budget": 1, "killed": 1}
    assert deeds(stage)["cordon-node", "done"] == 1
    assert not any(outcome == "failed" for _, outcome in deeds(stage))


def test_what_waits_stands_there_while_it_waits() -> None:
    cluster = a_cluster(a_pod("web-1"), budgets=(a_budget("web", max_unavailable="0"),))
    stage = Stage(cluster).notice("i-1", 10.0).play(until=30.0)
    assert dict(open_incidents(stage.world))["interruption",] == 1
    assert pods_held(stage.world) == 1
    stage.play(until=400.0)
    assert sum(number for _, number in open_incidents(stage.world)) == 0
    assert pods_held(stage.world) == 0


def test_nodes_are_told_by_state_and_beside_the_instances_that_should_be_some() -> None:
    cluster = a_cluster(nodes=4)
    cluster.nodes["n-2"] = a_node(2, conditions=(Condition(type="Ready", status="False"),))
    cluster.nodes["n-3"] = a_node(3, unschedulable=True)
    stage = Stage(cluster).play(until=1.0)
    assert dict(nodes(stage.world)) == {("ready",): 2, ("not-ready",): 1, ("cordoned",): 1}
    known = replace(
        stage.world,
        instances=HashTrieMap(
            {
                "i-1": an_instance("i-1", CLUSTER),
                "i-lost": an_instance("i-lost", CLUSTER),
                "i-other": an_instance("i-other", "another"),
                "i-none": an_instance("i-none", None),
            }
        ),
    )
    assert (tagged_instances(known, CLUSTER), tagged_nodes(known, CLUSTER)) == (2, 1)
    assert (tagged_instances(known, ""), tagged_nodes(known, "")) == (3, 1)


def an_instance(instance_id: str, cluster: str | None) -> Instance:
    return Instance(
        id=instance_id,
        region=REGION,
        az="us-east-1a",
        instance_type="m5.large",
        lifecycle=Lifecycle.SPOT,
        state="running",
        cluster=cluster,
    )


def test_an_agent_tells_the_same_without_a_zero_for_every_deed_there_is() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).notice("i-1", 10.0).play(until=60.0)
    view = NodeView()
    for event, step in stage.steps:
        view(event, step)
    page = rendered(view.families())
    assert 'spotward_deeds_total{kind="evict-pods",outcome="done"} 1\n' in page
    assert 'spotward_nodes_drained_total{cause="interruption"} 1\n' in page
    assert 'spotward_incidents{cause="interruption"} 1\n' in page
    assert "launch-fleet" not in page
