"""`spotward config`: check a configuration file, or describe one."""

from pathlib import Path
from typing import Annotated

import typer

from spotward.cli.exits import Exit

app = typer.Typer(help="Check a configuration file, or describe one.", no_args_is_help=True)


@app.command("schema")
def print_schema() -> int:
    """Print the JSON schema of the configuration file, for editors."""
    import json

    from spotward.config import schema

    typer.echo(json.dumps(schema(), indent=2))
    return Exit.DONE


@app.command("settings", short_help="List every setting with its default and its meaning.")
def print_settings() -> int:
    """List every setting with its default and its meaning, as a Markdown table."""
    from spotward.config import settings

    lines = [f"| `{each.name}` | `{each.default}` | {each.meaning} |" for each in settings()]
    typer.echo("\n".join(["| setting | default | meaning |", "| --- | --- | --- |", *lines]))
    return Exit.DONE


@app.command("check")
def check(file: Annotated[Path, typer.Argument(help="The file to check.", metavar="FILE")]) -> int:
    """Say whether a configuration file is right, and if not, where."""
    from spotward.config import load

    load(file)
    typer.echo(f"{file}: right")
    return Exit.DONE
