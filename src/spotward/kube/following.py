"""Several things of a cluster followed at once, each for as long as it is wanted.

`keep` says what is wanted from now on; what is new among it begins to be followed, what is no more in it ends. What
each watch tells goes to the one who wanted it, and `stirred` says that something came.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from spotward.kube.client import Kube
from spotward.kube.watch import Changed, Listed, Lost, Regained, Removed, Wanted, Watch


@dataclass(frozen=True, kw_only=True, slots=True)
class Interest:
    """One watch, and where its news go."""

    wanted: Wanted[Any]
    take: Callable[[Listed[Any] | Changed[Any] | Removed[Any]], None]


class Following:
    """The watches of one listener."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.stirred = asyncio.Event()
        """Something came, or was lost. Whoever looks clears it."""
        self.lost: dict[str, tuple[float, str]] = {}
        """Name of an interest → since when (by the stopwatch) it cannot be followed, and why."""
        self.listed: set[str] = set()
        """What was seen whole at least once."""

    def keep(self, interests: Mapping[str, Interest]) -> None:
        """Follow these, under their names, and nothing else."""
        for name in self._tasks.keys() - interests.keys():
            self._tasks.pop(name).cancel()
            self.lost.pop(name, None)
            self.listed.discard(name)
        for name in interests.keys() - self._tasks.keys():
            self._tasks[name] = asyncio.create_task(self._follow(name, interests[name]))

    async def until_stirred(self, *, seconds_max: float | None) -> None:
        """Until there may be something to tell, or for so long. Raises what ended a watch."""
        waiting, tasks = asyncio.create_task(self.stirred.wait()), list(self._tasks.values())
        try:
            await asyncio.wait({waiting, *tasks}, timeout=seconds_max, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()

    async def close(self) -> None:
        """Follow nothing any more."""
        tasks = list(self._tasks.values())
        self.keep({})
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, name: str, interest: Interest) -> None:
        """One watch, for ever."""
        async with aclosing(Watch(kube=self._kube, wanted=interest.wanted).news()) as told:
            async for news in told:
                if isinstance(news, Lost):
                    self.lost[name] = (time.perf_counter(), news.reason)
                    self.stirred.set()
                    continue
                self.lost.pop(name, None)
                if not isinstance(news, Regained):
                    interest.take(news)
                if isinstance(news, Listed):
                    self.listed.add(name)
                self.stirred.set()
