"""Plugins asked whether what rules tell them is right, so that a mistake shows before an event does.

It is asked beside the start and holds nothing up. A plugin that cannot be asked now says nothing against it: it may
come later, and its steps will be told then.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import groupby

import structlog

from spotward.model.errors import OutsideError
from spotward.model.occurrence import json_value
from spotward.model.plan import Task
from spotward.plugins.host.host import Host
from spotward.rules.chain import merged
from spotward.rules.rulebook import Rules

log = structlog.get_logger("spotward")


@dataclass(frozen=True, kw_only=True, slots=True)
class Complaint:
    """What a plugin has against a step."""

    rule: str
    step: str
    plugin: str
    place: str
    """Keys joined by dots; empty for the whole."""
    problem: str


@asynccontextmanager
async def asking(rules: Rules, host: Host) -> AsyncIterator[None]:
    """Ask them while the context is open, and log what they have against steps."""
    task = asyncio.create_task(_said(rules, host))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _said(rules: Rules, host: Host) -> None:
    for each in await complaints(rules, host):
        log.warning(
            "a plugin does not take what a step tells it",
            rule=each.rule,
            step=each.step,
            plugin=each.plugin,
            place=each.place,
            problem=each.problem,
        )


def _logged(plugin: str, reason: str) -> None:
    log.info("a plugin cannot be asked now whether its steps are right", plugin=plugin, reason=reason)


async def complaints(rules: Rules, host: Host, unasked: Callable[[str, str], None] = _logged) -> list[Complaint]:
    """All of them, in the order of plugins and of the file. unasked: hears which plugin cannot be asked, and why."""
    asked = sorted(_steps(rules), key=lambda step: step[1].plugin)
    by_plugin = [(plugin, list(steps)) for plugin, steps in groupby(asked, key=lambda step: step[1].plugin)]
    told = await asyncio.gather(*(_of_plugin(plugin, steps, rules, host, unasked) for plugin, steps in by_plugin))
    return [each for some in told for each in some]


def _steps(rules: Rules) -> Iterator[tuple[str, Task]]:
    for rule in rules.every_rule:
        if rule.enabled:
            yield from ((rule.name, task) for task in rule.plan.tasks())


async def _of_plugin(
    plugin: str, steps: Sequence[tuple[str, Task]], rules: Rules, host: Host, unasked: Callable[[str, str], None]
) -> list[Complaint]:
    """Of one plugin, one step after the other; one that cannot be asked is not asked again."""
    found: list[Complaint] = []
    usual = rules.callee(plugin).properties_json
    for rule, task in steps:
        try:
            problems = await host.problems(plugin, json_value(merged(usual, task.properties_json)) or {})
        except OutsideError as error:
            unasked(plugin, str(error))
            break
        # A fault in one plugin's own check must not silence what the others have to say.
        except Exception:
            log.exception("fault in a plugin's check of its properties", plugin=plugin, rule=rule, step=task.name)
            continue
        found += [
            Complaint(rule=rule, step=task.name, plugin=plugin, place=each.place, problem=each.text)
            for each in problems
        ]
    return found
