"""Where an event says to look: the groups that a decision must be made about again."""

from spotward.model.cloud import GroupId, group_id
from spotward.model.event import (
    Done,
    Event,
    Failed,
    FleetAnswered,
    GroupObserved,
    InstanceFound,
    InstanceGone,
    InstanceLaunched,
    InstancesObserved,
    InterruptionNoticed,
    PoolsRecommended,
    RebalanceAdvised,
    RegionObserved,
    Restarted,
    Woken,
)
from spotward.model.node_event import NodesSeen
from spotward.model.world import World


def focus(world: World, event: Event) -> tuple[GroupId, ...]:
    """Ids of groups, each once. A group named here may be unknown (gone, or not seen yet)."""
    match event:
        case RegionObserved():
            gone = (group_id(event.region, name) for name in event.gone_groups)
            return tuple(dict.fromkeys([*(g.id for g in event.groups), *(g for g in gone if g not in world.groups)]))
        case GroupObserved() | InstancesObserved() | PoolsRecommended():
            return (event.group_id,)
        case FleetAnswered():
            return (group_id(event.region, event.group_name),)
        case Done() | Failed() | Woken():
            return (event.subject,)
        case InstanceLaunched() | InstanceGone() | InterruptionNoticed() | RebalanceAdvised():
            known = group_of(world, event)
            return (known,) if known else ()
        case InstanceFound():
            instance = event.instance
            return (group_id(event.region, instance.group),) if instance and instance.group else ()
        case Restarted():
            return tuple(world.swaps.groups())
        case NodesSeen():
            return _with_nodes(world, event)
        case _:
            return ()


def _with_nodes(world: World, event: NodesSeen) -> tuple[GroupId, ...]:
    """Groups whose swaps wait for one of these nodes; all of them when the cluster comes into sight."""
    if event.whole or not (event.nodes or event.gone):
        return tuple(sorted(world.groups))
    here = (node.instance_id for node in event.nodes if node.instance_id is not None)
    swaps = (swap for i in here if (swap := world.swaps.of_clone(i)) is not None)
    return tuple(dict.fromkeys(swap.group_id for swap in swaps))


def group_of(
    world: World, event: InstanceLaunched | InstanceGone | InterruptionNoticed | RebalanceAdvised
) -> GroupId | None:
    """The group that news of an instance is about, if it is known: by the event, by membership, or by an open swap."""
    if isinstance(event, InstanceLaunched | InstanceGone) and event.group is not None:
        return group_id(event.region, event.group)
    member = world.group_of.get(event.instance_id)
    if member is not None:
        return member
    swap = world.swaps.of_clone(event.instance_id)
    return swap.group_id if swap is not None else None
