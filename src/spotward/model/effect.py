"""What a deed of ours does to its group, known before the group is seen again.

AWS's answers are eventually consistent: a look that was begun before a deed was done, or soon after it, may not show
it. So an acknowledged deed is folded into what we know at once, and who came and went by it is remembered for as long
as a look may still contradict it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from spotward.model.action import (
    Action,
    AttachInstances,
    RestoreDesired,
    ResumeProcesses,
    RetireMember,
    SetMaxSize,
    SuspendProcesses,
    TagGroup,
    UntagGroup,
)
from spotward.model.cloud import Group

SETTLING_SECONDS = 60.0
"""For so long after a deed AWS may not show what it did: its answers are eventually consistent."""

GROUP_DEEDS = (
    AttachInstances,
    RetireMember,
    SetMaxSize,
    RestoreDesired,
    SuspendProcesses,
    ResumeProcesses,
    TagGroup,
    UntagGroup,
)
"""Deeds that change the group as AWS shows it. A launch and a termination are about instances outside it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Moves:
    """Who lately joined and left a group by acknowledged deeds of ours."""

    joined: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()

    def after(self, deed: Action) -> Moves:
        """With what one more deed did."""
        match deed:
            case AttachInstances():
                return replace(self, joined=self.joined + deed.instance_ids)
            case RetireMember():
                joined = tuple(i for i in self.joined if i != deed.instance_id)
                return Moves(joined=joined, retired=(*self.retired, deed.instance_id))
            case _:
                return self

    def are_missing_in(self, seen: Group) -> bool:
        """Does it lack a member that joined, or still count on one that left?"""
        left = (seen.member(instance_id) for instance_id in self.retired)
        return any(seen.member(i) is None for i in self.joined) or any(m is not None and not m.leaving for m in left)


def changed_by(group: Group, deed: Action) -> Group:
    """The group as it is once a deed on it was done; the very same object where the deed changes nothing of it."""
    match deed:
        case TagGroup():
            return replace(group, tags={**group.tags, **dict(deed.tags)})
        case UntagGroup():
            return replace(group, tags={k: v for k, v in group.tags.items() if k not in deed.names})
        case SetMaxSize():
            return replace(group, max_size=deed.max_size, desired=min(group.desired, deed.max_size))
        case RestoreDesired():
            return replace(group, desired=deed.desired)
        case SuspendProcesses():
            return replace(group, suspended=group.suspended | frozenset(deed.processes))
        case ResumeProcesses():
            return replace(group, suspended=group.suspended - frozenset(deed.processes))
        case AttachInstances():
            return replace(group, desired=group.desired + len(deed.instance_ids))
        case RetireMember():
            state = "Detaching" if deed.detach else "Terminating"
            members = tuple(
                replace(m, lifecycle_state=state) if m.instance_id == deed.instance_id else m for m in group.members
            )
            return replace(group, desired=group.desired - 1, members=members)
        case _:
            return group
