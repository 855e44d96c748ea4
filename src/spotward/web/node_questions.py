"""What is asked of the World about nodes: by the daemon's exporter and, in fewer words, by an agent's.

Nodes and instances have no names here, as nothing has in a label that can grow without end.
"""

from collections import Counter
from collections.abc import Iterable

from spotward.model.cluster import Node
from spotward.model.incident import Fate
from spotward.model.world import World
from spotward.web.tallies.drains import NODE_CAUSES, POD_ENDS, Drains

Answer = Iterable[tuple[tuple[str, ...], float]]

NODE_STATES = ("ready", "not-ready", "cordoned")
"""Of a node: it takes pods; its kubelet is silent or unwell; it is cordoned, by whomever."""


def nodes(world: World) -> Answer:
    """By state."""
    counts = Counter(_state(node) for node in world.cluster.nodes.values())
    return [((state,), counts[state]) for state in NODE_STATES]


def _state(node: Node) -> str:
    if node.unschedulable:
        return "cordoned"
    return "ready" if node.ready else "not-ready"


def tagged_instances(world: World, cluster: str) -> int:
    """Instances that are known and carry the cluster's tag; where it has no name, any cluster's."""
    tags = (each.cluster for each in world.instances.values() if each.state == "running")
    return sum(tag == cluster if cluster else tag is not None for tag in tags)


def tagged_nodes(world: World, cluster: str) -> int:
    """Those of them that are nodes of the cluster."""
    here = (each for each in world.instances.values() if each.state == "running" and each.id in world.cluster.node_of)
    return sum(each.cluster == cluster if cluster else each.cluster is not None for each in here)


def open_incidents(world: World) -> Answer:
    """By cause; one incident may have several."""
    counts = Counter(cause.value for one in world.incidents.by_instance.values() for cause in one.causes)
    return [((cause,), counts[cause]) for cause in NODE_CAUSES]


def pods_held(world: World) -> int:
    """Pods that a disruption budget, or something else that may change, keeps on a node that is being emptied."""
    return sum(record.fate is Fate.BLOCKED for one in world.incidents.by_instance.values() for record in one.pods)


def drain_deadline(world: World, time: float) -> Answer:
    """Seconds that are left to the node that goes first, of those that are being emptied; nothing where none is."""
    draining = (one for one in world.incidents.by_instance.values() if one.draining)
    left = [one.deadline - time for one in draining if one.deadline is not None]
    return [((), max(0.0, min(left)))] if left else []


def nodes_drained(drains: Drains) -> Answer:
    """By cause, 0 included."""
    return [((cause,), drains.nodes.get(cause, 0)) for cause in NODE_CAUSES]


def pods_gone(drains: Drains) -> Answer:
    """By how they went, 0 included."""
    return [((how,), drains.pods.get(how, 0)) for how in POD_ENDS]
