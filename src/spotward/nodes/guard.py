"""The last look before a deed on a node: each guard admits a wish, or refuses it in words.

Deciders may err; guards hold the laws: nothing happens to a node without an incident of it; only what we set is taken
back; no pod is asked to stop in no time at all; no budget is passed too early; nothing is called off that still runs.
"""

from spotward.model.decision import Guard, Wish
from spotward.model.incident import Incident
from spotward.model.node_action import (
    CompleteLifecycle,
    CordonNode,
    DeleteNode,
    DeletePods,
    EvictPods,
    MarkOutOfService,
    UncordonNode,
    UnmarkOutOfService,
)
from spotward.model.units import clock, counted
from spotward.model.world import World
from spotward.nodes.deadline import latest_start
from spotward.nodes.hooks import may_go_on
from spotward.nodes.ladder import may_pass
from spotward.nodes.policy import NodesPolicy
from spotward.nodes.scene import Scene

NodeDeed = CordonNode | UncordonNode | EvictPods | DeletePods | MarkOutOfService | UnmarkOutOfService | DeleteNode


def node_guard(world: World, wish: Wish) -> str | None:
    """Nothing is done to a node but by the open incident of it."""
    action = wish.action
    if not isinstance(action, NodeDeed):
        return None
    incident = world.incidents.get(action.instance_id)
    if incident is None or incident.node != action.node:
        return f"no incident of {action.node} is open"
    uid = None if isinstance(action, EvictPods | DeletePods) else action.uid
    if uid not in {None, incident.node_uid}:
        return f"{action.node} is another node by that name now"
    return None


def ownership_guard(world: World, wish: Wish) -> str | None:
    """Only what we set is taken back."""
    action = wish.action
    incident = world.incidents.get(action.subject) if isinstance(action, UncordonNode) else None
    if incident is None or not isinstance(action, UncordonNode):
        return None
    ours = incident.marks
    foreign = [t.key for t in action.taints if t not in ours.taints] + [
        name for name, value in action.labels if (name, value) not in ours.labels
    ]
    if action.uncordon and not ours.cordoned:
        foreign.append("the cordon")
    return f"{foreign[0]} on {action.node} is not ours to take back" if foreign else None


def grace_guard(world: World, wish: Wish) -> str | None:
    """No pod is given no time at all, on a machine that may run: the API would forget it while it goes on."""
    action = wish.action
    if not isinstance(action, EvictPods | DeletePods):
        return None
    incident = world.incidents.get(action.instance_id)
    if incident is not None and incident.off_time is not None:
        return None
    hurried = next((pod for pod in action.pods if pod.grace_seconds is not None and pod.grace_seconds < 1), None)
    return f"{hurried.id} may not be given {hurried.grace_seconds} s to stop" if hurried is not None else None


def budget_guard(policy: NodesPolicy) -> Guard:
    """No pod is deleted past its budget before its last moment, unless the settings say so; none is shortened early."""

    def admits(world: World, wish: Wish) -> str | None:
        action = wish.action
        incident = world.incidents.get(action.subject) if isinstance(action, DeletePods) else None
        if incident is None or incident.off_time is not None or not isinstance(action, DeletePods):
            return None
        scene = Scene(world=world, policy=policy)
        early = (_too_early(pod.uid, incident, scene) for pod in action.pods)
        return next((reason for reason in early if reason is not None), None)

    return admits


def _too_early(uid: str, incident: Incident, scene: Scene) -> str | None:
    seen = scene.pods(incident)
    pod = seen.pods.get(uid) if seen is not None else None
    if pod is None:
        return None
    stop = scene.stop(incident)
    if pod.leaving:
        return f"{pod.id} may go on stopping until {clock(stop)}" if scene.now < stop else None
    if may_pass(incident, scene, latest_start(stop, scene.grace(pod))):
        return None
    return f"{pod.id} may not be deleted past its budget now"


def crowd_guard(policy: NodesPolicy) -> Guard:
    """No more nodes are emptied at once, of those that nothing forces, than the settings allow."""

    def admits(world: World, wish: Wish) -> str | None:
        action = wish.action
        incident = world.incidents.get(action.subject) if isinstance(action, EvictPods) else None
        limit = policy.voluntary_drains_at_once_max
        if incident is None or incident.forced or len(world.incidents.voluntary) <= limit:
            return None
        return f"{counted(len(world.incidents.voluntary), 'node')} are being emptied; the limit is {limit}"

    return admits


def off_guard(world: World, wish: Wish) -> str | None:
    """Nothing is marked out of service, and no node deleted, whose machine may still run."""
    action = wish.action
    if not isinstance(action, MarkOutOfService | DeleteNode):
        return None
    incident = world.incidents.get(action.instance_id)
    if incident is None or incident.off_time is None:
        return f"EC2 has not said that the machine of {action.node} is off"
    if isinstance(action, DeleteNode) and incident.off_state != "terminated":
        return f"the machine of {action.node} is {incident.off_state} and may come back"
    return None


def hook_guard(policy: NodesPolicy) -> Guard:
    """No hook is completed while pods or volumes are left."""

    def admits(world: World, wish: Wish) -> str | None:
        action = wish.action
        incident = world.incidents.get(action.subject) if isinstance(action, CompleteLifecycle) else None
        if incident is None or not isinstance(action, CompleteLifecycle):
            return None
        duty = next((each for each in incident.hooks if each.token == action.token), None)
        if duty is not None and may_go_on(duty, incident, Scene(world=world, policy=policy)):
            return None
        return f"{incident.node or action.instance_id} is not ready for its hook {action.hook} to be completed"

    return admits
