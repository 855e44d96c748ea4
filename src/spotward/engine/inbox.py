"""What waits for the core: a bounded queue, so that a flood waits where it came from and not in our memory."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from spotward.engine.ports import nothing_to_acknowledge
from spotward.model.decision import WakeAt
from spotward.model.errors import PayloadError
from spotward.model.event import Event


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """An event on its way to the core, and what must happen once it is dealt with."""

    event: Event | PayloadError
    sender: str
    """Name of the source; for what cannot be read."""
    acknowledge: Callable[[], Awaitable[None]] = nothing_to_acknowledge
    woken: tuple[WakeAt, ...] = ()
    """The wakes that it fulfils."""


class Inbox:
    """Letters, first come first served."""

    def __init__(self, letters_max: int) -> None:
        self._queue: asyncio.Queue[Letter] = asyncio.Queue(letters_max)
        self.open = 0
        """How many letters are not dealt with yet: those that wait to be put in, those inside, those taken out."""

    @property
    def depth(self) -> int:
        """How many wait inside."""
        return self._queue.qsize()

    async def put(self, letter: Letter) -> None:
        """Put one in; waits while the inbox is full."""
        self.open += 1
        try:
            await self._queue.put(letter)
        except asyncio.CancelledError:
            self.open -= 1
            raise

    async def take(self, most: int) -> list[Letter]:
        """All that wait, at least one and at most `most`. To be followed by `dealt_with`."""
        letters = [await self._queue.get()]
        while len(letters) < most and not self._queue.empty():
            letters.append(self._queue.get_nowait())
        return letters

    def dealt_with(self, number: int) -> None:
        """So many letters need nothing more."""
        self.open -= number
