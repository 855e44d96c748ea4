"""CreateFleet of type instant: one synchronous request for capacity wherever the overrides allow it.

The answer tells what was launched, override by override, and why each pool gave nothing. A fleet never fails for lack
of capacity: it answers with fewer instances, or none. Only a malformed request or a template that is gone is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spotward.sim.allocation import (
    ON_DEMAND_STRATEGIES,
    SPOT_STRATEGIES,
    Candidate,
    Strategy,
    alike,
    allocate,
    lowest_price_over,
)
from spotward.sim.answers import Answer, Operation, Params, Values, page, paged, sieve, tag_list, tags_for
from spotward.sim.errors import ApiError
from spotward.sim.instances import ALIVE, ON_DEMAND, SPOT, Instance, Instances
from spotward.sim.launcher import Launcher
from spotward.sim.offers import Offers, Refusal, Wish
from spotward.sim.region import Region, when
from spotward.sim.tokens import ClientTokens, Show

FLEET_TAG = "aws:ec2:fleet-id"

FLEETS_PAGE = 1000
OVERRIDES_MAX = 300
"""Launch specifications of one fleet, at most, as on AWS."""
TARGET_MAX = 10_000


@dataclass(slots=True, kw_only=True)
class Fleet:
    """One instant fleet and what came of it."""

    id: str
    params: Params
    create_time: float
    tags: dict[str, str]
    launched: list[tuple[Wish, str, list[Instance]]] = field(default_factory=list)
    """(override, lifecycle, instances)"""
    refusals: list[Refusal] = field(default_factory=list)
    deleted: bool = False

    def instances(self) -> Iterable[Instance]:
        """All that it launched."""
        return (instance for _, _, born in self.launched for instance in born)


class Fleets:
    """The fleets of one region."""

    def __init__(
        self, region: Region, instances: Instances, offers: Offers, launcher: Launcher, tokens: ClientTokens
    ) -> None:
        """Empty at first."""
        self._region = region
        self._instances = instances
        self._offers = offers
        self._launcher = launcher
        self._tokens = tokens
        self.by_id: dict[str, Fleet] = {}

    def operations(self) -> dict[str, Operation]:
        """What this part answers."""
        return {
            "ec2.CreateFleet": self.create,
            "ec2.DescribeFleets": self.describe,
            "ec2.DescribeFleetInstances": self.describe_instances,
            "ec2.DeleteFleets": self.delete,
        }

    # -- creating ----------------------------------------------------------------------------------------------------

    def create(self, params: Params) -> Answer:
        """CreateFleet. Raises ApiError for what AWS refuses outright."""
        return self._tokens.once("CreateFleet", params, lambda: self._create(params))

    def _create(self, params: Params) -> Show:
        _check(params)
        wishes = self._offers.wishes(params["LaunchTemplateConfigs"], params.get("TagSpecifications") or ())
        if len(wishes) > OVERRIDES_MAX:
            raise ApiError("LimitExceeded", f"The fleet has more than {OVERRIDES_MAX} launch specifications.")
        fleet = Fleet(
            id="fleet-" + self._region.new_uuid("fleet"),
            params=params,
            create_time=self._region.now,
            tags=tags_for("fleet", params.get("TagSpecifications")),
        )
        self.by_id[fleet.id] = fleet
        for market, units in _targets(params["TargetCapacitySpecification"]):
            self._fulfil(fleet, wishes, market, units)
        answer: Answer = {
            "FleetId": fleet.id,
            "Errors": [_error(refusal) for refusal in fleet.refusals],
            "Instances": [_launched(*one) for one in fleet.launched],
        }
        return lambda: answer

    def _fulfil(self, fleet: Fleet, wishes: Sequence[Wish], market: str, units: float) -> None:
        """Launch up to `units` in one market, and note why there are not more."""
        candidates, refusals = self._offers.candidates(wishes, market=market, tags={FLEET_TAG: fleet.id})
        given = self._given(fleet.params, candidates, market, units)
        for place, count in given.items():
            born, _ = self._launcher.launch(candidates[place].order, count)
            wish = wishes[candidates[place].source]
            fleet.launched.append((wish, market, born))
        if sum(candidates[place].weight * count for place, count in given.items()) < units:
            refusals += self._offers.shortages(candidates, given, wishes, market=market)
        fleet.refusals += refusals

    def _given(self, params: Params, candidates: Sequence[Candidate], market: str, units: float) -> Mapping[int, int]:
        options = params.get("SpotOptions" if market == SPOT else "OnDemandOptions") or {}
        parts = alike(
            candidates,
            one_type=bool(options.get("SingleInstanceType")),
            one_zone=bool(options.get("SingleAvailabilityZone")),
        )
        found = [self._within(candidates, part, options, market, units) for part in parts]
        best = max(found, key=lambda given: _merit(given, candidates, units), default=Counter[int]())
        enough = sum(candidates[place].weight * count for place, count in best.items())
        return best if enough >= float(options.get("MinTargetCapacity") or 0) else {}

    def _within(
        self, candidates: Sequence[Candidate], part: Sequence[int], options: Params, market: str, units: float
    ) -> Counter[int]:
        """What the strategy gives from some of the candidates, by their places among all."""
        given = allocate(
            [candidates[place] for place in part],
            units=units,
            strategy=_strategy(options, market),
            quota_vcpus=self._offers.quota_vcpus(market),
            budget_usd_per_hour=float(options.get("MaxTotalPrice") or "inf"),
        )
        return Counter({part[place]: count for place, count in given.items()})

    # -- afterwards --------------------------------------------------------------------------------------------------

    def describe(self, params: Params) -> Answer:
        """DescribeFleets. An instant fleet shows only when it is asked for by its id, as on AWS."""
        asked = params.get("FleetIds") or ()
        for fleet_id in asked:
            if fleet_id not in self.by_id:
                raise ApiError("InvalidFleetId.NotFound", f"The fleet ID '{fleet_id}' does not exist")
        wanted = sieve(params.get("Filters"), _FILTERS.get, lambda fleet: fleet.tags)
        found = [self.by_id[fleet_id] for fleet_id in sorted(set(asked)) if wanted(self.by_id[fleet_id])]
        shown, token = page(found, params, key=lambda fleet: fleet.id, size=FLEETS_PAGE)
        return paged("Fleets", [_entry(fleet) for fleet in shown], token)

    def describe_instances(self, params: Params) -> Answer:
        """DescribeFleetInstances: those that still run. AWS refuses it for an instant fleet."""
        raise ApiError(
            "UnsupportedOperation", f"The fleet {params['FleetId']} is of type instant; use DescribeFleets instead."
        )

    def delete(self, params: Params) -> Answer:
        """DeleteFleets; an instant fleet goes only with its instances."""
        done: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        for fleet_id in params["FleetIds"]:
            problem = self._undeletable(fleet_id, terminate=bool(params.get("TerminateInstances")))
            if problem is not None:
                failed.append({"FleetId": fleet_id, "Error": problem})
                continue
            done.append(self._delete(self.by_id[fleet_id]))
        return {"SuccessfulFleetDeletions": done, "UnsuccessfulFleetDeletions": failed}

    def _undeletable(self, fleet_id: str, *, terminate: bool) -> dict[str, str] | None:
        if fleet_id not in self.by_id:
            return {"Code": "fleetIdDoesNotExist", "Message": f"The fleet ID '{fleet_id}' does not exist"}
        if self.by_id[fleet_id].deleted:
            return {"Code": "fleetNotInDeletableState", "Message": "The fleet is already deleted."}
        if not terminate:
            words = "NoTerminateInstances option is not supported for instant fleet"
            return {"Code": "unexpectedError", "Message": words}
        return None

    def _delete(self, fleet: Fleet) -> dict[str, Any]:
        fleet.deleted = True
        for instance in fleet.instances():
            self._instances.terminate(instance, "Client.UserInitiatedShutdown", "User initiated shutdown")
        return {
            "CurrentFleetState": "deleted_terminating",
            "FleetId": fleet.id,
            "PreviousFleetState": "active",
        }


def _check(params: Params) -> None:
    if params.get("Type", "maintain") != "instant":
        raise ApiError(
            "UnsupportedOperation", "The embedded cloud fulfils fleets of type instant only; set Type to instant."
        )
    if not params.get("LaunchTemplateConfigs"):
        raise ApiError("MissingParameter", "The request must contain the parameter LaunchTemplateConfigs")
    specification = params["TargetCapacitySpecification"]
    total = specification["TotalTargetCapacity"]
    split = (specification.get("OnDemandTargetCapacity") or 0) + (specification.get("SpotTargetCapacity") or 0)
    if not 0 < total <= TARGET_MAX or split > total:
        raise ApiError(
            "InvalidTargetCapacitySpecification", f"The total target capacity {total} is not valid for its parts."
        )
    for options, known in (("SpotOptions", SPOT_STRATEGIES), ("OnDemandOptions", ON_DEMAND_STRATEGIES)):
        _check_options(params.get(options) or {}, known)


def _check_options(options: Params, known: Mapping[str, Strategy]) -> None:
    strategy = options.get("AllocationStrategy", "lowest-price")
    if _dashed(strategy) not in known:
        raise ApiError("InvalidParameterValue", f"The allocation strategy '{strategy}' is not valid.")
    single = options.get("SingleInstanceType") or options.get("SingleAvailabilityZone")
    if options.get("MinTargetCapacity") and not single:
        raise ApiError(
            "InvalidParameterCombination",
            "MinTargetCapacity requires SingleInstanceType or SingleAvailabilityZone.",
        )


def _dashed(strategy: str) -> str:
    """AWS still takes the camel-cased spelling of older clients."""
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in strategy)


def _strategy(options: Params, market: str) -> Strategy:
    name = _dashed(options.get("AllocationStrategy", "lowest-price"))
    if market != SPOT:
        return ON_DEMAND_STRATEGIES[name]
    pools = int(options.get("InstancePoolsToUseCount") or 1)
    return lowest_price_over(pools) if name == "lowest-price" else SPOT_STRATEGIES[name]


def _targets(specification: Params) -> list[tuple[str, float]]:
    """(market, units): on-demand first, as AWS launches them; what is left over goes to the default market."""
    asked = {
        ON_DEMAND: float(specification.get("OnDemandTargetCapacity") or 0),
        SPOT: float(specification.get("SpotTargetCapacity") or 0),
    }
    default = specification.get("DefaultTargetCapacityType") or ON_DEMAND
    asked[default] += float(specification["TotalTargetCapacity"]) - sum(asked.values())
    return [(market, units) for market, units in asked.items() if units > 0]


def _merit(given: Mapping[int, int], candidates: Sequence[Candidate], units: float) -> tuple[float, float]:
    """More of the target first, then the cheaper."""
    got = sum(candidates[place].weight * count for place, count in given.items())
    cost = sum(candidates[place].price_usd_per_hour * count for place, count in given.items())
    return (min(got, units), -cost)


def _launched(wish: Wish, lifecycle: str, born: Sequence[Instance]) -> dict[str, Any]:
    return {
        "LaunchTemplateAndOverrides": wish.shown(),
        "Lifecycle": lifecycle,
        "InstanceIds": [instance.id for instance in born],
        "InstanceType": born[0].order.instance_type,
    }


def _error(refusal: Refusal) -> dict[str, Any]:
    return {
        "LaunchTemplateAndOverrides": refusal.wish.shown(),
        "Lifecycle": refusal.market,
        "ErrorCode": refusal.code,
        "ErrorMessage": refusal.message,
    }


def _state(fleet: Fleet) -> str:
    if not fleet.deleted:
        return "active"
    return "deleted_terminating" if any(one.state in ALIVE for one in fleet.instances()) else "deleted"


def _entry(fleet: Fleet) -> dict[str, Any]:
    units = dict.fromkeys((ON_DEMAND, SPOT), 0.0)
    for wish, market, born in fleet.launched:
        units[market] += wish.weight * sum(one.state in ALIVE for one in born)
    params = fleet.params
    return {
        "ActivityStatus": "fulfilled",
        "CreateTime": when(fleet.create_time),
        "FleetId": fleet.id,
        "FleetState": _state(fleet),
        "FulfilledCapacity": sum(units.values()),
        "FulfilledOnDemandCapacity": units[ON_DEMAND],
        "LaunchTemplateConfigs": list(params["LaunchTemplateConfigs"]),
        "TargetCapacitySpecification": params["TargetCapacitySpecification"],
        "Type": "instant",
        "Tags": tag_list(fleet.tags),
        "Errors": [_error(refusal) for refusal in fleet.refusals],
        "Instances": [_launched(*one) for one in fleet.launched],
        **{name: params[name] for name in ("ClientToken", "SpotOptions", "OnDemandOptions") if params.get(name)},
    }


_FILTERS: Mapping[str, Values[Fleet]] = {
    "fleet-state": _state,
    "type": lambda fleet: str(fleet.params["Type"]),
    "activity-status": lambda _: "fulfilled",
}
