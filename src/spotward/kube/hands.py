"""Carrying out what was decided about nodes and pods: one method per action, and the event that says what came of it.

Pods are asked to go in the order in which they stand, a few at a time, and each answer is told; the first of them that
hears "too much" from the server makes the others wait as well (see `client`). Nothing is decided here and nothing is
tried twice, but for one thing: a patch of a node that somebody else's write overtook is made anew at once, because
that is no failure of the deed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, assert_never

from spotward.engine.ports import Clock
from spotward.kube.answers import EvictionAnswer, told
from spotward.kube.client import Kube
from spotward.kube.nodes import Marks, NodeHands
from spotward.kube.pods import PodHands
from spotward.kube.tidings import tell
from spotward.kube.workloads import WorkloadHands
from spotward.model.event import Done, Event
from spotward.model.node_action import (
    ClusterAction,
    CordonNode,
    DeleteNode,
    DeletePods,
    EvictPods,
    LookAtWorkload,
    MarkOutOfService,
    PodOrder,
    ScaleWorkload,
    TellCluster,
    UncordonNode,
    UnmarkOutOfService,
    UnwatchPods,
    WatchPods,
)
from spotward.model.node_event import NodeMarked, PodAnswer, PodsAnswered, PodsSeen, WorkloadSeen

PODS_AT_ONCE_MAX = 10
"""Pods of one node that are asked at the same time. Many nodes are emptied at once in a storm, and together they share
the client's connections; one node alone is not to wait for its pods one by one."""


class PodWatcher(Protocol):
    """Whoever follows the pods of nodes; `surroundings.Surroundings` is one."""

    async def watch_pods(self, node: str, instance_id: str) -> PodsSeen:
        """All pods of a node; from then on every change of them is told. Raises OutsideError."""
        ...

    def unwatch_pods(self, node: str) -> None:
        """They are of no interest any more."""
        ...


Facts = Callable[[], Awaitable[Mapping[str, str]]]
"""What else is known, and stands on every Event of ours. Raises nothing."""


async def nothing_more() -> Mapping[str, str]:
    """No more than what is decided."""
    return {}


class ClusterHands:
    """Does what is asked of a cluster."""

    def __init__(
        self,
        kube: Kube,
        *,
        nodes: NodeHands,
        watcher: PodWatcher,
        clock: Clock,
        instance: str,
        facts: Facts = nothing_more,
    ) -> None:
        """`instance`: who of us speaks, in the Events of the cluster; the pod's name, say."""
        self._kube, self._nodes, self._pods, self._watcher = kube, nodes, PodHands(kube), watcher
        self._workloads, self._clock, self._instance = WorkloadHands(kube), clock, instance
        self._facts = facts

    async def do(self, action: ClusterAction, attempt: int) -> Event:
        """Do it once. Raises OutsideError."""
        match action:
            case WatchPods():
                return await self._watch(action, attempt)
            case UnwatchPods():
                self._watcher.unwatch_pods(action.node)
                return self._done(action, attempt)
            case CordonNode():
                return await self._cordon(action, attempt)
            case EvictPods() | DeletePods():
                return await self._empty(action, attempt)
            case LookAtWorkload():
                return await self._workload(action, attempt)
            case ScaleWorkload():
                await self._workloads.scale(
                    action.namespace, action.name, action.uid, before=action.before, replicas=action.replicas
                )
                return self._done(action, attempt)
            case UncordonNode() | MarkOutOfService() | UnmarkOutOfService() | DeleteNode() | TellCluster():
                await self._plain(action)
                return self._done(action, attempt)
            case _:
                assert_never(action)

    async def _watch(self, action: WatchPods, attempt: int) -> Event:
        seen = await self._watcher.watch_pods(action.node, action.instance_id)
        return PodsSeen(
            time=self._clock.now(),
            key=action.key,
            attempt=attempt,
            instance_id=action.instance_id,
            node=action.node,
            pods=seen.pods,
            claims=seen.claims,
            whole=True,
        )

    async def _cordon(self, action: CordonNode, attempt: int) -> Event:
        wanted = Marks(cordoned=True, taints=action.taints, labels=action.labels)
        ours = await self._nodes.mark(action.node, action.uid, wanted)
        return NodeMarked(
            time=self._clock.now(),
            key=action.key,
            attempt=attempt,
            instance_id=action.instance_id,
            node=action.node,
            cordoned=ours.cordoned,
            taints=ours.taints,
            labels=ours.labels,
        )

    async def _workload(self, action: LookAtWorkload, attempt: int) -> Event:
        seen = await self._workloads.look(action.namespace, action.name, autoscaler=action.autoscaler)
        return WorkloadSeen(
            time=self._clock.now(),
            key=action.key,
            attempt=attempt,
            instance_id=action.instance_id,
            node=action.node,
            namespace=action.namespace,
            name=action.name,
            workload=seen,
        )

    async def _empty(self, action: EvictPods | DeletePods, attempt: int) -> Event:
        room = asyncio.Semaphore(PODS_AT_ONCE_MAX)

        async def one(pod: PodOrder) -> PodAnswer:
            async with room:
                return told(pod.uid, await self._asked(action, pod))

        answers = await asyncio.gather(*(one(pod) for pod in action.pods))
        return PodsAnswered(
            time=self._clock.now(),
            key=action.key,
            attempt=attempt,
            instance_id=action.instance_id,
            node=action.node,
            answers=tuple(answers),
        )

    async def _asked(self, action: EvictPods | DeletePods, pod: PodOrder) -> EvictionAnswer:
        if isinstance(action, EvictPods):
            return await self._pods.evict(pod)
        if pod.grace_seconds == 0:  # only ever of a machine that EC2 says is off
            return await self._pods.remove(pod)
        return await self._pods.delete(pod)

    async def _plain(
        self, action: UncordonNode | MarkOutOfService | UnmarkOutOfService | DeleteNode | TellCluster
    ) -> None:
        """What has no answer but that it was done."""
        match action:
            case UncordonNode():
                marks = Marks(cordoned=action.uncordon, taints=action.taints, labels=action.labels)
                await self._nodes.unmark(action.node, action.uid, marks)
            case MarkOutOfService():
                await self._nodes.mark_out_of_service(action.node, action.uid)
            case UnmarkOutOfService():
                await self._nodes.unmark_out_of_service(action.node, action.uid)
            case DeleteNode():
                await self._nodes.delete(action.node, action.uid)
            case TellCluster():
                await self._tell(action)

    async def _tell(self, action: TellCluster) -> None:
        annotations = {**dict(action.annotations), **await self._facts()}
        now = self._clock.now()
        for tiding in action.tidings:
            await tell(self._kube, tiding, key=action.key, time=now, instance=self._instance, annotations=annotations)

    def _done(self, action: ClusterAction, attempt: int) -> Done:
        return Done(time=self._clock.now(), key=action.key, attempt=attempt, subject=action.subject)
