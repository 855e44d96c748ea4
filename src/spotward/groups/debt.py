"""By how much a group's desired capacity stands above its owner's because of us, and who has paid.

Attaching an instance raises the desired capacity and retiring a member lowers it; a swap's `owed` is its part of the
difference. Deeds whose answer was lost are recognised by what a sight of the group shows.

When somebody else changes the desired capacity meanwhile there are two readings: a new absolute value (a person, a
template, target tracking), or a step up or down from what stood there (a step policy). AWS does not tell which.
Capacity first: what stands there after a change of theirs is taken for what they want, and nothing is owed any more.
The other reading would make 14 of the 16 that an owner asked for; this one leaves a group that took a step a few too
large until its owner's next change. For the same reason no debt reaches below the owner's minimum.
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


def settled(swaps: Sequence[Swap], group: Group, unheard: Mapping[str, Unheard]) -> tuple[Swap, ...]:
    """All open swaps of a group, their debts brought forward to the desired capacity that was seen.

    unheard: key of a swap → its deeds. One reckoning for all of them: what one did must not look to another as if the
    owner had done it.
    """
    change = group.desired - swaps[0].desired_seen - sum(each.joined for each in unheard.values())
    brought: list[Swap] = []
    for swap in swaps:
        deeds = unheard[swap.key]
        paid = min(len(deeds.left), max(0, -change))
        change += paid
        retired = swap.retired + deeds.left[:paid]
        owed = max(0, swap.owed + deeds.joined - paid)
        brought.append(replace(swap, owed=owed, desired_seen=group.desired, retired=retired))
    if change:
        words = f"its desired capacity was set to {group.desired} by others"
        brought = [_released(swap, words) for swap in brought]
    return _above_the_minimum(brought, group)


def _released(swap: Swap, words: str) -> Swap:
    trouble = swap.trouble if words in swap.trouble or not swap.owed else (*swap.trouble, words)
    return replace(swap, owed=0, trouble=trouble)


def _above_the_minimum(swaps: Sequence[Swap], group: Group) -> tuple[Swap, ...]:
    spare = max(0, group.desired - group.min_size)
    allowed: list[Swap] = []
    for swap in swaps:
        owed = min(swap.owed, spare)
        spare -= owed
        allowed.append(replace(swap, owed=owed))
    return tuple(allowed)
