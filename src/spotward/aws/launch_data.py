"""A launch configuration said again as a launch template, with nothing lost.

Auto Scaling launches from a launch configuration, CreateFleet only from a launch template. The two say the same things
in slightly different words; the table of every field is `COPIED` and `DROPPED`, and a test holds it against the API's
own model, so that a field that AWS adds is noticed.
"""

from collections.abc import Mapping
from typing import Any

from spotward.model.errors import Permanent

COPIED = frozenset(
    {
        "AssociatePublicIpAddress",
        "BlockDeviceMappings",
        "EbsOptimized",
        "IamInstanceProfile",
        "ImageId",
        "InstanceMonitoring",
        "InstanceType",
        "KernelId",
        "KeyName",
        "MetadataOptions",
        "PlacementTenancy",
        "RamdiskId",
        "SecurityGroups",
        "UserData",
    }
)

DROPPED = {
    "ClassicLinkVPCId": "AWS ended EC2-Classic in 2022",
    "ClassicLinkVPCSecurityGroups": "AWS ended EC2-Classic in 2022",
    "CreatedTime": "tells of the configuration, not of the instances",
    "LaunchConfigurationARN": "tells of the configuration, not of the instances",
    "LaunchConfigurationName": "tells of the configuration, not of the instances",
    "SpotPrice": "the fleet's request says what may be paid",
}
"""Field → why a template has no use for it."""

Configuration = Mapping[str, Any]
TemplateData = dict[str, Any]


def template_data(configuration: Configuration) -> TemplateData:
    """The `LaunchTemplateData` that launches what the configuration launches.

    configuration: as DescribeLaunchConfigurations tells it; its user data is base64 there as here, and stays as it is.
    Raises Permanent for what a template cannot say, and KeyError, TypeError or AttributeError for another shape.
    """
    data: TemplateData = {"ImageId": configuration["ImageId"], "InstanceType": configuration["InstanceType"]}
    for theirs, ours in (("KeyName", "KeyName"), ("KernelId", "KernelId"), ("RamdiskId", "RamDiskId")):
        if configuration.get(theirs):
            data[ours] = configuration[theirs]
    if configuration.get("UserData"):
        data["UserData"] = configuration["UserData"]
    if configuration.get("EbsOptimized") is not None:
        data["EbsOptimized"] = configuration["EbsOptimized"]
    if configuration.get("PlacementTenancy"):
        data["Placement"] = {"Tenancy": configuration["PlacementTenancy"]}
    if configuration.get("MetadataOptions"):
        data["MetadataOptions"] = dict(configuration["MetadataOptions"])
    if configuration.get("IamInstanceProfile"):
        data["IamInstanceProfile"] = _profile(configuration["IamInstanceProfile"])
    # Auto Scaling's default is detailed monitoring, a template's is basic.
    data["Monitoring"] = {"Enabled": configuration.get("InstanceMonitoring", {}).get("Enabled", True)}
    devices = [_device(mapping) for mapping in configuration.get("BlockDeviceMappings") or ()]
    if devices:
        data["BlockDeviceMappings"] = devices
    return data | _network(configuration)


def _profile(text: str) -> dict[str, str]:
    """A configuration has one field for the name or the ARN, whatever the ARN's partition."""
    return {"Arn": text} if text.startswith("arn:") else {"Name": text}


def _device(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """A device; what its volume does not say (type, size) the image's snapshot says, there as here."""
    device: dict[str, Any] = {"DeviceName": mapping["DeviceName"]}
    if mapping.get("NoDevice"):
        return device | {"NoDevice": ""}  # a flag there, an empty text here
    if mapping.get("VirtualName"):
        device["VirtualName"] = mapping["VirtualName"]
    volume = {name: value for name, value in (mapping.get("Ebs") or {}).items() if value not in (None, "")}
    if volume:
        device["Ebs"] = volume
    return device


def _network(configuration: Configuration) -> TemplateData:
    """Security groups, inside a network interface where the configuration says whether it has a public address."""
    groups = list(configuration.get("SecurityGroups") or ())
    ids = [group for group in groups if group.startswith("sg-")]
    names = [group for group in groups if not group.startswith("sg-")]
    public = configuration.get("AssociatePublicIpAddress")
    if public is None:
        return {field: some for field, some in (("SecurityGroupIds", ids), ("SecurityGroups", names)) if some}
    if names:
        raise Permanent(
            f"launch configuration {configuration.get('LaunchConfigurationName')}: a network interface takes security "
            f"groups by id, not by name ({', '.join(names)}); give the group a launch template, or name them by id",
            code="SecurityGroupsByName",
        )
    interface: dict[str, Any] = {"DeviceIndex": 0, "AssociatePublicIpAddress": public, "DeleteOnTermination": True}
    return {"NetworkInterfaces": [interface | ({"Groups": ids} if ids else {})]}
