"""Who goes when: the pods of a node in tiers, and those that stay.

Ordinary pods go first, then (only if that is asked for) ordinary daemons, then what the cluster itself needs, then its
daemons, and last the pod that Spotward runs in. A tier waits until the one before it is gone, unless the time forces it
(`spotward.nodes.ladder`): DNS and the network must outlive those who need them, and so must whoever unmounts volumes.
Within a tier the less important go first, and of these the ones that take longest to stop.
"""

from spotward.model.cluster import Pod, Taint
from spotward.model.incident import Cause, Incident
from spotward.nodes.policy import NodesPolicy, Sparing

OWN_TIER = 4


def tier(pod: Pod, policy: NodesPolicy) -> int:
    """0 goes first."""
    if is_own(pod, policy):
        return OWN_TIER
    return 2 * pod.critical + pod.from_daemon_set


def order(pod: Pod) -> tuple[int, float, str]:
    """Within a tier the smallest goes first."""
    return (pod.priority, -pod.grace_seconds, pod.id)


def is_own(pod: Pod, policy: NodesPolicy) -> bool:
    """Is it the pod that we run in?"""
    return bool(policy.own_pod) and (pod.namespace, pod.name) == (policy.own_namespace, policy.own_pod)


def why_left(pod: Pod, taint: Taint, policy: NodesPolicy) -> str | None:
    """Why a pod is not moved at all, in words; None if it is."""
    if pod.mirror:
        return "a static pod: its kubelet runs it from a file"
    if pod.finished:
        return f"it has finished ({pod.phase})"
    if pod.annotations.get(policy.leave_annotation) == "true":
        return f"its annotation {policy.leave_annotation} says so"
    if pod.from_daemon_set and not policy.daemon_sets:
        return "a daemon of the node"
    if policy.taint and pod.tolerates(taint):
        return f"it tolerates the taint {policy.taint_key}"
    return _never_moved(pod, policy)


def _never_moved(pod: Pod, policy: NodesPolicy) -> str | None:
    kinds = {kind for kind, sparing in _kinds(pod, policy).items() if sparing is Sparing.LEAVE}
    return f"{min(kinds)}; the settings say to leave it" if kinds else None


def why_spared(pod: Pod, incident: Incident, policy: NodesPolicy) -> str | None:
    """Why a pod is not moved yet, as long as nothing forces it; None if it is."""
    if incident.forced:
        return None
    kinds = {kind for kind, sparing in _kinds(pod, policy).items() if sparing is Sparing.DEADLINE}
    return f"{min(kinds)}: it is moved only when the machine goes whatever we do" if kinds else None


def _kinds(pod: Pod, policy: NodesPolicy) -> dict[str, Sparing]:
    kinds: dict[str, Sparing] = {}
    if pod.owner is None:
        kinds["a bare pod, which nobody makes again"] = policy.bare_pods
    elif pod.owner.kind == "Job":
        kinds["a pod of a Job, whose work begins anew"] = policy.jobs
    if pod.empty_dir or pod.host_path:
        kinds["a pod with data on its node"] = policy.local_data
    return kinds


def our_taint(incident: Incident, policy: NodesPolicy) -> Taint:
    """The taint that a node of this incident gets; its value is the weightiest cause."""
    causes = [cause for cause in Cause if cause in incident.causes]
    return Taint(key=policy.taint_key, effect=policy.taint_effect, value=causes[0].value if causes else "")
