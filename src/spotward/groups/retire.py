"""Who leaves, and when: one member for each that we attached, and never below what the owner asked for.

What is owed is settled whatever happens meanwhile. When an old member left by other hands, the group has made up for
it with a newcomer, and that one is too many.

A member that is a Kubernetes node goes once it is empty. Until then it stands on the swap as one that may go, which is
what those who empty nodes wait for.
"""

from dataclasses import replace

from spotward.groups.obstacle import TERMINATING
from spotward.groups.residence import must_be_emptied
from spotward.groups.steps import Scene, Steps, emptied_first, with_errand
from spotward.model.cloud import Group, Instance, Member
from spotward.model.undertaking import CloneState, Swap, Verb
from spotward.model.world import World

MENDING_FACTOR = 4
"""So many times longer than for a quiet one is a group waited for that is still mending itself."""

LEAVING = "a new member serves in its place"


def replaced(swap: Swap) -> int:
    """How many old members a new one stands in for now."""
    return sum(swap.serves(c) for c in swap.clones)


def retire(steps: Steps, scene: Scene) -> Steps:
    """As many members leave as we owe, each only when the group serves what its owner asked for without it.

    In a group that is short for other reasons that would never be so. There it is one for one: at once for a member
    that EC2 takes anyway, and for others when the group has had its time to mend.
    """
    swap = steps.swap
    if swap.unexplained or scene.group.id in scene.world.surprises:
        return steps.again(Verb.RETIRE, LEAVING)
    serving = _serving(swap, scene)
    room = len(serving) - _owners_desired(swap, scene)
    earned = _earned(swap)
    owed = swap.owed - len(swap.on_errand(Verb.RETIRE))
    waiting: list[str] = []
    for instance_id in _victims(swap, scene):
        if owed <= 0:
            break
        loss = int(instance_id in serving)
        wanted = bool(loss) or _is_coming(swap, scene, instance_id)
        one_for_one = earned > 0 and (is_taken(scene.world, instance_id) or _was_patient(swap, scene))
        held = wanted and room < loss and not one_for_one and not is_hurried(scene, instance_id)
        if held and not swap.lets_go(instance_id):
            continue
        room, earned, owed = room - loss, earned - loss, owed - 1
        if held or (must_be_emptied(swap, scene.world, instance_id) and not swap.runs_on(instance_id)):
            waiting.append(instance_id)
        else:
            swap = with_errand(swap, Verb.RETIRE, (instance_id,))
    return _woken_for_hooks(steps.at(_emptying(swap, waiting, scene)), scene).again(Verb.RETIRE, LEAVING)


def _emptying(swap: Swap, waiting: list[str], scene: Scene) -> Swap:
    """With those among who is emptied; who is asked to leave stays there until it has left."""
    asked = swap.on_errand(Verb.RETIRE)
    outside = [each.id for each in swap.emptying if each.id in asked or scene.group.member(each.id) is None]
    return replace(swap, emptying=emptied_first(swap, (*outside, *waiting), scene.world.time))


def is_hurried(scene: Scene, instance_id: str) -> bool:
    """Does the owner's software behind a termination hook need the rest of the time that EC2 leaves it?"""
    return scene.world.time >= _hurry_time(scene, instance_id)


def _hurry_time(scene: Scene, instance_id: str) -> float:
    doom = scene.world.dooms.get(instance_id)
    seconds = _hook_seconds(scene)
    return doom.deadline - seconds if doom is not None and doom.deadline is not None and seconds else float("inf")


def _hook_seconds(scene: Scene) -> float:
    """How long a member that EC2 takes is left to the software behind the group's termination hooks; 0: not at all."""
    known = scene.world.details.get(scene.group.id) if scene.policy.hook_seconds else None
    hooks = known.details.hooks if known is not None else ()
    waits_seconds = sum(float(hook.heartbeat_timeout_seconds) for hook in hooks if hook.transition == TERMINATING)
    return min(waits_seconds, scene.policy.hook_seconds)


def _woken_for_hooks(steps: Steps, scene: Scene) -> Steps:
    if not _hook_seconds(scene):
        return steps
    moments = (_hurry_time(scene, old.id) for old in steps.swap.olds)
    soonest = min((moment for moment in moments if moment > scene.world.time), default=float("inf"))
    return steps.waking(soonest) if soonest < float("inf") else steps


def _earned(swap: Swap) -> int:
    """How many more serve by our doing than would without us."""
    ours = {clone.id for clone in swap.clones}
    sent_away = [i for i in (*swap.retired, *swap.on_errand(Verb.RETIRE)) if i not in ours]
    return replaced(swap) - len(sent_away)


def _was_patient(swap: Swap, scene: Scene) -> bool:
    """Has nothing changed for long with the new members of the group? It takes longer while the group mends itself."""
    clones = [clone for each in (swap, *scene.others(swap)) for clone in each.clones]
    waited = scene.world.time - max((clone.since for clone in clones), default=swap.born)
    return waited > scene.policy.in_service_timeout_seconds * (MENDING_FACTOR if _mends(scene.group) else 1)


def _mends(group: Group) -> bool:
    """Does it wait for members that are coming, or that it still has to launch?"""
    staying = [m for m in group.members if not m.leaving]
    return len(staying) < group.desired or any(m.lifecycle_state.startswith("Pending") for m in staying)


def _is_coming(swap: Swap, scene: Scene, instance_id: str) -> bool:
    """Is it a newcomer that does not serve yet? A group that is short of members can do with it."""
    member = scene.group.member(instance_id)
    pending = member is not None and member.lifecycle_state.startswith("Pending")
    return pending and all(clone.id != instance_id for clone in swap.clones)


def may_leave(swap: Swap, scene: Scene, instance_id: str) -> bool:
    """Is it a member that we may send away now? Its owner may have protected, pinned or parked it since."""
    member = scene.group.member(instance_id)
    if member is None or member.leaving or _parked(member):
        return False
    instance = scene.world.instances.get(instance_id)
    return swap.urgent or not (member.protected or (instance is not None and instance.pinned))


def _parked(member: Member) -> bool:
    """In Standby, or on its way there: its owner works on it."""
    return "Standby" in member.lifecycle_state


def is_taken(world: World, instance_id: str) -> bool:
    """Does EC2 take it at a deadline, whether we send it away or not?"""
    doom = world.dooms.get(instance_id)
    return doom is not None and doom.deadline is not None


def _serving(swap: Swap, scene: Scene) -> set[str]:
    """Members that carry load now: in service, healthy in the load balancers, proved, and not asked to leave."""
    every = (swap, *scene.others(swap))
    unhealthy = scene.world.unhealthy.get(scene.group.id, frozenset())
    leaving = {i for each in every for i in each.on_errand(Verb.RETIRE)}
    unproved = {c.id for each in every for c in each.clones if not each.serves(c)}
    return {m.instance_id for m in scene.group.members if m.serving} - unhealthy - leaving - unproved


def _owners_desired(swap: Swap, scene: Scene) -> int:
    """What the group would want without us; a member on its way out by our request is still counted in both."""
    return scene.group.desired - swap.owed - sum(each.owed for each in scene.others(swap))


def _victims(swap: Swap, scene: Scene) -> list[str]:
    """Who may leave, in order: new ones that failed, the members to be replaced, and then what is one too many."""
    asked = set(swap.on_errand(Verb.RETIRE))
    failed = [c.id for c in swap.clones if c.state is CloneState.FAILED and _is_member(scene.group, c.id)]
    olds = [old.id for old in swap.olds if old.id not in swap.kept and may_leave(swap, scene, old.id)]
    others = sorted(olds or (not failed and _surplus(swap, scene)) or (), key=lambda i: _turn(swap, scene, i))
    return [i for i in failed + others if i not in asked]


def _turn(swap: Swap, scene: Scene, instance_id: str) -> tuple[bool, bool]:
    """Those first that EC2 takes, then those whose emptying has begun."""
    return (not is_taken(scene.world, instance_id), not swap.lets_go(instance_id))


def _is_member(group: Group, instance_id: str) -> bool:
    member = group.member(instance_id)
    return member is not None and not member.leaving and not _parked(member)


def _is_spare(member: Member | None, instance: Instance) -> bool:
    return member is not None and not (member.leaving or member.protected or instance.pinned or _parked(member))


def _surplus(swap: Swap, scene: Scene) -> list[str]:
    """When an old member left by other hands the group made up for it: the newest such newcomer is one too many.

    When an old member must stay after all, its owner having protected it, one of our own goes; and when there is none
    of those left either, the newest member that may go, as the group itself would have it.
    """
    if any(not m.leaving and m.instance_id not in scene.world.instances for m in scene.group.members):
        return []  # whoever is not described yet may be that newcomer
    spare = [
        instance
        for instance in scene.world.members(scene.group)
        if (instance.cluster is None or swap.of_nodes) and _is_spare(scene.group.member(instance.id), instance)
    ]
    newest_first = sorted(spare, key=lambda instance: (-instance.launch_time, instance.id))
    newcomers = [i.id for i in newest_first if i.launch_time > swap.born and i.launched_for is None]
    serving = [c.id for c in swap.clones if c.state is CloneState.SERVING and _is_member(scene.group, c.id)]
    anybody = [i.id for i in newest_first] if _was_patient(swap, scene) else []
    return newcomers or serving[::-1] or anybody
