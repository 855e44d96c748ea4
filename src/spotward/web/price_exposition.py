"""What Prometheus is told of prices: the metric of the spot price exporter, and what goes with it.

Cloudinfo's query of Prometheus depends on the name and the labels of `aws_spot_current_price`. Who reads cloudinfo's
own metrics gets these too, where asked for; they have no label for a product, so they tell of Linux alone.
"""

from collections.abc import Iterator
from dataclasses import replace

from spotward.aws.price_reader import RegionPrices
from spotward.market.prices import LINUX
from spotward.web.exposition import Family

SPOT = Family(
    name="aws_spot_current_price",
    help="Current spot price of the instance type.",
    labels=("instance_type", "region", "availability_zone", "product_description"),
    samples=(),
)

ON_DEMAND = Family(
    name="aws_on_demand_price",
    help="On-demand price of the instance type.",
    labels=("instance_type", "region", "product_description"),
    samples=(),
)

CLOUDINFO_SPOT = Family(
    name="cloudinfo_amazon_spot_price",
    help="spot price for each instance type",
    labels=("region", "zone", "instanceType"),
    samples=(),
)

CLOUDINFO_ON_DEMAND = Family(
    name="cloudinfo_on_demand_price",
    help="on demand price for each instance type",
    labels=("provider", "region", "instanceType"),
    samples=(),
)

FAMILIES = (SPOT, ON_DEMAND, CLOUDINFO_SPOT, CLOUDINFO_ON_DEMAND)


def price_families(prices: RegionPrices, *, cloudinfo: bool = False) -> Iterator[Family]:
    """What is told of one region. cloudinfo: under cloudinfo's names too."""
    region = prices.region
    spot = sorted((sold, price.usd_per_hour) for sold, price in prices.spot.items())
    on_demand = sorted(prices.on_demand.items())
    yield replace(SPOT, samples=tuple(((kind, region, az, product), price) for (kind, az, product), price in spot))
    yield replace(ON_DEMAND, samples=tuple(((kind, region, product), price) for (kind, product), price in on_demand))
    if cloudinfo:
        linux = (((region, az, kind), price) for (kind, az, product), price in spot if product == LINUX)
        yield replace(CLOUDINFO_SPOT, samples=tuple(linux))
        listed = ((("amazon", region, kind), price) for (kind, product), price in on_demand if product == LINUX)
        yield replace(CLOUDINFO_ON_DEMAND, samples=tuple(listed))
