"""What becomes of new instances that come to nothing, and of a whole swap that does.

Nothing of ours is left running outside a group, nothing of ours blocks a deletion, and every new instance is given up
when it has taken too long: so every swap ends.
"""

from collections.abc import Iterable
from dataclasses import replace

from spotward.groups.looking import look_at_instances, when_due
from spotward.groups.obstacle import LAUNCHING, obstacle
from spotward.groups.policy import GroupsPolicy
from spotward.groups.residence import in_sight, must_be_emptied
from spotward.groups.retire import is_taken, may_leave
from spotward.groups.steps import Scene, Steps, emptied_first, in_flight, with_errand
from spotward.groups.swap_facts import UNATTACHED, with_clones, with_launch, with_trouble
from spotward.model.cloud import Group
from spotward.model.effect import SETTLING_SECONDS
from spotward.model.undertaking import Clone, CloneState, Launch, Swap, Verb
from spotward.model.units import counted, span
from spotward.model.world import World

TERMINATE_MAX = 500
"""TerminateInstances is asked for no more instances than this in one call."""

OUTSIDE = (*UNATTACHED, CloneState.FAILED)
"""States of new instances that may be in no group."""


def why_give_up(group: Group | None) -> str | None:
    """Why the swap can come to nothing any more, or None."""
    if group is None:
        return "the group is gone"
    if group.status is not None or group.max_size == 0 or group.desired == 0:
        return obstacle(group)
    return None


def give_up(steps: Steps, world: World, reason: str, policy: GroupsPolicy) -> Steps:
    """Terminate what is ours and in no group, and end. Members go with their group."""
    steps = withdrawn(steps, world)
    if lost_launches(steps.swap, world):
        look = "did the launch whose answer was lost make anything?"
        steps = when_due(steps, world, policy.look_seconds, lambda s: look_at_instances(s, look))
    group = world.groups.get(steps.swap.group_id)
    loose = [c.id for c in steps.swap.clones if c.state in OUTSIDE and (group is None or group.member(c.id) is None)]
    steps = _terminated(steps, loose, f"{reason}: nothing of ours may block its deletion")
    swap = replace(steps.swap, abandoned=reason)
    if loose or swap.on_errand(Verb.TERMINATE) or any(not launch.answered for launch in swap.launches):
        return steps.at(swap)
    gone = sum(c.state is CloneState.GONE for c in swap.clones)
    words = f"given up: {reason}; {counted(gone, 'new instance')} terminated"
    return steps.at(replace(swap, ended=words, ended_time=world.time))


def withdrawn(steps: Steps, world: World) -> Steps:
    """With the launches struck out that are wanted no more.

    One that was never asked is struck out at once, and so is one that AWS refused. One in flight will be answered. One
    whose answer was lost is not asked again but looked for by its tag, until its instances would long have shown.
    """
    for launch in steps.swap.launches:
        asked, wish = world.launches.get(launch.key), world.wishes.get(launch.key)
        refused = wish is not None and not wish.lost
        shown = asked is None or refused or world.time - asked.time > SETTLING_SECONDS
        if not launch.answered and shown and not in_flight(world, launch.key):
            steps = steps.at(with_launch(steps.swap, replace(launch, answered=True)))
    return steps


def lost_launches(swap: Swap, world: World) -> list[Launch]:
    """Launches that have no answer, and for which none is on its way."""
    return [launch for launch in swap.launches if not launch.answered and not in_flight(world, launch.key)]


def given_up(steps: Steps, scene: Scene, instance_ids: Iterable[str], words: str) -> Steps:
    """With these new instances marked as failed, but for those that are being attached at this moment."""
    failed = [i for i in instance_ids if i not in steps.swap.on_errand(Verb.ATTACH)]
    if not failed:
        return steps
    swap = with_clones(steps.swap, dict.fromkeys(failed, CloneState.FAILED), scene.world.time)
    return steps.at(with_trouble(swap, words))


def expire(steps: Steps, scene: Scene) -> Steps:
    """New instances that take too long, that EC2 takes back, or that nobody needs any more are given up."""
    world = scene.world
    for clone in steps.swap.clones:
        limit = _limit(clone, steps.swap, scene)
        if clone.state in UNATTACHED and is_taken(world, clone.id):
            steps = given_up(steps, scene, [clone.id], f"EC2 takes {clone.id} before it could join")
        elif limit is not None:
            what, seconds = limit
            if world.time < clone.since + seconds:
                steps = steps.waking(clone.since + seconds)
            else:
                steps = given_up(steps, scene, [clone.id], f"{clone.id} did not {what} within {span(seconds)}")
    return given_up(steps, scene, _needless(steps.swap, scene), "a member that was to be replaced left, or must stay")


def _limit(clone: Clone, swap: Swap, scene: Scene) -> tuple[str, float] | None:
    """What a new instance has to do next, and within how many seconds; None when nothing more is waited for."""
    policy = scene.policy
    in_service_seconds = policy.in_service_timeout_seconds + scene.group.grace_seconds
    match clone.state:
        case CloneState.LAUNCHED:
            return "run", policy.running_timeout_seconds
        case CloneState.RUNNING:
            return "join", policy.attach_timeout_seconds
        case CloneState.JOINED:
            return "come into service", in_service_seconds + _hook_seconds(scene)
        case CloneState.SERVING if not swap.serves(clone) and in_sight(scene.world):
            return "become a ready node", in_service_seconds
        case _:
            return None


def _hook_seconds(scene: Scene) -> float:
    """How long launch hooks may hold a new member."""
    known = scene.world.details.get(scene.group.id)
    hooks = known.details.hooks if known is not None else ()
    return sum(float(h.heartbeat_timeout_seconds) for h in hooks if h.transition == LAUNCHING)


def _needless(swap: Swap, scene: Scene) -> list[str]:
    """New instances beyond the members that they could still replace. A rescue keeps its own: they restore capacity."""
    if swap.urgent:
        return []
    attaching = swap.on_errand(Verb.ATTACH)
    outside = sorted((c.id for c in swap.clones if c.state in UNATTACHED), key=lambda i: i not in attaching)
    olds = sum(may_leave(swap, scene, old.id) for old in swap.olds)
    failed = sum(c.state is CloneState.FAILED and scene.group.member(c.id) is not None for c in swap.clones)
    return outside[max(0, olds - max(0, swap.owed - failed)) :]


def dispose(steps: Steps, scene: Scene) -> Steps:
    """New instances that were given up before they joined are terminated.

    So is one that did join when nothing is owed any more: its owner counts on it, and the group puts another there.
    """
    failed = [c.id for c in steps.swap.clones if c.state is CloneState.FAILED]
    hopeless = [i for i in failed if scene.group.member(i) is None or not steps.swap.owed]
    waiting = [i for i in hopeless if must_be_emptied(steps.swap, scene.world, i)]
    steps = steps.at(_emptying_too(steps.swap, waiting, failed, scene))
    return _terminated(steps, [i for i in hopeless if i not in waiting], "it never came into service")


def _emptying_too(swap: Swap, waiting: Iterable[str], failed: Iterable[str], scene: Scene) -> Swap:
    """With those of the failed ones that are nodes among who is emptied: pods may have come to them already."""
    asked = swap.on_errand(Verb.TERMINATE)
    staying = [
        each.id for each in swap.emptying if each.id not in failed or each.id in asked or scene.group.member(each.id)
    ]
    return replace(swap, emptying=emptied_first(swap, (*staying, *waiting), scene.world.time))


def _terminated(steps: Steps, instance_ids: Iterable[str], reason: str) -> Steps:
    swap = steps.swap
    fresh = tuple(i for i in instance_ids if i not in swap.on_errand(Verb.TERMINATE))[:TERMINATE_MAX]
    if fresh:
        steps = steps.at(with_errand(swap, Verb.TERMINATE, fresh))
    return steps.again(Verb.TERMINATE, reason)
