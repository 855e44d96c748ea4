"""A chain of plugins' calls that a rule began because of something that occurred, from its beginning to its end.

A `Flow` is an undertaking. Its plan is frozen at birth; beside the plan stand facts, one for each task: was it asked,
how often, what came of it. The next step is always worked out from plan and facts (`spotward.rules.chain`), so it does
not matter where the process was killed. A call that had not answered is asked again under its idempotency key, which
is the same over all tries and restarts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from spotward.model.altered import altered
from spotward.model.occurrence import Occurrence
from spotward.model.plan import Plan

JOINED_MAX = 100
"""How many of the occurrences that joined a flow are named on it; further ones are only counted."""


class TaskState(StrEnum):
    """How far a task is."""

    WAITING = "waiting"
    """Its turn has not come."""
    ASKED = "asked"
    """Its plugin was called and has not answered."""
    RESTING = "resting"
    """A try failed; it is tried again after a pause."""
    DONE = "done"
    IGNORED = "ignored"
    """The plugin had nothing to do with such an event: as good as done."""
    SKIPPED = "skipped"
    """Its conditions did not hold."""
    FAILED = "failed"
    """The last try failed."""
    REFUSED = "refused"
    """The plugin says that no further try can help."""
    LEFT = "left"
    """The flow ended while it was asked, resting or waiting for room."""


GOOD = frozenset({TaskState.DONE, TaskState.IGNORED})
BAD = frozenset({TaskState.FAILED, TaskState.REFUSED})
OPEN = frozenset({TaskState.WAITING, TaskState.ASKED, TaskState.RESTING})


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskFact:
    """What is known of one task."""

    name: str
    state: TaskState = TaskState.WAITING
    tries: int = 0
    """How often it was tried, a repetition after a restart not counted."""
    asked_time: float | None = None
    """When it was last asked."""
    retry_time: float = 0.0
    """Not before then is it tried again."""
    ended_time: float | None = None
    text: str = ""
    """What came of it, or why the last try failed, in the plugin's words."""
    output_json: str = "{}"
    """What the plugin gave for the tasks after it."""
    progress: str = ""
    """The last that it said of its progress."""

    @property
    def open(self) -> bool:
        """Is it not over yet?"""
        return self.state in OPEN


class Outcome(StrEnum):
    """How a flow ended."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """One chain, begun."""

    kind: ClassVar[str] = "flow"

    key: str
    """`rule.digest`; the digest is that of what began it, so that the same never begins two."""
    rule: str
    group: str
    """What its rule groups by, in words; of one group at most one flow is open."""
    occurrence: Occurrence
    """What began it."""
    joined: tuple[str, ...] = ()
    """Identities of further occurrences of the group that came while it was open."""
    joined_count: int = 0
    plan: Plan
    concurrency: int | None = None
    """So many flows of its rule run at once; None is any number."""
    born: float
    start_time: float
    """Not before then is anything done: its rule's delay."""
    happens_time: float | None = None
    """When what the event is about happens (EC2 takes the instance), where the rule says where that stands."""
    queued: bool = False
    """It may begin, and waits for a place among the flows of its rule."""
    started_time: float | None = None
    """When it was given its place."""
    waits_for: str = ""
    """The plugin that has no room for a call of it; empty if it does not wait for any."""
    facts: tuple[TaskFact, ...] = ()
    """Of every task of the plan, in its order."""
    retried: int = 0
    """How often a person had it begun again."""
    outcome: Outcome | None = None
    ended: str | None = None
    """What came of it, in words, once it is over."""
    ended_time: float | None = None

    @property
    def subject(self) -> str:
        """Whom it is about: what the journal and the store find it by."""
        return self.key

    @property
    def about(self) -> tuple[str, ...]:
        """Others whom a page about its beginning and its end is about."""
        instance = self.occurrence.labels.get("instance_id", "")
        every = (self.rule, self.group, self.occurrence.type, self.occurrence.subject or "", instance)
        return tuple(dict.fromkeys(each for each in every if each))

    @property
    def line(self) -> str:
        """What only one flow at a time may be about."""
        return turn_key(self.rule, self.group)

    @property
    def running(self) -> bool:
        """Does it take a place among the flows of its rule?"""
        return self.started_time is not None and self.ended is None

    @property
    def calling(self) -> TaskFact | None:
        """The task that was asked and has not answered."""
        return next((fact for fact in self.facts if fact.state is TaskState.ASKED), None)

    @property
    def failures(self) -> tuple[TaskFact, ...]:
        """The tasks that failed or were refused."""
        return tuple(fact for fact in self.facts if fact.state in BAD)

    def fact(self, name: str) -> TaskFact:
        """What is known of a task."""
        return next((fact for fact in self.facts if fact.name == name), TaskFact(name=name))

    def with_fact(self, fact: TaskFact) -> "Flow":
        """With a task as it now stands."""
        return altered(self, facts=tuple(fact if each.name == fact.name else each for each in self.facts))

    def plugin_of(self, name: str) -> str:
        """The plugin that a task calls."""
        return next((task.plugin for task in self.plan.tasks() if task.name == name), "")

    def joined_by(self, identity: str) -> "Flow":
        """With one more occurrence of its group. The one that began it, heard again, is no further one."""
        if identity == self.occurrence.identity or identity in self.joined:
            return self
        room = len(self.joined) < JOINED_MAX
        joined = (*self.joined, identity) if room else self.joined
        return altered(self, joined=joined, joined_count=self.joined_count + 1)


def idempotency_key(flow_key: str, task: str) -> str:
    """What a plugin tells two calls of one task by: the same over all tries and restarts."""
    return f"{flow_key}.{task}"


def turn_key(rule: str, group: str) -> str:
    """The key of a group of a rule."""
    return f"{rule} {group}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """What is remembered of a group of a rule once its flow has ended; or of a type of event that no rule takes."""

    heard_time: float
    """When an occurrence of it last came."""
    begun_time: float | None = None
    ended_time: float | None = None
    number: int = 0
    """How many flows it has begun."""
    seen: tuple[str, ...] = ()
    """Marks of the last occurrences of it, the newest last: they begin nothing a second time."""
    keep_until: float
    """It is forgotten then, unless it is heard of again."""


def facts_of(names: Iterable[str]) -> tuple[TaskFact, ...]:
    """Nothing is known yet."""
    return tuple(TaskFact(name=name) for name in names)
