import asyncio
import itertools
import json
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from spotward.engine.core import Core
from spotward.engine.live import Ending, Why
from spotward.engine.ports import WHOLE_JOURNAL, Clock, Entry, Lease, SetAside
from spotward.engine.store import SqliteStore, this_process
from spotward.model.action import Action, LaunchFleet, ObserveRegion, RetireMember
from spotward.model.decision import NOTHING, Decision, WakeAt, Wish
from spotward.model.errors import Transient
from spotward.model.event import (
    Event,
    InstanceGone,
    InterruptionNoticed,
    Restarted,
    Woken,
)
from spotward.model.flow_event import Occurred
from spotward.model.occurrence import Occurrence
from spotward.model.undertaking import Swap
from spotward.model.world import World
from tests.engine.living import PATIENCE_SECONDS, MadeHands, MadeSource, a_clock, a_live, until, with_store
from tests.engine.made import (
    NOON,
    REGION,
    a_group,
    a_swap,
    a_tagging,
    answer,
    deciding,
    done,
    seen,
    wishing,
)
from tests.engine.mortal import Mortal, live_until_a_deed, run_as_a_daemon

CHECKOUT = Path(__file__).parents[2]
NOTICE = InterruptionNoticed(time=NOON, region=REGION, instance_id="i-1", deadline=NOON + 120)
GONE = InstanceGone(time=NOON, region=REGION, instance_id="i-1")
TEN_DEEDS = [a_tagging(f"tag {number}") for number in range(10)]


def cloud(clock: Clock, *members: str) -> Callable[[Action, int], Event]:
    """A cloud with one group."""

    def act(action: Action, attempt: int) -> Event:
        now = clock.now()
        if isinstance(action, ObserveRegion):
            return replace(seen(a_group(*members), time=now), key=action.key)
        return answer(action, now)

    return act


# ---- order ---------------------------------------------------------------------------------------------------


def test_the_page_is_on_disk_before_the_deed_begins_and_before_the_source_is_acknowledged(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock, found = a_clock(), []

        async def find(what: str) -> None:
            reader = SqliteStore.to_read(tmp_path)
            pages = await reader.pages(subject="tag web")
            await reader.close()
            found.append((what, [asked.action.key for page in pages for asked in page.asked]))

        async def act(action: Action, attempt: int) -> Event:
            await find("deed")
            return done(action, clock.now())

        async def acknowledge(number: int) -> None:
            await find("acknowledgement")

        core = Core([wishing(a_tagging(), when=InstanceGone)])
        source = MadeSource([GONE], and_then=acknowledge)
        live = a_live(store, clock, MadeHands(clock, act), core=core, sources=[source])
        ending = await live.run(quiet_within_seconds=10)
        assert ending == Ending(why=Why.QUIET, open_undertakings=(), waiting=())
        assert sorted(found) == [("acknowledgement", ["tag web"]), ("deed", ["tag web"])]

    with_store(tmp_path, work)


def test_a_notice_becomes_a_finished_swap(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock = a_clock()
        hands = MadeHands(clock, cloud(clock, "i-1", "i-2"))
        live = a_live(store, clock, hands, policy={"observe_seconds": 3600.0}, sources=[MadeSource([NOTICE])])
        ending = await live.run(quiet_within_seconds=10)
        assert ending.why is Why.QUIET
        kinds = Counter(action.kind for action, _ in hands.done)
        assert kinds == {"observe-region": 1, "launch-fleet": 1, "retire-member": 1}
        (swap,) = await store.undertakings()
        assert swap.ended == "replaced"
        texts = [page.event_kind for page in await store.pages(subject="i-1")]
        assert "instance.interruption" in texts or "region.observed" in texts

    with_store(tmp_path, work)


def test_what_is_heard_is_counted_by_its_source_or_its_door_and_not_what_the_shell_itself_says(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock = a_clock()
        occurred = Occurred(time=NOON, occurrence=Occurrence.of(id="1", source="/s", type="x"), door="prometheus")
        sources = [MadeSource([NOTICE, NOTICE, GONE]), MadeSource([occurred], name="doors")]
        live = a_live(store, clock, MadeHands(clock, cloud(clock, "i-1")), sources=sources)
        await live.run(quiet_within_seconds=10)
        assert live.turns.heard == {
            ("queue", "instance.interruption"): 2,
            ("queue", "instance.gone"): 1,
            ("prometheus", "occurred"): 1,
        }
        assert set(live.source_heard) == {"queue", "doors"}
        assert all(NOON <= time <= clock.now() for time in live.source_heard.values())
        assert live.turns.write_seconds.now.number > 0

    with_store(tmp_path, work)


def test_the_same_notice_three_times_changes_nothing_the_second_time(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock = a_clock()
        hands = MadeHands(clock, cloud(clock, "i-1"))
        live = a_live(
            store, clock, hands, policy={"observe_seconds": 3600.0}, sources=[MadeSource([NOTICE, NOTICE, NOTICE])]
        )
        await live.run(quiet_within_seconds=10)
        assert sum(isinstance(action, LaunchFleet) for action, _ in hands.done) == 1

    with_store(tmp_path, work)


# ---- limits --------------------------------------------------------------------------------------------------


def test_a_full_inbox_makes_the_source_wait(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock, source = a_clock(), MadeSource([GONE] * 50)
        release = asyncio.Event()

        class Slow(SqliteStore):
            async def commit(self, lease: Lease, entries: Sequence[Entry], set_aside: Sequence[SetAside] = ()) -> None:
                await release.wait()
                await super().commit(lease, entries, set_aside)

        slow = Slow(store._file)
        policy = {"inbox_max": 5, "batch_max": 2}
        live = a_live(slow, clock, MadeHands(clock), core=Core([]), sources=[source], policy=policy)
        running = asyncio.create_task(live.run(quiet_within_seconds=10))
        await until(lambda: live.inbox.depth == 5)
        await asyncio.sleep(0.05)
        assert source.delivered <= 8
        assert source.acknowledged == []
        release.set()
        assert (await running).why is Why.QUIET
        assert source.acknowledged == list(range(50))

    with_store(tmp_path, work)


def test_a_hundred_acknowledgements_are_given_at_once_so_that_a_queue_can_gather_them(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock, all_here, waiting = a_clock(), asyncio.Event(), 0

        async def gathered(number: int) -> None:
            nonlocal waiting
            waiting += 1
            if waiting == 100:
                all_here.set()
            await all_here.wait()

        source = MadeSource([GONE] * 100, and_then=gathered)
        live = a_live(store, clock, MadeHands(clock), core=Core([]), sources=[source])
        running = asyncio.create_task(live.run(quiet_within_seconds=10))
        await asyncio.wait_for(all_here.wait(), PATIENCE_SECONDS)
        await running

    with_store(tmp_path, work)


def test_no_more_hands_of_a_kind_are_at_work_than_allowed(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock = a_clock()

        async def act(action: Action, attempt: int) -> Event:
            await asyncio.sleep(0.01)
            return done(action, clock.now())

        hands = MadeHands(clock, act)
        core = Core([wishing(*TEN_DEEDS, when=InstanceGone)])
        live = a_live(
            store, clock, hands, core=core, sources=[MadeSource([GONE])], policy={"at_once_of": {"tag-group": 3}}
        )
        await live.run(quiet_within_seconds=10)
        assert len(hands.done) == 10
        assert hands.at_work_max == 3

    with_store(tmp_path, work)


def test_what_is_urgent_does_not_wait_behind_what_saves_money(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock = a_clock()

        async def act(action: Action, attempt: int) -> Event:
            await asyncio.sleep(0.001)
            return done(action, clock.now())

        def decide(world: World, event: Event) -> Decision:
            if not isinstance(event, InstanceGone):
                return NOTHING
            rescue = Wish(action=a_tagging("rescue"), reason="two minutes", urgent=True)
            return Decision(wishes=(*(Wish(action=deed, reason="a saving") for deed in TEN_DEEDS), rescue))

        hands = MadeHands(clock, act)
        live = a_live(
            store,
            clock,
            hands,
            core=Core([decide]),
            sources=[MadeSource([GONE])],
            policy={"at_once_of": {"tag-group": 3}},
        )
        await live.run(quiet_within_seconds=10)
        assert len(hands.keys) == 11
        assert hands.keys.index("rescue") == 3

    with_store(tmp_path, work)


# ---- until nothing is left to do -----------------------------------------------------------------------------


def test_once_looks_at_every_region_and_ends_when_nothing_is_left(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock = a_clock()
        hands = MadeHands(clock)
        live = a_live(store, clock, hands, regions=("us-east-1", "eu-west-1"), policy={"observe_seconds": 3600.0})
        ending = await live.run(quiet_within_seconds=10)
        assert ending.why is Why.QUIET
        assert sorted(hands.keys) == ["observe eu-west-1", "observe us-east-1"]
        assert set(live.world.observed) == {"us-east-1", "eu-west-1"}

    with_store(tmp_path, work)


def test_what_the_hands_have_to_put_away_is_put_away_last_and_while_the_lease_is_held(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock = a_clock()
        hands, acting = MadeHands(clock), []

        async def farewell() -> None:
            acting.append((live.tenure.acting, hands.at_work))

        live = a_live(store, clock, hands, farewell=farewell)
        await live.run(quiet_within_seconds=10)
        assert acting == [(True, 0)]

    with_store(tmp_path, work)


def test_once_waits_for_what_rings_at_once_and_not_for_what_rings_later(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock = a_clock()
        hands = MadeHands(clock)

        def decide(world: World, event: Event) -> Decision:
            match event:
                case InstanceGone():
                    soon, late = (WakeAt(time=world.time + s, subject=f"after {s}") for s in (0, 3600))
                    return Decision(wakes=(soon, late))
                case Woken():
                    return Decision(wishes=(Wish(action=a_tagging(event.subject), reason=""),))
                case _:
                    return NOTHING

        live = a_live(store, clock, hands, core=Core([decide]), sources=[MadeSource([GONE])])
        assert (await live.run(quiet_within_seconds=10)).why is Why.QUIET
        assert hands.keys == ["after 0"]
        assert [wake.subject for wake in (await store.load()).wakes] == ["after 3600"]

    with_store(tmp_path, work)


def test_once_goes_on_while_an_undertaking_is_open_and_says_so_when_its_time_is_over(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock = a_clock()
        core = Core([deciding(Decision(undertakings=(a_swap(),)))])
        live = a_live(store, clock, MadeHands(clock), core=core, sources=[MadeSource([GONE])])
        ending = await live.run(quiet_within_seconds=0.3)
        assert ending == Ending(why=Why.LIMIT, open_undertakings=("swap 1",), waiting=())

    with_store(tmp_path, work)


# ---- time ----------------------------------------------------------------------------------------------------


def test_regions_are_looked_at_again_and_again_and_not_twice_at_once(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock = a_clock(speed=1000)
        looks: list[float] = []

        async def act(action: Action, attempt: int) -> Event:
            looks.append(clock.now())
            await clock.sleep_until(clock.now() + 90)
            return answer(action, clock.now())

        hands = MadeHands(clock, act)
        live = a_live(store, clock, hands, policy={"observe_seconds": 60.0})
        running = asyncio.create_task(live.run())
        await until(lambda: len(looks) == 4)
        live.stop()
        await running
        assert hands.at_work_max == 1
        assert all(later - earlier >= 90 for earlier, later in itertools.pairwise(looks))

    with_store(tmp_path, work)


def test_a_failed_wish_is_woken_when_its_pause_is_over_even_after_a_restart(tmp_path: Path) -> None:
    clock = a_clock()
    core = Core([wishing(a_tagging(), when=(InstanceGone, Woken))])

    async def first(store: SqliteStore) -> None:
        def act(action: Action, attempt: int) -> Event:
            raise Transient("slow down", code="Throttling", retry_after_seconds=30)

        live = a_live(store, clock, MadeHands(clock, act), core=core, sources=[MadeSource([GONE])])
        ending = await live.run(quiet_within_seconds=10)
        assert ending.waiting == (("tag web", "slow down"),)

    async def second(store: SqliteStore) -> None:
        hands = MadeHands(clock)
        live = a_live(store, clock, hands, core=core)
        running = asyncio.create_task(live.run())
        await until(lambda: bool(hands.done))
        assert hands.done == [(a_tagging(), 2)]
        live.stop()
        await running
        assert clock.now() >= NOON + 30
        assert (await store.load()).wakes == ()

    with_store(tmp_path, first)
    with_store(tmp_path, second)


def test_a_sender_of_tomorrow_does_not_move_our_time(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock = a_clock()
        source = MadeSource([replace(GONE, time=NOON + 86_400 * 365)])
        live = a_live(store, clock, MadeHands(clock), core=Core([]), sources=[source])
        await live.run(quiet_within_seconds=10)
        assert live.world.time <= clock.now()

    with_store(tmp_path, work)


def test_a_journal_of_tomorrow_does_not_move_our_time(tmp_path: Path) -> None:
    async def first(store: SqliteStore) -> None:
        clock = replace(a_clock(), start=NOON + 86_400 * 365)
        await a_live(store, clock, MadeHands(clock), core=Core([])).run(quiet_within_seconds=10)
        assert (await store.load()).world.time > NOON + 86_400

    async def second(store: SqliteStore) -> None:
        clock = a_clock()
        live = a_live(store, clock, MadeHands(clock), core=Core([]), sources=[MadeSource([GONE])])
        await live.run(quiet_within_seconds=10)
        assert live.world.time <= clock.now()
        assert (await store.load()).world.time <= clock.now()

    with_store(tmp_path, first)
    with_store(tmp_path, second)


# ---- stopping ------------------------------------------------------------------------------------------------


def test_a_stop_lets_what_is_under_way_finish_writes_it_down_and_begins_nothing(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock = a_clock()

        async def act(action: Action, attempt: int) -> Event:
            if isinstance(action, LaunchFleet):
                live.stop()
                await asyncio.sleep(0.1)
            return cloud(clock, "i-1")(action, attempt)

        hands = MadeHands(clock, act)
        source = MadeSource([NOTICE], endless=True)
        live = a_live(store, clock, hands, policy={"observe_seconds": 3600.0}, sources=[source])
        ending = await live.run()
        assert ending.why is Why.STOPPED
        (swap,) = await store.undertakings(ended=False)
        assert isinstance(swap, Swap)
        assert [clone.id for clone in swap.clones] == ["i-new"]
        assert not any(isinstance(action, RetireMember) for action, _ in hands.done)
        await store.lease(WHOLE_JOURNAL, this_process(), 60)

    async def next_start(store: SqliteStore) -> None:
        clock = a_clock()
        hands = MadeHands(clock, cloud(clock, "i-1"))
        ending = await a_live(store, clock, hands).run(quiet_within_seconds=10)
        assert ending.why is Why.QUIET
        assert [type(action) for action, _ in hands.done] == [RetireMember]

    with_store(tmp_path, work)
    with_store(tmp_path, next_start)


def test_a_stop_does_not_wait_for_ever(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock = a_clock()

        async def act(action: Action, attempt: int) -> Event:
            live.stop()
            await asyncio.sleep(3600)
            return done(action)

        core = Core([wishing(a_tagging(), when=InstanceGone)])
        live = a_live(
            store,
            clock,
            MadeHands(clock, act),
            core=core,
            sources=[MadeSource([GONE])],
            policy={"shutdown_seconds": 0.1},
        )
        assert (await live.run()).why is Why.STOPPED
        assert (await store.load()).world.wishes["tag web"].state == "asked"

    with_store(tmp_path, work)


def a_daemon(place: Path, seconds_at_work: float) -> Mortal:
    daemon = Mortal(run_as_a_daemon, place, seconds_at_work)
    assert daemon.word() == "at work"
    return daemon


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_daemon_once_what_is_under_way_is_finished(tmp_path: Path, number: signal.Signals) -> None:
    daemon = a_daemon(tmp_path, 0.3)
    daemon.send(number)
    assert (daemon.words(), daemon.ended()) == (["stopped"], 0)
    store = SqliteStore.to_read(tmp_path)
    assert not asyncio.run(store.load()).world.wishes
    asyncio.run(store.close())


def test_a_second_signal_ends_the_daemon_at_once_and_the_next_start_knows_what_is_in_doubt(tmp_path: Path) -> None:
    daemon = a_daemon(tmp_path, 3600)
    daemon.send(signal.SIGTERM)
    assert daemon.ended(0.3) is None
    daemon.send(signal.SIGTERM)
    assert daemon.ended() == 128 + signal.SIGTERM

    async def again(store: SqliteStore) -> None:
        assert (await store.load()).world.wishes["tag web"].state == "asked"
        clock = a_clock()
        hands = MadeHands(clock)
        core = Core([wishing(a_tagging(), when=Restarted)])
        await a_live(store, clock, hands, core=core).run(quiet_within_seconds=10)
        assert hands.keys == ["tag web"]

    with_store(tmp_path, again)


@pytest.mark.parametrize("killed_after", [1, 2])
def test_killed_after_any_deed_the_next_start_finishes_it_under_the_same_token(
    tmp_path: Path, killed_after: int
) -> None:
    assert Mortal(live_until_a_deed, tmp_path, killed_after).ended() == -signal.SIGKILL
    second = Mortal(live_until_a_deed, tmp_path, 0)
    assert (second.words(), second.ended()) == (["quiet"], 0)
    deeds = [tuple(deed) for deed in json.loads((tmp_path / "cloud.json").read_text())]
    assert len(deeds) == 3, "the deed that was not answered was not asked again, or another one was"
    assert deeds[killed_after - 1] == deeds[killed_after]
    assert [kind for kind, *_ in dict.fromkeys(deeds)] == ["launch-fleet", "retire-member"]
