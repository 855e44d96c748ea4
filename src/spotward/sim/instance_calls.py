"""EC2's calls about instances that exist: describe, terminate, stop, start, protect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spotward.sim.answers import (
    Answer,
    Operation,
    Params,
    Values,
    page,
    paged,
    sieve,
)
from spotward.sim.catalogue import Catalogue
from spotward.sim.describing import block_devices
from spotward.sim.errors import ApiError
from spotward.sim.finding import Finding
from spotward.sim.instances import ALIVE, SPOT, STATE_CODES, Instance, Instances
from spotward.sim.launcher import reservation
from spotward.sim.region import Region, when

INSTANCES_PAGE_MAX = 1000
"""MaxResults that DescribeInstances takes, at most; without it everything comes at once."""


class InstanceCalls:
    """EC2's instance calls for one region."""

    def __init__(self, region: Region, catalogue: Catalogue, instances: Instances, finding: Finding) -> None:
        """Reads and changes `instances`."""
        self._region = region
        self._catalogue = catalogue
        self._instances = instances
        self._finding = finding

    def operations(self) -> dict[str, Operation]:
        """What this part answers."""
        return {
            "ec2.DescribeInstances": self.describe_instances,
            "ec2.DescribeInstanceAttribute": self.describe_attribute,
            "ec2.ModifyInstanceAttribute": self.modify_attribute,
            "ec2.DescribeSpotInstanceRequests": self.describe_spot_requests,
            "ec2.TerminateInstances": self.terminate,
            "ec2.StopInstances": self.stop,
            "ec2.StartInstances": self.start,
        }

    # -- descriptions ------------------------------------------------------------------------------------------------

    def describe_instances(self, params: Params) -> Answer:
        """DescribeInstances, in the order of launch."""
        if params.get("InstanceIds") and params.get("MaxResults"):
            raise ApiError(
                "InvalidParameterCombination",
                "The parameter instancesSet cannot be used with the parameter maxResults",
            )
        size = INSTANCES_PAGE_MAX if params.get("MaxResults") else None
        shown, token = page(self._finding.found(params), params, key=lambda instance: instance.number, size=size)
        together: dict[str, list[Instance]] = {}
        for instance in shown:
            together.setdefault(instance.reservation_id, []).append(instance)
        return paged("Reservations", [reservation(one, self._region) for one in together.values()], token)

    def describe_attribute(self, params: Params) -> Answer:
        """DescribeInstanceAttribute, of the attributes that this region keeps."""
        instance = self._finding.named([params["InstanceId"]])[0]
        parameters, asked = instance.order.parameters, params["Attribute"]
        behaviour = parameters.get("InstanceInitiatedShutdownBehavior", "stop")
        groups = instance.order.security_groups
        known: dict[str, tuple[str, Any]] = {
            "disableApiTermination": ("DisableApiTermination", {"Value": instance.termination_protected}),
            "disableApiStop": ("DisableApiStop", {"Value": bool(parameters.get("DisableApiStop"))}),
            "instanceType": ("InstanceType", {"Value": instance.order.instance_type}),
            "userData": ("UserData", {"Value": parameters["UserData"]} if parameters.get("UserData") else {}),
            "ebsOptimized": ("EbsOptimized", {"Value": bool(parameters.get("EbsOptimized"))}),
            "instanceInitiatedShutdownBehavior": ("InstanceInitiatedShutdownBehavior", {"Value": behaviour}),
            "groupSet": ("Groups", [{"GroupId": one, "GroupName": name} for one, name in groups.items()]),
            "blockDeviceMapping": ("BlockDeviceMappings", block_devices(instance)),
            "sourceDestCheck": ("SourceDestCheck", {"Value": True}),
            "enaSupport": ("EnaSupport", {"Value": True}),
        }
        if asked not in known:
            raise ApiError(
                "InvalidParameterValue", f"Value ({asked}) for parameter attribute is invalid. Unknown attribute."
            )
        name, value = known[asked]
        return {"InstanceId": instance.id, name: value}

    def modify_attribute(self, params: Params) -> Answer:
        """ModifyInstanceAttribute: termination protection; others are not kept here."""
        instance = self._finding.named([params["InstanceId"]])[0]
        protect = (params.get("DisableApiTermination") or {}).get("Value")
        if params.get("Attribute") == "disableApiTermination":
            protect = str(params.get("Value")).lower() == "true"
        if protect is None:
            raise ApiError(
                "UnsupportedOperation", "The embedded cloud changes the attribute disableApiTermination only."
            )
        instance.termination_protected = bool(protect)
        return {}

    def describe_spot_requests(self, params: Params) -> Answer:
        """DescribeSpotInstanceRequests: one per Spot instance, as long as the instance is shown."""
        every = [one for one in self._instances.by_id.values() if one.spot_request_id is not None]
        asked = params.get("SpotInstanceRequestIds") or ()
        missing = set(asked) - {one.spot_request_id for one in every}
        if missing:
            raise ApiError(
                "InvalidSpotInstanceRequestID.NotFound", f"The spot instance request ID '{min(missing)}' does not exist"
            )
        wanted = sieve(params.get("Filters"), _SPOT_FILTERS.get, lambda instance: instance.tags)
        found = (one for one in every if wanted(one) and (not asked or one.spot_request_id in asked))
        size = INSTANCES_PAGE_MAX if params.get("MaxResults") else None
        shown, token = page(found, params, key=lambda instance: instance.number, size=size)
        return paged("SpotInstanceRequests", [self._spot_request(one) for one in shown], token)

    def _spot_request(self, instance: Instance) -> dict[str, Any]:
        """Where nobody said what may be paid at most, that is the on-demand price."""
        limit = instance.order.price_max_usd_per_hour
        if limit is None:
            limit = self._catalogue.on_demand_usd_per_hour(instance.order.instance_type, instance.order.product)
        return {**_spot_request(instance), "SpotPrice": f"{limit:.6f}"}

    # -- deeds -------------------------------------------------------------------------------------------------------

    def terminate(self, params: Params) -> Answer:
        """TerminateInstances: all or, when one is protected, none."""
        chosen = self._finding.named(params["InstanceIds"])
        for instance in chosen:
            if instance.termination_protected and instance.state in ALIVE:
                raise ApiError(
                    "OperationNotPermitted",
                    f"The instance '{instance.id}' may not be terminated. Modify its 'disableApiTermination' instance "
                    "attribute and try again.",
                )
        before = {instance.id: instance.state for instance in chosen}
        for instance in chosen:
            self._instances.terminate(instance, "Client.UserInitiatedShutdown", "User initiated shutdown")
        return {"TerminatingInstances": [_change(one, before[one.id]) for one in chosen]}

    def stop(self, params: Params) -> Answer:
        """StopInstances; a one-time Spot instance cannot be stopped."""
        chosen = self._finding.named(params["InstanceIds"])
        for instance in chosen:
            if instance.lifecycle == SPOT:
                raise ApiError(
                    "UnsupportedOperation",
                    f"You can't stop the Spot Instance '{instance.id}' because it is associated with a one-time Spot "
                    "Instance request. You can only stop Spot Instances associated with persistent Spot Instance "
                    "requests.",
                )
            _require_state(instance, {"running", "stopping", "stopped"}, "stopped")
        before = {instance.id: instance.state for instance in chosen}
        for instance in chosen:
            if instance.state == "running":
                self._instances.stop(instance, "Client.UserInitiatedShutdown", "User initiated shutdown")
        return {"StoppingInstances": [_change(one, before[one.id]) for one in chosen]}

    def start(self, params: Params) -> Answer:
        """StartInstances."""
        chosen = self._finding.named(params["InstanceIds"])
        for instance in chosen:
            _require_state(instance, {"stopped", "pending", "running"}, "started")
        before = {instance.id: instance.state for instance in chosen}
        for instance in chosen:
            if instance.state == "stopped":
                self._instances.start(instance)
        return {"StartingInstances": [_change(one, before[one.id]) for one in chosen]}


def _require_state(instance: Instance, states: set[str], deed: str) -> None:
    if instance.state not in states:
        raise ApiError(
            "IncorrectInstanceState",
            f"The instance '{instance.id}' is not in a state from which it can be {deed}.",
        )


def _change(instance: Instance, before: str) -> dict[str, Any]:
    return {
        "InstanceId": instance.id,
        "CurrentState": {"Code": STATE_CODES[instance.state], "Name": instance.state},
        "PreviousState": {"Code": STATE_CODES[before], "Name": before},
    }


def _spot_request(instance: Instance) -> dict[str, Any]:
    state, code = _spot_state(instance)
    return {
        "CreateTime": when(instance.launch_time),
        "InstanceId": instance.id,
        "InstanceInterruptionBehavior": "terminate",
        "LaunchSpecification": {
            "ImageId": instance.order.image["ImageId"],
            "InstanceType": instance.order.instance_type,
            "SubnetId": instance.order.subnet["SubnetId"],
        },
        "LaunchedAvailabilityZone": instance.order.zone,
        "ProductDescription": instance.order.product,
        "SpotInstanceRequestId": instance.spot_request_id,
        "State": state,
        "Status": {"Code": code, "UpdateTime": when(instance.reason_time or instance.launch_time)},
        "Tags": [],
        "Type": "one-time",
    }


def _spot_state(instance: Instance) -> tuple[str, str]:
    """The request's state and the code of its status."""
    if instance.state in ALIVE:
        return "active", "fulfilled" if instance.warning_time is None else "marked-for-termination"
    by_service = instance.reason is not None and instance.reason[0].startswith("Server.")
    return "closed", "instance-terminated-no-capacity" if by_service else "instance-terminated-by-user"


_SPOT_FILTERS: Mapping[str, Values[Instance]] = {
    "instance-id": lambda one: one.id,
    "launched-availability-zone": lambda one: one.order.zone,
    "spot-instance-request-id": lambda one: one.spot_request_id,
    "state": lambda one: _spot_state(one)[0],
    "status-code": lambda one: _spot_state(one)[1],
}
