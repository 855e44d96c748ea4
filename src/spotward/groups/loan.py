"""What a swap borrows of its group, and how it is given back.

A swap may need room (a higher max size) and rest (AZRebalance suspended, because a batch leaves the zones uneven for
a minute). Before either is changed the owner's values are written on the group as tags, so that AWS alone tells how
to put them back; they are given back when no swap of the group is open any more. Giving back looks only at the group,
so it works as well for a loan that a lost process took. A value that its owner changed in the meantime is the
owner's: it stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from spotward.groups.focus import focus
from spotward.groups.policy import TAG_OWNER_MAX, TAG_SUSPENDED
from spotward.model.action import (
    Action,
    ObserveGroup,
    ResumeProcesses,
    SetMaxSize,
    SuspendProcesses,
    TagGroup,
    UntagGroup,
)
from spotward.model.cloud import Group, GroupId
from spotward.model.decision import NOTHING, Decider, Decision, Wish
from spotward.model.event import Event
from spotward.model.undertaking import CloneState, Swap
from spotward.model.world import World


@dataclass(frozen=True, kw_only=True, slots=True)
class MaxSizeLoan:
    """What the tag `spotward:owner-max-size` says: `10/13` is "the owner's 10, and we set 13".

    `10/13/15`: we have set 13, and are about to set 15. Should we be killed in between, either is known for ours.
    """

    owner: int
    ours: tuple[int, ...]

    @property
    def text(self) -> str:
        """The tag's value."""
        return "/".join(str(size) for size in (self.owner, *self.ours))


def max_size_loan(group: Group) -> MaxSizeLoan | None:
    """The loan that stands on the group, or None when none does or it cannot be read."""
    sizes = group.tags.get(TAG_OWNER_MAX, "").split("/")
    if len(sizes) < 2 or not all(size.isascii() and size.isdigit() for size in sizes):
        return None
    owner, *ours = (int(size) for size in sizes)
    return MaxSizeLoan(owner=owner, ours=tuple(ours))


def suspended_by_us(group: Group) -> frozenset[str]:
    """The processes that we suspended."""
    return frozenset(group.tags.get(TAG_SUSPENDED, "").split())


def is_loan_key(key: str, subject: GroupId) -> bool:
    """Is it the key of a deed that borrows from the group or gives back?"""
    return key.startswith((_loan_key(subject, ""), _return_key(subject, "")))


def is_borrowing_key(key: str, subject: GroupId) -> bool:
    """Is it the key of a deed that borrows? What has failed of that is moot when no swap is open."""
    return key.startswith(_loan_key(subject, ""))


def _loan_key(subject: GroupId, what: str) -> str:
    """It names no amount: while one is on its way no other is asked for, and the next one clears what failed."""
    return f"borrow of {subject}: {what}"


def _return_key(subject: GroupId, what: str) -> str:
    return f"return to {subject}: {what}"


def returning(world: World, subject: GroupId) -> bool:
    """Is something just being given back? Then nothing is borrowed on the strength of notes that are about to go."""
    return _under_way(world, subject, _return_key(subject, ""))


def borrowing_now(world: World, subject: GroupId) -> bool:
    """Is something just being borrowed? Then its note must not be changed until that stands."""
    return _under_way(world, subject, _loan_key(subject, ""))


def _under_way(world: World, subject: GroupId, beginning: str) -> bool:
    return any(key.startswith(beginning) and wish.state == "asked" for key, wish in world.wishes_about(subject))


# ---- borrowing -------------------------------------------------------------------------------------------------------


def borrowing(group: Group, swaps: Sequence[Swap]) -> tuple[Wish, ...]:
    """What must still be done to the group before the new instances of its open swaps can join; empty when nothing.

    Reckoned for all of them together: two swaps that each set a max size of their own could set it below what the other
    has joined by then, and AWS would lower the desired capacity with it.
    """
    more = sum(joining(swap) for swap in swaps)
    if not more:
        return ()
    need = max(group.max_size, group.desired + more)
    rest = frozenset(p for swap in swaps if joining(swap) for p in swap.suspend) - group.suspended
    notes = _notes(group, need, rest)
    if notes:
        key = _loan_key(group.id, "note")
        deed: Action = TagGroup(region=group.region, group=group.name, key=key, tags=notes)
        return (Wish(action=deed, reason="what its owner had is written down before it is changed"),)
    wishes = []
    now = group.max_size
    if need > now:
        key = _loan_key(group.id, "max size")
        deed = SetMaxSize(region=group.region, group=group.name, key=key, max_size=need, expected=now)
        wishes.append(Wish(action=deed, reason=f"the new instances need room: {now} → {need}"))
    if rest:
        processes = tuple(sorted(rest))
        key = _loan_key(group.id, "rest")
        deed = SuspendProcesses(region=group.region, group=group.name, key=key, processes=processes)
        wishes.append(Wish(action=deed, reason="a batch leaves the zones uneven for a moment"))
    return tuple(wishes)


def joining(swap: Swap) -> int:
    """How many of its new instances are still to join."""
    coming = sum(launch.count for launch in swap.launches if not launch.answered)
    return coming + sum(c.state in (CloneState.LAUNCHED, CloneState.RUNNING) for c in swap.clones)


def _notes(group: Group, need: int, rest: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """Tags to be written first."""
    notes = []
    if need > group.max_size:
        known = max_size_loan(group)
        wanted = _loan_of(group, known, need)
        if known != wanted:
            notes.append((TAG_OWNER_MAX, wanted.text))
    ours = suspended_by_us(group) | rest
    if rest and ours != suspended_by_us(group):
        notes.append((TAG_SUSPENDED, " ".join(sorted(ours))))
    return tuple(notes)


def _loan_of(group: Group, known: MaxSizeLoan | None, need: int) -> MaxSizeLoan:
    """What the note must say before the max size is set to `need`: all that we may have set by then is ours."""
    if known is None or group.max_size not in (known.owner, *known.ours):
        return MaxSizeLoan(owner=group.max_size, ours=(need,))
    if need in known.ours:
        return known
    return MaxSizeLoan(owner=known.owner, ours=(*(size for size in known.ours if size >= group.max_size), need))


# ---- giving back -----------------------------------------------------------------------------------------------------


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
    if borrowing_now(world, group.id):
        return NOTHING  # asked by a swap that ended since; its outcome comes
    wishes = _giving_back(group)
    failed = any((known := world.wishes.get(w.action.key)) is not None and known.state == "failed" for w in wishes)
    if (failed or not wishes) and not world.is_fresh(group.id):
        question = ObserveGroup(region=group.region, group=group.name)
        wishes = (Wish(action=question, reason="is all as its owner had it?"),)
    if not wishes:
        key = _return_key(group.id, "notes")
        deed = UntagGroup(region=group.region, group=group.name, key=key, names=tuple(tags))
        wishes = (Wish(action=deed, reason="all is as its owner had it"),)
    return Decision(wishes=wishes)


def _giving_back(group: Group) -> tuple[Wish, ...]:
    wishes = []
    loan, now = max_size_loan(group), group.max_size
    if loan is not None and now in loan.ours and now != loan.owner:
        key = _return_key(group.id, "max size")
        deed: Action = SetMaxSize(region=group.region, group=group.name, key=key, max_size=loan.owner, expected=now)
        wishes.append(Wish(action=deed, reason=f"no swap is open: max size back to its owner's {loan.owner}"))
    processes = tuple(sorted(suspended_by_us(group) & group.suspended))
    if processes:
        key = _return_key(group.id, "rest")
        deed = ResumeProcesses(region=group.region, group=group.name, key=key, processes=processes)
        wishes.append(Wish(action=deed, reason="no swap is open: what we suspended runs again"))
    return tuple(wishes)
