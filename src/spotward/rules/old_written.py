"""An old configuration, written down as a rules file of ours, with what is mended as comments.

The file means what the old one means when it is read directly: whoever writes it reads it back and compares.
"""

import re
from collections.abc import Iterator, Mapping

from spotward.compat.yaml_text import comment, plain, quoted
from spotward.model.errors import ConfigError, ConfigErrors
from spotward.model.occurrence import Json, json_value
from spotward.model.plan import Condition, Step, Then
from spotward.rules.hollowtrees import Translation
from spotward.rules.old_yaml import Mend
from spotward.rules.parse import parse
from spotward.rules.rulebook import Callee, Rule

_BARE = re.compile(r"[A-Za-z0-9_/:@-]+")
_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def as_rules_file(translation: Translation, *, source: str) -> str:
    """The text. source: what it was made from, for its first line.

    Raises ConfigError for what has no place in a rules file, such as more rules than one may have.
    """
    rules = translation.rules
    lines = [
        f"# Written by `spotward convert hollowtrees` from {plain(source)} (`{translation.generation}`).",
        *_notes(translation.mends, ""),
        "",
        "version: 1",
        f"match: {'first' if rules.first_match else 'all'}",
        *_plugins(rules.callees),
        *(["", "rules:"] if rules.rules else ["", "rules: []"]),
    ]
    for rule in rules.rules:
        lines += [*_comments(translation.mends, rule.name), *_rule(rule), ""]
    text = "\n".join(lines).rstrip() + "\n"
    _check(text, translation)
    return text


def _check(text: str, translation: Translation) -> None:
    """Raises ConfigError unless it is read as what was meant."""
    try:
        read = parse(text)
    except ConfigErrors as error:
        raise ConfigError(
            f"it cannot all stand in a rules file ({error.errors[0]}); "
            "name it in `compat.hollowtrees`, which reads it as it is"
        ) from error
    assert read == translation.rules, "what is written means something else"


# ---- what is mended --------------------------------------------------------------------------------------------


def _notes(mends: tuple[Mend, ...], rule: str) -> Iterator[str]:
    mine = [each for each in mends if each.rule == rule]
    if mine:
        yield "#"
        yield "# What is otherwise than it was, by the line of the old file:"
    for each in mine:
        yield from comment(f"{each.line}: {each.text}", "", first="  ", other="    ")


def _comments(mends: tuple[Mend, ...], rule: str) -> Iterator[str]:
    for each in mends:
        if each.rule == rule:
            yield from comment(f"{each.line}: {each.text}", "  ")


# ---- plugins and rules -----------------------------------------------------------------------------------------


def _plugins(callees: tuple[Callee, ...]) -> Iterator[str]:
    if callees:
        yield ""
        yield "plugins:"
    for each in callees:
        yield f"  {_key(each.name)}:"
        yield f"    kind: {each.kind}"
        yield f"    address: {quoted(each.address)}"
        if each.properties_json != "{}":
            yield f"    properties: {_flow(json_value(each.properties_json))}"


def _rule(rule: Rule) -> Iterator[str]:
    yield f"  - name: {quoted(rule.name)}"
    if rule.description:
        yield f"    description: {quoted(rule.description)}"
    yield f"    events: {_one_or_many(rule.events)}"
    if rule.where:
        yield "    where:"
        yield from (f"      {_field(each)}: {quoted(each.operands[0])}" for each in rule.where)
    if rule.group_by:
        yield f"    group_by: {_one_or_many(tuple(_dotted(path) for path in rule.group_by))}"
    if rule.cooldown_seconds:
        yield f"    cooldown: {_duration(rule.cooldown_seconds)}"
    if rule.concurrency is not None:
        yield f"    concurrency: {rule.concurrency}"
    yield "    steps:"
    for step in rule.plan.steps:
        yield from _step(step)


def _step(step: Step) -> Iterator[str]:
    task = step.task
    yield f"      - plugin: {quoted(task.plugin)}"
    if task.name != task.plugin:
        yield f"        name: {quoted(task.name)}"
    yield f"        timeout: {_duration(task.timeout_seconds)}"
    if task.retries:
        yield f"        retries: {task.retries}"
    if step.on_failure.then is Then.CONTINUE:
        yield "        on_failure: continue"


# ---- words -----------------------------------------------------------------------------------------------------


def _key(text: str) -> str:
    return text if _PLAIN_KEY.fullmatch(text) and text not in ("true", "false", "null", "yes", "no") else quoted(text)


def _field(condition: Condition) -> str:
    text = _dotted(condition.path)
    return quoted(text) if '"' in text else text


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(part if _BARE.fullmatch(part) else f'"{part}"' for part in path)


def _one_or_many(texts: tuple[str, ...]) -> str:
    return quoted(texts[0]) if len(texts) == 1 else f"[{', '.join(quoted(each) for each in texts)}]"


def _flow(value: Json) -> str:
    """A value within one line, whose keys are texts as well."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{quoted(name)}: {_flow(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(_flow(each) for each in value)}]"
    return quoted(value)


def _duration(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{int(seconds // length)}{unit}"
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"
