"""Launch configurations: the older way to say what a group launches. They are never changed, only replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spotward.sim.answers import Answer, Operation, Params, page, paged
from spotward.sim.errors import ApiError
from spotward.sim.region import Region, when

CONFIGURATIONS_PAGE = 100

Configuration = Mapping[str, Any]
"""One launch configuration as DescribeLaunchConfigurations lists it."""


class Configurations:
    """Every launch configuration of the region."""

    def __init__(self, region: Region) -> None:
        """Empty at first."""
        self._region = region
        self._by_name: dict[str, Configuration] = {}
        self.in_use: set[str] = set()
        """The names that groups refer to; kept by the groups' calls."""

    def operations(self) -> dict[str, Operation]:
        """What this part answers."""
        return {
            "autoscaling.CreateLaunchConfiguration": self.create,
            "autoscaling.DescribeLaunchConfigurations": self.describe,
            "autoscaling.DeleteLaunchConfiguration": self.delete,
        }

    def find(self, name: str) -> Configuration:
        """The configuration of that name. Raises ApiError when there is none."""
        if name not in self._by_name:
            raise ApiError(
                "ValidationError", f"Launch configuration name not found - Launch configuration {name} not found"
            )
        return self._by_name[name]

    def create(self, params: Params) -> Answer:
        """CreateLaunchConfiguration."""
        name = params["LaunchConfigurationName"]
        if name in self._by_name:
            raise ApiError(
                "AlreadyExists",
                f"Launch Configuration by this name already exists - A launch configuration already exists with the "
                f"name {name}",
            )
        missing = [one for one in ("ImageId", "InstanceType") if not params.get(one)]
        if missing:
            raise ApiError("ValidationError", f"Valid requests must contain the {missing[0]} parameter.")
        arn = self._region.arn(
            "autoscaling",
            f"launchConfiguration:{self._region.new_uuid('launch-configuration')}:launchConfigurationName/{name}",
        )
        self._by_name[name] = {
            "SecurityGroups": [],
            "ClassicLinkVPCSecurityGroups": [],
            "KeyName": "",
            "UserData": "",
            "KernelId": "",
            "RamdiskId": "",
            "BlockDeviceMappings": [],
            "InstanceMonitoring": {"Enabled": True},
            "EbsOptimized": False,
            **params,
            "LaunchConfigurationARN": arn,
            "CreatedTime": when(self._region.now),
        }
        return {}

    def describe(self, params: Params) -> Answer:
        """DescribeLaunchConfigurations; a name that does not exist is no error."""
        names = params.get("LaunchConfigurationNames")
        chosen = sorted(name for name in (names or self._by_name) if name in self._by_name)
        shown, token = page(chosen, params, key=lambda name: name, size=CONFIGURATIONS_PAGE, size_name="MaxRecords")
        return paged("LaunchConfigurations", [self._by_name[name] for name in shown], token)

    def delete(self, params: Params) -> Answer:
        """DeleteLaunchConfiguration, unless a group refers to it."""
        name = params["LaunchConfigurationName"]
        self.find(name)
        if name in self.in_use:
            raise ApiError(
                "ResourceInUse",
                f"Cannot delete launch configuration {name} because it is attached to an AutoScalingGroup",
            )
        del self._by_name[name]
        return {}


def parameters(configuration: Configuration) -> dict[str, Any]:
    """The configuration as launch parameters, in the shape of a launch template's data."""
    found = {
        name: configuration[name]
        for name in (
            "ImageId",
            "InstanceType",
            "KeyName",
            "UserData",
            "BlockDeviceMappings",
            "EbsOptimized",
            "MetadataOptions",
        )
        if configuration.get(name)
    }
    found["SecurityGroupIds"] = list(configuration.get("SecurityGroups") or ())
    found["Monitoring"] = {"Enabled": bool((configuration.get("InstanceMonitoring") or {}).get("Enabled"))}
    if configuration.get("IamInstanceProfile"):
        name = str(configuration["IamInstanceProfile"])
        found["IamInstanceProfile"] = {"Arn" if name.startswith("arn:") else "Name": name}
    if configuration.get("PlacementTenancy"):
        found["Placement"] = {"Tenancy": configuration["PlacementTenancy"]}
    if configuration.get("SpotPrice"):
        found["InstanceMarketOptions"] = {
            "MarketType": "spot",
            "SpotOptions": {"MaxPrice": configuration["SpotPrice"]},
        }
    return found
