"""A span that is over, as a value; and the words on it that an operator searches by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from spotward.model.action import Action
from spotward.model.event import Event
from spotward.model.flow_event import Occurred
from spotward.model.page import Page
from spotward.model.trace import TraceContext
from spotward.model.undertaking import Undertaking

Attributes = Mapping[str, str | int | tuple[str, ...]]

TEXTS_MAX = 20
"""Of a list so many are told; the journal has them all."""

FACTS = {
    "region": "spotward.region",
    "group": "spotward.group",
    "group_name": "spotward.group",
    "instance_id": "spotward.instance",
    "node": "spotward.node",
    "flow": "spotward.flow",
    "rule": "spotward.rule",
    "task": "spotward.step",
    "plugin": "spotward.plugin",
    "subject": "spotward.subject",
    "key": "spotward.key",
    "idempotency_key": "spotward.idempotency_key",
}
"""Field of an event or an action → attribute."""


class Role(StrEnum):
    """What a span is, to OpenTelemetry."""

    CONSUMER = "consumer"
    """Something was heard."""
    INTERNAL = "internal"
    CLIENT = "client"
    """Somebody else was asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """One, over."""

    name: str
    context: TraceContext
    parent: TraceContext | None
    role: Role
    start_time: float
    end_time: float
    attributes: Attributes = field(default_factory=dict)
    error: str | None = None
    """Why it failed, in words; None where it did not."""


def of_event(event: Event) -> dict[str, str | int | tuple[str, ...]]:
    """What an event is about."""
    found: dict[str, str | int | tuple[str, ...]] = {"spotward.event": event.kind, **facts(event)}
    if isinstance(event, Occurred):
        one = event.occurrence
        found |= {
            "cloudevents.event_id": one.id,
            "cloudevents.event_source": one.source,
            "cloudevents.event_type": one.type,
            "spotward.door": event.door,
        }
        if one.subject is not None:
            found["cloudevents.event_subject"] = one.subject
        if (instance := one.labels.get("instance_id")) is not None:
            found["spotward.instance"] = instance
    return found


def of_page(page: Page, undertakings: tuple[Undertaking, ...]) -> Attributes:
    """What was decided."""
    lists = {
        "spotward.subjects": page.subjects,
        "spotward.refused": tuple(f"{each.subject}: {each.reason}" for each in page.refusals),
        "spotward.notes": tuple(f"{each.subject}: {each.text}" for each in page.notes),
        "spotward.undertakings": tuple(each.key for each in undertakings),
        "spotward.ended": tuple(f"{each.key}: {each.ended}" for each in undertakings if each.ended is not None),
    }
    words: dict[str, str | int | tuple[str, ...]] = {"spotward.page": page.number, "spotward.because": page.event_text}
    return words | {name: texts[:TEXTS_MAX] for name, texts in lists.items() if texts}


def of_action(action: Action, attempt: int, reason: str) -> Attributes:
    """What was asked, and why."""
    return {"spotward.action": action.kind, "spotward.attempt": attempt, "spotward.because": reason, **facts(action)}


def facts(about: Any) -> dict[str, str]:
    """Of whom it is, by the names of its fields."""
    told = ((attribute, getattr(about, name, None)) for name, attribute in FACTS.items())
    return {attribute: value for attribute, value in told if isinstance(value, str) and value}
