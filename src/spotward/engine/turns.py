"""The turns of the consumer: think about what waits, write it down, and only then act and acknowledge.

A turn takes all letters that wait (up to a limit), so that one sync to the disk serves a whole burst. A fault of ours
in thinking about one event sets that event aside and goes on: the others are not held up, and a message that breaks us
does not break us again after each restart.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

import structlog

from spotward.engine.alarm import Alarm
from spotward.engine.codec import EVENTS
from spotward.engine.core import Core, Step
from spotward.engine.crew import UNEXPECTED, Crew
from spotward.engine.inbox import SHELL, Letter
from spotward.engine.live_policy import LivePolicy
from spotward.engine.ports import Clock, Entry, Lease, Remembered, SetAside, Store, nothing_to_acknowledge
from spotward.model.errors import OutsideError, PayloadError, Transient
from spotward.model.event import Event, Failed, Restarted
from spotward.model.flow_event import Occurred
from spotward.model.histogram import Histogram
from spotward.model.units import moment
from spotward.model.world import World

Listener = Callable[[Event, Step], None]
"""Told of each step once it is stored: for progress lines, the log, counters. It must be quick and must not act."""

ACKNOWLEDGING_AT_ONCE_MAX = 160
"""How many acknowledgements are under way at once. A queue gathers them, ten to a call: that is a call for each of the
sixteen threads that AWS is asked by, and a storm of notices is not held up by its own acknowledgements."""

ACKNOWLEDGING_WAITING_MAX = 1_000
"""How many may wait; beyond that the consumer waits for them, and with it the sources."""

BREATH = 8
"""After so many events in a row the loop has a turn: deeds that are under way are not to wait for a whole burst to be
thought about, and an API server that has answered them all stands idle."""

THINK_SECONDS = 0.01
"""A turn thinks no longer than this, or than its last commit took, before it writes: who waits to hear that something
is stored waits for two turns at most. On a disk that is a tenth of what a person notices; over a slow store the commits
are larger, so that there is not more writing than thinking."""

WRITE_PAUSE_FIRST_SECONDS = 1.0
"""How long it is waited before a commit that failed (a full disk) is tried again; doubled each time."""

WRITE_PAUSE_SECONDS_MAX = 5.0
"""The pause grows no further: a disk that has room again, or an API server that is back, is noticed soon."""

WRITE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds for how long a commit takes: a sync of a disk, or a write to the API server."""

THOUGHTLESS = Core(())
"""Folds an event in, and decides nothing."""

log = structlog.get_logger()


@dataclass(kw_only=True, slots=True)
class _Draft:
    """What a turn comes to, before it is written."""

    world: World
    next_page: int
    entries: list[Entry] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)


class Turns:
    """The one place where the World goes on."""

    def __init__(
        self,
        *,
        core: Core,
        store: Store,
        clock: Clock,
        policy: LivePolicy,
        alarm: Alarm,
        crew: Crew,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self.world = World()
        """All that we know, as it is stored."""
        self.next_page = 1
        self.acting = True
        """Set to False to only write down what comes: what is asked then is in doubt at the next start."""
        self.busy_since: float | None = None
        """Since when, by the loop's own time, a turn has been going on without a sign of life; None between turns."""
        self.store_trouble: str | None = None
        """Why nothing can be written now, or None."""
        self.unreadable = 0
        """How many deliveries could not be read."""
        self.faults = 0
        """How many events were set aside because of a fault of ours."""
        self.heard: Counter[tuple[str, ...]] = Counter()
        """(source, kind) → how many events came in from outside; of what a door heard, the door is the source."""
        self.write_seconds = Histogram(WRITE_SECONDS)
        """How long each commit to the journal took."""
        self._core = core
        self._store = store
        self._clock = clock
        self._policy = policy
        self._alarm = alarm
        self._crew = crew
        self._listeners = tuple(listeners)
        self._lease: Lease | None = None
        self._inputs_since_snapshot = 0
        self._snapshot_time = 0.0
        self._last_write_seconds = 0.0
        self._acknowledging: set[asyncio.Task[None]] = set()
        self._room_to_acknowledge = asyncio.Semaphore(ACKNOWLEDGING_AT_ONCE_MAX)

    async def begin(self, lease: Lease, remembered: Remembered) -> None:
        """Start from memory, under a lease. A snapshot is taken, because replay cannot cross a restart."""
        self._lease = lease
        self.world, self.next_page = _not_of_tomorrow(remembered.world, self._clock.now()), remembered.next_page
        await self._store.snapshot(lease, self.world, self.next_page)
        self._snapshot_time = self._clock.now()

    async def take(self, letters: Sequence[Letter]) -> None:
        """One turn, or several where there is much to think about. Raises StaleLease."""
        while letters:
            letters = letters[await self._turn(letters) :]
        self.busy_since = None

    async def _turn(self, letters: Sequence[Letter]) -> int:
        """Think about so many of the letters as there is time for, write, and only then act and acknowledge."""
        self._alive()
        draft, number = await self._think(letters)
        await self._write(draft)
        self.world, self.next_page = draft.world, draft.next_page
        for entry in draft.entries:
            self._tell(entry)
            self._alarm.set(entry.step.wakes)
            for asked in entry.step.asked if self.acting else ():
                self._crew.start(asked)
        await self._acknowledge(letter.acknowledge for letter in letters[:number])
        await self._snapshot_if_due(len(draft.entries))
        return number

    def _alive(self) -> None:
        self.busy_since = asyncio.get_running_loop().time()

    # ---- thinking --------------------------------------------------------------------------------------------

    async def _think(self, letters: Sequence[Letter]) -> tuple[_Draft, int]:
        """What so many of the letters come to, the first at least."""
        draft, number = _Draft(world=self.world, next_page=self.next_page), 0
        enough = perf_counter() + max(THINK_SECONDS, self._last_write_seconds)
        for number, letter in enumerate(letters, start=1):
            if number > 1 and perf_counter() > enough:
                return draft, number - 1
            if number % BREATH == 0:
                await asyncio.sleep(0)
            if isinstance(letter.event, PayloadError):
                self._set_aside_unreadable(draft, letter.sender, str(letter.event))
            else:
                self._think_about(draft, letter, letter.event)
        return draft, number

    def _think_about(self, draft: _Draft, letter: Letter, event: Event) -> None:
        try:
            EVENTS.text(event)  # what cannot be written must not be thought about: it would break the commit
            step = self._core.step(draft.world, event, page_number=draft.next_page)
        # A fault of ours in one decision must not stop all others. At the start there is nothing to go on from.
        except Exception as fault:
            if isinstance(event, Restarted):
                raise
            self.faults += 1
            log.exception("fault in thinking about an event", on=event.kind, sender=letter.sender)
            reason = f"{event.kind}: {type(fault).__name__}: {fault}"
            draft.set_aside.append(SetAside(time=self._clock.now(), source=letter.sender, reason=reason))
            instead = _unknown_outcome(draft.world, event)
            if instead is None:
                return
            # Nobody is asked about it: what broke over the answer may break over this too. The wake is enough.
            event, step = instead, THOUGHTLESS.step(draft.world, instead, page_number=draft.next_page)
        if letter.sender != SHELL:
            source = event.door if isinstance(event, Occurred) and event.door else letter.sender
            self.heard[source, event.kind] += 1
        draft.entries.append(Entry(event=event, step=step, woken=letter.woken))
        draft.world = step.world
        draft.next_page += step.page is not None

    def _set_aside_unreadable(self, draft: _Draft, sender: str, reason: str) -> None:
        self.unreadable += 1
        log.warning("a message cannot be read and is set aside", source=sender, reason=reason)
        draft.set_aside.append(SetAside(time=self._clock.now(), source=sender, reason=reason))

    # ---- writing ---------------------------------------------------------------------------------------------

    async def _write(self, draft: _Draft) -> None:
        """Commit, however long it takes: before it is written, nothing may be done."""
        pause = WRITE_PAUSE_FIRST_SECONDS
        while True:
            begun = perf_counter()
            try:
                await self._store.commit(self._held(), draft.entries, draft.set_aside)
            except Transient as error:
                self.store_trouble = str(error)
                log.error("nothing is done until the journal can be written", reason=str(error))  # noqa: TRY400 - no fault of ours
            else:
                self.store_trouble = None
                self._last_write_seconds = perf_counter() - begun
                self.write_seconds.count(self._last_write_seconds)
                return
            await asyncio.sleep(pause)
            self._alive()
            pause = min(pause * 2, WRITE_PAUSE_SECONDS_MAX)

    def _held(self) -> Lease:
        assert self._lease is not None, "begin() comes first"
        return self._lease

    async def _snapshot_if_due(self, inputs: int) -> None:
        self._inputs_since_snapshot += inputs
        inputs_so_far = self._inputs_since_snapshot
        passed = self._clock.now() - self._snapshot_time
        many = inputs_so_far >= self._policy.snapshot_inputs and passed >= self._policy.snapshot_apart_seconds
        due = many or (inputs_so_far > 0 and passed >= self._policy.snapshot_seconds)
        if not due:
            return
        try:
            await self._store.snapshot(self._held(), self.world, self.next_page)
        except Transient as error:
            log.warning("no snapshot now", reason=str(error))
            return
        self._inputs_since_snapshot, self._snapshot_time = 0, self._clock.now()

    # ---- telling ---------------------------------------------------------------------------------------------

    def _tell(self, entry: Entry) -> None:
        for listener in self._listeners:
            try:
                listener(entry.event, entry.step)
            # A fault in a progress line must not stop what it tells about.
            except Exception:
                log.exception("fault in a listener", on=entry.event.kind)

    async def _acknowledge(self, every: Iterable[Callable[[], Awaitable[None]]]) -> None:
        for acknowledge in every:
            if acknowledge is not nothing_to_acknowledge:
                task = asyncio.create_task(self._acknowledged(acknowledge))
                self._acknowledging.add(task)
                task.add_done_callback(self._acknowledging.discard)
        while len(self._acknowledging) > ACKNOWLEDGING_WAITING_MAX:
            await asyncio.wait(self._acknowledging, return_when=asyncio.FIRST_COMPLETED)

    async def _acknowledged(self, acknowledge: Callable[[], Awaitable[None]]) -> None:
        async with self._room_to_acknowledge:
            try:
                await acknowledge()
            except OutsideError as error:
                log.warning("an acknowledgement failed; the message will come again", reason=str(error))
            # Whatever it is, the message only comes again, and finds that all it asks for is known already.
            except Exception:
                log.exception("fault in an acknowledgement; the message will come again")

    async def all_acknowledged(self, within_seconds: float) -> None:
        """Wait for acknowledgements under way; those that take longer are given up, and their messages come again."""
        if self._acknowledging:
            _, late = await asyncio.wait(self._acknowledging, timeout=within_seconds)
            for task in late:
                task.cancel()


def _not_of_tomorrow(world: World, now: float) -> World:
    """A journal that was written under a clock ahead of ours must not keep our time, and every wake, in the future."""
    if world.time <= now:
        return world
    log.warning("the journal was written under a clock that is ahead; going on by ours", journal=moment(world.time))
    return replace(world, time=now)


def _unknown_outcome(world: World, event: Event) -> Failed | None:
    """What stands in for an answer that we could not think about, so that its wish does not stay in flight for ever."""
    key = getattr(event, "key", None)
    if key is None:
        return None
    wish = world.wishes.get(key)
    action = wish.action if wish else None
    return Failed(
        time=event.time,
        key=key,
        attempt=wish.attempt if wish else 1,
        subject=action.subject if action else key,
        code=UNEXPECTED,
        reason="its answer could not be understood; the log tells more",
        transient=True,
        outcome_unknown=action is not None and action.mutates,
    )
