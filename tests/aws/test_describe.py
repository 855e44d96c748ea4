"""What AWS describes, as values."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from spotward.aws.describe import cluster_of, group_of, instance_of, instance_type_of, literal, seconds
from spotward.model.cloud import LaunchSource, Lifecycle, Member

GROUP: dict[str, Any] = {
    "AutoScalingGroupName": "web",
    "MinSize": 1,
    "MaxSize": 4,
    "DesiredCapacity": 2,
    "AvailabilityZones": ["us-east-1a", "us-east-1b"],
    "HealthCheckType": "ELB",
    "HealthCheckGracePeriod": 300,
}
INSTANCE: dict[str, Any] = {
    "InstanceId": "i-1",
    "InstanceType": "m5.large",
    "State": {"Code": 16, "Name": "running"},
    "Placement": {"AvailabilityZone": "us-east-1a", "Tenancy": "default"},
    "LaunchTime": "2026-11-22T14:05:09.000Z",
}
TYPE: dict[str, Any] = {
    "InstanceType": "m5.large",
    "VCpuInfo": {"DefaultVCpus": 2},
    "MemoryInfo": {"SizeInMiB": 8192},
    "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
    "SupportedVirtualizationTypes": ["hvm"],
    "SupportedUsageClasses": ["on-demand", "spot"],
}


def test_a_group_is_read_whole() -> None:
    group = group_of(
        "us-east-1",
        {
            **GROUP,
            "VPCZoneIdentifier": "subnet-1, subnet-2",
            "LaunchTemplate": {"LaunchTemplateId": "lt-1", "LaunchTemplateName": "x", "Version": "3"},
            "Instances": [
                {
                    "InstanceId": "i-1",
                    "InstanceType": "m5.large",
                    "AvailabilityZone": "us-east-1a",
                    "LifecycleState": "InService",
                    "HealthStatus": "Unhealthy",
                    "ProtectedFromScaleIn": True,
                }
            ],
            "Tags": [
                {"Key": "team", "Value": "a", "PropagateAtLaunch": True},
                {"Key": "spotward:enabled", "Value": "true", "PropagateAtLaunch": False},
                {"Key": "empty", "PropagateAtLaunch": True},
            ],
            "SuspendedProcesses": [{"ProcessName": "AZRebalance", "SuspensionReason": "by user"}],
            "TargetGroupARNs": ["arn:t"],
            "LoadBalancerNames": ["classic"],
            "CapacityRebalance": True,
            "Status": "Delete in progress",
        },
    )
    assert group.id == "us-east-1/web"
    assert (group.min_size, group.max_size, group.desired) == (1, 4, 2)
    assert group.subnet_ids == ("subnet-1", "subnet-2")
    assert group.launch == LaunchSource(template_id="lt-1", template_version="3")
    assert group.members == (
        Member(
            instance_id="i-1",
            instance_type="m5.large",
            az="us-east-1a",
            lifecycle_state="InService",
            healthy=False,
            protected=True,
        ),
    )
    assert group.tags == {"team": "a", "spotward:enabled": "true", "empty": ""}
    assert group.propagated == ("team", "empty")
    assert group.suspended == {"AZRebalance"}
    assert (group.target_groups, group.load_balancers) == (("arn:t",), ("classic",))
    assert (group.health_check_type, group.grace_seconds) == ("ELB", 300)
    assert group.capacity_rebalance
    assert group.status == "Delete in progress"


def test_a_template_without_a_version_means_the_default_one() -> None:
    group = group_of("us-east-1", {**GROUP, "LaunchTemplate": {"LaunchTemplateId": "lt-1"}})
    assert group.launch == LaunchSource(template_id="lt-1", template_version="$Default")


def test_a_launch_configuration_is_a_launch_source_too() -> None:
    assert group_of("us-east-1", {**GROUP, "LaunchConfigurationName": "lc"}).launch == LaunchSource(configuration="lc")


@pytest.mark.parametrize(
    ("distribution", "asks"),
    [
        (None, False),
        ({}, False),
        ({"OnDemandPercentageAboveBaseCapacity": 100}, False),
        ({"OnDemandPercentageAboveBaseCapacity": 99}, True),
        ({"OnDemandPercentageAboveBaseCapacity": 0}, True),
    ],
)
def test_a_mixed_instances_policy_asks_for_spot_unless_all_is_on_demand(distribution: object, asks: bool) -> None:
    specification = {"LaunchTemplateId": "lt-1", "Version": "1"}
    policy = {
        "LaunchTemplate": {"LaunchTemplateSpecification": specification},
        "InstancesDistribution": distribution,
    }
    group = group_of("us-east-1", {**GROUP, "MixedInstancesPolicy": policy})
    assert (group.mixed, group.mixed_spot) == (True, asks)
    assert group.launch == LaunchSource(template_id="lt-1", template_version="1")


def test_an_instance_is_read_whole() -> None:
    instance = instance_of(
        "us-east-1",
        {
            **INSTANCE,
            "InstanceLifecycle": "spot",
            "Architecture": "arm64",
            "VirtualizationType": "hvm",
            "PlatformDetails": "SUSE Linux",
            "SubnetId": "subnet-1",
            "Tags": [
                {"Key": "aws:autoscaling:groupName", "Value": "web"},
                {"Key": "spotward:launch", "Value": "key"},
                {"Key": "spotward:stands-for", "Value": "m5.large"},
                {"Key": "spotward:keep", "Value": "True "},
                {"Key": "kubernetes.io/cluster/prod", "Value": "owned"},
            ],
        },
    )
    assert (instance.id, instance.az, instance.state) == ("i-1", "us-east-1a", "running")
    assert instance.lifecycle is Lifecycle.SPOT
    assert (instance.architecture, instance.product, instance.subnet_id) == ("arm64", "SUSE Linux", "subnet-1")
    assert instance.launch_time == datetime(2026, 11, 22, 14, 5, 9, tzinfo=UTC).timestamp()
    assert (instance.group, instance.launched_for, instance.stands_for) == ("web", "key", "m5.large")
    assert (instance.pinned, instance.cluster) == (True, "prod")


@pytest.mark.parametrize(
    ("stated", "lifecycle"),
    [
        (None, Lifecycle.ON_DEMAND),
        ("spot", Lifecycle.SPOT),
        ("scheduled", Lifecycle.OTHER),
        ("capacity-block", Lifecycle.OTHER),
    ],
)
def test_whatever_is_neither_on_demand_nor_spot_is_told_apart(stated: str | None, lifecycle: Lifecycle) -> None:
    assert instance_of("us-east-1", {**INSTANCE, "InstanceLifecycle": stated}).lifecycle is lifecycle


def test_windows_is_known_even_without_platform_details() -> None:
    assert instance_of("us-east-1", {**INSTANCE, "Platform": "windows"}).product == "Windows"


def test_words_that_repeat_are_kept_once() -> None:
    first = instance_of("us-east-1", {**INSTANCE, "InstanceType": json.loads('"m5.large"')})
    second = instance_of("us-east-1", {**INSTANCE, "InstanceType": json.loads('"m5.large"')})
    assert first.instance_type is second.instance_type


@pytest.mark.parametrize(
    ("tags", "cluster"),
    [
        ({"Name": "web"}, None),
        ({"eks:cluster-name": "a"}, "a"),
        ({"aws:eks:cluster-name": "a"}, "a"),
        ({"alpha.eksctl.io/cluster-name": "a"}, "a"),
        ({"KubernetesCluster": "a.example.com"}, "a.example.com"),
        ({"kubernetes.io/cluster/a": "shared"}, "a"),
        ({"kubernetes.io/cluster/": "owned"}, None),
    ],
)
def test_a_kubernetes_node_is_known_by_its_tags(tags: dict[str, str], cluster: str | None) -> None:
    assert cluster_of(tags) == cluster


def test_a_type_is_read_whole() -> None:
    kind = instance_type_of(
        {
            **TYPE,
            "GpuInfo": {"Gpus": [{"Count": 4, "MemoryInfo": {"SizeInMiB": 16384}}], "TotalGpuMemoryInMiB": 65536},
            "InferenceAcceleratorInfo": {"Accelerators": [{"Count": 2}]},
            "NeuronInfo": {"NeuronDevices": [{"Count": 2}]},
            "FpgaInfo": {"Fpgas": [{"Count": 1}]},
            "InstanceStorageInfo": {"TotalSizeInGB": 600, "Disks": [{"SizeInGB": 300, "Count": 2, "Type": "ssd"}]},
            "BurstablePerformanceSupported": True,
            "BareMetal": True,
            "EbsInfo": {"NvmeSupport": "required"},
            "NetworkInfo": {"EnaSupport": "supported", "MaximumNetworkInterfaces": 3},
        }
    )
    assert (kind.vcpu, kind.memory_mib) == (2, 8192)
    assert (kind.gpus, kind.gpu_memory_mib, kind.accelerators) == (4, 65536, 3)
    assert (kind.local_disks, kind.local_disk_gb, kind.local_ssd) == (2, 600, True)
    assert (kind.burstable, kind.bare_metal, kind.nvme_required, kind.ena_required) == (True, True, True, False)
    assert kind.network_interfaces_max == 3
    assert kind.spot


@pytest.mark.parametrize(("name", "flex"), [("m7i-flex.large", True), ("m7i.large", False)])
def test_a_flex_type_is_known_by_its_name(name: str, flex: bool) -> None:
    assert instance_type_of({**TYPE, "InstanceType": name}).flex is flex


def test_a_type_without_local_disks_has_no_ssd() -> None:
    assert not instance_type_of(TYPE).local_ssd


def test_a_type_that_is_not_sold_as_spot_is_told() -> None:
    assert not instance_type_of({**TYPE, "SupportedUsageClasses": ["on-demand"]}).spot


@pytest.mark.parametrize(
    ("stated", "unix"),
    [
        (None, None),
        ("2026-11-22T14:05:09Z", 1795356309.0),
        ("2026-11-22T14:05:09.500Z", 1795356309.5),
        (datetime(2026, 11, 22, 14, 5, 9, tzinfo=UTC), 1795356309.0),
    ],
)
def test_a_time_is_unix_seconds_however_it_was_parsed(stated: object, unix: float | None) -> None:
    assert seconds(stated) == unix


def test_a_filter_value_matches_itself_alone() -> None:
    assert literal(r"web-*?\x") == r"web-\*\?\\x"
