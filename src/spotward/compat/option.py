"""What one option of another tool is, and what becomes of what was said of it.

Nothing that was said is passed over. An option is *supported* (we have the same), *mapped* (we have what it is for,
with a difference that is named) or *refused* (by name, with the reason and the next step). What an option becomes is
written as targets: a setting (`nodes.taint`), an option of a program (`agent --dry-run`) or a variable
(`$AWS_ENDPOINT_URL`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from spotward.compat.forms import Form

Answers = Mapping[str, Any]
"""Flag → its value as read; what was not said, or does not count here, is absent."""

Effect = Mapping[str, object]
"""Target → value."""

Working = Callable[[Any, Answers], Effect]
"""What a value becomes, beside the others. Raises Refusal."""


class Refusal(Exception):  # noqa: N818 - it says what happened, and reads as that
    """It cannot be done here. The text says why, and what to do."""


class Program(StrEnum):
    """Which of ours does the work."""

    AGENT = "agent"
    """On each node, hearing from the machine itself: the other tool's IMDS mode."""
    RUN = "run"
    """Once for the cluster, hearing from a queue: its queue mode."""


BOTH = (Program.AGENT, Program.RUN)


class Standing(StrEnum):
    """How an option stands with us."""

    SUPPORTED = "supported"
    MAPPED = "mapped"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One row of the table."""

    flag: str
    """Without dashes."""
    env: str
    chart: str = ""
    """The value of the Helm chart; empty where the chart has none."""
    default: str
    """What the other tool takes when nothing is said."""
    form: Form
    standing: Standing
    targets: tuple[str, ...] = ()
    """All that it may set."""
    note: str
    """The difference; for one that is refused the reason and the next step."""
    working: Working
    programs: tuple[Program, ...] = BOTH
    """Where it counts at all: the other tool reads some options in one of its modes only."""
    now: str = ""
    """The flag that took its place, if it is deprecated."""
    beside: str = ""
    """The flag of a switch without which it says nothing."""
    secret: bool = False
    """Its value is repeated in no message."""
    unsaid: str = ""
    """What holds here when nothing is said, where that differs."""
    unsaid_in: tuple[Program, ...] = BOTH
    """Where it differs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What somebody said of an option."""

    option: Option
    text: str
    name: str
    """As it was called there: `TAINT_NODE`, `--taint-node`, `taintNode`."""
    place: str = ""
    """File, line and column, where there is one."""


class Outcome(StrEnum):
    """What became of it."""

    SUPPORTED = "supported"
    MAPPED = "mapped"
    UNUSED = "unused"
    """It says nothing here, and said nothing there."""
    REFUSED = "refused"
    WRONG = "wrong"
    """It cannot be read, or is no option at all."""


BAD = (Outcome.REFUSED, Outcome.WRONG)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What became of one thing that was said."""

    name: str
    place: str = ""
    outcome: Outcome
    words: str = ""
    targets: tuple[str, ...] = ()
    """What it set."""
    usual: bool = False
    """It is what the other tool takes anyway: not worth a line in a log."""

    @property
    def text(self) -> str:
        """One line for a person."""
        place = f"{self.place}: " if self.place else ""
        becomes = f" ({', '.join(self.targets)})" if self.targets and self.outcome not in BAD else ""
        return f"{place}`{self.name}` {_VERBS[self.outcome]}{becomes}" + (f": {self.words}" if self.words else "")


_VERBS = {
    Outcome.SUPPORTED: "holds",
    Outcome.MAPPED: "is mapped",
    Outcome.UNUSED: "changes nothing",
    Outcome.REFUSED: "is refused",
    Outcome.WRONG: "is wrong",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Translation:
    """All that was said, in our words."""

    program: Program
    settings: Mapping[str, object] = field(default_factory=dict)
    """Dotted name → value, as a file would say it."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of the program (`--log-level`) → value; empty for one that takes none."""
    environment: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def tree(self) -> dict[str, Any]:
        """The settings as a file has them, one section in another."""
        tree: dict[str, Any] = {}
        for name, value in self.settings.items():
            *sections, last = name.split(".")
            here = tree
            for section in sections:
                here = here.setdefault(section, {})
            here[last] = value
        return tree

    @property
    def bad(self) -> tuple[Finding, ...]:
        """What stands in the way."""
        return tuple(each for each in self.findings if each.outcome in BAD)
