"""Disruption budgets: honoured while there is time, passed at the last moment where the settings allow, explained."""

from dataclasses import replace

import pytest

from spotward.model.cluster import Budget
from spotward.model.event import MaintenanceScheduled
from spotward.model.incident import Fate
from spotward.model.node_event import PodAnswer, PodResult
from spotward.nodes.policy import NodesPolicy, PastBudget
from tests.nodes.stage import Stage
from tests.nodes.toy_cluster import CLUSTER, REGION, a_budget, a_cluster, a_pod

POLICY = NodesPolicy(cluster=CLUSTER)
LAST_MOMENT = 10.0 + 120 - 20 - 30
"""Of a pod with 30 seconds of grace, at a notice at 10 seconds."""


def asked(stage: Stage, verb: str) -> list[tuple[float, str]]:
    return [(round(time, 1), order.name) for time, v, order in stage.cluster.orders if v == verb]


def test_while_a_budget_allows_one_pod_goes_after_the_other_woken_by_its_news() -> None:
    pods = [a_pod(f"web-{n}") for n in range(1, 4)]
    cluster = a_cluster(*pods, budgets=(a_budget("web", max_unavailable="1"),))
    stage = Stage(cluster).notice("i-1", 10.0).play(until=60.0)
    assert stage.incident().drained
    assert asked(stage, "delete") == []
    first, second, third = (time for time, _ in asked(stage, "evict"))
    assert second - first < 3.0
    assert third - second < 3.0


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        pytest.param(a_budget("web", max_unavailable="0"), "allows none to be missing", id="none may be missing"),
        pytest.param(a_budget("web", min_available="1"), "needs its only replica", id="its only replica"),
    ],
)
def test_a_budget_that_can_never_open_is_named_and_passed_at_the_last_moment(budget: Budget, words: str) -> None:
    stage = Stage(a_cluster(a_pod("web-1"), budgets=(budget,))).notice("i-1", 10.0).play(until=70.0)
    assert stage.cluster.orders == []
    assert words in stage.incident().pods[0].reason
    stage.play(until=125.0)
    assert asked(stage, "evict") == []
    ((moment, _),) = asked(stage, "delete")
    assert moment == pytest.approx(LAST_MOMENT, abs=0.2)
    assert stage.incident().drained
    assert "1 past a disruption budget" in stage.words()[-1]


def test_a_budget_that_went_while_nobody_looked_holds_no_pod_back() -> None:
    budget = a_budget("web", max_unavailable="0")
    stage = Stage(a_cluster(a_pod("web-1"), budgets=(budget,))).notice("i-1", 10.0).play(until=30.0)
    assert asked(stage, "evict") == []
    stage.cluster.budgets.clear()
    stage.restart()
    stage.play(until=60.0)
    assert len(asked(stage, "evict")) == 1
    assert asked(stage, "delete") == []


def test_two_budgets_over_one_pod_are_named_and_passed_at_the_last_moment() -> None:
    budgets = (a_budget("web", max_unavailable="1"), replace(a_budget("web", min_available="0"), name="other"))
    stage = Stage(a_cluster(a_pod("web-1"), budgets=budgets)).notice("i-1", 10.0).play(until=125.0)
    assert asked(stage, "evict") == []
    ((moment, _),) = asked(stage, "delete")
    assert moment == pytest.approx(LAST_MOMENT, abs=0.2)


def test_two_budgets_that_only_the_api_server_knows_of_are_not_asked_again_and_again() -> None:
    answers = PodAnswer(uid="uid-web-1", result=PodResult.TWO_BUDGETS, reason="more than one PodDisruptionBudget")
    cluster = a_cluster(a_pod("web-1"))
    cluster.refuses = lambda _order: answers if cluster.time < LAST_MOMENT else None
    stage = Stage(cluster).notice("i-1", 10.0).play(until=125.0)
    assert len(asked(stage, "evict")) == 1
    assert len(asked(stage, "delete")) == 1


def test_when_all_replicas_stand_on_nodes_that_go_it_is_said_and_none_is_killed() -> None:
    pods = (a_pod("web-1", "n-1"), a_pod("web-2", "n-2"))
    cluster = a_cluster(*pods, budgets=(a_budget("web", min_available="2"),), remakes=False)
    stage = Stage(cluster).notice("i-1", 10.0).notice("i-2", 10.0)
    stage.play(until=100.0)
    assert [name for _, name in asked(stage, "delete")] == ["web-1", "web-2"]
    stage.play(until=400.0)
    assert {incident.ended and incident.pods[0].fate for incident in stage.ended} == {Fate.GONE}


def test_a_budget_blocks_for_ever_where_nothing_forces_the_node() -> None:
    event = MaintenanceScheduled(
        time=10.0, region=REGION, instance_id="i-1", event_id="e-1", code="system-reboot", start_time=500.0
    )
    cluster = a_cluster(a_pod("web-1"), budgets=(a_budget("web", max_unavailable="0"),))
    stage = Stage(cluster).hear(event).play(until=600.0)
    assert asked(stage, "delete") == []
    assert stage.incident().pods[0].fate is Fate.BLOCKED


def test_always_passes_a_budget_at_once() -> None:
    policy = replace(POLICY, interruption_past_budget=PastBudget.ALWAYS)
    cluster = a_cluster(a_pod("web-1"), budgets=(a_budget("web", max_unavailable="0"),))
    stage = Stage(cluster, policy=policy).notice("i-1", 10.0).play(until=20.0)
    assert [name for _, name in asked(stage, "delete")] == ["web-1"]


def test_a_pod_that_is_seen_gone_before_its_deletion_is_answered_is_told_of_all_the_same() -> None:
    cluster = a_cluster(a_pod("web-1"), budgets=(a_budget("web", max_unavailable="0"),), stop_seconds=lambda _pod: 0.0)
    stage = Stage(cluster).notice("i-1", 10.0).play(until=128.0)
    (record,) = stage.incident().pods
    assert (record.fate, record.past_budget) == (Fate.GONE, True)
    assert any("PodPastBudget web-1: " in tiding for tiding in cluster.tidings)


def test_never_leaves_the_pod_to_die_with_its_machine_and_says_so() -> None:
    policy = replace(POLICY, interruption_past_budget=PastBudget.NEVER)
    cluster = a_cluster(a_pod("web-1"), budgets=(a_budget("web", max_unavailable="0"),))
    stage = Stage(cluster, policy=policy).notice("i-1", 10.0).play(until=400.0)
    assert [order.grace_seconds for _, _, order in stage.cluster.orders] == [0]
    assert stage.cluster.orders[0][0] > 130.0
    assert stage.incident().pods[0].fate is Fate.KILLED


def test_one_disruption_goes_to_the_node_that_goes_first() -> None:
    pods = (a_pod("web-1", "n-1"), a_pod("web-2", "n-2"), a_pod("web-3", "n-3"))
    cluster = a_cluster(*pods, nodes=4, budgets=(a_budget("web", min_available="3"),), remakes=False)
    stage = Stage(cluster).notice("i-1", 30.0).notice("i-2", 10.0).play(until=40.0)
    assert asked(stage, "evict") == []
    stage.at(40.0, lambda: cluster.budgets.update({"default/web": a_budget("web", min_available="2")}))
    stage.play(until=45.0)
    assert [name for _, name in asked(stage, "evict")] == ["web-2"]


def test_a_budget_that_is_not_worked_out_yet_is_waited_for() -> None:
    cluster = a_cluster(a_pod("web-1"))
    busy = PodAnswer(uid="uid-web-1", result=PodResult.BUSY, reason="not yet processed", retry_after_seconds=10.0)
    cluster.refuses = lambda _order: busy if cluster.time < 15.0 else None
    stage = Stage(cluster).notice("i-1", 10.0).play(until=60.0)
    times = [time for time, _ in asked(stage, "evict")]
    assert len(times) == 2
    assert times[1] - times[0] == pytest.approx(10.0, abs=0.3)


def test_an_admission_webhook_that_refuses_is_named_and_asked_again() -> None:
    cluster = a_cluster(a_pod("web-1"))
    no = PodAnswer(uid="uid-web-1", result=PodResult.REFUSED, reason="admission webhook says no")
    cluster.refuses = lambda _order: no if cluster.time < 30.0 else None
    stage = Stage(cluster).notice("i-1", 10.0).play(until=29.0)
    assert stage.incident().pods[0].reason == "admission webhook says no"
    stage.play(until=60.0)
    assert stage.incident().drained


def test_a_server_that_fails_is_asked_again_with_growing_pauses() -> None:
    cluster = a_cluster(a_pod("web-1"))
    failure = PodAnswer(uid="uid-web-1", result=PodResult.FAILED, reason="500")
    cluster.refuses = lambda _order: failure if cluster.time < 20.0 else None
    stage = Stage(cluster).notice("i-1", 10.0).play(until=60.0)
    assert 3 <= len(asked(stage, "evict")) <= 6
    assert stage.incident().drained
