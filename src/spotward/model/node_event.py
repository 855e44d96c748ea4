"""What a cluster shows and answers, and the hook by which a group waits for it.

What a cluster shows comes in batches: what changed, and now and then the `whole`, after which whatever is not in it is
known to be gone.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from spotward.model.cluster import Budget, Claim, Node, Pod, Taint, VolumeAttachment
from spotward.model.workload import Workload

# ---- hooks ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class LifecycleHooked:
    """A group holds an instance at the start or the end of its life until the hook is completed."""

    kind: Literal["instance.hooked"] = "instance.hooked"
    time: float
    region: str
    instance_id: str
    group: str
    hook: str
    token: str
    launching: bool = False
    """At the start of its life; else at the end."""


# ---- what a cluster shows ------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class NodesSeen:
    """Nodes that are new, or changed in something that decisions look at."""

    kind: Literal["nodes.seen"] = "nodes.seen"
    time: float
    cluster: str
    nodes: tuple[Node, ...] = ()
    gone: tuple[str, ...] = ()
    """Names."""
    whole: bool = False
    """These are all nodes there are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PodsSeen:
    """Pods of one watched node. The first of a watch is whole, and answers `WatchPods`."""

    kind: Literal["pods.seen"] = "pods.seen"
    time: float
    key: str = ""
    """Of the question, where it answers one."""
    attempt: int = 1
    instance_id: str
    node: str
    pods: tuple[Pod, ...] = ()
    gone: tuple[str, ...] = ()
    """Uids of pods that are no more, or no more on this node."""
    claims: tuple[Claim, ...] = ()
    """The volume claims of these pods."""
    whole: bool = False
    """These are all pods of the node."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetsSeen:
    """Disruption budgets that are new or changed."""

    kind: Literal["budgets.seen"] = "budgets.seen"
    time: float
    budgets: tuple[Budget, ...] = ()
    gone: tuple[str, ...] = ()
    """`namespace/name`"""
    whole: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AttachmentsSeen:
    """Volume attachments that are new or changed."""

    kind: Literal["attachments.seen"] = "attachments.seen"
    time: float
    attachments: tuple[VolumeAttachment, ...] = ()
    gone: tuple[VolumeAttachment, ...] = ()
    """As they last were."""
    whole: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetGroupsSeen:
    """The target groups whose targets are nodes, and which a controller in the cluster manages: all of them."""

    kind: Literal["target-groups.seen"] = "target-groups.seen"
    time: float
    target_groups: tuple[str, ...]
    """ARNs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterSilent:
    """The cluster's API server cannot be reached: what is known of it is old. The next `NodesSeen` ends that."""

    kind: Literal["cluster.silent"] = "cluster.silent"
    time: float
    cluster: str
    reason: str


# ---- what came of deeds --------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeMarked:
    """What `CordonNode` had to set, because it was not there: ours to take back."""

    kind: Literal["node.marked"] = "node.marked"
    time: float
    key: str
    attempt: int = 1
    instance_id: str
    node: str
    cordoned: bool = False
    taints: tuple[Taint, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


class PodResult(StrEnum):
    """How the API server answered an eviction or a deletion."""

    ACCEPTED = "accepted"
    """The pod has its deletion time now."""
    GONE = "gone"
    """There is no such pod any more (404), or another one by that name (409)."""
    BLOCKED = "blocked"
    """A budget allows no more disruptions now (429 with the cause DisruptionBudget)."""
    BUSY = "busy"
    """Ask again a little later: the budget was not worked out yet, or the server sheds load."""
    TWO_BUDGETS = "two budgets"
    """More than one budget covers the pod (500): no eviction of it is ever accepted."""
    REFUSED = "refused"
    """Something else forbids it (403, an admission webhook)."""
    FAILED = "failed"
    """The server failed, or did not answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PodAnswer:
    """The answer about one pod."""

    uid: str
    result: PodResult
    reason: str = ""
    """The server's own words."""
    retry_after_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PodsAnswered:
    """What came of `EvictPods` or `DeletePods`, one answer for each pod that was named."""

    kind: Literal["pods.answered"] = "pods.answered"
    time: float
    key: str
    attempt: int = 1
    instance_id: str
    node: str
    answers: tuple[PodAnswer, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkloadSeen:
    """How a Deployment stands: the answer to `LookAtWorkload`."""

    kind: Literal["workload.seen"] = "workload.seen"
    time: float
    key: str
    attempt: int = 1
    instance_id: str
    node: str
    namespace: str
    name: str
    workload: Workload | None = None
    """None: there is none of that name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetsSeen:
    """How far load balancers have let go of an instance: the answer to `LookAtTargets`."""

    kind: Literal["targets.seen"] = "targets.seen"
    time: float
    key: str
    attempt: int = 1
    instance_id: str
    states: tuple[tuple[str, str], ...] = ()
    """(place, state in the words of target groups); empty where it is no target (any more)."""


ClusterObservation = NodesSeen | PodsSeen | BudgetsSeen | AttachmentsSeen | TargetGroupsSeen | ClusterSilent
ClusterOutcome = NodeMarked | PodsAnswered | WorkloadSeen | TargetsSeen
