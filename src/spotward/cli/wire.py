"""Where everything meets: the settings in, the parts connected."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from spotward.aws.hands import AwsHands, ReadOnlyHands
from spotward.aws.lifecycle import LifecycleHands
from spotward.aws.observe import Observer
from spotward.aws.on_demand import load_price_list
from spotward.aws.prices import LiveMarket
from spotward.aws.queue import QueueSource
from spotward.aws.queue_address import queue_addresses
from spotward.aws.session import Aws, CallCounter
from spotward.aws.targets import TargetHands
from spotward.cli.cluster_steps import ClusterSteps, cluster_steps
from spotward.cli.flow_parts import FlowParts, flow_parts
from spotward.cli.handing import AllHands, ClusterParts, cluster_parts
from spotward.cli.rehearsal import dry_run_guard
from spotward.cli.stores import policy_for, to_write
from spotward.config import Config
from spotward.engine.clock import clock_from_environment
from spotward.engine.core import Core
from spotward.engine.deciders import deciders, guards
from spotward.engine.desk import Desk
from spotward.engine.live import Live
from spotward.engine.live_policy import LivePolicy
from spotward.engine.ports import Clock, Hands, Owner, Source, Store
from spotward.engine.rule_deciders import rule_deciders, rule_guards
from spotward.engine.store import this_process
from spotward.engine.turns import Listener
from spotward.groups.scope import in_scope
from spotward.kube.configuration import find_cluster
from spotward.kube.happenings import Happenings, named_types
from spotward.model.decision import Guard
from spotward.model.errors import Transient
from spotward.model.world import World
from spotward.plugins.builtin.asg_swap import AsgSwap
from spotward.plugins.webhook import WebhookHands
from spotward.rules.match import means
from spotward.rules.rulebook import Rules

log_ = structlog.get_logger("spotward")

NOT_ACTING = "NotActing"
"""The code of the error for a call that was not sent because another replica may be acting."""

READING = ("Describe", "Get", "List", "Receive")
"""How the names of AWS's operations begin that change nothing."""


def is_change(name: str) -> bool:
    """Does `ec2.CreateFleet` change anything? What is acknowledged in a queue is written in the journal already."""
    service, _, operation = name.partition(".")
    return service != "sqs" and not operation.startswith(READING)


class Mirror:
    """The newest World, for those who are built before the engine that makes it."""

    def __init__(self) -> None:
        self.live: Live | None = None
        self._rehearsed = World()

    def rehearsing(self, world: World) -> None:
        """Without a running engine: this is the newest."""
        self._rehearsed = world

    def __call__(self) -> World:
        """The World as it is now."""
        return self.live.world if self.live is not None else self._rehearsed

    def check_call(self, region: str, name: str) -> None:
        """Raises Transient if an AWS call would change something and it is not certain that nobody else acts.

        One deed may be several calls: a process that was stopped in the middle, and goes on long after, makes no other.
        """
        if self.live is not None and is_change(name) and not self.live.tenure.acting:
            raise Transient(
                f"{name} in {region} is not sent: the lease on the journal is not certain to be ours", code=NOT_ACTING
            )

    def check_cluster_call(self, name: str) -> None:
        """The same for a call of the cluster, such as `create pods/eviction`."""
        changes = name.partition(" ")[0] not in ("get", "list", "watch")
        if self.live is not None and changes and not self.live.tenure.acting:
            raise Transient(f"{name} is not sent: the lease on the journal is not certain to be ours", code=NOT_ACTING)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What every way of running is made of."""

    config: Config
    clock: Clock
    aws: Aws
    aws_hands: AwsHands
    hands: Hands
    tied_hands: Hands
    """They answer questions and can do no deed: for what must not change anything."""
    cluster: ClusterParts | None
    """None where no cluster is looked after."""
    flows: FlowParts | None
    """None where there are neither rules nor doors."""
    desk: Desk
    """Where plugins order of the engine what they do."""
    steps: ClusterSteps
    """The clusters that rules may act in."""
    regions: tuple[str, ...]
    world: Mirror
    owner: Owner

    async def put_away(self) -> None:
        """Delete what deeds needed, those of a process that was lost as well; for a process that may do deeds."""
        await self.aws_hands.close(self._configured_regions())

    def _configured_regions(self) -> set[str]:
        groups = self.world().groups.values()
        ours = (group for group in groups if in_scope(group, self.config.groups_policy))
        return {group.region for group in ours if group.launch is not None and group.launch.configuration is not None}

    def core(self, *more_guards: Guard) -> Core:
        """The thinking, under the operator's policy. `more_guards` have the first word."""
        policy, nodes = self.config.groups_policy, self.config.nodes_policy
        # Without rules any more, flows that are open in the journal are carried to their end all the same.
        rules = self.flows.rules if self.flows is not None else Rules()
        return Core(
            (*deciders(policy, nodes), *rule_deciders(rules)),
            (*more_guards, *guards(policy, nodes), *rule_guards(rules)),
        )

    def live(
        self,
        store: Store,
        *,
        sources: Sequence[Source] = (),
        listeners: Sequence[Listener] = (),
        dry: bool = False,
        observe_seconds: float | None = None,
        waiting: bool = False,
    ) -> Live:
        """The running engine on a store.

        dry: it decides, and can do no deed. observe_seconds: 0 looks at nothing by itself; None as it is configured.
        waiting: it stands by for as long as another replica acts.
        """
        heard = () if dry else (self.desk.heard,)
        policy = LivePolicy(observe_seconds=self.config.observe_seconds if observe_seconds is None else observe_seconds)
        self.world.live = Live(
            core=self.core(*([dry_run_guard] if dry else [])),
            store=store,
            hands=self.tied_hands if dry else self.hands,
            clock=self.clock,
            owner=self.owner,
            sources=sources,
            regions=self.regions,
            policy=policy if dry else policy_for(self.config, policy, waiting=waiting),
            listeners=(*listeners, *heard),
            farewell=None if dry else self.put_away,
        )
        if not dry:
            self.desk.serve(self.world.live.inbox, store)
        return self.world.live

    def store(self) -> Store:
        """The journal, to be written by this process. Raises ConfigError, LeaseHeld."""
        return to_write(self.config, self.clock, self.owner)

    def sources(self) -> tuple[Source, ...]:
        """A source for the queue in each region, or for the one queue of a URL; none when none is set. And the cluster
        and the doors, where there are any.
        """
        cluster = (self.cluster.surroundings,) if self.cluster is not None else ()
        others = (*cluster, *self._happenings(), *(self.flows.sources if self.flows is not None else ()))
        name = self.config.queue
        if name is None:
            return others
        addresses = queue_addresses(name, self.regions)
        if self.flows is None or not self.flows.rules.every_rule:
            return (*others, *(QueueSource(self.aws, self.clock, address) for address in addresses))
        wanted, crowded = partial(means, self.flows.rules), self.flows.letterbox.crowded
        how = partial(QueueSource, self.aws, self.clock, wanted=wanted, crowded=crowded)
        return (*others, *(how(address) for address in addresses))

    def _happenings(self) -> tuple[Source, ...]:
        """The cluster's own Events, where a rule names some."""
        rules = self.flows.rules if self.flows is not None else Rules()
        types = named_types([glob for rule in rules.every_rule if rule.enabled for glob in rule.events])
        if not types:
            return ()
        if self.cluster is None:
            log_.warning("rules take Events of a cluster and none is looked after; set kubernetes.enabled", types=types)
            return ()
        cluster = self.cluster.name
        return (Happenings(self.cluster.kube, self.clock, cluster=cluster, types=types, wanted=partial(means, rules)),)

    def close(self) -> None:
        """Let go of all connections."""
        self.aws.close()
        if self.cluster is not None:
            self.cluster.kube.close()


async def parts(config: Config, *, earlier: Parts | None = None) -> Parts:
    """Connect everything. earlier: those of an earlier turn of the process, of which flows and desk go on.

    Raises ConfigError for an unknown region, OutsideError when AWS cannot be asked.
    """
    clock = clock_from_environment()
    mirror = Mirror()
    aws = Aws(threads_max=config.aws_calls_at_once_max, counter=CallCounter(mirror.check_call))
    policy = config.groups_policy
    observer = Observer(
        aws,
        clock,
        world=mirror,
        in_scope=partial(in_scope, policy=policy),
        refresh_seconds=config.refresh_seconds,
    )
    own_prices = load_price_list(config.on_demand_prices) if config.on_demand_prices is not None else None
    market = LiveMarket(aws, clock, price_list=own_prices)
    owner = this_process()
    cluster = _cluster(config, clock, owner, mirror) if config.kubernetes.enabled else None
    hands = AwsHands(aws, clock, observer=observer, recommender=market)
    in_cluster = cluster.hands if cluster is not None else None
    targets = TargetHands(aws, clock)
    webhook = WebhookHands(config.webhook, clock) if config.webhook.configured else None
    regions = await aws.regions(config.regions)
    desk = Desk() if earlier is None else earlier.desk
    steps = cluster_steps(config, clock, desk) if earlier is None else earlier.steps
    if cluster is not None:
        steps.home.serve(cluster.kube, mirror)
    within = [AsgSwap(desk, clock, regions), steps.plugin]
    flows = flow_parts(config, clock, within) if earlier is None else earlier.flows
    if flows is not None:
        flows.look_at(mirror)
    calls = flows.hands if flows is not None else None
    return Parts(
        config=config,
        clock=clock,
        aws=aws,
        aws_hands=hands,
        hands=AllHands(
            hands, hooks=LifecycleHands(aws, clock), targets=targets, cluster=in_cluster, webhook=webhook, flows=calls
        ),
        tied_hands=AllHands(
            ReadOnlyHands(observer=observer, recommender=market), targets=targets, cluster=in_cluster, tied=True
        ),
        cluster=cluster,
        flows=flows,
        desk=desk,
        steps=steps,
        regions=regions,
        world=mirror,
        owner=owner,
    )


def _cluster(config: Config, clock: Clock, owner: Owner, mirror: Mirror) -> ClusterParts:
    return cluster_parts(
        find_cluster(config.kubernetes.kubeconfig, config.kubernetes.context),
        clock,
        name=config.nodes.cluster,
        instance=owner.host,
        listener=mirror.check_cluster_call,
        annotations=config.kubernetes.event_annotations,
    )
