"""The hands of flows: a call that a flow wants, made; what came of it, as an event."""

import asyncio
import json
from collections.abc import Awaitable, Callable

from spotward.engine.ports import Clock
from spotward.model.errors import Transient
from spotward.model.flow import GOOD, TaskState
from spotward.model.flow_action import CallPlugin, Earlier
from spotward.model.flow_event import OUTPUT_CHARACTERS_MAX, TEXT_CHARACTERS_MAX, PluginAnswered, PluginProgressed
from spotward.model.flow_event import Status as Answered
from spotward.model.occurrence import Occurrence, json_value
from spotward.model.trace import sent_with
from spotward.plugins.host.host import Host
from spotward.plugins.sdk.call import Answer, Call, Happening, Status

Teller = Callable[[PluginProgressed], Awaitable[None]]
"""Hears of progress."""

PROGRESS_SECONDS = 1.0
"""Of one call, progress is told no more often than this."""


class FlowHands:
    """Calls plugins for flows."""

    def __init__(self, host: Host, clock: Clock, tell: Teller | None = None, *, traced: bool = False) -> None:
        """tell: hears of progress; None where nobody wants to. traced: do we tell of traces?"""
        self._host, self._clock, self._tell, self._traced = host, clock, tell, traced

    async def do(self, action: CallPlugin, attempt: int) -> PluginAnswered:
        """Call the plugin once, within its time. Raises OutsideError when it could not be asked."""
        seconds = min(action.timeout_seconds, action.deadline_time - self._clock.now())
        if seconds <= 0:
            raise Transient("its time was over before the call could be made", code="PluginLate")
        answer = await self._host.call(
            action.plugin,
            call_of(action, traced=self._traced),
            seconds=seconds,
            listener=_Progress(action, self._clock, self._tell).heard,
        )
        text, output = _said(answer)
        return PluginAnswered(
            time=self._clock.now(),
            key=action.key,
            attempt=attempt,
            flow=action.flow,
            task=action.task,
            status=Answered(answer.status.value),
            text=text,
            output_json=output,
            retry_after_seconds=answer.retry_after_seconds,
        )


class _Progress:
    """What a plugin says on the way, but not each word of it."""

    def __init__(self, action: CallPlugin, clock: Clock, tell: Teller | None) -> None:
        self._action, self._clock, self._tell = action, clock, tell
        self._next = 0.0

    async def heard(self, text: str, fraction: float) -> None:
        now = self._clock.now()
        if self._tell is None or now < self._next:
            return
        self._next = now + PROGRESS_SECONDS
        told = PluginProgressed(
            time=now,
            flow=self._action.flow,
            task=self._action.task,
            text=text[:TEXT_CHARACTERS_MAX],
            fraction=min(max(fraction, 0.0), 1.0),
        )
        await asyncio.shield(self._tell(told))


def call_of(action: CallPlugin, *, traced: bool = False) -> Call:
    """What the plugin is asked. traced: do we tell of traces?"""
    return Call(
        key=action.idempotency_key,
        event=happening(action.occurrence),
        properties=json_value(action.properties_json) or {},
        flow=action.flow,
        step=action.task,
        attempt=action.tries,
        earlier={each.task: _earlier(each) for each in action.earlier if each.state is not TaskState.SKIPPED},
        happens=action.happens_time,
        traceparent=sent_with(action, traced=traced),
    )


def happening(occurrence: Occurrence) -> Happening:
    """The event as plugins know it."""
    return Happening(
        id=occurrence.id,
        source=occurrence.source,
        type=occurrence.type,
        subject=occurrence.subject,
        time=occurrence.time,
        data=occurrence.data,
        extensions=dict(occurrence.extensions),
    )


def _earlier(each: Earlier) -> Answer:
    refused = Status.REFUSED if each.state is TaskState.REFUSED else Status.FAILED
    good = Status.IGNORED if each.state is TaskState.IGNORED else Status.DONE
    status = good if each.state in GOOD else refused
    return Answer(status=status, text=each.text, output=json_value(each.output_json) or {})


def _said(answer: Answer) -> tuple[str, str]:
    """Its words and its output, no longer than they may be: an answer stands in the journal as it comes."""
    try:
        output = json.dumps(dict(answer.output), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        return _left_out(answer, f"it is no JSON, {error}"), "{}"
    if len(output) > OUTPUT_CHARACTERS_MAX:
        return _left_out(answer, f"it has {len(output)} characters; the limit is {OUTPUT_CHARACTERS_MAX}"), "{}"
    return answer.text[: TEXT_CHARACTERS_MAX + 1], output


def _left_out(answer: Answer, why: str) -> str:
    """Its words, and that its output is not kept: half of it would be something else."""
    words = f"(its output was left out: {why})"
    return f"{answer.text[: TEXT_CHARACTERS_MAX - len(words) - 1]} {words}".strip()
