"""Waking at the times that decisions asked for: a heap of times, and one task that sleeps until the earliest."""

import asyncio
import heapq
import math
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from spotward.engine.ports import Clock
from spotward.model.decision import WakeAt

GRAIN_SECONDS = 1.0
"""Wakes are rung on whole seconds, and all of one subject that are due then by one ring. So a subject is woken once a
second at most, whatever its deciders ask for."""


class Alarm:
    """Wakes that are not due yet."""

    def __init__(self, clock: Clock, ring: Callable[[str, tuple[WakeAt, ...]], Awaitable[None]]) -> None:
        self._clock = clock
        self._ring = ring
        self._heap: list[tuple[float, float, str]] = []
        self._known: set[WakeAt] = set()
        self._earlier = asyncio.Event()

    def __len__(self) -> int:
        return len(self._known)

    def set(self, wakes: Iterable[WakeAt]) -> None:
        """Ring for these, too. One that is overdue rings at the next whole second."""
        for wake in wakes:
            if wake not in self._known and math.isfinite(wake.time):
                self._known.add(wake)
                heapq.heappush(self._heap, (self._ring_time(wake.time), wake.time, wake.subject))
                self._earlier.set()

    def _ring_time(self, time: float) -> float:
        return math.ceil(max(time, self._clock.now()) / GRAIN_SECONDS) * GRAIN_SECONDS

    def rings_by(self, time: float) -> bool:
        """Will anything ring by then?"""
        return bool(self._heap) and self._heap[0][0] <= time

    async def run(self) -> None:
        """Ring until cancelled."""
        while True:
            await self._sleep()
            for subject, wakes in self._due().items():
                await self._ring(subject, tuple(wakes))

    async def _sleep(self) -> None:
        """Until the earliest is due; a wake that is set meanwhile may be earlier."""
        while not self.rings_by(self._clock.now()):
            self._earlier.clear()
            sleeps: list[asyncio.Task[Any]] = [asyncio.create_task(self._earlier.wait())]
            if self._heap:
                sleeps.append(asyncio.create_task(self._clock.sleep_until(self._heap[0][0])))
            try:
                await asyncio.wait(sleeps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for sleep in sleeps:
                    sleep.cancel()

    def _due(self) -> dict[str, list[WakeAt]]:
        due: dict[str, list[WakeAt]] = {}
        now = self._clock.now()
        while self.rings_by(now):
            _, time, subject = heapq.heappop(self._heap)
            wake = WakeAt(time=time, subject=subject)
            self._known.discard(wake)
            due.setdefault(subject, []).append(wake)
        return due
