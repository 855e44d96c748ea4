"""Every answer that a real API server gives when a pod is asked to go."""

import asyncio
import time
from dataclasses import replace
from typing import Any

from spotward.engine.clock import SystemClock
from spotward.kube.answers import (
    BlockedByBudget,
    BudgetTrouble,
    EvictionAnswer,
    Forbidden,
    Leaving,
    NamespaceTerminating,
    PodGone,
    RateLimited,
    TooManyBudgets,
    Unanswered,
)
from spotward.kube.client import Kube
from spotward.kube.pods import PodHands
from spotward.kube.resources import BUDGETS, PODS
from spotward.model.cluster import Pod
from spotward.model.node_action import PodOrder
from tests.cluster.control_plane import NOBODY
from tests.cluster.rules_of_the_house import one_seat_for, policy
from tests.cluster.stage import NAMESPACES, Stage, on_stage, order
from tests.ports import free_port


def hands(stage: Stage) -> PodHands:
    return PodHands(stage.kube)


def stranger(pod: Pod) -> PodOrder:
    """An order for a pod that had this one's name once."""
    return PodOrder(namespace=pod.namespace, name=pod.name, uid="00000000-0000-0000-0000-000000000000")


@on_stage
async def test_a_pod_without_a_budget_leaves(stage: Stage) -> None:
    pod = await stage.pod(await stage.node())
    assert await hands(stage).evict(order(pod)) == Leaving()
    await stage.until(lambda: stage.pod_now(pod.name), lambda seen: seen is None)


@on_stage
async def test_asked_twice_it_is_leaving_or_gone(stage: Stage) -> None:
    pod = await stage.pod(await stage.node(), play={"stops-after": "2s"})
    assert await hands(stage).evict(order(pod)) == Leaving()
    assert await hands(stage).evict(order(pod)) == Leaving()
    await stage.until(lambda: stage.pod_now(pod.name), lambda seen: seen is None)
    assert await hands(stage).evict(order(pod)) == PodGone()


@on_stage
async def test_a_pod_made_again_under_the_same_name_is_not_meant(stage: Stage) -> None:
    pod = await stage.pod(await stage.node())
    assert await hands(stage).evict(stranger(pod)) == PodGone()
    assert await hands(stage).delete(stranger(pod)) == PodGone()
    assert not (await stage.pod_now(pod.name)).leaving


@on_stage
async def test_a_budget_with_nothing_left_blocks_and_says_why(stage: Stage) -> None:
    await stage.node()
    (pod,) = await stage.deployment("web", 1)
    await stage.budget("web-budget", "web", minAvailable=1)
    answer = await hands(stage).evict(order(pod))
    assert isinstance(answer, BlockedByBudget)
    assert (answer.budget, answer.retry_after_seconds, answer.never) == ("web-budget", 0.0, False)
    assert "needs 1 healthy pods and has 1" in answer.reason


@on_stage
async def test_a_dry_run_asks_the_budget_and_takes_nothing_from_it(stage: Stage) -> None:
    await stage.node()
    pods = await stage.deployment("web", 2)
    await stage.budget("web-budget", "web", minAvailable=1)
    for pod in pods:
        assert await hands(stage).evict(order(pod), dry_run=True) == Leaving()
    assert [pod.leaving for pod in await stage.pods(app="web")] == [False, False]


@on_stage
async def test_of_two_replicas_the_budget_lets_one_go_at_a_time(stage: Stage) -> None:
    await stage.node()
    pods = await stage.deployment("web", 2)
    await stage.budget("web-budget", "web", minAvailable=1)
    with stage.control_plane.frozen("kube-controller-manager"):  # else another pod may be ready in between
        first, second = [await hands(stage).evict(order(pod)) for pod in pods]
    assert first == Leaving()
    assert isinstance(second, BlockedByBudget)


@on_stage
async def test_a_budget_that_its_controller_has_not_seen_yet_asks_to_be_asked_again(stage: Stage) -> None:
    pod = await stage.pod(await stage.node(), labels={"app": "web"})
    with stage.control_plane.frozen("kube-controller-manager"):
        await stage.budget("web-budget", "web", settled=False, maxUnavailable=1)
        answer = await hands(stage).evict(order(pod))
    assert isinstance(answer, BlockedByBudget)
    assert answer.retry_after_seconds == 10.0
    assert answer.budget == "web-budget"


@on_stage
async def test_a_budget_that_cannot_be_worked_out_is_told_from_one_that_is_used_up(stage: Stage) -> None:
    pod = await stage.pod(await stage.node())
    await stage.budget("odd-budget", "odd", maxUnavailable="50%")
    owner = {"apiVersion": "example.com/v1", "kind": "Odd", "name": "odd", "uid": pod.uid, "controller": True}
    body: dict[str, Any] = {"metadata": {"ownerReferences": [owner], "labels": {"app": "odd"}}}
    await stage.owner.json("patch", PODS, namespace=stage.namespace, name=pod.name, body=body)
    answer = await stage.until(
        lambda: hands(stage).evict(order(pod), dry_run=True),
        # The controller first works the budget out for no pods at all, and only then fails for this one.
        lambda seen: isinstance(seen, BlockedByBudget) and seen.never,
    )
    assert isinstance(answer, BlockedByBudget)
    assert "failed sync" in answer.reason


@on_stage
async def test_a_pod_that_nobody_makes_again_is_blocked_for_ever_by_a_budget_on_the_unavailable(stage: Stage) -> None:
    pod = await stage.pod(await stage.node(), labels={"app": "bare"})
    seen = await stage.budget("bare-budget", "bare", maxUnavailable=1)
    answer = await hands(stage).evict(order(pod))
    assert isinstance(answer, BlockedByBudget)
    assert answer.reason == "The disruption budget bare-budget does not allow evicting pods currently"
    assert seen["status"]["expectedPods"] == 0


@on_stage
async def test_two_budgets_over_one_pod_never_let_it_go(stage: Stage) -> None:
    await stage.node()
    (pod,) = await stage.deployment("web", 1)
    for name in ("one", "two"):
        await stage.budget(name, "web", maxUnavailable=1)
    answer = await hands(stage).evict(order(pod))
    assert isinstance(answer, TooManyBudgets)
    assert await hands(stage).delete(order(pod)) == Leaving()


@on_stage
async def test_a_pod_that_is_not_ready_goes_when_its_budget_says_always(stage: Stage) -> None:
    node = await stage.node()
    pod = await stage.pod(node, labels={"app": "sick"}, play={"ready": "false"})
    await stage.budget("sick-budget", "sick", minAvailable=1)
    assert isinstance(await hands(stage).evict(order(pod)), BlockedByBudget)
    other = await stage.pod(node, labels={"app": "worse"}, play={"ready": "false"})
    await stage.budget("worse-budget", "worse", minAvailable=1, unhealthyPodEvictionPolicy="AlwaysAllow")
    assert await hands(stage).evict(order(other)) == Leaving()


@on_stage
async def test_more_evictions_than_a_budget_can_keep_are_trouble_and_no_refusal(stage: Stage) -> None:
    await stage.node()
    (pod,) = await stage.deployment("web", 1)
    budget = await stage.budget("web-budget", "web", maxUnavailable=1)
    with stage.control_plane.frozen("kube-controller-manager"):
        lost = {f"lost-{number}": "2026-01-01T00:00:00Z" for number in range(2001)}
        body = {"status": {**budget["status"], "disruptedPods": lost, "disruptionsAllowed": 1}}
        await stage.owner.json(
            "patch", BUDGETS, namespace=stage.namespace, name="web-budget", subresource="status", body=body
        )
        answer = await hands(stage).evict(order(pod))
    assert isinstance(answer, BudgetTrouble)
    assert "too many evictions" in answer.reason


@on_stage
async def test_in_a_namespace_that_is_being_deleted_there_is_nothing_to_ask(stage: Stage) -> None:
    pod = await stage.pod(await stage.node(), play={"stops": "at-the-end"}, terminationGracePeriodSeconds=20)
    await stage.owner.json("delete", NAMESPACES, name=stage.namespace)
    assert await hands(stage).evict(order(pod)) == NamespaceTerminating()


@on_stage
async def test_without_the_right_to_evict_the_answer_names_the_role(stage: Stage) -> None:
    pod = await stage.pod(await stage.node())
    nobody = stage.as_user(NOBODY)
    answer = await PodHands(nobody).evict(order(pod))
    nobody.close()
    assert isinstance(answer, Forbidden)
    assert "deploy/clusterrole.yaml" in answer.reason


@on_stage
async def test_a_policy_of_the_cluster_may_refuse_with_its_own_words(stage: Stage) -> None:
    pod = await stage.pod(await stage.node(), labels={"keep": "yes"})
    async with policy(stage, "pods/eviction", "CREATE", "false", "this pod is not to be evicted"):
        answer = await stage.until(lambda: hands(stage).evict(order(pod), dry_run=True), lambda seen: seen != Leaving())
    assert isinstance(answer, Forbidden)
    assert "this pod is not to be evicted" in answer.reason


@on_stage
async def test_the_servers_own_fairness_slows_everything_down_and_is_not_taken_for_a_budget(stage: Stage) -> None:
    pod = await stage.pod(await stage.node())
    nobody = stage.as_user(NOBODY)

    async def crowd() -> list[EvictionAnswer]:
        return await asyncio.gather(*(PodHands(nobody).evict(order(pod)) for _ in range(60)))

    async with one_seat_for(stage, NOBODY):
        answers = await stage.until(crowd, lambda seen: any(isinstance(each, RateLimited) for each in seen))
        limited = [each for each in answers if isinstance(each, RateLimited)]
        begun = time.perf_counter()
        await PodHands(nobody).evict(order(pod))
    assert all(each.retry_after_seconds >= 1.0 for each in limited)
    assert nobody.slowed["create pods/eviction"] == len(limited)
    assert time.perf_counter() - begun >= 0.5, "the next call did not wait as the server asked"
    nobody.close()


@on_stage
async def test_a_server_that_is_gone_leaves_the_question_open(stage: Stage) -> None:
    gone = replace(stage.kube.cluster, server=f"https://127.0.0.1:{free_port()}")
    answer = await PodHands(Kube(gone, clock=SystemClock())).evict(
        PodOrder(namespace="default", name="web-1", uid="u-1")
    )
    assert isinstance(answer, Unanswered)
    assert gone.server in answer.reason


# ---- grace -------------------------------------------------------------------------------------------------------


@on_stage
async def test_a_shorter_grace_is_given_with_the_eviction(stage: Stage) -> None:
    pod = await stage.pod(await stage.node(), play={"stops": "at-the-end"}, terminationGracePeriodSeconds=300)
    assert await hands(stage).evict(order(pod, grace_seconds=5)) == Leaving()
    assert (await stage.pod_now(pod.name)).deletion_grace_seconds == 5.0
    await stage.until(lambda: stage.pod_now(pod.name), lambda seen: seen is None)


@on_stage
async def test_a_running_grace_is_cut_short_by_a_delete(stage: Stage) -> None:
    pod = await stage.pod(await stage.node(), play={"stops": "at-the-end"}, terminationGracePeriodSeconds=300)
    assert await hands(stage).evict(order(pod)) == Leaving()
    assert (await stage.pod_now(pod.name)).deletion_grace_seconds == 300.0
    assert await hands(stage).delete(order(pod, grace_seconds=1)) == Leaving()
    await stage.until(lambda: stage.pod_now(pod.name), lambda seen: seen is None)


@on_stage
async def test_a_grace_of_nothing_is_a_second_because_zero_would_not_wait_for_the_end(stage: Stage) -> None:
    pod = await stage.pod(await stage.node(), play={"stops-after": "20s"}, terminationGracePeriodSeconds=300)
    assert await hands(stage).delete(order(pod, grace_seconds=0)) == Leaving()
    assert (await stage.pod_now(pod.name)).deletion_grace_seconds == 1.0


@on_stage
async def test_removing_takes_a_pod_off_the_list_at_once(stage: Stage) -> None:
    pod = await stage.pod(await stage.node(), play={"stops": "at-the-end"}, terminationGracePeriodSeconds=300)
    assert await hands(stage).remove(order(pod)) == Leaving()
    assert await stage.pod_now(pod.name) is None


@on_stage
async def test_a_finalizer_holds_a_pod_that_was_told_to_go_and_its_value_says_so(stage: Stage) -> None:
    pod = await stage.pod(await stage.node())
    held: dict[str, Any] = {"metadata": {"finalizers": ["spotward.io/test"]}}
    await stage.owner.json("patch", PODS, namespace=stage.namespace, name=pod.name, body=held)
    assert await hands(stage).evict(order(pod)) == Leaving()
    seen = await stage.pod_now(pod.name)
    assert (seen.leaving, seen.finalizers) == (True, ("spotward.io/test",))
    released: dict[str, Any] = {"metadata": {"finalizers": None}}
    await stage.owner.json("patch", PODS, namespace=stage.namespace, name=pod.name, body=released)
