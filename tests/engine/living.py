"""A live shell for tests: a real store, a quick clock, and hands that do what the test says."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from spotward.engine.clock import ScaledClock
from spotward.engine.core import Core
from spotward.engine.live import Live
from spotward.engine.live_policy import LivePolicy
from spotward.engine.ports import Delivery, Hands
from spotward.engine.store import SqliteStore, this_process
from spotward.model.action import Action
from spotward.model.errors import PayloadError
from spotward.model.event import Event
from tests.engine.made import NOON, PRODUCT, REGION, answer

Answer = TypeVar("Answer")

PATIENCE_SECONDS = 90.0
"""Wall seconds after which a test that waits is given up."""


def a_clock(speed: float = 100.0) -> ScaledClock:
    return ScaledClock(start=NOON, wall0=time.time(), speed=speed)  # noqa: TID251 - where the quick time begins


@dataclass
class MadeHands:
    """Hands that answer by a function; without one, as a friendly cloud would."""

    clock: ScaledClock
    act: Callable[[Action, int], Awaitable[Event] | Event] | None = None
    done: list[tuple[Action, int]] = field(default_factory=list)
    """What was asked, in order."""
    at_work: int = 0
    at_work_max: int = 0

    async def do(self, action: Action, attempt: int) -> Event:
        self.done.append((action, attempt))
        self.at_work += 1
        self.at_work_max = max(self.at_work_max, self.at_work)
        try:
            event = self.act(action, attempt) if self.act else answer(action, self.clock.now())
            return await event if isinstance(event, Awaitable) else event
        finally:
            self.at_work -= 1

    @property
    def keys(self) -> list[str]:
        return [action.key for action, _ in self.done]


@dataclass
class MadeSource:
    """A source that delivers what it is given, and knows what was acknowledged."""

    events: Sequence[Event | PayloadError]
    name: str = "queue"
    endless: bool = False
    and_then: Callable[[int], Awaitable[None]] | None = None
    """What else happens when the delivery of that number is acknowledged."""
    delivered: int = 0
    acknowledged: list[int] = field(default_factory=list)

    async def deliveries(self) -> AsyncIterator[Delivery | None]:
        for number, event in enumerate(self.events):
            self.delivered += 1
            yield Delivery(event=event, acknowledge=self._acknowledging(number))
        if self.endless:
            await asyncio.Event().wait()

    def _acknowledging(self, number: int) -> Callable[[], Coroutine[Any, Any, None]]:
        async def acknowledge() -> None:
            self.acknowledged.append(number)
            if self.and_then is not None:
                await self.and_then(number)

        return acknowledge


def a_live(store: SqliteStore, clock: ScaledClock, hands: Hands, *, core: Core | None = None, **settings: Any) -> Live:
    limits = {"observe_seconds": 0.0, "shutdown_seconds": 5.0, "source_pause_first_seconds": 0.01}
    policy = LivePolicy(**{**limits, **settings.pop("policy", {})})
    return Live(
        core=core or Core(PRODUCT),
        store=store,
        hands=hands,
        clock=clock,
        owner=this_process(),
        policy=policy,
        **{"regions": (REGION,), **settings},
    )


def with_store(place: Path, work: Callable[[SqliteStore], Coroutine[Any, Any, Answer]]) -> Answer:
    """Open the store, work, close it."""

    async def whole() -> Answer:
        store = SqliteStore.to_write(place)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await work(store)
        finally:
            await store.close()

    return asyncio.run(whole())


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - a test looks from outside
            await asyncio.sleep(0.005)
