"""From the overrides of a fleet or of a mixed-instances policy to pools that can be compared.

A *wish* is one override on top of its launch template. It becomes a *candidate* for each subnet or zone it allows, with
today's price, depth and room, or a *refusal* in the words that AWS gives for that pool.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spotward.sim.allocation import Candidate
from spotward.sim.answers import Params
from spotward.sim.capacity import Capacity
from spotward.sim.catalogue import Catalogue
from spotward.sim.errors import ApiError
from spotward.sim.instances import SPOT, Order
from spotward.sim.ordering import Ordering, merge
from spotward.sim.surroundings import Remembered

_IN_THE_OVERRIDE_ONLY = frozenset({"MaxPrice", "AvailabilityZone", "WeightedCapacity", "Priority", "SubnetId"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One override, on its template."""

    template: Mapping[str, str]
    """LaunchTemplateId and the number of the Version."""
    override: Mapping[str, Any]
    parameters: Mapping[str, Any]

    @property
    def weight(self) -> float:
        """How many units one instance gives."""
        return float(self.override.get("WeightedCapacity") or 1)

    def shown(self) -> dict[str, Any]:
        """LaunchTemplateAndOverrides, as a fleet's answer gives it."""
        return {"LaunchTemplateSpecification": dict(self.template), "Overrides": dict(self.override)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a wish brought nothing, or not all."""

    wish: Wish
    market: str
    code: str
    message: str


class Offers:
    """What one region's pools offer for a list of wishes."""

    def __init__(
        self, *, catalogue: Catalogue, ordering: Ordering, capacity: Capacity, surroundings: Remembered
    ) -> None:
        """Reads only."""
        self._catalogue = catalogue
        self._ordering = ordering
        self._capacity = capacity
        self._around = surroundings

    def wishes(self, configs: Iterable[Params], tag_specifications: Sequence[Params] = ()) -> list[Wish]:
        """Every override of LaunchTemplateConfigs. Raises ApiError when a template is gone."""
        found: list[Wish] = []
        for config in configs:
            template, version, parameters = self._ordering.from_template(
                config["LaunchTemplateSpecification"], {"TagSpecifications": tag_specifications}
            )
            named = {"LaunchTemplateId": template.id, "Version": str(version.number)}
            overrides: Sequence[Params] = config.get("Overrides") or ({},)
            found += [
                Wish(template=named, override=override, parameters=_with(parameters, override))
                for override in overrides
            ]
        return found

    def quota_vcpus(self, market: str) -> float:
        """The vCPUs that the account may still start."""
        return self._capacity.quota_vcpus() if market == SPOT else float("inf")

    def candidates(
        self, wishes: Sequence[Wish], *, market: str, tags: Mapping[str, str], place: Params | None = None
    ) -> tuple[list[Candidate], list[Refusal]]:
        """Every pool that the wishes allow, and what can never be launched.

        `place` says where, in launch parameters; None: wherever the wishes themselves say.
        """
        found: list[Candidate] = []
        refusals: list[Refusal] = []
        for source, wish in enumerate(wishes):
            for where in [place] if place is not None else self._places(wish):
                try:
                    found.append(self._candidate(wish, source, where, market, tags))
                except ApiError as error:
                    refusals.append(_refusal(wish, market, error))
        return found, refusals

    def _places(self, wish: Wish) -> list[dict[str, Any]]:
        """The launch parameters that say where: the override's subnets, its zone, the template's, or every zone."""
        subnets = str(wish.override.get("SubnetId") or "").replace(" ", "")
        if subnets:
            return [{"SubnetId": subnet} for subnet in subnets.split(",")]
        if wish.override.get("AvailabilityZone"):
            return [{"Placement": {"AvailabilityZone": wish.override["AvailabilityZone"]}}]
        interfaces: Sequence[Params] = wish.parameters.get("NetworkInterfaces") or ({},)
        placed = (wish.parameters.get("Placement") or {}).get("AvailabilityZone")
        if placed or interfaces[0].get("SubnetId"):
            return [{}]
        zones = [one for one in self._catalogue.zones if self._around.default_subnet(one) is not None]
        return [{"Placement": {"AvailabilityZone": one}} for one in zones] or [{}]

    def _candidate(
        self, wish: Wish, source: int, place: Mapping[str, Any], market: str, tags: Mapping[str, str]
    ) -> Candidate:
        limit = wish.override.get("MaxPrice")
        order = self._ordering.order(
            merge(wish.parameters, place),
            market=market,
            price_max_usd_per_hour=float(limit) if limit else None,
            tags=tags,
        )
        impossible = self._capacity.impossible(order)
        if impossible is not None:
            raise impossible
        return Candidate(
            order=order,
            price_usd_per_hour=self._price(order),
            depth=self._capacity.depth(order.instance_type, order.zone),
            room=self._capacity.room(market, order.instance_type, order.zone),
            vcpus=self._catalogue.vcpus(order.instance_type),
            # AWS: "if no priority is set, the launch template override has the lowest priority".
            priority=float(wish.override.get("Priority", "inf")),
            weight=wish.weight,
            source=source,
        )

    def _price(self, order: Order) -> float:
        if order.market == SPOT:
            return self._capacity.spot_usd_per_hour(order) or 0.0
        return self._catalogue.on_demand_usd_per_hour(order.instance_type, order.product)

    def shortages(
        self, candidates: Sequence[Candidate], given: Mapping[int, int], wishes: Sequence[Wish], *, market: str
    ) -> list[Refusal]:
        """Called after the launches: what each pool says to one instance more."""
        refusals: dict[tuple[int, str], Refusal] = {}
        for place, candidate in enumerate(candidates):
            _, error = self._capacity.allowed(candidate.order, 1)
            wish = wishes[candidate.source]
            if error is not None:
                refusals.setdefault((candidate.source, error.message), _refusal(wish, market, error))
            elif place not in given:
                refusals.setdefault((candidate.source, ""), _refusal(wish, market, _UNFULFILLABLE))
        return list(refusals.values())


_UNFULFILLABLE = ApiError(
    "UnfulfillableCapacity",
    "Unable to fulfill capacity due to your request configuration. Please adjust your request and try again.",
)


def _with(parameters: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    if override.get("InstanceRequirements"):
        raise ApiError(
            "UnsupportedOperation", "The embedded cloud knows no InstanceRequirements; name the types in Overrides."
        )
    changes = {key: value for key, value in override.items() if key not in _IN_THE_OVERRIDE_ONLY}
    merged = merge(parameters, changes)
    if override.get("SubnetId"):
        merged["NetworkInterfaces"] = _without_subnets(merged)
    return merged


def _without_subnets(parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """An override's subnet takes the place of the one in the template's interfaces."""
    return [
        {key: value for key, value in interface.items() if key != "SubnetId"}
        for interface in parameters.get("NetworkInterfaces") or ()
    ]


def _refusal(wish: Wish, market: str, error: ApiError) -> Refusal:
    # A fleet words EC2's "Unsupported" as a fault of its configuration.
    code = "InvalidFleetConfiguration" if error.code == "Unsupported" else error.code
    return Refusal(wish=wish, market=market, code=code, message=error.message.split(" Please retry")[0])
