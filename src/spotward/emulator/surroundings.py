"""What the virtual region asks of moto: networks, images and target groups of the same account and region.

Read from moto's own objects rather than through its API, which would cost five milliseconds a question.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.backends import get_backend
from moto.ec2.models import EC2Backend
from moto.ec2.models.amis import Ami
from moto.ec2.models.subnets import Subnet

from spotward.emulator import world

_SSM = "resolve:ssm:"
"""How a launch template names an image by a parameter of Systems Manager."""


class MotoSurroundings:
    """One region of one account in moto. Implements `spotward.sim.surroundings.Surroundings`."""

    def __init__(self, *, account: str, region: str) -> None:
        """Nothing is asked yet."""
        self._account = account
        self._region = region

    @property
    def _ec2(self) -> EC2Backend:
        return get_backend("ec2")[self._account][self._region]

    def subnet(self, subnet_id: str) -> Mapping[str, Any] | None:
        """See `Surroundings`."""
        found = [subnets[subnet_id] for subnets in list(self._ec2.subnets.values()) if subnet_id in subnets]
        return self._subnet(found[0]) if found else None

    def default_subnet(self, az: str) -> Mapping[str, Any] | None:
        """See `Surroundings`."""
        found = [subnet for subnet in self._ec2.subnets.get(az, {}).values() if subnet.default_for_az in {True, "true"}]
        return self._subnet(found[0]) if found else None

    def image(self, image_id: str) -> Mapping[str, Any] | None:
        """See `Surroundings`. An image may also be named by a Systems Manager parameter (`resolve:ssm:...`)."""
        if image_id.startswith(_SSM):
            parameter = get_backend("ssm")[self._account][self._region].get_parameter(image_id.removeprefix(_SSM))
            image_id = str(parameter.value) if parameter is not None else image_id
        found = self._ec2.amis.get(image_id)
        return _image(found) if found is not None else None

    def security_group(self, group_id: str) -> Mapping[str, Any] | None:
        """See `Surroundings`."""
        found = next((groups[group_id] for groups in list(self._ec2.groups.values()) if group_id in groups), None)
        return {"GroupId": found.id, "GroupName": found.name} if found is not None else None

    def target_group(self, arn: str) -> Mapping[str, Any] | None:
        """See `Surroundings`."""
        group = get_backend("elbv2")[self._account][self._region].target_groups.get(arn)
        if group is None:
            return None
        return {
            "TargetGroupArn": group.arn,
            "TargetGroupName": group.name,
            "Protocol": group.protocol,
            "Port": int(group.port) if group.port else None,
            "VpcId": group.vpc_id,
            "TargetType": group.target_type,
            "LoadBalancerArns": list(group.load_balancer_arns),
            "HealthCheckEnabled": group.health_check_enabled,
            "HealthCheckIntervalSeconds": int(group.health_check_interval_seconds),
            "HealthCheckTimeoutSeconds": int(group.health_check_timeout_seconds),
            "HealthyThresholdCount": int(group.healthy_threshold_count),
            "UnhealthyThresholdCount": int(group.unhealthy_threshold_count),
            "DeregistrationDelaySeconds": int(str(group.attributes.get("deregistration_delay.timeout_seconds", 300))),
        }

    def notification_target_exists(self, arn: str) -> bool:
        """See `Surroundings`."""
        *_, service, region, account, name = arn.split(":")
        if (region, account) != (self._region, self._account):
            return False
        backend = get_backend("sqs")[account][region] if service == "sqs" else None
        return name in backend.queues if backend else arn in get_backend("sns")[account][region].topics

    def _subnet(self, subnet: Subnet) -> dict[str, Any]:
        partition = world.partition(self._region)
        return {
            "SubnetId": subnet.id,
            "VpcId": subnet.vpc_id,
            "AvailabilityZone": subnet.availability_zone,
            "AvailabilityZoneId": subnet.availability_zone_id,
            "CidrBlock": subnet.cidr_block,
            "DefaultForAz": subnet.default_for_az in {True, "true"},
            "MapPublicIpOnLaunch": subnet.map_public_ip_on_launch in {True, "true"},
            "OwnerId": self._account,
            "State": subnet.state,
            "SubnetArn": f"arn:{partition}:ec2:{self._region}:{self._account}:subnet/{subnet.id}",
        }


def _image(image: Ami) -> dict[str, Any]:
    windows = "windows" in str(image.platform or "").lower()
    return {
        "ImageId": image.id,
        "Name": image.name,
        "State": image.state,
        "OwnerId": image.owner_id,
        "Architecture": image.architecture or "x86_64",
        "VirtualizationType": image.virtualization_type or "hvm",
        "RootDeviceName": image.root_device_name,
        "RootDeviceType": image.root_device_type if image.root_device_type != "standard" else "ebs",
        "BlockDeviceMappings": image.block_device_mappings,
        "EnaSupport": True,
        "Hypervisor": image.hypervisor or "xen",
        "PlatformDetails": "Windows" if windows else "Linux/UNIX",
        "UsageOperation": "RunInstances:0002" if windows else "RunInstances",
        **({"Platform": "windows"} if windows else {}),
    }
