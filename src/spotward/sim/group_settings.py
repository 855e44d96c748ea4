"""What a group's settings must be, and how AWS completes them.

A group launches from exactly one thing, which must exist; it spans the zones of its subnets or those it names. Where a
caller left something out, a description shows AWS's default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spotward.sim.allocation import ON_DEMAND_STRATEGIES, SPOT_STRATEGIES
from spotward.sim.answers import Params
from spotward.sim.catalogue import Catalogue
from spotward.sim.configurations import Configurations
from spotward.sim.errors import ApiError
from spotward.sim.purchasing import DISTRIBUTION_DEFAULTS
from spotward.sim.surroundings import Remembered
from spotward.sim.templates import Templates

SOURCES = ("LaunchConfigurationName", "LaunchTemplate", "MixedInstancesPolicy")
"""What a group may launch from."""


class Settings:
    """Checks and completes the settings of groups."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        templates: Templates,
        configurations: Configurations,
        surroundings: Remembered,
    ) -> None:
        """Reads only."""
        self._catalogue = catalogue
        self._templates = templates
        self._configurations = configurations
        self._around = surroundings

    def check_source(self, settings: Params) -> None:
        """Exactly one thing to launch from, and it exists."""
        given = [one for one in (*SOURCES, "InstanceId") if settings.get(one)]
        if len(given) != 1 or given == ["InstanceId"]:
            raise ApiError(
                "ValidationError",
                "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or "
                "MixedInstancesPolicy parameter.",
            )
        if given == ["LaunchConfigurationName"]:
            self._configurations.find(settings["LaunchConfigurationName"])
            return
        if given == ["LaunchTemplate"]:
            self._check_template(settings["LaunchTemplate"])
            return
        self._check_policy(settings["MixedInstancesPolicy"])

    def _check_template(self, reference: Params) -> Mapping[str, Any]:
        try:
            _, version = self._templates.resolve(_one_name(reference))
        except ApiError as error:
            words = f"You must use a valid fully-formed launch template. {error.message}"
            raise ApiError("ValidationError", words) from error
        return version.data

    def _check_policy(self, policy: Params) -> None:
        launch = policy.get("LaunchTemplate") or {}
        references = [launch.get("LaunchTemplateSpecification") or {}]
        references += [
            one["LaunchTemplateSpecification"]
            for one in launch.get("Overrides") or ()
            if one.get("LaunchTemplateSpecification")
        ]
        for reference in references:
            if self._check_template(reference).get("InstanceMarketOptions"):
                raise ApiError(
                    "ValidationError",
                    "Incompatible launch template: You cannot use a launch template that is set to request Spot "
                    "Instances (InstanceMarketOptions) when you configure an Auto Scaling group with a mixed instances "
                    "policy. Add a different launch template to the group and try again.",
                )
        if any(one.get("InstanceRequirements") for one in launch.get("Overrides") or ()):
            raise ApiError(
                "ValidationError",
                "The embedded cloud knows no InstanceRequirements; name the instance types in Overrides.",
            )
        _check_distribution({**DISTRIBUTION_DEFAULTS, **(policy.get("InstancesDistribution") or {})})

    def completed(self, settings: Params) -> dict[str, Any]:
        """With both names of each template, and a policy's defaults, as AWS shows them."""
        full = dict(settings)
        if full.get("LaunchTemplate"):
            full["LaunchTemplate"] = self._both_names(full["LaunchTemplate"])
        if full.get("MixedInstancesPolicy"):
            full["MixedInstancesPolicy"] = self._completed_policy(full["MixedInstancesPolicy"])
        return full

    def _completed_policy(self, policy: Params) -> dict[str, Any]:
        launch = dict(policy["LaunchTemplate"])
        launch["LaunchTemplateSpecification"] = self._both_names(launch["LaunchTemplateSpecification"])
        launch["Overrides"] = list(launch.get("Overrides") or ())
        distribution = {**DISTRIBUTION_DEFAULTS, **(policy.get("InstancesDistribution") or {})}
        if distribution["SpotAllocationStrategy"] != "lowest-price":
            distribution.pop("SpotInstancePools")
        return {"LaunchTemplate": launch, "InstancesDistribution": distribution}

    def _both_names(self, reference: Params) -> dict[str, Any]:
        template = self._templates.find(_one_name(reference))
        return {
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "Version": reference.get("Version") or "$Default",
        }

    def zones(self, settings: Params) -> list[str]:
        """The zones that the group spans: of its subnets, or as named."""
        subnets = [one.strip() for one in str(settings.get("VPCZoneIdentifier") or "").split(",") if one.strip()]
        if subnets:
            return sorted({self._zone_of(subnet) for subnet in subnets})
        named: Sequence[str] = settings.get("AvailabilityZones") or ()
        if not named:
            raise ApiError("ValidationError", "At least one Availability Zone or VPC Subnet is required.")
        unknown = [zone for zone in named if zone not in self._catalogue.zones]
        if unknown:
            raise ApiError("ValidationError", f"Invalid availability zones: [{', '.join(unknown)}]")
        return sorted(set(named))

    def _zone_of(self, subnet_id: str) -> str:
        subnet = self._around.subnet(subnet_id)
        if subnet is None:
            raise ApiError("ValidationError", f"The subnet ID '{subnet_id}' does not exist")
        zone: str = subnet["AvailabilityZone"]
        return zone


def _one_name(reference: Params) -> dict[str, Any]:
    """A reference by the id alone where both names are given, as groups show it."""
    named = {key: value for key, value in reference.items() if value}
    if "LaunchTemplateId" in named:
        named.pop("LaunchTemplateName", None)
    return named


def _check_distribution(distribution: Params) -> None:
    for setting, known in (
        ("SpotAllocationStrategy", SPOT_STRATEGIES.keys() - {"diversified"}),
        ("OnDemandAllocationStrategy", ON_DEMAND_STRATEGIES.keys()),
    ):
        if distribution[setting] not in known:
            raise ApiError("ValidationError", f"Invalid {setting}: {distribution[setting]}.")
    if not 0 <= int(distribution["OnDemandPercentageAboveBaseCapacity"]) <= 100:
        raise ApiError("ValidationError", "OnDemandPercentageAboveBaseCapacity must be between 0 and 100.")
