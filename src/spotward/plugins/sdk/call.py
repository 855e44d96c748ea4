"""What a plugin is asked, and what it answers. Plain values: nothing of gRPC is in them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = Any
"""None, a bool, a number, a text, a list or a mapping of such, as JSON has them."""


class Status(StrEnum):
    """How a call ended."""

    DONE = "done"
    """It is done, now or by an earlier call with the same key."""
    IGNORED = "ignored"
    """There was nothing to do: the event is no business of this plugin."""
    FAILED = "failed"
    """It did not work; another attempt may."""
    REFUSED = "refused"
    """It will not be done, and another attempt gives the same answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came of a call."""

    status: Status
    text: str = ""
    """A sentence for a person."""
    output: Mapping[str, Json] = field(default_factory=dict)
    """For the steps after it."""
    retry_after_seconds: float = 0.0
    """For a failure: not before then is another attempt worth it."""

    @property
    def good(self) -> bool:
        """Does the chain go on as after a success?"""
        return self.status in (Status.DONE, Status.IGNORED)


def done(text: str = "", **output: Json) -> Answer:
    """It is done; `output` is for the steps after it."""
    return Answer(status=Status.DONE, text=text, output=output)


def ignored(text: str) -> Answer:
    """There was nothing to do, and why."""
    return Answer(status=Status.IGNORED, text=text)


def failed(text: str, *, retry_after_seconds: float = 0.0) -> Answer:
    """It did not work, and another attempt may."""
    return Answer(status=Status.FAILED, text=text, retry_after_seconds=retry_after_seconds)


def refused(text: str) -> Answer:
    """It will not be done, and why."""
    return Answer(status=Status.REFUSED, text=text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    """The event that a call is about: a CloudEvent 1.0."""

    id: str
    source: str
    type: str
    subject: str | None = None
    time: float | None = None
    """When it happened, Unix seconds."""
    data: Json = None
    extensions: Mapping[str, str | int | bool] = field(default_factory=dict)

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of an alert; of any other event, those of its data's fields that are texts."""
        if not isinstance(self.data, Mapping):
            return {}
        found = self.data.get("labels", self.data)
        return {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, Mapping) else {}


async def _unheard(text: str, fraction: float) -> None:
    """Nobody listens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One step of a flow, to be done."""

    key: str
    """The idempotency key: the same for every attempt at this step."""
    event: Happening
    properties: Any = field(default_factory=dict)
    """What the step was configured with: a mapping, or a value of the plugin's own `properties` class."""
    flow: str = ""
    step: str = ""
    attempt: int = 1
    earlier: Mapping[str, Answer] = field(default_factory=dict)
    """What the steps before it answered, by their names."""
    happens: float | None = None
    """When what the event is about happens (EC2 takes the instance), Unix seconds; None when there is no such time."""
    seconds_left: float | None = None
    """How long the caller waits for the answer, as of when the call came; None when it does not say."""
    dry_run: bool = False
    """Say what would be done, and do nothing."""
    traceparent: str = ""
    """W3C Trace Context of the call, for a plugin that tells of traces; empty where nobody does."""
    tell: Callable[[str, float], Awaitable[None]] = _unheard

    async def progress(self, text: str, fraction: float = 0.0) -> None:
        """Tell the caller how far it is: in words, and from 0 to 1 where that is known."""
        await self.tell(text, fraction)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What is wrong with a step's properties."""

    place: str
    """Keys joined by dots; empty for the whole."""
    text: str
    """What is wrong, and what to do about it."""
