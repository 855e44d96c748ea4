"""`spotward rules`: check a rules file, and see what it would make of an event."""

from pathlib import Path
from typing import Annotated

import typer

from spotward.cli.chosen import chosen
from spotward.cli.exits import Exit
from spotward.cli.options import ConfigFile

app = typer.Typer(help="Check your rules, and see what they would make of an event.", no_args_is_help=True)

RulesFile = Annotated[
    Path | None,
    typer.Option("--rules", help="A rules file, in place of those of the configuration.", metavar="FILE"),
]


@app.command("schema")
def print_schema() -> int:
    """Print the JSON schema of a rules file, for editors."""
    import json

    from spotward.rules.form import schema

    typer.echo(json.dumps(schema(), indent=2))
    return Exit.DONE


@app.command("check")
def check(
    file: Annotated[
        Path | None, typer.Argument(help="The file; without it, those of the configuration.", metavar="FILE")
    ] = None,
    config: ConfigFile = None,
) -> int:
    """Say whether rules are right, and if not, where: every mistake at once."""
    from spotward.cli.rule_pages import checked

    return checked(chosen(config), file)


@app.command("try", short_help="Show which rules would take an event, and why others would not.")
def try_event(
    event: Annotated[str, typer.Argument(help="The event; - for standard input.", metavar="FILE|-")],
    rules: RulesFile = None,
    config: ConfigFile = None,
) -> int:
    """Show which rules would take an event, with their steps in order, and why the others would not.

    The event is a CloudEvent or a batch of them, alerts as Prometheus or Alertmanager sends them, or an event of
    EventBridge, as JSON. Nothing is done. The exit code is 0 if a rule takes each of them.
    """
    from spotward.cli.rule_pages import tried_out

    return tried_out(chosen(config), rules, event)
