"""Instances and their life.

    pending → running → shutting-down → terminated        running → stopping → stopped → pending

An instance is what was ordered (an `Order`, which never changes) and what has happened to it since. Every change of
state is told to the listeners, in the order in which they asked to be told, and to EventBridge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spotward.sim.answers import Rendered
from spotward.sim.region import Region

STATE_CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}

ALIVE = frozenset({"pending", "running", "stopping", "stopped"})
"""The states that still hold a place; a Spot instance that is shutting down has given its place back."""

GROUP_TAG = "aws:autoscaling:groupName"

SPOT, ON_DEMAND = "spot", "on-demand"

Pool = tuple[str, str]
"""(instance type, availability zone)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One instance to launch, with everything decided."""

    instance_type: str
    zone: str
    market: str
    """`spot` or `on-demand`."""
    product: str
    """As in the price history, `Linux/UNIX` say."""
    parameters: Mapping[str, Any]
    """The merged launch parameters, in the shape of RequestLaunchTemplateData."""
    image: Mapping[str, Any]
    subnet: Mapping[str, Any]
    architecture: str
    tags: Mapping[str, str]
    security_groups: Mapping[str, str] = field(default_factory=dict)
    """Id -> name, as both were when it was ordered."""
    volume_tags: Mapping[str, str] = field(default_factory=dict)
    price_max_usd_per_hour: float | None = None
    """The most that the Spot request pays; None: the on-demand price, which no Spot price reaches here."""

    @property
    def pool(self) -> Pool:
        """Where its capacity comes from."""
        return (self.instance_type, self.zone)


@dataclass(slots=True, kw_only=True, eq=False)
class Attachment:
    """A volume at an instance. Change it through `Volumes` only."""

    volume_id: str
    instance_id: str
    device: str
    time: float
    deleted_with_instance: bool
    state: str = "attached"
    """`attaching`, `attached`, `detaching` or `detached`."""


@dataclass(slots=True, kw_only=True, eq=False)
class Instance:
    """One instance. Change its state through `Instances` only."""

    id: str
    number: int
    """The how-many-eth of the region: the order of pages."""
    order: Order
    reservation_id: str
    launch_time: float
    address: str
    volumes: dict[str, Attachment]
    """Device name -> what is attached there."""
    interface_id: str
    spot_request_id: str | None
    tags: dict[str, str]
    part_tags: dict[str, dict[str, str]]
    """The tags of what came into being with it: interface, Spot request."""
    termination_protected: bool
    state: str = "pending"
    reason: tuple[str, str] | None = None
    """The code and the words of the last transition, once there is one to tell."""
    reason_time: float = 0.0
    rebalance_time: float | None = None
    """When EC2 recommended to move away."""
    warning_time: float | None = None
    """When EC2 warned that it will take the instance."""
    running_since: float | None = None
    down_time: float | None = None
    """When the last reboot of a running instance began."""
    back_time: float | None = None
    """When that reboot is, or was, over."""
    application_failed_time: float | None = None
    """Since when the application does not answer health checks, though the machine runs."""
    rendered: Rendered | None = None

    @property
    def lifecycle(self) -> str:
        """`spot` or `on-demand`."""
        return self.order.market

    @property
    def group(self) -> str | None:
        """The group that has it as a member."""
        return self.tags.get(GROUP_TAG)


Listener = Callable[[Instance, str], None]
"""(the instance in its new state, the old state)"""


RebootListener = Callable[[Instance], None]


class Instances:
    """Every instance that DescribeInstances still shows, by id and by tag."""

    def __init__(self, region: Region) -> None:
        """Empty at first."""
        self._region = region
        self._made = 0
        self.by_id: dict[str, Instance] = {}
        self.by_part: dict[str, Instance] = {}
        self._by_tag: dict[tuple[str, str], dict[str, Instance]] = {}
        self._by_pool: dict[tuple[str, Pool], dict[str, Instance]] = {}
        self._listeners: list[Listener] = []
        self._reboot_listeners: list[RebootListener] = []

    def listen(self, listener: Listener) -> None:
        """Tell `listener` of every change of state, births included (their old state is empty)."""
        self._listeners.append(listener)

    def listen_to_reboots(self, listener: RebootListener) -> None:
        """Tell `listener` of every reboot when it begins."""
        self._reboot_listeners.append(listener)

    def holding(self, market: str, pool: Pool) -> Mapping[str, Instance]:
        """The instances that hold a place of the pool, oldest first."""
        return self._by_pool.get((market, pool), {})

    def spot_pools(self) -> list[Pool]:
        """The pools that hold Spot instances."""
        return [pool for (market, pool), held in self._by_pool.items() if market == SPOT and held]

    def tagged(self, key: str, value: str) -> Iterable[Instance]:
        """Those with exactly that tag."""
        return self._by_tag.get((key, value), {}).values()

    # -- births ------------------------------------------------------------------------------------------------------

    def launch(self, order: Order, reservation_id: str) -> Instance:
        """Start an instance; that there is room for it has been made sure."""
        instance = self._born(order, reservation_id)
        self.by_id[instance.id] = instance
        self.by_part.update(dict.fromkeys(instance.part_tags, instance))
        self._by_pool.setdefault((order.market, order.pool), {})[instance.id] = instance
        self.tag(instance, order.tags)
        self._tell(instance, "")
        self._announce_fulfilment(instance)
        self._region.after(
            self._region.spread(self._region.timings.boot_seconds, "boot", instance.id),
            lambda: self._move(instance, "running", only_from="pending"),
        )
        return instance

    def _born(self, order: Order, reservation_id: str) -> Instance:
        self._made += 1
        instance_id = self._region.new_id("i")
        interface = self._region.new_id("eni")
        request = self._region.new_short_id("sir") if order.market == SPOT else None
        part_tags: dict[str, dict[str, str]] = {interface: {}}
        if request is not None:
            part_tags[request] = {}
        return Instance(
            id=instance_id,
            number=self._made,
            order=order,
            reservation_id=reservation_id,
            launch_time=self._region.now,
            address=_address(order.subnet, self._made),
            volumes={device: self._with_it(order, instance_id, device) for device in devices(order)},
            interface_id=interface,
            spot_request_id=request,
            tags={},
            part_tags=part_tags,
            termination_protected=bool(order.parameters.get("DisableApiTermination")),
        )

    def _with_it(self, order: Order, instance_id: str, device: str) -> Attachment:
        return Attachment(
            volume_id=self._region.new_id("vol"),
            instance_id=instance_id,
            device=device,
            time=self._region.now,
            deleted_with_instance=_deleted_with_instance(order, device),
        )

    def _announce_fulfilment(self, instance: Instance) -> None:
        if instance.spot_request_id is not None:
            self._region.emit(
                source="aws.ec2",
                detail_type="EC2 Spot Instance Request Fulfillment",
                resources=[self._region.arn("ec2", f"instance/{instance.id}")],
                detail={"spot-instance-request-id": instance.spot_request_id, "instance-id": instance.id},
            )

    # -- tags --------------------------------------------------------------------------------------------------------

    def tag(self, instance: Instance, tags: Mapping[str, str]) -> None:
        """Set tags; the others stay."""
        for key, value in tags.items():
            self._unindex(instance, key)
            instance.tags[key] = value
            self._by_tag.setdefault((key, value), {})[instance.id] = instance
        instance.rendered = None

    def untag(self, instance: Instance, keys: Iterable[str]) -> None:
        """Remove tags that are there."""
        for key in keys:
            self._unindex(instance, key)
            instance.tags.pop(key, None)
        instance.rendered = None

    def _unindex(self, instance: Instance, key: str) -> None:
        indexed = self._by_tag.get((key, instance.tags.get(key, "")))
        if key in instance.tags and indexed is not None:
            indexed.pop(instance.id, None)
            if not indexed:
                del self._by_tag[key, instance.tags[key]]

    # -- life --------------------------------------------------------------------------------------------------------

    def terminate(self, instance: Instance, code: str, words: str) -> None:
        """Shut it down for good, unless it already is; `code` and `words` are what StateReason tells."""
        if instance.state not in ALIVE:
            return
        self._explain(instance, code, words)
        self._move(instance, "shutting-down")
        self._region.after(self._shutdown_seconds(instance), lambda: self._bury(instance))

    def stop(self, instance: Instance, code: str, words: str) -> None:
        """Stop a running instance; `code` and `words` as for `terminate`."""
        if instance.state != "running":
            return
        self._explain(instance, code, words)
        self._move(instance, "stopping", only_from="running")
        self._region.after(
            self._shutdown_seconds(instance), lambda: self._move(instance, "stopped", only_from="stopping")
        )

    def reboot(self, instance: Instance) -> None:
        """Boot a running instance anew: EC2 calls it running all the while, but nothing on it answers."""
        if instance.state == "running":
            instance.down_time = self._region.now
            instance.back_time = self._region.now + self._region.timings.reboot_seconds
            for listener in self._reboot_listeners:
                listener(instance)

    def start(self, instance: Instance) -> None:
        """Start a stopped instance again."""
        instance.reason = None
        instance.launch_time = self._region.now
        self._move(instance, "pending", only_from="stopped")
        self._region.after(
            self._region.spread(self._region.timings.boot_seconds, "boot", instance.id, int(self._region.now)),
            lambda: self._move(instance, "running", only_from="pending"),
        )

    def touch(self, instance: Instance) -> None:
        """Something that a description shows has changed."""
        instance.rendered = None

    def _shutdown_seconds(self, instance: Instance) -> float:
        return self._region.spread(self._region.timings.shutdown_seconds, "shutdown", instance.id)

    def _explain(self, instance: Instance, code: str, words: str) -> None:
        instance.reason, instance.reason_time = (code, f"{code}: {words}"), self._region.now

    def _bury(self, instance: Instance) -> None:
        self._move(instance, "terminated")
        self._region.after(self._region.timings.terminated_visible_seconds, lambda: self._forget(instance))

    def _forget(self, instance: Instance) -> None:
        for key in instance.tags:
            self._unindex(instance, key)
        for part in instance.part_tags:
            del self.by_part[part]
        self.by_id.pop(instance.id, None)

    def _move(self, instance: Instance, state: str, *, only_from: str | None = None) -> None:
        old = instance.state
        if only_from is not None and old != only_from:
            return
        instance.state = state
        instance.rendered = None
        instance.running_since = self._region.now if state == "running" else None
        if state not in ALIVE:
            self._by_pool[instance.order.market, instance.order.pool].pop(instance.id, None)
        self._tell(instance, old)

    def _tell(self, instance: Instance, old: str) -> None:
        self._region.emit(
            source="aws.ec2",
            detail_type="EC2 Instance State-change Notification",
            resources=[self._region.arn("ec2", f"instance/{instance.id}")],
            detail={"instance-id": instance.id, "state": instance.state},
        )
        for listener in self._listeners:
            listener(instance, old)


def devices(order: Order) -> list[str]:
    """The device names of the EBS volumes that the order gives: the image's, changed by the request's."""
    found: dict[str, bool] = {}
    for mapping in (
        *(order.image.get("BlockDeviceMappings") or ()),
        *(order.parameters.get("BlockDeviceMappings") or ()),
    ):
        # A `NoDevice` of any value takes the image's device away; `ephemeral0` and its like are no EBS volumes.
        found[mapping["DeviceName"]] = mapping.get("NoDevice") is None and "VirtualName" not in mapping
    return [device for device, is_volume in found.items() if is_volume]


def _deleted_with_instance(order: Order, device: str) -> bool:
    """As the request says or else the image; by default it is."""
    said = [
        ebs["DeleteOnTermination"]
        for source in (order.image, order.parameters)
        for mapping in source.get("BlockDeviceMappings") or ()
        if mapping["DeviceName"] == device and (ebs := mapping.get("Ebs") or {}).get("DeleteOnTermination") is not None
    ]
    return bool(said[-1]) if said else True


def _address(subnet: Mapping[str, Any], number: int) -> str:
    """A private address within the subnet's first two octets; instances of one region never share one."""
    network = str(subnet.get("CidrBlock", "10.0.0.0/16")).split(".")[:2]
    return ".".join([*network, str(number // 250 % 250), str(number % 250 + 4)])
