"""Whoever does what was asked, put together: AWS, the hooks of Auto Scaling, the cluster, the people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spotward.engine.ports import Clock, Hands
from spotward.kube.client import Kube
from spotward.kube.configuration import Cluster
from spotward.kube.hands import ClusterHands, Facts, nothing_more
from spotward.kube.nodes import NodeHands
from spotward.kube.surroundings import Surroundings
from spotward.kube.wire import REQUESTS_AT_ONCE_MAX
from spotward.model.action import Action
from spotward.model.errors import Permanent
from spotward.model.event import Event
from spotward.model.flow_action import CallPlugin
from spotward.model.node_action import ClusterAction, CompleteLifecycle, LookAtTargets, Notify, RecordHeartbeat
from spotward.plugins.webhook import WebhookHands

if TYPE_CHECKING:  # an agent, which has no business with AWS, does not load it
    from spotward.aws.lifecycle import LifecycleHands
    from spotward.aws.targets import TargetHands
    from spotward.plugins.host.hands import FlowHands


@dataclass(frozen=True, kw_only=True)
class ClusterParts:
    """The cluster that we look after: its door, what it shows, and the hands in it."""

    name: str
    """As the operator calls it, or else its address."""
    kube: Kube
    surroundings: Surroundings
    hands: ClusterHands


def cluster_parts(
    cluster: Cluster,
    clock: Clock,
    *,
    name: str,
    instance: str,
    only_node: str | None = None,
    requests_at_once_max: int = REQUESTS_AT_ONCE_MAX,
    listener: Callable[[str], None] | None = None,
    facts: Facts = nothing_more,
    annotations: Mapping[str, str],
) -> ClusterParts:
    """Connect to a cluster.

    name: as the operator calls it; empty where he does not. instance: who of us speaks in the cluster's Events.
    only_node: for an agent, the node that it is on. listener: hears of each call, and may forbid it by raising. facts:
    what stands on the cluster's Events beside what is decided; `annotations`, the operator's own, win.
    """
    kube = Kube(cluster, clock=clock, listener=listener, requests_at_once_max=requests_at_once_max)
    surroundings = Surroundings(kube, cluster=name or cluster.server, clock=clock, only_node=only_node)
    nodes = NodeHands(kube, seen=surroundings.node)

    async def on_events() -> Mapping[str, str]:
        return {**await facts(), **annotations}

    hands = ClusterHands(kube, nodes=nodes, watcher=surroundings, clock=clock, instance=instance, facts=on_events)
    return ClusterParts(name=name or cluster.server, kube=kube, surroundings=surroundings, hands=hands)


class AllHands:
    """Gives each action to whoever can do it."""

    def __init__(
        self,
        aws: Hands,
        *,
        hooks: "LifecycleHands | None" = None,
        targets: "TargetHands | None" = None,
        cluster: ClusterHands | None = None,
        webhook: WebhookHands | None = None,
        flows: "FlowHands | None" = None,
        tied: bool = False,
    ) -> None:
        """aws: has what nobody else can do. tied: questions are answered and no deed is done; `aws` refuses them."""
        self._aws, self._targets = aws, targets
        self._hooks, self._cluster, self._webhook, self._flows, self._tied = hooks, cluster, webhook, flows, tied

    async def do(self, action: Action, attempt: int) -> Event:
        """See the port."""
        if self._tied and action.mutates:
            return await self._aws.do(action, attempt)
        match action:
            case CompleteLifecycle() | RecordHeartbeat() if self._hooks is not None:
                return await self._hooks.do(action, attempt)
            case CallPlugin() if self._flows is not None:
                return await self._flows.do(action, attempt)
            case CallPlugin():
                raise Permanent("no plugin can be called here; set flows.rules", code="NoPlugin")
            case LookAtTargets() if self._targets is not None:
                return await self._targets.do(action, attempt)
            case Notify() if self._webhook is not None:
                return await self._webhook.do(action, attempt)
            case _ if isinstance(action, ClusterAction) and self._cluster is not None:
                return await self._cluster.do(action, attempt)
            case _ if isinstance(action, ClusterAction):
                raise Permanent("no cluster is looked after; set kubernetes.enabled", code="NoCluster")
            case _:
                return await self._aws.do(action, attempt)
