"""Lifecycle hooks: a group holds an instance until we say that it may go on.

While a node is being emptied Auto Scaling is told so at half of the hook's timeout each time, or more often; when it
was last told stands on the incident, so a restart loses no heartbeat. The hook is completed when the node is empty and
its volumes are detached, or so long after that as the settings want, and not before: then the group terminates the
machine. At the start of a life it is completed when the node is ready.
"""

import math
from collections.abc import Iterable

from spotward.model.action import ObserveGroup
from spotward.model.cloud import group_id
from spotward.model.incident import HookDuty, Incident
from spotward.model.node_action import CompleteLifecycle, RecordHeartbeat
from spotward.nodes.keys import Errand, hook_key
from spotward.nodes.policy import Response
from spotward.nodes.scene import Scene, Steps

UNKNOWN_TIMEOUT_SECONDS = 60.0
"""What is assumed of a hook until its group's details are known: the shortest that anybody sets."""

JOIN_SECONDS_MAX = 3600.0
"""How long a launch hook waits whose group's details are not known: Auto Scaling's own default."""

BEATS_MAX = 100
"""Auto Scaling waits for no more than so many heartbeat timeouts."""


def open_duties(incident: Incident) -> Iterable[HookDuty]:
    """The hooks that still wait."""
    return (duty for duty in incident.hooks if duty.over is None)


def hooks(steps: Steps, scene: Scene) -> Steps:
    """Complete what can be completed, and keep the rest waiting."""
    for duty in open_duties(steps.incident):
        if may_go_on(duty, steps.incident, scene):
            steps = steps.wishing(_completion(steps.incident, duty), "nothing is left to wait for")
        else:
            steps = _kept_waiting(steps, duty, scene).waking(_goes_on(steps.incident, scene))
    return steps


def _goes_on(incident: Incident, scene: Scene) -> float:
    """From when on an empty node holds up no hook."""
    return math.inf if incident.drained_time is None else incident.drained_time + scene.policy.hook_delay_seconds


def may_go_on(duty: HookDuty, incident: Incident, scene: Scene) -> bool:
    """Need the hook not wait any longer?"""
    node = scene.node(incident)
    if duty.launching:
        return node is not None and node.ready
    if node is None and not incident.node:
        return lost_one_of_ours(incident, scene)
    if node is None:
        return scene.world.cluster.seen  # it was ours, and is no more
    response = scene.response(incident)
    cordoned_only = response is Response.CORDON and bool(incident.marked)
    return scene.now >= _goes_on(incident, scene) or incident.off_time is not None or cordoned_only


def lost_one_of_ours(incident: Incident, scene: Scene) -> bool:
    """Tagged as one of this cluster's, and no node of it: nobody else will complete its hook."""
    instance = scene.world.instances.get(incident.instance_id)
    return (
        scene.policy.complete_for_lost
        and scene.world.cluster.seen
        and instance is not None
        and bool(scene.policy.cluster)
        and instance.cluster == scene.policy.cluster
    )


def may_join(incident: Incident, scene: Scene) -> bool:
    """May a node that is only coming join any moment? Its tags tell, or the time where the cluster has no name."""
    if scene.policy.cluster:
        return _is_ours_by_tag(incident, scene)
    return any(scene.now < _joins_until(duty, incident, scene) for duty in open_duties(incident) if duty.launching)


def _is_ours_by_tag(incident: Incident, scene: Scene) -> bool:
    instance = scene.world.instances.get(incident.instance_id)
    return instance is not None and instance.cluster == scene.policy.cluster


def _joins_until(duty: HookDuty, incident: Incident, scene: Scene) -> float:
    return duty.heard_time + (timeout_seconds(duty, incident, scene) or JOIN_SECONDS_MAX)


def timeout_seconds(duty: HookDuty, incident: Incident, scene: Scene) -> float | None:
    """The hook's heartbeat timeout, or None as long as it is not known."""
    known = scene.world.details.get(group_id(incident.region, duty.group))
    if known is None:
        return None
    return next((float(h.heartbeat_timeout_seconds) for h in known.details.hooks if h.name == duty.hook), None)


def _kept_waiting(steps: Steps, duty: HookDuty, scene: Scene) -> Steps:
    incident, policy = steps.incident, scene.policy
    timeout = timeout_seconds(duty, incident, scene)
    if timeout is None and not duty.beats and group_id(incident.region, duty.group) not in scene.world.details:
        question = ObserveGroup(region=incident.region, group=duty.group, details=True)
        steps = steps.wishing(question, f"how long does its hook {duty.hook} wait?")
    if duty.launching and not incident.node and not policy.cluster:
        return steps.waking(_joins_until(duty, incident, scene))  # a stranger's hook is not kept waiting
    if not policy.heartbeats or (scene.response(incident).rank < Response.CORDON.rank and not duty.launching):
        return steps
    every = timeout or UNKNOWN_TIMEOUT_SECONDS
    longest = min(policy.heartbeat_seconds_max, BEATS_MAX * every)
    until = min(duty.heard_time + longest, _deadline(duty, incident))
    due = duty.beat_time + min(every / 2, policy.heartbeat_seconds or math.inf)
    if scene.now >= until:
        return steps.noting_trouble(f"heartbeat deadline exceeded: the hook {duty.hook} is kept waiting no longer")
    if scene.now < due:
        return steps.waking(min(due, until))
    return steps.wishing(_heartbeat(incident, duty), f"the hook {duty.hook} would lapse before the node is empty")


def _deadline(duty: HookDuty, incident: Incident) -> float:
    """Keeping it waiting beyond the deadline helps nobody: what is left then is left."""
    deadline = incident.deadline
    return float("inf") if duty.launching or deadline is None else deadline


def _completion(incident: Incident, duty: HookDuty) -> CompleteLifecycle:
    return CompleteLifecycle(
        region=incident.region,
        group=duty.group,
        instance_id=incident.instance_id,
        key=hook_key(incident, Errand.COMPLETE, duty),
        hook=duty.hook,
        token=duty.token,
    )


def _heartbeat(incident: Incident, duty: HookDuty) -> RecordHeartbeat:
    return RecordHeartbeat(
        region=incident.region,
        group=duty.group,
        instance_id=incident.instance_id,
        key=hook_key(incident, Errand.HEARTBEAT, duty),
        hook=duty.hook,
        token=duty.token,
    )
