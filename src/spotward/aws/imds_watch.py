"""The machine's own ear: what the metadata service says, polled; one Event for each real change.

Nothing that the service does ends it. A document that cannot be had or read leaves what was known of it as it was, is
told once in the log, and is asked again after a pause that grows for this document alone, so that one that hangs keeps
nobody from hearing the others. The pause has a low ceiling: what is waited for is known two minutes ahead.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

from spotward.aws.imds import Imds
from spotward.engine.ports import Clock, Delivery
from spotward.events.imds import WATCHED, Machine, read
from spotward.events.imds_changes import Seen
from spotward.model.errors import ConfigError, PayloadError, Transient
from spotward.model.event import Event

UNANSWERED_MAX = 2
"""After so many requests of one poll that were not answered at all, the rest waits for the next poll."""

SILENCES = frozenset({"Timeout", "Unreachable"})

log = logging.getLogger("spotward.imds")


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchPolicy:
    """How often the service is asked."""

    poll_seconds: float = 2.0
    """From one poll to the next. Notices come two minutes ahead: two seconds cost little of them, and little CPU."""

    pause_seconds_max: float = 8.0
    """A document that fails is asked again after a pause that doubles from `poll_seconds` up to this; 0 is no pause."""

    paths: tuple[str, ...] = WATCHED
    """The documents, the most urgent first."""

    def __post_init__(self) -> None:
        if self.poll_seconds <= 0:
            raise ConfigError(f"poll_seconds is {self.poll_seconds:g}; give a number above 0, such as 2")
        if self.pause_seconds_max < 0:
            raise ConfigError(f"pause_seconds_max is {self.pause_seconds_max:g}; give 0 or more")


@dataclass(kw_only=True, slots=True)
class _Trouble:
    """Why a document cannot be had."""

    code: str
    words: str
    pause_seconds: float
    again_at: float
    """By the loop's clock."""


IDENTITY = "instance-identity"
"""How the question whose metadata it is stands among the documents, when it fails."""


class Watch:
    """What is known of one machine, and how to know more."""

    def __init__(
        self, imds: Imds, clock: Clock, policy: WatchPolicy | None = None, *, region_needed: bool = True
    ) -> None:
        """Knows nothing yet. region_needed: whether a service that tells no region is refused, as events need one."""
        self.imds, self.policy = imds, policy or WatchPolicy()
        self._clock, self._region_needed = clock, region_needed
        self._troubles: dict[str, _Trouble] = {}
        self.machine: Machine | None = None
        """Whose metadata it is, once that was told."""
        self.seen = Seen()
        self.polls = 0

    @property
    def troubles(self) -> dict[str, str]:
        """Document → why it cannot be had or read, in words."""
        return {path: trouble.words for path, trouble in self._troubles.items()}

    @property
    def unheard(self) -> frozenset[str]:
        """Documents that could not be had at the last try; one that came and cannot be read is not among them."""
        return frozenset(path for path, trouble in self._troubles.items() if trouble.code != UNREADABLE)

    async def poll(self) -> list[Event | PayloadError]:
        """Ask for everything that is due; what is new. Raises nothing."""
        self.polls += 1
        unanswered = 0
        found: list[Event | PayloadError] = []
        if self.machine is None and not await self._introduced():
            return found
        for path in self.policy.paths:
            if unanswered >= UNANSWERED_MAX:
                break
            if self._is_due(path):
                found.extend(await self._asked(path))
                trouble = self._troubles.get(path)
                unanswered += trouble is not None and trouble.code in SILENCES
        return found

    async def _introduced(self) -> bool:
        if not self._is_due(IDENTITY):
            return False
        try:
            machine = await self._whose()
        except Transient as error:
            self._fails(IDENTITY, error.code, str(error))
        except PayloadError as error:
            self._fails(IDENTITY, UNREADABLE, str(error))
        else:
            self.machine = machine
            self._works(IDENTITY)
        return self.machine is not None

    async def _whose(self) -> Machine:
        machine = await self.imds.machine()
        if self._region_needed and not machine.region:
            raise PayloadError(f"{self.imds.where} does not say in which region {machine.instance_id} is")
        return machine

    async def _asked(self, path: str) -> list[Event | PayloadError]:
        assert self.machine is not None, "asked for first"
        try:
            text = await self.imds.document(path)
            received = self._clock.now()
            told = read(path, text, self.machine, received=received)
        except Transient as error:
            self._fails(path, error.code, str(error))
            return []
        except PayloadError as error:
            is_new = self._fails(path, UNREADABLE, str(error))
            return [error] if is_new else []
        self._works(path)
        events, self.seen = self.seen.after(path, told, received=received)
        return list(events)

    # ---- what fails --------------------------------------------------------------------------------------------------

    def _is_due(self, path: str) -> bool:
        trouble = self._troubles.get(path)
        return trouble is None or asyncio.get_running_loop().time() >= trouble.again_at

    def _fails(self, path: str, code: str, words: str) -> bool:
        """Is it a new failure? Then it is told."""
        known = self._troubles.get(path)
        pause = self.policy.poll_seconds if known is None else known.pause_seconds * 2
        pause = min(pause, self.policy.pause_seconds_max)
        again_at = asyncio.get_running_loop().time() + pause
        self._troubles[path] = _Trouble(code=code, words=words, pause_seconds=pause, again_at=again_at)
        is_new = known is None or known.code != code  # words may quote what differs at every answer
        if is_new:
            log.warning("metadata %s cannot be had: %s; it is asked again and again", path, words)
        return is_new

    def _works(self, path: str) -> None:
        if self._troubles.pop(path, None) is not None:
            log.info("metadata %s can be had again", path)


UNREADABLE = "Unreadable"
"""The code of a document that came and cannot be read."""


class ImdsSource:
    """The metadata service as a source of events. It never ends and never raises: it must hear whatever happens."""

    def __init__(self, watch: Watch) -> None:
        """Polls nothing before it is asked for deliveries."""
        self.watch = watch

    @property
    def name(self) -> str:
        """`metadata service 169.254.169.254:80`."""
        return f"metadata service {self.watch.imds.where}"

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """What is new, as it comes, for ever.

        Nothing is to be acknowledged: the service repeats itself, and what was said before a restart is said again.
        """
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            for event in await self.watch.poll():
                yield Delivery(event=event)
            # After a pause of the whole machine one poll is enough, not one for each that was missed.
            due = max(due + self.watch.policy.poll_seconds, loop.time())
            await asyncio.sleep(due - loop.time())
