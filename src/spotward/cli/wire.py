"""Where everything meets: the settings in, the parts connected."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from spotward.aws.hands import AwsHands, ReadOnlyHands
from spotward.aws.observe import Observer
from spotward.aws.on_demand import load_price_list
from spotward.aws.prices import LiveMarket
from spotward.aws.queue import QueueSource
from spotward.aws.queue_address import queue_addresses
from spotward.aws.session import Aws
from spotward.cli.rehearsal import dry_run_guard
from spotward.config import Config
from spotward.engine.clock import clock_from_environment
from spotward.engine.core import Core
from spotward.engine.deciders import deciders, guards
from spotward.engine.live import Live
from spotward.engine.live_policy import LivePolicy
from spotward.engine.ports import Clock, Source
from spotward.engine.store import SqliteStore, this_process
from spotward.engine.turns import Listener
from spotward.groups.scope import in_scope
from spotward.model.decision import Guard
from spotward.model.world import World


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


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What every way of running is made of."""

    config: Config
    clock: Clock
    aws: Aws
    hands: AwsHands
    tied_hands: ReadOnlyHands
    """They answer questions and can do no deed: for what must not change anything."""
    regions: tuple[str, ...]
    world: Mirror

    def core(self, *more_guards: Guard) -> Core:
        """The thinking, under the operator's policy. `more_guards` have the first word."""
        policy = self.config.groups_policy
        return Core(deciders(policy), (*more_guards, *guards(policy)))

    def live(
        self,
        store: SqliteStore,
        *,
        sources: Sequence[Source] = (),
        listeners: Sequence[Listener] = (),
        dry: bool = False,
        observe_seconds: float | None = None,
    ) -> Live:
        """The running engine on a store.

        dry: it decides, and can do no deed. observe_seconds: 0 looks at nothing by itself; None as it is configured.
        """
        self.world.live = Live(
            core=self.core(*([dry_run_guard] if dry else [])),
            store=store,
            hands=self.tied_hands if dry else self.hands,
            clock=self.clock,
            owner=this_process(),
            sources=sources,
            regions=self.regions,
            policy=LivePolicy(
                observe_seconds=self.config.observe_seconds if observe_seconds is None else observe_seconds
            ),
            listeners=listeners,
        )
        return self.world.live

    def store(self) -> SqliteStore:
        """The journal, to be written by this process. Raises ConfigError, LeaseHeld."""
        return SqliteStore.to_write(self.config.state.expanduser(), clock=self.clock)

    def queues(self) -> tuple[QueueSource, ...]:
        """A source for the queue in each region, or for the one queue of a URL; none when none is set."""
        name = self.config.queue
        if name is None:
            return ()
        return tuple(QueueSource(self.aws, self.clock, address) for address in queue_addresses(name, self.regions))


async def parts(config: Config) -> Parts:
    """Connect everything. Raises ConfigError for an unknown region, OutsideError when AWS cannot be asked."""
    clock = clock_from_environment()
    aws = Aws(threads_max=config.aws_calls_at_once_max)
    mirror = Mirror()
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
    return Parts(
        config=config,
        clock=clock,
        aws=aws,
        hands=AwsHands(aws, clock, observer=observer, recommender=market),
        tied_hands=ReadOnlyHands(observer=observer, recommender=market),
        regions=await aws.regions(config.regions),
        world=mirror,
    )
