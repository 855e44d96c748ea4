"""What we want done about nodes: of the cluster's API server, of the hooks of Auto Scaling, of whoever wants to know.

Everything about the pods of one node goes out in one action, so that a storm over five hundred nodes is some thousands
of steps and not tens of thousands. Each carries the node's uid, or the pods': a thing made again under an old name is
not meant.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from spotward.model.balancers import Place
from spotward.model.cluster import Taint


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchPods:
    """Show the pods of a node, and from then on every change of them. Answered by a whole `PodsSeen`."""

    kind: Literal["watch-pods"] = "watch-pods"
    mutates: ClassVar[bool] = False
    instance_id: str
    key: str
    node: str

    @property
    def subject(self) -> str:
        return self.instance_id


@dataclass(frozen=True, kw_only=True, slots=True)
class UnwatchPods:
    """The pods of a node are of no interest any more. Answered by `Done`."""

    kind: Literal["unwatch-pods"] = "unwatch-pods"
    mutates: ClassVar[bool] = False
    instance_id: str
    key: str
    node: str

    @property
    def subject(self) -> str:
        return self.instance_id


@dataclass(frozen=True, kw_only=True, slots=True)
class CordonNode:
    """Cordon, taint and label a node in one patch; what is there already stays as it is. Answered by `NodeMarked`."""

    kind: Literal["cordon-node"] = "cordon-node"
    mutates: ClassVar[bool] = True
    instance_id: str
    key: str
    node: str
    uid: str
    taints: tuple[Taint, ...] = ()
    """Best effort: where a policy of the cluster forbids a taint, the node is cordoned all the same."""
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def subject(self) -> str:
        return self.instance_id


@dataclass(frozen=True, kw_only=True, slots=True)
class UncordonNode:
    """Take back exactly this. What is not there any more, or has another value by now, is left as it is."""

    kind: Literal["uncordon-node"] = "uncordon-node"
    mutates: ClassVar[bool] = True
    instance_id: str
    key: str
    node: str
    uid: str
    uncordon: bool = False
    taints: tuple[Taint, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def subject(self) -> str:
        return self.instance_id


@dataclass(frozen=True, kw_only=True, slots=True)
class PodOrder:
    """One pod that shall go."""

    namespace: str
    name: str
    uid: str
    """A precondition of the call: another pod by that name is not meant."""
    grace_seconds: int | None = None
    """How long it may take to stop; None leaves it its own time. 0 only where EC2 says that the machine is off: then
    nobody stops it any more, and it is taken off the list at once."""

    @property
    def id(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class EvictPods:
    """Ask for the eviction of pods of one node, in this order; budgets have their say. Answered by `PodsAnswered`."""

    kind: Literal["evict-pods"] = "evict-pods"
    mutates: ClassVar[bool] = True
    instance_id: str
    key: str
    node: str
    pods: tuple[PodOrder, ...]

    @property
    def subject(self) -> str:
        return self.instance_id


@dataclass(frozen=True, kw_only=True, slots=True)
class DeletePods:
    """Delete pods of one node: past their budgets, or with less grace than they have. Answered by `PodsAnswered`."""

    kind: Literal["delete-pods"] = "delete-pods"
    mutates: ClassVar[bool] = True
    instance_id: str
    key: str
    node: str
    pods: tuple[PodOrder, ...]

    @property
    def subject(self) -> str:
        return self.instance_id


@dataclass(frozen=True, kw_only=True, slots=True)
class LookAtWorkload:
    """How a Deployment stands that has pods on the node. Answered by `WorkloadSeen`."""

    kind: Literal["look-at-workload"] = "look-at-workload"
    mutates: ClassVar[bool] = False
    instance_id: str
    key: str
    node: str
    namespace: str
    name: str
    autoscaler: bool = False
    """Look also for whoever sets its size by itself."""

    @property
    def subject(self) -> str:
        return self.instance_id


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleWorkload:
    """Lend a Deployment one more pod, or put its number back, if it is still the one that we know. Answered by `Done`,
    also where it was done already, or where another has set the number since and so nothing is to be put back.
    """

    kind: Literal["scale-workload"] = "scale-workload"
    mutates: ClassVar[bool] = True
    instance_id: str
    key: str
    node: str
    namespace: str
    name: str
    uid: str
    """Another Deployment by that name is not meant."""
    before: int
    replicas: int

    @property
    def subject(self) -> str:
        return self.instance_id

    @property
    def raises(self) -> bool:
        """Does it lend, and not put back?"""
        return self.replicas > self.before


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkOutOfService:
    """Say that the machine is off, so that its pods are deleted and its volumes detached by force."""

    kind: Literal["mark-out-of-service"] = "mark-out-of-service"
    mutates: ClassVar[bool] = True
    instance_id: str
    key: str
    node: str
    uid: str

    @property
    def subject(self) -> str:
        return self.instance_id


@dataclass(frozen=True, kw_only=True, slots=True)
class UnmarkOutOfService:
    """Take the out-of-service taint back: the machine is on again."""

    kind: Literal["unmark-out-of-service"] = "unmark-out-of-service"
    mutates: ClassVar[bool] = True
    instance_id: str
    key: str
    node: str
    uid: str

    @property
    def subject(self) -> str:
        return self.instance_id


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteNode:
    """Delete the node object of a machine that is no more."""

    kind: Literal["delete-node"] = "delete-node"
    mutates: ClassVar[bool] = True
    instance_id: str
    key: str
    node: str
    uid: str

    @property
    def subject(self) -> str:
        return self.instance_id


@dataclass(frozen=True, kw_only=True, slots=True)
class Tiding:
    """One Kubernetes Event."""

    about: Literal["Node", "Pod"]
    namespace: str = ""
    name: str
    uid: str
    reason: str
    """One word in CamelCase, as Kubernetes wants it."""
    text: str
    warning: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TellCluster:
    """Write Kubernetes Events about a node and its pods."""

    kind: Literal["tell-cluster"] = "tell-cluster"
    mutates: ClassVar[bool] = True
    instance_id: str
    key: str
    node: str
    tidings: tuple[Tiding, ...]
    annotations: tuple[tuple[str, str], ...] = ()
    """Facts about the machine that stand on each of them."""

    @property
    def subject(self) -> str:
        return self.instance_id


@dataclass(frozen=True, kw_only=True, slots=True)
class Notify:
    """Tell a person, by webhook."""

    kind: Literal["notify"] = "notify"
    mutates: ClassVar[bool] = True
    instance_id: str
    key: str
    moment: Literal["begin", "end"]
    text: str
    """One sentence or a few, complete without the fields."""
    fields: tuple[tuple[str, str], ...] = ()
    """What a template may use: node, instance, cause, deadline, ..."""

    @property
    def subject(self) -> str:
        return self.instance_id


@dataclass(frozen=True, kw_only=True, slots=True)
class CompleteLifecycle:
    """Tell Auto Scaling that it need not wait any longer. Answered by `Done`."""

    kind: Literal["complete-lifecycle"] = "complete-lifecycle"
    mutates: ClassVar[bool] = True
    region: str
    group: str
    instance_id: str
    key: str
    hook: str
    token: str
    proceed: bool = True
    """CONTINUE; else ABANDON."""

    @property
    def subject(self) -> str:
        return self.instance_id


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordHeartbeat:
    """Ask Auto Scaling to wait for another heartbeat timeout. Answered by `Done`."""

    kind: Literal["record-heartbeat"] = "record-heartbeat"
    mutates: ClassVar[bool] = True
    region: str
    group: str
    instance_id: str
    key: str
    hook: str
    token: str

    @property
    def subject(self) -> str:
        return self.instance_id


@dataclass(frozen=True, kw_only=True, slots=True)
class LookAtTargets:
    """How far load balancers have let go of an instance. Answered by `TargetsSeen`."""

    kind: Literal["look-at-targets"] = "look-at-targets"
    mutates: ClassVar[bool] = False
    region: str
    instance_id: str
    key: str
    places: tuple[Place, ...]

    @property
    def subject(self) -> str:
        return self.instance_id


ClusterQuestion = WatchPods | UnwatchPods | LookAtWorkload
ClusterDeed = (
    CordonNode
    | UncordonNode
    | EvictPods
    | DeletePods
    | ScaleWorkload
    | MarkOutOfService
    | UnmarkOutOfService
    | DeleteNode
    | TellCluster
)
ClusterAction = ClusterQuestion | ClusterDeed
HookDeed = CompleteLifecycle | RecordHeartbeat
"""Deeds of Auto Scaling's API."""
NodeAction = ClusterAction | HookDeed | Notify | LookAtTargets
