"""Setting a stage: an account with something in it, built through the API as its owner would have built it.

For the demonstration, the tests and the benchmarks. Everything goes over HTTP with boto3, under an access key of its
own (`STAGE_ACCESS_KEY`), so that the stage hand is neither throttled nor counted among the players.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from spotward.emulator.front import STAGE_ACCESS_KEY
from spotward.engine.clock import SystemClock

OPT_IN_TAG = "spotward:enabled"

_EVENTS = {
    "aws.ec2": (
        "EC2 Spot Instance Interruption Warning",
        "EC2 Instance Rebalance Recommendation",
        "EC2 Instance State-change Notification",
    ),
    "aws.autoscaling": (
        "EC2 Instance Launch Successful",
        "EC2 Instance Launch Unsuccessful",
        "EC2 Instance Terminate Successful",
        "EC2 Instance Terminate Unsuccessful",
        "EC2 Instance-launch Lifecycle Action",
        "EC2 Instance-terminate Lifecycle Action",
    ),
    "aws.health": ("AWS Health Event",),
}
"""Source -> what Spotward wants to hear from it."""

_DISK_GIB = 20

_IMAGES = "amzn2-ami-hvm-2.0.*-x86_64-gp2"
"""Amazon Linux 2, which moto has in every region."""

_THREADS = 8
"""Calls at once when many groups are made."""


class StageError(Exception):
    """The stage could not be set; what is missing, and for how long it was waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPlan:
    """One Auto Scaling group to be."""

    name: str
    size: int
    instance_type: str = "m5.large"
    opted_in: bool = True
    with_configuration: bool = False
    """Made from a launch configuration instead of a launch template."""
    balanced: bool = False
    """Behind a load balancer's target group."""
    size_max: int | None = None
    """None: twice the size."""
    zones: int = 3
    tags: tuple[tuple[str, str], ...] = ()
    """Further tags, such as `spotward:on-demand-base`."""


DEMO_GROUPS = (
    GroupPlan(name="web", size=6, instance_type="m5.large", balanced=True, size_max=20),
    GroupPlan(name="batch", size=4, instance_type="c5.xlarge", with_configuration=True),
    GroupPlan(name="billing", size=3, instance_type="r5.large", opted_in=False),
)
"""One behind a target group, one with a launch configuration, one that has not opted in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Where a region's groups stand."""

    vpc_id: str
    subnet_ids: tuple[str, ...]
    """One in each of the first three zones (fewer where the region has fewer)."""
    zones: tuple[str, ...]
    security_group_id: str
    image_id: str
    root_device: str
    """Where that image's root volume is attached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What was set."""

    region: str
    network: Network
    queue_url: str
    groups: tuple[str, ...]
    target_groups: tuple[str, ...] = ()


class StageHand:
    """Builds in one region. The methods may be called in any order after `build_network`."""

    def __init__(self, url: str, *, region: str = "us-east-1") -> None:
        """`url`: the embedded cloud's endpoint (plain moto server's will do for all but the virtual market)."""
        self.region = region
        options: dict[str, Any] = {
            "endpoint_url": url,
            "region_name": region,
            "aws_access_key_id": STAGE_ACCESS_KEY,
            "aws_secret_access_key": "stage",
            "config": Config(retries={"mode": "standard", "max_attempts": 5}, max_pool_connections=_THREADS),
        }
        session = boto3.session.Session()
        self.ec2 = session.client("ec2", **options)
        self.autoscaling = session.client("autoscaling", **options)
        self.elbv2 = session.client("elbv2", **options)
        self.events = session.client("events", **options)
        self.sqs = session.client("sqs", **options)
        self._lock = threading.Lock()
        self._templates: dict[str, str] = {}
        self._configurations: set[str] = set()

    def build_network(self, *, cidr: str = "10.0.0.0/16") -> Network:
        """A VPC with a subnet in each of the first three zones, a security group, and an image of Linux for x86_64."""
        zones = [zone["ZoneName"] for zone in self.ec2.describe_availability_zones()["AvailabilityZones"]][:3]
        vpc_id = self.ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
        first, second, *_ = cidr.split(".")
        subnets = [
            self.ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"{first}.{second}.{64 * at}.0/18", AvailabilityZone=zone)
            for at, zone in enumerate(zones)
        ]
        security_group = self.ec2.create_security_group(GroupName="stage", Description="All members", VpcId=vpc_id)
        image = self._image()
        return Network(
            vpc_id=vpc_id,
            subnet_ids=tuple(one["Subnet"]["SubnetId"] for one in subnets),
            zones=tuple(zones),
            security_group_id=security_group["GroupId"],
            image_id=image["ImageId"],
            root_device=image["RootDeviceName"],
        )

    def _image(self) -> Any:
        # By name, because moto takes more than a second to describe all the 2,500 images of a large region.
        wanted = {"name": _IMAGES, "architecture": "x86_64", "virtualization-type": "hvm", "state": "available"}
        filters: Any = [{"Name": name, "Values": [value]} for name, value in wanted.items()]
        images = self.ec2.describe_images(Filters=filters, Owners=["amazon"])["Images"]
        if not images:
            raise StageError(f"{self.region} has no image called {_IMAGES}; choose another region")
        return min(images, key=lambda image: image["ImageId"])

    def build_queue(self, name: str = "spotward") -> str:
        """A queue, and EventBridge rules that lead to it all that Spotward wants to hear; answers with its URL."""
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": arn,
                }
            ],
        }
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        for source, kinds in _EVENTS.items():
            rule = f"{name}-{source.replace('.', '-')}"
            self.events.put_rule(Name=rule, EventPattern=json.dumps({"source": [source], "detail-type": list(kinds)}))
            self.events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": arn}])
        return url

    def build_target_group(self, network: Network, name: str) -> str:
        """A target group in use by a load balancer; answers with its ARN."""
        group = self.elbv2.create_target_group(
            Name=name,
            Protocol="HTTP",
            Port=80,
            VpcId=network.vpc_id,
            TargetType="instance",
            HealthCheckIntervalSeconds=10,
            HealthCheckTimeoutSeconds=5,
            HealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        balancer = self.elbv2.create_load_balancer(Name=name, Subnets=list(network.subnet_ids))["LoadBalancers"][0]
        self.elbv2.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
        )
        return group

    def build_group(self, network: Network, plan: GroupPlan, *, target_group: str | None = None) -> None:
        """An Auto Scaling group, which then launches its members by itself."""
        tags = {OPT_IN_TAG: "true"} if plan.opted_in else {}
        tags |= {"Name": plan.name, **dict(plan.tags)}
        source: dict[str, Any]
        if plan.with_configuration:
            source = {"LaunchConfigurationName": self._configuration(network, plan.instance_type)}
        else:
            template = self._template(network, plan.instance_type)
            source = {"LaunchTemplate": {"LaunchTemplateId": template, "Version": "$Latest"}}
        if target_group is not None:
            source |= {"TargetGroupARNs": [target_group], "HealthCheckType": "ELB", "HealthCheckGracePeriod": 60}
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=plan.name,
            MinSize=0,
            MaxSize=2 * plan.size if plan.size_max is None else plan.size_max,
            DesiredCapacity=plan.size,
            VPCZoneIdentifier=",".join(network.subnet_ids[: plan.zones]),
            Tags=[{"Key": key, "Value": value, "PropagateAtLaunch": key == "Name"} for key, value in tags.items()],
            **source,
        )

    def build_groups(self, network: Network, plans: Iterable[GroupPlan]) -> None:
        """Many groups, several calls at once."""
        several = list(plans)
        for plan in several:  # once each, before the threads ask for them all at the same time
            self._configuration(network, plan.instance_type) if plan.with_configuration else self._template(
                network, plan.instance_type
            )
        with ThreadPoolExecutor(_THREADS) as pool:
            for _ in pool.map(lambda plan: self.build_group(network, plan), several):
                pass

    def _template(self, network: Network, instance_type: str) -> str:
        with self._lock:
            if instance_type not in self._templates:
                made = self.ec2.create_launch_template(
                    LaunchTemplateName=f"stage-{instance_type.replace('.', '-')}",
                    LaunchTemplateData=self._launch_data(network, instance_type),
                )
                self._templates[instance_type] = made["LaunchTemplate"]["LaunchTemplateId"]
            return self._templates[instance_type]

    def _launch_data(self, network: Network, instance_type: str) -> Any:
        disk = {"VolumeSize": _DISK_GIB, "VolumeType": "gp3", "DeleteOnTermination": True}
        return {
            "ImageId": network.image_id,
            "InstanceType": instance_type,
            "SecurityGroupIds": [network.security_group_id],
            "BlockDeviceMappings": [{"DeviceName": network.root_device, "Ebs": disk}],
        }

    def _configuration(self, network: Network, instance_type: str) -> str:
        name = f"stage-{instance_type}"
        with self._lock:
            if name not in self._configurations:
                self.autoscaling.create_launch_configuration(
                    LaunchConfigurationName=name,
                    ImageId=network.image_id,
                    InstanceType=instance_type,
                    SecurityGroups=[network.security_group_id],
                    BlockDeviceMappings=[
                        {"DeviceName": network.root_device, "Ebs": {"VolumeSize": _DISK_GIB, "VolumeType": "gp3"}}
                    ],
                )
                self._configurations.add(name)
            return name

    def in_service(self, names: Sequence[str]) -> dict[str, int]:
        """Group -> how many of its members serve."""
        pages = self.autoscaling.get_paginator("describe_auto_scaling_groups").paginate(
            PaginationConfig={"PageSize": 100}
        )
        counts = {
            group["AutoScalingGroupName"]: sum(
                member["LifecycleState"] == "InService" for member in group.get("Instances", ())
            )
            for page in pages
            for group in page["AutoScalingGroups"]
        }
        return {name: counts.get(name, 0) for name in names}

    def wait_in_service(self, plans: Iterable[GroupPlan], *, seconds_max: float = 60.0) -> None:
        """Returns when all members serve. `seconds_max` are ours, not virtual ones. Raises StageError."""
        wanted = {plan.name: plan.size for plan in plans}
        clock, pause = SystemClock(), threading.Event()
        deadline = clock.now() + seconds_max
        while (serving := self.in_service(list(wanted))) != wanted:
            if clock.now() > deadline:
                missing = {name: size - serving[name] for name, size in wanted.items() if serving[name] != size}
                raise StageError(f"after {seconds_max:g} s members are missing: {missing}; is the cloud fast enough?")
            pause.wait(0.1)


def set_stage(
    url: str, *, region: str = "us-east-1", plans: Sequence[GroupPlan] = DEMO_GROUPS, seconds_max: float = 60.0
) -> Stage:
    """A whole stage, with all members serving: network, queue and rules, target groups, groups. Raises StageError."""
    hand = StageHand(url, region=region)
    network, queue_url = hand.build_network(), hand.build_queue()
    targets = {plan.name: hand.build_target_group(network, plan.name) for plan in plans if plan.balanced}
    for plan in plans:
        hand.build_group(network, plan, target_group=targets.get(plan.name))
    hand.wait_in_service(plans, seconds_max=seconds_max)
    return Stage(
        region=region,
        network=network,
        queue_url=queue_url,
        groups=tuple(plan.name for plan in plans),
        target_groups=tuple(targets.values()),
    )


def stage_many_groups(
    url: str,
    *,
    region: str = "us-east-1",
    count: int,
    size: int,
    opted_in: bool = True,
    instance_types: Sequence[str] = ("m5.large", "c5.xlarge", "r5.large"),
    seconds_max: float = 120.0,
) -> Stage:
    """`count` groups of `size` members each, of alternating types, all serving. Raises StageError."""
    hand = StageHand(url, region=region)
    network, queue_url = hand.build_network(), hand.build_queue()
    plans = [
        GroupPlan(
            name=f"group-{at:04d}", size=size, instance_type=instance_types[at % len(instance_types)], opted_in=opted_in
        )
        for at in range(count)
    ]
    hand.build_groups(network, plans)
    hand.wait_in_service(plans, seconds_max=seconds_max)
    return Stage(region=region, network=network, queue_url=queue_url, groups=tuple(plan.name for plan in plans))
