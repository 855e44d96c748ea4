"""What the user's rules want of a node: emptied by the incident that it has, given back when they say so."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotward.engine.core import Core
from spotward.engine.node_deciders import node_deciders, node_guards
from spotward.model.cluster import PodOwner
from spotward.model.flow_event import Status
from spotward.model.incident import Cause
from spotward.model.node_action import CordonNode, DeletePods, EvictPods, UncordonNode
from spotward.model.node_order import DrainWanted, ReturnWanted
from spotward.model.order import Order, Ordered
from spotward.model.world import World
from spotward.nodes.policy import NodesPolicy, Response
from tests.nodes.stage import Stage
from tests.nodes.toy_cluster import CLUSTER, REGION, a_budget, a_cluster, a_pod

BY = "step drain of rule patch-day"


def asked(time: float, *, goes: float | None = None, number: int = 1, key: str = "flow.drain") -> Ordered:
    wanted = DrainWanted(region=REGION, instance_id=f"i-{number}", node=f"n-{number}", goes_time=goes)
    return Ordered(time=time, order=key, wanted=wanted, by=BY)


def called_off(time: float, key: str = "flow.undo") -> Ordered:
    wanted = ReturnWanted(region=REGION, instance_id="i-1", node="n-1")
    return Ordered(time=time, order=key, wanted=wanted, by="step undo of rule patch-day")


def order(stage: Stage, key: str = "flow.drain") -> Order:
    """As it last stood."""
    stored = (each for _, step in stage.steps for each in step.undertakings if isinstance(each, Order))
    return [each for each in stored if each.key == key][-1]


def told(stage: Stage, key: str = "flow.drain") -> Any:
    """What the step gives to those after it."""
    return json.loads(order(stage, key).output_json)


def evictions(stage: Stage) -> list[EvictPods]:
    return [deed for deed in stage.of(EvictPods) if isinstance(deed, EvictPods)]


def test_a_node_that_rules_want_empty_is_emptied_and_stays_cordoned() -> None:
    stage = Stage(a_cluster(a_pod("web-1"), a_pod("web-2"))).hear(asked(10.0)).play(until=60.0)
    assert order(stage).status is Status.DONE
    assert order(stage).ended == "n-1 is empty: 2 pods: 2 in good order"
    assert {name: told(stage)[name] for name in ("to_move", "evicted", "left")} == {
        "to_move": 2,
        "evicted": 2,
        "left": 0,
    }
    assert told(stage)["seconds_left"] is None
    assert stage.cluster.nodes["n-1"].unschedulable
    stage.play(until=10 * 3600.0)
    assert stage.cluster.nodes["n-1"].unschedulable, "as long as nobody says otherwise"


def test_what_is_asked_twice_is_one_incident_and_no_pod_is_asked_twice() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).hear(asked(10.0), asked(11.0), asked(40.0)).play(until=60.0)
    assert len(stage.of(EvictPods)) == 1
    assert len(stage.of(CordonNode)) == 1


def test_nothing_forces_a_node_that_only_rules_want_empty() -> None:
    cluster = a_cluster(a_pod("web-1"), budgets=(a_budget("web", max_unavailable="0"),))
    stage = Stage(cluster).hear(asked(10.0)).play(until=3600.0)
    assert not stage.of(DeletePods)
    assert order(stage).status is None
    assert order(stage).progress.startswith("1 of 1 pod of n-1 left: default/web-1: ")


def test_a_machine_that_is_taken_is_emptied_by_then_whoever_says_so() -> None:
    cluster = a_cluster(a_pod("web-1"), budgets=(a_budget("web", max_unavailable="0"),))
    stage = Stage(cluster).hear(asked(10.0, goes=130.0)).play(until=129.0)
    assert order(stage).status is Status.DONE
    assert told(stage)["past_budget"] == 1
    assert told(stage)["seconds_left"] > 0


def test_a_drain_that_a_rule_wants_joins_the_incident_of_the_notice() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).notice("i-1", 10.0).hear(asked(12.0, goes=130.0)).play(until=60.0)
    assert stage.incident().causes == {Cause.INTERRUPTION}
    assert len(stage.of(EvictPods)) == 1
    assert order(stage).status is Status.DONE


def test_a_time_that_passed_long_ago_hurries_nobody() -> None:
    cluster = a_cluster(a_pod("web-1"), budgets=(a_budget("web", max_unavailable="0"),))
    stage = Stage(cluster).hear(asked(1000.0, goes=130.0)).play(until=1200.0)
    assert stage.incident().causes == {Cause.ASKED}
    assert not stage.of(DeletePods)


def test_a_machine_that_goes_in_hours_has_these_hours() -> None:
    cluster = a_cluster(a_pod("web-1"), budgets=(a_budget("web", max_unavailable="0"),))
    stage = Stage(cluster).hear(asked(10.0, goes=9000.0)).play(until=8900.0)
    assert not stage.of(DeletePods)
    assert order(stage).status is None
    stage.play(until=9000.0)
    assert (order(stage).status, told(stage)["past_budget"]) == (Status.DONE, 1)


def test_no_rule_gives_a_machine_more_time_than_ec2_does() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).notice("i-1", 10.0).hear(asked(12.0, goes=9000.0)).play(until=14.0)
    assert stage.incident().deadline == 130.0


def test_a_notice_that_is_said_again_after_its_time_keeps_the_node_no_longer() -> None:
    cluster = a_cluster(a_pod("web-1"))
    stage = Stage(cluster).hear(asked(10.0, goes=130.0), asked(400.0, goes=130.0, key="again")).play(until=500.0)
    assert stage.incident().causes == {Cause.INTERRUPTION}
    assert order(stage, "again").status is Status.DONE, "it is empty"
    stage.play(until=4000.0)
    assert not cluster.nodes["n-1"].unschedulable, "its time passed long ago, and the machine is well"


def test_called_off_the_node_gets_back_what_was_set_and_nothing_else() -> None:
    cluster = a_cluster(a_pod("web-1"))
    node = cluster.nodes["n-1"]
    cluster.nodes["n-1"] = replace(node, labels={**node.labels, "team": "web"})
    stage = Stage(cluster).hear(asked(10.0), called_off(60.0)).play(until=70.0)
    after = cluster.nodes["n-1"]
    assert not after.unschedulable
    assert not after.taints
    assert after.labels["team"] == "web"
    assert stage.incident().ended == "n-1 stays: step undo of rule patch-day wants it to take pods again"
    assert order(stage, "flow.undo").status is Status.DONE
    assert order(stage, "flow.undo").ended == "n-1 takes pods again"


def test_called_off_in_the_middle_the_rest_stays() -> None:
    cluster = a_cluster(a_pod("web-1"), budgets=(a_budget("web", max_unavailable="0"),))
    stage = Stage(cluster).hear(asked(10.0), called_off(60.0)).play(until=70.0)
    assert order(stage).status is Status.FAILED
    assert order(stage, "flow.undo").status is Status.DONE
    assert len(cluster.pods) == 1


def test_what_ec2_says_is_not_called_off_by_a_rule() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).notice("i-1", 10.0).hear(asked(12.0), called_off(20.0)).play(until=60.0)
    assert not stage.of(UncordonNode)
    assert order(stage, "flow.undo").ended == (
        "no rule wants n-1 empty any more; it stays as it is because of interruption"
    )
    assert stage.incident().causes == {Cause.INTERRUPTION}


def test_asked_again_after_it_was_called_off_it_is_emptied_again() -> None:
    cluster = a_cluster(a_pod("web-1"))
    stage = Stage(cluster).hear(asked(10.0), called_off(60.0), asked(100.0, key="again")).play(until=150.0)
    assert cluster.nodes["n-1"].unschedulable
    assert order(stage, "again").status is Status.DONE


def test_a_reboot_in_between_does_not_give_the_node_back() -> None:
    cluster = a_cluster(a_pod("web-1"))
    stage = Stage(cluster).hear(asked(10.0))
    stage.at(100.0, lambda: cluster.nodes.update({"n-1": replace(cluster.nodes["n-1"], boot_id="another")}))
    stage.play(until=200.0)
    assert cluster.nodes["n-1"].unschedulable


def test_a_process_that_is_killed_in_the_middle_goes_on() -> None:
    stage = Stage(a_cluster(a_pod("web-1", grace_seconds=30.0), a_pod("web-2", grace_seconds=30.0))).hear(asked(10.0))
    stage.at(10.2, stage.restart)
    stage.at(20.0, stage.restart)
    stage.play(until=100.0)
    assert order(stage).status is Status.DONE
    assert told(stage)["evicted"] == 2
    assert all(count == 1 for count in Counter(pod.uid for deed in evictions(stage) for pod in deed.pods).values())


@pytest.mark.parametrize(
    ("policy", "asking", "words"),
    [
        (NodesPolicy(cluster=CLUSTER, asked=Response.OFF), asked(10.0), "nodes.asked is off"),
        (NodesPolicy(cluster=CLUSTER, asked=Response.CORDON), asked(10.0), "nodes.asked: cordon"),
        (NodesPolicy(cluster=CLUSTER, interruption=Response.OFF), asked(10.0, goes=130.0), "nodes.interruption is off"),
        (NodesPolicy(cluster=CLUSTER), asked(10.0, number=9), "no node of the cluster"),
    ],
)
def test_what_the_settings_forbid_is_refused_in_words(policy: NodesPolicy, asking: Ordered, words: str) -> None:
    stage = Stage(a_cluster(a_pod("web-1")), policy=policy).hear(asking).play(until=60.0)
    assert order(stage).status is Status.REFUSED
    assert words in (order(stage).ended or "")
    assert not stage.of(EvictPods)


def test_no_more_nodes_are_emptied_for_rules_at_once_than_the_settings_allow() -> None:
    policy = NodesPolicy(cluster=CLUSTER, voluntary_drains_at_once_max=1)
    pods = (a_pod("web-1", grace_seconds=300.0), a_pod("web-2", node="n-2"))
    cluster = a_cluster(*pods, stop_seconds=lambda _: 200.0)
    stage = Stage(cluster, policy=policy).hear(asked(10.0), asked(20.0, number=2, key="second"))
    stage.play(until=100.0)
    assert order(stage, "second").status is None
    assert order(stage, "second").progress == "1 node being emptied; the limit is 1"
    stage.play(until=400.0)
    assert order(stage, "second").status is Status.DONE


def test_daemons_static_and_finished_pods_stay_and_are_not_counted() -> None:
    pods = (
        a_pod("web-1"),
        a_pod("log-1", owner=PodOwner(kind="DaemonSet", name="log", uid="uid-log")),
        replace(a_pod("done-1"), phase="Succeeded"),
        replace(a_pod("static-1"), mirror=True, owner=None),
    )
    stage = Stage(a_cluster(*pods)).hear(asked(10.0)).play(until=60.0)
    assert told(stage)["to_move"] == 1
    assert {pod.name for pod in stage.cluster.pods.values() if pod.node == "n-1"} == {"log-1", "done-1", "static-1"}


def test_each_pod_has_its_own_time_to_stop() -> None:
    pods = (a_pod("web-1", grace_seconds=5.0), a_pod("web-2", grace_seconds=60.0))
    stage = Stage(a_cluster(*pods)).hear(asked(10.0, goes=130.0)).play(until=60.0)
    assert [pod.grace_seconds for deed in evictions(stage) for pod in deed.pods] == [None, None], "their own"


def test_our_own_pod_goes_last() -> None:
    policy = NodesPolicy(cluster=CLUSTER, own_namespace="default", own_pod="us")
    stage = Stage(a_cluster(a_pod("us"), a_pod("web-1")), policy=policy).hear(asked(10.0)).play(until=90.0)
    assert [pod.name for deed in evictions(stage) for pod in deed.pods] == ["web-1", "us"]


def test_a_machine_that_is_gone_before_its_node_was_empty_is_a_failure_in_words() -> None:
    cluster = a_cluster(a_pod("web-1", grace_seconds=300.0), stop_seconds=lambda _: 200.0)
    stage = Stage(cluster).hear(asked(10.0)).gone("i-1", 30.0).play(until=60.0)
    assert order(stage).status is Status.FAILED
    assert "the machine of n-1 is terminated already" in (order(stage).ended or "")


def test_where_no_cluster_is_looked_after_that_is_said() -> None:
    core = Core(node_deciders(NodesPolicy()), node_guards(NodesPolicy()))
    step = core.step(World(), asked(10.0), page_number=1)
    [ended] = step.undertakings
    assert ended.ended == "no cluster is looked after; set kubernetes.enabled"


def test_what_no_rule_had_emptied_is_given_back_by_none() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).notice("i-1", 10.0).hear(called_off(20.0)).play(until=60.0)
    assert order(stage, "flow.undo").status is Status.IGNORED
    assert not stage.of(UncordonNode)


def test_an_order_is_written_down_again_only_when_it_stands_otherwise() -> None:
    cluster = a_cluster(a_pod("web-1"), budgets=(a_budget("web", max_unavailable="0"),))
    stage = Stage(cluster).hear(asked(10.0)).play(until=3600.0)
    written = sum(isinstance(each, Order) for _, step in stage.steps for each in step.undertakings)
    assert written < 8


@given(
    news=st.lists(st.sampled_from(["asked", "asked of a notice", "called off", "notice", "advice"]), max_size=6),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_in_any_history_an_order_ends_or_says_what_it_waits_for(news: list[str], seed: int) -> None:
    stage = Stage(a_cluster(a_pod("web-1"), a_pod("web-2")), seed=seed, lost=0.05)
    keys = []
    for number, each in enumerate(news):
        time, key = 10.0 + 25 * number, f"flow.{number}"
        match each:
            case "asked" | "asked of a notice":
                stage.hear(asked(time, key=key, goes=time + 100.0 if each != "asked" else None))
                keys.append(key)
            case "called off":
                stage.hear(called_off(time, key=key))
                keys.append(key)
            case "notice":
                stage.notice("i-1", time, takes=False)
            case "advice":
                stage.advise("i-1", time)
    stage.play(until=2000.0)
    for key in keys:
        assert order(stage, key).status is not None or order(stage, key).progress
        assert order(stage, key).status is not None, "here nothing stands in the way"
