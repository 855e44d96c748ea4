"""What DescribeInstances says of one instance.

Rendered once per change of the instance and kept: ten thousand descriptions cost nothing until something happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from spotward.sim.answers import Rendered, tag_list
from spotward.sim.instances import SPOT, STATE_CODES, Instance
from spotward.sim.region import Region, when

_USAGE_OPERATIONS = {
    "Linux/UNIX": "RunInstances",
    "Windows": "RunInstances:0002",
    "Red Hat Enterprise Linux": "RunInstances:0010",
    "SUSE Linux": "RunInstances:000g",
}

_METADATA_DEFAULTS = {
    "State": "applied",
    "HttpTokens": "optional",
    "HttpPutResponseHopLimit": 1,
    "HttpEndpoint": "enabled",
    "HttpProtocolIpv6": "disabled",
    "InstanceMetadataTags": "disabled",
}


def describe(instance: Instance, region: Region) -> Rendered:
    """The instance's entry; the same object until the instance changes."""
    if instance.rendered is None:
        entry = _standing(instance, region)
        if instance.state != "terminated":
            entry |= _attached(instance, region)
        if instance.reason is not None:
            entry |= _reason(instance)
        instance.rendered = Rendered(entry)
    return instance.rendered


def _standing(instance: Instance, region: Region) -> dict[str, Any]:
    """What is said of every instance, dead or alive."""
    order, parameters, image = instance.order, instance.order.parameters, instance.order.image
    placement = parameters.get("Placement") or {}
    entry: dict[str, Any] = {
        "AmiLaunchIndex": 0,
        "Architecture": order.architecture,
        "BlockDeviceMappings": [],
        "CapacityReservationSpecification": {"CapacityReservationPreference": "open"},
        "ClientToken": "",
        "CpuOptions": _cpu_options(parameters),
        "CurrentInstanceBootMode": "legacy-bios",
        "EbsOptimized": bool(parameters.get("EbsOptimized")),
        "EnaSupport": True,
        "EnclaveOptions": {"Enabled": bool((parameters.get("EnclaveOptions") or {}).get("Enabled"))},
        "HibernationOptions": {"Configured": bool((parameters.get("HibernationOptions") or {}).get("Configured"))},
        "Hypervisor": "xen",
        "ImageId": image["ImageId"],
        "InstanceId": instance.id,
        "InstanceType": order.instance_type,
        "LaunchTime": when(instance.launch_time),
        "MaintenanceOptions": {"AutoRecovery": "default"},
        "MetadataOptions": {**_METADATA_DEFAULTS, **(parameters.get("MetadataOptions") or {})},
        "Monitoring": {"State": "enabled" if (parameters.get("Monitoring") or {}).get("Enabled") else "disabled"},
        "NetworkInterfaces": [],
        "Placement": {
            "AvailabilityZone": order.zone,
            "GroupName": placement.get("GroupName", ""),
            "Tenancy": placement.get("Tenancy", "default"),
        },
        "PlatformDetails": image.get("PlatformDetails") or order.product,
        "PrivateDnsName": "",
        "ProductCodes": [],
        "PublicDnsName": "",
        "RootDeviceName": image.get("RootDeviceName", "/dev/xvda"),
        "RootDeviceType": image.get("RootDeviceType", "ebs"),
        "SecurityGroups": [],
        "State": {"Code": STATE_CODES[instance.state], "Name": instance.state},
        "StateTransitionReason": "",
        "Tags": tag_list(instance.tags),
        "UsageOperation": image.get("UsageOperation") or _USAGE_OPERATIONS[order.product],
        "UsageOperationUpdateTime": when(instance.launch_time),
        "VirtualizationType": image.get("VirtualizationType", "hvm"),
    }
    if order.product == "Windows":
        entry["Platform"] = "windows"
    if parameters.get("KeyName"):
        entry["KeyName"] = parameters["KeyName"]
    if order.market == SPOT:
        entry |= {"InstanceLifecycle": "spot", "SpotInstanceRequestId": instance.spot_request_id}
    if parameters.get("IamInstanceProfile"):
        entry["IamInstanceProfile"] = profile(parameters["IamInstanceProfile"], region)
    return entry


def _attached(instance: Instance, region: Region) -> dict[str, Any]:
    """What a terminated instance has lost: its network and its volumes."""
    order = instance.order
    groups = [{"GroupId": one, "GroupName": name} for one, name in order.security_groups.items()]
    name = private_name(instance)
    return {
        "BlockDeviceMappings": block_devices(instance),
        "NetworkInterfaces": [_interface(instance, region, groups, name)],
        "PrivateDnsName": name,
        "PrivateIpAddress": instance.address,
        "SecurityGroups": groups,
        "SourceDestCheck": True,
        "SubnetId": order.subnet["SubnetId"],
        "VpcId": order.subnet.get("VpcId", ""),
    }


def private_name(instance: Instance) -> str:
    """The host name within the VPC; AWS's oldest region has a domain of its own."""
    region = instance.order.zone[:-1]
    domain = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
    return f"ip-{instance.address.replace('.', '-')}.{domain}"


def block_devices(instance: Instance) -> list[dict[str, Any]]:
    """The instance's volumes as DescribeInstances lists them."""
    return [
        {
            "DeviceName": device,
            "Ebs": {
                "AttachTime": when(attachment.time),
                "DeleteOnTermination": attachment.deleted_with_instance,
                "Status": attachment.state,
                "VolumeId": attachment.volume_id,
            },
        }
        for device, attachment in instance.volumes.items()
    ]


def _interface(instance: Instance, region: Region, groups: list[dict[str, str]], name: str) -> dict[str, Any]:
    order = instance.order
    return {
        "Attachment": {
            "AttachTime": when(instance.launch_time),
            "AttachmentId": f"eni-attach-{instance.interface_id.removeprefix('eni-')}",
            "DeleteOnTermination": True,
            "DeviceIndex": 0,
            "NetworkCardIndex": 0,
            "Status": "attached",
        },
        "Description": "",
        "Groups": groups,
        "InterfaceType": "interface",
        "Ipv6Addresses": [],
        "MacAddress": "02:" + ":".join(f"{instance.number:010x}"[place : place + 2] for place in range(0, 10, 2)),
        "NetworkInterfaceId": instance.interface_id,
        "OwnerId": region.account,
        "PrivateDnsName": name,
        "PrivateIpAddress": instance.address,
        "PrivateIpAddresses": [{"Primary": True, "PrivateDnsName": name, "PrivateIpAddress": instance.address}],
        "SourceDestCheck": True,
        "Status": "in-use",
        "SubnetId": order.subnet["SubnetId"],
        "VpcId": order.subnet.get("VpcId", ""),
    }


def _reason(instance: Instance) -> dict[str, Any]:
    code, words = instance.reason or ("", "")
    time = datetime.fromtimestamp(int(instance.reason_time), UTC).strftime("%Y-%m-%d %H:%M:%S GMT")
    initiator = "User" if code.startswith("Client.") else "Service"
    return {"StateReason": {"Code": code, "Message": words}, "StateTransitionReason": f"{initiator} initiated ({time})"}


def profile(asked: Mapping[str, Any], region: Region) -> dict[str, str]:
    """The instance profile that `Arn` or `Name` names, with an id of its own."""
    arn = asked.get("Arn") or f"arn:{region.partition}:iam::{region.account}:instance-profile/{asked['Name']}"
    digits = blake2b(arn.encode(), digest_size=8).hexdigest().upper()
    return {"Arn": arn, "Id": f"AIPA{digits}"}


def _cpu_options(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {"CoreCount": 1, "ThreadsPerCore": 2, **(parameters.get("CpuOptions") or {})}
