"""All the prices of a region: of every Spot pool now, and of every type on demand.

Spot prices cost a call for each thousand pools, at each look (`standing_prices` says why it cannot be less). On-demand
prices are a page of the Pricing API for each hundred types, once a day; they are a comfort, so that they cannot be had
is told and no more.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from sys import intern

from spotward.aws.aged import Aged
from spotward.aws.describe import Described
from spotward.aws.on_demand import NO_ON_DEMAND_AGE_SECONDS, ON_DEMAND_AGE_SECONDS, cheapest, pricing_region
from spotward.aws.session import Aws
from spotward.aws.standing_prices import Sold, standing_prices
from spotward.engine.ports import Clock
from spotward.market.catalogue import permitted
from spotward.market.price_list import PriceList
from spotward.market.prices import Product, SpotPrice, currency_of, on_demand_filters
from spotward.model.errors import OutsideError

PRODUCTS_PER_PAGE = 100
"""The most that GetProducts gives at once."""

TOLD_SECONDS = 7 * 24 * 3600.0
"""For so long on-demand prices are told that cannot be asked for again: AWS changes them a few times a year."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionPrices:
    """What things cost in a region, per hour, in its own currency."""

    region: str
    as_of: float
    spot: Mapping[Sold, SpotPrice]
    on_demand: Mapping[tuple[str, str], float]
    """(Type, product) → price."""
    troubles: tuple[OutsideError, ...] = ()


class PriceReader:
    """Reads the prices of regions."""

    def __init__(
        self,
        aws: Aws,
        clock: Clock,
        *,
        products: Sequence[Product],
        types: Sequence[str] = (),
        on_demand: bool = True,
        price_list: PriceList | None = None,
    ) -> None:
        """products: that Spot sells. types: globs; none means all. price_list: wins over the Pricing API."""
        self._aws, self._clock, self._price_list = aws, clock, price_list
        self._products, self._types, self._wants_on_demand = tuple(products), tuple(types), on_demand
        self._known = Aged[tuple[str, str], Mapping[str, float]](ON_DEMAND_AGE_SECONDS)
        self._failed = Aged[tuple[str, str], OutsideError](NO_ON_DEMAND_AGE_SECONDS)

    async def read(self, region: str) -> RegionPrices:
        """What it is now. Raises OutsideError where Spot prices cannot be had."""
        as_of = self._clock.now()
        spot = await standing_prices(
            self._aws,
            region,
            time=as_of,
            products=[name for product in self._products for name in product.spot_descriptions],
            filters={"instance-type": self._types} if self._types else {},
        )
        on_demand: dict[tuple[str, str], float] = {}
        troubles: list[OutsideError] = []
        for product in self._products if self._wants_on_demand else ():
            try:
                await self._renew(region, product)
            except OutsideError as error:
                troubles.append(error)
            on_demand |= self._listed(region, product)
        return RegionPrices(region=region, as_of=as_of, spot=spot, on_demand=on_demand, troubles=tuple(troubles))

    # ---- on demand ---------------------------------------------------------------------------------------------------

    async def _renew(self, region: str, product: Product) -> None:
        """Asks for the list, unless it is new enough. Raises OutsideError, the last one again for a while."""
        key, now, place = (region, str(product.spot)), self._clock.now(), pricing_region(region)
        if place is None or self._known.fresh(key, now) is not None:
            return
        if (failed := self._failed.fresh(key, now)) is not None:
            raise failed
        try:
            pages = await self._aws.pages(
                place,
                "pricing",
                "get_products",
                each=lambda page: _read_products(page, currency_of(region)),
                ServiceCode="AmazonEC2",
                Filters=[
                    {"Type": "TERM_MATCH", "Field": name, "Value": value}
                    for name, value in on_demand_filters(product, region=region)
                ],
                MaxResults=PRODUCTS_PER_PAGE,
            )
        except OutsideError as error:
            self._failed.keep(key, error, now)
            raise
        self._known.keep(key, {name: price for page in pages for name, price in page}, now)

    def _listed(self, region: str, product: Product) -> dict[tuple[str, str], float]:
        """What is known: from the Pricing API, and over it from the operator's own list."""
        name, now = str(product.spot), self._clock.now()
        asked = self._known.last((region, name), now, within_seconds=TOLD_SECONDS) or {}
        own = self._price_list.prices.get(region, {}) if self._price_list is not None else {}
        prices = {**asked, **{kind: by_product[name] for kind, by_product in own.items() if name in by_product}}
        return {(kind, name): price for kind, price in prices.items() if self._meant(kind)}

    def _meant(self, instance_type: str) -> bool:
        return permitted(instance_type, "", allowed=self._types, denied=())


def _read_products(page: Described, currency: str) -> list[tuple[str, float]]:
    """Type → price; a type that is listed twice has the lower one."""
    prices: dict[str, float] = {}
    for product in map(json.loads, page["PriceList"]):
        name, price = intern(product["product"]["attributes"]["instanceType"]), cheapest([product], currency)
        if price is not None:
            prices[name] = min(price, prices.get(name, price))
    return list(prices.items())
