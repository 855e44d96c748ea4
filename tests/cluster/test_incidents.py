"""Incidents from their notice to their end, decided by the real core and carried out in a real cluster.

Only EC2 is played here: it answers where a machine stands. The notices leave some seconds instead of two minutes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from spotward.engine.clock import SystemClock
from spotward.engine.core import Core
from spotward.engine.deciders import deciders, guards
from spotward.engine.live import Live
from spotward.engine.live_policy import LivePolicy
from spotward.engine.ports import Delivery
from spotward.engine.store import SqliteStore, this_process
from spotward.groups.policy import GroupsPolicy
from spotward.kube.hands import ClusterHands
from spotward.kube.nodes import NodeHands
from spotward.kube.resources import EVENTS, NODES
from spotward.kube.surroundings import Surroundings
from spotward.model.action import Action, FindInstance
from spotward.model.cloud import Instance, Lifecycle
from spotward.model.cluster import EXCLUDE_FROM_LOAD_BALANCERS_LABEL, Node
from spotward.model.event import Done, Event, InstanceFound, InstanceGone, InterruptionNoticed, NoticeWithdrawn
from spotward.model.incident import Fate, Incident
from spotward.model.node_action import ClusterAction
from spotward.nodes.policy import NodesPolicy
from tests.cluster.stage import Stage, on_stage

REGION = "us-east-1"
CLUSTER = "real"
POLICY = NodesPolicy(cluster=CLUSTER, reserve_seconds=3.0, delete_node_seconds=1.0)
CLOCK = SystemClock()


class News:
    """A source that delivers what the test says, when it says so."""

    name = "news"

    def __init__(self) -> None:
        self._said: asyncio.Queue[Event] = asyncio.Queue()

    def say(self, event: Event) -> None:
        self._said.put_nowait(event)

    async def deliveries(self) -> AsyncIterator[Delivery]:
        while True:
            yield Delivery(event=await self._said.get())


class Hands:
    """The cluster's own for what the cluster does; for the rest an EC2 in which every machine runs."""

    def __init__(self, cluster: ClusterHands) -> None:
        self._cluster = cluster
        self.done: list[Action] = []

    async def do(self, action: Action, attempt: int) -> Event:
        self.done.append(action)
        if isinstance(action, ClusterAction):
            return await self._cluster.do(action, attempt)
        if isinstance(action, FindInstance):
            return _found(action, attempt)
        return Done(time=CLOCK.now(), key=action.key, attempt=attempt, subject=action.subject)


def _found(action: FindInstance, attempt: int) -> InstanceFound:
    instance = Instance(
        id=action.instance_id,
        region=REGION,
        az="us-east-1a",
        instance_type="m5.large",
        lifecycle=Lifecycle.SPOT,
        state="running",
        cluster=CLUSTER,
    )
    return InstanceFound(
        time=CLOCK.now(),
        key=action.key,
        attempt=attempt,
        region=REGION,
        instance_id=action.instance_id,
        instance=instance,
    )


class Watchman:
    """Spotward at work in the stage's cluster."""

    def __init__(self, stage: Stage, live: Live, news: News, hands: Hands) -> None:
        self.stage, self.live, self.news, self.hands = stage, live, news, hands

    def notice(self, node: Node, *, seconds: float) -> None:
        now = CLOCK.now()
        event = InterruptionNoticed(time=now, region=REGION, instance_id=_id(node), deadline=now + seconds)
        self.news.say(event)

    def incident(self, node: Node) -> Incident | None:
        return self.live.world.incidents.get(_id(node))

    async def drained(self, node: Node) -> Incident:
        async def look() -> Incident | None:
            return self.incident(node)

        seen = await self.stage.until(look, lambda incident: incident is not None and incident.drained)
        assert seen is not None
        return seen


def _id(node: Node) -> str:
    assert node.instance_id is not None
    return node.instance_id


@asynccontextmanager
async def watching(stage: Stage, place: Path, policy: NodesPolicy = POLICY) -> AsyncIterator[Watchman]:
    """Run it on a journal in that folder."""
    surroundings = Surroundings(stage.kube, cluster=CLUSTER, clock=CLOCK)
    node_hands = NodeHands(stage.kube, seen=surroundings.node)
    hands = Hands(ClusterHands(stage.kube, nodes=node_hands, watcher=surroundings, clock=CLOCK, instance="test"))
    store, news = SqliteStore.to_write(place), News()
    live = Live(
        core=Core(deciders(GroupsPolicy(), policy), guards(GroupsPolicy(), policy)),
        store=store,
        hands=hands,
        clock=CLOCK,
        owner=this_process(),
        sources=[surroundings, news],
        policy=LivePolicy(observe_seconds=0.0),
    )
    running = asyncio.create_task(live.run())
    try:
        yield Watchman(stage, live, news, hands)
    finally:
        live.stop()
        await running
        await store.close()


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
async def test_a_budget_that_never_opens_is_passed_at_the_last_moment_and_not_before(
    stage: Stage, tmp_path: Path
) -> None:
    first = await stage.node()
    (pod,) = await stage.deployment("web", 1, terminationGracePeriodSeconds=4)
    await stage.budget("web", "web", minAvailable=1)
    await stage.node()
    async with watching(stage, tmp_path) as spotward:
        spotward.notice(first, seconds=14.0)
        await asyncio.sleep(4.0)
        assert not (await stage.pod_now(pod.name)).leaving
        incident = await spotward.drained(first)
        assert [(record.past_budget, record.given_seconds) for record in incident.pods] == [(True, None)]
        assert incident.drained_time is not None
        assert incident.deadline is not None
        assert incident.drained_time < incident.deadline


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
        withdrawn = NoticeWithdrawn(time=CLOCK.now(), region=REGION, instance_id=_id(node), notice="interruption")
        spotward.news.say(withdrawn)
        seen = await stage.until(lambda: stage.node_now(node.name), lambda seen: not seen.unschedulable)
        assert {taint.key for taint in seen.taints} == {"theirs"}
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
        gone = InstanceGone(time=CLOCK.now(), region=REGION, instance_id=_id(node), state="terminated")
        spotward.news.say(gone)

        async def is_there() -> int:
            return (await stage.owner.answer("get", NODES, name=node.name)).status

        await stage.until(is_there, lambda status: status == 404)
        await stage.until(lambda: stage.pod_now(pod.name), lambda seen: seen is None)
        kinds = [action.kind for action in spotward.hands.done]
        assert kinds.count("mark-out-of-service") == 1
        assert kinds.count("delete-pods") == 1
        assert kinds.count("delete-node") == 1
