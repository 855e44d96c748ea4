"""The next steps of a swap, worked out from its facts.

launch → wait until running → make room (max size, processes) → attach → wait until serving (a node: until ready) → have
the old emptied, if it is a node → retire the old, one for one → done. No step is remembered; each is wished while the
facts call for it, and asking twice is asking once. So the same function goes on after a restart, after a failed call,
and after somebody else's change.

When the group is being deleted the new instances are terminated at once: nothing of ours may block the deletion.
"""

from collections.abc import Callable
from dataclasses import replace

from spotward.groups.another_try import too_late, with_another_try
from spotward.groups.focus import focus
from spotward.groups.giving_up import dispose, expire, give_up, given_up, lost_launches, why_give_up, withdrawn
from spotward.groups.loan import borrowing, borrowing_now, is_borrowing_key, joining, returning
from spotward.groups.looking import resolving, waiting
from spotward.groups.obstacle import TERMINATING
from spotward.groups.order_ends import answered
from spotward.groups.patience import keep_stuck, overtaken
from spotward.groups.policy import GroupsPolicy
from spotward.groups.retire import replaced, retire
from spotward.groups.scope import in_scope, why_not
from spotward.groups.steps import Scene, Steps, with_errand, without_idle_errands
from spotward.groups.swap_facts import UNATTACHED, learn
from spotward.model.action import LaunchFleet
from spotward.model.cloud import GroupId, Lifecycle, group_id
from spotward.model.decision import NOTHING, Decider, Decision, GroupPause, WakeAt, Wish
from spotward.model.event import Event, FleetAnswered
from spotward.model.page import Note
from spotward.model.undertaking import Clone, CloneState, Launch, Swap, SwapCause, Verb
from spotward.model.units import listed, moment
from spotward.model.world import Pause, World

ATTACH_MAX = 20
"""AttachInstances takes no more instances than this in one call (its API reference)."""


def swaps(policy: GroupsPolicy) -> Decider:
    """The decider that carries open swaps on."""

    def decide(world: World, event: Event) -> Decision:
        return Decision.joined(_carried_on(world, subject, event, policy) for subject in focus(world, event))

    return decide


def _carried_on(world: World, subject: GroupId, event: Event, policy: GroupsPolicy) -> Decision:
    """Every open swap of a group learns first; then each goes on in turn, and sees what those before it have begun.

    The urgent go first. Were each to look at the group as it was, two would spend the same spare member.
    """
    before = world.undertakings_of(subject)
    if not before:
        return NOTHING
    learned = learn(before, world, event)
    for swap in learned:
        world = world.with_undertaking(swap)
    decisions = [Decision(notes=(_made(event),))] if isinstance(event, FleetAnswered) else []
    for swap in sorted(learned, key=lambda each: not each.urgent):
        steps = advance(world, swap, policy)
        world = world.with_undertaking(steps.swap)
        decisions.append(_decision(world, before, steps, policy))
    return Decision.joined(decisions)


def _decision(world: World, before: tuple[Swap, ...], steps: Steps, policy: GroupsPolicy) -> Decision:
    if steps.swap in before and not steps.wishes and not steps.wakes:
        return NOTHING
    if steps.swap.ended is None:
        return Decision(undertakings=(steps.swap,), wishes=steps.wishes, wakes=steps.wakes)
    pauses = _pause_after(world, steps.swap, policy)
    return Decision(
        undertakings=(steps.swap, *answered(world, steps.swap, pauses)),
        wishes=steps.wishes,
        wakes=(*steps.wakes, WakeAt(time=world.time, subject=steps.swap.group_id)),
        notes=(Note(subject=steps.swap.group_id, text=steps.swap.ended),),
        pauses=pauses,
        withdrawn=_moot(world, steps.swap),
    )


def _moot(world: World, ended: Swap) -> tuple[str, ...]:
    """What had failed of a swap that has ended, and of the loan if it was the last one: nobody asks for that again."""
    last = not world.undertakings_of(ended.group_id)
    failed = (key for key, wish in world.wishes_about(ended.group_id) if wish.state == "failed")
    return tuple(k for k in failed if k.startswith(ended.key) or (last and is_borrowing_key(k, ended.group_id)))


def _made(event: FleetAnswered) -> Note:
    """What a fleet gave: the page on which an instance of ours is first heard of."""
    made = [f"{i.id} ({i.instance_type} in {i.az})" for i in event.instances]
    words = f"launched {listed(made)}" if made else "the fleet gave nothing"
    refused = sorted({failure.code for failure in event.failures})
    subject = group_id(event.region, event.group_name)
    return Note(subject=subject, text=f"{words}; refused elsewhere: {listed(refused)}" if refused else words)


def begun(world: World, swap: Swap, policy: GroupsPolicy) -> Decision:
    """A new swap with its first steps."""
    steps = advance(world, swap, policy)
    return Decision(undertakings=(steps.swap,), wishes=steps.wishes, wakes=steps.wakes)


def advance(world: World, swap: Swap, policy: GroupsPolicy) -> Steps:
    """All that the facts call for now."""
    if swap.in_doubt:
        return resolving(Steps(swap), world, policy)
    steps = Steps(without_idle_errands(overtaken(swap, world), world))
    group = world.groups.get(swap.group_id)
    hopeless = why_give_up(group)
    if group is None or hopeless is not None:
        return give_up(steps, world, hopeless or "the group is gone", policy)
    scene = Scene(world=world, group=group, policy=policy)
    stages: tuple[Callable[[Steps, Scene], Steps], ...] = (
        _launch,
        expire,
        _borrow,
        _attach,
        keep_stuck,
        retire,
        _look,
        dispose,
        _end,
    )
    for stage in stages:
        steps = stage(steps, scene)
    return steps


# ---- stages --------------------------------------------------------------------------------------------------------


def _launch(steps: Steps, scene: Scene) -> Steps:
    if _launches_no_more(steps.swap, scene):
        return _given_back(withdrawn(steps, scene.world), scene)
    swap = with_another_try(steps.swap, scene.world, scene.group, scene.policy)
    steps = steps.at(swap)
    for launch in swap.launches:
        if not launch.answered:
            steps = steps.wishing(_fleet(swap, launch), _why(swap))
    return steps


def _launches_no_more(swap: Swap, scene: Scene) -> bool:
    return not in_scope(scene.group, scene.policy) or too_late(swap, scene.world, scene.policy)


def _given_back(steps: Steps, scene: Scene) -> Steps:
    """When its owner took the group back, what has not joined goes, and what is owed is paid."""
    if in_scope(scene.group, scene.policy):
        return steps
    outside = [c.id for c in steps.swap.clones if c.state in UNATTACHED]
    return given_up(steps, scene, outside, why_not(scene.group, scene.policy))


def _fleet(swap: Swap, launch: Launch) -> LaunchFleet:
    zones = {pool.az for pool in launch.pools}
    ceiling = swap.on_demand_usd_per_hour if launch.lifecycle is Lifecycle.SPOT else None
    return LaunchFleet(
        region=swap.region,
        group=swap.group,
        key=launch.key,
        attempt=1,
        count=launch.count,
        lifecycle=launch.lifecycle,
        launch=swap.launch_source,
        pools=launch.pools,
        subnets=tuple((zone, subnet) for zone, subnet in swap.subnets if zone in zones),
        tags=swap.instance_tags,
        price_max_usd_per_hour=ceiling,
    )


def _why(swap: Swap) -> str:
    olds = listed([old.id for old in swap.olds], most=3)
    return {
        SwapCause.INTERRUPTION: f"EC2 takes {olds} at {moment(swap.deadline or swap.born)}",
        SwapCause.REBALANCE: f"EC2 advises to move off {olds}",
        SwapCause.BASE: f"too few on-demand members: {olds} turned back",
        SwapCause.SAVING: f"{olds} on demand above the base",
        SwapCause.ASKED: f"somebody ordered that {olds} be replaced",
    }[swap.cause]


def _borrow(steps: Steps, scene: Scene) -> Steps:
    """Make room while the new instances boot, so that it costs no time."""
    if returning(scene.world, scene.group.id) or borrowing_now(scene.world, scene.group.id):
        return steps
    return replace(steps, wishes=steps.wishes + _to_borrow(steps.swap, scene))


def _to_borrow(swap: Swap, scene: Scene) -> tuple[Wish, ...]:
    return borrowing(scene.group, (swap, *scene.others(swap))) if joining(swap) else ()


def _may_join(number: int, swap: Swap, scene: Scene) -> bool:
    """Is there room for so many, beside those that are joining at this moment, and does what must rest rest?"""
    if returning(scene.world, scene.group.id) or not frozenset(swap.suspend) <= scene.group.suspended:
        return False
    joining_now = sum(len(each.on_errand(Verb.ATTACH)) for each in (swap, *scene.others(swap)))
    return scene.group.desired + joining_now + number <= scene.group.max_size


def _attach(steps: Steps, scene: Scene) -> Steps:
    swap = steps.swap
    fresh = [c for c in swap.clones if c.state is CloneState.RUNNING and c.id not in swap.on_errand(Verb.ATTACH)]
    patience = _waits_for_others(swap, fresh, scene)
    if patience is not None:
        steps = steps.waking(patience)
    elif fresh and _may_join(len(fresh), swap, scene):
        for start in range(0, len(fresh), ATTACH_MAX):
            swap = with_errand(swap, Verb.ATTACH, tuple(c.id for c in fresh[start : start + ATTACH_MAX]))
    return steps.at(swap).again(Verb.ATTACH, "the new instances run; they join before any old one leaves")


def _waits_for_others(swap: Swap, running: list[Clone], scene: Scene) -> float | None:
    """Until when those that run wait for the rest of the batch, for one call attaches twenty. None: not any longer."""
    if not running or swap.urgent or len(running) >= ATTACH_MAX:
        return None
    until = min(c.since for c in running) + scene.policy.straggler_seconds
    unanswered = any(not launch.answered for launch in swap.launches)
    others = unanswered or any(c.state is CloneState.LAUNCHED for c in swap.clones)
    return until if others and scene.world.time < until else None


def _look(steps: Steps, scene: Scene) -> Steps:
    swap = steps.swap
    lost = _launches_no_more(swap, scene) and bool(lost_launches(swap, scene.world))
    return waiting(steps, scene, lost=lost)


def _end(steps: Steps, scene: Scene) -> Steps:
    swap = steps.swap
    underway = (*UNATTACHED, CloneState.JOINED, CloneState.FAILED)
    if (
        any(not launch.answered for launch in swap.launches)
        or any(c.state in underway for c in swap.clones)
        or swap.errands
        or swap.owed
        or swap.unexplained
    ):
        return steps
    if swap.deadline is not None and _must_hold_out(swap, scene):
        return steps.waking(swap.deadline)
    return steps.at(replace(swap, ended=_summary(swap, scene), ended_time=scene.world.time))


def _must_hold_out(swap: Swap, scene: Scene) -> bool:
    """A rescue that found no capacity anywhere stays open until the deadline: begun anew it would only ask again."""
    if swap.cause is not SwapCause.INTERRUPTION or too_late(swap, scene.world, scene.policy):
        return False
    return any((member := scene.group.member(old.id)) is not None and not member.leaving for old in swap.olds)


def _summary(swap: Swap, scene: Scene) -> str:
    done = replaced(swap)
    by = listed(sorted({f"{c.instance_type} ({c.lifecycle})" for c in swap.clones if swap.serves(c)}))
    words = f"{done} of {len(swap.olds)} replaced" + (f" by {by}" if by else "") + _held_by_hooks(swap, scene)
    trouble = f"; {listed(swap.trouble, most=3)}" if swap.trouble and done < len(swap.olds) else ""
    return words + trouble


def _held_by_hooks(swap: Swap, scene: Scene) -> str:
    """Who has left by our request, and is still there for the sake of the owner's software."""
    known = scene.world.details.get(scene.group.id)
    hooks = [hook.name for hook in known.details.hooks if hook.transition == TERMINATING] if known is not None else []
    held = sum(m.leaving and m.instance_id in swap.retired for m in scene.group.members)
    return f"; {held} still held by its termination hook {listed(hooks)}" if held and hooks else ""


# ---- afterwards ------------------------------------------------------------------------------------------------------


def _pause_after(world: World, swap: Swap, policy: GroupsPolicy) -> tuple[GroupPause, ...]:
    """A group whose swap came to nothing for a reason that no other pool can help rests, longer each time."""
    if replaced(swap) and swap.cause is SwapCause.ASKED and policy.asked_cooldown_seconds:
        until = world.time + policy.asked_cooldown_seconds
        pause = Pause(until=until, failures=0, reason="a member was replaced a moment ago because somebody ordered it")
        return (GroupPause(subject=swap.group_id, pause=pause),)
    if replaced(swap):
        return (GroupPause(subject=swap.group_id, pause=None),)
    if swap.cause is SwapCause.INTERRUPTION or swap.abandoned or _only_pools_ran_dry(swap):
        return ()
    known = world.pauses.get(swap.group_id)
    failures = known.failures + 1 if known else 1
    seconds = min(policy.pause_first_seconds * 2 ** (failures - 1), policy.pause_seconds_max)
    reason = listed(swap.trouble, most=3) or "its last swap replaced nobody"
    pause = Pause(until=world.time + seconds, failures=failures, reason=reason)
    return (GroupPause(subject=swap.group_id, pause=pause),)


def _only_pools_ran_dry(swap: Swap) -> bool:
    """Nothing was made, and only because pools have no capacity: they rest by themselves."""
    return not swap.clones and bool(swap.launches) and all(launch.dry for launch in swap.launches)
