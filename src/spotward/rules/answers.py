"""What a flow learns from an answer: the facts of a task once its plugin has answered, or could not be asked."""

from spotward.model.altered import altered
from spotward.model.event import Event, Failed
from spotward.model.flow import Flow, TaskFact, TaskState
from spotward.model.flow_action import call_key
from spotward.model.flow_event import (
    OUTPUT_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
    PluginAnswered,
    PluginProgressed,
    Status,
)
from spotward.model.occurrence import json_value
from spotward.model.plan import Task

RETRY_AFTER_SECONDS_MAX = 86_400.0
"""No plugin may put a step off for longer."""


def learned(flow: Flow, event: Event) -> Flow:
    """The flow once it has heard an event. What is not about the task that was asked changes nothing."""
    fact = flow.calling
    task = next((each for each in flow.plan.tasks() if fact is not None and each.name == fact.name), None)
    if fact is None or task is None:
        return flow
    match event:
        case PluginAnswered(task=name) if name == task.name:
            return flow.with_fact(_answered(fact, task, event))
        case PluginProgressed(task=name) if name == task.name:
            return flow.with_fact(altered(fact, progress=cut(event.text)))
        case Failed(key=key) if key == call_key(flow.key, task.name):
            return flow.with_fact(_unanswered(fact, task, event))
        case _:
            return flow


def _answered(fact: TaskFact, task: Task, event: PluginAnswered) -> TaskFact:
    if event.status is Status.FAILED:
        return try_failed(fact, task, event.text, now=event.time, after_seconds=event.retry_after_seconds)
    states = {Status.DONE: TaskState.DONE, Status.IGNORED: TaskState.IGNORED, Status.REFUSED: TaskState.REFUSED}
    output, text = _output(event.output_json), cut(event.text)
    if output is None:
        text = cut(f"{text} (its output was left out: it is no JSON object, or too long)".strip())
    return altered(fact, state=states[event.status], ended_time=event.time, text=text, output_json=output or "{}")


def _output(text: str) -> str | None:
    right = len(text) <= OUTPUT_CHARACTERS_MAX and isinstance(json_value(text), dict)
    return text if right else None


def _unanswered(fact: TaskFact, task: Task, event: Failed) -> TaskFact:
    """It could not be asked, or did not answer in time. What can never be asked is not asked again."""
    if not event.transient:
        return altered(fact, state=TaskState.FAILED, ended_time=event.time, text=cut(event.reason))
    return try_failed(fact, task, event.reason, now=event.time, after_seconds=event.retry_after_seconds)


def try_failed(fact: TaskFact, task: Task, text: str, *, now: float, after_seconds: float = 0.0) -> TaskFact:
    """A try of it failed: it rests, or that was the last."""
    if fact.tries > task.retries:
        return altered(fact, state=TaskState.FAILED, ended_time=now, text=cut(text))
    wanted = min(max(after_seconds, 0.0), RETRY_AFTER_SECONDS_MAX)
    pause = max(task.backoff.pause_seconds(fact.tries), wanted)
    return altered(fact, state=TaskState.RESTING, retry_time=now + pause, text=cut(text), progress="")


def cut(text: str) -> str:
    """No longer than words for a person need be."""
    return text if len(text) <= TEXT_CHARACTERS_MAX else f"{text[:TEXT_CHARACTERS_MAX]}..."
