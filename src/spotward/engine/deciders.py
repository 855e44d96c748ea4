"""The table of contents of the thinking: who is asked, in which order, and which guards have the last word.

Order matters in three places. Open swaps are carried on before a new one may begin in the same group; a rescue comes
before a saving, because capacity comes before money; and what was borrowed of a group is given back last, when it is
certain that no swap needs it any more.
"""

from collections.abc import Sequence

from spotward.groups.guard import capacity_guard, member_guard, note_guard, room_guard, scope_guard
from spotward.groups.loan import returns
from spotward.groups.policy import GroupsPolicy
from spotward.groups.replace import replacements
from spotward.groups.rescue import rescues
from spotward.groups.survey import surveys
from spotward.groups.swap import swaps
from spotward.model.decision import Decider, Guard


def deciders(policy: GroupsPolicy) -> Sequence[Decider]:
    """Every decider, in the order in which it is asked."""
    return (
        surveys(policy),
        swaps(policy),
        rescues(policy),
        replacements(policy),
        returns(),
    )


def guards(policy: GroupsPolicy) -> Sequence[Guard]:
    """Every guard; a wish must pass all of them."""
    return (scope_guard(policy), note_guard, room_guard, capacity_guard, member_guard)
