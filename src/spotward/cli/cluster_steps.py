"""The clusters that steps of the daemon's rules may act in: the one that is looked after, and further ones by name."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from spotward.cli.cluster_house import at_work
from spotward.cli.rule_cluster import RuleCluster
from spotward.config import Config, KubernetesSteps
from spotward.engine.desk import Desk
from spotward.engine.ports import Clock
from spotward.model.errors import ConfigError
from spotward.plugins.builtin.kubernetes import Kubernetes

CLUSTERS = "clusters"
"""The directory, in that of the journal, of the journals of further clusters."""


@dataclass(frozen=True, kw_only=True)
class ClusterSteps:
    """What lives as long as the process."""

    home: RuleCluster
    """The cluster that is looked after. It is to be served."""
    further: Mapping[str, RuleCluster]
    plugin: Kubernetes


def cluster_steps(config: Config, clock: Clock, desk: Desk) -> ClusterSteps:
    """desk: of the engine that looks after the cluster. Raises ConfigError."""
    settings, name = config.flows.kubernetes, config.nodes.cluster
    home, further = RuleCluster(name, clock, desk), further_of(settings, clock)
    if settings.home is not None and settings.home not in further:
        raise ConfigError(f"`flows.kubernetes.home` is {settings.home!r}, which is none of `flows.kubernetes.clusters`")
    if name in further:
        raise ConfigError(f"`flows.kubernetes.clusters` names {name!r}, which is looked after already; take it out")
    meant = home if settings.home is None else further[settings.home]
    plugin = Kubernetes(
        {**({name: home} if name else {}), **further}, home=meant, now=clock.now, namespaces=settings.namespaces
    )
    return ClusterSteps(home=home, further=further, plugin=plugin)


def further_of(settings: KubernetesSteps, clock: Clock) -> dict[str, RuleCluster]:
    """The further clusters, by name; nothing can be done in them before they are at work."""
    return {
        name: RuleCluster(name, clock, Desk(), missing=f"the cluster {name} is reached by `spotward run` alone")
        for name in settings.clusters
    }


@asynccontextmanager
async def further_at_work(steps: ClusterSteps, config: Config, clock: Clock) -> AsyncIterator[None]:
    """The further clusters, as long as the context is open. Raises ConfigError."""
    state: Path = config.state / CLUSTERS
    async with at_work(steps.further, config.flows.kubernetes, state, config.nodes, clock):
        yield
