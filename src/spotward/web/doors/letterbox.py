"""What comes in by the doors, as a source of the engine.

Whoever tells us something hears "taken" only after it stands in the journal; then it survives everything. When that
takes too long the teller is asked to say it again: nothing is lost, and nothing is doubled either, because the same
occurrence said twice is one.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from spotward.engine.ports import Delivery
from spotward.model.errors import PayloadError
from spotward.model.event import Event
from spotward.web.tallies.doors import DoorTally

LETTERS_MAX = 5_000
"""So many may wait to be taken up; who brings more is asked to come again."""

TAKEN_SECONDS_MAX = 10.0
"""How long a teller waits to hear that all of it is stored. Prometheus gives up after ten."""


COME_AGAIN_SECONDS = 5
"""What a teller is asked to wait before saying it again."""

ASIDES_MAX = 200
"""While more than so many wait, what only tells how far something is, is dropped."""


class LetterboxFull(Exception):  # noqa: N818 - it says how things are, and reads as that
    """There is no room now: say it again later. The text says why."""


class NotStored(Exception):  # noqa: N818 - it says how things are, and reads as that
    """It took too long: perhaps it is stored all the same. Say it again."""


def nobody_crowds() -> str | None:
    """There is always room."""
    return None


class Letterbox:
    """Holds what was said until the engine takes it."""

    name = "doors"

    def __init__(self, *, letters_max: int = LETTERS_MAX, taken_seconds_max: float = TAKEN_SECONDS_MAX) -> None:
        self.tally = DoorTally()
        """What was said at the doors that put into it."""
        self._letters: asyncio.Queue[Delivery] = asyncio.Queue()
        self._letters_max, self._taken_seconds_max = letters_max, taken_seconds_max
        self.crowded: Callable[[], str | None] = nobody_crowds
        """Why nothing more can be begun now, in words; None while there is room."""

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """Everything that is put in, for as long as anybody listens."""
        while True:
            yield await self._letters.get()

    async def put(self, said: Sequence[Event | PayloadError]) -> None:
        """Returns when all of it is stored. Raises LetterboxFull, NotStored."""
        if not said:
            return
        waiting = self._letters.qsize()
        if waiting and waiting + len(said) > self._letters_max:  # into an empty one all of a request goes, however long
            raise LetterboxFull(f"{waiting} events wait to be taken up; say it again later")
        stored = _Stored(len(said))
        for each in said:
            self._letters.put_nowait(Delivery(event=each, acknowledge=stored.one_more))
        try:
            async with asyncio.timeout(self._taken_seconds_max):
                await stored.all
        except TimeoutError:
            raise NotStored(f"it was not stored within {self._taken_seconds_max:g} s; say it again") from None

    def check_room(self) -> None:
        """For what would begin something new. Raises LetterboxFull."""
        if (why := self.crowded()) is not None:
            raise LetterboxFull(f"{why}; say it again later")

    async def aside(self, event: Event) -> None:
        """Something that nobody waits for, and that may be lost."""
        if self._letters.qsize() < ASIDES_MAX:
            self._letters.put_nowait(Delivery(event=event))


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
