"""The command line: the names of the commands, which options each has, and how an error reads.

Heavy rooms are imported by the command that needs them, so that `spotward --help` answers at once and a daemon carries
neither the embedded cloud nor the tables of `plan`.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from spotward import __version__
from spotward.cli.chosen import chosen, heard_from_nth
from spotward.cli.configuration import app as config_app
from spotward.cli.convert import app as convert_app
from spotward.cli.exits import Exit
from spotward.cli.flows import app as flows_app
from spotward.cli.nth_asked import asked
from spotward.cli.options import (
    AutoSpotting,
    CloudPort,
    ConfigFile,
    DryRun,
    Host,
    Limit,
    Log,
    Nth,
    Once,
    OnceLimit,
    Output,
    Prices,
    Queue,
    Regions,
    Scenario,
    Seed,
    Speed,
    SpotPrices,
    State,
    Throttling,
    Unpriced,
    WebPort,
)
from spotward.cli.rules import app as rules_app
from spotward.model.errors import ConfigError, OutsideError, PayloadError, SpotwardError

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
app.add_typer(config_app, name="config")
app.add_typer(convert_app, name="convert")
app.add_typer(rules_app, name="rules")
app.add_typer(flows_app, name="flows")


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
        told, theirs = _set_apart(sys.argv[1:] if words is None else list(words))
        app(told, prog_name="spotward", obj=theirs)
    except SpotwardError as error:
        from rich.console import Console
        from rich.markup import escape

        Console(stderr=True, soft_wrap=True).print(f"[red]spotward:[/red] {escape(str(error))}")
        sys.exit(Exit.OUTSIDE if isinstance(error, OutsideError) else Exit.USAGE)
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)


def _set_apart(told: list[str]) -> tuple[list[str], list[str]]:
    """Our words, and those of a tool whose place `run` takes, where they are to count."""
    if told[:1] != ["run"] or not asked(told, os.environ):
        return told, []
    from spotward.compat.nth import set_apart
    from spotward.compat.option import Program

    return set_apart(told, Program.RUN)


@app.command(short_help="Move the groups that opted in onto Spot: for good, or once.")
def run(
    context: typer.Context,
    region: Regions = None,
    once: Once = False,
    dry_run: DryRun = False,
    queue: Queue = None,
    limit: OnceLimit = LIMIT_SECONDS,
    port: WebPort = None,
    config: ConfigFile = None,
    state: State = None,
    on_demand_prices: Prices = None,
    allow_unpriced: Unpriced = None,
    compat_autospotting: AutoSpotting = None,
    compat_nth: Nth = False,
    log: Log = "auto",
) -> int:
    """Move the groups that opted in onto Spot, and keep them whole: for good, or once."""
    from spotward.cli.running import dry, forever, until_quiet

    nth = heard_from_nth(config, asked=compat_nth, theirs=context.obj or ())
    if nth is not None:
        from spotward.cli.telling import say_in_place

        dry_run = dry_run or "--dry-run" in nth.options
        log = nth.options.get("--log", log) if log == "auto" else log
        os.environ.update(nth.environment)
        say_in_place(nth.in_place, log)
    settings = chosen(
        config,
        regions=region,
        state=state,
        prices=on_demand_prices,
        queue=queue,
        port=port,
        unpriced=allow_unpriced,
        autospotting=compat_autospotting,
        beneath=nth.settings if nth is not None else None,
    )
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

    settings = chosen(
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
    settings = chosen(
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

    return asyncio.run(explained(chosen(config, state=state), subject, limit=limit))


@app.command(short_help="Show what is under way, what waits, what was done.")
def status(config: ConfigFile = None, state: State = None) -> int:
    """Show what is under way, what waits, and what was done last."""
    from spotward.cli.running import stated

    return asyncio.run(stated(chosen(config, state=state)))


@app.command(short_help="Serve AWS's API on this machine: an embedded cloud.")
def emulate(
    host: Host = "127.0.0.1",
    port: CloudPort = 0,
    seed: Seed = 1,
    speed: Speed = 1.0,
    scenario: Scenario = None,
    prices: SpotPrices = None,
    throttling: Throttling = True,
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


@app.command(name="plugin", add_help_option=False, context_settings=_REST)
def plugin_here(context: typer.Context) -> int:
    """Serve the plugins that come along, look at any plugin, call one by hand, or begin one of your own."""
    from spotward.cli.plugin import run

    return run(context.args)


@app.command(name="export", add_help_option=False, context_settings=_REST)
def export_here(context: typer.Context) -> int:
    """Serve figures to Prometheus: of this instance's end (`terminations`), of `groups`, of `prices`."""
    from spotward.cli.export import run

    return run(context.args)
