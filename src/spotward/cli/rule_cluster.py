"""One cluster as steps of the user's rules know it: the hands in it, what was seen of it, and the desk where a drain is
ordered.
"""

import asyncio
from collections.abc import Callable, Iterable

from spotward.engine.desk import Desk
from spotward.engine.ports import Clock
from spotward.kube.client import Kube
from spotward.kube.for_rules import MarksNow, RuleHands
from spotward.model.cluster import Node, Pod
from spotward.model.errors import Permanent, Transient
from spotward.model.incident import Marks
from spotward.model.node_event import PodAnswer
from spotward.model.node_order import NodeWanted
from spotward.model.order import Order, Ordered
from spotward.model.world import World
from spotward.plugins.builtin.cluster import Marked, Pods, Scaled, Size, Tell, Unmark, Workload

SEEN_SECONDS_MAX = 10.0
"""For so long a step waits until the cluster's nodes were seen, after a start."""

LOOK_SECONDS = 0.2

NOT_LOOKED_AFTER = "no cluster is looked after; set kubernetes.enabled"


class RuleCluster:
    """The port of the plugin, over one engine."""

    def __init__(self, name: str, clock: Clock, desk: Desk, *, missing: str = NOT_LOOKED_AFTER) -> None:
        """name: as events may call it; empty where the operator gave it none. desk: of the engine that decides about
        it. missing: why nothing can be done there as long as it is not served.
        """
        self._name, self._clock, self._missing = name, clock, missing
        self.desk = desk
        self._hands: RuleHands | None = None
        self._world: Callable[[], World] = World

    def serve(self, kube: Kube, world: Callable[[], World]) -> None:
        """From now on it is reached by this door, and this tells what was seen of it."""
        self._hands, self._world = RuleHands(kube, self._clock), world

    def lost(self, why: str) -> None:
        """From now on nothing can be done there."""
        self._hands, self._missing = None, why

    @property
    def name(self) -> str:
        """See the port."""
        return self._name or "that is looked after"

    async def nodes(self) -> Iterable[Node]:
        """See the port."""
        self._reached()
        end = self._clock.now() + SEEN_SECONDS_MAX
        while not (view := self._world().cluster).seen:
            if self._clock.now() >= end:
                words = f"the nodes of the cluster {self.name} were not seen yet"
                raise Transient(f"{words}{_why(view.silent_reason)}", code="NotSeen", retry_after_seconds=5.0)
            await asyncio.sleep(LOOK_SECONDS)
        return view.nodes.values()

    async def order(self, key: str, wanted: NodeWanted, *, by: str, tell: Tell) -> Order:
        """See the port."""
        return await self.desk.ask(Ordered(time=self._clock.now(), order=key, wanted=wanted, by=by), tell=tell)

    async def mark(self, node: Node, marks: Marks) -> Marked:
        """See the port."""
        return _marked(await self._reached().mark(node, marks))

    async def unmark(self, node: Node, what: Unmark) -> Marked:
        """See the port."""
        return _marked(await self._reached().unmark(node, cordon=what.cordon, taints=what.taints, labels=what.labels))

    async def pods(self, which: Pods) -> tuple[Pod, ...]:
        """See the port."""
        hands, workload = self._reached(), which.workload
        if workload is not None:
            return await hands.made_by(workload.kind, workload.namespace, workload.name)
        if which.name:
            return await hands.pod(which.namespace, which.name)
        return await hands.selected(which.namespace, which.selector)

    async def evict(self, pods: Iterable[Pod]) -> tuple[PodAnswer, ...]:
        """See the port."""
        return await self._reached().evict(pods)

    async def scale(self, workload: Workload, size: Size, *, key: str, exact: bool) -> Scaled:
        """See the port."""
        done = await self._reached().scale(workload.kind, workload.namespace, workload.name, size, key=key, exact=exact)
        return Scaled(before=done.before, after=done.after, repeated=done.repeated)

    async def restart(self, workload: Workload, *, key: str) -> bool:
        """See the port."""
        return await self._reached().restart(workload.kind, workload.namespace, workload.name, key=key)

    def _reached(self) -> RuleHands:
        if self._hands is None:
            raise Permanent(self._missing, code="NoCluster")
        return self._hands


def _marked(now: MarksNow) -> Marked:
    return Marked(changed=now.changed, ours=now.ours, others=now.others, instead=now.instead)


def _why(reason: str) -> str:
    return f": {reason}" if reason else ""
