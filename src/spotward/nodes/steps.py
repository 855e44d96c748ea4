"""The table of what an incident calls for. Each stage looks at the facts, and none knows what the one before it did.

So it does not matter in which order news come, how often they come, or whether the process was killed in between: the
same facts call for the same steps.
"""

from collections.abc import Callable
from dataclasses import replace

from spotward.model.action import FindInstance
from spotward.model.incident import Fate, Incident, Replacement
from spotward.model.units import counted, listed, span
from spotward.nodes.aftermath import clear_up, confirm_off, expire, take_back
from spotward.nodes.balancers import balanced, why_waiting
from spotward.nodes.drain import empty_pods, held_up, watch
from spotward.nodes.endings import ended, told
from spotward.nodes.hooks import hooks, open_duties
from spotward.nodes.intake import node_of
from spotward.nodes.keys import Errand, key_of
from spotward.nodes.marking import marking
from spotward.nodes.policy import Response
from spotward.nodes.report import opening, summary
from spotward.nodes.scene import Scene, Steps
from spotward.nodes.successor import replacement
from spotward.nodes.surge import surge

CROWDED_LOOK_SECONDS = 10.0
"""How often a node that waits for others to be emptied looks whether there is room."""

STORM_LOOK_SECONDS = 300.0
"""How often advice that was only noted is thought over, once there is so much of it."""

MARKING_FAILURES_MAX = 2
"""After so many failures to mark a node that goes anyway its pods are moved all the same."""

# ---- the table -----------------------------------------------------------------------------------------------------


def advance(incident: Incident, scene: Scene) -> Steps:
    """All that the facts call for now."""
    steps = Steps(incident)
    for stage in STAGES:
        steps = stage(steps, scene)
        if steps.incident.ended is not None:
            break
    return steps


def _placed(steps: Steps, scene: Scene) -> Steps:
    """Which node is it?"""
    incident = steps.incident
    if incident.node:
        return steps
    node = node_of(scene.world, incident.instance_id, scene.policy)
    if node is not None:
        return steps.at(replace(incident, node=node.name, node_uid=node.uid, boot_id=node.boot_id))
    unknown = scene.world.cluster.seen and incident.instance_id not in scene.world.instances
    if unknown and incident.off_time is None and any(open_duties(incident)):
        question = FindInstance(region=incident.region, instance_id=incident.instance_id)
        return steps.wishing(question, "a hook waits for it, and it is no node that we know")
    return steps


def _succeeded(steps: Steps, scene: Scene) -> Steps:
    """On advice alone nothing moves before a successor is ready."""
    incident = steps.incident
    if scene.response(incident) is not Response.REPLACE:
        return steps
    state = replacement(scene.world, incident)
    if state is not incident.replacement:
        steps = steps.at(replace(incident, replacement=state))
        steps = steps.waking_up(scene.world.group_of.get(incident.instance_id), scene.now)
    if state is Replacement.READY:
        return steps
    patience = incident.born + scene.policy.successor_wait_seconds
    if scene.now < patience:
        return steps.waking(patience)
    return steps.noting_trouble(f"no successor of {incident.node} was ready within {span(patience - incident.born)}")


def level(incident: Incident, scene: Scene) -> Response:
    """What is done now: with a successor ready, advice means what a notice means."""
    response = scene.response(incident)
    if response is not Response.REPLACE:
        return response
    return Response.DRAIN if incident.replacement is Replacement.READY else Response.CORDON


def _has_room(incident: Incident, scene: Scene) -> bool:
    """May it be emptied now, beside the others that nothing forces?"""
    if incident.forced or incident.begun_time is not None:
        return True
    return len(scene.world.incidents.voluntary) < scene.policy.voluntary_drains_at_once_max


def _marked(steps: Steps, scene: Scene) -> Steps:
    """Cordon before anything else, and label what keeps load balancers away before anything is evicted."""
    incident = steps.incident
    wanted = level(incident, scene)
    if scene.storms and wanted is Response.NOTE and incident.advised:
        steps = steps.noting_trouble("so many nodes are under advice at once that it is only noted")
        steps = steps.waking(scene.now + STORM_LOOK_SECONDS)
    if wanted.rank < Response.CORDON.rank or scene.node(incident) is None or incident.off_time is not None:
        return steps.waking(_begins(incident, scene))
    drains = wanted is Response.DRAIN
    if drains and not _has_room(incident, scene):
        limit = scene.policy.voluntary_drains_at_once_max
        steps = steps.judging(
            f"drain of {incident.node}", f"{counted(limit, 'node')} being emptied; the limit is {limit}"
        )
        steps, drains = steps.waking(scene.now + CROWDED_LOOK_SECONDS), False
    errand = Errand.MARK if drains else Errand.CORDON
    if incident.marked in {errand.value, Errand.MARK.value}:
        return steps
    steps = steps.at(replace(incident, marking=errand.value))
    return steps.wishing(marking(incident, errand, scene), opening(incident, scene))


def _begins(incident: Incident, scene: Scene) -> float:
    starts = (scene.begins(signal.cause, signal.deadline) for signal in incident.held)
    return min((start for start in starts if start > scene.now), default=float("inf"))


def _begun(steps: Steps, scene: Scene) -> Steps:
    """Emptying it begins when it is marked. A node that goes anyway does not wait for a mark that cannot be set."""
    incident = steps.incident
    drains = level(incident, scene) is Response.DRAIN
    if incident.begun_time is not None:
        stops = not drains and not incident.drained and incident.off_time is None
        return steps.at(replace(incident, begun_time=None)) if stops else steps
    if not drains or scene.node(incident) is None or not _has_room(incident, scene):
        return steps
    key = key_of(incident, Errand.MARK)
    hopeless = incident.forced and (scene.refused(key) or scene.failures(key) >= MARKING_FAILURES_MAX)
    if incident.marked != Errand.MARK.value and not hopeless and incident.off_time is None:
        return steps
    if hopeless and incident.marked != Errand.MARK.value:
        steps = steps.noting_trouble("it could not be cordoned; its pods are to go all the same")
    steps = steps.at(replace(steps.incident, begun_time=scene.now))
    if not incident.forced:
        steps = steps.waking_up(scene.world.group_of.get(incident.instance_id), scene.now)
    return steps.judging(f"drain of {incident.node}", None)


def _emptied(steps: Steps, scene: Scene) -> Steps:
    """Nothing that could be moved is left, its volumes are detached, and load balancers had their time."""
    incident = steps.incident
    if incident.begun_time is None or incident.drained or incident.off_time is not None:
        return steps
    if scene.pods(incident) is None or any(record.open for record in incident.pods):
        return steps
    watched = (incident.marked_time or incident.begun_time) + scene.policy.watch_seconds
    balanced = incident.begun_time + scene.policy.load_balancer_seconds
    settled = max(watched, min(balanced, scene.stop(incident)))
    if scene.now < settled:
        return steps.waking(settled)
    if (waiting := why_waiting(incident, scene)) is not None:
        if scene.now < scene.stop(incident):
            return steps.waking(scene.stop(incident))
        steps = steps.noting_trouble(waiting)
    if hanging := _volumes_left(incident, scene):
        if scene.now < (incident.deadline or float("inf")):
            return steps.waking(incident.deadline or float("inf"))
        steps = steps.noting_trouble(f"volumes still attached at the deadline: {listed(hanging, most=3)}")
    steps = steps.at(replace(steps.incident, drained_time=scene.now))
    group = scene.world.group_of.get(incident.instance_id)
    return steps.noting(f"{incident.node} is empty: {summary(steps.incident)}").waking_up(group, scene.now)


def _volumes_left(incident: Incident, scene: Scene) -> list[str]:
    """Volumes of pods that went, still attached. Those of pods that stay, and those that several nodes share, stay."""
    of_the_gone = {volume for record in incident.pods if record.fate is Fate.GONE for volume in record.volumes}
    return [volume for volume in scene.attached(incident) if volume in of_the_gone]


STAGES: tuple[Callable[[Steps, Scene], Steps], ...] = (
    _placed,
    expire,
    _succeeded,
    _marked,
    _begun,
    watch,
    surge,
    empty_pods,
    held_up,
    balanced,
    _emptied,
    hooks,
    confirm_off,
    clear_up,
    take_back,
    told,
    ended,
)
"""In this order; each leaves alone what is none of its business."""
