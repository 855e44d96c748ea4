"""Incidents from their notice to their end, decided by the real core and carried out in a real cluster."""

from pathlib import Path
from typing import Any

from spotward.kube.resources import EVENTS, NODES
from spotward.model.cluster import EXCLUDE_FROM_LOAD_BALANCERS_LABEL, Node
from spotward.model.event import InstanceGone, NoticeWithdrawn
from spotward.model.incident import Fate
from tests.cluster.stage import Stage, on_stage
from tests.cluster.watchman import CLOCK, REGION, instance_of, watching

# ---- plays ---------------------------------------------------------------------------------------------------------


@on_stage
async def test_a_noticed_node_is_cordoned_emptied_and_told_of(stage: Stage, tmp_path: Path) -> None:
    first = await stage.node()
    await stage.deployment("web", 3)
    second = await stage.node()
    async with watching(stage, tmp_path) as spotward:
        spotward.notice(first, seconds=60.0)
        incident = await spotward.drained(first)
        assert {record.fate for record in incident.pods} == {Fate.GONE}
        seen = await stage.node_now(first.name)
        assert seen.unschedulable
        assert seen.has_taint("spotward.io/leaving", "NoSchedule")
        assert EXCLUDE_FROM_LOAD_BALANCERS_LABEL in seen.labels
        await stage.until(
            lambda: stage.pods(app="web"),
            lambda pods: len(pods) == 3 and all(pod.ready and pod.node == second.name for pod in pods),
        )
        await stage.until(lambda: events_about(stage, first), lambda reasons: "SpotInterruption" in reasons)
        evictions = [order.uid for action in spotward.hands.done for order in getattr(action, "pods", ())]
        assert len(evictions) == len(set(evictions)) == 3


async def events_about(stage: Stage, node: Node) -> list[str]:
    listed = await stage.owner.json("list", EVENTS, namespace="default")
    return [item["reason"] for item in listed["items"] if (item.get("regarding") or {}).get("name") == node.name]


@on_stage
async def test_two_replicas_behind_one_budget_go_one_after_the_other(stage: Stage, tmp_path: Path) -> None:
    first = await stage.node()
    await stage.deployment("web", 2)
    await stage.budget("web", "web", maxUnavailable=1)
    await stage.node()
    async with watching(stage, tmp_path) as spotward:
        spotward.notice(first, seconds=60.0)
        incident = await spotward.drained(first)
        assert [record.past_budget for record in incident.pods] == [False, False]


@on_stage
async def test_what_came_to_nothing_is_taken_back_and_what_was_there_before_stays(stage: Stage, tmp_path: Path) -> None:
    theirs = {"key": "theirs", "value": "yes", "effect": "NoSchedule"}
    node = await stage.node(taints=[theirs])
    async with watching(stage, tmp_path) as spotward:
        spotward.notice(node, seconds=60.0)
        await stage.until(lambda: stage.node_now(node.name), lambda seen: seen.unschedulable)
        withdrawn = NoticeWithdrawn(
            time=CLOCK.now(), region=REGION, instance_id=instance_of(node), notice="interruption"
        )
        spotward.news.say(withdrawn)
        # The cluster's own taint of a cordoned node goes a moment after the cordon.
        seen = await stage.until(
            lambda: stage.node_now(node.name),
            lambda seen: not seen.unschedulable and {taint.key for taint in seen.taints} == {"theirs"},
        )
        assert EXCLUDE_FROM_LOAD_BALANCERS_LABEL not in seen.labels
        assert not seen.annotations


@on_stage
async def test_stopped_in_the_middle_the_next_one_goes_on_where_it_was(stage: Stage, tmp_path: Path) -> None:
    first = await stage.node()
    pods = await stage.deployment("web", 2, terminationGracePeriodSeconds=4)
    await stage.budget("web", "web", maxUnavailable=0)
    await stage.node()
    async with watching(stage, tmp_path) as spotward:
        spotward.notice(first, seconds=20.0)
        await stage.until(lambda: stage.node_now(first.name), lambda seen: seen.unschedulable)
        key = (spotward.incident(first) or _none()).key
    async with watching(stage, tmp_path) as spotward:
        incident = await spotward.drained(first)
        assert incident.key == key
        assert {record.uid for record in incident.pods} == {pod.uid for pod in pods}
        assert all(record.past_budget for record in incident.pods)


def _none() -> Any:
    raise AssertionError("no incident was opened")


@on_stage
async def test_the_node_of_a_machine_that_is_off_is_cleared_up(stage: Stage, tmp_path: Path) -> None:
    node = await stage.node()
    pod = await stage.pod(node, terminationGracePeriodSeconds=3600, play={"stops": "at-the-end"})
    async with watching(stage, tmp_path) as spotward:
        gone = InstanceGone(time=CLOCK.now(), region=REGION, instance_id=instance_of(node), state="terminated")
        spotward.news.say(gone)

        async def is_there() -> int:
            return (await stage.owner.answer("get", NODES, name=node.name)).status

        await stage.until(is_there, lambda status: status == 404)
        await stage.until(lambda: stage.pod_now(pod.name), lambda seen: seen is None)
        kinds = [action.kind for action in spotward.hands.done]
        assert kinds.count("mark-out-of-service") == 1
        assert kinds.count("delete-pods") == 1
        assert kinds.count("delete-node") == 1
