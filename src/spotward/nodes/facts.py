"""What is known of the machine behind a node, in the words of EC2's metadata service.

The cluster's own words come first, for they are there without asking AWS; what AWS said of the instance is surer where
both speak. What is not known is left out.
"""

from spotward.model.cloud import Lifecycle
from spotward.model.cluster import Node
from spotward.model.incident import Incident
from spotward.nodes.scene import Scene

TYPE_LABEL = "node.kubernetes.io/instance-type"
REGION_LABEL = "topology.kubernetes.io/region"

LIFE_CYCLES = {
    "karpenter.sh/capacity-type": {"spot": "spot", "on-demand": "on-demand"},
    "eks.amazonaws.com/capacityType": {"SPOT": "spot", "ON_DEMAND": "on-demand"},
    "node.kubernetes.io/lifecycle": {"spot": "spot", "normal": "on-demand", "on-demand": "on-demand"},
}
"""Labels by which those who launch nodes say how they are bought: Karpenter, EKS, and a widespread custom."""

ADDRESSES = {
    "local-hostname": ("InternalDNS", "Hostname"),
    "local-ipv4": ("InternalIP",),
    "public-hostname": ("ExternalDNS",),
    "public-ipv4": ("ExternalIP",),
}
"""Fact → the kinds of a node's address that tell it, the first that is there."""


def facts(incident: Incident, scene: Scene) -> dict[str, str]:
    """Name → value: `instance-id`, `availability-zone`, `local-ipv4`, ..."""
    node = scene.world.cluster.nodes.get(incident.node)
    said = {"instance-id": incident.instance_id, "region": incident.region}
    said |= _of_node(node) if node is not None else {}
    said |= _of_instance(incident, scene)
    return {name: value for name, value in sorted(said.items()) if value}


def _of_node(node: Node) -> dict[str, str]:
    labels, addresses = node.labels, dict(node.addresses)
    zone = node.az or node.provider_id.removeprefix("aws:///").partition("/")[0]
    told = {"availability-zone": zone, "instance-type": labels.get(TYPE_LABEL, "")}
    if REGION_LABEL in labels:
        told["region"] = labels[REGION_LABEL]
    told["instance-life-cycle"] = next(
        (words[labels[name]] for name, words in LIFE_CYCLES.items() if labels.get(name) in words), ""
    )
    for fact, kinds in ADDRESSES.items():
        told[fact] = next((addresses[kind] for kind in kinds if addresses.get(kind)), "")
    return told


def _of_instance(incident: Incident, scene: Scene) -> dict[str, str]:
    instance = scene.world.instances.get(incident.instance_id)
    if instance is None:
        return {}
    known = {"availability-zone": instance.az, "instance-type": instance.instance_type, "region": instance.region}
    bought = instance.lifecycle
    return known if bought is Lifecycle.OTHER else {**known, "instance-life-cycle": bought.value}
