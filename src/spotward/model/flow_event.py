"""What is heard from outside for rules to judge, what plugins answer, and what people want of a flow."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from spotward.model.flow import Flow
from spotward.model.occurrence import Occurrence

TEXT_CHARACTERS_MAX = 2_000
"""Of a plugin's words."""

OUTPUT_CHARACTERS_MAX = 16_384
"""Of what a plugin gives for the steps after it. More is left out, all of it, and that is said: half of it would be
something else.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Occurred:
    """Something occurred, as somebody outside says. `time` is when we heard of it."""

    kind: Literal["occurred"] = "occurred"
    time: float
    occurrence: Occurrence
    door: str = ""
    """By which way it came: for people."""


class Status(StrEnum):
    """How a plugin answered."""

    DONE = "done"
    """It is done, now or by an earlier call with the same idempotency key."""
    IGNORED = "ignored"
    """There was nothing to do: such an event is no business of the plugin."""
    FAILED = "failed"
    """It did not work; another try may."""
    REFUSED = "refused"
    """It will not be done, and another try gives the same answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginAnswered:
    """What came of `CallPlugin`."""

    kind: Literal["plugin.answered"] = "plugin.answered"
    time: float
    key: str
    attempt: int = 1
    flow: str
    task: str
    status: Status
    text: str = ""
    """A sentence for a person."""
    output_json: str = "{}"
    """A JSON object, for the tasks after it."""
    retry_after_seconds: float = 0.0
    """For a failure: not before then is another try worth it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginProgressed:
    """How far a plugin is with a call. It answers nothing; whoever calls sends at most one a second for each call."""

    kind: Literal["plugin.progressed"] = "plugin.progressed"
    time: float
    flow: str
    task: str
    text: str = ""
    fraction: float = 0.0
    """From 0 to 1; 0 where it is not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowCancelled:
    """Somebody wants an open flow to end now. What was asked already may still be done by its plugin."""

    kind: Literal["flow.cancelled"] = "flow.cancelled"
    time: float
    flow: str
    """Its key."""
    by: str = ""
    """Who wants it, in words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowRetried:
    """Somebody wants a flow that failed or was cancelled to go on where it stopped; an open one, to rest no longer."""

    kind: Literal["flow.retried"] = "flow.retried"
    time: float
    flow: Flow
    """As the store has it: what has ended, only the store knows."""
    by: str = ""


FlowEvent = Occurred | PluginAnswered | PluginProgressed | FlowCancelled | FlowRetried
