"""The hands at work: so many of each kind at once, and whatever comes of it, an event goes back into the inbox."""

import asyncio
import math
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from spotward.engine.clock import clock_from_environment
from spotward.engine.live_policy import LivePolicy
from spotward.engine.ports import Clock, Hands
from spotward.engine.room import Room
from spotward.model.action import Action
from spotward.model.errors import OutsideError, Transient
from spotward.model.event import Event, Failed
from spotward.model.flow_action import CallPlugin
from spotward.model.page import Asked

UNEXPECTED = "Unexpected"
"""The code of a failure that is a fault of ours: the log has the traceback."""

ANSWER_SECONDS = 60.0
"""A call that has a time of its own is given up so long after it, for whoever makes it keeps that time himself."""

TIMED_OUT = "TimedOut"
"""The code of an action that did not answer within `action_seconds_max`."""

log = structlog.get_logger()


async def outcome(
    hands: Hands, action: Action, attempt: int, *, clock: Clock | None = None, seconds_max: float = math.inf
) -> Event:
    """Do it, and answer with the event that says what came of it, whatever comes of it.

    The time of a failure is the clock's; without one, that of the clock which the environment names.
    """
    now = (clock or clock_from_environment()).now

    def failed(code: str, reason: str, error: OutsideError | None = None) -> Failed:
        return Failed(
            time=now(),
            key=action.key,
            attempt=attempt,
            subject=action.subject,
            code=code,
            reason=reason,
            transient=error is None or isinstance(error, Transient),
            retry_after_seconds=error.retry_after_seconds if isinstance(error, Transient) else 0.0,
            outcome_unknown=error is None and action.mutates,
        )

    try:
        async with asyncio.timeout(None if seconds_max == math.inf else seconds_max):
            event = await hands.do(action, attempt)
    except OutsideError as error:
        return failed(error.code, str(error), error)
    except TimeoutError:
        return failed(TIMED_OUT, "no answer in time; it may have been done")
    # A fault in an adapter must fail one action, not the loop; it is logged whole and the wish is asked again.
    except Exception as error:
        log.exception("fault in an action", key=action.key, action=action.kind)
        return failed(UNEXPECTED, f"{type(error).__name__}: {error}; the log tells more")
    if getattr(event, "key", None) != action.key:
        log.error("an answer to another question", key=action.key, answered=event.kind)
        return failed(UNEXPECTED, f"it was answered by {event.kind} with another key")
    return event


def seconds_max(action: Action, policy: LivePolicy) -> float:
    """How long an action may take before it is given up: no less than it says itself."""
    own = action.timeout_seconds + ANSWER_SECONDS if isinstance(action, CallPlugin) else 0.0
    return max(policy.action_seconds_max, own)


class Crew:
    """Actions under way."""

    def __init__(
        self, hands: Hands, clock: Clock, policy: LivePolicy, answer: Callable[[Event], Awaitable[None]]
    ) -> None:
        self._hands = hands
        self._clock = clock
        self._policy = policy
        self._answer = answer
        self._rooms: defaultdict[str, Room] = defaultdict(lambda: Room(policy.at_once))
        for kind, number in policy.at_once_of.items():
            self._rooms[kind] = Room(number)
        self._tasks: set[asyncio.Task[None]] = set()
        self.under_way: Counter[str] = Counter()
        """Kind of action → how many are under way or wait for room."""
        self._urgent = 0
        """How many urgent ones of them are deeds that others have to wait for."""
        self._leisure = asyncio.Event()
        """Set while there is none."""
        self._leisure.set()

    @property
    def idle(self) -> bool:
        """Is nothing under way?"""
        return not self._tasks

    def start(self, asked: Asked) -> None:
        """Do it, as soon as there is room."""
        self.under_way[asked.action.kind] += 1
        self._note_urgent(asked, +1)
        task = asyncio.create_task(self._work(asked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, asked: Asked) -> None:
        kind = asked.action.kind
        try:
            async with self._rooms[kind].place(urgent=asked.urgent):
                if kind in self._policy.at_leisure:
                    await self._at_leisure()
                event = await outcome(
                    self._hands,
                    asked.action,
                    asked.attempt,
                    clock=self._clock,
                    seconds_max=seconds_max(asked.action, self._policy),
                )
            await self._answer(event)
        finally:
            self.under_way[kind] -= 1
            self._note_urgent(asked, -1)

    def _note_urgent(self, asked: Asked, change: int) -> None:
        if asked.urgent and asked.action.mutates and asked.action.kind not in self._policy.at_leisure:
            self._urgent += change
            if self._urgent:
                self._leisure.clear()
            else:
                self._leisure.set()

    async def _at_leisure(self) -> None:
        """Return when nothing urgent is under way, or when that has been waited for long enough."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._policy.leisure_seconds_max):
                await self._leisure.wait()

    async def cut_off(self) -> list[str]:
        """Give up what is still under way; the names of its tasks' kinds, for the log."""
        kinds = sorted(self.under_way.elements())
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return kinds
