"""Several files of rules as one book: each judges what occurs for itself, and no name stands for two things.

What is remembered of a group goes by its rule's name, and a call is counted under its plugin's: so a name that two
files give to different things is a mistake, and is told with both files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from spotward.model.errors import ConfigError, ConfigErrors
from spotward.rules.rulebook import Callee, Rules


def joined(books: Sequence[tuple[str, Rules]]) -> Rules:
    """Files, each with what it is called in messages, as one; how many flows may be open is what the first says.

    Raises ConfigErrors, with every name that stands for two things.
    """
    mistakes = [*_rules_alike(books), *_plugins_alike(books)]
    if mistakes:
        raise ConfigErrors(mistakes)
    every = [rules for _, rules in books]
    return replace(every[0], beside=tuple(every[1:])) if every else Rules()


def _rules_alike(books: Sequence[tuple[str, Rules]]) -> Iterator[ConfigError]:
    seen: dict[str, str] = {}
    for file, rules in books:
        for rule in rules.rules:
            first = seen.setdefault(rule.name, file)
            if first != file:
                yield ConfigError(f"the rule `{rule.name}` stands in {first}, too; rename one of them", file=file)


def _plugins_alike(books: Sequence[tuple[str, Rules]]) -> Iterator[ConfigError]:
    seen: dict[str, tuple[str, Callee]] = {}
    for file, rules in books:
        for callee in _meant(rules):
            first, other = seen.setdefault(callee.name, (file, callee))
            if other != callee:
                what = "the built-in one" if "builtin" in (callee.kind, other.kind) else "another one"
                yield ConfigError(f"the plugin `{callee.name}` is {what} in {first}; rename one of them", file=file)


def _meant(rules: Rules) -> list[Callee]:
    """Every plugin that a file names or calls, as the file means it."""
    called = {task.plugin: rules.callee(task.plugin) for rule in rules.rules for task in rule.plan.tasks()}
    return list((called | {callee.name: callee for callee in rules.callees}).values())
