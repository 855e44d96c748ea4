"""The asyncio shell around the core: events in by a bounded inbox, one consumer that thinks, deeds out.

The order within a turn (`turns`) is the whole of crash safety: think, write the pages, and only then start what was
asked and acknowledge the sources. Killed before the writing, nothing has happened and the messages come again; killed
after it, what was asked stands in the store and is in doubt at the next start.

The shell runs for ever (`spotward run`) or until nothing is left to do (`run --once`, `handle`). It never decides.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog

from spotward.engine.alarm import Alarm
from spotward.engine.core import Core
from spotward.engine.crew import Crew
from spotward.engine.feeds import feed, tick
from spotward.engine.inbox import SHELL, Inbox, Letter
from spotward.engine.live_policy import LivePolicy
from spotward.engine.ports import Clock, Hands, Lease, Owner, Source, Store
from spotward.engine.tenure import Tenure, TiedHands
from spotward.engine.turns import Listener, Turns
from spotward.model.decision import WakeAt
from spotward.model.event import Event, Restarted, Woken
from spotward.model.world import World

POLL_SECONDS = 0.05
"""How often it is looked whether anything is left to do, where that ends the run."""

SOON_SECONDS = 5.0
"""Who asked to be woken so soon is at work (a rescue gathers notices for a moment), and not waiting for better days."""

ACKNOWLEDGING_SECONDS_MAX = 5.0
"""How long a stopping shell waits for acknowledgements under way."""

log = structlog.get_logger()


class Why(StrEnum):
    """Why a run ended."""

    STOPPED = "stopped"
    """It was asked to stop."""
    QUIET = "quiet"
    """Nothing was left to do."""
    LIMIT = "limit"
    """The time given to it was over while something was left to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How a run ended, and what it leaves to the next one."""

    why: Why
    open_undertakings: tuple[str, ...]
    """Keys of what was begun and is not finished."""
    waiting: tuple[tuple[str, str], ...]
    """(key, reason) of wishes that failed and wait to be asked again; (group, reason) where a swap came to nothing."""


class Live:
    """The running engine. What it shows may be read at any time from the same loop."""

    def __init__(
        self,
        *,
        core: Core,
        store: Store,
        hands: Hands,
        clock: Clock,
        owner: Owner,
        sources: Sequence[Source] = (),
        regions: Sequence[str] = (),
        policy: LivePolicy | None = None,
        listeners: Sequence[Listener] = (),
        farewell: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """farewell: what the hands have to put away, done last of all while this process may still act."""
        self.policy = policy or LivePolicy()
        self.clock = clock
        self.regions = tuple(regions)
        self.inbox = Inbox(self.policy.inbox_max)
        self.tenure = Tenure(store, owner, self.policy)
        self.crew = Crew(TiedHands(hands, self.tenure), clock, self.policy, self._answer)
        self.alarm = Alarm(clock, self._ring)
        self.turns = Turns(
            core=core,
            store=store,
            clock=clock,
            policy=self.policy,
            alarm=self.alarm,
            crew=self.crew,
            listeners=listeners,
        )
        self.source_troubles: dict[str, str] = {}
        """Name of a source → why it cannot be heard now."""
        self.source_heard: dict[str, float] = {}
        """Name of a source → when it last said anything, even that there is nothing; first, when it was begun."""
        self._store = store
        self._farewell = farewell
        self._sources = tuple(sources)
        self._stopping = asyncio.Event()
        self._feeds: list[asyncio.Task[None]] = []
        self._rhythm: list[asyncio.Task[None]] = []
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def world(self) -> World:
        """All that we know, as it is stored."""
        return self.turns.world

    def stop(self) -> None:
        """End the run soon: hear nothing new, let what is under way finish, and leave the rest to the next start."""
        self._stopping.set()

    async def run(self, *, quiet_within_seconds: float | None = None, signals: bool = False) -> Ending:
        """Run until stopped; or, given a limit (wall seconds), until nothing is left to do.

        "Nothing left" means: every source is exhausted, no event waits, nothing is under way, no undertaking is open,
        nobody wonders who set a desired capacity, and nothing rings at once. Pauses of failed wishes and of groups are
        left to the next run, and a source without an end does not belong into such a run. `signals`: stop at SIGTERM
        and SIGINT, end at once at the second.

        Raises LeaseHeld at the start, unless the policy is to wait, StaleLease as soon as another process has taken the
        journal, and whatever fault there is in the shell itself.
        """
        with _stopped_by_signals(self.stop) if signals else nullcontext():
            lease = await self._granted()
            if lease is None:
                return self._ending(Why.STOPPED)
            try:
                await self._begin(lease)
                why = await self._until_ended(quiet_within_seconds)
                await self._wind_down()
                if self._farewell is not None:
                    await self._farewell()
            finally:
                await _cancelled([*self._feeds, *self._rhythm, *self._keepers])
                await self.crew.cut_off()
                await self.turns.all_acknowledged(ACKNOWLEDGING_SECONDS_MAX)
                await self.tenure.end()
        return self._ending(why)

    # ---- the parts of a run ----------------------------------------------------------------------------------

    async def _granted(self) -> Lease | None:
        """The lease, waited for; None if we were asked to stop first."""
        stopped, granted = asyncio.create_task(self._stopping.wait()), asyncio.create_task(self.tenure.begin())
        try:
            await asyncio.wait({stopped, granted}, return_when=asyncio.FIRST_COMPLETED)
            return granted.result() if granted.done() else None
        finally:
            await _cancelled([stopped, granted])

    async def _begin(self, lease: Lease) -> None:
        self._keepers = [asyncio.create_task(self.tenure.keep())]
        remembered = await self._store.load()
        await self.turns.begin(lease, remembered)
        await self.inbox.put(Letter(event=Restarted(time=self.clock.now()), sender=SHELL))
        self.alarm.set(remembered.wakes)
        self._keepers.append(asyncio.create_task(self._consume()))
        self._rhythm = [asyncio.create_task(self.alarm.run())]
        if self.regions and self.policy.observe_seconds > 0:
            ticking = tick(self.inbox, self.clock, self.regions, self.policy.observe_seconds)
            self._rhythm.append(asyncio.create_task(ticking))
        self._feeds = [
            asyncio.create_task(
                feed(source, self.inbox, self.clock, self.policy, self.source_troubles, self.source_heard)
            )
            for source in self._sources
        ]

    async def _consume(self) -> None:
        while True:
            letters = await self.inbox.take(self.policy.batch_max)
            await self.turns.take(letters)
            self.inbox.dealt_with(len(letters))

    async def _until_ended(self, quiet_within_seconds: float | None) -> Why:
        ends: dict[asyncio.Task[Any], Why] = {asyncio.create_task(self._stopping.wait()): Why.STOPPED}
        if quiet_within_seconds is not None:
            ends[asyncio.create_task(self._quiet())] = Why.QUIET
        watched = [*ends, *self._keepers, *self._rhythm]
        try:
            done, _ = await asyncio.wait(watched, timeout=quiet_within_seconds, return_when=asyncio.FIRST_COMPLETED)
            self._raise_faults()
            return next((why for task, why in ends.items() if task in done), Why.LIMIT)
        finally:
            await _cancelled(ends)

    async def _quiet(self) -> None:
        while not self._nothing_left():  # noqa: ASYNC110 - else five parts would each have to tell that they are idle
            await asyncio.sleep(POLL_SECONDS)

    def _nothing_left(self) -> bool:
        return (
            all(each.done() for each in self._feeds)
            and self.inbox.open == 0
            and self.crew.idle
            and not self.world.open_undertakings
            and not self.world.surprises
            and not self.alarm.rings_by(self.clock.now() + SOON_SECONDS)
        )

    async def _wind_down(self) -> None:
        """Hear nothing new; let what is under way answer, and write that down; start nothing."""
        await _cancelled([*self._feeds, *self._rhythm])
        self.turns.acting = False
        try:
            async with asyncio.timeout(self.policy.shutdown_seconds):
                while self.inbox.open or not self.crew.idle:
                    self._raise_faults()
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            cut_off = await self.crew.cut_off()
            log.warning("cut off; the next start finds out what came of it", under_way=cut_off)

    def _raise_faults(self) -> None:
        """A keeper runs for ever; if one has ended, it was by a fault."""
        for task in [*self._keepers, *self._rhythm]:
            if task.done() and not task.cancelled():
                task.result()

    def _ending(self, why: Why) -> Ending:
        world = self.world
        failed = [(key, wish.reason) for key, wish in world.wishes.items() if wish.state == "failed"]
        paused = [(group, pause.reason) for group, pause in world.pauses.items() if pause.until > world.time]
        waiting = tuple(sorted([*failed, *paused]))
        return Ending(
            why=why, open_undertakings=tuple(sorted(each.key for each in world.open_undertakings)), waiting=waiting
        )

    # ---- what comes from inside ------------------------------------------------------------------------------

    async def _answer(self, event: Event) -> None:
        await self.inbox.put(Letter(event=event, sender=SHELL))

    async def _ring(self, subject: str, wakes: tuple[WakeAt, ...]) -> None:
        await self.inbox.put(Letter(event=Woken(time=self.clock.now(), subject=subject), sender=SHELL, woken=wakes))


async def _cancelled(tasks: Iterable[asyncio.Task[object]]) -> None:
    """Cancel, and wait until each has let go. What they raised was raised already, or is of no interest any more."""
    every = list(tasks)
    for task in every:
        task.cancel()
    await asyncio.gather(*every, return_exceptions=True)


@contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and SIGINT stop; a second one ends the process at once, which is safe at any moment."""
    loop = asyncio.get_running_loop()
    asked: list[signal.Signals] = []

    def heard(number: signal.Signals) -> None:
        if asked:
            log.warning("ended at once", signal=number.name)
            os._exit(128 + number)
        asked.append(number)
        log.info("stopping; a second signal ends at once", signal=number.name)
        stop()

    handled = (signal.SIGTERM, signal.SIGINT)
    for number in handled:
        loop.add_signal_handler(number, heard, number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
