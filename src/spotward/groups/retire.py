"""Who leaves, and when: one member for each that we attached, and never below what the owner asked for.

What is owed is settled whatever happens meanwhile. When an old member left by other hands, the group has made up for
it with a newcomer, and that one is too many.
"""

from spotward.groups.steps import Scene, Steps, with_errand
from spotward.groups.swap_facts import MEMBERS
from spotward.model.cloud import Group
from spotward.model.undertaking import CloneState, Swap, Verb
from spotward.model.world import World


def replaced(swap: Swap) -> int:
    """How many old members a new one stands in for now."""
    return sum(c.state is CloneState.SERVING for c in swap.clones)


def retire(steps: Steps, scene: Scene) -> Steps:
    """As many members leave as we owe, each only when the group serves what its owner asked for without it."""
    world, group, swap = scene.world, scene.group, steps.swap
    room = _serving_above_the_owners(world, swap, group)
    rescued = replaced(swap) - len(swap.retired) - len(swap.on_errand(Verb.RETIRE)) if swap.urgent else 0
    owed = swap.owed - len(swap.on_errand(Verb.RETIRE))
    for instance_id in _victims(scene, swap):
        if owed <= 0:
            break
        if instance_id in _serving(world, swap, group):
            doomed = rescued > 0 and instance_id in world.dooms
            if room <= 0 and not doomed:
                continue
            room, rescued = room - 1, rescued - 1
        owed -= 1
        swap = with_errand(swap, Verb.RETIRE, (instance_id,))
    return steps.at(swap).again(Verb.RETIRE, "a new member serves in its place")


def _serving(world: World, swap: Swap, group: Group) -> set[str]:
    """Members that carry load now: in service, healthy in the load balancers, and not asked to leave."""
    unhealthy = world.unhealthy.get(group.id, frozenset())
    every = world.undertakings_of(group.id)
    leaving = {i for each in (*every, swap) for i in each.on_errand(Verb.RETIRE)}
    unproved = {c.id for each in (*every, swap) for c in each.clones if c.state is not CloneState.SERVING}
    serving = {m.instance_id for m in group.members if m.serving}
    proved = {c.id for c in swap.clones if c.state is CloneState.SERVING}
    return (serving - unhealthy - leaving - unproved) | (serving & proved - leaving)


def _serving_above_the_owners(world: World, swap: Swap, group: Group) -> int:
    others = sum(each.owed for each in world.undertakings_of(group.id) if each.key != swap.key)
    return len(_serving(world, swap, group)) - (group.desired - swap.owed - others)


def _victims(scene: Scene, swap: Swap) -> list[str]:
    """Who may leave, in order: new ones that failed, the members to be replaced, and then what is one too many."""
    world, group = scene.world, scene.group
    members = {m.instance_id for m in group.members if not m.leaving} - set(swap.on_errand(Verb.RETIRE))
    failed = [c.id for c in swap.clones if c.state is CloneState.FAILED and c.id in members]
    olds = [old.id for old in swap.olds if old.id in members and _may_leave(world, swap, group, old.id)]
    if failed or olds:
        return failed + olds
    return [i for i in _surplus(scene, swap) if i in members]


def _may_leave(world: World, swap: Swap, group: Group, instance_id: str) -> bool:
    member = group.member(instance_id)
    instance = world.instances.get(instance_id)
    if swap.urgent:
        return member is not None
    return member is not None and not member.protected and not (instance is not None and instance.pinned)


def _surplus(scene: Scene, swap: Swap) -> list[str]:
    """When an old member left by other hands the group made up for it: the newest such newcomer is one too many.

    Only when none appears for long does one of our own leave instead.
    """
    newcomers = [
        (instance.launch_time, instance.id)
        for instance in scene.world.members(scene.group)
        if instance.launch_time > swap.born
        and instance.launched_for is None
        and instance.cluster is None
        and not instance.pinned
    ]
    if newcomers:
        return [i for _, i in sorted(newcomers, reverse=True)]
    clones = [c for c in swap.clones if c.state in MEMBERS]
    patience = max((c.since for c in clones), default=0.0) + scene.policy.in_service_timeout_seconds
    return [c.id for c in reversed(clones)] if scene.world.time > patience else []
