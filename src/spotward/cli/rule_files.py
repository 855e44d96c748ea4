"""The files that hold the user's rules, ours and those of Hollowtrees, read as one book."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spotward.config import Config
from spotward.events.envelope import Ignored
from spotward.events.eventbridge import envelopes
from spotward.events.occurred import envelope_occurrence
from spotward.model.errors import ConfigError
from spotward.model.flow_event import Occurred
from spotward.rules.rulebook import Rules

if TYPE_CHECKING:  # what reads YAML is loaded by those who have rules
    from spotward.rules.hollowtrees import Translation


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """What the files say."""

    rules: Rules
    mended: tuple[str, ...] = ()
    """What of old configurations is otherwise than it was, a line for each thing."""


def read_rules(config: Config, builtin: Iterable[str]) -> Read:
    """All of them; no rules without any. builtin: plugins that need not be named. Raises ConfigError."""
    files = [config.flows.rules] if config.flows.rules is not None else []
    books = [(str(file), _own(file, builtin)) for file in files]
    old = [(str(file), read_old(file)) for file in config.compat.hollowtrees]
    if not books and not old:
        return Read(rules=Rules())
    from spotward.rules.hollowtrees import words_of
    from spotward.rules.joined import joined

    rules = joined([*books, *((file, each.rules) for file, each in old)])
    return Read(rules=rules, mended=tuple(line for file, each in old for line in words_of(each, file)))


def read_old(file: Path) -> "Translation":
    """A configuration of Hollowtrees. Raises ConfigError."""
    from spotward.rules.hollowtrees import translated

    return translated(text_of(file, "give the path of Hollowtrees' config.yaml"), file=str(file))


def text_of(file: Path, next_step: str) -> str:
    """What stands in a file. Raises ConfigError that ends with the next step."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"cannot be read: {why}; {next_step}", file=str(file)) from error


def _own(file: Path, builtin: Iterable[str]) -> Rules:
    from spotward.cli.zone_files import zones
    from spotward.rules.parse import parse

    return parse(text_of(file, "give the path of a rules file"), file=str(file), zones=zones(), builtin=builtin)


def meant_by_rules(config: Config, text: str, *, builtin: Iterable[str], now: float) -> list[Occurred]:
    """What a text of EventBridge holds that some rule means. builtin: names of the plugins that come along. now: Unix
    seconds. Raises ConfigError, PayloadError.
    """
    if config.flows.rules is None and not config.compat.hollowtrees:
        return []
    from spotward.rules.match import means

    rules = read_rules(config, builtin).rules
    bare = (each for each in envelopes(text) if not isinstance(each, Ignored))
    occurrences = (envelope_occurrence(each) for each in bare)
    return [Occurred(time=now, occurrence=each, door="argument") for each in occurrences if means(rules, each)]
