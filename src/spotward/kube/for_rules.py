"""One cluster for steps of the user's rules: what the plugin `kubernetes` asks for, done by the hands that there are.

What rules set on a node is noted apart from what incidents set (`spotward.io/set-by-rules`), so that an incident that
ends does not take back what a rule wanted, and a rule takes back nothing of an incident's.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from spotward.engine.ports import Clock
from spotward.kube.answers import told
from spotward.kube.client import Kube
from spotward.kube.nodes import RULES_NOTE, Marks, NodeHands, noted
from spotward.kube.pods import PodHands
from spotward.kube.reading import pod as pod_reader
from spotward.kube.reading import read
from spotward.kube.resources import PODS
from spotward.kube.sizes import Change, Sizes
from spotward.model.cluster import Node, Pod, Selector
from spotward.model.errors import Permanent
from spotward.model.incident import Marks as NodeMarks
from spotward.model.node_action import PodOrder
from spotward.model.node_event import PodAnswer

PODS_AT_ONCE_MAX = 10
"""Pods that are asked to go at the same time."""

PODS_PAGE = 500
"""So many pods to a page of a list."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MarksNow:
    """How marks stand on a node that rules wanted there, or gone."""

    changed: NodeMarks
    """Set, or taken back, now."""
    ours: NodeMarks
    """There, and set by rules, now or earlier."""
    others: NodeMarks
    """There, and somebody else's."""
    instead: NodeMarks
    """Somebody else's, in the place of what was wanted."""


class RuleHands:
    """What steps of rules may do in a cluster, but for what is ordered of whoever decides about nodes."""

    def __init__(self, kube: Kube, clock: Clock) -> None:
        self._kube = kube
        self._nodes, self._pods, self._sizes = NodeHands(kube, note=RULES_NOTE), PodHands(kube), Sizes(kube, clock)

    # ---- nodes -----------------------------------------------------------------------------------------------

    async def mark(self, node: Node, wanted: NodeMarks) -> MarksNow:
        """Set what is missing. Raises OutsideError."""
        marks = Marks(cordoned=wanted.cordoned, taints=wanted.taints, labels=wanted.labels)
        before = await self._same(node)
        ours = await self._nodes.mark(node.name, node.uid, marks)
        after = await self._same(node)
        there = marks.within(_all(after))
        return MarksNow(
            changed=_value(ours.without(noted(before, RULES_NOTE))),
            ours=_value(ours),
            others=_value(there.without(ours)),
            instead=_value(_instead(after, marks.without(there))),
        )

    async def unmark(self, node: Node, *, cordon: bool, taints: Iterable[str], labels: Iterable[str]) -> MarksNow:
        """Take back what is ours of these, by name. Raises OutsideError."""
        before = await self._same(node)
        keys, names, all_of_it = set(taints), set(labels), _all(before)
        named = Marks(
            cordoned=cordon and all_of_it.cordoned,
            taints=tuple(taint for taint in all_of_it.taints if taint.key in keys),
            labels=tuple((name, value) for name, value in all_of_it.labels if name in names),
        )
        ours = named.within(noted(before, RULES_NOTE))
        if not ours.empty:
            await self._nodes.unmark(node.name, node.uid, ours)
        return MarksNow(
            changed=_value(ours), ours=_value(Marks()), others=_value(named.without(ours)), instead=_value(Marks())
        )

    async def _same(self, node: Node) -> Node:
        seen = await self._nodes.look(node.name)
        if seen.uid != node.uid:
            raise Permanent(f"{node.name} is another machine by now", code="NotFound")
        return seen

    # ---- pods ------------------------------------------------------------------------------------------------

    async def pod(self, namespace: str, name: str) -> tuple[Pod, ...]:
        """One pod; none if it is gone. Raises OutsideError."""
        return await self._listed(namespace, {"fieldSelector": f"metadata.name={name}"})

    async def selected(self, namespace: str, selector: str) -> tuple[Pod, ...]:
        """Those with labels. Raises OutsideError."""
        return await self._listed(namespace, {"labelSelector": selector})

    async def made_by(self, kind: str, namespace: str, name: str) -> tuple[Pod, ...]:
        """Those of a workload. Raises OutsideError."""
        return await self.selected(namespace, written(await self._sizes.selector(kind, namespace, name)))

    async def _listed(self, namespace: str, query: dict[str, str]) -> tuple[Pod, ...]:
        found: list[Pod] = []
        more = ""
        while True:
            asked = {**query, "limit": str(PODS_PAGE)} | ({"continue": more} if more else {})
            page = await self._kube.json("list", PODS, namespace=namespace, query=asked)
            found += [read(pod_reader, item) for item in page.get("items") or ()]
            more = (page.get("metadata") or {}).get("continue") or ""
            if not more:
                return tuple(found)

    async def evict(self, pods: Iterable[Pod]) -> tuple[PodAnswer, ...]:
        """Ask each to go, by its uid, in its own time."""
        room = asyncio.Semaphore(PODS_AT_ONCE_MAX)

        async def one(pod: Pod) -> PodAnswer:
            async with room:
                return told(
                    pod.uid, await self._pods.evict(PodOrder(namespace=pod.namespace, name=pod.name, uid=pod.uid))
                )

        return tuple(await asyncio.gather(*(one(pod) for pod in pods)))

    # ---- workloads -------------------------------------------------------------------------------------------

    async def scale(
        self, kind: str, namespace: str, name: str, size: Callable[[int], int], *, key: str, exact: bool
    ) -> Change:
        """Set a workload's size. Raises OutsideError."""
        return await self._sizes.scale(kind, namespace, name, size, key=key, exact=exact)

    async def restart(self, kind: str, namespace: str, name: str, *, key: str) -> bool:
        """Have a workload's pods replaced; False if that was done for this key. Raises OutsideError."""
        return await self._sizes.restart(kind, namespace, name, key=key)


def _all(node: Node) -> Marks:
    """All that is on a node, whoever has put it there."""
    return Marks(cordoned=node.unschedulable, taints=node.taints, labels=tuple(sorted(node.labels.items())))


def _instead(node: Node, missing: Marks) -> Marks:
    """What keeps missing marks off: a node has one taint of a key and effect, and one value of a label."""
    kinds = {(taint.key, taint.effect) for taint in missing.taints}
    names = {name for name, _ in missing.labels}
    return Marks(
        taints=tuple(taint for taint in node.taints if (taint.key, taint.effect) in kinds),
        labels=tuple((name, value) for name, value in sorted(node.labels.items()) if name in names),
    )


def _value(marks: Marks) -> NodeMarks:
    return NodeMarks(cordoned=marks.cordoned, taints=marks.taints, labels=marks.labels)


def written(selector: Selector) -> str:
    """A selector as a query has it."""
    parts = [f"{key}={value}" for key, value in sorted(selector.labels.items())]
    for each in selector.requirements:
        among = ",".join(sorted(each.values))
        forms = {"In": f"{each.key} in ({among})", "NotIn": f"{each.key} notin ({among})", "Exists": each.key}
        parts.append(forms.get(each.operator, f"!{each.key}"))
    return ",".join(parts)
