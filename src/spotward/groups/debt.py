"""By how much a group's desired capacity stands above its owner's because of us, and who has paid.

Attaching an instance raises the desired capacity and retiring a member lowers it; a swap's `owed` is its part of the
difference. Deeds whose answer was lost are recognised by what a sight of the group shows.

When somebody else changes the desired capacity meanwhile its scaling activities are asked what they set it to, and what
stands above that is owed (`owners_wish`). Until that is known nobody is sent away. Where it does not come out, what
stands there is taken for what they want, and nothing is owed any more: capacity first. The other reading would make 14
of the 16 that an owner asked for; this one may leave a group a few too large until its owner's next change. For the
same reason no debt reaches below the owner's minimum, and a step of a scaling policy is read as the value it led to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from spotward.model.cloud import Group
from spotward.model.undertaking import Swap


@dataclass(frozen=True, kw_only=True, slots=True)
class Unheard:
    """Deeds of one swap whose outcome was never heard, as far as a sight of the group tells."""

    joined: int = 0
    """New instances that are members, though their attaching was not acknowledged."""
    left: tuple[str, ...] = ()
    """Members that are gone or going, and of which it was asked; perhaps by other hands."""


def settled(
    swaps: Sequence[Swap], group: Group, unheard: Mapping[str, Unheard], *, wish: int | None, open_question: bool
) -> tuple[Swap, ...]:
    """All open swaps of a group, their debts brought forward to the desired capacity that was seen.

    unheard: key of a swap → its deeds. One reckoning for all of them: what one did must not look to another as if the
    owner had done it. wish: what the owner asked for, where that was found out. open_question: it may still be.
    """
    change = group.desired - swaps[0].desired_seen - sum(each.joined for each in unheard.values())
    brought: list[Swap] = []
    for swap in swaps:
        deeds = unheard[swap.key]
        paid = min(len(deeds.left), max(0, -change))
        change += paid
        retired = swap.retired + deeds.left[:paid]
        owed = max(0, swap.owed + deeds.joined - paid)
        brought.append(replace(swap, owed=owed, desired_seen=group.desired, unexplained=0, retired=retired))
    if change and wish is None and open_question:
        brought = [replace(swap, desired_seen=group.desired - change, unexplained=change) for swap in brought]
    elif change or wish is not None:
        stands = group.desired if wish is None else wish
        brought = _owing_at_most(_with_news(brought, stands), group.desired - stands)
    return tuple(_owing_at_most(brought, group.desired - group.min_size))


def _with_news(swaps: Sequence[Swap], desired: int) -> list[Swap]:
    words = f"its desired capacity was set to {desired} by others"
    return [
        replace(swap, trouble=(*swap.trouble, words)) if swap.owed and words not in swap.trouble else swap
        for swap in swaps
    ]


def _owing_at_most(swaps: Sequence[Swap], most: int) -> list[Swap]:
    """With debts cut down to so many altogether."""
    spare = max(0, most)
    allowed: list[Swap] = []
    for swap in swaps:
        owed = min(swap.owed, spare)
        spare -= owed
        allowed.append(replace(swap, owed=owed))
    return allowed
