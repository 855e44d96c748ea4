"""The plugin `kubernetes` by itself: an engine for each of its clusters, that empties only what is ordered empty."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from spotward.cli.cluster_house import at_work, home_of, house
from spotward.cli.cluster_steps import CLUSTERS, further_of
from spotward.cli.page_lines import tell
from spotward.cli.rule_cluster import RuleCluster
from spotward.config import ClusterPlace, KubernetesSteps
from spotward.engine.desk import Desk
from spotward.engine.ports import Clock
from spotward.nodes.policy import NodesPolicy
from spotward.plugins.builtin.kubernetes import Kubernetes

ONLY = "only"
"""What the journal of a cluster is called that is the only one, and has no name."""


@asynccontextmanager
async def acting_in(
    settings: KubernetesSteps, state: Path, nodes: NodesPolicy, clock: Clock
) -> AsyncIterator[Kubernetes]:
    """The plugin, with its engines running behind it. state: the directory of their journals. Raises ConfigError."""
    clusters, meant = further_of(settings, clock), home_of(settings)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(at_work(clusters, settings, state / CLUSTERS, nodes, clock, tell=tell))
        if meant is not None:
            home = clusters[meant]
        else:
            home = RuleCluster(nodes.cluster, clock, Desk())
            clusters = {nodes.cluster: home} if nodes.cluster else {}
            place = state / CLUSTERS / (nodes.cluster or ONLY)
            await stack.enter_async_context(house(home, ClusterPlace(), place, nodes, clock, tell=tell))
        yield Kubernetes(clusters, home=home, now=clock.now, namespaces=settings.namespaces)
