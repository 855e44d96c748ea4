"""Where an event says to look: the instances whose incidents a decision must be made about again."""

from collections.abc import Iterable

from spotward.model.cloud import group_id
from spotward.model.cluster import Budget
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
    MaintenanceEnded,
    MaintenanceScheduled,
    NoticeWithdrawn,
    PoolsRecommended,
    RebalanceAdvised,
    RegionObserved,
    Restarted,
    TargetStateChanged,
    Woken,
)
from spotward.model.incidents import urgency
from spotward.model.node_event import (
    AttachmentsSeen,
    BudgetsSeen,
    LifecycleHooked,
    NodeMarked,
    NodesSeen,
    PodsAnswered,
    PodsSeen,
    TargetsSeen,
    WorkloadSeen,
)
from spotward.model.order import Ordered
from spotward.model.world import World
from spotward.nodes.successor import turned

NEWS = (
    InstanceLaunched,
    InstanceGone,
    InstanceFound,
    InterruptionNoticed,
    RebalanceAdvised,
    NoticeWithdrawn,
    MaintenanceScheduled,
    MaintenanceEnded,
    TargetStateChanged,
    LifecycleHooked,
)
"""Events about one instance, from outside the cluster."""


def focus(world: World, event: Event) -> tuple[str, ...]:
    """Ids of instances, each once, whose incident (if one is open) must be thought about, the most urgent first."""
    incidents = [incident for i in concerned(world, event) if (incident := world.incidents.get(i)) is not None]
    return tuple(incident.instance_id for incident in sorted(incidents, key=urgency))


def concerned(world: World, event: Event) -> tuple[str, ...]:
    """Ids of all instances that the event has to do with, each once, whether they have an incident or not."""
    return tuple(dict.fromkeys(_named(world, event)))


def _named(world: World, event: Event) -> Iterable[str]:
    match event:
        case Restarted():
            return world.incidents.by_instance.keys()
        case PodsSeen() | NodeMarked() | PodsAnswered() | WorkloadSeen() | TargetsSeen():
            return (event.instance_id,)
        case Ordered():
            return (event.wanted.subject,)
        case Done() | Failed() | Woken():
            return (event.subject, *_turned_in(world, event))
        case _ if isinstance(event, NEWS):
            return (event.instance_id, *_turned_in(world, event))
        case _:
            return (*_in_cluster(world, event), *_turned_in(world, event))


def _turned_in(world: World, event: Event) -> Iterable[str]:
    return (i for group in groups_concerned(world, event) for i in turned(world, group))


def groups_concerned(world: World, event: Event) -> tuple[str, ...]:
    """Ids of groups whose swaps the event has to do with, each once."""
    return tuple(dict.fromkeys(_groups(world, event)))


def _groups(world: World, event: Event) -> Iterable[str]:
    match event:
        case Done() | Failed() | Woken():
            return (event.subject,)
        case GroupObserved() | InstancesObserved() | PoolsRecommended():
            return (event.group_id,)
        case FleetAnswered():
            return (group_id(event.region, event.group_name),)
        case RegionObserved():
            return (group.id for group in event.groups)
        case NodesSeen() if event.whole or not (event.nodes or event.gone):
            return world.swaps.groups()
        case NodesSeen():
            here = (node.instance_id for node in event.nodes if node.instance_id is not None)
            return (group for i in here for group in _groups_of(world, i))
        case _ if isinstance(event, NEWS):
            return _groups_of(world, event.instance_id)
        case _:
            return ()


def _groups_of(world: World, instance_id: str) -> Iterable[str]:
    """Those that an instance is a member of, or was launched for."""
    swap, group = world.swaps.of_clone(instance_id), world.group_of.get(instance_id)
    return (each for each in (swap.group_id if swap is not None else None, group) if each is not None)


def _in_cluster(world: World, event: Event) -> Iterable[str]:
    match event:
        case NodesSeen(whole=True) | BudgetsSeen(whole=True) | AttachmentsSeen(whole=True):
            return world.incidents.by_instance.keys()
        case NodesSeen():
            named = (*event.gone, *(node.name for node in event.nodes if node.instance_id is None))
            mine = (world.incidents.instance_of.get(name) for name in named)
            here = [node.instance_id for node in event.nodes if node.instance_id is not None]
            return (*(each for each in mine if each is not None), *here)
        case BudgetsSeen():
            freed = (i for name in event.gone for i in world.incidents.waiting.get(name, ()))
            return (*freed, *(i for budget in event.budgets for i in _may_go(world, budget)))
        case AttachmentsSeen():
            nodes = (each.node for each in (*event.attachments, *event.gone))
            return tuple(i for n in nodes if (i := world.incidents.instance_of.get(n)) is not None)
        case _:
            return ()


def _may_go(world: World, budget: Budget) -> Iterable[str]:
    """The most urgent of those that wait for a budget, as far as what it allows reaches: the others wait on."""
    waiting = world.incidents.waiting.get(budget.id, ()) if budget.disruptions_allowed > 0 else ()
    left = budget.disruptions_allowed
    incidents = (world.incidents.get(instance_id) for instance_id in waiting)
    for incident in sorted((i for i in incidents if i is not None), key=urgency):
        if left <= 0:
            return
        left -= incident.held_pods[budget.id]
        yield incident.instance_id
