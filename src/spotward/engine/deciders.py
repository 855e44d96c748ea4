"""The table of contents of the thinking: who is asked, in which order, and which guards have the last word.

Order matters in five places. Open swaps are carried on before a new one may begin in the same group; they learn what
somebody else made of a desired capacity before it is set back; incidents of nodes
come after them, because a successor that serves is what a drain may wait for (the other way, a swap that waits for a
drain is woken when it is done); a rescue comes before what somebody ordered, and that before a saving, because
capacity comes before money; and what was borrowed of a group is given back last, when it is certain that no swap needs
it any more.
"""

from collections.abc import Sequence

from spotward.engine.node_deciders import NO_CLUSTER, node_guards
from spotward.groups.guard import capacity_guard, member_guard, note_guard, room_guard, scope_guard
from spotward.groups.loan import returns
from spotward.groups.orders import ordered_swaps
from spotward.groups.owners_wish import restores
from spotward.groups.policy import GroupsPolicy
from spotward.groups.replace import replacements
from spotward.groups.rescue import rescues
from spotward.groups.survey import surveys
from spotward.groups.swap import swaps
from spotward.model.decision import Decider, Guard
from spotward.nodes.incidents import incidents
from spotward.nodes.policy import NodesPolicy


def deciders(policy: GroupsPolicy, nodes: NodesPolicy = NO_CLUSTER) -> Sequence[Decider]:
    """Every decider, in the order in which it is asked."""
    return (
        surveys(policy),
        swaps(policy),
        restores(policy),
        incidents(nodes),
        rescues(policy),
        ordered_swaps(policy),
        replacements(policy),
        returns(),
    )


def guards(policy: GroupsPolicy, nodes: NodesPolicy = NO_CLUSTER) -> Sequence[Guard]:
    """Every guard; a wish must pass all of them."""
    return (scope_guard(policy), note_guard, room_guard, capacity_guard, member_guard, *node_guards(nodes))
