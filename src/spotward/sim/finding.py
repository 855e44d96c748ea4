"""Finding instances as EC2 does: by id, by filter, by tag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from spotward.sim.answers import Params, Values, is_exact, sieve
from spotward.sim.describing import private_name
from spotward.sim.errors import ApiError
from spotward.sim.instances import ALIVE, SPOT, STATE_CODES, Instance, Instances
from spotward.sim.region import when


class Finding:
    """Finds the instances that a call means."""

    def __init__(self, instances: Instances) -> None:
        """Reads only."""
        self._instances = instances

    def named(self, ids: Sequence[str]) -> list[Instance]:
        """The instances of those ids, in the order of their launch. Raises ApiError when one does not exist."""
        malformed = next((one for one in ids if not one.startswith("i-")), None)
        if malformed is not None:
            raise ApiError("InvalidInstanceID.Malformed", f'Invalid id: "{malformed}"')
        missing = [one for one in ids if one not in self._instances.by_id]
        if missing:
            what = f"ID '{missing[0]}' does" if len(missing) == 1 else f"IDs '{', '.join(missing)}' do"
            raise ApiError("InvalidInstanceID.NotFound", f"The instance {what} not exist")
        return sorted((self._instances.by_id[one] for one in dict.fromkeys(ids)), key=lambda one: one.number)

    def found(self, params: Params) -> Iterable[Instance]:
        """What the call's ids and filters choose, in the order of launch."""
        ids, filters = params.get("InstanceIds"), params.get("Filters")
        chosen = self.named(ids) if ids else self._candidates(filters or ())
        return filter(sieve(filters, FILTERS.get, lambda instance: instance.tags), chosen)

    def matching(self, *, pool: str, group: str, instance: str) -> list[Instance]:
        """The living instances of pools "type/zone", groups and ids that match the globs, in the order of launch."""
        return [
            one
            for one in self._instances.by_id.values()
            if one.state in ALIVE and fnmatchcase("/".join(one.order.pool), pool)
            if fnmatchcase(one.group or "", group) and fnmatchcase(one.id, instance)
        ]

    def _candidates(self, filters: Sequence[Mapping[str, Any]]) -> Iterable[Instance]:
        """All that may pass: an index answers where a filter names a tag's very value or an id."""
        for one in filters:
            name, values = one.get("Name", ""), one.get("Values") or ()
            if name.startswith("tag:") and is_exact(values):
                key = name.removeprefix("tag:")
                found = {hit.id: hit for value in values for hit in self._instances.tagged(key, value)}
                return sorted(found.values(), key=lambda instance: instance.number)
            if name == "instance-id" and is_exact(values):
                known = (self._instances.by_id.get(value) for value in dict.fromkeys(values))
                return sorted((one for one in known if one is not None), key=lambda instance: instance.number)
        return self._instances.by_id.values()


FILTERS: Mapping[str, Values[Instance]] = {
    "architecture": lambda one: one.order.architecture,
    "availability-zone": lambda one: one.order.zone,
    "block-device-mapping.volume-id": lambda one: [each.volume_id for each in one.volumes.values()],
    "iam-instance-profile.arn": lambda one: (one.order.parameters.get("IamInstanceProfile") or {}).get("Arn"),
    "image-id": lambda one: one.order.image["ImageId"],
    "instance-id": lambda one: one.id,
    "instance-lifecycle": lambda one: "spot" if one.lifecycle == SPOT else None,
    "instance-state-code": lambda one: str(STATE_CODES[one.state]),
    "instance-state-name": lambda one: one.state,
    "instance-type": lambda one: one.order.instance_type,
    "instance.group-id": lambda one: one.order.security_groups.keys(),
    "instance.group-name": lambda one: one.order.security_groups.values(),
    "key-name": lambda one: one.order.parameters.get("KeyName"),
    "launch-time": lambda one: when(one.launch_time).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    "network-interface.network-interface-id": lambda one: one.interface_id,
    "network-interface.subnet-id": lambda one: one.order.subnet["SubnetId"],
    "placement-availability-zone": lambda one: one.order.zone,
    "platform": lambda one: "windows" if one.order.product == "Windows" else None,
    "platform-details": lambda one: one.order.image.get("PlatformDetails") or one.order.product,
    "private-dns-name": lambda one: private_name(one) if one.state != "terminated" else None,
    "private-ip-address": lambda one: one.address if one.state != "terminated" else None,
    "reservation-id": lambda one: one.reservation_id,
    "spot-instance-request-id": lambda one: one.spot_request_id,
    "state-reason-code": lambda one: one.reason[0] if one.reason else None,
    "subnet-id": lambda one: one.order.subnet["SubnetId"] if one.state != "terminated" else None,
    "tenancy": lambda one: (one.order.parameters.get("Placement") or {}).get("Tenancy", "default"),
    "virtualization-type": lambda one: one.order.image.get("VirtualizationType", "hvm"),
    "vpc-id": lambda one: one.order.subnet.get("VpcId") if one.state != "terminated" else None,
}
