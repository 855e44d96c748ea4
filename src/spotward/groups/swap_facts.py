"""What an event tells the open swaps of a group. Facts only: what follows from them is worked out in `swap`.

All swaps of a group learn together, because they share its desired capacity (`debt`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from spotward.groups.debt import Unheard, settled
from spotward.groups.loan import is_loan_key
from spotward.groups.owners_wish import is_open_question, wish_of
from spotward.groups.residence import is_ready
from spotward.model.cloud import Group, Instance
from spotward.model.effect import SETTLING_SECONDS
from spotward.model.event import (
    Done,
    Event,
    Failed,
    FleetAnswered,
    GroupObserved,
    InstanceLaunched,
    InstancesObserved,
    PoolFailure,
    RegionObserved,
    Restarted,
)
from spotward.model.pool_memory import CAPACITY_CODES
from spotward.model.undertaking import Clone, CloneState, Errand, Launch, Swap, Verb
from spotward.model.world import World

UNATTACHED = (CloneState.LAUNCHED, CloneState.RUNNING)
MEMBERS = (CloneState.JOINED, CloneState.SERVING)
LIVE_STATES = ("pending", "running")

THE_GROUP, THE_INSTANCES = "group", "instances"
"""What may be in doubt."""


def learn(swaps: Sequence[Swap], world: World, event: Event) -> tuple[Swap, ...]:
    """All open swaps of one group with what the event tells of them. `world` knows the event already."""
    return tuple(_with_nodes(swap, world) for swap in _told(swaps, world, event))


def _told(swaps: Sequence[Swap], world: World, event: Event) -> tuple[Swap, ...]:
    match event:
        case GroupObserved() | RegionObserved():
            return _learn_sight(swaps, world, event)
        case Restarted():
            return tuple(in_doubt(swap, event.time, THE_GROUP, THE_INSTANCES) for swap in swaps)
        case FleetAnswered():
            return tuple(_learn_fleet(swap, event) for swap in swaps)
        case InstancesObserved():
            return tuple(_learn_instances(swap, event) for swap in swaps)
        case InstanceLaunched():
            return tuple(_learn_running(swap, event) for swap in swaps)
        case Done():
            return tuple(_learn_deed(swap, world, event) for swap in swaps)
        case Failed():
            return tuple(_learn_failure(swap, event) for swap in swaps)
        case _:
            return tuple(swaps)


def _with_nodes(swap: Swap, world: World) -> Swap:
    """The swap with what the cluster shows: that members are nodes may be known late, and which new ones are ready."""
    nodes = world.cluster
    if not swap.of_nodes and not any(nodes.node_for(old.id) is not None for old in swap.olds):
        return swap
    clones = tuple(c if c.node_ready or not is_ready(world, c.id) else replace(c, node_ready=True) for c in swap.clones)
    return swap if swap.of_nodes and clones == swap.clones else replace(swap, of_nodes=True, clones=clones)


# ---- what is told ----------------------------------------------------------------------------------------------------


def with_trouble(swap: Swap, words: str) -> Swap:
    """The swap with a trouble noted, once."""
    return swap if words in swap.trouble else replace(swap, trouble=(*swap.trouble, words))


def with_clones(swap: Swap, states: Mapping[str, CloneState], time: float) -> Swap:
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


def look_key(swap: Swap) -> str:
    """Key of the question how its new instances stand."""
    return f"{swap.key} look"


def in_doubt(swap: Swap, time: float, *what: str) -> Swap:
    """The swap with more that must be looked at, at once, before it goes on."""
    every = tuple(dict.fromkeys((*swap.in_doubt, *what)))
    return replace(swap, in_doubt=every, look_time=min(swap.look_time, time))


def _sure_of(swap: Swap, what: str) -> Swap:
    return replace(swap, in_doubt=tuple(each for each in swap.in_doubt if each != what))


def _with_answer(swap: Swap, launch: Launch, clones: Iterable[Clone]) -> Swap:
    """The swap with what a launch made."""
    known = {clone.id for clone in swap.clones}
    made = tuple(clone for clone in clones)
    fresh = tuple(clone for clone in made if clone.id not in known)
    swap = with_launch(swap, replace(launch, answered=True, got=len(made)))
    return replace(swap, clones=swap.clones + fresh)


# ---- instances outside the group ----------------------------------------------------------------------------------


def _learn_fleet(swap: Swap, event: FleetAnswered) -> Swap:
    launch = next((each for each in swap.launches if each.key == event.key), None)
    if launch is None or launch.answered:
        return swap
    short = launch.count > len(event.instances)
    launch = replace(launch, dry=short and _only_for_want_of_capacity(event.failures))
    swap = _with_answer(
        swap,
        launch,
        (
            Clone(
                id=made.id,
                launch=launch.key,
                instance_type=made.instance_type,
                az=made.az,
                lifecycle=made.lifecycle,
                since=event.time,
            )
            for made in event.instances
        ),
    )
    for failure in event.failures if short else ():
        where = f" in {failure.pool}" if failure.pool else ""
        swap = with_trouble(swap, f"{failure.code}{where}")
    return swap


def _only_for_want_of_capacity(failures: Sequence[PoolFailure]) -> bool:
    return bool(failures) and all(f.pool is not None and f.code in CAPACITY_CODES for f in failures)


def _learn_instances(swap: Swap, event: InstancesObserved) -> Swap:
    if event.key != look_key(swap):
        return swap
    swap = _adopt(swap, event)
    seen = {instance.id: instance for instance in event.instances}
    outside = (*UNATTACHED, CloneState.FAILED)
    states = {c.id: _state_outside(c, seen.get(c.id), event) for c in swap.clones if c.state in outside}
    return _sure_of(with_clones(swap, states, event.time), THE_INSTANCES)


def _state_outside(clone: Clone, instance: Instance | None, event: InstancesObserved) -> CloneState:
    if instance is None:
        lost = clone.id in event.missing and event.time - clone.since > SETTLING_SECONDS
        return CloneState.GONE if lost else clone.state
    if instance.state not in LIVE_STATES:
        return CloneState.GONE
    runs = instance.state == "running" and clone.state is CloneState.LAUNCHED
    return CloneState.RUNNING if runs else clone.state


def _adopt(swap: Swap, event: InstancesObserved) -> Swap:
    """Instances that carry the key of a launch whose answer we never heard are its answer."""
    for launch in swap.launches:
        made = [i for i in event.instances if i.launched_for == launch.key and i.state in LIVE_STATES]
        if launch.answered or not made:
            continue
        swap = _with_answer(
            swap,
            launch,
            (
                Clone(
                    id=i.id,
                    launch=launch.key,
                    instance_type=i.instance_type,
                    az=i.az,
                    lifecycle=i.lifecycle,
                    since=event.time,
                )
                for i in made
            ),
        )
    return swap


def _learn_running(swap: Swap, event: InstanceLaunched) -> Swap:
    """EC2 tells by itself that an instance runs; then nobody need ask."""
    booting = any(clone.id == event.instance_id and clone.state is CloneState.LAUNCHED for clone in swap.clones)
    return with_clones(swap, {event.instance_id: CloneState.RUNNING}, event.time) if booting else swap


# ---- the group -------------------------------------------------------------------------------------------------------


def _learn_sight(swaps: Sequence[Swap], world: World, event: GroupObserved | RegionObserved) -> tuple[Swap, ...]:
    """What a sight of the group tells; one that may be older than our last deed tells nothing."""
    group = _seen(event, swaps[0].group_id)
    if group is None:
        return tuple(_sure_of(swap, THE_GROUP) for swap in swaps)
    if world.stale(group, event.as_of):
        too_early = world.sights.precedes_a_deed(group.id, event.as_of)
        return tuple(in_doubt(s, event.time) if too_early and THE_GROUP in s.in_doubt else s for s in swaps)
    states = {swap.key: _states_in(group, swap, world, event) for swap in swaps}
    unheard = {swap.key: _unheard(group, swap, states[swap.key]) for swap in swaps}
    history = event.history if isinstance(event, GroupObserved) else None
    wish = wish_of(swaps, world, group, history)
    open_question = is_open_question(swaps, world, group.id, history)
    swaps = tuple(with_clones(swap, states[swap.key], event.time) for swap in swaps)
    return tuple(
        _sure_of(replace(swap, errands=_without(swap, unheard[swap.key].left)), THE_GROUP)
        for swap in settled(swaps, group, unheard, wish=wish, open_question=open_question)
    )


def _seen(event: GroupObserved | RegionObserved, subject: str) -> Group | None:
    if isinstance(event, GroupObserved):
        return event.group
    return next((group for group in event.groups if group.id == subject), None)


def _states_in(group: Group, swap: Swap, world: World, event: GroupObserved | RegionObserved) -> dict[str, CloneState]:
    """How its new instances stand as members."""
    unhealthy = world.unhealthy.get(swap.group_id, frozenset())
    health_known = not (group.target_groups or group.load_balancers) or (
        isinstance(event, GroupObserved) and event.unhealthy is not None
    )
    states: dict[str, CloneState] = {}
    for clone in swap.clones:
        member = group.member(clone.id)
        if clone.state in UNATTACHED and member is not None:
            states[clone.id] = CloneState.GONE if member.leaving else CloneState.JOINED
        elif clone.state in MEMBERS and (member is None or member.leaving):
            if member is not None or event.time - clone.since > SETTLING_SECONDS:
                states[clone.id] = CloneState.GONE
        elif clone.state is CloneState.FAILED and member is not None and member.leaving:
            states[clone.id] = CloneState.GONE
        elif clone.state is CloneState.JOINED and member is not None and member.serving and health_known:
            states[clone.id] = CloneState.JOINED if clone.id in unhealthy else CloneState.SERVING
    return states


def _unheard(group: Group, swap: Swap, states: Mapping[str, CloneState]) -> Unheard:
    joined = sum(c.state in UNATTACHED and group.member(c.id) is not None for c in swap.clones if c.id in states)
    left = tuple(i for i in swap.on_errand(Verb.RETIRE) if (m := group.member(i)) is None or m.leaving)
    return Unheard(joined=joined, left=left)


def _without(swap: Swap, left: Iterable[str]) -> tuple[Errand, ...]:
    return tuple(errand for errand in swap.errands if not set(errand.instance_ids) & set(left))


# ---- outcomes of deeds ---------------------------------------------------------------------------------------------


def _learn_deed(swap: Swap, world: World, event: Done) -> Swap:
    group = world.groups.get(swap.group_id)
    if group is not None:
        swap = replace(swap, desired_seen=group.desired - swap.unexplained)
    if swap.in_doubt:
        swap = in_doubt(swap, event.time)
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
    """What failed may have been done all the same: an errand stays until a look has told, so that it is recognised."""
    if event.transient and not event.outcome_unknown:
        return swap  # it was not done, and is asked again
    launch = next((each for each in swap.launches if each.key == event.key), None)
    if launch is not None and not launch.answered:
        swap = with_trouble(swap, event.reason)
        if event.outcome_unknown:
            return in_doubt(swap, event.time, THE_INSTANCES)
        return with_launch(swap, replace(launch, answered=True))
    if any(errand.key == event.key for errand in swap.errands):
        return in_doubt(with_trouble(swap, event.reason), event.time, THE_GROUP, THE_INSTANCES)
    if is_loan_key(event.key, swap.group_id):
        return in_doubt(with_trouble(swap, event.reason), event.time, THE_GROUP)
    return swap
