"""How it stands with the node that takes the place of one that goes.

The successor is launched by the room of groups, and the two rooms meet only in facts. The swap says whom the group can
do without: a successor serves, and is a node that is ready. From then on the node may be emptied; when it is empty,
that stands on its incident, and the swap lets it go.
"""

from collections.abc import Iterable

from spotward.model.incident import Incident, Replacement
from spotward.model.undertaking import Swap
from spotward.model.world import World


def swap_letting_go(world: World, instance_id: str) -> Swap | None:
    """The open swap of its group that can do without a member, or None."""
    group = world.group_of.get(instance_id)
    swaps = world.undertakings_of(group) if group is not None else ()
    return next((swap for swap in swaps if swap.lets_go(instance_id)), None)


def stays(world: World, instance_id: str) -> bool:
    """Is it a member like any other, whom no swap lets go and nobody has asked to leave?"""
    group = world.groups.get(world.group_of.get(instance_id, ""))
    member = group.member(instance_id) if group is not None else None
    return member is not None and not member.leaving and swap_letting_go(world, instance_id) is None


def replacement(world: World, incident: Incident) -> Replacement:
    """How it stands now. Once ready it stays so for one that leaves, but not when its group keeps it after all."""
    if swap_letting_go(world, incident.instance_id) is not None:
        return Replacement.READY
    was_ready = incident.replacement is Replacement.READY
    return Replacement.READY if was_ready and not stays(world, incident.instance_id) else Replacement.WANTED


def turned(world: World, group: str) -> Iterable[str]:
    """Instances about which the swaps of a group have just changed their mind: they may go, or they stay after all."""
    for swap in world.undertakings_of(group):
        leaving = {each.id for each in swap.emptying}
        known = (*(old.id for old in swap.olds), *(clone.id for clone in swap.clones))
        for instance_id in dict.fromkeys((*leaving, *known)):
            incident = world.incidents.get(instance_id)
            ready = incident is not None and incident.replacement is Replacement.READY
            if ready != (instance_id in leaving):
                yield instance_id
