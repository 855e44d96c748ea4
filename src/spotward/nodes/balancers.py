"""Waiting until load balancers have let go of a node, by what they say and not by a guess.

The label that keeps traffic away is read by the controllers that manage load balancers: they take the node out of their
target groups, where it then drains. Until that is over requests still arrive through it, also for pods elsewhere, and
the node does not count as empty. Which target groups these are the cluster itself knows (TargetGroupBindings); those of
the node's own group are known with the group, and are waited for once they drain. A node that is a target nowhere costs
no call of AWS. Where pods themselves are targets (by address) their own stopping covers it: nothing is waited for here.
"""

from dataclasses import replace

from spotward.model.balancers import DRAINING, LET_GO, Place
from spotward.model.incident import Incident
from spotward.model.node_action import LookAtTargets
from spotward.model.node_event import TargetsSeen
from spotward.model.units import listed
from spotward.model.world import World
from spotward.nodes.keys import Errand, key_of
from spotward.nodes.scene import Scene, Steps

LOOK_SECONDS = 5.0
"""How often targets are looked at."""

CONTROLLER_SECONDS = 60.0
"""How long a controller may take to see the label and to take the node out."""

WAIT_SECONDS_MAX = 3600.0 + CONTROLLER_SECONDS
"""No deregistration delay is longer than an hour."""

FAILURES_MAX = 3
"""After so many failures in a row nothing is waited for."""


def balanced(steps: Steps, scene: Scene) -> Steps:
    """Look how far load balancers are, as long as that is waited for."""
    incident = steps.incident
    if not scene.policy.load_balancer_targets or not incident.draining or incident.balancers.over:
        return steps
    key = key_of(incident, Errand.LOOK_AT_TARGETS)
    if scene.failures(key) >= FAILURES_MAX:
        return _over(steps.noting_trouble("load balancers could not be asked whether they have let go of it"))
    still, since = _unfinished(incident, scene), incident.balancers.since
    if not still and scene.world.cluster.target_groups is None:
        return steps  # they are listed as soon as the cluster is heard
    if not still:
        return _over(_deaf(steps, scene))
    if since is not None and scene.now >= since + WAIT_SECONDS_MAX:
        return _over(steps.noting_trouble(_words(incident, still)))
    if scene.now < incident.balancers.look_time:
        return steps.waking(incident.balancers.look_time)
    places = places_of(incident, scene.world)
    steps = steps.at(replace(incident, balancers=replace(incident.balancers, places=places)))
    question = LookAtTargets(region=incident.region, instance_id=incident.instance_id, key=key, places=places)
    return steps.wishing(question, "do load balancers still send to it?")


def why_waiting(incident: Incident, scene: Scene) -> str | None:
    """Where requests still arrive through the node, in words; None if nothing is to be waited for."""
    if not scene.policy.load_balancer_targets or incident.balancers.over:
        return None
    still = _unfinished(incident, scene)
    return _words(incident, still) if still else None


def targets_seen(incident: Incident, event: TargetsSeen) -> Incident:
    """Load balancers told how it stands."""
    known = incident.balancers
    since = known.since if known.since is not None else event.time
    seen = replace(known, states=event.states, since=since, look_time=event.time + LOOK_SECONDS)
    return replace(incident, balancers=seen)


def places_of(incident: Incident, world: World) -> tuple[Place, ...]:
    """Where the node may be a target, each once."""
    places = [*incident.balancers.places]
    places += [Place(name=arn, managed=True) for arn in world.cluster.target_groups or ()]
    group = world.groups.get(world.group_of.get(incident.instance_id, ""))
    if group is not None:
        places += [Place(name=arn) for arn in group.target_groups]
        places += [Place(name=name, classic=True) for name in group.load_balancers]
    return tuple({place.name: place for place in reversed(places)}.values())[::-1]


def _unfinished(incident: Incident, scene: Scene) -> list[Place]:
    """Places that have not let go: all, before the first look; then those that drain, and for a while those that a
    controller should take it out of.
    """
    places = places_of(incident, scene.world)
    if incident.balancers.since is None:
        return list(places)
    states = dict(incident.balancers.states)
    patient = scene.now < (incident.marked_time or incident.begun_time or scene.now) + CONTROLLER_SECONDS
    return [p for p in places if _holds(states.get(p.name, ""), managed=p.managed, patient=patient)]


def _holds(state: str, *, managed: bool, patient: bool) -> bool:
    return state == DRAINING or (state not in LET_GO and managed and patient)


def _deaf(steps: Steps, scene: Scene) -> Steps:
    """Say which target groups still send to the node, although a controller should have taken it out of them."""
    states = dict(steps.incident.balancers.states)
    places = [p for p in places_of(steps.incident, scene.world) if p.managed and states.get(p.name, "") not in LET_GO]
    if not places or steps.incident.balancers.since is None:
        return steps
    return steps.noting_trouble(f"{_words(steps.incident, places)}; is their controller at work?")


def _words(incident: Incident, still: list[Place]) -> str:
    states = dict(incident.balancers.states)
    told = listed([f"{place.words} ({states.get(place.name) or 'not asked yet'})" for place in still], most=3)
    return f"load balancers have not let go of {incident.node}: {told}"


def _over(steps: Steps) -> Steps:
    incident = steps.incident
    return steps.at(replace(incident, balancers=replace(incident.balancers, over=True)))
