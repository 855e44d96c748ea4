"""A page of the journal: what we decided at one event, and why, in words."""

from dataclasses import dataclass

from spotward.model.action import Action


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A wish that was admitted, and why it was wished."""

    action: Action
    attempt: int
    reason: str
    urgent: bool = False
    """It goes before others that wait for room."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A wish that a guard refused, or a thing that is left alone, and why."""

    key: str
    subject: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """Something that an operator should know and nobody need do."""

    subject: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """What one event led to."""

    number: int
    """Counts up within a journal."""
    time: float
    event_kind: str
    event_text: str
    """The event in words."""
    subjects: tuple[str, ...]
    """Every instance, group and wish that the page is about: what `explain` searches."""
    asked: tuple[Asked, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[Note, ...] = ()
