"""The command line: the names of the commands, their options, and how an error reads.

Heavy rooms are imported by the command that needs them, so that `spotward --help` answers at once and a daemon carries
neither the embedded cloud nor the tables of `plan`.
"""

import asyncio
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from spotward import __version__
from spotward.cli.exits import Exit
from spotward.cli.options import AutoSpotting, ConfigFile, Output, Prices, Regions, State, Unpriced
from spotward.config import Config, changed, load, schema, settings
from spotward.model.errors import ConfigError, OutsideError, PayloadError, SpotwardError


def _finish(code: int | None) -> None:
    """What a command returns is its exit code."""
    raise typer.Exit(code or Exit.DONE)


app = typer.Typer(
    name="spotward",
    help="Run Auto Scaling groups on EC2 Spot capacity as if it were on-demand.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    result_callback=_finish,
)
config_app = typer.Typer(help="Check a configuration file, or describe one.", no_args_is_help=True)
app.add_typer(config_app, name="config")


def main() -> None:
    """The entry point: runs the command and turns errors into words and an exit code."""
    try:
        app()
    except SpotwardError as error:
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
) -> Config:
    """The file's settings with those of the command line on top."""
    config = load(file)
    groups = config.groups.__class__(
        **{name: getattr(config.groups, name) for name in config.groups.__slots__}
        | ({"allow_unpriced": True} if unpriced else {})
        | ({"compat_autospotting": True} if autospotting else {})
    )
    return changed(
        config,
        regions=tuple(regions) if regions else None,
        state=state,
        queue=queue,
        on_demand_prices=prices,
        groups=groups,
    )


@app.command()
def run(
    region: Regions = None,
    once: Annotated[
        bool, typer.Option("--once", help="One reconciliation until nothing is left to do, then end; for cron.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide and explain; change nothing.")] = False,
    queue: Annotated[
        str | None, typer.Option("--queue", help="SQS queue of EventBridge events: a name in each region, or a URL.")
    ] = None,
    limit: Annotated[
        float, typer.Option("--limit", help="With --once: end after so many seconds at the latest.", metavar="SECONDS")
    ] = 3600.0,
    port: Annotated[
        int | None,
        typer.Option("--port", help="Port of /healthz, /readyz and /metrics; 0 takes a free one.", min=0, max=65535),
    ] = None,
    config: ConfigFile = None,
    state: State = None,
    on_demand_prices: Prices = None,
    allow_unpriced: Unpriced = None,
    compat_autospotting: AutoSpotting = None,
    log: Annotated[
        str, typer.Option("--log", help="`text` for people, `json` for programs; `auto` looks at the terminal.")
    ] = "auto",
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
        settings = changed(settings, web={"host": settings.web.host, "port": port})
    if dry_run:
        return asyncio.run(dry(settings, log=log, once=once))
    if once:
        return asyncio.run(until_quiet(settings, log=log, limit_seconds=limit))
    return asyncio.run(forever(settings, log=log))


@app.command()
def handle(
    event: Annotated[str, typer.Argument(help="A file with one EventBridge event, or - for standard input.")],
    region: Regions = None,
    limit: Annotated[
        float, typer.Option("--limit", help="End after so many seconds at the latest.", metavar="SECONDS")
    ] = 3600.0,
    config: ConfigFile = None,
    state: State = None,
    on_demand_prices: Prices = None,
    allow_unpriced: Unpriced = None,
    compat_autospotting: AutoSpotting = None,
    log: Annotated[str, typer.Option("--log", help="`text`, `json` or `auto`.")] = "auto",
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


@app.command()
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

    from spotward.cli.plan import PlanDocument, show
    from spotward.cli.running import planned

    if print_schema:
        typer.echo(json.dumps(PlanDocument.model_json_schema(), indent=2))
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
        show(document, Console())
    return Exit.DONE


def _check_output(output: str) -> None:
    if output not in ("table", "json"):
        raise ConfigError(f"--output is {output!r}; give `table` or `json`")


@app.command()
def explain(
    subject: Annotated[str, typer.Argument(help="An instance, a group, or the key of a wish.")],
    limit: Annotated[int, typer.Option("--limit", help="At most so many pages, the newest.", min=1)] = 50,
    config: ConfigFile = None,
    state: State = None,
) -> int:
    """Tell, in words, what was decided about an instance, a group or a wish, and why."""
    from spotward.cli.running import explained

    return asyncio.run(explained(_config(config, state=state), subject, limit=limit))


@app.command()
def status(config: ConfigFile = None, state: State = None) -> int:
    """Show what is under way, what waits, and what was done last."""
    from spotward.cli.running import stated

    return asyncio.run(stated(_config(config, state=state)))


@app.command()
def emulate(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.", min=0, max=65535)] = 0,
    seed: Annotated[int, typer.Option("--seed", help="One seed, one history.")] = 1,
    speed: Annotated[float, typer.Option("--speed", help="Virtual seconds in a second.", min=0.01)] = 1.0,
    scenario: Annotated[
        Path | None, typer.Option("--scenario", help="Shocks, as docs/reference/scenario.md tells.", metavar="FILE")
    ] = None,
    prices: Annotated[
        Path | None, typer.Option("--prices", help="Replay Spot prices from a CSV file.", metavar="FILE")
    ] = None,
    throttling: Annotated[bool, typer.Option(help="Throttle calls as AWS does.")] = True,
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


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the embedded cloud and Spotward running.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="One seed, one history.")] = 7,
) -> int:
    """Watch Spotward at work in the embedded cloud: groups move to Spot, and an interruption is survived."""
    _needs_emulator()
    from spotward.cli.demo import demonstrated

    return demonstrated(keep=keep, seed=seed)


@app.command()
def version() -> int:
    """Print the version."""
    typer.echo(f"spotward {__version__}")
    return Exit.DONE


@config_app.command("schema")
def config_schema() -> int:
    """Print the JSON schema of the configuration file, for editors."""
    import json

    typer.echo(json.dumps(schema(), indent=2))
    return Exit.DONE


@config_app.command("settings")
def config_settings() -> int:
    """List every setting with its default and its meaning, as a Markdown table."""
    lines = [f"| `{each.name}` | `{each.default}` | {each.meaning} |" for each in settings()]
    typer.echo("\n".join(["| setting | default | meaning |", "| --- | --- | --- |", *lines]))
    return Exit.DONE


@config_app.command("check")
def config_check(file: Annotated[Path, typer.Argument(help="The file to check.")]) -> int:
    """Say whether a configuration file is right, and if not, where."""
    load(file)
    typer.echo(f"{file}: right")
    return Exit.DONE
