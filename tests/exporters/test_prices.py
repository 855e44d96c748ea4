"""`export prices` against the embedded cloud: the old exporter's metric, of every pool of two regions, in few calls."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from math import ceil

import pytest

from spotward.aws.price_reader import PRODUCTS_PER_PAGE, PriceReader
from spotward.aws.session import Aws
from spotward.aws.standing_prices import ROWS_PER_PAGE
from spotward.emulator import world
from spotward.emulator.server import Emulator
from spotward.market.price_list import PriceList
from spotward.market.prices import LINUX, PRODUCTS, WINDOWS, Product
from spotward.sim.shocks import Failure
from spotward.web.board import Board
from spotward.web.lookout import Lookout, LookoutPolicy, Sighting
from spotward.web.price_exposition import FAMILIES, price_families
from spotward.web.regional import PRICES
from tests.exporters.scraping import Figures, Scraper, labels, scraping

pytestmark = pytest.mark.anyio

REGIONS = ("eu-south-1", "me-south-1")
CALM = LookoutPolicy(poll_seconds=36_000, stale_seconds=72_000)


def pools(cloud: Emulator, region: str, types: str = "*") -> set[tuple[str, str]]:
    """(type, zone) of all that is sold as Spot there, behind the API."""
    catalogue, market = world.catalogue(region), cloud.sites.site(region).pools.prices
    every = {(name, az) for name in catalogue.types if fnmatchcase(name, types) for az in catalogue.zones}
    offered = {(name, az) for name, az in every if catalogue.offered(name, az)}
    return {(name, az) for name, az in offered if market.at(name, az, LINUX, cloud.clock.now()) is not None}


@asynccontextmanager
async def prices_told(
    cloud: Emulator,
    aws: Aws,
    *,
    products: Sequence[Product] = (PRODUCTS[LINUX],),
    cloudinfo: bool = False,
    **reading: object,
) -> AsyncIterator[Scraper]:
    reader = PriceReader(aws, cloud.clock, products=products, **reading)  # type: ignore[arg-type]  # as the test says

    async def look(region: str) -> Sighting:
        prices = await reader.read(region)
        families = tuple(price_families(prices, cloudinfo=cloudinfo))
        return Sighting(as_of=prices.as_of, families=families, troubles=prices.troubles)

    async with scraping(PRICES, Lookout(REGIONS, look, Board(FAMILIES), cloud.clock, CALM), aws) as scraper:
        yield scraper


def of(found: Figures, name: str, **told: str) -> list[dict[str, str]]:
    """The labels of a metric's samples that have these."""
    return [
        dict(each) for n, each in found if n == name and labels(**told) == labels(**{k: dict(each)[k] for k in told})
    ]


async def test_every_pool_of_every_region_has_its_price_under_the_old_name(cloud: Emulator, aws: Aws) -> None:
    async with prices_told(cloud, aws) as scraper:
        page, found = await scraper.text(), await scraper.figures()
        assert found == {**(await scraper.openmetrics()), **{k: v for k, v in found.items() if changing(k[0])}}
    assert page.startswith(
        "# HELP aws_spot_current_price Current spot price of the instance type.\n# TYPE aws_spot_current_price gauge\n"
    )
    for region in REGIONS:
        told = of(found, "aws_spot_current_price", region=region)
        assert {(each["instance_type"], each["availability_zone"]) for each in told} == pools(cloud, region)
        assert {each["product_description"] for each in told} == {LINUX}
        listed = of(found, "aws_on_demand_price", region=region)
        assert {each["instance_type"] for each in listed} == set(world.catalogue(region).types)
    assert found["aws_spot_scrape_error", ()] == 0
    m5 = labels(instance_type="m5.large", region="eu-south-1", product_description=LINUX)
    spot = labels(**dict(m5), availability_zone="eu-south-1a")
    assert found["aws_on_demand_price", m5] == pytest.approx(
        world.catalogue("eu-south-1").on_demand_usd_per_hour("m5.large", LINUX)
    )
    assert 0 < found["aws_spot_current_price", spot] < found["aws_on_demand_price", m5]


def changing(name: str) -> bool:
    return name.startswith(("process_", "spotward_export_data_age"))


async def test_a_look_costs_a_page_for_each_thousand_pools_and_on_demand_prices_are_asked_for_once(
    cloud: Emulator, aws: Aws
) -> None:
    reader = PriceReader(aws, cloud.clock, products=(PRODUCTS[LINUX], PRODUCTS[WINDOWS]))
    rows, types = 2 * len(pools(cloud, "af-south-1")), len(world.catalogue("af-south-1").types)
    await reader.read("af-south-1")
    # A page may end early: the cloud's own pages do, as AWS's.
    assert ceil(rows / ROWS_PER_PAGE) <= aws.counter.counts["ec2.DescribeSpotPriceHistory"] <= rows / ROWS_PER_PAGE + 3
    assert aws.counter.counts["pricing.GetProducts"] == 2 * ceil(types / PRODUCTS_PER_PAGE)
    first = aws.counter.counts.copy()
    again = await reader.read("af-south-1")
    assert len(again.spot) == rows
    assert len(again.on_demand) == 2 * types
    assert aws.counter.counts - first == {"ec2.DescribeSpotPriceHistory": first["ec2.DescribeSpotPriceHistory"]}


async def test_only_the_types_that_are_wanted_are_asked_for(cloud: Emulator, aws: Aws) -> None:
    async with prices_told(cloud, aws, types=("m5.*",), products=(PRODUCTS[LINUX], PRODUCTS[WINDOWS])) as scraper:
        found = await scraper.figures()
    told = of(found, "aws_spot_current_price", region="me-south-1", product_description=WINDOWS)
    assert {(each["instance_type"], each["availability_zone"]) for each in told} == pools(cloud, "me-south-1", "m5.*")
    assert {each["instance_type"].partition(".")[0] for each in of(found, "aws_on_demand_price")} == {"m5"}
    assert aws.counter.counts["ec2.DescribeSpotPriceHistory"] == len(REGIONS)


async def test_who_reads_cloudinfos_metrics_gets_them_where_asked_for(cloud: Emulator, aws: Aws) -> None:
    async with prices_told(cloud, aws, cloudinfo=True, types=("m5.large",)) as scraper:
        found = await scraper.figures()
    spot = labels(
        instance_type="m5.large", region="eu-south-1", availability_zone="eu-south-1b", product_description=LINUX
    )
    theirs = labels(region="eu-south-1", zone="eu-south-1b", instanceType="m5.large")
    assert found["cloudinfo_amazon_spot_price", theirs] == found["aws_spot_current_price", spot]
    listed = labels(provider="amazon", region="eu-south-1", instanceType="m5.large")
    assert found["cloudinfo_on_demand_price", listed] > found["cloudinfo_amazon_spot_price", theirs]


async def test_on_demand_prices_that_cannot_be_had_are_told_as_trouble_and_take_nothing_away(
    cloud: Emulator, aws: Aws
) -> None:
    now = cloud.clock.now() - cloud.clock.start
    cloud.sites.site("eu-central-1").shock(
        Failure(at_seconds=now, until_seconds=now + 120, operation="pricing.GetProducts", code="AccessDeniedException")
    )
    own = PriceList({"eu-south-1": {"m5.large": {LINUX: 0.05}}})
    async with prices_told(cloud, aws, types=("m5.large",), price_list=own) as scraper:
        found = await scraper.figures()
    assert found["aws_spot_scrape_error", ()] == 1
    assert found["spotward_export_errors_total", labels(region="eu-south-1", code="AccessDeniedException")] == 1
    told = labels(instance_type="m5.large", region="eu-south-1", product_description=LINUX)
    assert found["aws_on_demand_price", told] == 0.05
    assert len(of(found, "aws_spot_current_price", region="eu-south-1")) == 3
    assert of(found, "aws_on_demand_price", region="me-south-1")


async def test_without_on_demand_prices_the_pricing_api_is_not_asked(cloud: Emulator, aws: Aws) -> None:
    async with prices_told(cloud, aws, types=("m5.large",), on_demand=False) as scraper:
        found = await scraper.figures()
    assert not of(found, "aws_on_demand_price")
    assert aws.counter.counts["pricing.GetProducts"] == 0


async def test_a_page_that_reads_as_before_is_not_packed_again(cloud: Emulator) -> None:
    board, spot = Board(FAMILIES), FAMILIES[0]
    first = type(spot)(name=spot.name, help="", labels=("x",), samples=((("a",), 1.0),))
    other = type(spot)(name=spot.name, help="", labels=("x",), samples=((("a",), 2.0),))
    board.hang("r", board.written("r", [first]))
    same, changed = board.written("r", [first]), board.written("r", [other])
    assert same[spot.name] is board.written("r", [first])[spot.name]
    assert changed[spot.name].stretch.text == b'aws_spot_current_price{x="a"} 2\n'
