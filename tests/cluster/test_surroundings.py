"""What a real cluster shows, as the events that decisions are made from."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from spotward.engine.clock import SystemClock
from spotward.kube.pods import PodHands
from spotward.kube.resources import ATTACHMENTS, CLAIMS, NODES
from spotward.kube.surroundings import Surroundings
from spotward.model.cluster import Node, Pod
from spotward.model.cluster_view import ClusterView
from spotward.model.event import Event
from spotward.model.node_event import (
    AttachmentsSeen,
    BudgetsSeen,
    ClusterObservation,
    ClusterSilent,
    NodesSeen,
    PodsSeen,
)
from tests.cluster.control_plane import ControlPlane
from tests.cluster.stage import PATIENCE_SECONDS, Stage, on_stage, order


class Onlooker:
    """Hears everything, and knows the cluster as those do who decide."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.surroundings = surroundings
        self.view = ClusterView()
        self.events: list[Event] = []
        self._more = asyncio.Event()

    async def listen(self) -> None:
        async with aclosing(self.surroundings.deliveries()) as deliveries:
            async for delivery in deliveries:
                assert isinstance(delivery.event, ClusterObservation)
                self.fold(delivery.event)
                await delivery.acknowledge()

    def fold(self, event: ClusterObservation) -> None:
        self.events.append(event)
        self.view = self.view.after(event)
        self._more.set()

    async def ask(self, node: str) -> PodsSeen:
        """As the hands do: what is asked is an event as well."""
        seen = await self.surroundings.watch_pods(node, f"i-{node}")
        self.fold(seen)
        return seen

    async def until(self, holds: Callable[[ClusterView], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not holds(self.view):
                self._more.clear()
                await self._more.wait()

    def heard(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def looking_on(stage: Stage, only_node: str | None = None) -> AsyncIterator[Onlooker]:
    onlooker = Onlooker(Surroundings(stage.kube, cluster="test", clock=SystemClock(), only_node=only_node))
    listening = asyncio.create_task(onlooker.listen())
    try:
        yield onlooker
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def attach(stage: Stage, name: str, node: str) -> None:
    spec = {"attacher": "ebs.csi.aws.com", "nodeName": node, "source": {"persistentVolumeName": "pv-1"}}
    await stage.create(ATTACHMENTS, {"metadata": {"name": name}, "spec": spec})


@on_stage
async def test_a_view_of_the_cluster_follows_what_happens_in_it(stage: Stage) -> None:
    node = await stage.node()
    pods = [await stage.pod(node, labels={"app": "web"}) for _ in range(3)]
    async with looking_on(stage) as seen:
        await seen.until(lambda view: view.seen and node.name in view.nodes)
        assert node.instance_id is not None
        assert seen.view.node_for(node.instance_id) is not None
        await seen.ask(node.name)
        assert set(seen.view.pods[node.name].pods) == {pod.uid for pod in pods}

        await stage.budget("web", "web", minAvailable=1)
        await attach(stage, f"{stage.namespace}-a", node.name)
        await seen.until(lambda view: bool(view.budgets_of(pods[0])) and node.name in view.attachments)

        assert seen.surroundings.node(node.name) is not None
        await PodHands(stage.kube).delete(order(pods[0]))
        await seen.until(lambda view: pods[0].uid not in view.pods[node.name].pods)
        await stage.owner.answer("delete", ATTACHMENTS, name=f"{stage.namespace}-a")
        await seen.until(lambda view: node.name not in view.attachments)


@on_stage
async def test_pods_of_nodes_that_nobody_asked_about_are_told_to_nobody(stage: Stage) -> None:
    here, there = await stage.node(), await stage.node()
    async with looking_on(stage) as seen:
        await seen.ask(here.name)
        await stage.pod(there)
        told = await stage.pod(here)
        await seen.until(lambda view: told.uid in view.pods[here.name].pods)
        seen.surroundings.unwatch_pods(here.name)
        await stage.pod(here)
        await asyncio.sleep(1.0)
    assert {event.node for event in seen.events if isinstance(event, PodsSeen)} == {here.name}
    assert len(seen.view.pods[here.name].pods) == 1


@on_stage
async def test_a_hundred_pods_that_go_at_once_are_a_handful_of_events(stage: Stage) -> None:
    node = await stage.node()
    pods = await stage.deployment("many", 100, nodeName=node.name)
    async with looking_on(stage) as seen:
        await seen.ask(node.name)
        before = len(seen.heard(PodsSeen))
        await asyncio.gather(*(PodHands(stage.kube).evict(order(pod)) for pod in pods))
        await seen.until(lambda view: not {pod.uid for pod in pods} & set(view.pods[node.name].pods))
        assert len(seen.heard(PodsSeen)) - before < 100


async def with_claim(stage: Stage, node: Node) -> Pod:
    body = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    await stage.create(CLAIMS, {"metadata": {"name": "data"}, "spec": body}, stage.namespace)
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    return await stage.pod(node, labels={"app": "web"}, volumes=[volume])


IDLE = {"list nodes": 1, "watch nodes": 1, "list pods": 1, "watch pods": 1}


@on_stage
async def test_an_agent_at_rest_follows_its_own_node_and_the_pods_on_it_and_nothing_else(stage: Stage) -> None:
    here, there = await stage.node(), await stage.node()
    await stage.budget("web", "web", minAvailable=1)
    async with looking_on(stage, only_node=here.name) as seen:
        await seen.until(lambda view: view.seen)
        await stage.pod(here)
        await stage.pod(there)
        await asyncio.sleep(1.0)
        assert list(seen.view.nodes) == [here.name]
        assert not seen.view.budgets
        assert dict(stage.kube.calls) == IDLE


@on_stage
async def test_an_agent_sees_its_own_node_and_no_other(stage: Stage) -> None:
    here, there = await stage.node(), await stage.node()
    await stage.budget("web", "web", minAvailable=1)
    await stage.pod(there)
    mine = await with_claim(stage, here)
    await attach(stage, f"{stage.namespace}-here", here.name)
    await attach(stage, f"{stage.namespace}-there", there.name)
    async with looking_on(stage, only_node=here.name) as seen:
        await seen.ask(here.name)
        assert list(seen.view.nodes) == [here.name]
        assert set(seen.view.pods[here.name].pods) == {mine.uid}
        assert seen.view.budgets_of(mine), "they are told before the pods"
        assert list(seen.view.attachments) == [here.name]
        assert stage.kube.calls["watch poddisruptionbudgets"] == 1

        seen.surroundings.unwatch_pods(here.name)
        await seen.until(lambda view: not view.budgets and not view.attachments)
        await seen.ask(here.name)
        assert seen.view.budgets_of(mine)
    for name in ("here", "there"):
        await stage.owner.answer("delete", ATTACHMENTS, name=f"{stage.namespace}-{name}")


@on_stage
async def test_an_agent_whose_pods_have_no_claims_asks_for_no_attachments(stage: Stage) -> None:
    here = await stage.node()
    await stage.pod(here)
    async with looking_on(stage, only_node=here.name) as seen:
        await seen.ask(here.name)
        assert "list volumeattachments" not in stage.kube.calls


@on_stage
async def test_a_heartbeat_is_told_to_nobody(stage: Stage) -> None:
    node = await stage.node()
    async with looking_on(stage) as seen:
        await seen.until(lambda view: node.name in view.nodes)
        conditions = (await stage.owner.json("get", NODES, name=node.name))["status"]["conditions"]
        for minute in range(5):
            for each in conditions:
                each["lastHeartbeatTime"] = f"2026-01-01T00:0{minute}:00Z"
            body: dict[str, Any] = {"status": {"conditions": conditions}}
            await stage.owner.json("patch", NODES, name=node.name, subresource="status", body=body)
        marked = {"metadata": {"labels": {"last": "yes"}}}  # what comes after the beats, and is told
        await stage.owner.json("patch", NODES, name=node.name, body=marked)
        await seen.until(lambda view: "last" in view.nodes[node.name].labels)
        told = [each for event in seen.events if isinstance(event, NodesSeen) for each in event.nodes]
        assert ["last" in each.labels for each in told if each.name == node.name] == [False, True]


def test_a_server_that_goes_away_is_told_once_and_its_return_too(own_control_plane: ControlPlane) -> None:
    async def play() -> None:
        async with Stage(own_control_plane).set() as stage:
            node = await stage.node()
            async with looking_on(stage) as seen:
                await seen.ask(node.name)
                await seen.until(lambda view: view.seen)
                own_control_plane.stop("kube-apiserver", kill=True)
                await seen.until(lambda view: view.silent_since is not None)
                await asyncio.sleep(2.0)
                own_control_plane.start("kube-apiserver")
                await seen.until(lambda view: view.silent_since is None)
                pod = await stage.pod(node)
                await seen.until(lambda view: pod.uid in view.pods[node.name].pods)
            (silence,) = [event for event in seen.events if isinstance(event, ClusterSilent)]
            assert own_control_plane.server in silence.reason
            assert {type(event) for event in seen.events} >= {BudgetsSeen, AttachmentsSeen}

    asyncio.run(play())
