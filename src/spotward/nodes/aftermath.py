"""When nothing is left to be done: what was set is taken back, or the machine is gone and what it left is cleared up.

Signals end in several ways: EC2 takes its word back, the maintenance is over, the advice came to nothing for hours, the
machine was started again (its boot id tells). When none holds any more, the node gets back exactly what we took.

The out-of-service taint deletes pods by force and detaches volumes at once. On a machine that still runs this corrupts
data, so it is set only when EC2 has said that the machine is stopped or terminated.
"""

from dataclasses import replace

from spotward.model.action import FindInstance
from spotward.model.cluster import OUT_OF_SERVICE_TAINT, Node, Pod
from spotward.model.incident import STARTED_AGAIN, Cause, Incident, Replacement, Signal
from spotward.model.node_action import (
    DeleteNode,
    DeletePods,
    MarkOutOfService,
    PodOrder,
    UncordonNode,
    UnmarkOutOfService,
)
from spotward.model.units import span
from spotward.nodes.keys import Errand, key_of
from spotward.nodes.learn import back_on
from spotward.nodes.marking import marking
from spotward.nodes.scene import Scene, Steps
from spotward.nodes.successor import stays
from spotward.nodes.tidings import taken_back

REBOOTED = frozenset({Cause.MAINTENANCE, Cause.SHUTDOWN})
"""Causes that a new boot ends."""

OWNERS_REBOOT = "instance-reboot"
"""The code of maintenance that is done with as soon as the owner reboots the instance, however early."""

STOPPING_ACTIONS = ("stop", "hibernate")
"""After these an interrupted machine may come back."""

CLEARING_SECONDS_MAX = 360.0
"""While volumes or pods hang on it a node is left for so long: its taint is what sets them free. The controller that
detaches volumes waits no longer for a dead node either."""

LOOKS_PER_WAIT = 4
"""The longer a machine outlives its deadline, the less often EC2 is asked about it: after each quarter of the time."""


# ---- signals that end by themselves --------------------------------------------------------------------------------


def expire(steps: Steps, scene: Scene) -> Steps:
    """Signals that hold no more."""
    steps = _on_again(steps, scene)
    incident = steps.incident
    node = scene.node(incident)
    signals = tuple(_after(signal, incident, node, scene) for signal in incident.signals)
    if signals != incident.signals:
        incident = replace(incident, signals=signals)
        ready = incident.replacement is Replacement.READY and Cause.SWAP in incident.causes
        steps = steps.at(incident if ready else replace(incident, replacement=Replacement.NONE))
    return steps.waking(_next_expiry(steps.incident, scene))


def _on_again(steps: Steps, scene: Scene) -> Steps:
    """EC2's answers lag: a node that became ready since its machine stopped says more."""
    incident, node = steps.incident, scene.node(steps.incident)
    if node is None or incident.off_time is None or incident.off_state != "stopped" or not node.ready:
        return steps
    since = max((c.time for c in node.conditions if c.type == "Ready" and c.time is not None), default=0.0)
    if since <= incident.off_time and node.boot_id in {"", incident.boot_id}:
        return steps
    return steps.at(back_on(incident, scene.now))


def _after(signal: Signal, incident: Incident, node: Node | None, scene: Scene) -> Signal:
    why = _why_over(signal, incident, node, scene) if signal.over is None else None
    return replace(signal, over=why) if why is not None else signal


def _why_over(signal: Signal, incident: Incident, node: Node | None, scene: Scene) -> str | None:
    if _booted_anew(signal, incident, node) and _ends_at_a_boot(signal, scene):
        return STARTED_AGAIN
    if signal.cause is Cause.SWAP and stays(scene.world, incident.instance_id):
        return "its replacement was given up"
    if signal.cause is Cause.ARRIVAL:
        return None if any(duty.launching and duty.over is None for duty in incident.hooks) else "its hook is over"
    if incident.off_time is not None or scene.now < _expiry(signal, incident, scene):
        return None
    if signal.deadline is None:
        return f"nothing followed for {span(scene.policy.rebalance_keep_seconds)}"
    return "its time passed long ago and the machine is well" if node is not None and node.ready else None


def _booted_anew(signal: Signal, incident: Incident, node: Node | None) -> bool:
    if node is None or not node.ready or not incident.boot_id or node.boot_id in {"", incident.boot_id}:
        return False
    stops = signal.cause is Cause.INTERRUPTION and signal.text in STOPPING_ACTIONS
    return signal.cause in REBOOTED or stops


def _ends_at_a_boot(signal: Signal, scene: Scene) -> bool:
    """A boot before its time is somebody else's and ends no maintenance, but for a reboot that its owner may do."""
    if signal.cause is not Cause.MAINTENANCE or signal.deadline is None or signal.text == OWNERS_REBOOT:
        return True
    return scene.now >= signal.deadline - scene.policy.reserve_seconds


def _expiry(signal: Signal, incident: Incident, scene: Scene) -> float:
    if signal.cause is Cause.REBALANCE:
        keeps = incident.replacement is Replacement.READY
        return float("inf") if keeps else signal.time + scene.policy.rebalance_keep_seconds
    return float("inf") if signal.deadline is None else signal.deadline + scene.policy.forget_seconds


def _next_expiry(incident: Incident, scene: Scene) -> float:
    moments = (_expiry(signal, incident, scene) for signal in incident.held)
    return min((moment for moment in moments if moment > scene.now), default=float("inf"))


# ---- taking back ---------------------------------------------------------------------------------------------------


def take_back(steps: Steps, scene: Scene) -> Steps:
    """When no signal holds any more, the node gets back what we took, and nothing else."""
    incident = steps.incident
    node = scene.node(incident)
    if incident.held or incident.off_time is not None or node is None:
        return steps
    if incident.out_of_service:
        steps = steps.wishing(_in_service(incident), "the machine is on again")
    if incident.marking and scene.refused(key_of(incident, Errand(incident.marking))):
        incident = replace(incident, marking="")
        steps = steps.at(incident)
    if incident.marking:
        asked = marking(incident, Errand(incident.marking), scene)
        return steps.wishing(asked, "what was set of it, before a break, is to be taken back")
    if not incident.marks:
        return steps
    why = _why_back(incident)
    steps = steps.wishing(_uncordon(incident), why)
    told = Errand.TELL_BACK.value in incident.told or not scene.policy.tell_cluster
    return steps if told else steps.wishing(taken_back(incident, scene, why), "its owners should know")


def _why_back(incident: Incident) -> str:
    return "; ".join(dict.fromkeys(signal.over for signal in incident.signals if signal.over is not None))


def _uncordon(incident: Incident) -> UncordonNode:
    return UncordonNode(
        instance_id=incident.instance_id,
        key=key_of(incident, Errand.UNCORDON),
        node=incident.node,
        uid=incident.node_uid,
        uncordon=incident.marks.cordoned,
        taints=incident.marks.taints,
        labels=incident.marks.labels,
    )


def _in_service(incident: Incident) -> UnmarkOutOfService:
    return UnmarkOutOfService(
        instance_id=incident.instance_id,
        key=key_of(incident, Errand.IN_SERVICE),
        node=incident.node,
        uid=incident.node_uid,
    )


# ---- the machine is off --------------------------------------------------------------------------------------------


def confirm_off(steps: Steps, scene: Scene) -> Steps:
    """After the deadline EC2 is asked whether the machine is off, until it says so."""
    incident = steps.incident
    deadline = incident.deadline
    if deadline is None or incident.off_time is not None or scene.node(incident) is None:
        return steps
    look = max(incident.look_time, deadline)
    if scene.now < look:
        return steps.waking(look)
    pause = max(scene.policy.off_look_seconds, (scene.now - deadline) / LOOKS_PER_WAIT)
    question = FindInstance(region=incident.region, instance_id=incident.instance_id)
    steps = steps.at(replace(incident, look_time=scene.now + pause))
    return steps.wishing(question, "its time is over; is the machine off?").waking(scene.now + pause)


def clear_up(steps: Steps, scene: Scene) -> Steps:
    """What a machine that is off left behind: pods that wait for their grace, volumes, and at last the node itself."""
    incident = steps.incident
    node = scene.node(incident)
    if incident.off_time is None or node is None:
        return steps
    if scene.now < incident.clear_time:
        return steps.waking(incident.clear_time)
    steps = _out_of_service(_pods_forgotten(steps, scene), scene, node)
    return _node_deleted(steps, scene, node, incident.off_time)


def _pods_forgotten(steps: Steps, scene: Scene) -> Steps:
    """Nobody stops these pods any more, so they are deleted at once, and what waits for their names can come up."""
    incident = steps.incident
    ghosts = hanging(incident, scene)
    if not ghosts:
        return steps
    orders = tuple(PodOrder(namespace=p.namespace, name=p.name, uid=p.uid, grace_seconds=0) for p in ghosts)
    deed = DeletePods(
        instance_id=incident.instance_id, key=key_of(incident, Errand.FORGET), node=incident.node, pods=orders
    )
    return steps.wishing(deed, f"EC2 says that the machine is {incident.off_state}: nobody stops them any more")


def hanging(incident: Incident, scene: Scene) -> list[Pod]:
    """Pods on the node that come up elsewhere once they are gone here."""
    pods = scene.pods(incident)
    seen = pods.pods.values() if pods is not None else ()
    return [pod for pod in seen if not (pod.mirror or pod.finished or pod.from_daemon_set)]


def _out_of_service(steps: Steps, scene: Scene, node: Node) -> Steps:
    incident = steps.incident
    if not scene.policy.out_of_service or node.has_taint(OUT_OF_SERVICE_TAINT):
        return steps
    if not left_behind(incident, scene):
        return steps
    deed = MarkOutOfService(
        instance_id=incident.instance_id,
        key=key_of(incident, Errand.OUT_OF_SERVICE),
        node=incident.node,
        uid=incident.node_uid,
    )
    steps = steps.at(replace(incident, out_of_service=True))
    return steps.wishing(deed, f"EC2 says that the machine is {incident.off_state}, and pods or volumes hang on it")


def left_behind(incident: Incident, scene: Scene) -> bool:
    """Do pods that come up elsewhere, or volumes, still hang on the node?"""
    return bool(hanging(incident, scene)) or bool(scene.world.cluster.attachments.get(incident.node))


def _node_deleted(steps: Steps, scene: Scene, node: Node, off_time: float) -> Steps:
    incident = steps.incident
    if incident.off_state != "terminated" or node.deletion_time is not None:
        return steps
    due = off_time + scene.policy.delete_node_seconds
    if left_behind(incident, scene):
        due = max(due, off_time + CLEARING_SECONDS_MAX)
    if scene.now < due:
        return steps.waking(due)
    deed = DeleteNode(
        instance_id=incident.instance_id,
        key=key_of(incident, Errand.DELETE_NODE),
        node=incident.node,
        uid=incident.node_uid,
    )
    return steps.wishing(deed, f"its machine is terminated since {span(scene.now - off_time)}")
