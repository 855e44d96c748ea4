"""Which node does an event mean? By name, by its instance, or by an address, as alerts and events of EC2's tell it.

Prometheus puts its own target into `instance`, which is a node's name where somebody relabelled it so, and an address
and a port where nobody did. So that label alone may fit no node and is no reason to refuse; what names a node or an
instance outright must fit, all of it, and all of it one node. A wrong node is worse than none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from spotward.model.cluster import Node
from spotward.plugins.sdk.call import Happening

SURE = ("node", "node_name", "nodename", "kubernetes_node", "instance_id", "instanceId", "provider_id", "providerID")
"""Labels that name a node or its instance outright."""

VAGUE = ("instance", "internal_ip", "private_ip", "host_ip", "kubernetes_io_hostname")
"""Labels that may."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clues:
    """What is said of the node."""

    sure: Mapping[str, str]
    """Where it stands → the text. All of them must fit."""
    vague: Mapping[str, str]


class NoNode(Exception):  # noqa: N818 - it says how things are, and reads as that
    """It is not known which node is meant. The text says why."""


def clues_in(event: Happening) -> Clues:
    """What an event says of a node."""
    labels = event.labels
    sure = {name: labels[name] for name in SURE if labels.get(name)}
    detail = event.data.get("detail") if isinstance(event.data, Mapping) else None
    said = (detail.get("instance-id") or detail.get("EC2InstanceId")) if isinstance(detail, Mapping) else None
    if isinstance(said, str) and said:
        sure["detail.instance-id"] = said
    return Clues(sure=sure, vague={name: labels[name] for name in VAGUE if labels.get(name)})


def node_by(clues: Clues, nodes: Iterable[Node], where: str) -> Node:
    """The one node that is meant. where: the cluster, in words. Raises NoNode."""
    every = tuple(nodes)
    if not clues.sure and not clues.vague:
        raise NoNode(f"the event names no node: give `node`, or a label such as {', '.join(SURE[:1] + SURE[4:5])}")
    sure = {name: _fitting(text, every) for name, text in clues.sure.items()}
    for name, found in sure.items():
        if not found:
            raise NoNode(f"no node of {where} is {clues.sure[name]!r} ({name})")
    vague = {name: found for name, text in clues.vague.items() if (found := _fitting(text, every))}
    meant = {node.name: node for found in (*sure.values(), *vague.values()) for node in found}
    if not meant:
        told = ", ".join(f"{name} {text!r}" for name, text in clues.vague.items())
        raise NoNode(f"no node of {where} is {told}")
    if len(meant) > 1:
        raise NoNode(f"the event means several nodes of {where}: {', '.join(sorted(meant))}; nothing is done to any")
    return next(iter(meant.values()))


def _fitting(text: str, nodes: Iterable[Node]) -> list[Node]:
    bare = _without_port(text)
    return [node for node in nodes if not {text, bare}.isdisjoint(_names(node))]


def _names(node: Node) -> Iterable[str]:
    yield from (node.name, node.provider_id or node.name, node.instance_id or node.name)
    yield from (address for _, address in node.addresses)


def _without_port(text: str) -> str:
    """`10.0.0.1:9100` and `[fd00::1]:9100` without the port; an IPv6 address alone as it is."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    host, colon, port = text.rpartition(":")
    return host if colon and port.isdecimal() and ":" not in host else text
