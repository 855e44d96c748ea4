"""EBS volumes and where they are attached.

    creating → available → (attaching) in-use (detaching) → available → deleted

Volumes are born with instances or by themselves. Attaching and detaching take their time, and a volume is in use from
the beginning of the one to the end of the other. When an instance is terminated its volumes go with it or, where
DeleteOnTermination says no, are free as soon as the machine is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from spotward.sim.answers import tag_list
from spotward.sim.instances import Attachment, Instance, Instances, Order, devices
from spotward.sim.region import Region, when

DEFAULT_GIB = 8
"""Of an image that does not say how large its root volume is."""

GP3_IOPS, GP3_MIB_PER_SECOND = 3000, 125
GP2_IOPS_MIN, GP2_IOPS_MAX, GP2_IOPS_PER_GIB = 100, 16_000, 3


@dataclass(slots=True, kw_only=True, eq=False)
class Volume:
    """One volume."""

    id: str
    number: int
    """The how-many-eth of the region: the order of pages."""
    zone: str
    settings: Mapping[str, Any]
    """As in the `Ebs` of a block device mapping: VolumeSize, VolumeType, Iops, Throughput, Encrypted, SnapshotId, …"""
    created_time: float
    state: str = "creating"
    attachment: Attachment | None = None
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def size_gib(self) -> int:
        """Its size."""
        return int(self.settings.get("VolumeSize") or DEFAULT_GIB)

    @property
    def kind(self) -> str:
        """`gp3`, say; AWS makes gp2 of what is not said."""
        return str(self.settings.get("VolumeType") or "gp2")

    def entry(self) -> dict[str, Any]:
        """As DescribeVolumes lists it."""
        entry: dict[str, Any] = {
            "Attachments": [] if self.attachment is None else [attachment_entry(self.attachment)],
            "AvailabilityZone": self.zone,
            "CreateTime": when(self.created_time),
            "Encrypted": bool(self.settings.get("Encrypted")),
            "MultiAttachEnabled": False,
            "Size": self.size_gib,
            "SnapshotId": self.settings.get("SnapshotId") or "",
            "State": self.state,
            "VolumeId": self.id,
            "VolumeType": self.kind,
            **self._speed(),
        }
        return {**entry, "Tags": tag_list(self.tags)} if self.tags else entry

    def _speed(self) -> dict[str, int]:
        if self.kind == "gp3":
            return {
                "Iops": int(self.settings.get("Iops") or GP3_IOPS),
                "Throughput": int(self.settings.get("Throughput") or GP3_MIB_PER_SECOND),
            }
        if self.kind == "gp2":
            return {"Iops": min(GP2_IOPS_MAX, max(GP2_IOPS_MIN, GP2_IOPS_PER_GIB * self.size_gib))}
        return {"Iops": int(self.settings["Iops"])} if self.settings.get("Iops") else {}


class Volumes:
    """The volumes of one region, by id."""

    def __init__(self, region: Region, instances: Instances) -> None:
        """Listens to the instances: make it before the first launch."""
        self._region = region
        self._instances = instances
        self._made = 0
        self.by_id: dict[str, Volume] = {}
        instances.listen(self._on_state)

    def every(self) -> Iterator[Volume]:
        """All volumes, in the order in which they came into being."""
        return iter(self.by_id.values())

    # -- alone -------------------------------------------------------------------------------------------------------

    def create(self, zone: str, settings: Mapping[str, Any], tags: Mapping[str, str]) -> Volume:
        """A volume that is attached to nothing."""
        volume = self._add(self._region.new_id("vol"), zone, settings, tags)
        self._region.after(self._region.timings.volume_create_seconds, lambda: self._ready(volume))
        return volume

    def _add(self, volume_id: str, zone: str, settings: Mapping[str, Any], tags: Mapping[str, str]) -> Volume:
        self._made += 1
        volume = self.by_id[volume_id] = Volume(
            id=volume_id,
            number=self._made,
            zone=zone,
            settings=settings,
            created_time=self._region.now,
            tags=dict(tags),
        )
        return volume

    @staticmethod
    def _ready(volume: Volume) -> None:
        if volume.state == "creating":
            volume.state = "available"

    def delete(self, volume: Volume) -> None:
        """Away with it; that it is attached to nothing has been made sure."""
        self.by_id.pop(volume.id, None)

    # -- attached ----------------------------------------------------------------------------------------------------

    def attach(self, volume: Volume, instance: Instance, device: str) -> Attachment:
        """Begin to attach an available volume."""
        attachment = Attachment(
            volume_id=volume.id,
            instance_id=instance.id,
            device=device,
            time=self._region.now,
            deleted_with_instance=False,
            state="attaching",
        )
        volume.state, volume.attachment = "in-use", attachment
        instance.volumes[device] = attachment
        self._instances.touch(instance)

        def done() -> None:
            if attachment.state == "attaching":
                attachment.state = "attached"
                self._instances.touch(instance)

        self._region.after(self._region.timings.volume_attach_seconds, done)
        return attachment

    def detach(self, volume: Volume, attachment: Attachment, *, force: bool) -> None:
        """Begin to detach it; `force` waits for nothing."""
        attachment.state = "detaching"
        instance = self._instances.by_id.get(attachment.instance_id)
        if instance is not None:
            self._instances.touch(instance)
        seconds = 0.0 if force else self._region.timings.volume_detach_seconds
        self._region.after(seconds, lambda: self._free(volume, attachment))

    def _free(self, volume: Volume, attachment: Attachment) -> None:
        if volume.attachment is not attachment:
            return
        attachment.state = "detached"
        volume.state, volume.attachment = "available", None
        instance = self._instances.by_id.get(attachment.instance_id)
        if instance is not None and instance.volumes.get(attachment.device) is attachment:
            del instance.volumes[attachment.device]
            self._instances.touch(instance)

    # -- with their instances ----------------------------------------------------------------------------------------

    def _on_state(self, instance: Instance, old: str) -> None:
        if old == "":
            mappings = _ebs_by_device(instance.order)
            for device, attachment in instance.volumes.items():
                order = instance.order
                volume = self._add(attachment.volume_id, order.zone, mappings[device], order.volume_tags)
                volume.state, volume.attachment = "in-use", attachment
        elif instance.state == "terminated":
            for attachment in list(instance.volumes.values()):
                self._orphaned(attachment)

    def _orphaned(self, attachment: Attachment) -> None:
        volume = self.by_id.get(attachment.volume_id)
        if volume is None:
            return
        self._free(volume, attachment)
        if attachment.deleted_with_instance:
            self.delete(volume)


def attachment_entry(attachment: Attachment) -> dict[str, Any]:
    """As AttachVolume answers and DescribeVolumes lists it."""
    return {
        "AttachTime": when(attachment.time),
        "DeleteOnTermination": attachment.deleted_with_instance,
        "Device": attachment.device,
        "InstanceId": attachment.instance_id,
        "State": attachment.state,
        "VolumeId": attachment.volume_id,
    }


def _ebs_by_device(order: Order) -> dict[str, dict[str, Any]]:
    """Device -> the settings of its volume: the image's, with the request's on top."""
    found: dict[str, dict[str, Any]] = {device: {} for device in devices(order)}
    for source in (order.image, order.parameters):
        for mapping in source.get("BlockDeviceMappings") or ():
            if mapping["DeviceName"] in found:
                found[mapping["DeviceName"]] |= {
                    key: value for key, value in (mapping.get("Ebs") or {}).items() if value is not None
                }
    return found
