"""Processes to be stopped and killed.

They are forked from a server that has loaded everything already, so that each begins in an instant; and what they do is
code like any other, not a text. What a process has to tell goes through a pipe, a word at a time.
"""

import asyncio
import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from spotward.engine.core import Core
from spotward.engine.log import set_up
from spotward.engine.ports import WHOLE_JOURNAL
from spotward.engine.store import SqliteStore, this_process
from spotward.model.action import Action, ObserveRegion
from spotward.model.decision import Decision, WakeAt
from spotward.model.event import Event, InstanceGone, InterruptionNoticed, Tick
from spotward.model.world import World
from tests.engine.living import MadeHands, MadeSource, a_clock, a_live
from tests.engine.made import NOON, REGION, WEB, a_group, a_swap, a_tagging, answer, done, noting, seen, wishing
from tests.engine.store_contract import Journal

PATIENCE_SECONDS = 90.0

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["pytest", __name__])


class Mortal:
    """A process at work."""

    def __init__(self, work: Callable[..., None], *words: Any) -> None:
        self._heard, told = FORKS.Pipe(duplex=False)
        self._process = FORKS.Process(target=work, args=(told, *words))
        self._process.start()
        told.close()

    def word(self) -> Any:
        """The next thing that it tells; None when it is over."""
        if not self._heard.poll(PATIENCE_SECONDS):
            raise TimeoutError("it says nothing")
        try:
            return self._heard.recv()
        except EOFError:
            return None

    def words(self) -> list[Any]:
        """All that it still has told, once it is over."""
        return list(iter(self.word, None))

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def ended(self, within_seconds: float = PATIENCE_SECONDS) -> int | None:
        """How it ended, as `subprocess` would say it; None while it has not."""
        self._process.join(within_seconds)
        return self._process.exitcode


# ---- what they do --------------------------------------------------------------------------------------------


def write_for_ever(told: "Connection[Any, Any]", place: Path) -> None:
    """Pages, a swap and wakes, three events in a commit; the number of the last page that is written is told."""

    def decide(_world: World, event: Event) -> Decision:
        count = int(event.time - NOON)
        wake = WakeAt(time=event.time + 1000, subject=WEB)
        return replace(noting(f"number {count}"), undertakings=(a_swap(desired_seen=count),), wakes=(wake,))

    async def work() -> None:
        store = SqliteStore.to_write(place)
        lease = await store.lease(WHOLE_JOURNAL, this_process(), 3600)
        remembered = await store.load()
        journal = Journal(store, Core([decide]), remembered.world, remembered.next_page)
        await store.snapshot(lease, journal.world, journal.next_page)
        while True:
            await journal.think(lease, *(Tick(time=NOON + journal.next_page + n) for n in range(3)))
            told.send(journal.next_page - 1)
            if journal.next_page % 10 == 0:
                await store.snapshot(lease, journal.world, journal.next_page)

    asyncio.run(work())


def run_as_a_daemon(told: "Connection[Any, Any]", place: Path, seconds_at_work: float) -> None:
    """One deed that takes so long; then idle, until a signal comes."""

    async def act(action: Action, _attempt: int) -> Event:
        told.send("at work")
        await asyncio.sleep(seconds_at_work)
        return done(action)

    async def work() -> None:
        store, clock = SqliteStore.to_write(place), a_clock()
        core = Core([wishing(a_tagging(), when=InstanceGone)])
        source = MadeSource([InstanceGone(time=NOON, region=REGION, instance_id="i-1")], endless=True)
        live = a_live(store, clock, MadeHands(clock, act), core=core, sources=[source])
        ending = await live.run(signals=True)
        await store.close()
        told.send(str(ending.why))

    set_up()
    asyncio.run(work())


def live_until_a_deed(told: "Connection[Any, Any]", place: Path, lives: int) -> None:
    """A swap after a notice, killed as soon as that many deeds were done; 0 lives on. The cloud is a file."""
    file, clock = place / "cloud.json", a_clock()
    deeds = json.loads(file.read_text()) if file.exists() else []
    first = not deeds

    def act(action: Action, attempt: int) -> Event:
        if isinstance(action, ObserveRegion):
            return replace(seen(a_group("i-1"), time=clock.now()), key=action.key)
        deeds.append([action.kind, action.key, attempt])
        file.write_text(json.dumps(deeds))
        if len(deeds) == lives:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer(action, clock.now())

    async def work() -> None:
        store = SqliteStore.to_write(place / "state")
        notice = InterruptionNoticed(time=NOON, region=REGION, instance_id="i-1", deadline=NOON + 120)
        source, observe_seconds = MadeSource([notice] if first else []), 3600.0 if first else 0.0
        live = a_live(
            store, clock, MadeHands(clock, act), sources=[source], policy={"observe_seconds": observe_seconds}
        )
        ending = await live.run(quiet_within_seconds=10)
        await store.close()
        told.send(str(ending.why))

    set_up()
    asyncio.run(work())
