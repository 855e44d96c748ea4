"""What is seen of and asked about nodes, in an operator's words, and whom it is about."""

from collections import Counter
from collections.abc import Iterable, Sequence

from spotward.model.cluster import Taint
from spotward.model.node_action import (
    CompleteLifecycle,
    CordonNode,
    DeleteNode,
    DeletePods,
    EvictPods,
    LookAtTargets,
    LookAtWorkload,
    MarkOutOfService,
    NodeAction,
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
    AttachmentsSeen,
    BudgetsSeen,
    ClusterObservation,
    ClusterOutcome,
    ClusterSilent,
    LifecycleHooked,
    NodeMarked,
    NodesSeen,
    PodsAnswered,
    PodsSeen,
    TargetGroupsSeen,
    TargetsSeen,
    WorkloadSeen,
)
from spotward.model.units import counted, listed

NodeEvent = LifecycleHooked | ClusterObservation | ClusterOutcome


def node_event_words(event: NodeEvent) -> str:
    """What happened, as one line."""
    match event:
        case LifecycleHooked():
            when = "coming into" if event.launching else "leaving"
            return f"{event.group} holds {event.instance_id}, {when} service, until its hook {event.hook} is completed"
        case NodesSeen():
            return f"the cluster {event.cluster} shows {_shown(event.nodes, event.gone, 'node', whole=event.whole)}"
        case PodsSeen():
            return f"{event.node} shows {_shown(event.pods, event.gone, 'pod', whole=event.whole)}"
        case BudgetsSeen():
            return f"the cluster shows {_shown(event.budgets, event.gone, 'disruption budget', whole=event.whole)}"
        case AttachmentsSeen():
            return f"the cluster shows {_shown(event.attachments, event.gone, 'volume attachment', whole=event.whole)}"
        case TargetGroupsSeen() | TargetsSeen():
            return _balancer_words(event)
        case ClusterSilent():
            return f"the API server of the cluster {event.cluster} cannot be reached: {event.reason}"
        case NodeMarked():
            return f"{event.node} is marked; ours: {_marks(event.cordoned, event.taints, event.labels)}"
        case PodsAnswered():
            results = Counter(answer.result.value for answer in event.answers)
            return f"pods of {event.node}: {listed(f'{number} {result}' for result, number in sorted(results.items()))}"
        case WorkloadSeen(workload=None):
            return f"there is no Deployment {event.namespace}/{event.name}"
        case WorkloadSeen(workload=workload):
            numbers = f"{counted(workload.replicas, 'pod')}, {workload.available} available" if workload else ""
            return f"the Deployment {event.namespace}/{event.name} wants {numbers}"


def _balancer_words(event: TargetGroupsSeen | TargetsSeen) -> str:
    if isinstance(event, TargetGroupsSeen):
        return f"the cluster shows {counted(len(event.target_groups), 'target group')} of nodes"
    states = Counter(state or "no target" for _, state in event.states)
    told = listed(f"{number} {state}" for state, number in sorted(states.items()))
    return f"load balancers say of {event.instance_id}: {told or 'nothing'}"


def _shown(here: Sequence[object], gone: Sequence[object], noun: str, *, whole: bool) -> str:
    if whole:
        return f"all of its {counted(len(here), noun)}"
    parts = [f"{counted(len(here), noun)} new or changed"] * bool(here) + [f"{len(gone)} gone"] * bool(gone)
    return ", ".join(parts) or f"no {noun} changed"


def _marks(cordoned: bool, taints: Sequence[Taint], labels: Sequence[tuple[str, str]]) -> str:
    parts = ["cordon"] * cordoned + [f"taint {t.key}" for t in taints] + [f"label {name}" for name, _ in labels]
    return listed(parts) or "nothing, all of it was there"


def node_action_words(action: NodeAction) -> str:
    """What is asked for, as one line."""
    match action:
        case WatchPods():
            return f"watch the pods of {action.node}"
        case UnwatchPods():
            return f"watch the pods of {action.node} no more"
        case CordonNode():
            more = [f"taint {t.key}" for t in action.taints] + [f"label {name}" for name, _ in action.labels]
            return f"cordon {action.node}" + (f", with {listed(more)}" if more else "")
        case UncordonNode():
            return f"take back from {action.node}: {_marks(action.uncordon, action.taints, action.labels)}"
        case EvictPods():
            return f"evict {_orders(action.pods)} from {action.node}"
        case DeletePods():
            return f"delete {_orders(action.pods)} from {action.node}"
        case LookAtWorkload() | ScaleWorkload():
            return _workload_words(action)
        case MarkOutOfService() | UnmarkOutOfService() | DeleteNode():
            return _end_words(action)
        case TellCluster():
            return f"write {counted(len(action.tidings), 'Kubernetes event')} about {action.node}"
        case Notify():
            return f"notify: {action.text}"
        case CompleteLifecycle() | RecordHeartbeat() | LookAtTargets():
            return _aws_words(action)


def _aws_words(action: CompleteLifecycle | RecordHeartbeat | LookAtTargets) -> str:
    if isinstance(action, LookAtTargets):
        return f"look whether load balancers have let go of {action.instance_id}"
    if isinstance(action, CompleteLifecycle):
        return f"complete the hook {action.hook} of {action.group} for {action.instance_id}"
    return f"ask {action.group} to wait longer at the hook {action.hook} for {action.instance_id}"


def _workload_words(action: LookAtWorkload | ScaleWorkload) -> str:
    deployment = f"the Deployment {action.namespace}/{action.name}"
    if isinstance(action, LookAtWorkload):
        return f"look at {deployment}"
    if action.raises:
        return f"lend {deployment} one more pod, {action.replicas} instead of {action.before}"
    return f"put {deployment} back to {counted(action.replicas, 'pod')}"


def _end_words(action: MarkOutOfService | UnmarkOutOfService | DeleteNode) -> str:
    match action:
        case MarkOutOfService():
            return f"mark {action.node} out of service"
        case UnmarkOutOfService():
            return f"take the out-of-service mark off {action.node}"
        case DeleteNode():
            return f"delete the node {action.node}"


def _orders(pods: Sequence[PodOrder]) -> str:
    return listed([f"{pod.id}{_grace(pod)}" for pod in pods], most=4)


def _grace(pod: PodOrder) -> str:
    return "" if pod.grace_seconds is None else f" (in {pod.grace_seconds} s)"


def subjects_of_node_event(event: NodeEvent) -> Iterable[str]:
    """Instance, node and key of an event; of what a whole cluster shows, nobody."""
    match event:
        case LifecycleHooked():
            yield from (event.instance_id, f"{event.region}/{event.group}")
        case PodsSeen() | NodeMarked() | PodsAnswered() | WorkloadSeen():
            yield from (event.instance_id, event.node)
            yield from (event.key,) if event.key else ()
        case TargetsSeen():
            yield from (event.instance_id, event.key)
        case NodesSeen() | BudgetsSeen() | AttachmentsSeen() | TargetGroupsSeen() | ClusterSilent():
            return


def subjects_of_node_action(action: NodeAction) -> Iterable[str]:
    """Whom a deed is about, besides its subject and its key: the node, or the group, and the pods by name."""
    match action:
        case EvictPods() | DeletePods():
            yield action.node
            yield from (pod.id for pod in action.pods)
        case LookAtWorkload() | ScaleWorkload():
            yield from (action.node, f"{action.namespace}/{action.name}")
        case CompleteLifecycle() | RecordHeartbeat():
            yield f"{action.region}/{action.group}"
        case Notify() | LookAtTargets():
            return
        case _:
            yield action.node
