"""How it stands with the node that takes the place of one that goes.

The successor is launched by the room of groups; the two rooms meet only in facts. A swap that is open and counts the
instance among its olds is its replacement under way; it is ready when a new instance of that swap serves in its group
and is a node that is ready. New instances stand for the olds in their order, so that none is counted twice.
"""

from spotward.model.incident import Incident, Replacement
from spotward.model.undertaking import CloneState, Swap
from spotward.model.world import World


def swap_of(world: World, instance_id: str) -> Swap | None:
    """The open swap that replaces an instance, or None."""
    group = world.group_of.get(instance_id)
    swaps = world.undertakings_of(group) if group is not None else ()
    return next((swap for swap in swaps if any(old.id == instance_id for old in swap.olds)), None)


def is_ready(world: World, swap: Swap, instance_id: str) -> bool:
    """Does a node stand ready for this old one?"""
    ready = sum(_stands_ready(world, clone.id) for clone in swap.clones if clone.state is CloneState.SERVING)
    rank = next((n for n, old in enumerate(swap.olds) if old.id == instance_id), len(swap.olds))
    return ready > rank


def _stands_ready(world: World, instance_id: str) -> bool:
    node = world.cluster.node_for(instance_id)
    return node is not None and node.ready and not node.unschedulable


def replacement(world: World, incident: Incident) -> Replacement:
    """How it stands now. Once ready it stays so: the drain that was begun on it goes on."""
    if incident.replacement is Replacement.READY:
        return Replacement.READY
    swap = swap_of(world, incident.instance_id)
    return Replacement.READY if swap is not None and is_ready(world, swap, incident.instance_id) else Replacement.WANTED
