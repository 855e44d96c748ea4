"""What AWS has: instances, groups, pools and their prices, as plain frozen values.

Only what a decision needs is kept, so that ten thousand instances fit in a few megabytes. Field names follow AWS's own
words; sizes carry their unit. A `Group` is named by `GroupId`, `region/name`, because names repeat across regions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

GroupId = str
"""`region/name`, for instance `us-east-1/web`."""


def group_id(region: str, name: str) -> GroupId:
    """The name of a group that is unique over all regions."""
    return f"{region}/{name}"


class Lifecycle(StrEnum):
    """How an instance is bought. Anything else (a capacity block, a scheduled instance) is never touched."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """One EC2 instance, as DescribeInstances tells it."""

    id: str
    region: str
    az: str
    instance_type: str
    lifecycle: Lifecycle
    state: str
    """pending, running, shutting-down, terminated, stopping or stopped"""
    architecture: str = "x86_64"
    virtualization: str = "hvm"
    product: str = "Linux/UNIX"
    """PlatformDetails: the product under which AWS sells it, and so its price list."""
    tenancy: str = "default"
    subnet_id: str | None = None
    launch_time: float = 0.0
    group: str | None = None
    """Name of its Auto Scaling group, from the tag `aws:autoscaling:groupName`."""
    cluster: str | None = None
    """Name of the Kubernetes cluster whose node it is, from its tags; None if it is no node."""
    launched_for: str | None = None
    """Key of the launch that made it, from our own tag `spotward:launch`; None if it is not ours."""
    stands_for: str | None = None
    """The type whose place it took, from our tag `spotward:stands-for`. A replacement is measured against this type,
    so that a line of replacements does not grow from one instance to the next."""
    pinned: bool = False
    """Its owner tagged it `spotward:keep=true`."""

    @property
    def original_type(self) -> str:
        """The type against which a replacement is measured."""
        return self.stands_for or self.instance_type


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """An instance as its group sees it."""

    instance_id: str
    instance_type: str
    az: str
    lifecycle_state: str
    """Auto Scaling's word: Pending, Pending:Wait, InService, Standby, Terminating, ..."""
    healthy: bool = True
    protected: bool = False
    """Protected from scale-in."""

    @property
    def serving(self) -> bool:
        """Counts as capacity."""
        return self.lifecycle_state == "InService" and self.healthy

    @property
    def leaving(self) -> bool:
        """On its way out, by whomever."""
        return self.lifecycle_state.startswith(("Terminat", "Detach"))


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchSource:
    """From what a group makes its instances: a launch template or a launch configuration."""

    template_id: str | None = None
    template_version: str | None = None
    """A number, `$Latest` or `$Default`, as the group says it."""
    configuration: str | None = None

    @property
    def words(self) -> str:
        """How an operator would name it."""
        if self.configuration is not None:
            return f"launch configuration {self.configuration}"
        return f"launch template {self.template_id} version {self.template_version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """One Auto Scaling group, as DescribeAutoScalingGroups tells it."""

    region: str
    name: str
    min_size: int
    max_size: int
    desired: int
    azs: tuple[str, ...]
    subnet_ids: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()
    launch: LaunchSource | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    propagated: tuple[str, ...] = ()
    """Names of the tags that its instances get at launch."""
    suspended: frozenset[str] = frozenset()
    target_groups: tuple[str, ...] = ()
    load_balancers: tuple[str, ...] = ()
    health_check_type: str = "EC2"
    grace_seconds: int = 0
    capacity_rebalance: bool = False
    mixed_spot: bool = False
    """Its own mixed-instances policy already asks for Spot."""
    mixed: bool = False
    """It has a mixed-instances policy at all."""
    status: str | None = None
    """`Delete in progress` while it is being deleted, else None."""

    @property
    def id(self) -> GroupId:
        """`region/name`."""
        return group_id(self.region, self.name)

    def member(self, instance_id: str) -> Member | None:
        """The member of that id, or None."""
        return next((m for m in self.members if m.instance_id == instance_id), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class LifecycleHook:
    """A pause that a group makes at the start or the end of an instance's life."""

    name: str
    transition: str
    """autoscaling:EC2_INSTANCE_LAUNCHING or autoscaling:EC2_INSTANCE_TERMINATING"""
    heartbeat_timeout_seconds: int
    default_result: str = "ABANDON"


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupDetails:
    """What costs further calls to know, so it is asked only of a group that has something to do."""

    hooks: tuple[LifecycleHook, ...] = ()
    refresh_in_progress: bool = False
    launch_problem: str | None = None
    """Why the group's launch data cannot be used (deleted, unreadable), in words; None if it can."""
    termination_protected: bool = False
    """The launch data set API termination protection."""
    subnets: Mapping[str, str] = field(default_factory=dict)
    """Subnet id → availability zone, for the group's own subnets."""
    stack_busy: str | None = None
    """The name and state of the CloudFormation stack that is changing the group now, or None."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DesiredChange:
    """Somebody set a group's desired capacity to a new value."""

    time: float
    """In whole seconds, as AWS tells it."""
    before: int
    after: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MemberStep:
    """A member joined or left because somebody asked for that one; the desired capacity may have gone along."""

    time: float
    """In whole seconds, as AWS tells it."""
    instance_id: str
    joined: bool
    """False: it left."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CapacityHistory:
    """How a group's desired capacity came about lately, as its scaling activities tell it."""

    since: float
    """What happened before then may be missing; infinite where nothing is told at all."""
    changes: tuple[DesiredChange, ...] = ()
    """The oldest first."""
    steps: tuple[MemberStep, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceType:
    """What a type offers, from DescribeInstanceTypes."""

    name: str
    vcpu: int
    memory_mib: int
    architectures: frozenset[str]
    virtualizations: frozenset[str]
    gpus: int = 0
    gpu_memory_mib: int = 0
    accelerators: int = 0
    """Inference, FPGA and other accelerators that are not GPUs."""
    local_disk_gb: int = 0
    local_disks: int = 0
    local_ssd: bool = False
    burstable: bool = False
    """Its processor runs at full speed on credit alone (t3, t4g)."""
    flex: bool = False
    """A share of full speed is promised, and more most of the time (m7i-flex): between burstable and fixed."""
    bare_metal: bool = False
    nvme_required: bool = False
    """EBS volumes appear as NVMe devices (Nitro): an image for Xen alone does not boot on it."""
    ena_required: bool = False
    network_interfaces_max: int = 0
    spot: bool = True
    """Sold as Spot at all."""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Pool:
    """Spare capacity of one type in one zone: what is priced, runs dry, and is interrupted, together."""

    instance_type: str
    az: str

    def __str__(self) -> str:
        return f"{self.instance_type}/{self.az}"


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolOffer:
    """A pool that fits, with what it costs."""

    pool: Pool
    usd_per_hour: float | None
    """Spot price now; None if AWS told none. In the price list's own currency (CNY in China)."""
    expected_usd_per_hour: float | None
    """Price and risk together: what an hour of service there is expected to cost."""
    price_time: float | None = None
    """When that price began."""
    note: str = ""
    """What an operator should know of the type, although it fits; empty when there is nothing to say."""
