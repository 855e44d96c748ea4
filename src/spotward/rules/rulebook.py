"""What the user has written down: rules, the plugins that they call, and how both are bounded."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from spotward.model.plan import Condition, Plan
from spotward.rules.schedule import Schedule

FLOWS_OPEN_MAX = 20_000
"""How many flows may be open; what occurs beyond that is refused, in words. Some 10 KB of memory each."""

CALLS_AT_ONCE = 16
"""How many calls of one plugin may be under way at once, unless it says otherwise."""

CALLS_AT_ONCE_MAX = 1_000
"""No plugin may be given more than this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Callee:
    """A plugin that steps may call, as the file names it. How it is reached is the business of whoever calls it."""

    name: str
    kind: str = "grpc"
    """`grpc`, `hollowtrees-v1`, `hollowtrees-v2`, `http`, `lambda`, `fn` or `builtin`"""
    address: str = ""
    """HOST:PORT, a URL, or the name of a function; nothing for a built-in one."""
    at_once: int = CALLS_AT_ONCE
    """How many calls of it may be under way at once."""
    properties_json: str = "{}"
    """What each step's own properties are laid over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """When this occurs, do that."""

    name: str
    description: str = ""
    enabled: bool = True
    events: tuple[str, ...]
    """Globs over the type of an occurrence. An alert that is over is meant only by one that ends in `.resolved`."""
    where: tuple[Condition, ...] = ()
    """All of these must hold, too."""
    group_by: tuple[tuple[str, ...], ...] = ()
    """Paths; occurrences that are the same in all of them are one group. Without any, each occurrence is its own."""
    cooldown_seconds: float = 0.0
    """So long after a flow of a group ended, no other begins for the group."""
    repeat_seconds: float | None = None
    """The same occurrence, heard again so long after its flow began, begins another. None: it never does."""
    concurrency: int | None = None
    """So many of its flows run at once; others wait. None is any number."""
    delay_seconds: float = 0.0
    """So long after the occurrence the first step is done."""
    happens: tuple[str, ...] | None = None
    """The path of the time at which what the event is about happens; None where there is none."""
    plan: Plan


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """All of it."""

    rules: tuple[Rule, ...] = ()
    """In the order of the file."""
    first_match: bool = True
    """Only the first rule that takes an occurrence gets it; else every one that does."""
    callees: tuple[Callee, ...] = ()
    flows_open_max: int = FLOWS_OPEN_MAX
    schedules: tuple[Schedule, ...] = ()
    """What occurs by the clock."""
    beside: tuple["Rules", ...] = ()
    """Further files. Each takes what occurs for itself, by its own `first_match`; names differ over all of them."""

    @property
    def files(self) -> tuple["Rules", ...]:
        """Itself, and those beside it."""
        return (self, *self.beside)

    @property
    def every_rule(self) -> tuple[Rule, ...]:
        """Of all files, in their order."""
        return tuple(rule for file in self.files for rule in file.rules) if self.beside else self.rules

    @property
    def every_callee(self) -> tuple[Callee, ...]:
        """Of all files, each name once."""
        return tuple({each.name: each for file in self.files for each in file.callees}.values())

    def callee(self, name: str) -> Callee:
        """A plugin by its name; one that is not named in any file is a built-in one."""
        named = (each for file in self.files for each in file.callees if each.name == name)
        return next(named, Callee(name=name, kind="builtin"))

    def with_own(self, at_once: Mapping[str, int]) -> "Rules":
        """With plugins that come along and that no file names, each with its limit of calls at once."""
        named = {each.name for each in self.every_callee}
        own = (Callee(name=name, kind="builtin", at_once=limit) for name, limit in at_once.items() if name not in named)
        return replace(self, callees=(*self.callees, *own))

    def limited(self, at_once: Mapping[str, int]) -> "Rules":
        """With other limits for some plugins, by their names."""
        callees = tuple(replace(each, at_once=at_once.get(each.name, each.at_once)) for each in self.callees)
        return replace(self, callees=callees, beside=tuple(each.limited(at_once) for each in self.beside))

    def rule(self, name: str) -> Rule | None:
        """A rule by its name, or None."""
        return next((each for each in self.every_rule if each.name == name), None)
