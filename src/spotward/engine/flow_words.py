"""What is heard, asked and answered about flows, in an operator's words, and whom it is about."""

from collections.abc import Iterable

from spotward.model.flow_action import CallPlugin
from spotward.model.flow_event import (
    FlowCancelled,
    FlowEvent,
    FlowRetried,
    Occurred,
    PluginAnswered,
    PluginProgressed,
    Status,
)
from spotward.model.order import Ordered


def event_words(event: FlowEvent | Ordered) -> str:
    """What happened, as one line."""
    match event:
        case Occurred():
            about = f" about {event.occurrence.subject}" if event.occurrence.subject else ""
            return f"{event.occurrence.type} occurred{about}"
        case PluginAnswered():
            text = f": {event.text}" if event.text else ""
            return f"{event.flow}: {event.task} {_status_words(event.status)}{text}"
        case PluginProgressed():
            share = f" {event.fraction:.0%}" if event.fraction > 0 else ""
            return f"{event.flow}: {event.task} is at it{share}: {event.text}"
        case FlowCancelled():
            return f"{_who(event.by)} cancelled {event.flow}"
        case FlowRetried():
            return f"{_who(event.by)} wants {event.flow.key} to go on"
        case Ordered():
            return f"{_who(event.by)} wants to {event.wanted.words}"


def _status_words(status: Status) -> str:
    words = {
        Status.DONE: "is done",
        Status.IGNORED: "had nothing to do",
        Status.FAILED: "failed",
        Status.REFUSED: "refused",
    }
    return words[status]


def _who(by: str) -> str:
    return by or "somebody"


def action_words(action: CallPlugin) -> str:
    """What is asked for, as one line."""
    task = "" if action.task == action.plugin else f" for {action.task}"
    again = f", try {action.tries}" if action.tries > 1 else ""
    return f"call {action.plugin}{task} of {action.flow}{again}"


def subjects_of_event(event: FlowEvent | Ordered) -> Iterable[str]:
    """Of an occurrence its type and what it is about; of an order itself and whom it is about; of all else the flow."""
    match event:
        case Occurred():
            yield event.occurrence.type
            yield from (event.occurrence.subject,) if event.occurrence.subject else ()
        case PluginAnswered():
            yield from (event.flow, event.key)
        case PluginProgressed() | FlowCancelled():
            yield event.flow
        case FlowRetried():
            yield event.flow.key
        case Ordered():
            yield from (event.order, event.wanted.subject)
