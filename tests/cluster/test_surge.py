"""One more pod first, with real Deployments: nobody has an outage where nothing forces one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from spotward.kube.resources import AUTOSCALERS, DEPLOYMENTS
from spotward.kube.workloads import WorkloadHands
from spotward.model.errors import Permanent
from spotward.model.incident import Incident
from spotward.model.node_action import ScaleWorkload
from spotward.model.workload import SurgeState, Workload
from tests.cluster.stage import Stage, on_stage
from tests.cluster.watchman import POLICY, watching

WANTED = replace(POLICY, surge=True)
IN_AN_HOUR = 3600.0


async def web(stage: Stage) -> Workload:
    seen = await WorkloadHands(stage.owner).look(stage.namespace, "web")
    assert seen is not None
    return seen


@asynccontextmanager
async def least_available(stage: Stage) -> AsyncIterator[list[int]]:
    """How many of its pods served at each moment."""
    counts: list[int] = []

    async def count() -> None:
        while True:
            counts.append(sum(pod.ready and not pod.leaving for pod in await stage.pods(app="web")))
            await asyncio.sleep(0.05)

    counting = asyncio.create_task(count())
    try:
        yield counts
    finally:
        counting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await counting


@on_stage
async def test_a_single_replica_behind_a_budget_is_moved_without_a_moment_of_outage(
    stage: Stage, tmp_path: Path
) -> None:
    first = await stage.node()
    (pod,) = await stage.deployment("web", 1)
    await stage.budget("web", "web", minAvailable=1)
    second = await stage.node()
    async with watching(stage, tmp_path, WANTED) as spotward, least_available(stage) as counts:
        spotward.maintenance(first, seconds=IN_AN_HOUR)
        incident = await spotward.drained(first)
        assert [record.past_budget for record in incident.pods] == [False]
        await stage.until(lambda: web(stage), lambda seen: seen.replicas == 1 and seen.available == 1)
        pods = await stage.until(lambda: stage.pods(app="web"), lambda seen: len(seen) == 1)
        assert (pods[0].node, pods[0].uid != pod.uid) == (second.name, True)
        assert min(counts) >= 1
        sizes = [action.replicas for action in spotward.hands.done if isinstance(action, ScaleWorkload)]
        assert sizes == [2, 1]


@on_stage
async def test_stopped_while_a_pod_is_lent_the_next_one_waits_for_it_and_puts_the_number_back(
    stage: Stage, tmp_path: Path
) -> None:
    first = await stage.node()
    (pod,) = await stage.deployment("web", 1)
    await stage.node()
    with stage.control_plane.frozen("kube-scheduler"):
        async with watching(stage, tmp_path, WANTED) as spotward:
            spotward.maintenance(first, seconds=IN_AN_HOUR)

            async def lent() -> Incident | None:
                return spotward.incident(first)

            await stage.until(lent, lambda i: i is not None and SurgeState.RAISED in {s.state for s in i.surges})
        assert not (await stage.pod_now(pod.name)).leaving
        assert (await web(stage)).replicas == 2
    async with watching(stage, tmp_path, WANTED) as spotward, least_available(stage) as counts:
        await spotward.drained(first)
        assert min(counts) >= 1
        await stage.until(lambda: web(stage), lambda seen: seen.replicas == 1 and seen.available == 1)
        assert await stage.pod_now(pod.name) is None


@on_stage
async def test_what_an_autoscaler_or_an_owner_sets_is_theirs(stage: Stage) -> None:
    await stage.node()
    await stage.deployment("web", 1)
    hands = WorkloadHands(stage.kube)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    scaler = {"metadata": {"name": "by-load"}, "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3}}
    await stage.create(AUTOSCALERS, scaler, stage.namespace)
    seen = await hands.look(stage.namespace, "web", autoscaler=True)
    assert seen is not None
    assert (seen.autoscaler, seen.ours) == ("the HorizontalPodAutoscaler by-load", False)

    for _ in range(2):  # repeated after a crash, it finds its own work done
        await hands.scale(stage.namespace, "web", seen.uid, before=1, replicas=2)
        assert ((await web(stage)).replicas, (await web(stage)).ours) == (2, True)
    body = {"spec": {"replicas": 3}}
    await stage.owner.json("patch", DEPLOYMENTS, namespace=stage.namespace, name="web", body=body)
    await stage.owner.json("patch", DEPLOYMENTS, namespace=stage.namespace, name="web", body={"spec": {"replicas": 2}})
    await hands.scale(stage.namespace, "web", seen.uid, before=2, replicas=1)
    assert (await web(stage)).replicas == 2, "the same number, and yet the owner's by now"
    with pytest.raises(Permanent, match="wants 2 pods by now"):
        await hands.scale(stage.namespace, "web", seen.uid, before=1, replicas=3)
    assert await hands.look(stage.namespace, "nowhere") is None
