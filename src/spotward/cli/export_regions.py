"""`spotward export groups` and `spotward export prices`: their options, and how they are wired.

They take the places of the autoscaling exporter and of the spot price exporter: ports, flags (with one dash or two) and
metrics. Where those asked AWS at each scrape, for one region or for all in turn, these look in the background.
"""

import asyncio
import logging
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from spotward.model.errors import ConfigError, Transient

if TYPE_CHECKING:
    from spotward.aws.session import Aws
    from spotward.engine.ports import Clock
    from spotward.market.price_list import PriceList
    from spotward.market.prices import Product
    from spotward.web.exposition import Family
    from spotward.web.lookout import Look
    from spotward.web.regional import Names

GROUPS_POLL_SECONDS, PRICES_POLL_SECONDS = 60.0, 300.0
"""Groups change by the minute; most pools change their price a few times a day."""

GROUPS_STALE_SECONDS, PRICES_STALE_SECONDS = 600.0, 3600.0

POLL_SECONDS_MIN = 1.0

READ_SECONDS_MAX = 20.0
"""No call of theirs takes AWS long, and a region that hangs must not hold a thread for a minute."""

ASK_AGAIN_SECONDS = 15.0
"""Until EC2 is asked once more which regions there are."""

log = logging.getLogger("spotward.export")

Option = Callable[..., None]


def groups_options(each: ArgumentParser, option: Option) -> None:
    """Of `export groups`."""
    _shared_options(each, option, port=8089, poll=GROUPS_POLL_SECONDS, stale=GROUPS_STALE_SECONDS)
    each.add_argument(
        "--auto-scaling-groups",
        "-auto-scaling-groups",
        action="append",
        default=[],
        metavar="NAME,...",
        help="Groups by name, or globs, separated by commas; may be given several times. Default: all",
    )
    each.add_argument(
        "--recommender-url",
        "-recommender-url",
        metavar="URL",
        help="Taken for the old exporter's sake, and not asked: prices come from AWS.",
    )


def prices_options(each: ArgumentParser, option: Option) -> None:
    """Of `export prices`."""
    _shared_options(each, option, port=8080, poll=PRICES_POLL_SECONDS, stale=PRICES_STALE_SECONDS)
    several = partial(each.add_argument, action="append", default=[])
    several(
        "--partitions",
        "-partitions",
        metavar="NAME,...",
        help="aws, aws-cn, aws-us-gov. Default: that of the credentials' region",
    )
    several(
        "--product-descriptions",
        "-product-descriptions",
        metavar="NAME,...",
        help="'Linux/UNIX', 'SUSE Linux', 'Red Hat Enterprise Linux', 'Windows'. Default: Linux/UNIX",
    )
    several("--instance-types", metavar="GLOB,...", help="Types, such as 'm5.*'. Default: all")
    each.add_argument("--no-on-demand", action="store_true", help="Leave on-demand prices out.")
    each.add_argument("--cloudinfo-names", action="store_true", help="Tell prices under cloudinfo's names too.")


def _shared_options(each: ArgumentParser, option: Option, *, port: int, poll: float, stale: float) -> None:
    option("listen-address", f"127.0.0.1:{port}", "ADDRESS:PORT", f"Where to serve; ':{port}' is every address.")
    option("metrics-path", "/metrics", "PATH", "The page of the metrics.")
    option("log-level", "info", "LEVEL", "debug, info, warn or error.")
    each.add_argument(
        "--region",
        "-region",
        "--regions",
        "-regions",
        dest="regions",
        action="append",
        default=[],
        metavar="REGION,...",
        help="Regions, or globs such as 'eu-*'; may be given several times. Default: all that the account has enabled",
    )
    each.add_argument(
        "--poll-seconds", type=float, default=poll, metavar="SECONDS", help=f"Between two looks. Default: {poll:g}"
    )
    each.add_argument(
        "--stale-seconds",
        type=float,
        default=stale,
        metavar="SECONDS",
        help=f"For so long what cannot be seen again is told. Default: {stale:g}",
    )
    each.add_argument(
        "--on-demand-prices", type=Path, metavar="FILE", help="JSON of region, then type, then price per hour."
    )


def run_groups(told: Namespace, *, host: str | None, port: int) -> None:
    """Serves until it is stopped. Raises ConfigError, OutsideError."""
    if told.recommender_url:
        log.info("--recommender-url is not asked: prices come from AWS")
    asyncio.run(_serve(told, _groups, host=host, port=port))


def run_prices(told: Namespace, *, host: str | None, port: int) -> None:
    """Serves until it is stopped. Raises ConfigError, OutsideError."""
    asyncio.run(_serve(told, _prices, host=host, port=port))


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """What is exported."""

    names: "Names"
    families: "Sequence[Family]"
    look: "Look"


Wiring = Callable[[Namespace, "Aws", "Clock"], Kind]


async def _serve(told: Namespace, wiring: Wiring, *, host: str | None, port: int) -> None:
    from spotward.aws.session import Aws
    from spotward.cli.until_stopped import until_stopped
    from spotward.engine.clock import clock_from_environment
    from spotward.web.board import Board
    from spotward.web.exporter import check_path
    from spotward.web.lookout import LOOKS_AT_ONCE_MAX, Lookout, LookoutPolicy
    from spotward.web.regional import exporting_regions

    _check(told)
    path = told.metrics_path
    check_path(path)
    policy = LookoutPolicy(poll_seconds=told.poll_seconds, stale_seconds=told.stale_seconds)
    clock = clock_from_environment()
    aws = Aws(threads_max=2 * LOOKS_AT_ONCE_MAX, read_timeout_seconds=READ_SECONDS_MAX)
    try:
        kind = wiring(told, aws, clock)
        stopped = asyncio.create_task(until_stopped())
        regions = await _unless(stopped, _regions(told, aws, clock))
        if regions is None:
            return
        lookout = Lookout(regions, kind.look, Board(kind.families), clock, policy)
        serving = exporting_regions(kind.names, lookout, aws.counter, host=host, port=port, metrics_path=path)
        async with serving as number:
            log.info("serving %s at port %d; looking at %s", path, number, ", ".join(regions))
            await stopped
    finally:
        aws.close()


async def _unless(stopped: "asyncio.Task[None]", asking: Awaitable[tuple[str, ...]]) -> tuple[str, ...] | None:
    """What is asked for; None if we were stopped first."""
    answer = asyncio.ensure_future(asking)
    await asyncio.wait({stopped, answer}, return_when=asyncio.FIRST_COMPLETED)
    if answer.done():
        return answer.result()
    answer.cancel()
    return None


async def _regions(told: Namespace, aws: "Aws", clock: "Clock") -> tuple[str, ...]:
    """The regions that are meant, asked for until EC2 answers. Raises ConfigError, Permanent."""
    partitions = _several(getattr(told, "partitions", []))
    patterns = _several(told.regions) or ([] if partitions else ["*"])
    while True:
        try:
            return await aws.regions(patterns, partitions=partitions)
        except Transient as error:
            log.warning("which regions there are: %s", error)
            await clock.sleep_until(clock.now() + ASK_AGAIN_SECONDS)


def _groups(told: Namespace, aws: "Aws", clock: "Clock") -> Kind:
    from spotward.aws.census import CensusTaker
    from spotward.web.group_exposition import FAMILIES, group_families
    from spotward.web.lookout import Sighting
    from spotward.web.regional import GROUPS

    taker = CensusTaker(aws, clock, names=_several(told.auto_scaling_groups), price_list=_price_list(told))

    async def look(region: str) -> Sighting:
        census = await taker.take(region)
        return Sighting(as_of=census.as_of, families=tuple(group_families(census)), troubles=census.troubles)

    return Kind(names=GROUPS, families=FAMILIES, look=look)


def _prices(told: Namespace, aws: "Aws", clock: "Clock") -> Kind:
    from spotward.aws.price_reader import PriceReader
    from spotward.web.lookout import Sighting
    from spotward.web.price_exposition import FAMILIES, price_families
    from spotward.web.regional import PRICES

    reader = PriceReader(
        aws,
        clock,
        products=_products(_several(told.product_descriptions)),
        types=_several(told.instance_types),
        on_demand=not told.no_on_demand,
        price_list=_price_list(told),
    )

    async def look(region: str) -> Sighting:
        prices = await reader.read(region)
        families = tuple(price_families(prices, cloudinfo=told.cloudinfo_names))
        return Sighting(as_of=prices.as_of, families=families, troubles=prices.troubles)

    return Kind(names=PRICES, families=FAMILIES, look=look)


# ---- what was told ---------------------------------------------------------------------------------------------------


def _check(told: Namespace) -> None:
    if not told.poll_seconds >= POLL_SECONDS_MIN:
        raise ConfigError(f"--poll-seconds is {told.poll_seconds:g}; give {POLL_SECONDS_MIN:g} or more")
    if not told.stale_seconds >= told.poll_seconds:
        raise ConfigError(
            f"--stale-seconds is {told.stale_seconds:g}, which is less than --poll-seconds ({told.poll_seconds:g}): "
            "nothing would ever be told; give several times as much"
        )


def _several(told: Sequence[str]) -> tuple[str, ...]:
    """What was given several times, or separated by commas; each once."""
    return tuple(dict.fromkeys(each.strip() for one in told for each in one.split(",") if each.strip()))


def _price_list(told: Namespace) -> "PriceList | None":
    from spotward.aws.on_demand import load_price_list

    return None if told.on_demand_prices is None else load_price_list(told.on_demand_prices)


def _products(descriptions: Sequence[str]) -> tuple["Product", ...]:
    """The products that Spot sells under those names. Raises ConfigError for another."""
    from spotward.market.prices import LINUX, PRODUCTS, VPC

    sold = {product.spot: product for product in PRODUCTS.values() if product.spot}
    names = dict.fromkeys(name.removesuffix(VPC) for name in descriptions or (LINUX,))
    for name in names:
        if name not in sold:
            raise ConfigError(f"--product-descriptions has {name!r}; give one of {', '.join(map(repr, sold))}")
    return tuple(sold[name] for name in names)
