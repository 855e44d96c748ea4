"""What `run`, `handle`, `plan`, `explain` and `status` do once their options are read."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from rich.console import Console

from spotward.cli.cluster_steps import further_at_work
from spotward.cli.exits import Exit
from spotward.cli.explain import explain
from spotward.cli.flow_parts import flow_in, open_doors, word_to
from spotward.cli.garbage import seldom_collected
from spotward.cli.plan import PlanDocument, plan_document
from spotward.cli.plugin_shelf import SHELF
from spotward.cli.rehearsal import Rehearsal, dry_run_guard, rehearse
from spotward.cli.rule_check import asking
from spotward.cli.rule_files import meant_by_rules
from spotward.cli.status import status
from spotward.cli.stores import STANDBY_SECONDS, place_words, shared, to_read
from spotward.cli.telling import Teller, say_ignored, say_mended, say_outside, say_undone
from spotward.cli.tracing import check_extra, tracing
from spotward.cli.wire import Parts, parts
from spotward.config import Config, changed
from spotward.engine.clock import clock_from_environment
from spotward.engine.live import Ending, Why
from spotward.engine.ports import Delivery, Store
from spotward.engine.store import SqliteStore
from spotward.engine.turns import Listener
from spotward.events.envelope import Ignored
from spotward.events.eventbridge import parse_all
from spotward.groups.assess import Fate, assess
from spotward.groups.policy import policy_of
from spotward.groups.replace import pools_question
from spotward.groups.scope import in_scope
from spotward.kube.surroundings import Surroundings
from spotward.model.errors import ConfigError, StaleLease, Transient
from spotward.model.event import Event, PoolsRecommended, Tick
from spotward.model.node_event import NodesSeen
from spotward.model.world import World

if TYPE_CHECKING:
    from spotward.web.view import View

ONCE_OBSERVE_SECONDS = 300.0
"""How often the regions are looked at while `run --once` is at work. Its swaps look after their own groups, so another
look at a whole region serves only a run that lasts long.
"""

FLOW_SECONDS_MAX = 3600.0
"""For no longer does `flows retry`, where no daemon runs, wait for the flow's end."""

NODES_SECONDS_MAX = 15.0
"""How long `plan` waits for the cluster to tell of its nodes."""

log_ = structlog.get_logger("spotward")

# ---- run -------------------------------------------------------------------------------------------------------------


async def forever(config: Config, *, log: str) -> int:
    """The daemon: events from the queue, a look from time to time, pages about itself; until a signal."""
    seldom_collected()
    check_extra(config)
    tell = Teller(log)
    house = await parts(config)
    say_mended(house.flows.mended if house.flows is not None else ())
    store = house.store()
    try:
        from spotward.web.server import serving
        from spotward.web.view import Elsewhere, View, no_doors, nothing

        flows = house.flows
        view = View(
            cluster=config.nodes.cluster,
            clock=house.clock,
            policy=config.groups_policy,
            observe_seconds=config.observe_seconds,
            regions=house.regions,
            rules=[] if flows is None else [rule.name for rule in flows.rules.every_rule],
            plugins=[] if flows is None else flows.host.names,
            elsewhere=Elsewhere(
                aws_calls=lambda: house.aws.counter.counts,
                aws_retries=lambda: house.aws.counter.retries,
                doors=no_doors if flows is None else lambda: flows.letterbox.tally.now,
                plugins=nothing if flows is None else lambda: flows.host.resting,
            ),
        )
        async with (
            tracing(config, house.clock) as traces,
            serving(view, host=config.web.host, port=config.web.port) as address,
            further_at_work(house.steps, config, house.clock),
            open_doors(house.flows, config, house.clock, store) as door,
            asking(flows.rules, flows.host) if flows is not None else nullcontext(),
        ):
            tell.started(regions=house.regions, pages=address, queue=config.queue, doors=door)
            while True:
                if await _turn(house, store, view, [tell, view, *traces]):
                    break
                # All that was known may be out of date: the next turn begins as a start does, with nothing.
                house.close()
                await asyncio.sleep(STANDBY_SECONDS)
                house = await parts(config, earlier=house)
    finally:
        await store.close()
        house.close()
        if house.flows is not None:
            await house.flows.close()
    return Exit.DONE


async def _turn(house: Parts, store: Store, view: "View", listeners: Sequence[Listener]) -> bool:
    """Act until a signal: True then. False if another replica took over, so that we are to stand by again."""
    live = house.live(store, sources=house.sources(), listeners=listeners, waiting=True)
    view.follow(live)
    try:
        await live.run(signals=True)
    except (StaleLease, Transient) as error:
        if not shared(house.config):
            raise
        log_.warning("not acting any more; standing by", reason=str(error))
        return False
    return True


async def until_quiet(config: Config, *, log: str, limit_seconds: float) -> int:
    """One reconciliation of every region, until nothing is left to do."""
    tell = Teller(log)
    house = await parts(config)
    say_mended(house.flows.mended if house.flows is not None else ())
    return await _once(
        house, tell, observe_seconds=max(config.observe_seconds, ONCE_OBSERVE_SECONDS), limit_seconds=limit_seconds
    )


async def handled(config: Config, text: str, *, log: str, limit_seconds: float) -> int:
    """One EventBridge event, until nothing is left to do about it, by us or by rules. Raises PayloadError."""
    tell = Teller(log)
    clock = clock_from_environment()
    told = parse_all(text, received=clock.now())
    events = [each for each in told if not isinstance(each, Ignored)]
    occurred = meant_by_rules(config, text, builtin=SHELF, now=clock.now())
    if not occurred:
        say_ignored(each for each in told if isinstance(each, Ignored))
    if not events and not occurred:
        return Exit.DONE
    if not config.regions and events:
        config = changed(config, regions=tuple(dict.fromkeys(event.region for event in events)))
    house = await parts(config)
    elsewhere = sorted({event.region for event in events} - set(house.regions))
    if elsewhere:
        house.close()
        raise ConfigError(f"the event is of {', '.join(elsewhere)}, which --region leaves out; add it, or leave it out")
    code = await _once(house, tell, sources=[_Given([*events, *occurred])], limit_seconds=limit_seconds)
    say_outside(house.world(), events, config.groups_policy)
    return code


class _Given:
    """A source of events that are at hand already."""

    name = "argument"

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """Each event, once."""
        for event in self._events:
            yield Delivery(event=event)


async def _once(
    house: Parts, tell: Teller, *, limit_seconds: float, sources: Sequence[_Given] = (), observe_seconds: float = 0
) -> int:
    store = house.store()
    try:
        live = house.live(store, sources=sources, listeners=[tell], observe_seconds=observe_seconds)
        ending = await live.run(quiet_within_seconds=limit_seconds, signals=True)
    finally:
        await store.close()
        house.close()
    say_undone(ending)
    code = _code(ending)
    if code is Exit.DONE:
        tell.quiet()
    return code


def _code(ending: Ending) -> Exit:
    """What the shell is told of how it ended."""
    if ending.why is Why.STOPPED:
        return Exit.INTERRUPTED
    return Exit.UNFINISHED if ending.waiting or ending.open_undertakings else Exit.DONE


async def told_flow(config: Config, key: str, word: str) -> int:
    """A word to a flow, by this process itself, until nothing is left to do. Raises ConfigError, LeaseHeld."""
    tell = Teller("auto")
    house = await parts(config)
    async with journal(config) as store:
        event = word_to(await flow_in(store, key), word, now=house.clock.now(), by="spotward flows")
    return await _once(house, tell, sources=[_Given([event])], limit_seconds=FLOW_SECONDS_MAX)


# ---- without deeds ---------------------------------------------------------------------------------------------------


async def dry(config: Config, *, log: str, once: bool) -> int:
    """`run` without a deed. Its journal is thrown away, so that the real one never holds what was not done."""
    tell = Teller(log)
    house = await parts(config)
    if once:
        rehearsal = await _rehearsed(house)
        for page in rehearsal.pages:
            tell.page(page)
        house.close()
        return Exit.DONE
    with tempfile.TemporaryDirectory(prefix="spotward-dry-run-") as directory:
        store = SqliteStore.to_write(Path(directory), clock=house.clock)
        try:
            await house.live(store, listeners=[tell], dry=True).run(signals=True)
        finally:
            await store.close()
            house.close()
    return Exit.DONE


async def planned(config: Config) -> PlanDocument:
    """What `run` would do."""
    house = await parts(config)
    try:
        world = (await _rehearsed(house)).world
        return plan_document(await _with_prices(house, world), config.groups_policy, regions=house.regions)
    finally:
        house.close()


async def _rehearsed(house: Parts) -> Rehearsal:
    nodes = await nodes_now(house.cluster.surroundings) if house.cluster is not None else ()
    tick = Tick(time=house.clock.now(), regions=house.regions)
    core = house.core(dry_run_guard)
    return await rehearse(core, house.tied_hands, house.clock, [*nodes, tick], tell=house.world.rehearsing)


async def nodes_now(cluster: Surroundings) -> tuple[Event, ...]:
    """The nodes that there are now, as the cluster tells them; nothing where it does not tell in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(NODES_SECONDS_MAX), aclosing(cluster.deliveries()) as deliveries:
            async for delivery in deliveries:
                if isinstance(delivery.event, NodesSeen):
                    return (delivery.event,)
    log_.warning("the cluster does not tell of its nodes; what may be one is left alone", cluster=cluster.name)
    return ()


async def _with_prices(house: Parts, world: World) -> World:
    """The World with prices also for groups where nothing is to be done, so that the plan shows what they cost."""
    policy = house.config.groups_policy
    for group in world.groups.values():
        if not in_scope(group, policy):
            continue
        try:
            prospects = assess(world, group, policy_of(group, policy), cluster_awaited=policy.cluster_awaited)
        except ConfigError:
            continue
        kept = [p.instance for p in prospects if p.instance is not None and p.fate is Fate.KEEP]
        for instance in kept[:1]:
            question = pools_question(world, group, instance, policy)
            if question.key not in world.recommended:
                answer = await house.tied_hands.do(question, 1)
                if isinstance(answer, PoolsRecommended):
                    world = world.after(answer)
    return world


# ---- what the journal tells ------------------------------------------------------------------------------------------


async def explained(config: Config, subject: str, *, limit: int) -> int:
    """The pages about a subject. Raises ConfigError where there is no journal, or nothing in it about the subject."""
    async with journal(config) as store:
        if await explain(store, subject, Console(highlight=False), limit=limit):
            return Exit.DONE
    raise ConfigError(
        f"the journal {place_words(config)} has no page about {subject!r}; "
        "give an instance (i-…), a group (web or eu-west-1/web) or the key of a wish, as `spotward status` shows them"
    )


async def stated(config: Config) -> int:
    """What is under way."""
    async with journal(config) as store:
        await status(store, Console(highlight=False), now=clock_from_environment().now())
    return Exit.DONE


@asynccontextmanager
async def journal(config: Config) -> AsyncIterator[Store]:
    """The journal, open for reading."""
    store = await to_read(config)
    try:
        yield store
    finally:
        await store.close()
