"""What a group launches next, in a given zone: from its launch configuration, its template, or its mixed policy.

A mixed-instances policy first decides the market (the on-demand base, then the percentage above it, rounded up in
favour of on-demand) and then the pool by its allocation strategy. It never turns from Spot to on-demand for lack of
capacity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from spotward.sim.allocation import ON_DEMAND_STRATEGIES, SPOT_STRATEGIES, Candidate, allocate, lowest_price_over
from spotward.sim.answers import Params
from spotward.sim.capacity import Capacity
from spotward.sim.configurations import Configurations, parameters
from spotward.sim.errors import ApiError
from spotward.sim.groups import Group
from spotward.sim.instances import GROUP_TAG, ON_DEMAND, SPOT, Order
from spotward.sim.offers import Offers, Refusal
from spotward.sim.ordering import Ordering, merge
from spotward.sim.surroundings import Remembered

DISTRIBUTION_DEFAULTS: Mapping[str, Any] = {
    "OnDemandAllocationStrategy": "prioritized",
    "OnDemandBaseCapacity": 0,
    "OnDemandPercentageAboveBaseCapacity": 100,
    "SpotAllocationStrategy": "lowest-price",
    "SpotInstancePools": 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """One instance for a group."""

    order: Order
    source: Mapping[str, Any]
    """What the member's description says it came from."""
    weight: float = 1.0


class Purchasing:
    """Makes orders for groups."""

    def __init__(
        self,
        *,
        ordering: Ordering,
        offers: Offers,
        capacity: Capacity,
        configurations: Configurations,
        surroundings: Remembered,
    ) -> None:
        """Reads only."""
        self._ordering = ordering
        self._offers = offers
        self._capacity = capacity
        self._configurations = configurations
        self._around = surroundings

    def next_for(self, group: Group, zone: str) -> Purchase:
        """The next instance of the group in that zone. Raises ApiError when it cannot be launched."""
        if group.settings.get("MixedInstancesPolicy"):
            return self._mixed(group, zone)
        source, wanted = self._single(group)
        order = self._ordering.order(merge(wanted, self._place(group, zone)), tags=instance_tags(group))
        allowed, refusal = self._capacity.allowed(order, 1)
        if not allowed and refusal is not None:
            raise _worded(refusal, order.market)
        return Purchase(order=order, source=source)

    def current_source(self, group: Group) -> Mapping[str, Any]:
        """What a member launched now would say it came from. Raises ApiError when that is gone."""
        policy = group.settings.get("MixedInstancesPolicy")
        if policy:
            return self._template_source(policy["LaunchTemplate"]["LaunchTemplateSpecification"])
        return self._single(group)[0]

    def _single(self, group: Group) -> tuple[Mapping[str, Any], dict[str, Any]]:
        name = group.settings.get("LaunchConfigurationName")
        if name:
            return {"LaunchConfigurationName": name}, parameters(self._configurations.find(name))
        if group.settings.get("LaunchTemplate"):
            reference = group.settings["LaunchTemplate"]
            wanted = self._ordering.from_template(_by_id(reference))[2]
            return self._template_source(reference), wanted
        raise ApiError("ValidationError", "The group has neither a launch configuration nor a launch template.")

    def _template_source(self, reference: Params) -> Mapping[str, Any]:
        template, version, _ = self._ordering.from_template(_by_id(reference))
        return {
            "LaunchTemplate": {
                "LaunchTemplateId": template.id,
                "LaunchTemplateName": template.name,
                "Version": str(version.number),
            }
        }

    def _place(self, group: Group, zone: str) -> dict[str, Any]:
        """The launch parameters that put an instance into the zone: into the emptiest of the group's subnets there."""
        here = [
            subnet_id
            for subnet_id in group.subnets()
            if (self._around.subnet(subnet_id) or {}).get("AvailabilityZone") == zone
        ]
        if not here:
            return {"Placement": {"AvailabilityZone": zone}}
        if len(here) == 1:
            return {"SubnetId": here[0]}
        used = Counter(member.instance.order.subnet["SubnetId"] for member in group.counted())
        return {"SubnetId": min(here, key=lambda subnet_id: (used[subnet_id], here.index(subnet_id)))}

    # -- mixed-instances policies ------------------------------------------------------------------------------------

    def _mixed(self, group: Group, zone: str) -> Purchase:
        policy = group.settings["MixedInstancesPolicy"]
        distribution = {**DISTRIBUTION_DEFAULTS, **(policy.get("InstancesDistribution") or {})}
        market = self._next_market(group, distribution)
        wishes = self._offers.wishes(_configs(policy["LaunchTemplate"], distribution, market))
        candidates, refusals = self._offers.candidates(
            wishes, market=market, tags=instance_tags(group), place=self._place(group, zone)
        )
        given = self._allocated(candidates, distribution, market)
        if not given:
            refusals += self._offers.shortages(candidates, {}, wishes, market=market)
            raise _worded(_worst(refusals), market)
        chosen = candidates[next(iter(given))]
        source = self._template_source(wishes[chosen.source].template)
        return Purchase(order=chosen.order, source=source, weight=chosen.weight)

    def _allocated(self, candidates: list[Candidate], distribution: Params, market: str) -> Mapping[int, int]:
        if market == SPOT:
            name = distribution["SpotAllocationStrategy"]
            pools = int(distribution.get("SpotInstancePools") or 2)
            strategy = lowest_price_over(pools) if name == "lowest-price" else SPOT_STRATEGIES[name]
        else:
            strategy = ON_DEMAND_STRATEGIES[distribution["OnDemandAllocationStrategy"]]
        smallest = min((one.weight for one in candidates), default=1.0)
        return allocate(candidates, units=smallest, strategy=strategy, quota_vcpus=self._offers.quota_vcpus(market))

    @staticmethod
    def _next_market(group: Group, distribution: Params) -> str:
        counted = group.counted()
        on_demand = sum(member.weight for member in counted if member.instance.lifecycle != SPOT)
        wanted = on_demand_wanted(sum(member.weight for member in counted) + 1, distribution)
        return ON_DEMAND if on_demand < wanted else SPOT


def on_demand_wanted(capacity: float, distribution: Params) -> int:
    """How much of a capacity is to be on-demand."""
    base = min(capacity, int(distribution["OnDemandBaseCapacity"]))
    above = (capacity - base) * int(distribution["OnDemandPercentageAboveBaseCapacity"]) / 100
    return int(base + ceil(above))


def spot_wanted(group: Group) -> int | None:
    """How much of the group's capacity its mixed-instances policy wants as Spot; None: it has no such policy."""
    policy = group.settings.get("MixedInstancesPolicy")
    if not policy:
        return None
    distribution = {**DISTRIBUTION_DEFAULTS, **(policy.get("InstancesDistribution") or {})}
    return group.desired - on_demand_wanted(group.desired, distribution)


def instance_tags(group: Group) -> dict[str, str]:
    """The tags that the group gives to its members."""
    return {GROUP_TAG: group.name, **{key: value for key, (value, given) in group.tags.items() if given}}


def _configs(asked: Params, distribution: Params, market: str) -> list[dict[str, Any]]:
    """The policy as a fleet's LaunchTemplateConfigs: its overrides in the order of their priority."""
    default = asked["LaunchTemplateSpecification"]
    limit = distribution.get("SpotMaxPrice") if market == SPOT else None
    configs = []
    for place, override in enumerate(asked.get("Overrides") or ({},)):
        kept = {key: value for key, value in override.items() if key != "LaunchTemplateSpecification"}
        priced = {"MaxPrice": limit} if limit else {}
        reference = _by_id(override.get("LaunchTemplateSpecification") or default)
        configs.append(
            {"LaunchTemplateSpecification": reference, "Overrides": [{**kept, **priced, "Priority": float(place)}]}
        )
    return configs


def _by_id(reference: Params) -> dict[str, Any]:
    """A group shows both the id and the name of its template; a reference may have only one."""
    if reference.get("LaunchTemplateId"):
        return {key: value for key, value in reference.items() if key != "LaunchTemplateName"}
    return dict(reference)


def _worst(refusals: list[Refusal]) -> ApiError:
    if not refusals:
        return ApiError("ValidationError", "The mixed instances policy allows no instance type here.")
    return ApiError(refusals[0].code, refusals[0].message)


def _worded(refusal: ApiError, market: str) -> ApiError:
    if market != SPOT:
        return refusal
    return ApiError(refusal.code, f"Could not launch Spot Instances. {refusal.code} - {refusal.message}")
