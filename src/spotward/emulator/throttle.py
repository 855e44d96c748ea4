"""AWS's patience: token buckets per account, region and kind of call.

EC2's sizes and rates are those of "Request throttling for the Amazon EC2 API" (EC2 Developer Guide, 2025). Auto Scaling
and Elastic Load Balancing publish none; theirs are set like EC2's for the same kind of call. Buckets fill in virtual
time, so a cloud that runs sixty times as fast has sixty times the patience.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spotward.sim.errors import ApiError


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many calls at once, and how many each second for ever."""

    tokens_max: float
    tokens_per_second: float


_READING = Size(tokens_max=100, tokens_per_second=20)
_READING_ALL = Size(tokens_max=50, tokens_per_second=10)
_CHANGING = Size(tokens_max=50, tokens_per_second=5)

_READERS = ("Describe", "List", "Search", "Get")

_HEAVY_WITHOUT_FILTER = frozenset(
    {
        "DescribeInstances", "DescribeInstanceStatus", "DescribeNetworkInterfaces", "DescribeSecurityGroups",
        "DescribeSnapshots", "DescribeSpotInstanceRequests", "DescribeVolumes",
    }
)  # fmt: skip

_HEAVY = frozenset(
    {
        "AcceptVpcPeeringConnection", "AuthorizeSecurityGroupIngress", "CancelSpotInstanceRequests", "CreateKeyPair",
        "CreateVpcPeeringConnection", "DeleteVpcPeeringConnection", "RejectVpcPeeringConnection",
        "RevokeSecurityGroupIngress", "RequestSpotInstances",
    }
)  # fmt: skip

_OF_ITS_OWN = {
    **dict.fromkeys(("RunInstances", "StartInstances"), Size(tokens_max=5, tokens_per_second=2)),
    **dict.fromkeys(("CreateTags", "DeleteTags"), Size(tokens_max=100, tokens_per_second=10)),
    **dict.fromkeys(
        (
            "AssociateIamInstanceProfile", "CreateLaunchTemplateVersion", "CreateNetworkInterface", "CreateSnapshot",
            "CreateVolume", "DeleteNetworkInterface", "DeleteSnapshot", "DeleteVolume", "DeregisterImage",
            "DescribeSpotFleetInstances", "DisassociateIamInstanceProfile", "ModifyInstanceMetadataOptions",
            "ModifyLaunchTemplate", "ModifyNetworkInterfaceAttribute", "TerminateInstances",
        ),
        Size(tokens_max=100, tokens_per_second=5),
    ),
    **dict.fromkeys(
        ("CreateDefaultSubnet", "CreateDefaultVpc", "DescribeInstanceTopology"),
        Size(tokens_max=1, tokens_per_second=1),
    ),
    "DescribeSpotFleetRequests": Size(tokens_max=50, tokens_per_second=3),
    "DescribeReservedInstancesOfferings": Size(tokens_max=10, tokens_per_second=10),
}  # fmt: skip
"""EC2's "uncategorized" actions, as far as they are likely to be met here."""

_PER_INSTANCE = {
    "RunInstances": Size(tokens_max=1000, tokens_per_second=2),
    "StartInstances": Size(tokens_max=1000, tokens_per_second=2),
    "StopInstances": Size(tokens_max=1000, tokens_per_second=20),
    "TerminateInstances": Size(tokens_max=1000, tokens_per_second=20),
}
"""EC2's resource buckets: one token for each instance of a call."""

_THROTTLED = frozenset({"ec2", "autoscaling", "elb", "elbv2"})


@dataclass(slots=True)
class _Bucket:
    tokens: float
    time: float


class Throttles:
    """All buckets of one region. Not safe for threads: the caller holds a lock."""

    def __init__(self) -> None:
        """All are full."""
        self._buckets: dict[str, _Bucket] = {}

    def admit(self, service: str, operation: str, params: Mapping[str, Any], *, time: float) -> bool:
        """Takes the tokens of one call; False, and takes none, if there are not enough."""
        if service not in _THROTTLED:
            return True
        costs = _costs(service, operation, params)
        buckets = [self._filled(name, size, time) for name, size, _ in costs]
        if any(bucket.tokens < tokens for bucket, (_, _, tokens) in zip(buckets, costs, strict=True)):
            return False
        for bucket, (_, _, tokens) in zip(buckets, costs, strict=True):
            bucket.tokens -= tokens
        return True

    def _filled(self, name: str, size: Size, time: float) -> _Bucket:
        bucket = self._buckets.setdefault(name, _Bucket(size.tokens_max, time))
        gained = max(0.0, time - bucket.time) * size.tokens_per_second
        bucket.tokens, bucket.time = min(size.tokens_max, bucket.tokens + gained), max(time, bucket.time)
        return bucket


def _costs(service: str, operation: str, params: Mapping[str, Any]) -> list[tuple[str, Size, float]]:
    """Which buckets a call takes from: (name, size, tokens)."""
    name, size = _bucket_of(service, operation, params)
    costs = [(f"{service}/{name}", size, 1.0)]
    if service == "ec2" and operation in _PER_INSTANCE:
        size = _PER_INSTANCE[operation]
        instances = min(_instances(operation, params), size.tokens_max)
        costs.append((f"{service}/{operation}/instances", size, instances))
    return costs


def _bucket_of(service: str, operation: str, params: Mapping[str, Any]) -> tuple[str, Size]:
    """EC2 has one bucket for each action, with sizes by category; the other services one for reading, one for all else.

    A list of ids counts as a filter.
    """
    reading = operation.startswith(_READERS)
    if service != "ec2":
        return ("reading", _READING) if reading else ("changing", _CHANGING)
    if operation in _OF_ITS_OWN:
        return operation, _OF_ITS_OWN[operation]
    if operation in _HEAVY_WITHOUT_FILTER and not params.keys() & {"Filters", "MaxResults"} and not _ids(params):
        return f"{operation}/all", _READING_ALL
    if operation in _HEAVY or not reading:
        return operation, _CHANGING
    return operation, _READING


def _ids(params: Mapping[str, Any]) -> bool:
    return any(name.endswith("Ids") for name in params)


def _instances(operation: str, params: Mapping[str, Any]) -> float:
    if operation == "RunInstances":
        return float(params.get("MaxCount") or 1)
    return float(len(params.get("InstanceIds") or ()))


def too_many_requests(service: str) -> ApiError:
    """How a service says that it was asked too often."""
    match service:
        case "ec2":
            return ApiError("RequestLimitExceeded", "Request limit exceeded.", 503)
        case "sqs":
            return ApiError("RequestThrottled", "Rate exceeded.", 403)
        case "autoscaling" | "elb" | "elbv2":
            return ApiError("Throttling", "Rate exceeded", 400)
        case _:
            return ApiError("ThrottlingException", "Rate exceeded", 400)
