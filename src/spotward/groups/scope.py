"""Which groups are ours to touch. One filter, in one place, asked before anything else.

A group is in scope when its owner opted it in by a tag. There is no other way in: no default that matches everything,
no event that overrules it, no other mode. The same function filters observations, events, `plan` and `run`.
"""

from spotward.groups.policy import COMPAT_ENABLED, TAG_ENABLED, GroupsPolicy
from spotward.model.cloud import Group


def in_scope(group: Group, policy: GroupsPolicy) -> bool:
    """Did its owner opt it in?"""
    if TAG_ENABLED in group.tags:
        return group.tags[TAG_ENABLED].strip().lower() == "true"
    return policy.compat_autospotting and group.tags.get(COMPAT_ENABLED, "").strip().lower() == "true"


def why_not(group: Group, policy: GroupsPolicy) -> str:
    """Why a group that is not in scope is left alone, with the next step."""
    said = group.tags.get(TAG_ENABLED)
    if said is not None:
        return f"not opted in: its tag {TAG_ENABLED} says {said!r}; set it to `true` to opt in"
    if COMPAT_ENABLED in group.tags and not policy.compat_autospotting:
        return f"not opted in: it has AutoSpotting's tag {COMPAT_ENABLED}, which is read with compat.autospotting on"
    return f"not opted in: tag it {TAG_ENABLED}=true to opt in"
