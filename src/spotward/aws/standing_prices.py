"""The Spot prices that stand now, of as many pools as are asked for.

"Now" is a history that starts now: DescribeSpotPriceHistory gives for each pool the last change before its StartTime,
"the effective price as of the start time", and the changes after it (EC2 API reference). So there is no asking for
changes alone: a history that starts at the last look has every pool's price of then, and the changes on top. To start
now is the least that can be asked for, a row for each pool and a page for each thousand of them.

A product may stand there under two names (` (Amazon VPC)`, from the time of EC2-Classic): it is told under the first.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from sys import intern

from spotward.aws.describe import Described, seconds
from spotward.aws.session import Aws
from spotward.market.prices import VPC, SpotPrice

ROWS_PER_PAGE = 1000
"""The most that DescribeSpotPriceHistory gives at once."""

Sold = tuple[str, str, str]
"""Instance type, availability zone, product."""


async def standing_prices(
    aws: Aws, region: str, *, time: float, products: Sequence[str], filters: Mapping[str, Sequence[str]]
) -> dict[Sold, SpotPrice]:
    """What is asked for costs, in the region's own currency. Raises OutsideError.

    time: now, Unix seconds. products: as the history names them. filters: EC2's, name → values (at most 200 each).
    """
    pages = await aws.pages(
        region,
        "ec2",
        "describe_spot_price_history",
        each=_rows,
        StartTime=datetime.fromtimestamp(time, UTC),
        ProductDescriptions=list(products),
        Filters=[{"Name": name, "Values": list(values)} for name, values in filters.items()],
        MaxResults=ROWS_PER_PAGE,
    )
    newest: dict[Sold, SpotPrice] = {}
    for page in pages:
        for sold, price in page:
            known = newest.get(sold)
            if known is None or (price.time or 0.0) >= (known.time or 0.0):
                newest[sold] = price
    return newest


def _rows(page: Described) -> list[tuple[Sold, SpotPrice]]:
    return [(_sold(each), _price(each)) for each in page["SpotPriceHistory"]]


def _sold(each: Described) -> Sold:
    product = each["ProductDescription"].removesuffix(VPC)
    return intern(each["InstanceType"]), intern(each["AvailabilityZone"]), intern(product)


def _price(each: Described) -> SpotPrice:
    return SpotPrice(usd_per_hour=float(each["SpotPrice"]), time=seconds(each.get("Timestamp")))
