"""What every part of a virtual region shares: its name, its time, its agenda, its dice and its outbox.

Time moves in one place only, `run_until`: it takes what is due from a heap, in order of time and then of planning, and
sets `now` to each deed's own time before doing it. A deed asks again whether it still makes sense when it is done, so
nothing is ever taken off the agenda. Names of things (`i-0…`, `sir-…`) are keyed hashes of the seed, the kind and a
counter: they look like AWS's and are the same in every run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from heapq import heappop, heappush
from typing import Any
from uuid import UUID

from spotward.sim.dice import Dice
from spotward.sim.timings import Timings

Deed = Callable[[], None]

_PARTITIONS = {"cn": "aws-cn", "us-gov": "aws-us-gov", "us-iso": "aws-iso", "us-isob": "aws-iso-b"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What a service of the region sends straight to a queue or a topic, past EventBridge."""

    target_arn: str
    subject: str
    """What a topic's e-mails are headed with; a queue gets the message only."""
    message: dict[str, Any]


class Region:
    """The ground that the parts of one virtual region stand on. Times are Unix seconds, UTC."""

    def __init__(self, *, name: str, account: str, seed: int, start_time: float, timings: Timings) -> None:
        """`account` is AWS's twelve digits."""
        self.name = name
        self.account = account
        self.timings = timings
        self.start_time = start_time
        self.now = start_time
        self.dice = Dice(seed, name, "region")
        self._seed = seed
        self._made: Counter[str] = Counter()
        self._agenda: list[tuple[float, int, Deed]] = []
        self._planned = 0
        self._outbox: list[dict[str, Any]] = []
        self._notifications: list[Notification] = []

    # -- time --------------------------------------------------------------------------------------------------------

    def at(self, time: float, deed: Deed) -> None:
        """Do `deed` at `time`, or now if that has passed."""
        self._planned += 1
        heappush(self._agenda, (max(time, self.now), self._planned, deed))

    def after(self, seconds: float, deed: Deed) -> None:
        """Do `deed` so many virtual seconds from now."""
        self.at(self.now + seconds, deed)

    def run_until(self, time: float) -> None:
        """Do everything that is due until `time`, in order; what the deeds plan within it is done too."""
        while self._agenda and self._agenda[0][0] <= time:
            due, _, deed = heappop(self._agenda)
            self.now = max(self.now, due)
            deed()
        self.now = max(self.now, time)

    def next_time(self) -> float | None:
        """When the next deed is due; None when the agenda is empty."""
        return self._agenda[0][0] if self._agenda else None

    def spread(self, seconds: float, *name: str | int) -> float:
        """`seconds` times 1 ± jitter, the same for the same name."""
        return seconds * (1.0 + self.timings.jitter * (2.0 * self.dice.uniform("spread", *name) - 1.0))

    # -- names -------------------------------------------------------------------------------------------------------

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn`, …: the second word of every ARN here."""
        return _PARTITIONS.get(self.name.rsplit("-", 2)[0], _PARTITIONS.get(self.name.split("-", 1)[0], "aws"))

    def arn(self, service: str, resource: str) -> str:
        """The ARN of something of this account in this region."""
        return f"arn:{self.partition}:{service}:{self.name}:{self.account}:{resource}"

    def new_id(self, prefix: str) -> str:
        """A name such as `i-0fedcba9876543210`: the prefix, a dash and 17 hexadecimal digits that begin with 0."""
        return f"{prefix}-0{self._digest(prefix)[:16]}"

    def new_short_id(self, prefix: str) -> str:
        """A name with eight characters after the dash, as Spot requests have."""
        return f"{prefix}-{self._digest(prefix)[:8]}"

    def new_uuid(self, kind: str) -> str:
        """A UUID, as activities, events and groups have."""
        return str(UUID(hex=self._digest(kind), version=4))

    def _digest(self, kind: str) -> str:
        self._made[kind] += 1
        return blake2b(repr((self._seed, self.name, kind, self._made[kind])).encode(), digest_size=16).hexdigest()

    # -- events ------------------------------------------------------------------------------------------------------

    def emit(self, *, source: str, detail_type: str, resources: Sequence[str], detail: dict[str, Any]) -> None:
        """Put one EventBridge event into the outbox, as of now."""
        self._outbox.append(
            {
                "version": "0",
                "id": self.new_uuid("event"),
                "detail-type": detail_type,
                "source": source,
                "account": self.account,
                "time": stamp(self.now),
                "region": self.name,
                "resources": list(resources),
                "detail": detail,
            }
        )

    def take_events(self) -> list[dict[str, Any]]:
        """Empty the outbox, oldest first."""
        events, self._outbox = self._outbox, []
        return events

    def notify(self, *, target_arn: str, subject: str, message: dict[str, Any]) -> None:
        """Send one message straight to a queue or a topic, as of now."""
        self._notifications.append(Notification(target_arn=target_arn, subject=subject, message=message))

    def take_notifications(self) -> list[Notification]:
        """What was sent since last asked, oldest first."""
        sent, self._notifications = self._notifications, []
        return sent


def stamp(time: float) -> str:
    """`2026-11-22T14:05:09Z`, as events and scaling activities write it."""
    return datetime.fromtimestamp(int(time), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def precise_stamp(time: float) -> str:
    """`2026-11-22T14:05:09.500Z`, as Auto Scaling's own messages write it."""
    moment = datetime.fromtimestamp(time, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def when(time: float) -> datetime:
    """The moment as boto3 gives it: with UTC, in whole seconds."""
    return datetime.fromtimestamp(int(time), UTC)
