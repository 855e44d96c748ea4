"""EC2's calls about volumes: create, describe, attach, detach, delete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from spotward.sim.answers import Answer, Operation, Params, Values, page, paged, sieve, tags_for
from spotward.sim.catalogue import Catalogue
from spotward.sim.errors import ApiError
from spotward.sim.finding import Finding
from spotward.sim.instances import Attachment, Instance, Instances
from spotward.sim.tokens import ClientTokens, Show
from spotward.sim.volumes import Volume, Volumes, attachment_entry

VOLUMES_PAGE_MAX = 1000
"""MaxResults that DescribeVolumes takes, at most; without it everything comes at once."""

GIB_MAX = 65_536

_KINDS = frozenset({"standard", "gp2", "gp3", "io1", "io2", "st1", "sc1"})

_SETTINGS = ("VolumeType", "Iops", "Throughput", "Encrypted", "KmsKeyId", "SnapshotId")


class VolumeCalls:
    """EC2's volume calls for one region."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        instances: Instances,
        volumes: Volumes,
        finding: Finding,
        tokens: ClientTokens,
    ) -> None:
        """Reads and changes `volumes`."""
        self._catalogue = catalogue
        self._instances = instances
        self._volumes = volumes
        self._finding = finding
        self._tokens = tokens

    def operations(self) -> dict[str, Operation]:
        """What this part answers."""
        return {
            "ec2.CreateVolume": self.create,
            "ec2.DescribeVolumes": self.describe,
            "ec2.AttachVolume": self.attach,
            "ec2.DetachVolume": self.detach,
            "ec2.DeleteVolume": self.delete,
        }

    def owns(self, params: Params) -> bool:
        """Volumes that are named and of which none is ours are somebody else's."""
        named = params.get("VolumeIds") or [one for one in (params.get("VolumeId"),) if one]
        return not named or any(one in self._volumes.by_id for one in named)

    # -- one by one --------------------------------------------------------------------------------------------------

    def create(self, params: Params) -> Answer:
        """CreateVolume, in a zone of the region."""
        return self._tokens.once("CreateVolume", params, lambda: self._create(params))

    def _create(self, params: Params) -> Show:
        zone, size, kind = params.get("AvailabilityZone"), params.get("Size"), params.get("VolumeType") or "gp2"
        if zone not in self._catalogue.zones:
            raise ApiError("InvalidZone.NotFound", f"The zone '{zone}' does not exist.")
        if not size:
            raise ApiError("MissingParameter", "The request must contain the parameter size; snapshots give none here")
        if not 1 <= size <= GIB_MAX:
            raise ApiError("InvalidParameterValue", f"Volume of {size}GiB is invalid for volume type {kind}.")
        if kind not in _KINDS:
            raise ApiError("InvalidParameterValue", f"Invalid value '{kind}' for VolumeType.")
        settings = {"VolumeSize": size, **{key: params[key] for key in _SETTINGS if params.get(key) is not None}}
        volume = self._volumes.create(zone, settings, tags_for("volume", params.get("TagSpecifications")))
        return volume.entry

    def delete(self, params: Params) -> Answer:
        """DeleteVolume, of one that is attached to nothing."""
        volume = self._volume(params["VolumeId"])
        if volume.attachment is not None:
            raise ApiError(
                "VolumeInUse", f"Volume {volume.id} is currently attached to {volume.attachment.instance_id}"
            )
        self._volumes.delete(volume)
        return {}

    def attach(self, params: Params) -> Answer:
        """AttachVolume: an available volume to an instance of its zone."""
        volume, device = self._volume(params["VolumeId"]), params["Device"]
        (instance,) = self._finding.named([params["InstanceId"]])
        if volume.attachment is not None:
            raise ApiError("VolumeInUse", f"{volume.id} is already attached to an instance")
        if volume.state != "available":
            raise ApiError("IncorrectState", f"Volume '{volume.id}' is not 'available'.")
        _check_host(volume, instance, device)
        return attachment_entry(self._volumes.attach(volume, instance, device))

    def detach(self, params: Params) -> Answer:
        """DetachVolume; the root volume of a running instance stays."""
        volume = self._volume(params["VolumeId"])
        attachment = volume.attachment
        if attachment is None:
            raise ApiError("IncorrectState", f"Volume '{volume.id}' is in the '{volume.state}' state.")
        if params.get("InstanceId") not in (None, attachment.instance_id) or params.get("Device") not in (
            None,
            attachment.device,
        ):
            raise ApiError(
                "InvalidAttachment.NotFound", f"Volume '{volume.id}' is not attached to {params.get('InstanceId')} so."
            )
        self._check_root(volume, attachment)
        self._volumes.detach(volume, attachment, force=bool(params.get("Force")))
        return attachment_entry(attachment)

    def _check_root(self, volume: Volume, attachment: Attachment) -> None:
        instance = self._instances.by_id[attachment.instance_id]
        root = instance.order.image.get("RootDeviceName", "/dev/xvda")
        if attachment.device == root and instance.state != "stopped":
            raise ApiError(
                "OperationNotPermitted", f"Unable to detach root volume '{volume.id}' from instance '{instance.id}'"
            )

    # -- descriptions ------------------------------------------------------------------------------------------------

    def describe(self, params: Params) -> Answer:
        """DescribeVolumes, in the order of their making."""
        ids = params.get("VolumeIds")
        chosen: Iterable[Volume] = [self._volume(one) for one in dict.fromkeys(ids)] if ids else self._volumes.every()
        wanted = sieve(params.get("Filters"), _FILTERS.get, lambda volume: volume.tags)
        found = sorted((one for one in chosen if wanted(one)), key=lambda one: one.number)
        size = VOLUMES_PAGE_MAX if params.get("MaxResults") else None
        shown, token = page(found, params, key=lambda one: one.number, size=size)
        return paged("Volumes", [one.entry() for one in shown], token)

    def _volume(self, volume_id: str) -> Volume:
        if volume_id not in self._volumes.by_id:
            raise ApiError("InvalidVolume.NotFound", f"The volume '{volume_id}' does not exist.")
        return self._volumes.by_id[volume_id]


def _check_host(volume: Volume, instance: Instance, device: str) -> None:
    if instance.state not in ("running", "stopped"):
        raise ApiError("IncorrectState", f"Instance '{instance.id}' is not 'running'.")
    if instance.order.zone != volume.zone:
        raise ApiError(
            "InvalidVolume.ZoneMismatch",
            f"The volume '{volume.id}' is not in the same availability zone as instance '{instance.id}'",
        )
    if device in instance.volumes:
        raise ApiError(
            "InvalidParameterValue",
            f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use",
        )


def _of_attachment(look: Values[Attachment]) -> Values[Volume]:
    return lambda volume: None if volume.attachment is None else look(volume.attachment)


def _stamped(name: str) -> Values[Volume]:
    return lambda volume: volume.entry()[name].strftime("%Y-%m-%dT%H:%M:%S.000Z")


_FILTERS: Mapping[str, Values[Volume]] = {
    "attachment.delete-on-termination": _of_attachment(lambda one: str(one.deleted_with_instance).lower()),
    "attachment.device": _of_attachment(lambda one: one.device),
    "attachment.instance-id": _of_attachment(lambda one: one.instance_id),
    "attachment.status": _of_attachment(lambda one: one.state),
    "availability-zone": lambda one: one.zone,
    "create-time": _stamped("CreateTime"),
    "encrypted": lambda one: str(bool(one.settings.get("Encrypted"))).lower(),
    "size": lambda one: str(one.size_gib),
    "snapshot-id": lambda one: one.settings.get("SnapshotId"),
    "status": lambda one: one.state,
    "volume-id": lambda one: one.id,
    "volume-type": lambda one: one.kind,
}
