"""Rules on paper: are they right, and what would they make of an event."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from spotward.cli.exits import Exit
from spotward.cli.plugin_shelf import SHELF
from spotward.cli.rule_files import Read, read_rules, text_of
from spotward.config import Config, changed
from spotward.engine.clock import clock_from_environment
from spotward.engine.desk import Desk
from spotward.events.said import read_any
from spotward.model.errors import ConfigError
from spotward.model.occurrence import Occurrence
from spotward.model.plan import Consequence, Step, Task, Then
from spotward.model.units import counted, moment, span
from spotward.plugins.builtin.asg_swap import AsgSwap
from spotward.rules.match import matched
from spotward.rules.rulebook import Rules
from spotward.rules.trial import Trial, tried

if TYPE_CHECKING:
    from spotward.cli.rule_check import Complaint


def checked(config: Config, file: Path | None) -> int:
    """Say that they are right, when schedules strike next, and what of old files is otherwise than it was.

    Of those of the configuration, which tells how each plugin is reached, the plugins are asked too whether they take
    what steps tell them. Raises ConfigError, with every mistake.
    """
    read = _read(config, file)
    rules = read.rules
    console = Console(highlight=False)
    unasked: list[str] = []
    told = () if file is not None else asyncio.run(_complaints(config, unasked))
    for each in told:
        console.print(f"[red]{escape(_complaint_words(each))}[/red]", soft_wrap=True)
    numbers = f"{counted(len(rules.every_rule), 'rule')}, {counted(len(rules.every_callee), 'plugin')} named"
    lines = () if told else (f"right: {numbers}", *_strokes(rules), *read.mended)
    for line in (*lines, *unasked):
        console.print(escape(line), soft_wrap=True)
    return Exit.USAGE if told else Exit.DONE


async def _complaints(config: Config, unasked: list[str]) -> Sequence["Complaint"]:
    """What plugins have against steps. unasked: gets a line for each that cannot be asked. Raises ConfigError."""
    from spotward.cli.cluster_steps import cluster_steps  # late, and the next: what calls plugins weighs something
    from spotward.cli.flow_parts import flow_parts
    from spotward.cli.rule_check import complaints

    def missed(plugin: str, reason: str) -> None:
        unasked.append(f"not asked: {plugin}: {reason}")

    clock, desk = clock_from_environment(), Desk()
    within = [AsgSwap(desk, clock, config.regions), cluster_steps(config, clock, desk).plugin]
    parts = flow_parts(config, clock, within)
    if parts is None:
        return ()
    try:
        return await complaints(parts.rules, parts.host, missed)
    finally:
        await parts.close()


def _complaint_words(one: "Complaint") -> str:
    place = f"{one.place}: " if one.place else ""
    return f"rule {one.rule}, step {one.step}: the plugin {one.plugin} does not take {place}{one.problem}"


def _strokes(rules: Rules) -> Iterator[str]:
    now = clock_from_environment().now()
    for schedule in rules.schedules:
        following = schedule.following(now)
        yield f"schedule.{schedule.name}: next at {moment(following)}" if following else f"{schedule.name}: never again"


def tried_out(config: Config, file: Path | None, event: str) -> int:
    """Print what each rule would make of what a file holds. Raises ConfigError, PayloadError."""
    rules = _read(config, file).rules
    text = sys.stdin.read() if event == "-" else text_of(Path(event), "give the path of an event as JSON")
    heard = read_any(text, now=clock_from_environment().now())
    console = Console(highlight=False)
    for trouble in heard.troubles:
        console.print(f"[red]{escape(str(trouble))}[/red]", soft_wrap=True)
    untaken = 0
    for occurrence in heard.occurrences:
        untaken += not matched(rules, occurrence).rules
        for line in trial_lines(rules, occurrence):
            console.print(line, soft_wrap=True)
    return Exit.UNFINISHED if untaken or heard.troubles else Exit.DONE


def _read(config: Config, file: Path | None) -> Read:
    """Those of a file, or of the configuration. Raises ConfigError."""
    if file is not None:
        config = changed(
            config,
            flows=config.flows.model_copy(update={"rules": file}),
            compat=config.compat.model_copy(update={"hollowtrees": ()}),
        )
    if config.flows.rules is None and not config.compat.hollowtrees:
        raise ConfigError("there are no rules; give a rules file, or a configuration with `flows.rules`")
    return read_rules(config, SHELF)


def trial_lines(rules: Rules, occurrence: Occurrence) -> Iterator[str]:
    """What each rule would make of one."""
    about = f" about {occurrence.subject}" if occurrence.subject else ""
    yield f"[bold]{escape(occurrence.type + about)}[/bold]"
    match = matched(rules, occurrence)
    if not match.rules:
        yield f"  [yellow]{escape(match.reason)}[/yellow]"
    for trial in tried(rules, occurrence):
        yield from _lines(trial)


def _lines(trial: Trial) -> Iterator[str]:
    name = escape(trial.rule.name)
    if not trial.taken:
        yield f"  [dim]✗ {name}: {escape(trial.miss)}[/dim]"
        return
    yield f"  [green]✓ {name}[/green] takes it, for {escape(trial.group)}{_conditions(trial)}"
    for number, step in enumerate(trial.rule.plan.steps, start=1):
        yield from _step_lines(f"{number}.", step, trial)


def _conditions(trial: Trial) -> str:
    """When it would begin, and what would hold up the next one."""
    rule = trial.rule
    delay = f"; it begins after {span(rule.delay_seconds)}" if rule.delay_seconds else ""
    hours = "; only within its hours" if rule.plan.hours is not None else ""
    cooldown = f"; then none for {span(rule.cooldown_seconds)}" if rule.cooldown_seconds else ""
    return f"{delay}{hours}{cooldown}"


def _step_lines(number: str, step: Step, trial: Trial) -> Iterator[str]:
    yield f"      {number} {_task_words(step.task, trial)}"
    for word, after, usual in (
        ("done", step.on_success, Then.CONTINUE),
        ("failed", step.on_failure, Then.STOP),
    ):
        if after.tasks or after.then is not usual:
            yield f"         once {word}: {_after_words(after, trial)}"


def _after_words(after: Consequence, trial: Trial) -> str:
    tasks = [_task_words(task, trial) for task in after.tasks]
    return ", then ".join([*tasks, "go on" if after.then is Then.CONTINUE else "stop"])


def _task_words(task: Task, trial: Trial) -> str:
    """`drain (kubernetes), within 90 s, tried 3 times`."""
    plugin = f" ({task.plugin})" if task.plugin != task.name else ""
    tries = f", tried {task.retries + 1} times" if task.retries else ""
    unmet = trial.unmet.get(task.name)
    skipped = f" [yellow]skipped: it is not so that {escape(unmet)}[/yellow]" if unmet is not None else ""
    properties = f" [dim]{escape(task.properties_json)}[/dim]" if task.properties_json != "{}" else ""
    return f"{escape(task.name + plugin)}, within {span(task.timeout_seconds)}{tries}{properties}{skipped}"
