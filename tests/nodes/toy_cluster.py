"""A toy cluster whose API server answers as Kubernetes' does, with the EC2 and the Auto Scaling beneath it.

It has budgets that are worked out anew after each change, kubelets that stop pods in the time that they are given (or
never), controllers that make pods again on another node, and volumes that detach a while after their pod.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from spotward.model.action import Action, FindInstance, ObserveGroup
from spotward.model.cloud import Group, GroupDetails, Instance, Lifecycle, LifecycleHook
from spotward.model.cluster import (
    OUT_OF_SERVICE_TAINT,
    Budget,
    Claim,
    Condition,
    Node,
    Pod,
    PodOwner,
    Selector,
    Taint,
    VolumeAttachment,
)
from spotward.model.event import Done, Event, Failed, GroupObserved, InstanceFound
from spotward.model.node_action import (
    CompleteLifecycle,
    CordonNode,
    DeleteNode,
    DeletePods,
    EvictPods,
    LookAtTargets,
    LookAtWorkload,
    MarkOutOfService,
    Notify,
    PodOrder,
    RecordHeartbeat,
    ScaleWorkload,
    TellCluster,
    UncordonNode,
    UnmarkOutOfService,
    UnwatchPods,
    WatchPods,
)
from spotward.model.node_event import (
    NodeMarked,
    PodAnswer,
    PodResult,
    PodsAnswered,
    PodsSeen,
    TargetsSeen,
    WorkloadSeen,
)
from spotward.model.workload import HASH_LABEL, Workload, deployment_of

REGION = "us-east-1"
CLUSTER = "prod"
READY = (Condition(type="Ready", status="True"),)


def a_node(number: int, **changes: object) -> Node:
    node = Node(
        name=f"n-{number}",
        uid=f"node-uid-{number}",
        provider_id=f"aws:///us-east-1a/i-{number}",
        conditions=READY,
        boot_id="boot-1",
        labels={"topology.kubernetes.io/zone": "us-east-1a"},
    )
    return replace(node, **changes)  # type: ignore[arg-type]  # fields of it


def a_pod(name: str, node: str = "n-1", **changes: object) -> Pod:
    app = name.rpartition("-")[0] or name
    pod = Pod(
        namespace="default",
        name=name,
        uid=f"uid-{name}",
        node=node,
        phase="Running",
        owner=PodOwner(kind="ReplicaSet", name=app, uid=f"uid-{app}"),
        labels={"app": app},
        conditions=READY,
    )
    return replace(pod, **changes)  # type: ignore[arg-type]  # fields of it


def a_budget(app: str, **changes: object) -> Budget:
    budget = Budget(namespace="default", name=app, uid=f"uid-{app}", selector=Selector(labels={"app": app}))
    return replace(budget, **changes)  # type: ignore[arg-type]  # fields of it


def deployed(name: str, node: str = "n-1", **changes: object) -> Pod:
    """A pod that a Deployment made, named after its app."""
    app = name.rpartition("-")[0] or name
    owner = PodOwner(kind="ReplicaSet", name=f"{app}-abc", uid=f"uid-{app}")
    return a_pod(name, node, owner=owner, labels={"app": app, HASH_LABEL: "abc"}, **changes)


@dataclass(kw_only=True)
class Size:
    """How many pods a Deployment wants, and who said so last."""

    replicas: int
    ours: bool = False
    autoscaler: str = ""


@dataclass(kw_only=True)
class Note:
    """What we set on a node."""

    cordoned: bool = False
    taints: set[Taint] = field(default_factory=set)
    labels: set[tuple[str, str]] = field(default_factory=set)


@dataclass(kw_only=True)
class ToyCluster:
    """Nodes, pods, budgets, volumes, and the EC2 and Auto Scaling beneath them."""

    time: float = 0.0
    nodes: dict[str, Node] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    budgets: dict[str, Budget] = field(default_factory=dict)
    attachments: dict[str, VolumeAttachment] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    sizes: dict[str, Size] = field(default_factory=dict)
    """Deployment → its size."""
    starts: bool = True
    """New pods become ready."""
    scalings: list[tuple[str, int]] = field(default_factory=list)
    """(deployment, size) of everything that was set."""
    target_state: Callable[[float, str], str] = lambda _time, _place: ""
    """How a target group speaks of the instances at a time."""
    watched: dict[str, str] = field(default_factory=dict)
    """Node → instance of the watch."""
    notes: dict[str, Note] = field(default_factory=dict)
    """Node → what we set on it, as a note on the node says, so that an order that is repeated is answered alike."""
    tagged: set[str] = field(default_factory=set)
    """Instances that are tagged as the cluster's."""
    states: dict[str, str] = field(default_factory=dict)
    """Instance → EC2's state, where it is not running."""
    stop_seconds: Callable[[Pod], float] = lambda pod: min(pod.grace_seconds, 2.0)
    """How long a pod takes to stop, if it is let."""
    detach_seconds: float = 3.0
    remakes: bool = True
    """Controllers make an evicted pod again, ready at once, on a node that is not cordoned."""
    refuses: Callable[[PodOrder], PodAnswer | None] = lambda _order: None
    """What stands in the way of an eviction or a deletion besides budgets."""
    taints_forbidden: bool = False
    cordon_forbidden: bool = False
    hooks_done: list[str] = field(default_factory=list)
    beats: list[tuple[float, str]] = field(default_factory=list)
    tidings: list[str] = field(default_factory=list)
    notified: list[str] = field(default_factory=list)
    orders: list[tuple[float, str, PodOrder]] = field(default_factory=list)
    """(time, `evict` or `delete`, what) of everything that was asked of pods."""
    ends: list[tuple[str, float]] = field(default_factory=list)
    """(pod, when it ended)"""
    attached_until: dict[str, float] = field(default_factory=dict)
    _made: int = 0

    # ---- the API server --------------------------------------------------------------------------------------------

    def counted(self, budget: Budget) -> Budget:
        """The budget as its controller would work it out now."""
        covered = [p for p in self.pods.values() if budget.covers(p) and not p.finished]
        healthy = sum(p.ready and not p.leaving for p in covered)
        total = len(covered) if budget.expected_pods == 0 else max(budget.expected_pods, 0)
        if budget.max_unavailable is not None:
            desired = total - int(budget.max_unavailable)
        else:
            desired = int(budget.min_available or 0)
        return replace(
            budget,
            disruptions_allowed=max(0, healthy - desired),
            current_healthy=healthy,
            desired_healthy=desired,
            expected_pods=total,
        )

    def recount(self) -> tuple[Budget, ...]:
        """Work all budgets out; those that changed."""
        changed = [after for b in self.budgets.values() if (after := self.counted(b)) != b]
        self.budgets |= {b.id: b for b in changed}
        return tuple(changed)

    def evicted(self, order: PodOrder, *, past_budgets: bool) -> PodAnswer:
        pod = self.pods.get(order.uid)
        if pod is None:
            return PodAnswer(uid=order.uid, result=PodResult.GONE)
        refused = self.refuses(order)
        if refused is not None:
            return refused
        covering = [b for b in self.budgets.values() if b.covers(pod)]
        if not past_budgets and not pod.passes_budgets:
            if len(covering) > 1:
                return PodAnswer(uid=order.uid, result=PodResult.TWO_BUDGETS, reason="more than one budget")
            if not all(b.lets_go(pod) for b in covering):
                return PodAnswer(uid=order.uid, result=PodResult.BLOCKED, reason="Cannot evict pod")
        grace = pod.grace_seconds if order.grace_seconds is None else float(order.grace_seconds)
        end = self.time + grace
        if pod.deletion_time is not None:
            end = min(end, pod.deletion_time)
        self.pods[pod.uid] = replace(pod, deletion_time=end, deletion_grace_seconds=grace)
        self.recount()
        return PodAnswer(uid=order.uid, result=PodResult.ACCEPTED)

    def pass_to(self, time: float) -> None:
        """Kubelets stop pods, controllers make them again, volumes detach."""
        self.time = time
        for pod in list(self.pods.values()):
            if pod.deletion_time is None or self._is_off(pod.node):
                continue
            begun = pod.deletion_time - (pod.deletion_grace_seconds or 0.0)
            if time >= min(pod.deletion_time, begun + self.stop_seconds(pod)):
                self._stopped(pod)
        for name, attachment in list(self.attachments.items()):
            if attachment.node in self.nodes and time >= self.attached_until.get(name, float("inf")):
                del self.attachments[name]

    def _stopped(self, pod: Pod) -> None:
        if pod.finalizers:
            return
        del self.pods[pod.uid]
        self.ends.append((pod.name, self.time))
        volumes = {c.volume for name in pod.claims if (c := self.claims.get(f"{pod.namespace}/{name}")) is not None}
        for name, attachment in self.attachments.items():
            if attachment.node == pod.node and attachment.volume in volumes:
                self.attached_until[name] = self.time + self.detach_seconds
        places = [n.name for n in self.nodes.values() if not n.unschedulable and not self._is_off(n.name)]
        if self.remakes and pod.owner is not None and pod.owner.kind != "Job" and places:
            self._made += 1
            self.pods[f"made-{self._made}"] = replace(
                pod,
                name=f"{pod.labels.get('app', 'x')}-made{self._made}",
                uid=f"made-{self._made}",
                node=places[0],
                deletion_time=None,
                deletion_grace_seconds=None,
                creation_time=self.time,
            )

    def _is_off(self, node: str | None) -> bool:
        known = self.nodes.get(node or "")
        return known is not None and known.instance_id in self.states

    def switch_off(self, instance_id: str, state: str = "terminated") -> None:
        """EC2 takes the machine; its node is not ready any more."""
        self.states[instance_id] = state
        for node in self.nodes.values():
            if node.instance_id == instance_id:
                self.nodes[node.name] = replace(node, conditions=(Condition(type="Ready", status="Unknown"),))

    # ---- deeds -----------------------------------------------------------------------------------------------------

    def do(self, action: Action, attempt: int) -> Event:
        """Carry a deed or a question out."""
        answer = self._answer(action, attempt)
        if answer is not None:
            return answer
        self._simply_done(action)
        return Done(time=self.time, key=action.key, attempt=attempt, subject=action.subject)

    def _answer(self, action: Action, attempt: int) -> Event | None:
        match action:
            case WatchPods():
                self.watched[action.node] = action.instance_id
                return self.pods_of(action.node, key=action.key, attempt=attempt)
            case CordonNode():
                return self._cordon(action, attempt)
            case EvictPods() | DeletePods():
                return self._pods_asked(action, attempt)
            case FindInstance():
                return self._found(action, attempt)
            case ObserveGroup():
                return self._group(action, attempt)
            case LookAtWorkload():
                return self._workload(action, attempt)
            case LookAtTargets():
                return self._targets(action, attempt)
            case _:
                return None

    def _simply_done(self, action: Action) -> None:
        match action:
            case UnwatchPods():
                self.watched.pop(action.node, None)
            case UncordonNode():
                self._uncordon(action)
            case ScaleWorkload():
                self._scale(action)
            case MarkOutOfService():
                self._off_for_good(action.node)
            case UnmarkOutOfService():
                node = self.nodes[action.node]
                taints = tuple(t for t in node.taints if t.key != OUT_OF_SERVICE_TAINT)
                self.nodes[action.node] = replace(node, taints=taints)
            case DeleteNode():
                self.nodes.pop(action.node, None)
            case TellCluster():
                self.tidings += [f"{t.reason} {t.name}: {t.text}" for t in action.tidings]
            case Notify():
                self.notified.append(action.text)
            case CompleteLifecycle():
                self.hooks_done.append(action.token)
            case RecordHeartbeat():
                self.beats.append((self.time, action.hook))
            case _:
                raise AssertionError(f"nobody expects {action.kind} here")

    def next_change(self) -> float:
        """When a pod stops or a volume detaches next, after now."""
        ends = [
            min(p.deletion_time, p.deletion_time - (p.deletion_grace_seconds or 0.0) + self.stop_seconds(p))
            for p in self.pods.values()
            if p.deletion_time is not None and not p.finalizers and not self._is_off(p.node)
        ]
        detached = [t for name, t in self.attached_until.items() if name in self.attachments]
        return min((moment for moment in (*ends, *detached) if moment > self.time), default=float("inf"))

    def pods_of(self, name: str, *, key: str = "", attempt: int = 1) -> PodsSeen:
        """All pods of a node."""
        return PodsSeen(
            time=self.time,
            key=key,
            attempt=attempt,
            instance_id=self.watched[name],
            node=name,
            pods=tuple(p for p in self.pods.values() if p.node == name),
            claims=tuple(self.claims.values()),
            whole=True,
        )

    def _cordon(self, action: CordonNode, attempt: int) -> Event:
        if self.cordon_forbidden:
            return Failed(
                time=self.time,
                key=action.key,
                attempt=attempt,
                subject=action.subject,
                code="Forbidden",
                reason="nodes is forbidden",
                transient=False,
            )
        node = self.nodes[action.node]
        taints = () if self.taints_forbidden else tuple(t for t in action.taints if not node.has_taint(t.key))
        labels = tuple((k, v) for k, v in action.labels if k not in node.labels)
        own = self.notes.setdefault(node.name, Note())
        own.cordoned |= not node.unschedulable
        own.taints |= set(taints)
        own.labels |= set(labels)
        self.nodes[node.name] = replace(
            node, unschedulable=True, taints=(*node.taints, *taints), labels={**node.labels, **dict(labels)}
        )
        return NodeMarked(
            time=self.time,
            key=action.key,
            attempt=attempt,
            instance_id=action.instance_id,
            node=action.node,
            cordoned=own.cordoned,
            taints=tuple(t for t in action.taints if t in own.taints),
            labels=tuple(each for each in action.labels if each in own.labels),
        )

    def _uncordon(self, action: UncordonNode) -> None:
        node = self.nodes.get(action.node)
        if node is None:
            return
        gone = {t.key for t in action.taints}
        self.notes.pop(node.name, None)
        self.nodes[node.name] = replace(
            node,
            unschedulable=node.unschedulable and not action.uncordon,
            taints=tuple(t for t in node.taints if t.key not in gone),
            labels={k: v for k, v in node.labels.items() if (k, v) not in action.labels},
        )

    def _serving(self, name: str) -> list[Pod]:
        every = self.pods.values()
        return [p for p in every if p.ready and not p.leaving and f"{p.namespace}/{deployment_of(p)}" == name]

    def _workload(self, action: LookAtWorkload, attempt: int) -> WorkloadSeen:
        name = f"{action.namespace}/{action.name}"
        size = self.sizes.get(name)
        workload = Workload(
            namespace=action.namespace,
            name=action.name,
            uid=f"uid-{name}",
            replicas=size.replicas if size is not None else 0,
            available=len(self._serving(name)),
            ours=size is not None and size.ours,
            autoscaler=size.autoscaler if size is not None and action.autoscaler else "",
        )
        return WorkloadSeen(
            time=self.time,
            key=action.key,
            attempt=attempt,
            instance_id=action.instance_id,
            node=action.node,
            namespace=action.namespace,
            name=action.name,
            workload=workload if size is not None else None,
        )

    def _targets(self, action: LookAtTargets, attempt: int) -> TargetsSeen:
        return TargetsSeen(
            time=self.time,
            key=action.key,
            attempt=attempt,
            instance_id=action.instance_id,
            states=tuple((place.name, self.target_state(self.time, place.name)) for place in action.places),
        )

    def _scale(self, action: ScaleWorkload) -> None:
        """As the hands do: a number that is not ours any more is not put back."""
        name = f"{action.namespace}/{action.name}"
        size = self.sizes[name]
        if size.replicas != action.before or not (action.raises or size.ours):
            return
        self.scalings.append((name, action.replicas))
        self.sizes[name] = Size(replicas=action.replicas, ours=True)
        here = [p for p in self.pods.values() if f"{p.namespace}/{deployment_of(p)}" == name and not p.leaving]
        if action.raises:
            self._made += 1
            place = next(n.name for n in self.nodes.values() if not n.unschedulable)
            made = replace(here[0], name=f"lent-{self._made}", uid=f"lent-{self._made}", node=place)
            self.pods[made.uid] = made if self.starts else replace(made, conditions=())
        for pod in here[action.replicas :]:
            del self.pods[pod.uid]

    def _pods_asked(self, action: EvictPods | DeletePods, attempt: int) -> PodsAnswered:
        past = isinstance(action, DeletePods)
        self.orders += [(self.time, "delete" if past else "evict", order) for order in action.pods]
        return PodsAnswered(
            time=self.time,
            key=action.key,
            attempt=attempt,
            instance_id=action.instance_id,
            node=action.node,
            answers=tuple(self.evicted(order, past_budgets=past) for order in action.pods),
        )

    def _off_for_good(self, name: str) -> None:
        node = self.nodes[name]
        self.nodes[name] = replace(node, taints=(*node.taints, Taint(key=OUT_OF_SERVICE_TAINT, effect="NoExecute")))
        for pod in [p for p in self.pods.values() if p.node == name and not p.from_daemon_set]:
            del self.pods[pod.uid]
        self.attachments = {k: a for k, a in self.attachments.items() if a.node != name}

    def _found(self, action: FindInstance, attempt: int) -> InstanceFound:
        state = self.states.get(action.instance_id, "running")
        ours = action.instance_id in self.tagged or action.instance_id.startswith("i-lost")
        instance = Instance(
            id=action.instance_id,
            region=REGION,
            az="us-east-1a",
            instance_type="m5.large",
            lifecycle=Lifecycle.SPOT,
            state=state,
            cluster=CLUSTER if ours else None,
        )
        return InstanceFound(
            time=self.time,
            key=action.key,
            attempt=attempt,
            region=action.region,
            instance_id=action.instance_id,
            instance=instance,
        )

    def _group(self, action: ObserveGroup, attempt: int) -> GroupObserved:
        hook = LifecycleHook(
            name="drain", transition="autoscaling:EC2_INSTANCE_TERMINATING", heartbeat_timeout_seconds=120
        )
        return GroupObserved(
            time=self.time,
            key=action.key,
            attempt=attempt,
            as_of=self.time,
            region=action.region,
            group_name=action.group,
            group=Group(region=REGION, name=action.group, min_size=0, max_size=9, desired=0, azs=("us-east-1a",)),
            details=GroupDetails(hooks=(hook,)),
        )


def a_cluster(*pods: Pod, nodes: int = 2, budgets: tuple[Budget, ...] = (), **changes: object) -> ToyCluster:
    """So many nodes; the pods stand on the first unless they say otherwise."""
    cluster = ToyCluster(**changes)  # type: ignore[arg-type]  # fields of it
    cluster.nodes = {f"n-{n}": a_node(n) for n in range(1, nodes + 1)}
    cluster.tagged = {f"i-{n}" for n in range(1, nodes + 1)}
    cluster.pods = {pod.uid: pod for pod in pods}
    cluster.budgets = {budget.id: budget for budget in budgets}
    return cluster
