"""The hand that moves virtual time: a thread that wakes when something is due in any region."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from math import inf

from spotward.emulator.queues.mailbox import Now

_log = logging.getLogger(__name__)

IDLE_SECONDS_MAX = 1.0
"""The longest sleep, in seconds of ours, so that a clock that was set is noticed."""

Tick = Callable[[], float | None]
"""Lets happen what is due everywhere; answers when something is due next, in virtual time."""


class Ticker:
    """Ticks at the moments that `tick` names, and when it is nudged."""

    def __init__(self, tick: Tick, *, now: Now, speed: float) -> None:
        """`now`: virtual time, which goes `speed` times as fast as ours."""
        self._tick = tick
        self._now = now
        self._speed = speed
        self._planned = inf
        self._nudged = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="virtual-time", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, after the tick that may be under way."""
        self._stopping = True
        self._nudged.set()
        self._thread.join()

    def nudge(self, next_time: float | None) -> None:
        """Something is due at that time; wakes the thread if it would sleep past it."""
        if next_time is not None and next_time < self._planned:
            self._nudged.set()

    def _run(self) -> None:
        while not self._stopping:
            self._planned = inf  # whoever nudges from now on makes us tick once more
            self._nudged.clear()
            try:
                next_time = self._tick()
            except Exception:  # noqa: BLE001 - see below
                # One region's fault must not stop the time of all the others; it is told and tried again.
                _log.exception("virtual time stumbled")
                next_time = None
            self._planned = inf if next_time is None else next_time
            left_seconds = (self._planned - self._now()) / self._speed
            self._nudged.wait(min(max(left_seconds, 0.0), IDLE_SECONDS_MAX))
