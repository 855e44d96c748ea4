"""What every store must do: the tests of `spotward.engine.ports.Store`.

A store's own test module subclasses `StoreContract` and says how one is opened. Two calls of `open_store` with one
`place` open the same store, one after the other: that is how a restart looks.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from spotward.engine.core import Core, Step
from spotward.engine.journal_rows import Retention
from spotward.engine.ports import WHOLE_JOURNAL, Entry, Lease, Owner, SetAside, Store
from spotward.model.decision import Decision, GroupPause, Verdict, WakeAt
from spotward.model.errors import LeaseHeld, StaleLease
from spotward.model.event import Event, InterruptionNoticed, RegionObserved, Tick, Woken
from spotward.model.world import Pause, World
from tests.engine.made import (
    NOON,
    PRODUCT,
    REGION,
    WEB,
    a_group,
    a_launch,
    a_swap,
    a_tagging,
    answer,
    deciding,
    failed,
    noting,
    seen,
    wishing,
)
from tests.hand_clock import HandClock

Answer = TypeVar("Answer")
ALICE = Owner(host="one", pid=1, instance="a")
BOB = Owner(host="two", pid=2, instance="b")


def wait(work: Coroutine[Any, Any, Answer]) -> Answer:
    return asyncio.run(work)


class Journal:
    """A store that is written through a core, as the shell does it."""

    def __init__(self, store: Store, core: Core, world: World | None = None, next_page: int = 1) -> None:
        self.store, self.core = store, core
        self.world, self.next_page = world or World(), next_page

    async def think(self, lease: Lease, *events: Event, woken: tuple[WakeAt, ...] = ()) -> list[Step]:
        entries = []
        for event in events:
            step = self.core.step(self.world, event, page_number=self.next_page)
            entries.append(Entry(event=event, step=step, woken=woken))
            self.world = step.world
            self.next_page += step.page is not None
        await self.store.commit(lease, entries)
        return [entry.step for entry in entries]


NOTICE = InterruptionNoticed(time=NOON, region=REGION, instance_id="i-1", deadline=NOON + 120)


class StoreContract:
    """Subclass it, and say how a store is opened."""

    def open_store(self, place: Path, clock: HandClock, retention: Retention | None = None) -> Store:
        raise NotImplementedError

    @pytest.fixture
    def clock(self) -> HandClock:
        return HandClock(NOON)

    def using(self, place: Path, clock: HandClock, work: Any) -> Any:
        """Open, work, close."""

        async def whole() -> Any:
            store = self.open_store(place, clock)
            try:
                return await work(store)
            finally:
                await store.close()

        return wait(whole())

    # ---- leases ----------------------------------------------------------------------------------------------

    def test_a_lease_is_given_to_one_owner_at_a_time(self, tmp_path: Path, clock: HandClock) -> None:
        async def work(store: Store) -> None:
            await store.lease(WHOLE_JOURNAL, ALICE, 60)
            with pytest.raises(LeaseHeld, match="process 1 on one"):
                await store.lease(WHOLE_JOURNAL, BOB, 60)
            await store.lease("us-east-1/web", BOB, 60)

        self.using(tmp_path, clock, work)

    def test_each_grant_has_a_higher_fence_and_shuts_out_the_one_before(self, tmp_path: Path, clock: HandClock) -> None:
        async def work(store: Store) -> None:
            first = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            clock.time += 61
            second = await store.lease(WHOLE_JOURNAL, BOB, 60)
            assert second.fence > first.fence
            journal = Journal(store, Core([deciding(noting())]))
            with pytest.raises(StaleLease):
                await journal.think(first, Tick(time=NOON))
            with pytest.raises(StaleLease):
                await store.renew(first, 60)
            with pytest.raises(StaleLease):
                await store.snapshot(first, World(), 1)
            await store.release(first)
            assert await store.pages() == ()
            await store.renew(second, 60)
            with pytest.raises(LeaseHeld):
                await store.lease(WHOLE_JOURNAL, ALICE, 60)

        self.using(tmp_path, clock, work)

    def test_fences_go_on_rising_after_a_release_and_a_restart(self, tmp_path: Path, clock: HandClock) -> None:
        fences = []
        for _ in range(3):

            async def work(store: Store) -> None:
                lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
                fences.append(lease.fence)
                await store.release(lease)
                with pytest.raises(StaleLease):
                    await store.commit(lease, [])

            self.using(tmp_path, clock, work)
        assert fences == sorted(set(fences))

    def test_a_renewed_lease_holds_longer(self, tmp_path: Path, clock: HandClock) -> None:
        async def work(store: Store) -> None:
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            clock.time += 50
            lease = await store.renew(lease, 60)
            clock.time += 50
            with pytest.raises(LeaseHeld):
                await store.lease(WHOLE_JOURNAL, BOB, 60)
            clock.time += 11
            await store.lease(WHOLE_JOURNAL, BOB, 60)

        self.using(tmp_path, clock, work)

    def test_an_expired_lease_may_write_until_somebody_takes_it(self, tmp_path: Path, clock: HandClock) -> None:
        async def work(store: Store) -> None:
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            clock.time += 600
            await Journal(store, Core([deciding(noting())])).think(lease, Tick(time=NOON))
            assert len(await store.pages()) == 1

        self.using(tmp_path, clock, work)

    # ---- a commit --------------------------------------------------------------------------------------------

    def test_an_empty_store_remembers_nothing(self, tmp_path: Path, clock: HandClock) -> None:
        async def work(store: Store) -> None:
            remembered = await store.load()
            assert (remembered.world, remembered.next_page, remembered.wakes) == (World(), 1, ())
            assert await store.recording() is None

        self.using(tmp_path, clock, work)

    def test_memory_survives_a_restart_and_observations_do_not(self, tmp_path: Path, clock: HandClock) -> None:
        pause = Pause(until=NOON + 60, failures=2, reason="no capacity")
        core = Core(
            [
                *PRODUCT,
                wishing(a_tagging(group="api"), when=Tick),
                deciding(
                    Decision(
                        pauses=(GroupPause(subject="us-east-1/api", pause=pause),),
                        verdicts=(Verdict(subject="i-9", text="is kept"),),
                    )
                ),
            ]
        )

        async def live(store: Store) -> World:
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            journal = Journal(store, core)
            await journal.think(lease, Tick(time=NOON, regions=(REGION,)), seen(a_group("i-1")), NOTICE)
            await journal.think(lease, failed(a_tagging(group="api"), NOON + 1))
            return journal.world

        async def again(store: Store) -> None:
            remembered = await store.load()
            for name in ("wishes", "launches", "pools", "dooms", "pauses", "verdicts", "swaps"):
                assert getattr(remembered.world, name) == getattr(world, name), name
                assert getattr(world, name), f"the test shows nothing about {name}"
            assert remembered.world.time == NOON + 1
            assert not remembered.world.groups
            assert not remembered.world.instances
            assert not remembered.world.observed
            assert remembered.next_page > 1

        world = self.using(tmp_path, clock, live)
        self.using(tmp_path, clock, again)

    def test_what_was_asked_stands_in_full_until_its_outcome_is_known(self, tmp_path: Path, clock: HandClock) -> None:
        async def live(store: Store) -> None:
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            await Journal(store, Core([wishing(a_launch())])).think(lease, Tick(time=NOON))

        async def again(store: Store) -> None:
            remembered = await store.load()
            assert remembered.world.wishes["launch 1"].action == a_launch()
            assert remembered.world.launches["launch 1"].action == a_launch()
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            journal = Journal(store, Core([]), remembered.world, remembered.next_page)
            await journal.think(lease, answer(a_launch(), NOON + 1))
            left = (await store.load()).world
            assert not left.wishes
            assert not left.launches

        self.using(tmp_path, clock, live)
        clock.time += 61
        self.using(tmp_path, clock, again)

    def test_what_is_taken_back_is_gone_from_memory(self, tmp_path: Path, clock: HandClock) -> None:
        async def work(store: Store) -> None:
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            said = Decision(
                verdicts=(Verdict(subject="i-9", text="is kept"),),
                pauses=(GroupPause(subject=WEB, pause=Pause(until=NOON, failures=1, reason="dry")),),
            )
            back = Decision(
                verdicts=(Verdict(subject="i-9", text=None),), pauses=(GroupPause(subject=WEB, pause=None),)
            )
            journal = Journal(store, Core([deciding(said, back)]))
            await journal.think(lease, Tick(time=NOON))
            assert (await store.load()).world.verdicts.get("i-9") == "is kept"
            await journal.think(lease, Tick(time=NOON))
            world = (await store.load()).world
            assert not world.verdicts
            assert not world.pauses

        self.using(tmp_path, clock, work)

    def test_a_commit_is_whole_or_not_at_all(self, tmp_path: Path, clock: HandClock) -> None:
        async def work(store: Store) -> None:
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            journal = Journal(store, Core([deciding(replace(noting(), undertakings=(a_swap(),)))]))
            unwritable = replace(NOTICE, instance_id="i-\ud800")
            with pytest.raises(ValueError, match="surrogates"):
                await journal.think(lease, Tick(time=NOON), unwritable)
            assert await store.pages() == ()
            assert await store.undertakings() == ()
            assert (await store.load()).next_page == 1

        self.using(tmp_path, clock, work)

    # ---- reading ---------------------------------------------------------------------------------------------

    def test_pages_come_newest_first_by_subject_and_from_a_number_down(self, tmp_path: Path, clock: HandClock) -> None:
        async def work(store: Store) -> None:
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            journal = Journal(store, Core([deciding(noting())]))
            notices = [replace(NOTICE, time=NOON + n, instance_id=f"i-{n % 2}") for n in range(6)]
            steps = await journal.think(lease, *notices)
            pages = [step.page for step in steps][::-1]
            assert list(await store.pages()) == pages
            assert list(await store.pages(limit=2)) == pages[:2]
            assert [page.number for page in await store.pages(subject="i-0")] == [5, 3, 1]
            assert [page.number for page in await store.pages(subject="i-0", before=5, limit=1)] == [3]
            assert await store.pages(subject="i-7") == ()

        self.using(tmp_path, clock, work)

    def test_undertakings_are_found_by_subject_and_by_whether_they_ended(
        self, tmp_path: Path, clock: HandClock
    ) -> None:
        first, second = a_swap("swap 1"), a_swap("swap 2", group="api", born=NOON + 1)
        ended = replace(first, ended="replaced", ended_time=NOON + 5)

        async def work(store: Store) -> None:
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            core = Core([deciding(Decision(undertakings=(first, second)), Decision(undertakings=(ended,)))])
            await Journal(store, core).think(lease, Tick(time=NOON), Tick(time=NOON + 5))
            assert await store.undertakings() == (second, ended)
            assert await store.undertakings(ended=False) == (second,)
            assert await store.undertakings(ended=True) == (ended,)
            assert await store.undertakings(subject=WEB) == (ended,)
            assert await store.undertakings(subject=WEB, ended=False) == ()
            assert await store.undertakings(limit=1) == (second,)
            assert set((await store.load()).world.swaps.by_key) == {"swap 2"}

        self.using(tmp_path, clock, work)

    def test_only_so_many_ended_undertakings_are_kept_and_every_open_one(
        self, tmp_path: Path, clock: HandClock
    ) -> None:
        ended = tuple(a_swap(f"swap {n}", ended="done", ended_time=NOON + n, born=NOON - n) for n in range(9))
        opened = tuple(a_swap(f"open {n}") for n in range(5))

        async def work() -> None:
            store = self.open_store(tmp_path, clock, Retention(undertakings_max=3))
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            journal = Journal(store, Core([deciding(Decision(undertakings=(*ended, *opened)))]))
            await journal.think(lease, Tick(time=NOON + 9))
            await store.snapshot(lease, journal.world, journal.next_page)
            assert {each.key for each in await store.undertakings(ended=True)} == {"swap 6", "swap 7", "swap 8"}
            assert len(await store.undertakings(ended=False)) == 5
            await store.close()

        wait(work())

    def test_what_could_not_be_read_is_kept_for_a_person(self, tmp_path: Path, clock: HandClock) -> None:
        async def work(store: Store) -> None:
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            every = [SetAside(time=NOON + n, source="queue", reason=f"not JSON {n}") for n in range(3)]
            await store.commit(lease, [], every)
            assert list(await store.unreadable()) == every[::-1]
            assert list(await store.unreadable(limit=1)) == every[2:]

        self.using(tmp_path, clock, work)

    # ---- waking again ----------------------------------------------------------------------------------------

    def test_wakes_are_found_by_another_process_until_they_are_fulfilled(
        self, tmp_path: Path, clock: HandClock
    ) -> None:
        wakes = tuple(WakeAt(time=NOON + t, subject=WEB) for t in (30, 10, 20))

        async def live(store: Store) -> None:
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            await Journal(store, Core([deciding(Decision(wakes=wakes))])).think(lease, Tick(time=NOON), Tick(time=NOON))

        async def again(store: Store) -> None:
            earliest = tuple(sorted(wakes, key=lambda wake: wake.time))
            assert (await store.load()).wakes == earliest
            assert await store.due_wakes(NOON + 20) == earliest[:2]
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            journal = Journal(store, Core([]))
            await journal.think(lease, Woken(time=NOON + 20, subject=WEB), woken=earliest[:2])
            assert (await store.load()).wakes == earliest[2:]

        self.using(tmp_path, clock, live)
        clock.time += 61
        self.using(tmp_path, clock, again)

    def test_a_wake_that_is_asked_for_again_by_the_event_that_fulfils_it_is_kept(
        self, tmp_path: Path, clock: HandClock
    ) -> None:
        wake = WakeAt(time=NOON + 10, subject=WEB)

        async def work(store: Store) -> None:
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            journal = Journal(store, Core([deciding(Decision(wakes=(wake,)))]))
            await journal.think(lease, Woken(time=NOON + 10, subject=WEB), woken=(wake,))
            assert (await store.load()).wakes == (wake,)

        self.using(tmp_path, clock, work)

    # ---- snapshots -------------------------------------------------------------------------------------------

    def test_a_recording_is_the_world_at_a_snapshot_and_every_input_since(
        self, tmp_path: Path, clock: HandClock
    ) -> None:
        async def work(store: Store) -> None:
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            journal = Journal(store, Core(PRODUCT))
            big = seen(*(a_group(*(f"i-{g}-{n}" for n in range(20)), name=f"g{g}") for g in range(20)))
            await journal.think(lease, big)
            await store.snapshot(lease, journal.world, journal.next_page)
            before, number = journal.world, journal.next_page
            events = (seen(a_group("i-1")), NOTICE, Tick(time=NOON + 1))
            steps = await journal.think(lease, *events)
            recording = await store.recording()
            assert recording is not None
            assert recording.world == before
            assert recording.next_page == number
            assert [entry.event for entry in recording.inputs] == list(events)
            assert [entry.page for entry in recording.inputs] == [step.page for step in steps]

        self.using(tmp_path, clock, work)

    def test_a_great_observation_is_read_as_it_was_written(self, tmp_path: Path, clock: HandClock) -> None:
        big = seen(*(a_group(*(f"i-{g}-{n}" for n in range(20)), name=f"g{g}") for g in range(50)))

        async def work(store: Store) -> RegionObserved:
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            await store.snapshot(lease, World(), 1)
            await Journal(store, Core([])).think(lease, big)
            recording = await store.recording()
            assert recording is not None
            event = recording.inputs[0].event
            assert isinstance(event, RegionObserved)
            return event

        assert self.using(tmp_path, clock, work) == big

    def test_a_snapshot_without_inputs_after_it_does_not_hide_the_recording_before_it(
        self, tmp_path: Path, clock: HandClock
    ) -> None:
        async def work(store: Store) -> None:
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            journal = Journal(store, Core(PRODUCT))
            await store.snapshot(lease, journal.world, 1)
            await journal.think(lease, Tick(time=NOON))
            await store.snapshot(lease, journal.world, journal.next_page)
            recording = await store.recording()
            assert recording is not None
            assert [entry.event for entry in recording.inputs] == [Tick(time=NOON)]

        self.using(tmp_path, clock, work)
