"""Who is in the groups of a region, and what the members cost: for those who only want to know.

A look costs a call for each hundred groups and, while nothing changes, nothing else. How an instance was bought, and at
which limit, never changes: each new member is asked for once, and each new Spot member's request too (200 a call).
Prices are asked for when they are five minutes old, those of the members' own pools in one call for 200 types; the
cheapest pool that can do the same work is what `LiveMarket` knows. What cannot be asked again is told as it was, for an
hour.

The limit is that of the instance's own Spot request, whatever made it: a launch template, a launch configuration, a
mixed-instances policy or a fleet. Where nobody set one, EC2 writes the on-demand price there.
"""

import logging
from collections import defaultdict
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from math import inf
from typing import Any

from spotward.aws.aged import Aged
from spotward.aws.describe import Described, group_of, literal
from spotward.aws.instances import FILTER_VALUES_MAX, InstanceReader, chunks
from spotward.aws.prices import SPOT_PRICES_AGE_SECONDS, LiveMarket
from spotward.aws.regions import is_glob
from spotward.aws.session import Aws
from spotward.aws.standing_prices import Sold, standing_prices
from spotward.engine.ports import Clock
from spotward.market.price_list import PriceList
from spotward.market.prices import product_of
from spotward.model.action import RecommendPools
from spotward.model.cloud import Group, Instance, Lifecycle, Member
from spotward.model.errors import OutsideError

GROUPS_PER_PAGE = 100
"""The most that DescribeAutoScalingGroups gives at once, and the most names it takes."""

REQUESTS_PER_PAGE = 1000
"""The most that DescribeSpotInstanceRequests gives at once."""

BID_WAIT_SECONDS = 600.0
"""For so long a Spot member's request that EC2 does not show is looked for at each look."""

PRICES_TOLD_SECONDS = 3600.0
"""For so long a price is told that cannot be asked for again."""

log = logging.getLogger("spotward.export")


@dataclass(frozen=True, kw_only=True, slots=True)
class PricedMember:
    """A member of a group, with what it costs."""

    instance_id: str
    instance_type: str
    az: str
    state: str
    """Auto Scaling's word: Pending:Wait, InService, Warmed:Stopped, ..."""
    spot: bool = False
    bid: float | None = None
    """At most so much is paid for an hour; None where it is no Spot, or not known."""
    price: float | None = None
    """What an hour in its pool costs now, of a Spot member."""
    on_demand: float | None = None
    """What an hour of its type costs on demand."""
    cheapest: float | None = None
    """The Spot price of the cheapest pool in its zone that can do its work, of a Spot member; infinite where none costs
    less than on-demand."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CountedGroup:
    """A group with its members."""

    name: str
    min_size: int
    max_size: int
    desired: int
    warm: int
    """Instances of its warm pool, which are no members."""
    members: tuple[PricedMember, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Census:
    """A region at one moment. Prices are per hour, in its own currency."""

    region: str
    as_of: float
    groups: tuple[CountedGroup, ...]
    troubles: tuple[OutsideError, ...] = ()
    """What could not be asked although the groups could."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    """What is remembered of an instance."""

    instance: Instance
    bid: float | None = None
    asked_time: float | None = None
    """When its Spot request was first looked for, and not found."""

    @property
    def spot(self) -> bool:
        return self.instance.lifecycle is Lifecycle.SPOT

    def waits_for_bid(self, now: float) -> bool:
        """Is its limit worth looking for?"""
        given_up = self.asked_time is not None and now - self.asked_time > BID_WAIT_SECONDS
        return self.spot and self.bid is None and not given_up

    @property
    def pool(self) -> Sold | None:
        """What the Spot price history calls it; None for a product that Spot does not sell."""
        product = product_of(self.instance.product)
        if product is None or product.spot is None:
            return None
        return self.instance.instance_type, self.instance.az, product.spot


Roll = dict[str, _Known]
"""Id → instance, of the members of one region."""

Kind = tuple[str, str, str, str]
"""Type, product, architecture, virtualization: what decides which types can stand in."""


class CensusTaker:
    """Looks at the groups of regions, or at some of them."""

    def __init__(
        self, aws: Aws, clock: Clock, *, names: Sequence[str] = (), price_list: PriceList | None = None
    ) -> None:
        """names: of groups, or globs; none means all. price_list: the operator's own on-demand prices."""
        self._aws, self._clock, self._names = aws, clock, tuple(names)
        self._finding, self._market = InstanceReader(aws), LiveMarket(aws, clock, price_list=price_list)
        self._rolls: dict[str, Roll] = {}
        self._prices = Aged[tuple[str, Sold], float | None](SPOT_PRICES_AGE_SECONDS)
        self._cheapest = Aged[tuple[str, Kind], Mapping[str, float]](SPOT_PRICES_AGE_SECONDS)
        self._on_demand: dict[tuple[str, Kind], float] = {}
        self._unpriced: dict[str, str] = {}

    async def take(self, region: str) -> Census:
        """How it is now. Raises OutsideError where the groups or their members cannot be had."""
        as_of = self._clock.now()
        listed = await self._groups(region)
        roll = await self._described(region, [group for group, _ in listed])
        steps = (self._ask_bids, self._ask_prices, self._ask_market)
        troubles = [trouble for step in steps if (trouble := await _tried(step(region, roll))) is not None]
        groups = tuple(self._counted(group, warm, roll) for group, warm in listed)
        return Census(region=region, as_of=as_of, groups=groups, troubles=tuple(troubles))

    # ---- groups and members ------------------------------------------------------------------------------------------

    async def _groups(self, region: str) -> list[tuple[Group, int]]:
        """The groups that are meant, each with the size of its warm pool."""
        exact = bool(self._names) and not any(map(is_glob, self._names))
        asked: list[dict[str, Any]] = [{}]
        if exact:
            asked = [{"AutoScalingGroupNames": list(some)} for some in chunks(self._names, GROUPS_PER_PAGE)]
        found: list[tuple[Group, int]] = []
        for which in asked:
            pages = await self._aws.pages(
                region,
                "autoscaling",
                "describe_auto_scaling_groups",
                each=lambda page: _read_groups(region, page),
                MaxRecords=GROUPS_PER_PAGE,
                **which,
            )
            found += [each for page in pages for each in page]
        return [each for each in found if self._meant(each[0].name)]

    def _meant(self, name: str) -> bool:
        return not self._names or any(fnmatchcase(name, pattern) for pattern in self._names)

    async def _described(self, region: str, groups: Iterable[Group]) -> Roll:
        """The members, of whom only those that are new are asked for; who is no member any more is forgotten."""
        group_of_member = {member.instance_id: group for group in groups for member in group.members}
        roll = {each: known for each, known in self._rolls.get(region, {}).items() if each in group_of_member}
        new = {each: group for each, group in group_of_member.items() if each not in roll}
        for instance in (await self._finding.members(region, new)).values():
            roll[instance.id] = _Known(instance=instance)
        self._rolls[region] = roll
        return roll

    # ---- what they cost ----------------------------------------------------------------------------------------------

    async def _ask_bids(self, region: str, roll: Roll) -> None:
        """The limits of Spot members for whom none is known yet."""
        now = self._clock.now()
        unknown = [each for each, known in roll.items() if known.waits_for_bid(now)]
        for some in chunks(unknown, FILTER_VALUES_MAX):
            pages = await self._aws.pages(
                region,
                "ec2",
                "describe_spot_instance_requests",
                each=_read_bids,
                Filters=[{"Name": "instance-id", "Values": [literal(each) for each in some]}],
                MaxResults=REQUESTS_PER_PAGE,
            )
            bids = dict(each for page in pages for each in page)
            for each in some:
                asked_time = now if roll[each].asked_time is None else roll[each].asked_time
                roll[each] = replace(roll[each], bid=bids.get(each), asked_time=asked_time)

    async def _ask_prices(self, region: str, roll: Roll) -> None:
        """The prices of the Spot members' own pools: all of them as soon as one is too old."""
        now, pools = self._clock.now(), {pool for known in roll.values() if known.spot and (pool := known.pool)}
        if not self._prices.missing([(region, pool) for pool in pools], now):
            return
        products = {product for _, _, name in pools if (product := product_of(name))}
        names = sorted({name for product in products for name in product.spot_descriptions})
        zones = sorted({az for _, az, _ in pools})
        for types in chunks(sorted({instance_type for instance_type, _, _ in pools}), FILTER_VALUES_MAX):
            filters = {"availability-zone": zones, "instance-type": types}
            found = await standing_prices(self._aws, region, time=now, products=names, filters=filters)
            for pool in pools:
                if pool[0] in types:
                    self._prices.keep((region, pool), found[pool].usd_per_hour if pool in found else None, now)

    async def _ask_market(self, region: str, roll: Roll) -> None:
        """On-demand prices, and the cheapest pools that can stand in for Spot members."""
        zones: defaultdict[Kind, set[str]] = defaultdict(set)
        for known in roll.values():
            zones[_kind(known.instance)] |= {known.instance.az} if known.spot else set()
        tried = [await _tried(self._ask_kind(_question(region, kind, azs), kind)) for kind, azs in zones.items()]
        if failed := next(filter(None, tried), None):
            raise failed

    async def _ask_kind(self, question: RecommendPools, kind: Kind) -> None:
        quote = await self._market.on_demand.quote(question, product_of(question.product))
        if quote.price is not None:
            self._on_demand[question.region, kind] = quote.price
            await self._ask_cheapest(question, kind)
        else:
            self._say_unpriced(question.region, f"no on-demand price is known of {kind[0]}: {quote.because}")

    async def _ask_cheapest(self, question: RecommendPools, kind: Kind) -> None:
        now = self._clock.now()
        if set(question.azs) <= (self._cheapest.fresh((question.region, kind), now) or {}).keys():
            return
        cheapest = dict.fromkeys(question.azs, inf)
        for offer in (await self._market.recommend(question)).offers:
            if offer.usd_per_hour is not None:
                cheapest[offer.pool.az] = min(cheapest[offer.pool.az], offer.usd_per_hour)
        self._cheapest.keep((question.region, kind), cheapest, now)

    def _say_unpriced(self, region: str, words: str) -> None:
        """Once, and not at each look."""
        if region not in self._unpriced:
            log.warning("%s: %s", region, words)
        self._unpriced[region] = words

    # ---- put together ------------------------------------------------------------------------------------------------

    def _counted(self, group: Group, warm: int, roll: Roll) -> CountedGroup:
        return CountedGroup(
            name=group.name,
            min_size=group.min_size,
            max_size=group.max_size,
            desired=group.desired,
            warm=warm,
            members=tuple(self._priced(group.region, each, roll.get(each.instance_id)) for each in group.members),
        )

    def _priced(self, region: str, member: Member, known: _Known | None) -> PricedMember:
        base = PricedMember(
            instance_id=member.instance_id,
            instance_type=member.instance_type,
            az=member.az,
            state=member.lifecycle_state,
        )
        if known is None:
            return base
        kind = _kind(known.instance)
        priced = replace(base, instance_type=kind[0], on_demand=self._on_demand.get((region, kind)))
        if not known.spot:
            return priced
        now = self._clock.now()
        price = self._prices.last((region, known.pool), now, within_seconds=PRICES_TOLD_SECONDS) if known.pool else None
        zones = self._cheapest.last((region, kind), now, within_seconds=PRICES_TOLD_SECONDS) or {}
        return replace(priced, spot=True, bid=known.bid, price=price, cheapest=zones.get(known.instance.az))


async def _tried(step: Awaitable[None]) -> OutsideError | None:
    """Why a step came to nothing; None if it did not."""
    try:
        await step
    except OutsideError as error:
        return error
    return None


def _kind(instance: Instance) -> Kind:
    return instance.instance_type, instance.product, instance.architecture, instance.virtualization


def _question(region: str, kind: Kind, azs: Iterable[str]) -> RecommendPools:
    """What can stand in for it there, whatever its group."""
    instance_type, product, architecture, virtualization = kind
    return RecommendPools(
        region=region,
        group="",
        instance_type=instance_type,
        product=product,
        architecture=architecture,
        virtualization=virtualization,
        azs=tuple(sorted(azs)),
    )


def _read_groups(region: str, page: Described) -> list[tuple[Group, int]]:
    return [(group_of(region, each), int(each.get("WarmPoolSize") or 0)) for each in page["AutoScalingGroups"]]


def _read_bids(page: Described) -> list[tuple[str, float]]:
    """A request whose limit is not told is left out, as one that is not there yet."""
    requests: Iterable[Described] = page["SpotInstanceRequests"]
    return [(r["InstanceId"], float(r["SpotPrice"])) for r in requests if r.get("InstanceId") and r.get("SpotPrice")]
