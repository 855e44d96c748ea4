"""`spotward export …`: one thing for Prometheus, in a process that weighs as little as it can.

`terminations` takes the place of the spot termination exporter: its port, its flags (with one dash or two) and its
metrics. `groups` and `prices` are those of `export_regions`.
"""

import asyncio
import logging
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from functools import partial

from spotward.cli.exits import Exit
from spotward.cli.export_regions import groups_options, prices_options, run_groups, run_prices
from spotward.cli.light_log import set_up_light
from spotward.model.errors import ConfigError

LEVELS = {
    "trace": "DEBUG",
    "debug": "DEBUG",
    "info": "INFO",
    "warn": "WARNING",
    "warning": "WARNING",
    "error": "ERROR",
    "fatal": "CRITICAL",
    "panic": "CRITICAL",
}
"""The levels that the old exporter knew, and ours."""


def run(words: Sequence[str]) -> int:
    """Serves until it is stopped. Raises ConfigError, OutsideError."""
    told = parser().parse_args(words)
    set_up_light(level=level(told.log_level))
    told.run(told)
    return Exit.DONE


def parser() -> ArgumentParser:
    """The options."""
    whole = ArgumentParser(
        "spotward export",
        description="Serve figures to Prometheus.",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    kinds = whole.add_subparsers(title="what is served", required=True, metavar="KIND")

    def kind(name: str, words: str) -> ArgumentParser:
        return kinds.add_parser(name, help=words, description=words, allow_abbrev=False)

    terminations = kind("terminations", "Tell of this instance's interruption, rebalance advice and scheduled events.")
    _termination_options(terminations)
    terminations.set_defaults(run=_run_terminations)
    groups = kind("groups", "Tell of Auto Scaling groups: their members, and what those cost.")
    groups_options(groups, partial(_option, groups))
    groups.set_defaults(run=_at_address(run_groups))
    prices = kind("prices", "Tell of Spot and on-demand prices.")
    prices_options(prices, partial(_option, prices))
    prices.set_defaults(run=_at_address(run_prices))
    whole.epilog = "\n".join(each.format_help() for each in (terminations, groups, prices))
    return whole


def _termination_options(each: ArgumentParser) -> None:
    option = partial(_option, each)
    option("bind-addr", ":9189", "ADDRESS:PORT", "Where to serve; without an address, at every one.")
    option("log-level", "info", "LEVEL", "debug, info, warn or error.")
    option("metadata-endpoint", "http://169.254.169.254/latest/meta-data/", "URL", "Where the metadata service is.")
    option("metrics-path", "/metrics", "PATH", "The page of the metrics.")
    each.add_argument("--no-imdsv1", action="store_true", help="Ask nothing where the service gives no token.")


def _run_terminations(told: Namespace) -> None:
    host, port = address(told.bind_addr, "--bind-addr")
    url, path = told.metadata_endpoint, told.metrics_path
    asyncio.run(_export(url, host=host, port=port, metrics_path=path, v1=not told.no_imdsv1))


def _at_address(serve: Callable[..., None]) -> Callable[[Namespace], None]:
    """What serves at a listen address."""

    def run_there(told: Namespace) -> None:
        host, port = address(told.listen_address, "--listen-address")
        serve(told, host=host, port=port)

    return run_there


def _option(of: ArgumentParser, name: str, default: str, metavar: str, words: str) -> None:
    """With two dashes as everywhere, or with one as the old exporter has it."""
    of.add_argument(f"--{name}", f"-{name}", default=default, metavar=metavar, help=f"{words} Default: {default}")


def address(text: str, option: str = "--bind-addr") -> tuple[str | None, int]:
    """`:9189` is every address of the machine. Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal()) or int(port) > 65_535:
        raise ConfigError(f"{option} is {text!r}; give an address and a port as :9189 or 127.0.0.1:9189")
    return host.strip("[]") or None, int(port)


def level(word: str) -> str:
    """The standard library's name of a level. Raises ConfigError."""
    found = LEVELS.get(word.lower())
    if found is None:
        raise ConfigError(f"--log-level is {word!r}; give one of debug, info, warn, error")
    return found


async def _export(url: str, *, host: str | None, port: int, metrics_path: str, v1: bool) -> None:
    from spotward.aws.imds import Imds, ImdsPolicy
    from spotward.aws.imds_watch import Watch, WatchPolicy
    from spotward.cli.until_stopped import until_stopped
    from spotward.engine.clock import SystemClock
    from spotward.web.exporter import exporting

    clock = SystemClock()
    imds = Imds(ImdsPolicy(url=url, v1=v1))
    # A scrape is rare enough to ask for everything again, whatever failed at the last one.
    watch = Watch(imds, clock, WatchPolicy(pause_seconds_max=0), region_needed=False)
    async with exporting(watch, clock, host=host, port=port, metrics_path=metrics_path) as number:
        log = logging.getLogger("spotward.export")
        log.info("serving %s at port %d; asking %s", metrics_path, number, imds.where)
        await until_stopped()
    await imds.close()
