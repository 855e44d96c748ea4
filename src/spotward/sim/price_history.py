"""What Spot capacity cost and costs, as DescribeSpotPriceHistory and the market tell it.

AWS lists changes, newest first, and begins with the price that was in force at StartTime, under its own earlier time.
The history is read backwards in windows of a day, and each page goes on in the window where the last one ended, so a
page costs about a day however long the span is. One that found little after much reading ends there, as AWS's do: a
page may be empty and still name the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from spotward.sim.answers import Answer, Operation, Params, matcher, page, paged, read_token, token_after
from spotward.sim.catalogue import Catalogue
from spotward.sim.errors import ApiError
from spotward.sim.pools import Pools
from spotward.sim.region import Region, when

PRODUCTS = ("Linux/UNIX", "Red Hat Enterprise Linux", "SUSE Linux", "Windows")

HISTORY_SECONDS_MAX = 90 * 86400.0
"""How far back AWS answers."""

HISTORY_PAGE = 1000
"""Changes on one page, as on AWS."""

_WINDOW_SECONDS = 86400.0

_PAGE_POOL_WINDOWS = 3_000
"""A page ends at the window in which it has read so many pools, each for one window."""

_VPC = " (Amazon VPC)"

Change = tuple[float, str, str, str, float]
"""(minus the time, type, zone, product, price per hour): sorts newest first."""


@dataclass(frozen=True, slots=True)
class _Query:
    pools: tuple[tuple[str, str, str], ...]
    since: float
    until: float


@dataclass(slots=True)
class _Walk:
    """A query read backwards from `start`, until it is done or a page's share of reading is."""

    query: _Query
    read: Callable[[_Query, bool], list[Change]]
    """The changes of one window, newest first; True: with the price in force at its start."""
    start: float
    rest: float | None = None
    """Where the next page begins, when this one was cut."""

    def __iter__(self) -> Iterator[Change]:
        pools, pool_windows = self.query.pools, 0
        until = self.query.until - (self.query.until - self.start) // _WINDOW_SECONDS * _WINDOW_SECONDS
        while pool_windows < _PAGE_POOL_WINDOWS:
            since = max(self.query.since, until - _WINDOW_SECONDS)
            first = since <= self.query.since
            yield from self.read(_Query(pools, since, until), first)
            if first:
                return
            until, pool_windows = since, pool_windows + len(pools)
        self.rest = until


class PriceHistory:
    """The Spot prices of one region."""

    def __init__(self, region: Region, catalogue: Catalogue, pools: Pools) -> None:
        """`pools` carries the prices with the scenario's factors applied."""
        self._region = region
        self._catalogue = catalogue
        self._pools = pools
        self._window: tuple[tuple[_Query, bool], list[Change]] | None = None

    def operations(self) -> dict[str, Operation]:
        """What this part answers."""
        return {
            "ec2.DescribeSpotPriceHistory": self.describe,
            "ec2.GetSpotPlacementScores": self.placement_scores,
        }

    def now(self, instance_type: str, zone: str, product: str) -> float | None:
        """The price in force, per hour; None where the type is not sold as Spot."""
        return self._pools.prices.at(instance_type, zone, product, self._region.now)

    # -- DescribeSpotPriceHistory ------------------------------------------------------------------------------------

    def describe(self, params: Params) -> Answer:
        """DescribeSpotPriceHistory."""
        filters = _filters(params)
        query, start = self._query(params, filters)
        if params.get("MaxResults") == 0:
            params = {**params, "MaxResults": None}
        fits = matcher(filters["spot-price"]) if "spot-price" in filters else None
        walk = _Walk(query, self._changes_within, start)
        changes = (change for change in walk if fits is None or fits(_price(change)))
        shown, token = page(changes, params, key=lambda change: (*change[:4], query.until), size=HISTORY_PAGE)
        if token is None and walk.rest is not None:
            token = token_after((-walk.rest, "", "", "", query.until))
        return paged("SpotPriceHistory", [_entry(change) for change in shown], token)

    def _query(self, params: Params, filters: Mapping[str, list[str]]) -> tuple[_Query, float]:
        """What is asked, and where in it this page begins to read."""
        now = self._region.now
        until = min(params["EndTime"].timestamp() if params.get("EndTime") else now, now)
        since = params["StartTime"].timestamp() if params.get("StartTime") else now - HISTORY_SECONDS_MAX
        since = min(max(since, now - HISTORY_SECONDS_MAX), now)
        start = until = max(since, until)
        if params.get("NextToken"):
            start, until = _place(params["NextToken"])
        return _Query(tuple(self._pools_asked(filters)), since, until), start

    def _pools_asked(self, filters: Mapping[str, list[str]]) -> Iterator[tuple[str, str, str]]:
        in_zone = matcher(filters.get("availability-zone", ["*"]))
        of_type = matcher(filters.get("instance-type", ["*"]))
        of_product = matcher([name.removesuffix(_VPC) for name in filters.get("product-description", ["*"])])
        zones = [zone for zone in self._catalogue.zones if in_zone(zone)]
        products = [product for product in PRODUCTS if of_product(product)]
        for name in self._catalogue.types:
            if of_type(name):
                yield from (
                    (name, zone, product)
                    for zone in zones
                    if self._catalogue.offered(name, zone)
                    for product in products
                )

    def _changes_within(self, window: _Query, with_standing_price: bool) -> list[Change]:
        """The window's changes. The last window is kept, since the next page will mostly ask for it again."""
        asked = (window, with_standing_price)
        if self._window is not None and self._window[0] == asked:
            return self._window[1]
        prices = self._pools.prices
        found = [
            (-time, name, zone, product, price)
            for name, zone, product in window.pools
            for time, price in prices.changes(name, zone, product, window.since, window.until)
            # A book that begins later than the window tells its first price, which belongs to another window.
            if time <= window.until and (with_standing_price or time > window.since)
        ]
        found.sort()
        self._window = (asked, found)
        return found

    # -- GetSpotPlacementScores --------------------------------------------------------------------------------------

    def placement_scores(self, params: Params) -> Answer:
        """GetSpotPlacementScores: 1 to 10 from the depth of the pools, by region or by zone."""
        names = [name for name in params.get("InstanceTypes") or () if name in self._catalogue.types]
        if not names:
            raise ApiError("InvalidParameterValue", "Specify instance types that the region has.")
        depth = {zone: max(self._depth(name, zone) for name in names) for zone in self._catalogue.zones}
        if not params.get("SingleAvailabilityZone"):
            best = max(depth.values())
            return {"SpotPlacementScores": [{"Region": self._region.name, "Score": _score(best)}]}
        scores = [
            {"Region": self._region.name, "AvailabilityZoneId": self._catalogue.zone_ids[zone], "Score": _score(found)}
            for zone, found in sorted(depth.items(), key=lambda pair: (-pair[1], pair[0]))
        ]
        return {"SpotPlacementScores": scores[:10]}

    def _depth(self, name: str, zone: str) -> float:
        if not self._catalogue.offered(name, zone):
            return 0.0
        return self._pools.capacity_depth(name, zone, self._region.now)


def _place(token: str) -> tuple[float, float]:
    """(where the page begins to read, the end of the whole query), of a token of ours."""
    match read_token(token):
        case (float(minus_start), str(), str(), str(), float(until)) if 0 <= -minus_start <= until < inf:
            return -minus_start, until
    raise ApiError("InvalidNextToken", f"The token '{token}' is invalid.")


def _filters(params: Params) -> dict[str, list[str]]:
    """The call's own parameters and its filters, as one set of filters."""
    given = {one.get("Name", "null"): list(one.get("Values") or ()) for one in params.get("Filters") or ()}
    unknown = given.keys() - {"availability-zone", "instance-type", "product-description", "spot-price"}
    if unknown:
        raise ApiError("InvalidParameterValue", f"The filter '{min(unknown)}' is invalid")
    if params.get("AvailabilityZone"):
        given["availability-zone"] = [params["AvailabilityZone"]]
    for name, parameter in (("instance-type", "InstanceTypes"), ("product-description", "ProductDescriptions")):
        if params.get(parameter):
            given[name] = list(params[parameter])
    return given


def _price(change: Change) -> str:
    return f"{change[4]:.6f}"


def _entry(change: Change) -> dict[str, Any]:
    return {
        "AvailabilityZone": change[2],
        "InstanceType": change[1],
        "ProductDescription": change[3],
        "SpotPrice": _price(change),
        "Timestamp": when(-change[0]),
    }


def _score(depth: float) -> int:
    return max(1, min(10, round(1 + 9 * depth)))
