"""The next steps of a swap, worked out from its facts.

launch → wait until running → make room (max size, processes) → attach → wait until serving → retire the old, one for
one → done. No step is remembered; each is wished while the facts call for it, and asking twice is asking once. So the
same function goes on after a restart, after a failed call, and after somebody else's change.

When the group is being deleted the new instances are terminated at once: nothing of ours may block the deletion.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from spotward.groups.another_try import with_another_try
from spotward.groups.focus import focus
from spotward.groups.loan import borrowing
from spotward.groups.obstacle import obstacle
from spotward.groups.policy import GroupsPolicy
from spotward.groups.retire import replaced, retire
from spotward.groups.steps import Scene, Steps, with_errand
from spotward.groups.swap_facts import UNATTACHED, learn, with_clones, with_trouble
from spotward.model.action import (
    LaunchFleet,
    ObserveGroup,
    ObserveInstances,
)
from spotward.model.cloud import Group, Lifecycle
from spotward.model.decision import NOTHING, Decider, Decision, GroupPause, WakeAt
from spotward.model.event import Event
from spotward.model.page import Note
from spotward.model.undertaking import Clone, CloneState, Launch, Swap, SwapCause, Verb
from spotward.model.units import counted, listed, moment, span
from spotward.model.world import Pause, World

ATTACH_MAX = 20
"""AttachInstances takes no more instances than this in one call (its API reference)."""

TERMINATE_MAX = 500
"""TerminateInstances is asked for no more instances than this in one call."""


def swaps(policy: GroupsPolicy) -> Decider:
    """The decider that carries open swaps on."""

    def decide(world: World, event: Event) -> Decision:
        every = (swap for subject in focus(world, event) for swap in world.undertakings_of(subject))
        return Decision.joined(_decided(world, swap, event, policy) for swap in every)

    return decide


def _decided(world: World, before: Swap, event: Event, policy: GroupsPolicy) -> Decision:
    steps = advance(world, learn(before, world, event), policy)
    if steps.swap == before and not steps.wishes and not steps.wakes:
        return NOTHING
    if steps.swap.ended is None:
        return Decision(undertakings=(steps.swap,), wishes=steps.wishes, wakes=steps.wakes)
    return Decision(
        undertakings=(steps.swap,),
        wishes=steps.wishes,
        wakes=(*steps.wakes, WakeAt(time=world.time, subject=steps.swap.group_id)),
        notes=(Note(subject=steps.swap.group_id, text=steps.swap.ended),),
        pauses=(_pause_after(world, steps.swap, policy),),
    )


def begun(world: World, swap: Swap, policy: GroupsPolicy) -> Decision:
    """A new swap with its first steps."""
    steps = advance(world, swap, policy)
    return Decision(undertakings=(steps.swap,), wishes=steps.wishes, wakes=steps.wakes)


def advance(world: World, swap: Swap, policy: GroupsPolicy) -> Steps:
    """All that the facts call for now."""
    steps = Steps(swap)
    if "instances" in swap.in_doubt:
        steps = _look_at_instances(steps, "what was asked before a break may have been done")
    if "group" in swap.in_doubt:
        steps = _look_at_group(steps, "what was asked before a break may have been done", health=False)
    if swap.in_doubt:
        return steps
    group = world.groups.get(swap.group_id)
    given_up = _why_give_up(group)
    if group is None or given_up is not None:
        return _give_up(steps, world, given_up or "the group is gone")
    scene = Scene(world=world, group=group, policy=policy)
    stages: tuple[Callable[[Steps, Scene], Steps], ...] = (
        _launch,
        _expire,
        _borrow,
        _await_running,
        _attach,
        _await_serving,
        retire,
        _dispose,
        _end,
    )
    for stage in stages:
        steps = stage(steps, scene)
    return steps


# ---- giving up -----------------------------------------------------------------------------------------------------


def _why_give_up(group: Group | None) -> str | None:
    """Why the swap can come to nothing any more."""
    if group is None:
        return "the group is gone"
    if group.status is not None or group.max_size == 0:
        return obstacle(group)
    return None


def _give_up(steps: Steps, world: World, reason: str) -> Steps:
    """Terminate what is ours and in no group, and end. Members go with their group."""
    swap = steps.swap
    unknown = [launch for launch in swap.launches if not launch.answered and launch.key in world.wishes]
    loose = [c.id for c in swap.clones if c.state in (*UNATTACHED, CloneState.FAILED)]
    steps = _terminate(steps, loose, f"{reason}: nothing of ours may block its deletion")
    if loose or unknown or steps.swap.on_errand(Verb.TERMINATE):
        return steps.at(replace(steps.swap, abandoned=reason))
    words = f"given up: {reason}; {counted(len(swap.clones), 'new instance')} terminated"
    return steps.at(replace(steps.swap, abandoned=reason, ended=words, ended_time=world.time))


def _terminate(steps: Steps, instance_ids: Iterable[str], reason: str) -> Steps:
    swap = steps.swap
    fresh = tuple(i for i in instance_ids if i not in swap.on_errand(Verb.TERMINATE))[:TERMINATE_MAX]
    if fresh:
        steps = steps.at(with_errand(swap, Verb.TERMINATE, fresh))
    return steps.again(Verb.TERMINATE, reason)


# ---- looking -------------------------------------------------------------------------------------------------------


def _look_at_instances(steps: Steps, reason: str) -> Steps:
    swap = steps.swap
    ids = tuple(c.id for c in swap.clones if c.state in UNATTACHED)
    launches = tuple(launch.key for launch in swap.launches if not launch.answered)
    question = ObserveInstances(
        region=swap.region,
        group=swap.group,
        key=f"{swap.key} look",
        instance_ids=ids,
        launches=launches if swap.in_doubt else (),
    )
    return steps.wishing(question, reason)


def _look_at_group(steps: Steps, reason: str, *, health: bool) -> Steps:
    swap = steps.swap
    return steps.wishing(ObserveGroup(region=swap.region, group=swap.group, health=health), reason)


def _looking(steps: Steps, scene: Scene, look: Callable[[Steps], Steps]) -> Steps:
    """Look if it is time to, and wake for the next look."""
    time = scene.world.time
    if time >= steps.swap.look_time:
        steps = look(steps)
        steps = steps.at(replace(steps.swap, look_time=time + scene.policy.look_seconds))
    return steps.waking(steps.swap.look_time)


# ---- stages --------------------------------------------------------------------------------------------------------


def _launch(steps: Steps, scene: Scene) -> Steps:
    swap = with_another_try(steps.swap, scene.world, scene.group, scene.policy)
    steps = steps.at(swap)
    for launch in swap.launches:
        if not launch.answered:
            steps = steps.wishing(_fleet(swap, launch), _why(swap, launch))
    return steps


def _borrow(steps: Steps, scene: Scene) -> Steps:
    """Make room while the new instances boot, so that it costs no time."""
    return replace(steps, wishes=steps.wishes + borrowing(steps.swap, scene.group))


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


def _why(swap: Swap, launch: Launch) -> str:
    olds = listed([old.id for old in swap.olds], most=3)
    cause = {
        SwapCause.INTERRUPTION: f"EC2 takes {olds} at {moment(swap.deadline or swap.born)}",
        SwapCause.REBALANCE: f"EC2 advises to move off {olds}",
        SwapCause.BASE: f"too few on-demand members: {olds} turned back",
        SwapCause.SAVING: f"{olds} on demand above the base",
    }[swap.cause]
    return f"{cause}; {launch.count} {launch.lifecycle} in {launch.az} from {counted(len(launch.pools), 'pool')}"


def _expire(steps: Steps, scene: Scene) -> Steps:
    """New instances that take too long are given up."""
    limits = {
        CloneState.LAUNCHED: scene.policy.running_timeout_seconds,
        CloneState.JOINED: scene.policy.in_service_timeout_seconds + scene.group.grace_seconds,
    }
    late = {c.id: c for c in steps.swap.clones if c.state in limits and scene.world.time - c.since > limits[c.state]}
    for clone in late.values():
        words = "run" if clone.state is CloneState.LAUNCHED else "come into service"
        trouble = f"{clone.id} did not {words} within {span(limits[clone.state])}"
        steps = steps.at(with_trouble(steps.swap, trouble))
    return steps.at(with_clones(steps.swap, dict.fromkeys(late, CloneState.FAILED), scene.world.time))


def _await_running(steps: Steps, scene: Scene) -> Steps:
    if not any(c.state is CloneState.LAUNCHED for c in steps.swap.clones):
        return steps
    return _looking(steps, scene, lambda s: _look_at_instances(s, "do the new instances run?"))


def _attach(steps: Steps, scene: Scene) -> Steps:
    swap = steps.swap
    fresh = [c for c in swap.clones if c.state is CloneState.RUNNING and c.id not in swap.on_errand(Verb.ATTACH)]
    if fresh and not borrowing(swap, scene.group) and not _waits_for_others(swap, fresh, scene):
        for start in range(0, len(fresh), ATTACH_MAX):
            chunk = tuple(c.id for c in fresh[start : start + ATTACH_MAX])
            swap = replace(with_errand(swap, Verb.ATTACH, chunk), look_time=scene.world.time)
    return steps.at(swap).again(Verb.ATTACH, "the new instances run; they join before any old one leaves")


def _waits_for_others(swap: Swap, running: list[Clone], scene: Scene) -> bool:
    """One call attaches twenty, so those that run wait for the rest of the batch, but not for a straggler."""
    if swap.urgent or len(running) >= ATTACH_MAX:
        return False
    waited = scene.world.time - min(c.since for c in running)
    others = any(not launch.answered for launch in swap.launches) or any(
        c.state is CloneState.LAUNCHED for c in swap.clones
    )
    return others and waited < scene.policy.straggler_seconds


def _await_serving(steps: Steps, scene: Scene) -> Steps:
    swap = steps.swap
    surplus_waits = swap.owed > 0 and not swap.on_errand(Verb.RETIRE)
    if not any(c.state is CloneState.JOINED for c in swap.clones) and not surplus_waits:
        return steps
    health = bool(scene.group.target_groups or scene.group.load_balancers)
    return _looking(
        steps, scene, lambda s: _look_at_group(s, "are the new members in service and healthy?", health=health)
    )


def _dispose(steps: Steps, scene: Scene) -> Steps:
    """New instances that were given up before they joined are terminated."""
    loose = [c.id for c in steps.swap.clones if c.state is CloneState.FAILED and scene.group.member(c.id) is None]
    return _terminate(steps, loose, "it never came into service")


def _end(steps: Steps, scene: Scene) -> Steps:
    swap = steps.swap
    underway = (*UNATTACHED, CloneState.JOINED, CloneState.FAILED)
    if (
        any(not launch.answered for launch in swap.launches)
        or any(c.state in underway for c in swap.clones)
        or swap.errands
        or swap.owed
    ):
        return steps
    return steps.at(replace(swap, ended=_summary(swap), ended_time=scene.world.time))


def _summary(swap: Swap) -> str:
    done = replaced(swap)
    by = listed(sorted({f"{c.instance_type} ({c.lifecycle})" for c in swap.clones if c.state is CloneState.SERVING}))
    words = f"{done} of {len(swap.olds)} replaced" + (f" by {by}" if by else "")
    trouble = f"; {listed(swap.trouble, most=3)}" if swap.trouble and done < len(swap.olds) else ""
    return words + trouble


def _pause_after(world: World, swap: Swap, policy: GroupsPolicy) -> GroupPause:
    """A group whose swap came to nothing for a reason that no other pool can help rests, longer each time."""
    if replaced(swap) or swap.urgent or swap.abandoned or _only_pools_ran_dry(swap):
        return GroupPause(subject=swap.group_id, pause=None)
    known = world.pauses.get(swap.group_id)
    failures = known.failures + 1 if known else 1
    seconds = min(policy.pause_first_seconds * 2 ** (failures - 1), policy.pause_seconds_max)
    reason = listed(swap.trouble, most=3) or "its last swap replaced nobody"
    return GroupPause(subject=swap.group_id, pause=Pause(until=world.time + seconds, failures=failures, reason=reason))


def _only_pools_ran_dry(swap: Swap) -> bool:
    """Every trouble names a pool, and pools rest by themselves."""
    return bool(swap.trouble) and all(" in " in words and "/" in words for words in swap.trouble)
