"""From launch parameters to an order: everything that EC2 checks before it looks for capacity.

Parameters come in the shape of a launch template's data, whoever gives them (RunInstances, a fleet, a group), with
`SubnetId` beside it for the callers that may name one. Each refusal is worded as EC2 words it, because a group whose
image or security group is gone must fail here as it fails there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spotward.sim.answers import Params, tags_for
from spotward.sim.catalogue import Catalogue
from spotward.sim.errors import ApiError
from spotward.sim.instances import ON_DEMAND, SPOT, Order
from spotward.sim.surroundings import Remembered
from spotward.sim.templates import Template, Templates, Version

_NOT_INHERITED = frozenset({"LaunchTemplate", "ClientToken", "DryRun", "MinCount", "MaxCount"})
_TEMPLATE_ID_TAG, _TEMPLATE_VERSION_TAG = "aws:ec2launchtemplate:id", "aws:ec2launchtemplate:version"


class Ordering:
    """Makes orders for one region."""

    def __init__(self, catalogue: Catalogue, templates: Templates, surroundings: Remembered) -> None:
        """Asks the surroundings for images, subnets and security groups."""
        self._catalogue = catalogue
        self._templates = templates
        self._around = surroundings

    def from_template(
        self, reference: Params, changes: Params | None = None
    ) -> tuple[Template, Version, dict[str, Any]]:
        """A template's data with `changes` on top, and the tags that tell where the instance came from."""
        template, version = self._templates.resolve(reference)
        merged = merge(version.data, changes or {})
        origin = [
            {"Key": _TEMPLATE_ID_TAG, "Value": template.id},
            {"Key": _TEMPLATE_VERSION_TAG, "Value": str(version.number)},
        ]
        specifications = [{"ResourceType": "instance", "Tags": origin}, *(merged.get("TagSpecifications") or ())]
        return template, version, {**merged, "TagSpecifications": specifications}

    def from_request(self, params: Params) -> dict[str, Any]:
        """RunInstances' parameters, with its launch template under them."""
        own = {key: value for key, value in params.items() if key not in _NOT_INHERITED}
        if not params.get("LaunchTemplate"):
            return own
        return self.from_template(params["LaunchTemplate"], own)[2]

    def order(
        self,
        parameters: Mapping[str, Any],
        *,
        market: str | None = None,
        price_max_usd_per_hour: float | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Order:
        """What would be launched. `market`: as asked by a fleet or group; None: as the parameters say.

        Raises ApiError, in EC2's words, for anything that cannot be launched whatever the capacity.
        """
        instance_type = self._instance_type(parameters)
        image = self._image(parameters)
        subnet = self._subnet(parameters, instance_type)
        self._check_architecture(instance_type, image)
        security_groups = self._security_groups(parameters)
        _check_volumes(parameters, image)
        options = parameters.get("InstanceMarketOptions") or {}
        limit = (options.get("SpotOptions") or {}).get("MaxPrice")
        return Order(
            instance_type=instance_type,
            zone=subnet["AvailabilityZone"],
            market=market or (SPOT if options.get("MarketType") == "spot" else ON_DEMAND),
            product=product_of(image),
            parameters=parameters,
            image=image,
            subnet=subnet,
            security_groups=security_groups,
            architecture=image.get("Architecture", self._catalogue.architectures(instance_type)[0]),
            tags={**tags_for("instance", parameters.get("TagSpecifications")), **(tags or {})},
            volume_tags=tags_for("volume", parameters.get("TagSpecifications")),
            price_max_usd_per_hour=float(limit) if limit and price_max_usd_per_hour is None else price_max_usd_per_hour,
        )

    # -- what EC2 checks ---------------------------------------------------------------------------------------------

    def _instance_type(self, parameters: Mapping[str, Any]) -> str:
        name: str = parameters.get("InstanceType") or "m1.small"
        if name not in self._catalogue.types:
            raise ApiError("InvalidParameterValue", f"Invalid value '{name}' for InstanceType.")
        return name

    def _image(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        image_id = parameters.get("ImageId")
        if not image_id:
            raise ApiError("MissingParameter", "The request must contain the parameter ImageId")
        image = self._around.image(image_id)
        if image is None:
            raise ApiError("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
        return image

    def _subnet(self, parameters: Mapping[str, Any], instance_type: str) -> Mapping[str, Any]:
        zone = (parameters.get("Placement") or {}).get("AvailabilityZone")
        subnet_id = parameters.get("SubnetId") or _first_interface(parameters).get("SubnetId")
        subnet = self._around.subnet(subnet_id) if subnet_id else self._default_subnet(zone, instance_type)
        if subnet is None:
            raise ApiError("InvalidSubnetID.NotFound", f"The subnet ID '{subnet_id}' does not exist")
        if zone and subnet["AvailabilityZone"] != zone:
            raise ApiError(
                "InvalidParameterValue",
                f"Invalid availability zone: '{zone}'. The subnet {subnet['SubnetId']} is in "
                f"{subnet['AvailabilityZone']}.",
            )
        self._check_offered(instance_type, subnet["AvailabilityZone"])
        return subnet

    def _default_subnet(self, zone: str | None, instance_type: str) -> Mapping[str, Any]:
        for one in [zone] if zone else self._catalogue.zones_of(instance_type):
            subnet = self._around.default_subnet(one)
            if subnet is not None:
                return subnet
        if zone:
            raise ApiError("InvalidInput", f"No default subnet for availability zone: '{zone}'.")
        raise ApiError("MissingInput", "No subnets found for the default VPC. Please specify a subnet.")

    def _check_offered(self, instance_type: str, zone: str) -> None:
        if not self._catalogue.offered(instance_type, zone):
            others = ", ".join(self._catalogue.zones_of(instance_type))
            raise ApiError(
                "Unsupported",
                f"Your requested instance type ({instance_type}) is not supported in your requested Availability Zone "
                f"({zone}). Please retry your request by not specifying an Availability Zone or choosing {others}.",
            )

    def _check_architecture(self, instance_type: str, image: Mapping[str, Any]) -> None:
        wanted, able = image.get("Architecture"), self._catalogue.architectures(instance_type)
        if wanted is not None and wanted not in able:
            raise ApiError(
                "InvalidParameterValue",
                f"The architecture '{','.join(able)}' of the specified instance type does not match the architecture "
                f"'{wanted}' of the specified AMI. Specify an instance type and an AMI that have matching "
                "architectures, and try again. You can use 'describe-instance-types' or 'describe-images' to discover "
                "the architecture of the instance type or AMI.",
            )

    def _security_groups(self, parameters: Mapping[str, Any]) -> dict[str, str]:
        """Id -> name."""
        names: dict[str, str] = {}
        for group_id in security_group_ids(parameters):
            found = self._around.security_group(group_id)
            if found is None:
                raise ApiError("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
            names[group_id] = found["GroupName"]
        return names


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Launch parameters with others on top: a member replaces its namesake, tags are joined, placement is refined."""
    merged = {**base, **{key: value for key, value in changes.items() if value is not None}}
    tags = [*(base.get("TagSpecifications") or ()), *(changes.get("TagSpecifications") or ())]
    placement = {**(base.get("Placement") or {}), **(changes.get("Placement") or {})}
    if tags:
        merged["TagSpecifications"] = tags
    if placement:
        merged["Placement"] = placement
    return merged


def security_group_ids(parameters: Mapping[str, Any]) -> list[str]:
    """The security groups of the first interface, or of the request."""
    return list(
        _first_interface(parameters).get("Groups")
        or parameters.get("SecurityGroupIds")
        or parameters.get("SecurityGroups")
        or ()
    )


def product_of(image: Mapping[str, Any]) -> str:
    """The product under which an instance of the image is charged, in the price history's words."""
    details: str = image.get("PlatformDetails") or ("Windows" if image.get("Platform") == "windows" else "Linux/UNIX")
    for product in ("Windows", "Red Hat Enterprise Linux", "SUSE Linux"):
        if details.startswith(product):
            return product
    return "Linux/UNIX"


def _first_interface(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    interfaces: list[Mapping[str, Any]] = parameters.get("NetworkInterfaces") or [{}]
    return interfaces[0]


def _check_volumes(parameters: Mapping[str, Any], image: Mapping[str, Any]) -> None:
    """A volume of the image's own device may leave out its size; any other must give one, or a snapshot."""
    from_image = {mapping["DeviceName"] for mapping in image.get("BlockDeviceMappings") or ()}
    for mapping in parameters.get("BlockDeviceMappings") or ():
        volume = mapping.get("Ebs")
        if volume is None or mapping["DeviceName"] in from_image:
            continue
        if not volume.get("VolumeSize") and not volume.get("SnapshotId"):
            raise ApiError("MissingParameter", "The request must contain the parameter size or snapshotId")
