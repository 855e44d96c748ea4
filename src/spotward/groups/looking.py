"""When a swap looks, and at what. Each look is a call, so one question covers all that is waited for."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from spotward.groups.policy import GroupsPolicy
from spotward.groups.steps import Scene, Steps
from spotward.groups.swap_facts import THE_GROUP, THE_INSTANCES, UNATTACHED, look_key
from spotward.model.action import ObserveGroup, ObserveInstances
from spotward.model.undertaking import CloneState, Swap, Verb
from spotward.model.world import World

LOOK_SECONDS_MAX = 120.0
"""A swap that has waited long is looked at no less often than this."""

LOOKS_SHARE = 1 / 6
"""The next look comes when it has waited so much longer."""

HEALTH_LOOKS_SHARE = 1 / 3
"""The same where each look asks load balancers too."""


def resolving(steps: Steps, world: World, policy: GroupsPolicy) -> Steps:
    """What was asked and not answered is looked at before anything else is asked."""
    reason = "what was asked before a break may have been done"
    return when_due(steps, world, policy.look_seconds, lambda s: _looking_at(s, s.swap.in_doubt, reason))


def waiting(steps: Steps, scene: Scene, *, lost: bool) -> Steps:
    """Look at what is waited for: at new instances until they run, at the group until they serve and all is paid.

    lost: a launch whose answer was lost is looked for too.
    """
    swap = steps.swap
    booting = any(c.state is CloneState.LAUNCHED for c in swap.clones)
    joining = any(c.state is CloneState.JOINED for c in swap.clones)
    paying = bool(_unpaid(swap) or swap.unexplained) and not swap.on_errand(Verb.RETIRE)
    what = [THE_INSTANCES] * (booting or lost) + [THE_GROUP] * (joining or paying)
    not_before = _healthy_not_before(swap, scene)
    if scene.world.time < not_before:
        what = [each for each in what if each is THE_INSTANCES]
        steps = steps.waking(not_before)
    if not what:
        return steps
    health = _is_balanced(scene)
    reason = "are the new instances running, in service and healthy?"
    seconds = _look_seconds(swap, scene)
    history = scene.group.id in scene.world.surprises
    return when_due(steps, scene.world, seconds, lambda s: _looking_at(s, what, reason, health=health, history=history))


def _unpaid(swap: Swap) -> int:
    """What is owed, without what waits for the cluster: that is told, and a look at the group would not tell it."""
    unready = sum(c.state is CloneState.SERVING and not swap.serves(c) for c in swap.clones)
    return max(0, swap.owed - len(swap.emptying) - unready)


def look_at_instances(steps: Steps, reason: str) -> Steps:
    """Ask about the new instances outside the group, and by their tag about those of launches without an answer."""
    swap = steps.swap
    outside = (*UNATTACHED, CloneState.FAILED)
    question = ObserveInstances(
        region=swap.region,
        group=swap.group,
        key=look_key(swap),
        instance_ids=tuple(c.id for c in swap.clones if c.state in outside),
        launches=tuple(launch.key for launch in swap.launches if not launch.answered),
    )
    return steps.wishing(question, reason)


def when_due(steps: Steps, world: World, seconds: float, look: Callable[[Steps], Steps]) -> Steps:
    """Look if it is time to, and wake for the next look."""
    if world.time >= steps.swap.look_time:
        steps = look(steps)
        steps = steps.at(replace(steps.swap, look_time=world.time + seconds))
    return steps.waking(steps.swap.look_time)


def _looking_at(
    steps: Steps, what: Iterable[str], reason: str, *, health: bool = False, history: bool = False
) -> Steps:
    if THE_INSTANCES in what:
        steps = look_at_instances(steps, reason)
    if THE_GROUP in what:
        question = ObserveGroup(region=steps.swap.region, group=steps.swap.group, health=health, history=history)
        steps = steps.wishing(question, reason)
    return steps


def _look_seconds(swap: Swap, scene: Scene) -> float:
    """The longer nothing has changed the less often a look is worth a call, unless somebody is in danger."""
    if swap.urgent:
        return scene.policy.look_seconds
    waited = scene.world.time - max((c.since for c in swap.clones), default=swap.born)
    share = HEALTH_LOOKS_SHARE if _is_balanced(scene) else LOOKS_SHARE
    return max(scene.policy.look_seconds, min(waited * share, LOOK_SECONDS_MAX))


def _healthy_not_before(swap: Swap, scene: Scene) -> float:
    """When the newest members can be healthy in their load balancers; until then a look at the group tells nothing."""
    joined = [c.since for c in swap.clones if c.state is CloneState.JOINED]
    if swap.urgent or swap.unexplained or not joined or not _is_balanced(scene):
        return swap.born
    return max(joined) + scene.policy.health_look_seconds


def _is_balanced(scene: Scene) -> bool:
    return bool(scene.group.target_groups or scene.group.load_balancers)
