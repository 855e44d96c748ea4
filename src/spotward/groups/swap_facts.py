"""What an event tells a swap. Facts only: what follows from them is worked out in `spotward.groups.swap`.

The hard part is the debt. Attaching an instance raises the group's desired capacity, retiring a member lowers it;
`owed` is by how much it stands above what its owner set. When somebody else changes it meanwhile there are two
readings, a new absolute value or a relative step, and AWS does not tell which. Capacity first: a lowering is taken to
have paid our debt, so that we never lower it a second time; a raising is taken as a relative step.
"""

from dataclasses import replace

from spotward.model.cloud import Group, Instance
from spotward.model.event import (
    Done,
    Event,
    Failed,
    FleetAnswered,
    GroupObserved,
    InstanceLaunched,
    InstancesObserved,
    RegionObserved,
    Restarted,
)
from spotward.model.undertaking import Clone, CloneState, Launch, Swap, Verb
from spotward.model.world import World

SETTLING_SECONDS = 60.0
"""For so long after a launch or an attach AWS may not show it yet (its answers are eventually consistent)."""

UNATTACHED = (CloneState.LAUNCHED, CloneState.RUNNING)
MEMBERS = (CloneState.JOINED, CloneState.SERVING)
LIVE_STATES = ("pending", "running")


def learn(swap: Swap, world: World, event: Event) -> Swap:
    """The swap with what the event tells of it. `world` knows the event already."""
    match event:
        case Restarted():
            return replace(swap, in_doubt=("group", "instances"))
        case FleetAnswered():
            return _learn_fleet(swap, event)
        case InstancesObserved():
            return _learn_instances(swap, event)
        case GroupObserved() | RegionObserved():
            group = world.groups.get(swap.group_id)
            if group is None or world.stale(swap.group_id, event.as_of):
                return swap
            return _learn_group(swap, world, group, event)
        case Done():
            return _learn_deed(swap, world, event)
        case Failed():
            return _learn_failure(swap, event)
        case InstanceLaunched() if any(clone.id == event.instance_id for clone in swap.clones):
            return replace(swap, look_time=event.time)
        case _:
            return swap


def with_trouble(swap: Swap, words: str) -> Swap:
    """The swap with a trouble noted, once."""
    return swap if words in swap.trouble else replace(swap, trouble=(*swap.trouble, words))


def with_clones(swap: Swap, states: dict[str, CloneState], time: float) -> Swap:
    """The swap with clones in new states."""
    return replace(
        swap,
        clones=tuple(
            replace(c, state=states[c.id], since=time) if states.get(c.id, c.state) is not c.state else c
            for c in swap.clones
        ),
    )


def with_launch(swap: Swap, launch: Launch) -> Swap:
    """The swap with one of its launches replaced by its newer self."""
    return replace(swap, launches=tuple(launch if each.key == launch.key else each for each in swap.launches))


def _learn_fleet(swap: Swap, event: FleetAnswered) -> Swap:
    launch = next((each for each in swap.launches if each.key == event.key), None)
    if launch is None or launch.answered:
        return swap
    known = {clone.id for clone in swap.clones}
    clones = tuple(
        Clone(
            id=made.id,
            launch=launch.key,
            instance_type=made.instance_type,
            az=made.az,
            lifecycle=made.lifecycle,
            since=event.time,
        )
        for made in event.instances
        if made.id not in known
    )
    swap = with_launch(swap, replace(launch, answered=True, got=len(event.instances)))
    swap = replace(swap, clones=swap.clones + clones)
    if launch.count > len(event.instances):
        for failure in event.failures:
            where = f" in {failure.pool}" if failure.pool else ""
            swap = with_trouble(swap, f"{failure.code}{where}")
    return swap


def _learn_instances(swap: Swap, event: InstancesObserved) -> Swap:
    if event.group_id != swap.group_id:
        return swap
    swap = _adopt(swap, event)
    seen = {instance.id: instance for instance in event.instances}
    states: dict[str, CloneState] = {}
    for clone in swap.clones:
        if clone.state in UNATTACHED:
            states[clone.id] = _unattached_state(clone, seen.get(clone.id), event)
    rest = tuple(doubt for doubt in swap.in_doubt if doubt != "instances")
    return replace(with_clones(swap, states, event.time), in_doubt=rest)


def _unattached_state(clone: Clone, instance: Instance | None, event: InstancesObserved) -> CloneState:
    if instance is None:
        lost = clone.id in event.missing and event.time - clone.since > SETTLING_SECONDS
        return CloneState.GONE if lost else clone.state
    if instance.state not in LIVE_STATES:
        return CloneState.GONE
    return CloneState.RUNNING if instance.state == "running" else clone.state


def _adopt(swap: Swap, event: InstancesObserved) -> Swap:
    """Instances that carry the key of a launch whose answer we never heard are its answer."""
    for launch in swap.launches:
        made = [i for i in event.instances if i.launched_for == launch.key and i.state in LIVE_STATES]
        if launch.answered or not made:
            continue
        clones = tuple(
            Clone(
                id=i.id,
                launch=launch.key,
                instance_type=i.instance_type,
                az=i.az,
                lifecycle=i.lifecycle,
                since=event.time,
            )
            for i in made
        )
        swap = with_launch(swap, replace(launch, answered=True, got=len(made)))
        swap = replace(swap, clones=swap.clones + clones)
    return swap


def _learn_group(swap: Swap, world: World, group: Group, event: GroupObserved | RegionObserved) -> Swap:
    unhealthy = world.unhealthy.get(swap.group_id, frozenset())
    health_known = not (group.target_groups or group.load_balancers) or (
        isinstance(event, GroupObserved) and event.unhealthy is not None
    )
    states: dict[str, CloneState] = {}
    found = 0
    for clone in swap.clones:
        member = group.member(clone.id)
        if clone.state in UNATTACHED and member is not None and not member.leaving:
            states[clone.id] = CloneState.JOINED
            found += 1
        elif clone.state in MEMBERS and (member is None or member.leaving):
            if member is not None or event.time - clone.since > SETTLING_SECONDS:
                states[clone.id] = CloneState.GONE
        elif clone.state is CloneState.JOINED and member is not None and member.serving and health_known:
            states[clone.id] = CloneState.JOINED if clone.id in unhealthy else CloneState.SERVING
    swap = with_clones(swap, states, event.time)
    left = tuple(i for i in swap.on_errand(Verb.RETIRE) if (m := group.member(i)) is None or m.leaving)
    return _settle(swap, group, found=found, left=left)


def _settle(swap: Swap, group: Group, *, found: int, left: tuple[str, ...]) -> Swap:
    """Bring the debt forward over a change of the desired capacity that we did not hear of as an outcome.

    found: clones seen as members whose attaching was never acknowledged; left: members whose retiring was not, and
    that are gone.
    """
    change = group.desired - swap.desired_seen - found
    paid = min(len(left), max(0, -change))
    change += paid
    owed = swap.owed + found - paid
    if change < 0:
        swap = with_trouble(swap, f"its desired capacity was lowered by others, to {group.desired}")
        owed = max(0, owed + change)
    return replace(
        swap,
        owed=max(0, owed),
        desired_seen=group.desired,
        retired=swap.retired + left[:paid],
        errands=()
        if "group" in swap.in_doubt
        else tuple(e for e in swap.errands if not set(e.instance_ids) & set(left)),
        in_doubt=tuple(doubt for doubt in swap.in_doubt if doubt != "group"),
    )


def _learn_deed(swap: Swap, world: World, event: Done) -> Swap:
    if event.subject != swap.group_id:
        return swap
    group = world.groups.get(swap.group_id)
    if group is not None:
        swap = replace(swap, desired_seen=group.desired)
    errand = next((each for each in swap.errands if each.key == event.key), None)
    if errand is None:
        return swap
    swap = replace(swap, errands=tuple(each for each in swap.errands if each is not errand))
    number = len(errand.instance_ids)
    if errand.verb is Verb.ATTACH:
        swap = replace(swap, owed=swap.owed + number)
        return with_clones(swap, dict.fromkeys(errand.instance_ids, CloneState.JOINED), event.time)
    if errand.verb is Verb.RETIRE:
        swap = replace(swap, owed=max(0, swap.owed - number), retired=swap.retired + errand.instance_ids)
    return with_clones(swap, dict.fromkeys(errand.instance_ids, CloneState.GONE), event.time)


def _learn_failure(swap: Swap, event: Failed) -> Swap:
    if event.subject != swap.group_id or not event.key.startswith(swap.key):
        return swap
    launch = next((each for each in swap.launches if each.key == event.key), None)
    swap = with_trouble(swap, event.reason)
    if launch is None:
        rest = tuple(errand for errand in swap.errands if errand.key != event.key)
        return replace(swap, in_doubt=("group", "instances"), errands=rest)
    if event.outcome_unknown:
        return replace(swap, in_doubt=("instances",))
    return swap if event.transient else with_launch(swap, replace(launch, answered=True))
