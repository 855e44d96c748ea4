"""Looking at many regions, again and again, in the background of what is told of them.

Each region has a rhythm of its own, so that one which hangs or fails holds up no other; only so many looks are under
way at once. What was seen last stands until it is too old to be told. Nobody waits for a look: scrapes read what
stands.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from time import perf_counter

from spotward.engine.ports import Clock
from spotward.model.errors import OutsideError, Permanent, Transient
from spotward.web.board import Board
from spotward.web.exposition import Family

RETRY_SECONDS = 15.0
"""After a look that failed, the next comes so soon, or with the usual pause where that is shorter."""

LOOKS_AT_ONCE_MAX = 8
"""Regions that are looked at at the same time: each look may have a page of a thousand rows in memory."""

log = logging.getLogger("spotward.export")


@dataclass(frozen=True, kw_only=True, slots=True)
class LookoutPolicy:
    """How often, and for how long what was seen is told."""

    poll_seconds: float
    stale_seconds: float
    look_seconds_max: float = 180.0
    """A look that takes longer is given up: its connections are stuck in a way that their own time-outs do not see."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """What a look found."""

    as_of: float
    """Unix seconds: when it was asked for."""
    families: Sequence[Family]
    troubles: Sequence[OutsideError] = ()
    """What could not be had although the rest could."""


Look = Callable[[str], Awaitable[Sighting]]
"""Looks at a region. May raise OutsideError."""


@dataclass(slots=True)
class Standing:
    """How a region's looks went."""

    as_of: float = -inf
    """When what is told was asked for; -inf for never."""
    looks: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    """Code of an error → how often."""
    errors_last: int = 0
    """Of the last look."""
    words_last: str = ""
    """What was wrong, as it was logged: said once, and not at each try."""
    seconds_last: float = 0.0
    """How long the last look took."""

    @property
    def up(self) -> bool:
        """Had the last look all that it wanted?"""
        return self.looks > 0 and not self.errors_last


class Lookout:
    """Keeps a board up to date."""

    def __init__(self, regions: Iterable[str], look: Look, board: Board, clock: Clock, policy: LookoutPolicy) -> None:
        """Looks at nothing before `run`."""
        self.regions: dict[str, Standing] = {region: Standing() for region in regions}
        self.board, self.policy = board, policy
        self._look, self._clock = look, clock
        self._places = asyncio.Semaphore(LOOKS_AT_ONCE_MAX)

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as rhythms:
            for region in self.regions:
                rhythms.create_task(self._watch(region))

    def drop_stale(self) -> None:
        """Takes down what is too old to be told."""
        for region, standing in self.regions.items():
            if self.age_seconds(standing) > self.policy.stale_seconds:
                self.board.take_down(region)

    def age_seconds(self, standing: Standing) -> float:
        """How old what is known of a region is; infinite where nothing is."""
        return max(0.0, self._clock.now() - standing.as_of)

    async def _watch(self, region: str) -> None:
        while True:
            async with self._places:
                pause = await self._looked(region)
            await self._clock.sleep_until(self._clock.now() + pause)

    async def _looked(self, region: str) -> float:
        """One look; the seconds until the next."""
        standing, began = self.regions[region], perf_counter()
        failure: OutsideError | None = None
        troubles: Sequence[OutsideError] = ()
        try:
            async with asyncio.timeout(self.policy.look_seconds_max):
                troubles = await self._renewed(region, standing)
        except OutsideError as error:
            failure = error
        except TimeoutError:
            words = f"not seen within {self.policy.look_seconds_max:g} s; check the network"
            failure = Transient(words, code="Timeout")
        # A fault of ours in one region must not end what is told of the others; it is logged whole and counted.
        except Exception:
            log.exception("fault while looking at %s", region)
            failure = Permanent("a fault of the exporter, logged above", code="Fault")
        self._note(region, standing, troubles if failure is None else (failure,))
        standing.seconds_last = perf_counter() - began
        standing.looks += 1
        return self.policy.poll_seconds if failure is None else min(self.policy.poll_seconds, _wait(failure))

    async def _renewed(self, region: str, standing: Standing) -> Sequence[OutsideError]:
        sighting = await self._look(region)
        self.board.hang(region, await asyncio.to_thread(self.board.written, region, sighting.families))
        standing.as_of = sighting.as_of
        return sighting.troubles

    def _note(self, region: str, standing: Standing, troubles: Sequence[OutsideError]) -> None:
        standing.errors.update(error.code for error in troubles)
        words = "; ".join(str(error) for error in troubles)
        if words and words != standing.words_last:
            log.warning("%s: %s", region, words)
        elif standing.errors_last and not troubles:
            log.info("%s: all can be had again", region)
        standing.errors_last, standing.words_last = len(troubles), words


def _wait(failure: OutsideError) -> float:
    return max(RETRY_SECONDS, failure.retry_after_seconds) if isinstance(failure, Transient) else RETRY_SECONDS
