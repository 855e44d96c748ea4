"""What goes wrong around the loop must not stop it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from spotward.engine.core import Core, Step
from spotward.engine.journal_file import open_to_write
from spotward.engine.live import Why
from spotward.engine.ports import WHOLE_JOURNAL, Delivery
from spotward.engine.store import SqliteStore, this_process
from spotward.model.action import Action
from spotward.model.decision import NOTHING, Decision
from spotward.model.errors import PayloadError, Permanent, StaleLease, Transient
from spotward.model.event import (
    Event,
    Failed,
    FleetAnswered,
    InstanceGone,
    Woken,
)
from spotward.model.world import World
from tests.engine.living import MadeHands, MadeSource, a_clock, a_live, until, with_store
from tests.engine.made import (
    NOON,
    REGION,
    WEB,
    a_launch,
    a_tagging,
    deciding,
    done,
    noting,
    wishing,
)

GONE = InstanceGone(time=NOON, region=REGION, instance_id="i-1")
TEN_DEEDS = [a_tagging(f"tag {number}") for number in range(10)]


@pytest.mark.parametrize(
    ("error", "code", "transient"),
    [
        (Transient("slow down", code="Throttling", retry_after_seconds=7.0), "Throttling", True),
        (Permanent("ec2:CreateTags is not allowed", code="UnauthorizedOperation"), "UnauthorizedOperation", False),
        (KeyError("nobody thought of it"), "Unexpected", True),
        (TimeoutError("socket"), "TimedOut", True),
    ],
)
def test_a_deed_that_fails_comes_back_as_an_event_and_the_loop_goes_on(
    tmp_path: Path, error: Exception, code: str, transient: bool
) -> None:
    async def work(store: SqliteStore) -> None:
        clock, heard = a_clock(), []

        def act(action: Action, attempt: int) -> Event:
            if action.key == "tag 0":
                raise error
            return done(action, clock.now())

        def hear(event: Event, step: Step) -> None:
            if isinstance(event, Failed):
                heard.append(event)

        core = Core([wishing(*TEN_DEEDS, when=InstanceGone)])
        live = a_live(store, clock, MadeHands(clock, act), core=core, sources=[MadeSource([GONE])], listeners=[hear])
        ending = await live.run(quiet_within_seconds=10)
        (failure,) = heard
        assert (failure.key, failure.code, failure.transient) == ("tag 0", code, transient)
        assert failure.subject == WEB
        assert failure.outcome_unknown == (code in ("Unexpected", "TimedOut"))
        assert failure.retry_after_seconds == (7.0 if code == "Throttling" else 0.0)
        assert [key for key, _ in ending.waiting] == ["tag 0"]
        assert set(live.world.wishes) == {"tag 0"}

    with_store(tmp_path, work)


def test_an_answer_to_another_question_is_a_failure_and_not_silence(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock = a_clock()
        hands = MadeHands(clock, lambda *_: done(a_tagging("another"), clock.now()))
        core = Core([wishing(a_tagging(), when=InstanceGone)])
        live = a_live(store, clock, hands, core=core, sources=[MadeSource([GONE])])
        ending = await live.run(quiet_within_seconds=10)
        assert "another key" in ending.waiting[0][1]

    with_store(tmp_path, work)


def test_hands_that_never_answer_are_given_up(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock = a_clock()

        async def act(action: Action, attempt: int) -> Event:
            await asyncio.sleep(3600)
            return done(action)

        core = Core([wishing(a_tagging(), when=InstanceGone)])
        live = a_live(
            store,
            clock,
            MadeHands(clock, act),
            core=core,
            sources=[MadeSource([GONE])],
            policy={"action_seconds_max": 0.05},
        )
        ending = await live.run(quiet_within_seconds=10)
        assert "no answer in time" in ending.waiting[0][1]

    with_store(tmp_path, work)


def test_what_cannot_be_read_is_set_aside_acknowledged_and_the_rest_goes_on(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock = a_clock()
        unwritable = replace(GONE, instance_id="i-\ud800")
        source = MadeSource([PayloadError("not JSON: {'a"), unwritable, GONE])
        hands = MadeHands(clock)
        core = Core([wishing(a_tagging(), when=InstanceGone)])
        live = a_live(store, clock, hands, core=core, sources=[source])
        await live.run(quiet_within_seconds=10)
        assert hands.keys == ["tag web"]
        assert sorted(source.acknowledged) == [0, 1, 2]
        kept = await store.unreadable()
        assert [(each.source, "surrogates" in each.reason) for each in kept] == [("queue", True), ("queue", False)]
        assert live.turns.unreadable == 1

    with_store(tmp_path, work)


def test_a_fault_in_one_decision_sets_its_event_aside_and_does_not_stop_the_others(tmp_path: Path) -> None:
    def faulty(world: World, event: Event) -> Decision:
        if isinstance(event, InstanceGone) and event.instance_id == "i-broken":
            raise ZeroDivisionError("nobody thought of that")
        return NOTHING

    async def work(store: SqliteStore) -> None:
        clock = a_clock()
        source = MadeSource([replace(GONE, instance_id="i-broken"), GONE])
        hands = MadeHands(clock)
        core = Core([faulty, wishing(a_tagging(), when=InstanceGone)])
        live = a_live(store, clock, hands, core=core, sources=[source])
        await live.run(quiet_within_seconds=10)
        assert hands.keys == ["tag web"]
        assert sorted(source.acknowledged) == [0, 1]
        (kept,) = await store.unreadable()
        assert "ZeroDivisionError: nobody thought of that" in kept.reason
        assert live.turns.faults == 1

    with_store(tmp_path, work)


def test_an_answer_that_breaks_our_thinking_is_an_unknown_outcome_and_not_a_wish_in_flight_for_ever(
    tmp_path: Path,
) -> None:
    def faulty(world: World, event: Event) -> Decision:
        if isinstance(event, FleetAnswered):
            raise ZeroDivisionError
        return NOTHING

    async def work(store: SqliteStore) -> None:
        clock = a_clock()
        core = Core([faulty, wishing(a_launch(), when=InstanceGone)])
        live = a_live(store, clock, MadeHands(clock), core=core, sources=[MadeSource([GONE])])
        ending = await live.run(quiet_within_seconds=10)
        assert [key for key, _ in ending.waiting] == ["launch 1"]
        assert set(live.world.launches) == {"launch 1"}

    with_store(tmp_path, work)


def test_a_group_that_breaks_our_thinking_at_every_event_is_asked_about_again_all_the_same(tmp_path: Path) -> None:
    def faulty(world: World, event: Event) -> Decision:
        if isinstance(event, FleetAnswered | Failed):
            raise ZeroDivisionError
        return NOTHING

    async def work(store: SqliteStore) -> None:
        clock = a_clock()
        core = Core([faulty, wishing(a_launch(), when=(InstanceGone, Woken))])
        hands = MadeHands(clock)
        live = a_live(store, clock, hands, core=core, sources=[MadeSource([GONE])])
        running = asyncio.create_task(live.run())
        await until(lambda: hands.keys == ["launch 1"] * 2)
        live.stop()
        await running

    with_store(tmp_path, work)


def test_a_source_that_fails_is_asked_again_and_says_why_meanwhile(tmp_path: Path) -> None:
    class Shaky(MadeSource):
        tries = 0

        async def deliveries(self) -> AsyncIterator[Delivery | None]:
            self.tries += 1
            if self.tries == 1:
                raise Transient("the queue is away", code="ServiceUnavailable")
            if self.tries == 2:
                raise ZeroDivisionError
            async for delivery in super().deliveries():
                yield delivery

    async def work(store: SqliteStore) -> None:
        clock, source, troubles = a_clock(), Shaky([GONE]), []
        live = a_live(store, clock, MadeHands(clock), core=Core([]), sources=[source])
        running = asyncio.create_task(live.run(quiet_within_seconds=10))
        while not running.done():
            troubles += [trouble for trouble in live.source_troubles.values() if trouble not in troubles]
            await asyncio.sleep(0.001)
        assert troubles == ["ServiceUnavailable: the queue is away", "ZeroDivisionError: "]
        assert live.source_troubles == {}
        assert source.acknowledged == [0]

    with_store(tmp_path, work)


def test_a_quiet_source_that_can_be_heard_again_is_in_trouble_no_more(tmp_path: Path) -> None:
    class Quiet(MadeSource):
        tries = 0

        async def deliveries(self) -> AsyncIterator[Delivery | None]:
            self.tries += 1
            if self.tries < 3:
                raise Transient("the queue is away", code="ServiceUnavailable")
            yield None
            await asyncio.Event().wait()

    async def work(store: SqliteStore) -> None:
        clock, source = a_clock(), Quiet([])
        live = a_live(store, clock, MadeHands(clock), core=Core([]), sources=[source])
        running = asyncio.create_task(live.run())
        await until(lambda: bool(live.source_troubles))
        await until(lambda: not live.source_troubles)
        assert source.tries == 3
        live.stop()
        await running

    with_store(tmp_path, work)


def test_an_acknowledgement_that_fails_is_harmless(tmp_path: Path) -> None:
    async def fail(number: int) -> None:
        raise Transient("no", code="Throttling") if number else ZeroDivisionError

    async def work(store: SqliteStore) -> None:
        clock, source = a_clock(), MadeSource([GONE, GONE, GONE], and_then=fail)
        live = a_live(store, clock, MadeHands(clock), core=Core([]), sources=[source])
        assert (await live.run(quiet_within_seconds=10)).why is Why.QUIET
        assert source.acknowledged == [0, 1, 2]

    with_store(tmp_path, work)


def test_a_listener_that_fails_stops_nothing(tmp_path: Path) -> None:
    def broken(event: Event, step: Step) -> None:
        raise ZeroDivisionError

    async def work(store: SqliteStore) -> None:
        clock = a_clock()
        hands = MadeHands(clock)
        core = Core([wishing(a_tagging(), when=InstanceGone)])
        live = a_live(store, clock, hands, core=core, sources=[MadeSource([GONE])], listeners=[broken])
        await live.run(quiet_within_seconds=10)
        assert hands.keys == ["tag web"]

    with_store(tmp_path, work)


def test_while_the_journal_cannot_be_written_nothing_is_done_and_nothing_is_lost(tmp_path: Path) -> None:
    async def work() -> None:
        file = open_to_write(tmp_path)
        store, clock, source = SqliteStore(file), a_clock(), MadeSource([GONE], endless=True)
        hands = MadeHands(clock)
        core = Core([deciding(noting("x" * 300_000)), wishing(a_tagging(), when=InstanceGone)])
        live = a_live(store, clock, hands, core=core, sources=[source])
        lease = await store.lease(WHOLE_JOURNAL, this_process(), 60)
        await store.release(lease)
        (pages,) = file.connection.execute("PRAGMA page_count").fetchone()
        file.connection.execute(f"PRAGMA max_page_count = {pages + 10}")
        running = asyncio.create_task(live.run())
        await until(lambda: live.turns.store_trouble is not None)
        assert "full" in (live.turns.store_trouble or "")
        assert hands.done == []
        assert source.acknowledged == []
        file.connection.execute("PRAGMA max_page_count = 1000000")
        await until(lambda: source.acknowledged == [0])
        assert hands.keys == ["tag web"]
        assert live.turns.store_trouble is None
        live.stop()
        await running
        await store.close()

    asyncio.run(work())


def test_a_process_whose_lease_was_taken_stops_at_once(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock = a_clock()
        hands = MadeHands(clock)
        core = Core([wishing(a_tagging(), when=InstanceGone)])

        class Robbed(MadeSource):
            async def deliveries(self) -> AsyncIterator[Delivery | None]:
                await until(lambda: live.inbox.open == 0)
                await store.release(live.turns._held())
                await store.lease(WHOLE_JOURNAL, this_process(), 60)
                async for delivery in super().deliveries():
                    yield delivery

        source = Robbed([GONE])
        live = a_live(store, clock, hands, core=core, sources=[source])
        with pytest.raises(StaleLease):
            await live.run()
        assert hands.done == []
        assert source.acknowledged == []

    with_store(tmp_path, work)
