"""`compat.nth`: what was said to the Node Termination Handler counts, beneath what the configuration says.

It is loaded only where that was asked for. Our own settings and options win, then its flags, then its variables; where
two of them disagree, that is said. What cannot be done stops the start, all of it told at once.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spotward.cli.nth_asked import InPlace
from spotward.compat.nth import MODE, in_environment, on_command_line, translate
from spotward.compat.nth_options import BY_ENV, BY_FLAG
from spotward.compat.option import Finding, Outcome, Program, Translation
from spotward.config import Config, load
from spotward.model.errors import ConfigError

RIVALS = {"webhook.url": "webhook.url_file", "webhook.template": "webhook.template_file"}
"""Two settings for one thing: with the second in the file the first is not taken from elsewhere."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What was said, as far as it counts."""

    config: Config
    settings: Mapping[str, Any]
    """As a file has them; to be laid beneath one."""
    options: Mapping[str, str]
    environment: Mapping[str, str]
    findings: tuple[Finding, ...]

    @property
    def telling(self) -> tuple[Finding, ...]:
        """The findings that a log should have: differences, conflicts and strangers, and nothing that is usual."""
        return tuple(each for each in self.findings if each.words and not each.usual)

    @property
    def in_place(self) -> InPlace:
        """The same without what weighs."""
        lines = tuple(each.text for each in self.telling)
        return InPlace(options=dict(self.options), environment=dict(self.environment), lines=lines)


def heard(file: Path | None, program: Program, theirs: Sequence[str] = ()) -> Heard:
    """What the environment and the command line say, beneath the file. Raises ConfigError with all that is wrong."""
    flags, unknown = on_command_line(theirs)
    variables, strays = in_environment(os.environ)
    translation = translate([*flags, *variables], program, strays=[*unknown, *strays])
    if translation.bad:
        raise ConfigError(_all_of(translation.bad))
    translation = _without_rivals(translation, load(file))
    config = load(file, beneath=translation.tree)
    if program is Program.RUN and translation.settings.get("kubernetes.enabled") and config.queue is None:
        raise ConfigError(f"the queue mode ({BY_FLAG[MODE].env}) hears nothing without a queue; give QUEUE_URL")
    environment, held = _to_set(translation.environment)
    return Heard(
        config=config,
        settings=translation.tree,
        options=translation.options,
        environment=environment,
        findings=(*translation.findings, *_conflicts(translation, config), *held),
    )


def _all_of(bad: Sequence[Finding]) -> str:
    lines = "\n".join(f"  - {each.text}" for each in bad)
    return f"what was said to the Node Termination Handler cannot all be done:\n{lines}"


def _without_rivals(translation: Translation, config: Config) -> Translation:
    beaten = {name for name, rival in RIVALS.items() if _value(config, rival) is not None}
    kept = {name: value for name, value in translation.settings.items() if name not in beaten}
    strays = tuple(_overruled(name, translation) for name in translation.settings if name in beaten)
    return Translation(
        program=translation.program,
        settings=kept,
        options=translation.options,
        environment=translation.environment,
        findings=(*translation.findings, *strays),
    )


def _conflicts(translation: Translation, config: Config) -> list[Finding]:
    settings = translation.settings
    return [_overruled(name, translation) for name in settings if not _same(_value(config, name), settings[name])]


def _overruled(name: str, translation: Translation) -> Finding:
    who = next(each.name for each in translation.findings if name in each.targets)
    words = f"the configuration says otherwise of `{name}`, and counts"
    return Finding(name=who, outcome=Outcome.UNUSED, words=words)


def _value(config: Config, name: str) -> Any:
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _same(held: Any, said: Any) -> bool:
    return bool(list(held) == said if isinstance(held, tuple) else held == said)


def _to_set(variables: Mapping[str, str]) -> tuple[dict[str, str], list[Finding]]:
    """A variable that is set already stays, unless it is one of the other tool's own: there a flag beats it."""
    to_set = {name: text for name, text in variables.items() if name in BY_ENV or not os.environ.get(name)}
    held = [name for name in variables.keys() - to_set.keys() if os.environ[name] != variables[name]]
    words = "it says otherwise than {}, and counts"
    return to_set, [
        Finding(name=name, outcome=Outcome.UNUSED, words=words.format(THEIR_NAMES[name])) for name in sorted(held)
    ]


THEIR_NAMES = {target[1:]: env for env, option in BY_ENV.items() for target in option.targets if target[0] == "$"}
"""Variable for others → the one of the other tool that is about the same."""
