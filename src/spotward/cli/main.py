"""The command line: the names of the commands, their options, and how an error reads.

Heavy rooms are imported by the command that needs them, so that `spotward --help` answers at once and a daemon carries
neither the embedded cloud nor the tables of `plan`.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spotward import __version__
from spotward.cli.exits import Exit
from spotward.cli.options import (
    AutoSpotting,
    ConfigFile,
    Limit,
    Log,
    Output,
    Prices,
    Regions,
    Seed,
    State,
    Unpriced,
)
from spotward.model.errors import ConfigError, OutsideError, PayloadError, SpotwardError

if TYPE_CHECKING:
    from spotward.config import Config

LIMIT_SECONDS = 3600.0
"""`run --once` and `handle` end after an hour at the latest, so that cron need not wait for a stuck one."""

HELP_WIDTH_MAX = 100
"""Help is no wider than this, in columns: longer lines are hard to read."""


def _finish(code: int | None, **_options: object) -> None:
    """What a command returns is its exit code."""
    raise typer.Exit(code or Exit.DONE)


app = typer.Typer(
    name="spotward",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    result_callback=_finish,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": HELP_WIDTH_MAX},
)
config_app = typer.Typer(help="Check a configuration file, or describe one.", no_args_is_help=True)
app.add_typer(config_app, name="config")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"spotward {__version__}")
        raise typer.Exit


@app.callback()
def _every_command(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version, and end.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Run Auto Scaling groups on EC2 Spot capacity as if it were on-demand."""


def main(words: Sequence[str] | None = None) -> None:
    """The entry point: runs the command and turns errors into words and an exit code. `words`: those of the shell."""
    try:
        app(words, prog_name="spotward")
    except SpotwardError as error:
        from rich.console import Console
        from rich.markup import escape

        Console(stderr=True, soft_wrap=True).print(f"[red]spotward:[/red] {escape(str(error))}")
        sys.exit(Exit.OUTSIDE if isinstance(error, OutsideError) else Exit.USAGE)
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)


def _config(
    file: Path | None,
    *,
    regions: list[str] | None = None,
    state: Path | None = None,
    prices: Path | None = None,
    queue: str | None = None,
    unpriced: bool | None = None,
    autospotting: bool | None = None,
) -> "Config":
    """The file's settings with those of the command line on top."""
    from spotward.config import changed, load

    config = load(file)
    groups = replace(
        config.groups,
        allow_unpriced=config.groups.allow_unpriced or bool(unpriced),
        compat_autospotting=config.groups.compat_autospotting or bool(autospotting),
    )
    return changed(
        config,
        regions=tuple(regions) if regions else None,
        state=state,
        queue=queue,
        on_demand_prices=prices,
        groups=groups,
    )


@app.command(short_help="Move the groups that opted in onto Spot: for good, or once.")
def run(
    region: Regions = None,
    once: Annotated[
        bool, typer.Option("--once", help="One reconciliation until nothing is left to do, then end; for cron.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide and explain; change nothing.")] = False,
    queue: Annotated[
        str | None,
        typer.Option(
            "--queue", help="SQS queue of EventBridge events: a name in each region, or a URL.", metavar="NAME|URL"
        ),
    ] = None,
    limit: Annotated[
        float,
        typer.Option(
            "--limit",
            help="With --once: end after so many seconds at the latest; an hour by default.",
            min=1,
            metavar="SECONDS",
            show_default=False,
        ),
    ] = LIMIT_SECONDS,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            help="Port of /healthz, /readyz and /metrics; 0 takes a free one.",
            min=0,
            max=65535,
            metavar="PORT",
        ),
    ] = None,
    config: ConfigFile = None,
    state: State = None,
    on_demand_prices: Prices = None,
    allow_unpriced: Unpriced = None,
    compat_autospotting: AutoSpotting = None,
    log: Log = "auto",
) -> int:
    """Move the groups that opted in onto Spot, and keep them whole: for good, or once."""
    from spotward.cli.running import dry, forever, until_quiet

    settings = _config(
        config,
        regions=region,
        state=state,
        prices=on_demand_prices,
        queue=queue,
        unpriced=allow_unpriced,
        autospotting=compat_autospotting,
    )
    if port is not None:
        from spotward.config import changed

        settings = changed(settings, web={"host": settings.web.host, "port": port})
    if dry_run:
        return asyncio.run(dry(settings, log=log, once=once))
    if once:
        return asyncio.run(until_quiet(settings, log=log, limit_seconds=limit))
    return asyncio.run(forever(settings, log=log))


@app.command(short_help="Act on one EventBridge event.")
def handle(
    event: Annotated[
        str, typer.Argument(help="A file with one EventBridge event, or - for standard input.", metavar="FILE|-")
    ],
    region: Regions = None,
    limit: Limit = LIMIT_SECONDS,
    config: ConfigFile = None,
    state: State = None,
    on_demand_prices: Prices = None,
    allow_unpriced: Unpriced = None,
    compat_autospotting: AutoSpotting = None,
    log: Log = "auto",
) -> int:
    """Act on one EventBridge event, until nothing is left to do about it."""
    from spotward.cli.running import handled

    settings = _config(
        config,
        regions=region,
        state=state,
        prices=on_demand_prices,
        unpriced=allow_unpriced,
        autospotting=compat_autospotting,
    )
    return asyncio.run(handled(settings, _text(event), log=log, limit_seconds=limit))


def _text(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror}); give a file with one event, or -", file=name) from error
    except UnicodeDecodeError as error:
        raise PayloadError(f"{name} is not UTF-8 text; give a file with one EventBridge event as JSON") from error


@app.command(short_help="Show what `run` would do to each member, and why.")
def plan(
    region: Regions = None,
    output: Output = "table",
    print_schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of `--output json`.")] = False,
    config: ConfigFile = None,
    on_demand_prices: Prices = None,
    allow_unpriced: Unpriced = None,
    compat_autospotting: AutoSpotting = None,
) -> int:
    """Show what `run` would do to each member, by what, at which price, and why. Changes nothing."""
    import json

    from spotward.cli.plan import plan_schema
    from spotward.cli.plan_table import show
    from spotward.cli.running import planned

    if print_schema:
        typer.echo(json.dumps(plan_schema(), indent=2))
        return Exit.DONE
    _check_output(output)
    settings = _config(
        config,
        regions=region,
        prices=on_demand_prices,
        unpriced=allow_unpriced,
        autospotting=compat_autospotting,
    )
    document = asyncio.run(planned(settings))
    if output == "json":
        typer.echo(document.model_dump_json(indent=2))
    else:
        from rich.console import Console

        show(document, Console())
    return Exit.DONE


def _check_output(output: str) -> None:
    if output not in ("table", "json"):
        raise ConfigError(f"--output is {output!r}; give `table` or `json`")


@app.command(short_help="Tell what was decided about an instance or a group.")
def explain(
    subject: Annotated[str, typer.Argument(help="An instance, a group, or the key of a wish.", metavar="ID")],
    limit: Annotated[
        int, typer.Option("--limit", help="So many pages at most: the newest.", min=1, metavar="PAGES")
    ] = 50,
    config: ConfigFile = None,
    state: State = None,
) -> int:
    """Tell, in words, what was decided about an instance, a group or a wish, and why."""
    from spotward.cli.running import explained

    return asyncio.run(explained(_config(config, state=state), subject, limit=limit))


@app.command(short_help="Show what is under way, what waits, what was done.")
def status(config: ConfigFile = None, state: State = None) -> int:
    """Show what is under way, what waits, and what was done last."""
    from spotward.cli.running import stated

    return asyncio.run(stated(_config(config, state=state)))


@app.command(short_help="Serve AWS's API on this machine: an embedded cloud.")
def emulate(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.", metavar="ADDRESS")] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option("--port", help="The port; 0 takes a free one.", min=0, max=65535, metavar="PORT"),
    ] = 0,
    seed: Seed = 1,
    speed: Annotated[
        float, typer.Option("--speed", help="So many seconds of the cloud pass in one of ours.", metavar="NUMBER")
    ] = 1.0,
    scenario: Annotated[
        Path | None, typer.Option("--scenario", help="A YAML file of what goes wrong, and when.", metavar="FILE")
    ] = None,
    prices: Annotated[
        Path | None, typer.Option("--prices", help="A CSV file of Spot prices as they really were.", metavar="FILE")
    ] = None,
    throttling: Annotated[
        bool, typer.Option(help="Refuse calls that come too fast, as AWS does.", show_default=False)
    ] = True,
) -> int:
    """Serve AWS's API on this machine: an embedded cloud with a moving Spot market."""
    _needs_emulator()
    from spotward.emulator.server import serve
    from spotward.emulator.settings import EmulatorSettings

    serve(
        EmulatorSettings(
            host=host,
            port=port,
            seed=seed,
            speed=speed,
            scenario=scenario,
            prices_file=prices,
            throttling=throttling,
        )
    )
    return Exit.DONE


def _needs_emulator() -> None:
    """Raises ConfigError where the extra that holds the embedded cloud is not installed."""
    if find_spec("moto") is None:
        raise ConfigError("the embedded cloud is an extra of its own: pip install 'spotward[emulate]'")


@app.command(short_help="Watch Spotward at work in the embedded cloud.")
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the embedded cloud and Spotward running.")] = False,
    seed: Seed = 7,
) -> int:
    """Watch Spotward at work in the embedded cloud: groups move to Spot, and an interruption is survived."""
    _needs_emulator()
    from spotward.cli.demo import demonstrated

    return demonstrated(keep=keep, seed=seed)


# ---- light programs: `spotward.cli.entry` runs them before it comes to this; here they stand for the list ------------

_REST = {"ignore_unknown_options": True, "allow_extra_args": True}


@app.command(name="agent", add_help_option=False, context_settings=_REST)
def agent_here(context: typer.Context) -> int:
    """Look after the node that it runs on: hear of its end from the machine itself, and empty it."""
    from spotward.cli.agent import run

    return run(context.args)


@app.command(name="imds", add_help_option=False, context_settings=_REST)
def imds_here(context: typer.Context) -> int:
    """Serve an instance metadata service on this machine, for drills."""
    from spotward.cli.imds import run

    return run(context.args)


@app.command(name="export", add_help_option=False, context_settings=_REST)
def export_here(context: typer.Context) -> int:
    """Serve figures to Prometheus: `export terminations`, of the instance that it runs on."""
    from spotward.cli.export import run

    return run(context.args)


# ---- the configuration file ------------------------------------------------------------------------------------------


@config_app.command("schema")
def config_schema() -> int:
    """Print the JSON schema of the configuration file, for editors."""
    import json

    from spotward.config import schema

    typer.echo(json.dumps(schema(), indent=2))
    return Exit.DONE


@config_app.command("settings", short_help="List every setting with its default and its meaning.")
def config_settings() -> int:
    """List every setting with its default and its meaning, as a Markdown table."""
    from spotward.config import settings

    lines = [f"| `{each.name}` | `{each.default}` | {each.meaning} |" for each in settings()]
    typer.echo("\n".join(["| setting | default | meaning |", "| --- | --- | --- |", *lines]))
    return Exit.DONE


@config_app.command("check")
def config_check(file: Annotated[Path, typer.Argument(help="The file to check.", metavar="FILE")]) -> int:
    """Say whether a configuration file is right, and if not, where."""
    from spotward.config import load

    load(file)
    typer.echo(f"{file}: right")
    return Exit.DONE
