"""What the cluster's facts mean for a member of a group: is it a node, may it be replaced, may it be terminated.

Who empties nodes is another room; here its facts are read. A node is terminated by us when its incident says that it is
empty, or when the deadline has passed at which somebody else takes the machine. What cannot be seen is taken for what
could be lost: while the cluster is out of sight nothing that is or may be a node is let go.
"""

from collections.abc import Sequence

from spotward.model.cloud import Group, Instance
from spotward.model.incident import Incident, Replacement
from spotward.model.undertaking import Swap
from spotward.model.units import moment
from spotward.model.world import Doom, World

JOINING_SECONDS = 600.0
"""For so long after its launch an instance may still be on its way into the cluster."""

NOT_JOINED = "has not joined the Kubernetes cluster yet"


def in_sight(world: World) -> bool:
    """Is the cluster seen, now?"""
    return world.cluster.seen and world.cluster.silent_since is None


def is_node(world: World, instance_id: str) -> bool:
    """Is it a node, by what the cluster shows or by its tags?"""
    instance = world.instances.get(instance_id)
    return world.cluster.node_for(instance_id) is not None or (instance is not None and instance.cluster is not None)


def of_nodes(world: World, group: Group) -> bool:
    """Are there nodes among the members?"""
    return any(is_node(world, member.instance_id) for member in group.members)


def is_ready(world: World, instance_id: str) -> bool:
    """Is its node ready, and open for pods?"""
    node = world.cluster.node_for(instance_id)
    return node is not None and node.ready and not node.unschedulable


# ---- may it be terminated? -----------------------------------------------------------------------------------------


def must_be_emptied(swap: Swap, world: World, instance_id: str) -> bool:
    """Is it, or may it be, a node with something on it?"""
    if _is_free(world, instance_id):
        return False
    if world.cluster.node_for(instance_id) is not None:
        return True
    return swap.of_nodes and not in_sight(world)


def _is_free(world: World, instance_id: str) -> bool:
    """Is nothing on it any more that could be moved, or is its time over?"""
    incident, doom = world.incidents.get(instance_id), world.dooms.get(instance_id)
    deadlines = [each.deadline for each in (incident, doom) if each is not None and each.deadline is not None]
    over = any(world.time >= deadline for deadline in deadlines)
    return over or (incident is not None and (incident.drained or incident.off_time is not None))


# ---- may it be replaced? -------------------------------------------------------------------------------------------


def why_not_replaced(world: World, instance: Instance, *, awaited: bool, among_nodes: bool) -> str | None:
    """Why a member that nothing forces out is not replaced, as far as the cluster goes; in words, or None.

    awaited: a cluster is looked after, whether it was seen yet or not. among_nodes: there are nodes in its group.
    """
    cluster = world.cluster
    if not (awaited or cluster.heard_of):
        return _stranger(instance)
    if not cluster.seen:
        return "is or may be a node of the Kubernetes cluster, which was not seen yet"
    node = cluster.node_for(instance.id)
    if node is not None and cluster.silent_since is None:
        return None
    if cluster.silent_since is not None and (
        among_nodes or instance.launch_time > cluster.silent_since - JOINING_SECONDS
    ):
        return (
            f"is or may be a node of the Kubernetes cluster, which is out of sight since {moment(cluster.silent_since)}"
        )
    if node is not None or not among_nodes:
        return None
    if world.time < instance.launch_time + JOINING_SECONDS:
        return NOT_JOINED
    if instance.cluster is not None:
        return (
            f"is a node of the Kubernetes cluster {instance.cluster} by its tags, and of the one seen here it is none"
        )
    return "is no node, though others of its group are: see why it did not join the Kubernetes cluster"


def _stranger(instance: Instance) -> str | None:
    if instance.cluster is None:
        return None
    return (
        f"is a node of the Kubernetes cluster {instance.cluster}: its pods must be drained first, "
        "and no cluster is looked after (kubernetes.enabled)"
    )


def why_not_rescued(world: World, instance: Instance, doom: Doom, *, awaited: bool, among_nodes: bool) -> str | None:
    """The same for a member that EC2 takes, or advises to leave.

    One that is taken is replaced whatever is known of its node: launching harms nobody. On advice alone it is the
    settings of nodes that say how far to go: their incident asks for a replacement, or it does not.
    """
    if doom.deadline is not None:
        return None if awaited or world.cluster.heard_of else _stranger(instance)
    reason = why_not_replaced(world, instance, awaited=awaited, among_nodes=among_nodes)
    if reason is not None or world.cluster.node_for(instance.id) is None:
        return reason
    incident = world.incidents.get(instance.id)
    if incident is not None and _asks_for_a_successor(incident):
        return None
    return "EC2 advises to move off it; the settings of nodes ask for no replacement now (nodes.rebalance)"


def _asks_for_a_successor(incident: Incident) -> bool:
    """Does it wait for one, or is it being emptied already?"""
    return incident.replacement is not Replacement.NONE or incident.begun_time is not None


# ---- in words ------------------------------------------------------------------------------------------------------


def what_holds(incident: Incident | None) -> Sequence[str]:
    """What is in the way of a node's becoming empty."""
    if incident is None or incident.begun_time is None:
        return ("it was not its turn",)
    pods = [f"{pod.id}: {pod.reason}" if pod.reason else pod.id for pod in incident.pods if pod.open]
    return pods or ("its volumes are still attached",)
