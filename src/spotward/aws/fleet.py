"""One CreateFleet of type instant: the request that an action is, and what its answer says.

The request is worked out from the action alone, so that the same action is the same request to the letter, client token
included. EC2 picks among the overrides by price and capacity together and ignores their order; which pools are offered
at all was decided before. Field names: API reference of CreateFleet.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from spotward.aws.translation import Call, refused
from spotward.groups.policy import TAG_LAUNCH
from spotward.model.action import LaunchFleet
from spotward.model.cloud import Instance, Lifecycle, Pool
from spotward.model.errors import OutsideError, Permanent
from spotward.model.event import FleetAnswered, LaunchedInstance, PoolFailure
from spotward.model.pool_memory import CAPACITY_CODES

OVERRIDES_MAX = 300
"""A fleet takes no more (EC2 quotas for fleets). The first pools are the best; the rest is left out."""

LIMIT_CODES = frozenset({"MaxFleetCountExceeded", "MaxSpotInstanceCountExceeded", "VcpuLimitExceeded"})
"""The account's limits: no pool is to blame, and nothing is wrong with the request."""

WRONG_ZONE = "not supported in your requested Availability Zone"
"""EC2 says so under `InvalidFleetConfiguration` where it says `Unsupported` elsewhere; the pool is meant."""

TOKEN_LENGTH = 64
"""A client token of CreateFleet may have 64 characters."""

Template = Mapping[str, str]
"""A FleetLaunchTemplateSpecification: id or name, and version."""


def client_token(action: LaunchFleet) -> str:
    """The same for the same wish and attempt, whoever asks and how often."""
    wish = f"{action.subject}\n{action.key}\n{action.attempt}"
    return hashlib.sha256(wish.encode()).hexdigest()[:TOKEN_LENGTH]


def fleet_request(action: LaunchFleet, template: Template) -> dict[str, Any]:
    """The parameters of CreateFleet. Raises Permanent when the group has no subnet in any zone of the pools."""
    return {
        "Type": "instant",
        "ClientToken": client_token(action),
        "TargetCapacitySpecification": {
            "TotalTargetCapacity": action.count,
            "DefaultTargetCapacityType": str(action.lifecycle),
        },
        **_strategy(action.lifecycle),
        "LaunchTemplateConfigs": [{"LaunchTemplateSpecification": dict(template), "Overrides": _overrides(action)}],
        # Instances only: volumes keep the tags that the launch template gives them, as its group's own would.
        "TagSpecifications": [{"ResourceType": "instance", "Tags": _tags(action)}],
    }


def _strategy(lifecycle: Lifecycle) -> dict[str, Any]:
    if lifecycle is Lifecycle.SPOT:
        return {"SpotOptions": {"AllocationStrategy": "price-capacity-optimized"}}
    return {"OnDemandOptions": {"AllocationStrategy": "lowest-price"}}


def _tags(action: LaunchFleet) -> list[dict[str, str]]:
    """`aws:` tags are AWS's own and would be refused."""
    tags = {name: value for name, value in action.tags if not name.startswith("aws:")}
    return [{"Key": name, "Value": value} for name, value in sorted({**tags, TAG_LAUNCH: action.key}.items())]


def _overrides(action: LaunchFleet) -> list[dict[str, str]]:
    ceiling = _ceiling(action)
    overrides = [
        {"InstanceType": pool.instance_type, **place, **ceiling}
        for pool in action.pools
        for place in _places(action, pool)
    ]
    if not overrides:
        zones = ", ".join(sorted({pool.az for pool in action.pools})) or "no zone"
        raise Permanent(f"{action.subject} has no subnet in {zones}; add one to the group", code="NoSubnet")
    return overrides[:OVERRIDES_MAX]


def _places(action: LaunchFleet, pool: Pool) -> list[dict[str, str]]:
    if not action.subnets:
        return [{"AvailabilityZone": pool.az}]
    return [{"SubnetId": subnet} for zone, subnet in action.subnets if zone == pool.az]


def _ceiling(action: LaunchFleet) -> dict[str, str]:
    price = action.price_max_usd_per_hour
    if price is None or action.lifecycle is not Lifecycle.SPOT:
        return {}
    return {"MaxPrice": f"{price:.6f}".rstrip("0").rstrip(".")}


# ---- the answer ------------------------------------------------------------------------------------------------------


def fleet_answered(action: LaunchFleet, answer: Mapping[str, Any], *, time: float) -> FleetAnswered:
    """What the fleet made and what it could not.

    Raises Permanent when nothing was made for a reason that no pool can help (a permission, a missing image), and
    KeyError or TypeError for an answer of another shape.
    """
    zones = {subnet: zone for zone, subnet in action.subnets}
    made = tuple(
        LaunchedInstance(
            id=instance_id,
            instance_type=_type_of(entry),
            az=_zone_of(entry, zones),
            lifecycle=Lifecycle(entry.get("Lifecycle", str(action.lifecycle))),
        )
        for entry in answer.get("Instances") or ()
        for instance_id in entry["InstanceIds"]
    )
    failures = tuple(dict.fromkeys(_failure(entry, zones) for entry in answer.get("Errors") or ()))
    if not made:
        _no_pool_can_help(action, failures)
    return _answered(action, time, made, failures)


def refused_for_capacity(action: LaunchFleet, error: OutsideError, *, time: float) -> FleetAnswered | None:
    """The answer that a refusal of the whole call stands for, if it tells of capacity or a limit; else None."""
    if error.code in LIMIT_CODES:
        return _answered(action, time, (), (PoolFailure(pool=None, code=error.code, message=str(error)),))
    if error.code in CAPACITY_CODES:
        every = tuple(PoolFailure(pool=pool, code=error.code, message=str(error)) for pool in action.pools)
        return _answered(action, time, (), every)
    return None


def already_made(action: LaunchFleet, instances: Iterable[Instance], *, time: float) -> FleetAnswered:
    """The answer of a fleet whose instances were found by their tag."""
    made = tuple(
        LaunchedInstance(id=i.id, instance_type=i.instance_type, az=i.az, lifecycle=i.lifecycle) for i in instances
    )
    return _answered(action, time, made, ())


def _answered(
    action: LaunchFleet, time: float, made: tuple[LaunchedInstance, ...], failures: tuple[PoolFailure, ...]
) -> FleetAnswered:
    return FleetAnswered(
        time=time,
        key=action.key,
        attempt=action.attempt,
        region=action.region,
        group_name=action.group,
        instances=made,
        failures=failures,
    )


def _overridden(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (entry.get("LaunchTemplateAndOverrides") or {}).get("Overrides") or {}
    return found


def _type_of(entry: Mapping[str, Any]) -> str:
    return str(entry.get("InstanceType") or _overridden(entry)["InstanceType"])


def _zone_of(entry: Mapping[str, Any], zones: Mapping[str, str]) -> str:
    """Newer answers name the zone; older ones the subnet that was asked for."""
    there = _overridden(entry)
    zone = entry.get("AvailabilityZone") or there.get("AvailabilityZone")
    return str(zone or zones[entry.get("SubnetId") or there["SubnetId"]])


def _failure(entry: Mapping[str, Any], zones: Mapping[str, str]) -> PoolFailure:
    code, message = str(entry.get("ErrorCode") or "Unknown"), str(entry.get("ErrorMessage") or "")
    if WRONG_ZONE in message:
        code = "Unsupported"
    pool = Pool(instance_type=_type_of(entry), az=_zone_of(entry, zones)) if code in CAPACITY_CODES else None
    return PoolFailure(pool=pool, code=code, message=message)


def _no_pool_can_help(action: LaunchFleet, failures: tuple[PoolFailure, ...]) -> None:
    """Raise what stands in the way of every pool. What passes by itself (throttling) is left as an answer: the same
    request would be answered by the same empty fleet again, so only another launch can help.
    """
    blamed = [failure for failure in failures if failure.code in CAPACITY_CODES | LIMIT_CODES]
    if blamed or not failures:
        return
    error = refused(create_fleet(action.region), failures[0].code, failures[0].message)
    if isinstance(error, Permanent):
        raise explained(action, error)


def explained(action: LaunchFleet, error: Permanent) -> Permanent:
    """The error with the next step, where it is about what the group launches from."""
    if "LaunchTemplate" not in error.code or action.launch.configuration is not None:
        return error
    step = f"{action.launch.words} cannot be used; give {action.subject} one that exists"
    return Permanent(f"{error}; {step}", code=error.code)


def create_fleet(region: str) -> Call:
    """The call, for messages."""
    return Call(service="ec2", operation="CreateFleet", region=region, iam_prefix="ec2")
