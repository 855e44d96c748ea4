"""What a Kubernetes cluster has: nodes, pods, disruption budgets, volume attachments, as plain frozen values.

Only what emptying a node needs is kept, so that ten thousand pods fit in a few megabytes. Words are Kubernetes' own;
times are Unix seconds, where the API writes RFC 3339 text. A thing is the same thing while its `uid` is: a pod deleted
and made again under its old name is another pod.

Sources: the API reference at kubernetes.io/docs/reference/kubernetes-api, and what the eviction API and the scheduler
do with these fields.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
"""A pod that a kubelet runs from a file of its own: the API only shows it, and cannot evict it."""

UNSCHEDULABLE_TAINT = "node.kubernetes.io/unschedulable"
"""Put by the node controller on a cordoned node. Daemon sets tolerate it."""

OUT_OF_SERVICE_TAINT = "node.kubernetes.io/out-of-service"
"""Says that the machine is off for good: its pods are deleted by force and its volumes detached at once."""

EXCLUDE_FROM_LOAD_BALANCERS_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
"""A node with it gets no new traffic from load balancers that the cloud's controllers manage."""

CRITICAL_PRIORITY_MIN = 2_000_000_000
"""The priority of `system-cluster-critical`; `system-node-critical` has a thousand more. Owners cannot go higher."""

GRACE_SECONDS_DEFAULT = 30.0
"""What the API server writes into a pod that names no `terminationGracePeriodSeconds`."""


# ---- taints, selectors ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Taint:
    """What keeps pods off a node. A node has at most one of each key and effect."""

    key: str
    effect: str
    """NoSchedule, PreferNoSchedule or NoExecute"""
    value: str = ""
    added_time: float | None = field(default=None, compare=False)
    """When it was put, where the server says so. No part of what the taint is, but whoever writes the list of a node's
    taints has to write it back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Toleration:
    """Which taints a pod puts up with."""

    key: str = ""
    """Empty together with the operator Exists: every taint."""
    operator: str = "Equal"
    """Equal, Exists; newer servers also know Lt and Gt, which compare the values as numbers."""
    value: str = ""
    effect: str = ""
    """Empty: every effect."""
    seconds: float | None = None
    """For how long a NoExecute taint is put up with; None for ever."""

    def covers(self, taint: Taint) -> bool:
        """Does the pod put up with this taint, at least for a while?"""
        if self.effect not in {"", taint.effect}:
            return False
        if not self.key:
            return self.operator == "Exists"
        return self.key == taint.key and self._value_covers(taint.value)

    def _value_covers(self, value: str) -> bool:
        match self.operator:
            case "Exists":
                return True
            case "Equal" | "":
                return self.value == value
            case "Lt" | "Gt":
                return self._compared(value)
            case _:
                return False

    def _compared(self, value: str) -> bool:
        """Lt: the taint's value is less than ours. Gt: it is more. What is no whole number is not tolerated."""
        try:
            theirs, ours = int(value), int(self.value)
        except ValueError:
            return False
        return theirs < ours if self.operator == "Lt" else theirs > ours


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirement:
    """One line of a label selector's `matchExpressions`."""

    key: str
    operator: str
    """In, NotIn, Exists or DoesNotExist"""
    values: frozenset[str] = frozenset()

    def met_by(self, labels: Mapping[str, str]) -> bool:
        """A label that is missing meets NotIn and DoesNotExist, as in the API server."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels
            case _:
                return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Selector:
    """A label selector: everything in it must hold, so an empty one selects all."""

    labels: Mapping[str, str] = field(default_factory=dict)
    requirements: tuple[Requirement, ...] = ()

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Do these labels meet it?"""
        for key, value in self.labels.items():  # in a storm it is asked of every pod and every budget of its namespace
            if labels.get(key) != value:
                return False
        return not self.requirements or all(requirement.met_by(labels) for requirement in self.requirements)


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One line of `status.conditions`."""

    type: str
    status: str
    """True, False or Unknown"""
    reason: str = ""
    time: float | None = None
    """When the status last changed."""


def condition_holds(conditions: Iterable[Condition], type_: str) -> bool:
    """Is the condition of that type there, and True?"""
    return any(condition.type == type_ and condition.status == "True" for condition in conditions)


# ---- nodes ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One node."""

    name: str
    uid: str
    provider_id: str = ""
    """`aws:///us-east-1a/i-0abc` on EC2; empty until the cloud's controller has met the node."""
    unschedulable: bool = False
    """Cordoned, by whomever."""
    taints: tuple[Taint, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Only those that say who may do what to the node; the rest is left with the API server."""
    conditions: tuple[Condition, ...] = ()
    volumes_in_use: frozenset[str] = frozenset()
    """Volumes that its kubelet has mounted or is mounting, by unique name (`kubernetes.io/csi/<driver>^<handle>`)."""
    boot_id: str = ""
    """Changes with every boot of the machine, so a reboot can be told from a long silence."""
    addresses: tuple[tuple[str, str], ...] = ()
    """Kind (`InternalIP`, `ExternalDNS`) and address, the first of each kind."""
    creation_time: float = 0.0
    deletion_time: float | None = None
    version: str = ""
    """`metadata.resourceVersion`: only for saying which state was seen, never compared as a number."""

    @property
    def instance_id(self) -> str | None:
        """The EC2 instance that it is, or None for a machine of another make."""
        last = self.provider_id.rpartition("/")[2]
        return last if self.provider_id.startswith("aws:") and last.startswith("i-") else None

    @property
    def az(self) -> str:
        """Its availability zone; empty if unknown."""
        return self.labels.get("topology.kubernetes.io/zone", "")

    @property
    def ready(self) -> bool:
        """Its kubelet said lately that it can run pods."""
        return condition_holds(self.conditions, "Ready")

    def has_taint(self, key: str, effect: str | None = None) -> bool:
        """Has it a taint of that key, and of that effect if one is given?"""
        return any(taint.key == key and effect in {None, taint.effect} for taint in self.taints)


# ---- pods ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class PodOwner:
    """Who makes a pod again when it goes: its `ownerReferences` entry with `controller: true`."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pod:
    """One pod."""

    namespace: str
    name: str
    uid: str
    node: str | None = None
    """Where it runs; None until the scheduler has found a place."""
    phase: str = "Pending"
    """Pending, Running, Succeeded, Failed or Unknown"""
    owner: PodOwner | None = None
    """None for a bare pod, which nobody makes again."""
    priority: int = 0
    grace_seconds: float = GRACE_SECONDS_DEFAULT
    """How long it may take to stop; its preStop hook counts inside."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Only those that say who may do what to the pod; the rest is left with the API server."""
    tolerations: tuple[Toleration, ...] = ()
    mirror: bool = False
    """A static pod as the API shows it: it cannot be evicted."""
    conditions: tuple[Condition, ...] = ()
    claims: tuple[str, ...] = ()
    """Names of the persistent volume claims that it uses, in its own namespace; ephemeral ones included."""
    empty_dir: bool = False
    """It has an emptyDir volume, whose content goes with it."""
    host_path: bool = False
    """It uses a directory of its node, so it may not find its data elsewhere."""
    finalizers: tuple[str, ...] = ()
    """What must let go before a deleted pod disappears."""
    creation_time: float = 0.0
    deletion_time: float | None = None
    """When its grace ends, once it was asked to stop; None until then (`metadata.deletionTimestamp`)."""
    deletion_grace_seconds: float | None = None
    """The grace it was given when it was asked to stop."""
    version: str = ""
    """`metadata.resourceVersion`: only for saying which state was seen, never compared as a number."""

    @property
    def id(self) -> str:
        """`namespace/name`, as an operator would write it."""
        return f"{self.namespace}/{self.name}"

    @property
    def finished(self) -> bool:
        """It runs no more and never will again."""
        return self.phase in {"Succeeded", "Failed"}

    @property
    def leaving(self) -> bool:
        """It was asked to stop, by whomever."""
        return self.deletion_time is not None

    @property
    def ready(self) -> bool:
        """It serves."""
        return condition_holds(self.conditions, "Ready")

    @property
    def from_daemon_set(self) -> bool:
        """Its owner puts one on every node, and puts it back on this one too unless a taint says otherwise."""
        return self.owner is not None and self.owner.kind == "DaemonSet"

    @property
    def critical(self) -> bool:
        """The cluster itself needs it (priority class system-cluster-critical or system-node-critical)."""
        return self.priority >= CRITICAL_PRIORITY_MIN

    @property
    def passes_budgets(self) -> bool:
        """The eviction API lets it go without asking a budget: it is not started, finished, or leaving already."""
        return self.finished or self.leaving or self.phase == "Pending"

    def tolerates(self, taint: Taint) -> bool:
        """Does it put up with this taint, at least for a while?"""
        return any(toleration.covers(taint) for toleration in self.tolerations)


# ---- budgets, volumes ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """One PodDisruptionBudget, with what its controller last worked out."""

    namespace: str
    name: str
    uid: str
    selector: Selector | None = None
    """None selects no pod; an empty selector selects every pod of the namespace."""
    min_available: str | None = None
    """A number or a percentage, as its owner wrote it."""
    max_unavailable: str | None = None
    """A number or a percentage, as its owner wrote it. It and `min_available` exclude each other."""
    always_evict_unhealthy: bool = False
    """`unhealthyPodEvictionPolicy: AlwaysAllow`: a pod that is not ready may go whatever the count."""
    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    expected_pods: int = 0
    observed: bool = True
    """Its controller has seen the newest spec. Until then the API server answers every eviction with "try again"."""
    version: str = ""

    @property
    def id(self) -> str:
        """`namespace/name`, as an operator would write it."""
        return f"{self.namespace}/{self.name}"

    def covers(self, pod: Pod) -> bool:
        """Is that pod counted by it?"""
        return pod.namespace == self.namespace and self.selector is not None and self.selector.selects(pod.labels)

    def lets_go(self, pod: Pod) -> bool:
        """Would the eviction API let that pod go now, as far as this budget goes?"""
        if not self.covers(pod) or pod.passes_budgets:
            return True
        if not pod.ready and (self.always_evict_unhealthy or 0 < self.desired_healthy <= self.current_healthy):
            return True
        return self.observed and self.disruptions_allowed > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeAttachment:
    """One volume being attached to one node, by a CSI driver."""

    name: str
    uid: str
    node: str
    attacher: str
    """The CSI driver's name."""
    volume: str | None = None
    """Name of the PersistentVolume; None for a volume that is written into the attachment itself."""
    attached: bool = False
    deletion_time: float | None = None
    """When its detaching was asked for."""
    version: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """One PersistentVolumeClaim: the way from a pod to the attachments that its going should end."""

    namespace: str
    name: str
    uid: str
    volume: str | None = None
    """Name of the PersistentVolume that it got; None until it has one."""
    access_modes: frozenset[str] = frozenset()
    """ReadWriteOnce, ReadWriteOncePod, ReadOnlyMany, ReadWriteMany"""

    @property
    def shared(self) -> bool:
        """Several nodes may hold it at once, so one node's going frees nobody who waits."""
        return not self.access_modes <= {"ReadWriteOnce", "ReadWriteOncePod"}
