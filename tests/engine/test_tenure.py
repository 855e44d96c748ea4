"""Whose turn it is: waiting, renewing, and stopping in time. The lease itself is made by hand here."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from spotward.engine.live import Why
from spotward.engine.live_policy import LivePolicy
from spotward.engine.ports import Lease, Owner
from spotward.engine.store import SqliteStore
from spotward.engine.tenure import Tenure, TiedHands
from spotward.model.action import ObserveRegion
from spotward.model.errors import LeaseHeld, StaleLease, Transient
from spotward.model.event import Event
from tests.engine.living import MadeHands, a_clock, a_live, until, with_store
from tests.engine.made import REGION, a_launch
from tests.engine.store_contract import ALICE, BOB

QUESTION = ObserveRegion(region=REGION)
QUICK = LivePolicy(lease_seconds=0.2, standby_seconds=0.01)


@dataclass
class Turnstile:
    """Gives one lease, as the test says."""

    held_by: Owner | None = None
    away: bool = False
    certain: bool = True
    renewals: int = 0
    released: list[Lease] = field(default_factory=list)

    async def lease(self, subject: str, owner: Owner, ttl_seconds: float) -> Lease:
        self._answer()
        if self.held_by not in {None, owner}:
            raise LeaseHeld(f"the {subject} is held by another")
        self.held_by = owner
        return Lease(subject=subject, owner=owner, fence=1, expires_time=ttl_seconds)

    async def renew(self, lease: Lease, ttl_seconds: float) -> Lease:
        self._answer()
        if self.held_by != lease.owner:
            raise StaleLease("it is another's")
        assert ttl_seconds == QUICK.lease_seconds
        self.renewals += 1
        self.certain = True
        return lease

    async def release(self, lease: Lease) -> None:
        self._answer()
        self.released.append(lease)

    def may_act(self, lease: Lease) -> bool:
        return self.certain and self.held_by == lease.owner

    def _answer(self) -> None:
        if self.away:
            raise Transient("nobody answers", code="StoreUnavailable")


def a_tenure(**how: Any) -> tuple[Turnstile, Tenure]:
    store = Turnstile(**how)
    return store, Tenure(store, ALICE, QUICK)


def waits(tenure: Tenure) -> bool:
    return tenure.standby is not None


def play(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


def test_whoever_finds_the_lease_taken_waits_for_it_and_says_for_whom() -> None:
    async def work() -> None:
        store, tenure = a_tenure(held_by=BOB)
        waiting = asyncio.create_task(tenure.begin())
        await until(lambda: tenure.standby is not None)
        assert tenure.standby == "the journal is held by another"
        assert (tenure.trouble, tenure.acting) == (None, False)
        store.held_by = None
        assert (await waiting).owner == ALICE
        assert tenure.acting
        assert not waits(tenure)

    play(work)


def test_a_store_that_cannot_be_reached_is_waited_for_and_is_a_trouble() -> None:
    async def work() -> None:
        store, tenure = a_tenure(away=True)
        waiting = asyncio.create_task(tenure.begin())
        await until(lambda: tenure.trouble is not None)
        assert tenure.trouble == "nobody answers"
        store.away = False
        await waiting
        assert tenure.trouble is None

    play(work)


@pytest.mark.parametrize(("how", "error"), [({"held_by": BOB}, LeaseHeld), ({"away": True}, Transient)])
def test_where_nobody_is_to_wait_the_reason_is_told_at_once(how: Any, error: type[Exception]) -> None:
    async def work() -> None:
        with pytest.raises(error):
            await Tenure(Turnstile(**how), ALICE, LivePolicy()).begin()

    play(work)


def test_a_deed_is_not_begun_while_the_lease_is_uncertain_and_is_once_it_was_renewed() -> None:
    async def work() -> None:
        store, tenure = a_tenure()
        clock = a_clock()
        hands = MadeHands(clock)
        tied = TiedHands(hands, tenure)
        await tenure.begin()
        store.away, store.certain = True, False
        keeping = asyncio.create_task(tenure.keep())
        deed: asyncio.Task[Event] = asyncio.create_task(tied.do(a_launch(), 1))
        await until(lambda: tenure.trouble is not None)
        await tied.do(QUESTION, 1)
        assert hands.keys == [QUESTION.key], "a question may be asked at any time, a deed may not"
        store.away = False
        await deed
        assert hands.keys == [QUESTION.key, a_launch().key]
        assert tenure.trouble is None
        keeping.cancel()

    play(work)


def test_a_lease_that_another_was_given_ends_the_turn_and_its_deeds_are_never_begun() -> None:
    async def work() -> None:
        store, tenure = a_tenure()
        hands = MadeHands(a_clock())
        await tenure.begin()
        store.held_by = BOB
        deed: asyncio.Task[Event] = asyncio.create_task(TiedHands(hands, tenure).do(a_launch(), 1))
        with pytest.raises(StaleLease):
            await tenure.keep()
        deed.cancel()
        await asyncio.gather(deed, return_exceptions=True)
        assert hands.done == []

    play(work)


def test_a_lease_is_renewed_several_times_in_its_length_and_given_back_at_the_end() -> None:
    async def work() -> None:
        store, tenure = a_tenure()
        lease = await tenure.begin()
        keeping = asyncio.create_task(tenure.keep())
        await until(lambda: store.renewals >= 3)
        keeping.cancel()
        await tenure.end()
        assert store.released == [lease]
        store.away = True
        await tenure.end()

    play(work)


def test_a_run_that_stands_by_can_be_stopped(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        clock = a_clock()
        live = a_live(store, clock, MadeHands(clock), policy={"standby_seconds": 0.01})
        taken = Turnstile(held_by=BOB)
        live.tenure = Tenure(taken, ALICE, live.policy)
        running = asyncio.create_task(live.run())
        await until(lambda: live.tenure.standby is not None)
        live.stop()
        assert (await running).why is Why.STOPPED
        assert taken.held_by == BOB

    with_store(tmp_path, work)
