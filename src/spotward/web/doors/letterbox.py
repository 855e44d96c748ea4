"""What comes in by the doors, as a source of the engine.

Whoever tells us something hears "taken" only after it stands in the journal; then it survives everything. When that
takes too long the teller is asked to say it again: nothing is lost, and nothing is doubled either, because the same
occurrence said twice is one.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from spotward.engine.ports import Delivery
from spotward.model.errors import PayloadError
from spotward.model.event import Event
from spotward.web.tallies.doors import DoorTally

LETTERS_MAX = 5_000
"""So many may wait to be taken up; who brings more is asked to come again."""

TAKEN_SECONDS_MAX = 10.0
"""How long a teller waits to hear that all of it is stored. Prometheus gives up after ten."""


class LetterboxFull(Exception):  # noqa: N818 - it says how things are, and reads as that
    """There is no room now, or it took too long: say it again later. The text says which."""


class Letterbox:
    """Holds what was said until the engine takes it."""

    name = "doors"

    def __init__(self, *, letters_max: int = LETTERS_MAX, taken_seconds_max: float = TAKEN_SECONDS_MAX) -> None:
        self.tally = DoorTally()
        """What was said at the doors that put into it."""
        self._letters: asyncio.Queue[Delivery] = asyncio.Queue()
        self._letters_max, self._taken_seconds_max = letters_max, taken_seconds_max

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """Everything that is put in, for as long as anybody listens."""
        while True:
            yield await self._letters.get()

    async def put(self, said: Sequence[Event | PayloadError]) -> None:
        """Returns when all of it is stored. Raises LetterboxFull."""
        if not said:
            return
        if self._letters.qsize() + len(said) > self._letters_max:
            raise LetterboxFull(f"{self._letters.qsize()} events wait to be taken up; say it again later")
        stored = _Stored(len(said))
        for each in said:
            self._letters.put_nowait(Delivery(event=each, acknowledge=stored.one_more))
        try:
            async with asyncio.timeout(self._taken_seconds_max):
                await stored.all
        except TimeoutError:
            raise LetterboxFull(f"it was not stored within {self._taken_seconds_max:g} s; say it again") from None


class _Stored:
    """Counts what is stored of one request."""

    def __init__(self, wanted: int) -> None:
        self._left = wanted
        self.all: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def one_more(self) -> None:
        """Another one of it stands in the journal."""
        self._left -= 1
        if self._left == 0 and not self.all.done():
            self.all.set_result(None)
