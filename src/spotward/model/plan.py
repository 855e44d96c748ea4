"""What a rule wants done, in which order, and what follows what: the part of a rule that a flow takes with it.

A plan is frozen when its flow begins. A rule that is changed meanwhile changes the flows that begin after it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from spotward.model.hours import Hours


class Comparison(StrEnum):
    """How a condition looks at its field."""

    IS = "is"
    IS_NOT = "is_not"
    ONE_OF = "one_of"
    NONE_OF = "none_of"
    MATCHES = "matches"
    """The whole of it, by a regular expression."""
    ABOVE = "above"
    AT_LEAST = "at_least"
    BELOW = "below"
    AT_MOST = "at_most"
    EXISTS = "exists"


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One thing that must hold of one field."""

    path: tuple[str, ...]
    """Where the field is: `("labels", "severity")`, `("steps", "drain", "output", "evicted")`."""
    how: Comparison
    operands: tuple[str, ...]
    """What it is compared with, as text: one, or several for `one_of` and `none_of`."""

    @property
    def words(self) -> str:
        """As an operator would say it."""
        name = dotted(self.path)
        if self.how is Comparison.EXISTS:
            return f"{name} {'exists' if self.operands == ('true',) else 'is missing'}"
        verb = self.how.value.replace("_", " ")
        verb = verb if self.how in (Comparison.IS, Comparison.IS_NOT, Comparison.MATCHES) else f"is {verb}"
        return f"{name} {verb} {', '.join(self.operands)}"


def dotted(path: tuple[str, ...]) -> str:
    """A path as it stands in a file: parts that hold a dot are quoted."""
    return ".".join(f'"{part}"' if "." in part or not part else part for part in path)


class Then(StrEnum):
    """Where a chain goes on after a step."""

    CONTINUE = "continue"
    STOP = "stop"


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """How long a step waits before it is tried again."""

    first_seconds: float = 2.0
    factor: float = 2.0
    max_seconds: float = 60.0

    def pause_seconds(self, tries: int) -> float:
        """After so many tries that failed."""
        return float(min(self.first_seconds * self.factor ** min(tries - 1, 64), self.max_seconds))


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One call of one plugin."""

    name: str
    """Tells it from the flow's other tasks."""
    plugin: str
    properties_json: str = "{}"
    timeout_seconds: float = 60.0
    """For each try."""
    retries: int = 0
    """How often it is tried again after it failed."""
    backoff: Backoff = Backoff()
    when: tuple[Condition, ...] = ()
    """All of these must hold, or it is skipped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Consequence:
    """What follows a step: first these tasks, then the rest of the chain or its end."""

    tasks: tuple[Task, ...] = ()
    """What fails among these is said, and holds up nothing."""
    then: Then = Then.CONTINUE


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A task of the chain, and what follows it."""

    task: Task
    on_success: Consequence = Consequence()
    on_failure: Consequence = Consequence(then=Then.STOP)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All that a flow is to do, and when it may."""

    steps: tuple[Step, ...]
    hours: Hours | None = None
    """Outside of them nothing is begun."""
    finish_within_seconds: float | None = None
    """A flow that takes longer ends as failed."""

    def tasks(self) -> Iterator[Task]:
        """Every task that may be done, in the order of the file."""
        for step in self.steps:
            yield step.task
            yield from step.on_success.tasks
            yield from step.on_failure.tasks
