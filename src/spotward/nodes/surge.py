"""One more pod first: a Deployment whose only pods are on a node that need not go now is lent one before they move.

An eviction takes the pod first and lets its successor start afterwards, so the owner of a single replica has an outage,
and a budget that needs all replicas forbids it for ever. Where there is time (advice, maintenance, our own
replacements) the Deployment is raised by one; once that pod is available the old ones go, and the number is put back.

    looking  →  raising  →  raised  →  ready  →  lowering  →  over

A notice in between overrides: the pods go by the ladder, and what was lent is put back when they are gone. What was
lent stands on the incident before it is asked, and an incident does not end before it is put back.
"""

from collections.abc import Iterable
from dataclasses import replace

from spotward.model.cluster import Pod
from spotward.model.cluster_view import NodePods
from spotward.model.decision import Guard, Wish
from spotward.model.event import Done, Failed
from spotward.model.incident import Incident
from spotward.model.node_action import LookAtWorkload, ScaleWorkload
from spotward.model.node_event import WorkloadSeen
from spotward.model.units import counted, span
from spotward.model.workload import Surge, SurgeState, Workload, deployment_of
from spotward.model.world import World
from spotward.nodes.budgets import needs_all, why_never
from spotward.nodes.keys import Errand, surge_key
from spotward.nodes.policy import NodesPolicy
from spotward.nodes.scene import Scene, Steps
from spotward.nodes.tiers import our_taint, why_left, why_spared

SURGES_AT_ONCE_MAX = 10
"""No more Deployments of one node are lent a pod at the same time."""

LOOK_SECONDS = 3.0
"""How often a raised Deployment is looked at."""


# ---- the stage -----------------------------------------------------------------------------------------------------


def surge(steps: Steps, scene: Scene) -> Steps:
    """Lend what is needed before pods are moved, and put back what is needed no more."""
    pods = scene.pods(steps.incident)
    if _wanted(steps.incident, scene):
        steps = _begun(steps, pods, scene)
    for each in steps.incident.surges:
        if each.open:
            steps = _carried_on(steps, each, pods, scene)
    return steps


def why_held(pod: Pod, incident: Incident, scene: Scene) -> str | None:
    """Why a pod is not asked to go yet; None if it may be."""
    if not _wanted(incident, scene) or not pod.ready:
        return None
    name = deployment_of(pod)
    known = incident.surge_of(pod.namespace, name) if name is not None else None
    if name is None or (known is not None and known.state is SurgeState.READY):
        return None
    if known is None or known.state in (SurgeState.LOOKING, SurgeState.RAISING, SurgeState.RAISED):
        return f"its Deployment {name} gets one more pod first"
    return known.held or None


def _wanted(incident: Incident, scene: Scene) -> bool:
    return scene.policy.surge and not incident.forced and incident.draining


def _begun(steps: Steps, pods: NodePods | None, scene: Scene) -> Steps:
    """Think of each Deployment that has pods here, so many at a time."""
    incident = steps.incident
    room = SURGES_AT_ONCE_MAX - sum(each.open for each in incident.surges)
    here = (pod for pod in (pods.pods.values() if pods is not None else ()) if _is_to_move(pod, incident, scene))
    names = {(pod.namespace, name) for pod in here if pod.ready and (name := deployment_of(pod)) is not None}
    fresh = sorted(each for each in names if incident.surge_of(*each) is None)
    for namespace, name in fresh[: max(0, room)]:
        incident = incident.with_surge(Surge(namespace=namespace, name=name, since=scene.now))
    return steps.at(incident)


def _is_to_move(pod: Pod, incident: Incident, scene: Scene) -> bool:
    left = why_left(pod, our_taint(incident, scene.policy), scene.policy)
    return not pod.leaving and left is None and why_spared(pod, incident, scene.policy) is None


def _carried_on(steps: Steps, surge: Surge, pods: NodePods | None, scene: Scene) -> Steps:
    match surge.state:
        case SurgeState.LOOKING if not _wanted(steps.incident, scene):
            return _dropped(steps, surge)
        case SurgeState.LOOKING:
            return _look(steps, surge, scene, first=True) if pods is not None else steps
        case SurgeState.RAISING:
            return _raise(steps, surge, scene)
        case SurgeState.RAISED | SurgeState.READY:
            return _while_raised(steps, surge, pods, scene)
        case _:
            return _lower(steps, surge, scene)


def _dropped(steps: Steps, surge: Surge) -> Steps:
    """Nothing was lent, and nothing need be: it may be thought of again."""
    return steps.at(replace(steps.incident, surges=tuple(s for s in steps.incident.surges if s.id != surge.id)))


def _raise(steps: Steps, surge: Surge, scene: Scene) -> Steps:
    key = surge_key(steps.incident, Errand.RAISE, surge)
    if scene.refused(key):
        return steps.at(steps.incident.with_surge(_over(surge, scene.now, "it may not be raised")))
    if not _wanted(steps.incident, scene) and not scene.in_flight(key):  # it may have been raised all the same
        return _lower(steps, _at(surge, SurgeState.LOWERING, scene.now), scene)
    deed = _scaling(steps.incident, Errand.RAISE, surge, before=surge.before, replicas=surge.before + 1)
    return steps.wishing(deed, f"its only pods are on {steps.incident.node}")


def _while_raised(steps: Steps, surge: Surge, pods: NodePods | None, scene: Scene) -> Steps:
    """Wait until it is available; then, or when nothing waits any more, until the pods of the node are gone."""
    incident, cluster = steps.incident, scene.world.cluster
    unseen = pods is None and (scene.node(incident) is not None or not cluster.seen)
    if unseen and incident.draining:
        return steps  # after a restart they are seen in a moment
    if not any(not pod.leaving for pod in _pods_of(surge, pods)) or not incident.draining:
        return _lower(steps, _at(surge, SurgeState.LOWERING, scene.now), scene)
    if surge.state is SurgeState.READY or incident.forced:
        return steps
    if scene.now >= surge.since + scene.policy.surge_wait_seconds:
        words = f"one more pod of {surge.id} was not available within {span(scene.policy.surge_wait_seconds)}"
        given_up = replace(_at(surge, SurgeState.LOWERING, scene.now), held=words)
        return _lower(steps.noting_trouble(words), given_up, scene)
    return _look(steps, surge, scene, first=False)


def _lower(steps: Steps, surge: Surge, scene: Scene) -> Steps:
    steps = steps.at(steps.incident.with_surge(surge))
    if scene.refused(surge_key(steps.incident, Errand.LOWER, surge)):
        return steps.at(steps.incident.with_surge(_over(surge, scene.now, "it may not be put back")))
    deed = _scaling(steps.incident, Errand.LOWER, surge, before=surge.before + 1, replicas=surge.before)
    return steps.wishing(deed, "its owner gets back what was set")


def _look(steps: Steps, surge: Surge, scene: Scene, *, first: bool) -> Steps:
    if scene.now < surge.look_time:
        return steps.waking(surge.look_time)
    question = LookAtWorkload(
        instance_id=steps.incident.instance_id,
        key=surge_key(steps.incident, Errand.LOOK_AT_WORKLOAD, surge),
        node=steps.incident.node,
        namespace=surge.namespace,
        name=surge.name,
        autoscaler=first,
    )
    return steps.wishing(question, "do its only pods stand here?" if first else "is one more available?")


def _scaling(incident: Incident, errand: Errand, surge: Surge, *, before: int, replicas: int) -> ScaleWorkload:
    return ScaleWorkload(
        instance_id=incident.instance_id,
        key=surge_key(incident, errand, surge),
        node=incident.node,
        namespace=surge.namespace,
        name=surge.name,
        uid=surge.uid,
        before=before,
        replicas=replicas,
    )


def _pods_of(surge: Surge, pods: NodePods | None) -> Iterable[Pod]:
    every = pods.pods.values() if pods is not None else ()
    return [pod for pod in every if (pod.namespace, deployment_of(pod)) == (surge.namespace, surge.name)]


def _at(surge: Surge, state: SurgeState, now: float) -> Surge:
    return surge if surge.state is state else replace(surge, state=state, since=now)


def _over(surge: Surge, now: float, why: str) -> Surge:
    return replace(_at(surge, SurgeState.OVER, now), why=why)


# ---- what is learned -----------------------------------------------------------------------------------------------


def surge_seen(incident: Incident, world: World, event: WorkloadSeen) -> Incident:
    """A Deployment was looked at."""
    known = incident.surge_of(event.namespace, event.name)
    if known is None or known.state not in (SurgeState.LOOKING, SurgeState.RAISED):
        return incident
    if known.state is SurgeState.LOOKING and incident.node not in world.cluster.pods:
        return incident  # which of its pods are here is not known, just after a restart: it is asked again
    if event.workload is None:
        return incident.with_surge(_over(known, event.time, "there is no such Deployment"))
    if known.state is SurgeState.LOOKING:
        return incident.with_surge(_first_seen(known, event.workload, incident, world))
    return _seen_again(known, event.workload, incident, event.time)


def _first_seen(surge: Surge, workload: Workload, incident: Incident, world: World) -> Surge:
    here = list(_pods_of(surge, world.cluster.pods.get(incident.node)))
    why = _why_not(here, workload, world)
    if why is not None:
        return _over(surge, world.time, why)
    return replace(_at(surge, SurgeState.RAISING, world.time), uid=workload.uid, before=workload.replicas)


def _why_not(here: list[Pod], workload: Workload, world: World) -> str | None:
    """Why nothing is lent, in words; None if one more pod helps."""
    serving = [pod for pod in here if pod.ready and not pod.leaving]
    budgets = [world.cluster.budgets_of(pod) for pod in serving]
    if any(why_never(p, b) and not needs_all(b) for p, b in zip(serving, budgets, strict=True)):
        return "one more pod would not open its budget"
    if workload.available > len(serving) and not any(needs_all(each) for each in budgets):
        return "others of its pods serve elsewhere"
    if not serving:
        return "none of its pods serves here"
    return f"{workload.autoscaler} sets its size" if workload.autoscaler else None


def _seen_again(surge: Surge, workload: Workload, incident: Incident, now: float) -> Incident:
    if workload.uid != surge.uid or not workload.ours or workload.replicas != surge.before + 1:
        words = f"somebody else has set {surge.id} to {counted(workload.replicas, 'pod')} meanwhile"
        return incident.with_surge(_over(surge, now, words)).with_trouble(words)
    if workload.settled and workload.available > surge.before:
        return incident.with_surge(_at(surge, SurgeState.READY, now))
    return incident.with_surge(replace(surge, look_time=now + LOOK_SECONDS))


def surge_done(incident: Incident, event: Done) -> Incident:
    """Something was lent, or put back."""
    for each in incident.surges:
        if event.key == surge_key(incident, Errand.RAISE, each) and each.state is SurgeState.RAISING:
            raised = replace(_at(each, SurgeState.RAISED, event.time), look_time=event.time + LOOK_SECONDS)
            return incident.with_surge(raised)
        if event.key == surge_key(incident, Errand.LOWER, each):
            return incident.with_surge(_over(each, event.time, each.held or "put back"))
    return incident


def surge_failed(incident: Incident, event: Failed) -> Incident:
    """What will never be done is given up, and said."""
    for each in incident.surges:
        if event.key not in {surge_key(incident, errand, each) for errand in (Errand.LOOK_AT_WORKLOAD, Errand.RAISE)}:
            if event.key != surge_key(incident, Errand.LOWER, each):
                continue
            words = f"{each.id} could not be put back ({event.reason}); set it to {counted(each.before, 'pod')}"
            return incident.with_surge(_over(each, event.time, words)).with_trouble(words)
        words = f"{each.id} was lent no pod: {event.reason}"
        return incident.with_surge(_over(each, event.time, words)).with_trouble(words)
    return incident


# ---- the guard -----------------------------------------------------------------------------------------------------


def surge_guard(policy: NodesPolicy) -> Guard:
    """A Deployment is lent one pod and no more, only where that is wanted; and it is given back what its owner had."""

    def admits(world: World, wish: Wish) -> str | None:
        action = wish.action
        if not isinstance(action, ScaleWorkload):
            return None
        incident = world.incidents.get(action.instance_id)
        known = incident.surge_of(action.namespace, action.name) if incident is not None else None
        words = f"the Deployment {action.namespace}/{action.name}"
        if known is None or known.uid != action.uid:
            return f"nothing is lent to {words}"
        if not action.raises:
            return None if action.replicas == known.before else f"{words} had {known.before} and not {action.replicas}"
        lends = policy.surge and (action.before, action.replicas) == (known.before, known.before + 1)
        return None if lends else f"{words} is not to be raised"

    return admits
