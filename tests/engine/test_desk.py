import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from spotward.engine.core import Core
from spotward.engine.desk import Desk
from spotward.engine.live import Live
from spotward.engine.store import SqliteStore
from spotward.model.action import Action
from spotward.model.decision import NOTHING, Decision, Wish
from spotward.model.errors import Transient
from spotward.model.event import Done, Event, InstanceGone, Restarted
from spotward.model.flow_event import Status
from spotward.model.order import Order, Ordered, SwapReason, SwapWanted
from spotward.model.undertaking import Undertaking
from spotward.model.world import World
from tests.engine.living import MadeHands, a_clock, a_live, until, with_store
from tests.engine.made import NOON, REGION, a_tagging, done

WANTED = SwapWanted(regions=(REGION,), instance_id="i-1", reason=SwapReason.WISH, terminate=True)
ORDERED = Ordered(time=NOON, order="flow.step", wanted=WANTED, by="a test")


def clerk(status: Status = Status.DONE) -> Callable[[World, Event], Decision]:
    """A room that does what is ordered by tagging a group with the order's key, and then ends it."""

    def decide(world: World, event: Event) -> Decision:
        match event:
            case Ordered() if world.orders.get(event.order) is None:
                born = replace(event.born, progress="begun")
                return Decision(undertakings=(born,), wishes=(Wish(action=a_tagging(born.key), reason="ordered"),))
            case Restarted():
                wishes = (Wish(action=a_tagging(each.key), reason="ordered") for each in world.orders.all())
                return Decision(wishes=tuple(wishes))
            case Done() if (order := world.orders.get(event.key)) is not None:
                ended = replace(order, status=status, ended="so it is", ended_time=world.time)
                return Decision(undertakings=(ended,))
            case _:
                return NOTHING

    return decide


class House:
    """A running engine with its desk, and hands that wait until they may go on."""

    def __init__(self, store: SqliteStore, desk: Desk, *, status: Status = Status.DONE) -> None:
        self.clock = a_clock()
        self.go = asyncio.Event()
        self.hands = MadeHands(self.clock, self._act)
        self.desk = desk
        core = Core([clerk(status)])
        self.live: Live = a_live(store, self.clock, self.hands, core=core, regions=(), listeners=[desk.heard])
        desk.serve(self.live.inbox, store)
        self._running = asyncio.create_task(self.live.run())

    async def _act(self, action: Action, _attempt: int) -> Event:
        await self.go.wait()
        return done(action, self.clock.now())

    async def die(self) -> None:
        """As if it were killed: nothing is said and nothing is answered any more."""
        self._running.cancel()
        with suppress(asyncio.CancelledError):
            await self._running

    async def stop(self) -> None:
        self.go.set()
        self.live.stop()
        await self._running


def test_whoever_orders_hears_how_far_it_is_and_how_it_ended(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        house, said = House(store, Desk()), list[str]()

        async def tell(text: str) -> None:
            said.append(text)
            house.go.set()

        order = await house.desk.ask(ORDERED, tell=tell)
        assert (order.status, order.ended, said) == (Status.DONE, "so it is", ["begun"])
        await house.stop()

    with_store(tmp_path, work)


def test_two_who_order_with_one_key_hear_of_one_order(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        house = House(store, Desk())
        asking = [asyncio.create_task(house.desk.ask(ORDERED)) for _ in range(3)]
        await until(lambda: bool(house.hands.keys))
        asking.append(asyncio.create_task(house.desk.ask(ORDERED)))
        house.go.set()
        orders = await asyncio.gather(*asking)
        assert {order.ended for order in orders} == {"so it is"}
        assert house.hands.keys == ["flow.step"]
        await house.stop()

    with_store(tmp_path, work)


def test_what_was_done_is_told_to_whoever_asks_again_and_is_not_done_again(tmp_path: Path) -> None:
    async def first(store: SqliteStore) -> None:
        house = House(store, Desk())
        house.go.set()
        await house.desk.ask(ORDERED)
        await house.stop()

    async def second(store: SqliteStore) -> None:
        house = House(store, Desk())
        assert (await house.desk.ask(ORDERED)).ended == "so it is"
        assert house.hands.keys == []
        await house.stop()

    with_store(tmp_path, first)
    with_store(tmp_path, second)


@pytest.mark.parametrize("status", [Status.FAILED, Status.REFUSED])
def test_what_failed_or_was_refused_is_tried_again_for_whoever_asks_again(tmp_path: Path, status: Status) -> None:
    async def work(store: SqliteStore) -> None:
        house = House(store, Desk(), status=status)
        house.go.set()
        for _ in range(2):
            assert (await house.desk.ask(ORDERED)).status is status
        assert house.hands.keys == ["flow.step"] * 2
        await house.stop()

    with_store(tmp_path, work)


def test_a_killed_process_goes_on_with_the_order_and_whoever_asks_again_joins_it(tmp_path: Path) -> None:
    async def first(store: SqliteStore) -> None:
        house = House(store, Desk())
        asking = asyncio.create_task(house.desk.ask(ORDERED))
        await until(lambda: bool(house.hands.keys))
        await house.die()
        asking.cancel()

    async def second(store: SqliteStore) -> None:
        house = House(store, Desk())
        await until(lambda: house.hands.keys == ["flow.step"])
        asking = asyncio.create_task(house.desk.ask(ORDERED))
        house.go.set()
        assert (await asking).status is Status.DONE
        assert house.hands.keys == ["flow.step"], "it was asked again as what is in doubt, and for the order not at all"
        await house.stop()

    with_store(tmp_path, first)
    with_store(tmp_path, second)


def test_who_waits_goes_on_waiting_while_the_engine_begins_anew(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        desk = Desk()
        asked_before = asyncio.create_task(desk.ask(ORDERED))
        await asyncio.sleep(0)
        house = House(store, desk)
        await until(lambda: bool(house.hands.keys))
        await house.die()
        asked_between = asyncio.create_task(desk.ask(replace(ORDERED, order="another")))
        await asyncio.sleep(0)
        house = House(store, desk)
        house.go.set()
        assert [(await each).key for each in (asked_before, asked_between)] == ["flow.step", "another"]
        assert sorted(house.hands.keys) == ["another", "flow.step"]
        await house.stop()

    with_store(tmp_path, work)


def test_who_stops_waiting_ends_nothing(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        house = House(store, Desk())
        asking = asyncio.create_task(house.desk.ask(ORDERED))
        await until(lambda: bool(house.hands.keys))
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
        assert len(house.live.world.orders) == 1
        house.go.set()
        await until(lambda: not house.live.world.orders)
        (order,) = await store.undertakings(subject="flow.step")
        assert isinstance(order, Order)
        assert order.status is Status.DONE
        await house.stop()

    with_store(tmp_path, work)


def test_the_news_that_an_order_is_about_is_heard_before_it(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        house, heard = House(store, Desk()), list[str]()
        house.live.turns._listeners += (lambda event, _: heard.append(event.kind),)
        house.go.set()
        await house.desk.ask(ORDERED, news=[InstanceGone(time=NOON, region=REGION, instance_id="i-1")])
        assert heard.index("instance.gone") + 1 == heard.index("ordered")
        await house.stop()

    with_store(tmp_path, work)


def test_a_journal_that_cannot_be_read_is_an_error_to_whoever_asks(tmp_path: Path) -> None:
    class Unreadable(SqliteStore):
        async def undertakings(self, **_query: object) -> tuple[Undertaking, ...]:
            raise Transient("the disk is away", code="StoreUnavailable")

    async def work(store: SqliteStore) -> None:
        house = House(Unreadable(store._file), Desk())
        asking: Awaitable[Order] = house.desk.ask(ORDERED)
        with pytest.raises(Transient, match="the disk is away"):
            await asking
        await house.stop()

    with_store(tmp_path, work)
