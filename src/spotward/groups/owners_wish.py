"""What the owner asked for, when somebody set the desired capacity while we were changing it too.

Attaching and retiring are steps from what stands there; an owner sets a value. Come the two together, what stands there
in the end is neither, and only the group's scaling activities tell how it came about: "changing the desired capacity
from 14 to 16", and which of our own members joined and left after that. They are asked for in no other case.

Only what adds up is believed: the owner's value and our own steps since must make just what stands there now. When that
is not so soon (activities show late, and an endpoint may have none) what stands there is taken for the owner's wish.

Where our steps took the desired capacity below what the owner had asked for, it is set to that again.
"""

from collections.abc import Iterable, Sequence
from math import floor, inf

from spotward.groups.focus import focus
from spotward.groups.policy import GroupsPolicy
from spotward.model.action import ObserveGroup, RestoreDesired
from spotward.model.cloud import CapacityHistory, DesiredChange, Group, GroupId, MemberStep
from spotward.model.decision import NOTHING, Decider, Decision, WakeAt, Wish, next_beat
from spotward.model.effect import Moves
from spotward.model.event import Done, Event, GroupObserved
from spotward.model.undertaking import Swap, Verb
from spotward.model.world import World

PATIENCE_SECONDS = 120.0
"""For so long scaling activities are looked for that explain what stands there: AWS shows most within seconds."""


def asked_for(history: CapacityHistory, desired: int, ours: frozenset[str]) -> int | None:
    """The desired capacity that was last asked for, or None where the history does not tell.

    desired: what stands there now. ours: ids of instances that we may have attached or retired. Times are in whole
    seconds, so a step of the very second may have come before or after.
    """
    last = _last(history.changes)
    if last is None:
        return None
    later = [step for step in history.steps if floor(step.time) >= floor(last.time)]
    if last.time < history.since or any(step.instance_id not in ours for step in later):
        return None
    surely = sum(_worth(step) for step in later if floor(step.time) > floor(last.time))
    perhaps = [_worth(step) for step in later if floor(step.time) == floor(last.time)]
    least = surely + sum(worth for worth in perhaps if worth < 0)
    most = surely + sum(worth for worth in perhaps if worth > 0)
    return last.after if least <= desired - last.after <= most else None


def _last(changes: Sequence[DesiredChange]) -> DesiredChange | None:
    """Of several in one second the one that no other goes on from; None where that is not clear."""
    newest = [change for change in changes if change.time == changes[-1].time]
    ends = [change for change in newest if all(change.after != other.before for other in newest)]
    return ends[0] if len(ends) == 1 else None


def _worth(step: MemberStep) -> int:
    return 1 if step.joined else -1


def wish_of(swaps: Iterable[Swap], world: World, group: Group, history: CapacityHistory | None) -> int | None:
    """As `asked_for`, of a group with these open swaps; None also where nobody was asked."""
    if history is None:
        return None
    moves = world.sights.moves.get(group.id, Moves())
    ours = {*moves.joined, *moves.retired}
    for swap in swaps:
        ours |= {*(clone.id for clone in swap.clones), *swap.retired, *swap.on_errand(Verb.RETIRE)}
    return asked_for(history, group.desired, frozenset(ours))


def is_open_question(swaps: Iterable[Swap], world: World, subject: GroupId, history: CapacityHistory | None) -> bool:
    """May it still come out who set the desired capacity? A rescue takes the first answer: it has no time."""
    since = world.surprises.get(subject)
    if since is None or world.time - since > PATIENCE_SECONDS:
        return False
    return history is None or (history.since < inf and not any(swap.urgent for swap in swaps))


def restores(policy: GroupsPolicy) -> Decider:
    """The decider that asks who set the desired capacity, and sets it to what they asked for."""

    def decide(world: World, event: Event) -> Decision:
        asked = (s for s in focus(world, event) if s in world.surprises) if world.surprises else ()
        return Decision.joined(_considered(world, world.groups.get(s), event, policy) for s in asked)

    return decide


def _considered(world: World, group: Group | None, event: Event, policy: GroupsPolicy) -> Decision:
    if group is None:
        return NOTHING
    if isinstance(event, Done) and event.key == _key(group.id):
        return _explained(world, group)
    if not isinstance(event, GroupObserved) or event.history is None:
        return _asking(world, group)
    too_early = world.sights.seen.get(group.id) != event.as_of
    swaps = world.undertakings_of(group.id)
    wish = None if too_early else wish_of(swaps, world, group, event.history)
    if wish is not None and wish > group.desired:
        return _restoring(group, wish)
    unanswered = wish is None and not _explain_it(swaps)
    if too_early or (unanswered and is_open_question(swaps, world, group.id, event.history)):
        return Decision(wakes=(WakeAt(time=next_beat(world.time, policy.look_seconds), subject=group.id),))
    return _explained(world, group)


def _explain_it(swaps: Iterable[Swap]) -> bool:
    """Do the open swaps know by now what was behind it, be it deeds of ours whose answers were lost?"""
    every = list(swaps)
    return bool(every) and not any(swap.unexplained for swap in every)


def _asking(world: World, group: Group) -> Decision:
    if not is_open_question((), world, group.id, None) and _key(group.id) not in world.wishes:
        return _explained(world, group)
    health = bool(world.undertakings_of(group.id)) and bool(group.target_groups or group.load_balancers)
    question = ObserveGroup(region=group.region, group=group.name, health=health, history=True)
    return Decision(wishes=(Wish(action=question, reason="who set its desired capacity, and to what?"),))


def _explained(world: World, group: Group) -> Decision:
    """Swaps that have waited for the answer go on."""
    wake = WakeAt(time=world.time, subject=group.id)
    return Decision(explained=(group.id,), withdrawn=(_key(group.id),), wakes=(wake,))


def _restoring(group: Group, wish: int) -> Decision:
    deed = RestoreDesired(
        region=group.region, group=group.name, key=_key(group.id), desired=wish, expected=group.desired
    )
    reason = f"its owner asked for {wish}, and members that were leaving then took it to {group.desired}"
    return Decision(wishes=(Wish(action=deed, reason=reason),))


def _key(subject: GroupId) -> str:
    return f"restore desired capacity of {subject}"
