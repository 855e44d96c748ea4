"""Budgets that can never open, on a real API server: each is resolved as the ladder says, and before the deadline.

Each play has all the deadlocks at once, because most of a play is waiting for its last moments.
"""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from spotward.kube.resources import BUDGETS, DEPLOYMENTS, EVENTS
from spotward.model.incident import Fate, Incident, PodRecord
from spotward.model.node_action import DeletePods
from tests.cluster.stage import Stage, on_stage
from tests.cluster.watchman import POLICY, watching

NOTICE_SECONDS = 24.0
GRACE_SECONDS = 4
RESERVE_SECONDS = 6.0
IN_AN_HOUR = 3600.0
APPS = ("zero", "single", "twice", "doomed")


async def deadlocked(stage: Stage) -> None:
    """Deployments whose budgets let none of their pods go."""
    for app, replicas in (("zero", 2), ("single", 1), ("twice", 1)):
        await stage.deployment(app, replicas, terminationGracePeriodSeconds=GRACE_SECONDS)
    await stage.budget("zero", "zero", maxUnavailable=0)
    await stage.budget("single", "single", minAvailable=1)
    await stage.budget("one", "twice", maxUnavailable=1)
    await stage.budget("two", "twice", maxUnavailable=1)


def of_app(incidents: list[Incident], app: str) -> list[PodRecord]:
    return [record for incident in incidents for record in incident.pods if record.name.startswith(f"{app}-")]


def reasons(incident: Incident) -> dict[str, str]:
    """App → why its pods are held, without the numbers."""
    held = (record for record in incident.pods if record.reason)
    return {record.name.partition("-")[0]: record.reason.partition(" (")[0] for record in held}


async def told(stage: Stage, pod: str) -> dict[str, str]:
    """Reason → text of the Kubernetes Events about a pod."""
    listed = await stage.owner.json("list", EVENTS, namespace=stage.namespace)
    about = [item for item in listed["items"] if (item.get("regarding") or {}).get("name") == pod]
    return {str(item["reason"]): str(item.get("note", "")) for item in about}


def apart(app: str) -> dict[str, Any]:
    """No two pods of the deployment share a node."""
    term = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": "kubernetes.io/hostname"}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


@on_stage
async def test_each_deadlock_is_passed_at_its_last_moment_and_its_pods_stop_in_good_order(
    stage: Stage, tmp_path: Path
) -> None:
    """Where all replicas are doomed, what the budget allows goes at once and the rest at the last moment."""
    nodes = [await stage.node(), await stage.node()]
    await deadlocked(stage)
    await stage.deployment("doomed", 2, terminationGracePeriodSeconds=GRACE_SECONDS, affinity=apart("doomed"))
    await stage.budget("doomed", "doomed", maxUnavailable=1)
    policy = replace(POLICY, reserve_seconds=RESERVE_SECONDS)
    async with watching(stage, tmp_path, policy) as spotward:
        for node in nodes:
            spotward.notice(node, seconds=NOTICE_SECONDS)
        incidents = [await spotward.drained(node) for node in nodes]
        for incident in incidents:
            assert incident.drained_time is not None
            assert incident.deadline is not None
            assert incident.drained_time < incident.deadline
            assert {(record.fate, record.given_seconds) for record in incident.pods} == {(Fate.GONE, None)}
        last_moment = min(i.deadline or 0.0 for i in incidents) - RESERVE_SECONDS - GRACE_SECONDS
        for action, time in zip(spotward.hands.done, spotward.hands.times, strict=True):
            assert not isinstance(action, DeletePods) or time >= last_moment
        passed = {app: sorted(r.past_budget for r in of_app(incidents, app)) for app in APPS}
        assert passed == {"zero": [True, True], "single": [True], "twice": [True], "doomed": [False, True]}
        (single,) = of_app(incidents, "single")
        events = await stage.until(lambda: told(stage, single.name), lambda said: "PodPastBudget" in said)
        assert "needs its only replica" in events["PodPastBudget"]


@on_stage
async def test_maintenance_passes_no_budget_and_says_what_holds_it_up_until_its_owner_gives_way(
    stage: Stage, tmp_path: Path
) -> None:
    first = await stage.node()
    await deadlocked(stage)
    await stage.node()
    async with watching(stage, tmp_path) as spotward:
        spotward.maintenance(first, seconds=IN_AN_HOUR)

        async def held() -> dict[str, str]:
            incident = spotward.incident(first)
            return reasons(incident) if incident is not None else {}

        async def verdict() -> str:
            return spotward.live.world.verdicts.get(f"drain of {first.name}", "")

        wanted = {
            "zero": f"its budget {stage.namespace}/zero allows none to be missing",
            "single": f"its budget {stage.namespace}/single needs its only replica",
            "twice": "2 budgets cover it",
        }
        await stage.until(held, lambda known: known == wanted)
        await stage.until(verdict, lambda text: f"{first.name} is not empty" in text)
        await asyncio.sleep(2.0)
        here = [pod for app in APPS for pod in await stage.pods(app=app)]
        assert [pod.leaving for pod in here] == [False] * 4
        await give_way(stage)
        incident = await spotward.drained(first)
        assert not any(isinstance(action, DeletePods) for action in spotward.hands.done)
        assert [record.past_budget for record in incident.pods] == [False] * 4
        await stage.until(verdict, lambda text: not text)


async def give_way(stage: Stage) -> None:
    """What the owner of each would do."""
    patched = stage.owner.json
    space = stage.namespace
    await patched("patch", BUDGETS, namespace=space, name="zero", body={"spec": {"maxUnavailable": 1}})
    await patched("patch", DEPLOYMENTS, namespace=space, name="single", body={"spec": {"replicas": 2}})
    await patched("delete", BUDGETS, namespace=space, name="two")
