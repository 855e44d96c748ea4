"""What an hour of a type costs on demand: from the operator's own list, or from the Pricing API.

The Pricing API lives in few regions and answers for all of them; one product is asked for at a time. It is a comfort
that may not be permitted, or not be reached from a private network: that it cannot answer is not an error but a
reason, said where the price is missing.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from spotward.aws.aged import Aged
from spotward.aws.asking import ask
from spotward.aws.session import Aws
from spotward.engine.ports import Clock
from spotward.market.price_list import PriceList, read_price_list
from spotward.market.prices import LINUX, Product, currency_of, on_demand_filters, product_of
from spotward.model.action import RecommendPools
from spotward.model.errors import ConfigError, OutsideError

ON_DEMAND_AGE_SECONDS = 24 * 3600.0
"""For how long an on-demand price is believed: AWS changes them a few times a year."""

NO_ON_DEMAND_AGE_SECONDS = 600.0
"""For how long it is believed that an on-demand price cannot be had: a permission may be added meanwhile."""

PRICING_REGIONS: Mapping[str, str | None] = {
    "us-gov-": None,
    "us-iso": None,
    "eu-iso": None,
    "cn-": "cn-northwest-1",
    "eusc-": "eusc-de-east-1",
    "eu-": "eu-central-1",
    "ap-": "ap-south-1",
    "": "us-east-1",
}
"""Beginning of a region's name → the nearest of the few regions of its partition that have the Pricing API, or None.
GovCloud's prices are in the commercial list, for which its credentials are no good; the isolated clouds are not asked.
"""


@dataclass(frozen=True, slots=True)
class Quote:
    """An on-demand price in the region's currency, or why there is none."""

    price: float | None
    because: str = ""


class OnDemandPrices:
    """Knows what a type costs on demand, as far as that can be known."""

    def __init__(self, aws: Aws, clock: Clock, price_list: PriceList | None) -> None:
        self._aws, self._clock, self._price_list = aws, clock, price_list
        self._known = Aged[tuple[str, str, str], Quote](ON_DEMAND_AGE_SECONDS)
        self._unknown = Aged[tuple[str, str, str], Quote](NO_ON_DEMAND_AGE_SECONDS)

    async def quote(self, question: RecommendPools, product: Product | None) -> Quote:
        """What the original of a question costs."""
        given = self._listed(question, product)
        if given is not None:
            return Quote(given)
        if product is None:
            return Quote(None, f"{question.product} is no product that Spotward knows")
        key, now = (question.region, question.instance_type, question.product), self._clock.now()
        quote = self._known.fresh(key, now) or self._unknown.fresh(key, now)
        if quote is None:
            quote = await self._asked(question.region, question.instance_type, product)
            (self._unknown if quote.price is None else self._known).keep(key, quote, now)
        return quote

    def _listed(self, question: RecommendPools, product: Product | None) -> float | None:
        """What the operator's list says; what is priced as Linux's machine may stand there as Linux."""
        if self._price_list is None:
            return None
        names = [question.product, LINUX] if product == product_of(LINUX) else [question.product]
        prices = (
            self._price_list.on_demand(region=question.region, instance_type=question.instance_type, product=name)
            for name in names
        )
        return next((price for price in prices if price is not None), None)

    async def _asked(self, region: str, instance_type: str, product: Product) -> Quote:
        """What the Pricing API says."""
        place = pricing_region(region)
        if place is None:
            return Quote(None, f"the Pricing API has no endpoint for {region}")
        filters = [
            {"Type": "TERM_MATCH", "Field": name, "Value": value}
            for name, value in on_demand_filters(product, region=region, instance_type=instance_type)
        ]
        try:
            price = await ask(
                self._aws,
                place,
                "pricing",
                "get_products",
                lambda a: cheapest(map(json.loads, a["PriceList"]), currency_of(region)),
                once=True,
                ServiceCode="AmazonEC2",
                Filters=filters,
                MaxResults=100,
            )
        except OutsideError as error:
            return Quote(None, str(error))
        return Quote(price, "" if price is not None else "the Pricing API lists none")


def load_price_list(path: Path) -> PriceList:
    """The operator's own list of on-demand prices. Raises ConfigError with file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"cannot be read: {why}; give a JSON file of on-demand prices", file=str(path)) from None
    return read_price_list(text, file=str(path))


def pricing_region(region: str) -> str | None:
    """The region whose Pricing API knows a region's prices; None if there is none in its partition."""
    return next(place for beginning, place in PRICING_REGIONS.items() if region.startswith(beginning))


def cheapest(products: Iterable[Mapping[str, Any]], currency: str) -> float | None:
    """The lowest price per hour among the products of an answer (there is one, unless AWS adds another attribute)."""
    dimensions = [
        dimension
        for product in products
        for term in product["terms"].get("OnDemand", {}).values()
        for dimension in term["priceDimensions"].values()
    ]
    prices = [
        float(d["pricePerUnit"][currency]) for d in dimensions if d["unit"] == "Hrs" and currency in d["pricePerUnit"]
    ]
    return min((price for price in prices if isfinite(price) and price > 0), default=None)
