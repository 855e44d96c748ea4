"""The last look before a deed: each guard admits a wish, or refuses it in words.

Deciders may err; guards hold the laws.
"""

from spotward.groups.loan import max_size_loan, suspended_by_us
from spotward.groups.policy import GroupsPolicy
from spotward.groups.scope import in_scope, why_not
from spotward.model.action import (
    AttachInstances,
    LaunchFleet,
    RestoreDesired,
    RetireMember,
    SetMaxSize,
    SuspendProcesses,
    TerminateInstances,
)
from spotward.model.decision import Guard, Wish
from spotward.model.units import listed
from spotward.model.world import World


def scope_guard(policy: GroupsPolicy) -> Guard:
    """No deed on a group that is not opted in. What was begun while it was may be finished, but nothing launched."""

    def admits(world: World, wish: Wish) -> str | None:
        action = wish.action
        group = world.groups.get(action.subject)
        if not action.mutates or group is None or in_scope(group, policy):
            return None
        begun = world.undertakings_of(group.id) or max_size_loan(group) or suspended_by_us(group)
        if begun and not isinstance(action, LaunchFleet):
            return None
        return why_not(group, policy)

    return admits


def capacity_guard(world: World, wish: Wish) -> str | None:
    """No member leaves when its group would then want fewer than its owner's minimum; none is asked to want fewer."""
    action = wish.action
    group = world.groups.get(action.subject)
    if group is None:
        return None
    if isinstance(action, RestoreDesired) and not group.desired < action.desired <= group.max_size:
        return f"{group.name} wants {group.desired} of at most {group.max_size}: it is not set to {action.desired}"
    if isinstance(action, RetireMember) and group.desired - 1 < group.min_size:
        return f"{group.name} wants {group.desired} and its minimum is {group.min_size}: no member may leave"
    return None


def note_guard(world: World, wish: Wish) -> str | None:
    """Nothing of the owner's is changed before the owner's value stands on the group as a tag."""
    action = wish.action
    group = world.groups.get(action.subject)
    if group is None:
        return None
    if isinstance(action, SetMaxSize):
        loan = max_size_loan(group)
        if loan is None or action.max_size not in (loan.owner, *loan.ours):
            return f"the owner's max size of {group.name} is not written down yet"
    if isinstance(action, SuspendProcesses) and not frozenset(action.processes) <= suspended_by_us(group):
        return f"the owner's processes of {group.name} are not written down yet"
    return None


def room_guard(world: World, wish: Wish) -> str | None:
    """Nothing is attached beyond the group's max size: AWS would refuse it, and the owner did."""
    action = wish.action
    group = world.groups.get(action.subject)
    if not isinstance(action, AttachInstances) or group is None:
        return None
    if group.desired + len(action.instance_ids) > group.max_size:
        more = len(action.instance_ids)
        return f"{group.name} wants {group.desired} of at most {group.max_size}: no room for {more} more"
    return None


def member_guard(world: World, wish: Wish) -> str | None:
    """Nothing that serves in a living group is terminated past its group."""
    action = wish.action
    if not isinstance(action, TerminateInstances):
        return None
    inside = [i for i in action.instance_ids if _serves(world, i)]
    return f"{listed(inside, most=3)} serves in its group" if inside else None


def _serves(world: World, instance_id: str) -> bool:
    group = world.groups.get(world.group_of.get(instance_id, ""))
    if group is None or group.status is not None:
        return False
    member = group.member(instance_id)
    return member is not None and member.serving and instance_id not in world.unhealthy.get(group.id, frozenset())
