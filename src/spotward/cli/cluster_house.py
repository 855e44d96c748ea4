"""A house for one cluster beside the daemon's own: it sees it, and empties nodes of it by order of rules alone.

It has its own journal, for what was begun there must outlive the process; it hears nothing of AWS, and so acts on no
notice by itself. The daemon that looks after that cluster, if there is one, is another process with another journal:
what one of them has set on a node the other takes for somebody else's.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import structlog

from spotward.cli.handing import AllHands, cluster_parts
from spotward.cli.rule_cluster import RuleCluster
from spotward.config import ClusterPlace, KubernetesSteps
from spotward.engine.core import Core
from spotward.engine.live import Live
from spotward.engine.live_policy import LivePolicy
from spotward.engine.log import log_step
from spotward.engine.node_deciders import node_deciders, node_guards
from spotward.engine.ports import Clock
from spotward.engine.store import SqliteStore, this_process
from spotward.engine.turns import Listener
from spotward.kube.configuration import find_cluster
from spotward.model.action import Action
from spotward.model.errors import ConfigError, Permanent
from spotward.model.event import Event
from spotward.nodes.policy import NodesPolicy

POLICY = LivePolicy(observe_seconds=0, lease_seconds=10.0, standby_seconds=1.0, shutdown_seconds=5.0)
"""AWS is not looked at. A process that was killed leaves its lease behind; the next one waits that out."""

log = structlog.get_logger("spotward.cluster")


class NoAws:
    """The hands for what only AWS can do, of somebody who does not ask it."""

    async def do(self, action: Action, attempt: int) -> Event:  # noqa: ARG002 - the port's form; nothing is attempted
        """See the port. Raises Permanent."""
        words = "is a matter of AWS, which is not asked for this cluster; the daemon that looks after it does"
        raise Permanent(f"{action.kind} {words}", code="NoAws")


def home_of(settings: KubernetesSteps) -> str | None:
    """Which of the clusters is meant where nobody names one; None where there are none. Raises ConfigError."""
    names = tuple(settings.clusters)
    if settings.home is not None and settings.home not in names:
        raise ConfigError(f"`kubernetes.home` is {settings.home!r}, which is none of `clusters`", setting="kubernetes")
    if settings.home is None and len(names) > 1:
        words = "say which cluster is meant where an event names none: `kubernetes.home`"
        raise ConfigError(f"{words} is one of {', '.join(names)}", setting="kubernetes")
    return settings.home or next(iter(names), None)


@asynccontextmanager
async def at_work(
    clusters: Mapping[str, RuleCluster],
    settings: KubernetesSteps,
    state: Path,
    nodes: NodesPolicy,
    clock: Clock,
    *,
    tell: Listener = log_step,
) -> AsyncIterator[None]:
    """A house for each of the clusters, as long as the context is open. state: the directory of their journals. tell:
    hears of each step. Raises ConfigError.
    """
    async with AsyncExitStack() as stack:
        for name, place in settings.clusters.items():
            policy = replace(nodes, cluster=name)
            await stack.enter_async_context(house(clusters[name], place, state / name, policy, clock, tell=tell))
        yield


@asynccontextmanager
async def house(
    cluster: RuleCluster,
    place: ClusterPlace,
    state: Path,
    nodes: NodesPolicy,
    clock: Clock,
    *,
    tell: Listener = log_step,
) -> AsyncIterator[None]:
    """One, at work as long as the context is open. Raises ConfigError."""
    policy = replace(nodes, awaited=True, load_balancer_targets=False)
    async with AsyncExitStack() as after:
        parts = cluster_parts(
            find_cluster(place.kubeconfig, place.context),
            clock,
            name=policy.cluster,
            instance=this_process().host,
            annotations={},
        )
        after.callback(parts.kube.close)
        store = SqliteStore.to_write(_whole(state), clock=clock)
        after.push_async_callback(store.close)
        live = Live(
            core=Core(node_deciders(policy), node_guards(policy)),
            store=store,
            hands=AllHands(NoAws(), cluster=parts.hands),
            clock=clock,
            owner=this_process(),
            sources=(parts.surroundings,),
            policy=POLICY,
            listeners=[tell, cluster.desk.heard],
        )
        cluster.desk.serve(live.inbox, store)
        cluster.serve(parts.kube, lambda: live.world)
        after.push_async_callback(_ended, live, asyncio.create_task(_at_work(live, cluster)))
        yield


def _whole(path: Path) -> Path:
    return path.expanduser()


async def _at_work(live: Live, cluster: RuleCluster) -> None:
    try:
        await live.run()
    # Whatever it is: steps about this cluster must hear of it, and all others go on.
    except Exception as fault:
        log.exception("this cluster is looked after no more", cluster=cluster.name)
        cluster.lost(f"the cluster {cluster.name} is looked after no more ({fault}); begin again")


async def _ended(live: Live, running: asyncio.Task[None]) -> None:
    live.stop()
    await running
