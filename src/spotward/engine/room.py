"""Room for so many at once; who is urgent is let in before all others that wait.

A region that moves onto Spot may have a hundred launches waiting while an interruption leaves two minutes. A queue in
the order of coming would spend them.
"""

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count


class Room:
    """Places, handed from whoever leaves to whoever is next."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: list[tuple[bool, int, asyncio.Future[None]]] = []
        self._coming = count()

    @asynccontextmanager
    async def place(self, *, urgent: bool) -> AsyncIterator[None]:
        """A place, as soon as there is one, for as long as the body takes."""
        await self._enter(urgent=urgent)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, *, urgent: bool) -> None:
        if self._free:  # then nobody waits
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (not urgent, next(self._coming), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the place came at the moment in which it was given up
                self._leave()
            raise

    def _leave(self) -> None:
        while self._waiting:
            *_, turn = heapq.heappop(self._waiting)
            if not turn.cancelled():
                turn.set_result(None)
                return
        self._free += 1
