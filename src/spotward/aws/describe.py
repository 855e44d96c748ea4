"""What AWS describes, as our values: groups, instances, instance types.

Only what a decision needs is kept, and words that repeat ten thousand times (types, zones, states) are kept once. The
functions here take one item of an answer, whatever call it came from; an item that lacks what its API promises
raises KeyError, TypeError or ValueError, which the caller turns into an error that names the call.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from sys import intern
from typing import Any

from spotward.groups.policy import TAG_LAUNCH, TAG_STANDS_FOR
from spotward.model.cloud import Group, Instance, InstanceType, LaunchSource, Lifecycle, Member

Described = Mapping[str, Any]
"""One item of an answer, as boto3 gives it."""

TAG_KEEP = "spotward:keep"
TAG_GROUP_OF_INSTANCE = "aws:autoscaling:groupName"

CLUSTER_TAGS = (
    "aws:eks:cluster-name",
    "eks:cluster-name",
    "eks:eks-cluster-name",
    "alpha.eksctl.io/cluster-name",
    "KubernetesCluster",
)
"""Instance tags whose value is the name of a Kubernetes cluster (EKS, eksctl, kOps)."""

CLUSTER_TAG_PREFIXES = ("kubernetes.io/cluster/", "k8s.io/cluster/")
"""Instance tags that have the cluster's name in their own."""

FLEX_SIGN = "-flex."
"""What the name of a flex type holds; no field of its description tells it ("Flex instances" in the EC2 guide)."""

SPOT_SHARE_DEFAULT = 100
"""OnDemandPercentageAboveBaseCapacity where a mixed-instances policy leaves it out: all on demand (API reference)."""


def group_of(region: str, described: Described) -> Group:
    """A group, from DescribeAutoScalingGroups."""
    tags = {tag["Key"]: tag.get("Value") or "" for tag in described.get("Tags", ())}
    mixed = described.get("MixedInstancesPolicy")
    return Group(
        region=intern(region),
        name=described["AutoScalingGroupName"],
        min_size=int(described["MinSize"]),
        max_size=int(described["MaxSize"]),
        desired=int(described["DesiredCapacity"]),
        azs=_interned(described.get("AvailabilityZones", ())),
        subnet_ids=_interned(filter(None, (described.get("VPCZoneIdentifier") or "").replace(" ", "").split(","))),
        members=tuple(_member_of(each) for each in described.get("Instances", ())),
        launch=_launch_source(described, mixed),
        tags=tags,
        propagated=tuple(tag["Key"] for tag in described.get("Tags", ()) if tag.get("PropagateAtLaunch")),
        suspended=frozenset(intern(each["ProcessName"]) for each in described.get("SuspendedProcesses", ())),
        target_groups=tuple(described.get("TargetGroupARNs", ())),
        load_balancers=tuple(described.get("LoadBalancerNames", ())),
        health_check_type=intern(described.get("HealthCheckType") or "EC2"),
        grace_seconds=int(described.get("HealthCheckGracePeriod") or 0),
        capacity_rebalance=bool(described.get("CapacityRebalance")),
        mixed=mixed is not None,
        mixed_spot=mixed is not None and _asks_for_spot(mixed),
        status=described.get("Status") or None,
    )


def _member_of(described: Described) -> Member:
    return Member(
        instance_id=described["InstanceId"],
        instance_type=intern(described.get("InstanceType") or "unknown"),
        az=intern(described["AvailabilityZone"]),
        lifecycle_state=intern(described["LifecycleState"]),
        healthy=described.get("HealthStatus", "Healthy").lower() == "healthy",
        protected=bool(described.get("ProtectedFromScaleIn")),
    )


def _launch_source(described: Described, mixed: Described | None) -> LaunchSource | None:
    template = described.get("LaunchTemplate")
    if mixed is not None:
        template = mixed.get("LaunchTemplate", {}).get("LaunchTemplateSpecification")
    if template and template.get("LaunchTemplateId"):
        version = template.get("Version") or "$Default"
        return LaunchSource(template_id=intern(template["LaunchTemplateId"]), template_version=intern(version))
    name = described.get("LaunchConfigurationName")
    return LaunchSource(configuration=intern(name)) if name else None


def _asks_for_spot(mixed: Described) -> bool:
    distribution = mixed.get("InstancesDistribution") or {}
    return int(distribution.get("OnDemandPercentageAboveBaseCapacity", SPOT_SHARE_DEFAULT)) < SPOT_SHARE_DEFAULT


def instance_of(region: str, described: Described) -> Instance:
    """An instance, from DescribeInstances."""
    tags = {tag["Key"]: tag.get("Value") or "" for tag in described.get("Tags", ())}
    placement = described.get("Placement") or {}
    return Instance(
        id=described["InstanceId"],
        region=intern(region),
        az=intern(placement.get("AvailabilityZone") or ""),
        instance_type=intern(described["InstanceType"]),
        lifecycle=_lifecycle(described.get("InstanceLifecycle")),
        state=intern(described["State"]["Name"]),
        architecture=intern(described.get("Architecture") or "x86_64"),
        virtualization=intern(described.get("VirtualizationType") or "hvm"),
        product=intern(_product(described)),
        tenancy=intern(placement.get("Tenancy") or "default"),
        subnet_id=intern(described["SubnetId"]) if described.get("SubnetId") else None,
        launch_time=seconds(described.get("LaunchTime")) or 0.0,
        group=intern(tags[TAG_GROUP_OF_INSTANCE]) if TAG_GROUP_OF_INSTANCE in tags else None,
        cluster=cluster_of(tags),
        launched_for=tags.get(TAG_LAUNCH),
        stands_for=intern(tags[TAG_STANDS_FOR]) if TAG_STANDS_FOR in tags else None,
        pinned=tags.get(TAG_KEEP, "").strip().lower() == "true",
    )


def _lifecycle(stated: str | None) -> Lifecycle:
    """EC2 leaves it out for on-demand; besides Spot there are scheduled instances and capacity blocks."""
    if not stated:
        return Lifecycle.ON_DEMAND
    return Lifecycle.SPOT if stated == "spot" else Lifecycle.OTHER


def _product(described: Described) -> str:
    stated: str | None = described.get("PlatformDetails")
    if stated:
        return stated
    return "Windows" if str(described.get("Platform", "")).lower() == "windows" else "Linux/UNIX"


def cluster_of(tags: Mapping[str, str]) -> str | None:
    """The Kubernetes cluster whose node an instance with these tags is; None if it is no node."""
    for tag in CLUSTER_TAGS:
        if tags.get(tag):
            return intern(tags[tag])
    for tag in tags:
        for prefix in CLUSTER_TAG_PREFIXES:
            if tag.startswith(prefix) and len(tag) > len(prefix):
                return intern(tag.removeprefix(prefix))
    return None


def instance_type_of(described: Described) -> InstanceType:
    """A type, from DescribeInstanceTypes."""
    network, ebs = described.get("NetworkInfo") or {}, described.get("EbsInfo") or {}
    storage = described.get("InstanceStorageInfo") or {}
    disks = storage.get("Disks", ())
    gpu = described.get("GpuInfo") or {}
    return InstanceType(
        name=intern(described["InstanceType"]),
        vcpu=int(described["VCpuInfo"]["DefaultVCpus"]),
        memory_mib=int(described["MemoryInfo"]["SizeInMiB"]),
        architectures=frozenset(described["ProcessorInfo"]["SupportedArchitectures"]),
        virtualizations=frozenset(described.get("SupportedVirtualizationTypes", ("hvm",))),
        gpus=_count(gpu.get("Gpus", ())),
        gpu_memory_mib=int(gpu.get("TotalGpuMemoryInMiB") or 0),
        accelerators=_accelerators(described),
        local_disk_gb=int(storage.get("TotalSizeInGB") or 0),
        local_disks=_count(disks),
        local_ssd=bool(disks) and all(disk.get("Type") == "ssd" for disk in disks),
        burstable=bool(described.get("BurstablePerformanceSupported")),
        flex=FLEX_SIGN in described["InstanceType"],
        bare_metal=bool(described.get("BareMetal")),
        nvme_required=ebs.get("NvmeSupport") == "required",
        ena_required=network.get("EnaSupport") == "required",
        network_interfaces_max=int(network.get("MaximumNetworkInterfaces") or 0),
        spot="spot" in described.get("SupportedUsageClasses", ("spot",)),
    )


def _accelerators(described: Described) -> int:
    """Inference chips are told twice, by an older and a newer field; FPGAs and media accelerators by their own."""
    inference = _count((described.get("InferenceAcceleratorInfo") or {}).get("Accelerators", ()))
    neuron = _count((described.get("NeuronInfo") or {}).get("NeuronDevices", ()))
    fpga = _count((described.get("FpgaInfo") or {}).get("Fpgas", ()))
    media = _count((described.get("MediaAcceleratorInfo") or {}).get("Accelerators", ()))
    return max(inference, neuron) + fpga + media


def _count(devices: Iterable[Described]) -> int:
    return sum(int(device.get("Count") or 0) for device in devices)


def seconds(stated: object) -> float | None:
    """Unix seconds of a time, as botocore gives it: parsed, or as the text that AWS wrote."""
    if isinstance(stated, datetime):
        return stated.timestamp()
    return datetime.fromisoformat(stated).timestamp() if isinstance(stated, str) and stated else None


def literal(value: str) -> str:
    """A value for an EC2 filter that matches itself alone: `*` and `?` are wildcards there."""
    return value.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")


def _interned(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(intern(name) for name in names)
