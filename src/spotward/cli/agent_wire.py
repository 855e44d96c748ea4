"""The agent's parts, connected: the machine's ear and one node of the cluster in, marks and evictions out."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from spotward.aws.imds import Imds, ImdsPolicy
from spotward.aws.imds_facts import MachineFacts
from spotward.aws.imds_watch import ImdsSource, Watch, WatchPolicy
from spotward.cli.agent_settings import AgentSettings
from spotward.cli.handing import AllHands, cluster_parts
from spotward.cli.rehearsal import dry_run_guard
from spotward.engine.clock import SystemClock
from spotward.engine.core import Core
from spotward.engine.live import Live
from spotward.engine.live_policy import LivePolicy
from spotward.engine.log import log_step
from spotward.engine.node_deciders import node_deciders, node_guards
from spotward.engine.ports import Clock
from spotward.engine.store import SqliteStore, this_process
from spotward.kube.configuration import find_cluster
from spotward.model.action import Action
from spotward.model.errors import Permanent
from spotward.model.event import Event
from spotward.nodes.policy import NodesPolicy
from spotward.plugins.on_notice import NoticeCommands
from spotward.plugins.webhook import Webhook, WebhookHands
from spotward.web.exporter import exporting
from spotward.web.node_exposition import NodeView

REQUESTS_AT_ONCE_MAX = 8
"""To the API server; each connection costs a quarter of a megabyte on every node, and one node's pods are few."""

POLICY = LivePolicy(observe_seconds=0, lease_seconds=10.0, standby_seconds=1.0, shutdown_seconds=5.0)
"""AWS is not looked at. A container that was killed leaves its lease behind; the next one waits that out."""

log = structlog.get_logger("spotward.agent")


class NoAws:
    """The hands for what only AWS can do, of somebody who does not ask it."""

    async def do(self, action: Action, attempt: int) -> Event:  # noqa: ARG002 - the port's form; nothing is attempted
        """See the port. Raises Permanent."""
        words = "is a matter of AWS, which an agent does not ask; `spotward run` does"
        raise Permanent(f"{action.kind} {words}", code="NoAws")


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """What the command line and the environment say of one agent."""

    node: str
    pod: str
    """The agent's own pod, in its namespace; empty outside of a cluster."""
    namespace: str
    kubeconfig: Path | None
    metadata: str
    """The metadata service's address."""
    poll_seconds: float
    v1: bool
    host: str | None
    """Where the pages are served; None is every address of the machine."""
    port: int
    dry: bool


@asynccontextmanager
async def agent(settings: AgentSettings, given: Given, *, state: Path) -> AsyncIterator[Live]:
    """The engine of one node, ready to run, and its pages as long as the context is open.

    state: the directory of its journal; in a dry run it is left alone. Raises ConfigError with what to change.
    """
    clock = SystemClock()
    policy = _policy(settings.nodes, given)
    async with AsyncExitStack() as after:
        imds = Imds(ImdsPolicy(url=given.metadata, v1=given.v1))
        after.push_async_callback(imds.close)
        watch = Watch(imds, clock, WatchPolicy(poll_seconds=given.poll_seconds))
        cluster = cluster_parts(
            find_cluster(given.kubeconfig or settings.kubeconfig, settings.context),
            clock,
            name=settings.nodes.cluster,
            instance=given.pod or given.node,
            only_node=given.node,
            requests_at_once_max=REQUESTS_AT_ONCE_MAX,
            listener=_tell_call,
            facts=MachineFacts(watch),
            annotations=settings.event_annotations,
        )
        after.callback(cluster.kube.close)
        place = Path(after.enter_context(TemporaryDirectory(prefix="spotward-dry-run-"))) if given.dry else state
        store = SqliteStore.to_write(place, clock=clock)
        after.push_async_callback(store.close)
        commands = NoticeCommands(() if given.dry else settings.on_notice)
        after.push_async_callback(commands.close)
        seen = NodeView()
        exporter = exporting(watch, clock, host=given.host, port=given.port, looks=False, more=seen.families)
        number = await after.enter_async_context(exporter)
        log.info("started", node=given.node, metadata=imds.where, cluster=cluster.kube.cluster.server, port=number)
        yield Live(
            core=Core(node_deciders(policy), (*([dry_run_guard] if given.dry else []), *node_guards(policy))),
            store=store,
            hands=AllHands(NoAws(), cluster=cluster.hands, webhook=_webhook_hands(settings.webhook, clock)),
            clock=clock,
            owner=this_process(),
            sources=(cluster.surroundings, ImdsSource(watch)),
            policy=POLICY,
            listeners=[log_step, commands, seen],
        )


def _tell_call(call: str) -> None:
    """For whoever wants to know what an agent costs the API server."""
    log.debug("API call", call=call)


def _webhook_hands(webhook: Webhook, clock: Clock) -> WebhookHands | None:
    return WebhookHands(webhook, clock) if webhook.configured else None


def _policy(wanted: NodesPolicy, given: Given) -> NodesPolicy:
    return replace(
        wanted,
        awaited=True,
        own_node=given.node,
        load_balancer_targets=False,  # it does not ask AWS
        surge=False,  # its journal goes with its machine, and nobody would put back what it lent
        own_pod=wanted.own_pod or given.pod,
        own_namespace=wanted.own_namespace or given.namespace,
    )
