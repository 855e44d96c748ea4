"""What a swap borrows of its group, and how it is given back.

A swap may need room (a higher max size) and rest (AZRebalance suspended, because a batch leaves the zones uneven for
a minute). Before either is changed the owner's values are written on the group as tags, so that AWS alone tells how
to put them back; they are given back when no swap of the group is open any more. Giving back looks only at the group,
so it works as well for a loan that a lost process took. A value that its owner changed in the meantime is the
owner's: it stays.
"""

from spotward.groups.focus import focus
from spotward.groups.policy import TAG_OWNER_MAX, TAG_SUSPENDED
from spotward.model.action import Action, ResumeProcesses, SetMaxSize, SuspendProcesses, TagGroup, UntagGroup
from spotward.model.cloud import Group
from spotward.model.decision import NOTHING, Decider, Decision, Wish
from spotward.model.event import Event
from spotward.model.undertaking import CloneState, Swap
from spotward.model.world import World


def borrowing(swap: Swap, group: Group) -> tuple[Wish, ...]:
    """What must still be done to the group before the swap's new instances can join; empty when nothing."""
    if not _joining(swap):
        return ()
    need = max(group.max_size, group.desired + _joining(swap))
    rest = frozenset(swap.suspend) - group.suspended
    notes = _notes(group, need, rest)
    if notes:
        deed: Action = TagGroup(region=swap.region, group=swap.group, key=f"{swap.key} note {need}", tags=notes)
        return (Wish(action=deed, reason="what its owner had is written down before it is changed"),)
    wishes = []
    if need > group.max_size:
        deed = SetMaxSize(region=swap.region, group=swap.group, key=f"{swap.key} room {need}", max_size=need)
        wishes.append(Wish(action=deed, reason=f"the new instances need room: {group.max_size} → {need}"))
    if rest:
        deed = SuspendProcesses(
            region=swap.region, group=swap.group, key=f"{swap.key} rest", processes=tuple(sorted(rest))
        )
        wishes.append(Wish(action=deed, reason="a batch leaves the zones uneven for a moment"))
    return tuple(wishes)


def _joining(swap: Swap) -> int:
    coming = sum(launch.count for launch in swap.launches if not launch.answered)
    return coming + sum(c.state in (CloneState.LAUNCHED, CloneState.RUNNING) for c in swap.clones)


def _notes(group: Group, need: int, rest: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """Tags to be written first: `10/17` says that the owner had 10 and that we set 17."""
    notes = []
    if need > group.max_size:
        loan = max_size_loan(group)
        owner = loan[0] if loan else group.max_size
        if loan != (owner, need):
            notes.append((TAG_OWNER_MAX, f"{owner}/{need}"))
    ours = suspended_by_us(group) | rest
    if rest and ours != suspended_by_us(group):
        notes.append((TAG_SUSPENDED, " ".join(sorted(ours))))
    return tuple(notes)


def max_size_loan(group: Group) -> tuple[int, int] | None:
    """(the owner's max size, the one we set), or None when none is borrowed."""
    owner, slash, ours = group.tags.get(TAG_OWNER_MAX, "").partition("/")
    if not slash or not owner.isdigit() or not ours.isdigit():
        return None
    return int(owner), int(ours)


def suspended_by_us(group: Group) -> frozenset[str]:
    """The processes that we suspended."""
    return frozenset(group.tags.get(TAG_SUSPENDED, "").split())


def returns() -> Decider:
    """The decider that gives back what no open swap needs."""

    def decide(world: World, event: Event) -> Decision:
        return Decision.joined(_returned(world, world.groups.get(subject)) for subject in focus(world, event))

    return decide


def _returned(world: World, group: Group | None) -> Decision:
    if group is None or group.status is not None or world.undertakings_of(group.id):
        return NOTHING
    tags = [tag for tag in (TAG_OWNER_MAX, TAG_SUSPENDED) if tag in group.tags]
    if not tags:
        return NOTHING
    wishes = _giving_back(group)
    if not wishes:
        deed = UntagGroup(region=group.region, group=group.name, key=f"return {group.id} notes", names=tuple(tags))
        wishes = (Wish(action=deed, reason="all is as its owner had it"),)
    return Decision(wishes=wishes)


def _giving_back(group: Group) -> tuple[Wish, ...]:
    wishes = []
    loan = max_size_loan(group)
    if loan is not None and group.max_size == loan[1]:
        owner = loan[0]
        deed: Action = SetMaxSize(
            region=group.region, group=group.name, key=f"return {group.id} max {owner}", max_size=owner
        )
        wishes.append(Wish(action=deed, reason=f"no swap is open: max size back to its owner's {owner}"))
    processes = suspended_by_us(group) & group.suspended
    if processes:
        deed = ResumeProcesses(
            region=group.region,
            group=group.name,
            key=f"return {group.id} processes",
            processes=tuple(sorted(processes)),
        )
        wishes.append(Wish(action=deed, reason="no swap is open: what we suspended runs again"))
    return tuple(wishes)
