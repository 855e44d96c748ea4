"""The live market: which types and prices there are now, in few calls.

The order of the questions is what saves calls. The on-demand price of the original comes first: without one there is
nothing to compare. Then the Spot prices below it in the zones asked for, which name every type that is cheaper
somewhere. Only those are described, a hundred types a call, and only what fits is checked against the offerings. For an
m5.large in three zones that is six to eight calls when nothing is known, and five minutes later the Spot prices alone.
Where nothing would save, the dearer prices are asked for too, so that the reason can name the cheapest.

Prices are believed as AWS tells them, however long ago it says that they began: a price that has stood since 2006 is a
stable price.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from spotward.aws.aged import Aged
from spotward.aws.asking import ask
from spotward.aws.describe import Described, instance_type_of
from spotward.aws.on_demand import OnDemandPrices
from spotward.aws.price_filter import patterns_below
from spotward.aws.session import Aws
from spotward.aws.standing_prices import standing_prices
from spotward.engine.ports import Clock
from spotward.market.catalogue import permitted
from spotward.market.price_list import PriceList
from spotward.market.prices import Product, SpotPrice, product_of
from spotward.market.recommend import Market, fits, price_limit, recommend
from spotward.market.risk import Risk
from spotward.model.action import RecommendPools
from spotward.model.cloud import InstanceType, Pool
from spotward.model.errors import OutsideError
from spotward.model.event import PoolsRecommended

TYPES_AGE_SECONDS = 24 * 3600.0
"""For how long a type's description and its offerings are believed: AWS adds types every few weeks."""

SPOT_PRICES_AGE_SECONDS = 300.0
"""For how long Spot prices are believed: most pools change theirs a few times a day."""

TYPES_PER_CALL = 100
FILTER_VALUES_MAX = 200
ROWS_PER_PAGE = 1000
"""Limits of DescribeInstanceTypes, of EC2's filters, and of EC2's price and offering pages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _ZonePrices:
    """What AWS told of one zone's Spot prices."""

    below: float
    """All below this are there, per hour; of the others perhaps some. `inf`: all there are."""
    by_type: Mapping[str, SpotPrice]


class LiveMarket:
    """Recommends pools from what AWS says now. An `engine.ports.Recommender`."""

    def __init__(
        self, aws: Aws, clock: Clock, *, price_list: PriceList | None = None, risk: Risk | None = None
    ) -> None:
        """price_list: the operator's own on-demand prices; where it has one, the Pricing API is not asked."""
        self._aws, self._clock = aws, clock
        self.on_demand, self._risk = OnDemandPrices(aws, clock, price_list), risk
        self._busy: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._types = Aged[tuple[str, str], tuple[InstanceType, ...]](TYPES_AGE_SECONDS)
        self._offered = Aged[tuple[str, str, str], bool](TYPES_AGE_SECONDS)
        self._spot = Aged[tuple[str, str, str], _ZonePrices](SPOT_PRICES_AGE_SECONDS)

    async def recommend(self, question: RecommendPools) -> PoolsRecommended:
        """The pools that fit, best first; an answer without offers says why. Raises OutsideError."""
        async with self._busy[question.region]:  # whoever asks next finds the answers of the first
            answer = await self._recommended(question, cheaper_alone=not question.allow_unpriced)
            if not answer.offers:
                answer = await self._recommended(question, cheaper_alone=False)
        return answer

    async def _recommended(self, question: RecommendPools, *, cheaper_alone: bool) -> PoolsRecommended:
        """cheaper_alone: prices that are no saving are of no interest."""
        market = await self._market(question, cheaper_alone=cheaper_alone)
        return recommend(question, market, time=self._clock.now(), risk=self._risk)

    async def _market(self, question: RecommendPools, *, cheaper_alone: bool) -> Market:
        """All that is known of the types that may be recommended."""
        product = product_of(question.product)
        quote = await self.on_demand.quote(question, product)
        if quote.price is None and not question.allow_unpriced:
            return Market(
                types={},
                offerings=None,
                spot_prices={},
                on_demand_usd_per_hour=None,
                unpriced_because=quote.because,
            )
        limit = price_limit(question, quote.price) if cheaper_alone else None
        prices = await self._spot_prices(question, product, below=inf if limit is None else limit)
        names = {question.instance_type, *_cheaper(question, prices, quote.price)}
        types = await self._described(question.region, sorted(names))
        original = types.get(question.instance_type)
        fitting = [t.name for t in types.values() if original is not None and fits(question, original, t)]
        return Market(
            types=types,
            offerings=await self._offerings(question.region, question.azs, fitting),
            spot_prices=prices,
            on_demand_usd_per_hour=quote.price,
            unpriced_because=quote.because,
        )

    # ---- Spot --------------------------------------------------------------------------------------------------------

    async def _spot_prices(
        self, question: RecommendPools, product: Product | None, *, below: float
    ) -> dict[Pool, SpotPrice]:
        """The current price of every pool of the zones asked for, of all that cost less than `below` and perhaps of
        others; empty for a product that Spot does not sell.
        """
        if product is None or product.spot is None:
            return {}
        region, name, now = question.region, product.spot, self._clock.now()
        age = question.prices_age_seconds_max
        believed = SPOT_PRICES_AGE_SECONDS if age is None else min(age, SPOT_PRICES_AGE_SECONDS)
        known = {az: self._spot.last((region, name, az), now, within_seconds=believed) for az in question.azs}
        missing = [az for az, prices in known.items() if prices is None or prices.below < below]
        if missing:
            # As far as was asked for before, so that types of different price do not take turns in asking.
            earlier = [entry[1].below for az in missing if (entry := self._spot.entries.get((region, name, az)))]
            below = max([below, *(limit for limit in earlier if limit < inf)])
            found = await self._price_history(region, product, missing, now, below=below)
            for az in missing:
                self._spot.keep((region, name, az), _ZonePrices(below=below, by_type=found.get(az, {})), now)
        return {
            Pool(instance_type=each, az=az): price
            for az in question.azs
            if (prices := self._spot.fresh((region, name, az), now)) is not None
            for each, price in prices.by_type.items()
        }

    async def _price_history(
        self, region: str, product: Product, azs: Sequence[str], now: float, *, below: float
    ) -> Mapping[str, Mapping[str, SpotPrice]]:
        """Zone → type → price."""
        cheap = patterns_below(below) if below < inf else []
        filters = {"availability-zone": list(azs)} | ({"spot-price": cheap} if cheap else {})
        found = await standing_prices(self._aws, region, time=now, products=product.spot_descriptions, filters=filters)
        zones: dict[str, dict[str, SpotPrice]] = {}
        for (instance_type, az, _), price in found.items():
            zones.setdefault(az, {})[instance_type] = price
        return zones

    # ---- types -------------------------------------------------------------------------------------------------------

    async def _described(self, region: str, names: Sequence[str]) -> dict[str, InstanceType]:
        """Name → type; one that EC2 does not describe is left out."""
        now = self._clock.now()
        missing = [name for _, name in self._types.missing([(region, name) for name in names], now)]
        chunks = [missing[start : start + TYPES_PER_CALL] for start in range(0, len(missing), TYPES_PER_CALL)]
        for types, chunk in zip(
            await asyncio.gather(*(self._types_of(region, c) for c in chunks)), chunks, strict=True
        ):
            by_name = {each.name: each for each in types}
            for name in chunk:
                self._types.keep((region, name), (by_name[name],) if name in by_name else (), now)
        return {each.name: each for name in names for each in self._types.fresh((region, name), now) or ()}

    async def _types_of(self, region: str, names: Sequence[str]) -> list[InstanceType]:
        """One call for up to a hundred types. If EC2 does not know one of them, it refuses all; then a filter asks."""
        try:
            return await ask(self._aws, region, "ec2", "describe_instance_types", _read_types, InstanceTypes=names)
        except OutsideError as error:
            if error.code != "InvalidInstanceType":
                raise
        pages = await self._aws.pages(
            region,
            "ec2",
            "describe_instance_types",
            each=_read_types,
            Filters=[{"Name": "instance-type", "Values": names}],
            MaxResults=TYPES_PER_CALL,
        )
        return [each for page in pages for each in page]

    async def _offerings(self, region: str, azs: Collection[str], names: Sequence[str]) -> Mapping[str, frozenset[str]]:
        """Zone → those of the types that EC2 has there."""
        now = self._clock.now()
        missing = self._offered.missing([(region, az, name) for az in azs for name in names], now)
        unknown = list(dict.fromkeys(name for _, _, name in missing))
        for start in range(0, len(unknown), FILTER_VALUES_MAX):
            chunk = unknown[start : start + FILTER_VALUES_MAX]
            there = await self._offered_there(region, azs, chunk)
            for az in azs:
                for name in chunk:
                    self._offered.keep((region, az, name), (az, name) in there, now)
        return {az: frozenset(n for n in names if self._offered.fresh((region, az, n), now)) for az in azs}

    async def _offered_there(self, region: str, azs: Collection[str], names: Sequence[str]) -> set[tuple[str, str]]:
        pages = await self._aws.pages(
            region,
            "ec2",
            "describe_instance_type_offerings",
            each=lambda page: [(each["Location"], each["InstanceType"]) for each in page["InstanceTypeOfferings"]],
            LocationType="availability-zone",
            Filters=[
                {"Name": "location", "Values": list(azs)},
                {"Name": "instance-type", "Values": list(names)},
            ],
            MaxResults=ROWS_PER_PAGE,
        )
        return {pair for page in pages for pair in page}


def _cheaper(
    question: RecommendPools, prices: Mapping[Pool, SpotPrice], on_demand_usd_per_hour: float | None
) -> set[str]:
    """Types that the operator permits and that cost less somewhere than the original on demand, whatever they are."""
    limit = price_limit(question, on_demand_usd_per_hour)
    cheap = {pool.instance_type for pool, price in prices.items() if limit is None or price.usd_per_hour < limit}
    return {
        name
        for name in cheap
        if permitted(name, question.instance_type, allowed=question.allowed_types, denied=question.denied_types)
    }


def _read_types(answer: Described) -> list[InstanceType]:
    return [instance_type_of(each) for each in answer["InstanceTypes"]]
