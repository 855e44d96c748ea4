"""`spotward convert`: the settings of another tool, as a configuration of Spotward."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from spotward.cli.exits import Exit
from spotward.model.errors import ConfigError

app = typer.Typer(help="Turn the settings of another tool into a configuration.", no_args_is_help=True)


@app.callback()
def _convert() -> None:
    """Turn the settings of another tool into a configuration."""


@app.command("nth", short_help="Values of the Node Termination Handler's Helm chart.")
def nth(
    values: Annotated[
        str | None,
        typer.Argument(help="The values, as YAML; - for standard input.", metavar="FILE|-", show_default=False),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", "-o", help="Write there instead of standard output.", metavar="FILE")
    ] = None,
    output: Annotated[
        str,
        typer.Option("--output", help="`yaml` is a configuration, `json` a report for programs.", metavar="yaml|json"),
    ] = "yaml",
    force: Annotated[
        bool, typer.Option("--force", help="Write what can be carried over, and leave out the rest.")
    ] = False,
    table: Annotated[
        bool, typer.Option("--list", help="Print what becomes of each option and value, and end.")
    ] = False,
) -> int:
    """Turn values of the Node Termination Handler's Helm chart into a configuration.

    What cannot be carried over is told with its line, and nothing is written unless --force is given; a report is
    written in any case.
    """
    if table:
        return _print_tables()
    if output not in ("yaml", "json"):
        raise ConfigError(f"--output is {output!r}; give `yaml` or `json`")
    if values is None:
        raise ConfigError("which values? give the chart's values.yaml, or - for standard input")
    from spotward.compat.chart_values import converted
    from spotward.compat.written import as_report, as_yaml

    source = "standard input" if values == "-" else values
    translation = converted(_text(values), file=source)
    for finding in translation.bad:
        sys.stderr.write(f"{finding.text}\n")
    stopped = bool(translation.bad) and not force
    if output == "json":
        _write(as_report(translation) + "\n", to)
    elif not stopped:
        _write(as_yaml(translation, source=Path(source).name), to)
    if stopped:
        counted = f"{len(translation.bad)} not carried over"
        rest = "" if output == "json" else "; nothing is written: see to them, or leave them out with --force"
        sys.stderr.write(f"spotward: {counted}{rest}\n")
        return Exit.USAGE
    return Exit.DONE


@app.command("hollowtrees", short_help="A config.yaml of Hollowtrees.")
def hollowtrees(
    old: Annotated[
        str,
        typer.Argument(help="The configuration, as YAML; - for standard input.", metavar="FILE|-", show_default=False),
    ],
    to: Annotated[
        Path | None, typer.Option("--to", "-o", help="Write there instead of standard output.", metavar="FILE")
    ] = None,
) -> int:
    """Turn a config.yaml of Hollowtrees, of any of its generations, into a rules file.

    What is otherwise than it was stands there as comments. `compat.hollowtrees` reads the same without converting.
    """
    from spotward.rules.hollowtrees import translated
    from spotward.rules.old_written import as_rules_file

    translation = translated(_text(old), file="standard input" if old == "-" else old)
    _write(as_rules_file(translation, source="standard input" if old == "-" else Path(old).name), to)
    return Exit.DONE


def _print_tables() -> int:
    from spotward.compat.nth_page import option_table, unsaid_list, value_table

    typer.echo("\n".join([*option_table(), "", *value_table(), "", *unsaid_list()]))
    return Exit.DONE


def _text(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"cannot be read: {why}; give the path of a YAML file, or -", file=name) from error


def _write(text: str, to: Path | None) -> None:
    if to is None:
        typer.echo(text, nl=False)
        return
    try:
        to.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}; give another with -o", file=str(to)) from error
