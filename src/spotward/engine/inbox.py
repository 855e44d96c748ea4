"""What waits for the core: bounded, so that a flood waits where it came from and not in our memory.

There are two lines. What the shell itself puts in (answers, wakes) carries on what was begun; what comes from outside
begins something. A flood from outside must not keep answers waiting, or nothing that was begun would go on; nor may a
thousand answers keep whoever told us something waiting to hear that it is stored. So both lines move, and the one from
outside three times as fast, because somebody stands there and waits.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from spotward.engine.ports import nothing_to_acknowledge
from spotward.model.decision import WakeAt
from spotward.model.errors import PayloadError
from spotward.model.event import Event

SHELL = "spotward"
"""The sender of what the shell itself puts into the inbox."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """An event on its way to the core, and what must happen once it is dealt with."""

    event: Event | PayloadError
    sender: str
    """Name of the source; for what cannot be read."""
    acknowledge: Callable[[], Awaitable[None]] = nothing_to_acknowledge
    woken: tuple[WakeAt, ...] = ()
    """The wakes that it fulfils."""


OUTSIDE_PER_INSIDE = 3
"""So many letters from outside are taken for each from inside, while both wait."""


class Inbox:
    """Letters; in each line first come, first served."""

    def __init__(self, letters_max: int) -> None:
        """letters_max: of each line."""
        self._inside: asyncio.Queue[Letter] = asyncio.Queue(letters_max)
        self._outside: asyncio.Queue[Letter] = asyncio.Queue(letters_max)
        self._waiting = asyncio.Event()
        self.open = 0
        """How many letters are not dealt with yet: those that wait to be put in, those inside, those taken out."""

    @property
    def depth(self) -> int:
        """How many wait inside."""
        return self._inside.qsize() + self._outside.qsize()

    async def put(self, letter: Letter) -> None:
        """Put one in; waits while its line is full."""
        self.open += 1
        line = self._inside if letter.sender == SHELL else self._outside
        try:
            await line.put(letter)
        except asyncio.CancelledError:
            self.open -= 1
            raise
        self._waiting.set()

    async def take(self, most: int) -> list[Letter]:
        """All that wait, at least one and at most `most`. To be followed by `dealt_with`."""
        while not self.depth:
            self._waiting.clear()
            await self._waiting.wait()
        letters: list[Letter] = []
        while len(letters) < most and self.depth:
            for line, number in ((self._inside, 1), (self._outside, OUTSIDE_PER_INSIDE)):
                room = min(number, line.qsize(), most - len(letters))
                letters.extend(line.get_nowait() for _ in range(room))
        return letters

    def dealt_with(self, number: int) -> None:
        """So many letters need nothing more."""
        self.open -= number
