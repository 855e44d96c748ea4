"""The agent of a node and `spotward run` hear of the same end, the one from the machine and the other from the queue.

Whoever hears first acts. The other finds what stands on the node and on its pods, and asks nothing of them a second
time.
"""

import asyncio
import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from spotward.engine.store import SqliteStore
from spotward.kube.nodes import NOTE
from spotward.kube.resources import BUDGETS, EVENTS
from spotward.model.cluster import Pod
from tests.cli.program import Program, Running
from tests.cli.scenery import Scenery
from tests.cluster.agents import Agent, Machine, machine
from tests.cluster.queue_scenes import EMPTY_SECONDS_MAX, daemon, is_empty, put
from tests.cluster.stage import Stage, on_stage
from tests.emulator.clients import eventually

INTERRUPTED = "  - {at: 0, interruption: {action: terminate, in: 10m}}"
"""Long before it ends, however busy the machine is: a deadline that is near would shorten graces."""

SLOW = {"stops": "at-the-end"}
GRACE_SECONDS = 40
"""So long the pod is on its way when the second hears."""

AGENT = "nodes: {tell_cluster: false, watch_seconds: 1}"
"""Beside the daemon, which tells it: only one of two is to speak."""

LONG_SECONDS = 90.0
"""A busy machine may be slow."""

pytestmark = [pytest.mark.timeout(300)]


def evicted(pages: Iterable[dict[str, Any]]) -> list[str]:
    """Every order to move pods, in its words."""
    return [words for page in pages for words in page.get("asked", ()) if words.startswith(("evict", "delete"))]


def pages_of(running: Running) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in running.said.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "page"]


async def on_its_way(stage: Stage, pod: Pod) -> Pod:
    seen: Pod | None = await stage.until(lambda: stage.pod_now(pod.name), lambda each: each is None or each.leaving)
    assert seen is not None, "it is gone already: its grace is too short for this test"
    return seen


async def noted(place: Machine) -> str:
    return (await place.now()).annotations.get(NOTE, "")


async def both_say_it_is_empty(agent: Agent, running: Running) -> None:
    await agent.said("is empty", seconds_max=LONG_SECONDS)
    await asyncio.to_thread(eventually, lambda: "is empty" in running.said, seconds_max=LONG_SECONDS)


async def incidents_in(state: Path) -> int:
    store = SqliteStore.to_read(state)
    try:
        return len(await store.undertakings())
    finally:
        await store.close()


async def speakers(stage: Stage, place: Machine) -> set[str]:
    """Who wrote Kubernetes Events about the node."""
    said = await stage.owner.json("list", EVENTS)
    about = [each for each in said["items"] if each.get("regarding", {}).get("name") == place.node.name]
    return {each["reportingInstance"] for each in about if each.get("reportingController", "").startswith("spotward")}


async def hear_from_queue(region: Scenery, place: Machine) -> None:
    detail = {"instance-id": place.node.instance_id, "instance-action": "terminate"}
    warn = partial(put, region, "EC2 Spot Instance Interruption Warning", "aws.ec2", detail)
    await asyncio.to_thread(warn)
    await asyncio.to_thread(eventually, lambda: is_empty(region), seconds_max=EMPTY_SECONDS_MAX)


async def one_incident_each(tmp_path: Path, program: Program) -> None:
    assert await incidents_in(tmp_path / "state" / "agent") == 1
    assert await incidents_in(program.state) == 1


@on_stage
async def test_the_agent_hears_first(
    stage: Stage, tmp_path: Path, region: Scenery, program: Program, spot: str
) -> None:
    async with machine(stage, tmp_path, INTERRUPTED, instance=spot) as place:
        pod = await stage.pod(place.node, play=SLOW, terminationGracePeriodSeconds=GRACE_SECONDS)
        with daemon(program, region) as running:
            async with place.agent(config=AGENT) as agent:
                before, set_by_agent = await on_its_way(stage, pod), await noted(place)
                await hear_from_queue(region, place)
                after = await stage.pod_now(pod.name)
                assert after is None or after.deletion_time == before.deletion_time, "its grace is as it was"
                await both_say_it_is_empty(agent, running)
                assert await noted(place) == set_by_agent
                assert len(evicted(agent.pages)) == 1
                assert evicted(pages_of(running)) == []
                assert len(await speakers(stage, place)) == 1
        await one_incident_each(tmp_path, program)


@on_stage
async def test_the_queue_hears_first(
    stage: Stage, tmp_path: Path, region: Scenery, program: Program, spot: str
) -> None:
    async with machine(stage, tmp_path, INTERRUPTED, instance=spot) as place:
        pod = await stage.pod(place.node, play=SLOW, terminationGracePeriodSeconds=GRACE_SECONDS)
        with daemon(program, region) as running:
            await hear_from_queue(region, place)
            before, set_by_daemon = await on_its_way(stage, pod), await noted(place)
            async with place.agent(config=AGENT) as agent:
                await agent.said('"page"')
                after = await stage.pod_now(pod.name)
                assert after is None or after.deletion_time == before.deletion_time, "its grace is as it was"
                await both_say_it_is_empty(agent, running)
                assert await noted(place) == set_by_daemon
                assert evicted(agent.pages) == []
                assert len(evicted(pages_of(running))) == 1
                assert len(await speakers(stage, place)) == 1
        await one_incident_each(tmp_path, program)


@pytest.mark.parametrize("kept", [True, False], ids=["with its journal", "without its journal"])
@on_stage
async def test_an_agent_that_is_killed_in_the_middle_goes_on_where_it_was(
    stage: Stage, tmp_path: Path, kept: bool
) -> None:
    async with machine(stage, tmp_path, INTERRUPTED) as place:
        await stage.budget("held", "held", maxUnavailable=0)
        slow = await stage.pod(place.node, play=SLOW, terminationGracePeriodSeconds=2 * GRACE_SECONDS)
        held = await stage.pod(place.node, labels={"app": "held"})
        async with place.agent(config=AGENT):
            before, set_before = await on_its_way(stage, slow), await noted(place)
        again = () if kept else ("--state", str(tmp_path / "another"))
        async with place.agent(*again, config=AGENT) as agent:
            await stage.owner.json("delete", BUDGETS, namespace=stage.namespace, name="held")
            await stage.until(lambda: stage.pod_now(held.name), lambda seen: seen is None, seconds_max=LONG_SECONDS)
            after = await stage.pod_now(slow.name)
            assert after is None or after.deletion_time == before.deletion_time, "nobody asked it again"
            assert await noted(place) == set_before
            assert evicted(agent.pages) == [f"evict {held.id} from {place.node.name}"]
            assert (await place.now()).unschedulable
