"""What we know of the Kubernetes cluster, as one immutable value inside the World.

Nodes, budgets and attachments are known for the whole cluster; pods only of nodes that are watched, because something
is about to be done about them. `after` folds what the cluster shows in, and costs what is in the event, not what the
cluster holds; only a `whole` list, which comes once per connection, is compared with all that was known.
"""

from __future__ import annotations  # rpds' map takes its type parameters in an annotation only

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from rpds import HashTrieMap

from spotward.model.cluster import Budget, Claim, Node, Pod, VolumeAttachment
from spotward.model.node_event import (
    AttachmentsSeen,
    BudgetsSeen,
    ClusterObservation,
    ClusterSilent,
    NodesSeen,
    PodsSeen,
    TargetGroupsSeen,
)

Each = TypeVar("Each")


@dataclass(frozen=True, kw_only=True, slots=True)
class NodePods:
    """The pods of one watched node."""

    pods: Mapping[str, Pod] = field(default_factory=dict)
    """By uid."""
    claims: Mapping[str, Claim] = field(default_factory=dict)
    """By `namespace/name`."""

    def volumes_of(self, pod: Pod) -> tuple[str, ...]:
        """Its persistent volumes that only one node may hold."""
        claims = (self.claims.get(f"{pod.namespace}/{name}") for name in pod.claims)
        return tuple(c.volume for c in claims if c is not None and c.volume is not None and not c.shared)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterView:
    """The cluster as we know it."""

    name: str = ""
    """Empty as long as nothing was heard of a cluster."""
    whole_time: float | None = None
    """When its nodes were last seen whole; None for never: until then a stranger cannot be told from a node."""
    silent_since: float | None = None
    """Since when its API server cannot be reached; None while it can."""
    silent_reason: str = ""
    nodes: HashTrieMap[str, Node] = field(default_factory=HashTrieMap)
    node_of: HashTrieMap[str, str] = field(default_factory=HashTrieMap)
    """Instance id → name of its node."""
    pods: HashTrieMap[str, NodePods] = field(default_factory=HashTrieMap)
    """Name of a watched node → its pods, once they were seen whole."""
    budgets: HashTrieMap[str, tuple[Budget, ...]] = field(default_factory=HashTrieMap)
    """Namespace → its budgets, by name."""
    attachments: HashTrieMap[str, tuple[VolumeAttachment, ...]] = field(default_factory=HashTrieMap)
    """Name of a node → what is attached to it."""
    target_groups: tuple[str, ...] | None = None
    """ARNs of target groups whose targets are nodes, and which a controller in the cluster manages; None until they
    were listed."""

    # ---- questions -------------------------------------------------------------------------------------------------

    @property
    def heard_of(self) -> bool:
        """Was anything heard of a cluster?"""
        return bool(self.name)

    @property
    def seen(self) -> bool:
        """Were its nodes seen whole?"""
        return self.whole_time is not None

    def node_for(self, instance_id: str) -> Node | None:
        """The node that an instance is, or None."""
        name = self.node_of.get(instance_id)
        return self.nodes.get(name) if name is not None else None

    def budgets_of(self, pod: Pod) -> tuple[Budget, ...]:
        """The budgets that count a pod."""
        return tuple(budget for budget in self.budgets.get(pod.namespace, ()) if budget.covers(pod))

    # ---- what it shows ---------------------------------------------------------------------------------------------

    def after(self, event: ClusterObservation) -> ClusterView:
        """The cluster once this is known."""
        match event:
            case NodesSeen():
                return self._after_nodes(event)
            case PodsSeen():
                return self._after_pods(event)
            case BudgetsSeen():
                return self._after_budgets(event)
            case AttachmentsSeen():
                return self._after_attachments(event)
            case TargetGroupsSeen():
                return replace(self, target_groups=event.target_groups)
            case ClusterSilent():
                since = event.time if self.silent_since is None else self.silent_since
                return replace(self, name=event.cluster, silent_since=since, silent_reason=event.reason)

    def without_pods(self, node: str) -> ClusterView:
        """The pods of a node are watched no more."""
        return replace(self, pods=self.pods.discard(node))

    def _after_nodes(self, event: NodesSeen) -> ClusterView:
        here = {node.name for node in event.nodes}
        gone = [name for name in self.nodes if name not in here] if event.whole else list(event.gone)
        view = self
        for name in gone:
            view = view._without_node(name)
        for node in event.nodes:
            view = view._with_node(node)
        return replace(
            view,
            name=event.cluster,
            whole_time=event.time if event.whole else self.whole_time,
            silent_since=None,
            silent_reason="",
        )

    def _with_node(self, node: Node) -> ClusterView:
        before = self.nodes.get(node.name)
        view = self._without_node(node.name) if before is not None and before.uid != node.uid else self
        node_of = view.node_of
        if node.instance_id is not None:
            node_of = node_of.insert(node.instance_id, node.name)
        return replace(view, nodes=view.nodes.insert(node.name, node), node_of=node_of)

    def _without_node(self, name: str) -> ClusterView:
        node = self.nodes.get(name)
        if node is None:
            return self
        node_of = self.node_of
        if node.instance_id is not None and node_of.get(node.instance_id) == name:
            node_of = node_of.discard(node.instance_id)
        return replace(self, nodes=self.nodes.discard(name), node_of=node_of, pods=self.pods.discard(name))

    def _after_pods(self, event: PodsSeen) -> ClusterView:
        known = self.pods.get(event.node)
        if known is None and not event.whole:
            return self  # a change of a node that is not watched any more, or not seen whole yet
        before = NodePods() if known is None or event.whole else known
        pods = {uid: pod for uid, pod in before.pods.items() if uid not in event.gone}
        pods |= {pod.uid: pod for pod in event.pods}
        claims = {**before.claims, **{f"{claim.namespace}/{claim.name}": claim for claim in event.claims}}
        return replace(self, pods=self.pods.insert(event.node, NodePods(pods=pods, claims=claims)))

    def _after_budgets(self, event: BudgetsSeen) -> ClusterView:
        budgets: HashTrieMap[str, tuple[Budget, ...]] = HashTrieMap() if event.whole else self.budgets
        leaving = {*event.gone, *(budget.id for budget in event.budgets)}
        touched = {name.partition("/")[0] for name in leaving}
        for namespace in sorted(touched):
            staying = [b for b in budgets.get(namespace, ()) if b.id not in leaving]
            staying += [b for b in event.budgets if b.namespace == namespace]
            budgets = _with_all(budgets, namespace, sorted(staying, key=lambda b: b.name))
        return replace(self, budgets=budgets)

    def _after_attachments(self, event: AttachmentsSeen) -> ClusterView:
        attachments: HashTrieMap[str, tuple[VolumeAttachment, ...]] = HashTrieMap() if event.whole else self.attachments
        changed = (*event.gone, *event.attachments)
        names = {each.name for each in changed}
        for node in sorted({each.node for each in changed}):
            staying = [a for a in attachments.get(node, ()) if a.name not in names]
            staying += [a for a in event.attachments if a.node == node]
            attachments = _with_all(attachments, node, sorted(staying, key=lambda a: a.name))
        return replace(self, attachments=attachments)


def _with_all(
    known: HashTrieMap[str, tuple[Each, ...]], key: str, all_of_it: Iterable[Each]
) -> HashTrieMap[str, tuple[Each, ...]]:
    every = tuple(all_of_it)
    return known.insert(key, every) if every else known.discard(key)
