"""A small virtual region to act in: three zones, a handful of types, calm pools that a test disturbs as it likes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spotward.sim.cloud import Cloud
from spotward.sim.errors import ApiError
from spotward.sim.pools import Pools
from spotward.sim.scenario import Scenario
from spotward.sim.shocks import PoolShock, Shock
from spotward.sim.timings import Timings

REGION, ACCOUNT = "us-east-1", "123456789012"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
START = 1_780_000_000.0
IMAGE = "ami-0123456789abcdef0"
ARM_IMAGE = "ami-0aaaaaaaaaaaaaaaa"
GROUP_TAG = "aws:autoscaling:groupName"
TARGETS = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/web/0123456789abcdef"
QUEUE, TOPIC = f"arn:aws:sqs:{REGION}:{ACCOUNT}:hooks", f"arn:aws:sns:{REGION}:{ACCOUNT}:hooks"


def type_entry(name: str, vcpus: int, memory_mib: int, *, architecture: str = "x86_64") -> dict[str, Any]:
    return {
        "InstanceType": name,
        "CurrentGeneration": True,
        "BareMetal": False,
        "BurstablePerformanceSupported": name.startswith("t"),
        "MemoryInfo": {"SizeInMiB": memory_mib},
        "ProcessorInfo": {"SupportedArchitectures": [architecture], "SustainedClockSpeedInGhz": 3.1},
        "SupportedUsageClasses": ["on-demand", "spot"],
        "VCpuInfo": {"DefaultVCpus": vcpus},
    }


TYPES = {
    entry["InstanceType"]: entry
    for entry in (
        type_entry("m5.large", 2, 8192),
        type_entry("m5.xlarge", 4, 16384),
        type_entry("m5a.large", 2, 8192),
        type_entry("m6i.large", 2, 8192),
        type_entry("c5.large", 2, 4096),
        type_entry("m6g.large", 2, 8192, architecture="arm64"),
        type_entry("t3.large", 2, 8192),
    )
}


class FlatPrices:
    """Every pool has a price of its own that never moves, unless a test says otherwise."""

    def __init__(self) -> None:
        self.fixed: dict[tuple[str, str], float] = {}
        self.steps: dict[tuple[str, str], list[tuple[float, float]]] = {}

    def at(self, instance_type: str, az: str, product: str, time: float) -> float | None:
        return self.changes(instance_type, az, product, time, time)[0][1]

    def changes(
        self, instance_type: str, az: str, product: str, since: float, until: float
    ) -> Sequence[tuple[float, float]]:
        pool = (instance_type, az)
        usual = 0.02 + 0.001 * sorted(TYPES).index(instance_type) + 0.0001 * ZONES.index(az)
        usual += 0.05 if product == "Windows" else 0.0
        steps = [(START - 3600.0, self.fixed.get(pool, usual)), *self.steps.get(pool, [])]
        standing = max(step for step in steps if step[0] <= max(since, START - 3600.0))
        return [standing, *(step for step in steps if max(since, standing[0]) < step[0] <= until)]


class Town:
    """The surroundings: one VPC with a subnet per zone, two images, a target group behind a load balancer."""

    def __init__(self) -> None:
        self.subnets = {
            f"subnet-{zone[-1]}": {
                "SubnetId": f"subnet-{zone[-1]}",
                "AvailabilityZone": zone,
                "VpcId": "vpc-1",
                "CidrBlock": "10.1.0.0/16",
            }
            for zone in ZONES
        }
        self.images = {
            name: {
                "ImageId": name,
                "Architecture": architecture,
                "PlatformDetails": "Linux/UNIX",
                "UsageOperation": "RunInstances",
                "RootDeviceName": "/dev/xvda",
                "RootDeviceType": "ebs",
                "VirtualizationType": "hvm",
                "BlockDeviceMappings": [
                    {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "DeleteOnTermination": True}}
                ],
            }
            for name, architecture in ((IMAGE, "x86_64"), (ARM_IMAGE, "arm64"))
        }
        self.security_groups = {"sg-1": "web servers"}
        self.notification_targets = {QUEUE, TOPIC}
        self.target_groups: dict[str, dict[str, Any]] = {
            TARGETS: {
                "TargetGroupArn": TARGETS,
                "TargetType": "instance",
                "Port": 8080,
                "HealthCheckIntervalSeconds": 10,
                "UnhealthyThresholdCount": 2,
                "LoadBalancerArns": ["arn:aws:elasticloadbalancing:…:loadbalancer/app/web/1"],
            }
        }

    def subnet(self, subnet_id: str) -> Mapping[str, Any] | None:
        return self.subnets.get(subnet_id)

    def default_subnet(self, az: str) -> Mapping[str, Any] | None:
        return self.subnets.get(f"subnet-{az[-1]}")

    def image(self, image_id: str) -> Mapping[str, Any] | None:
        return self.images.get(image_id)

    def security_group(self, group_id: str) -> Mapping[str, Any] | None:
        name = self.security_groups.get(group_id)
        return None if name is None else {"GroupId": group_id, "GroupName": name}

    def notification_target_exists(self, arn: str) -> bool:
        return arn in self.notification_targets

    def target_group(self, arn: str) -> Mapping[str, Any] | None:
        return self.target_groups.get(arn)


class Scene:
    """The region, its clock, and short words for what tests do most."""

    def __init__(self, *shocks: Shock, seed: int = 7, timings: Timings | None = None) -> None:
        calm = PoolShock(at_seconds=0, pool="*", spot_capacity=100, rebalance=False)
        self.prices = FlatPrices()
        self.pools = Pools(
            region=REGION,
            seed=seed,
            prices=self.prices,
            start_time=START,
            scenario=Scenario(shocks=(calm, *shocks)),
        )
        self.town = Town()
        self.time = START
        self.cloud = Cloud(
            region=REGION,
            account=ACCOUNT,
            seed=seed,
            pools=self.pools,
            start_time=START,
            instance_types=TYPES,
            offerings={zone: [name for name in TYPES if (name, zone) != ("m5a.large", ZONES[2])] for zone in ZONES},
            surroundings=self.town,
            timings=timings,
            list_price=lambda name, _: 0.1 if name.endswith(".large") else 0.2,
        )

    # -- acting ------------------------------------------------------------------------------------------------------

    def ec2(self, operation: str, **params: Any) -> dict[str, Any]:
        return self.cloud.call(f"ec2.{operation}", params, time=self.time)

    def asg(self, operation: str, **params: Any) -> dict[str, Any]:
        return self.cloud.call(f"autoscaling.{operation}", params, time=self.time)

    def elb(self, operation: str, **params: Any) -> dict[str, Any]:
        return self.cloud.call(f"elbv2.{operation}", params, time=self.time)

    def wait(self, seconds: float) -> None:
        self.time += seconds
        self.cloud.advance(self.time)

    def shock(self, pool: str, **what: Any) -> None:
        """From now on."""
        self.cloud.advance(self.time)
        self.pools.shock(PoolShock(at_seconds=self.time - START, pool=pool, **what))
        self.cloud.recheck_pools()

    # -- short words -------------------------------------------------------------------------------------------------

    def run(self, count: int = 1, *, spot: bool = False, **params: Any) -> list[str]:
        """Launch, wait until they run, and give their ids."""
        market = {"InstanceMarketOptions": {"MarketType": "spot"}} if spot else {}
        wanted = {"ImageId": IMAGE, "InstanceType": "m5.large", "SubnetId": "subnet-a", **market, **params}
        answer = self.ec2("RunInstances", MinCount=count, MaxCount=count, **wanted)
        self.wait(60)
        return [one["InstanceId"] for one in answer["Instances"]]

    def template(self, name: str = "web", **data: Any) -> str:
        wanted = {"ImageId": IMAGE, "InstanceType": "m5.large", "SecurityGroupIds": ["sg-1"], **data}
        answer = self.ec2("CreateLaunchTemplate", LaunchTemplateName=name, LaunchTemplateData=wanted)
        return str(answer["LaunchTemplate"]["LaunchTemplateId"])

    def group(self, name: str = "web", desired: int = 3, **params: Any) -> str:
        """A group over all zones, at rest when this returns."""
        if not {"LaunchConfigurationName", "LaunchTemplate", "MixedInstancesPolicy"} & params.keys():
            params["LaunchTemplate"] = {"LaunchTemplateId": self.template(f"for-{name}"), "Version": "$Latest"}
        sizes = {"MinSize": 0, "MaxSize": 10, "DesiredCapacity": desired}
        zones = {"VPCZoneIdentifier": "subnet-a,subnet-b,subnet-c"}
        self.asg("CreateAutoScalingGroup", AutoScalingGroupName=name, **{**sizes, **zones, **params})
        self.wait(120)
        return name

    def fleet(self, count: int, *overrides: Mapping[str, Any], **params: Any) -> dict[str, Any]:
        """An instant fleet of Spot, price-capacity-optimized unless told otherwise."""
        template = params.pop("template", None) or self.template(f"fleet-{len(overrides)}-{self.time}")
        wanted = {
            "Type": "instant",
            "LaunchTemplateConfigs": [
                {
                    "LaunchTemplateSpecification": {"LaunchTemplateId": template, "Version": "$Latest"},
                    "Overrides": list(overrides),
                }
            ],
            "TargetCapacitySpecification": {"TotalTargetCapacity": count, "DefaultTargetCapacityType": "spot"},
            "SpotOptions": {"AllocationStrategy": "price-capacity-optimized"},
        }
        return self.ec2("CreateFleet", **{**wanted, **params})

    # -- looking -----------------------------------------------------------------------------------------------------

    def instance(self, instance_id: str) -> dict[str, Any]:
        found = self.ec2("DescribeInstances", InstanceIds=[instance_id])["Reservations"]
        return dict(found[0]["Instances"][0])

    def instances(self, *filters: tuple[str, Sequence[str]]) -> list[dict[str, Any]]:
        given = [{"Name": name, "Values": list(values)} for name, values in filters]
        found = self.ec2("DescribeInstances", Filters=given)["Reservations"]
        return [one for reservation in found for one in reservation["Instances"]]

    def state(self, instance_id: str) -> str:
        return str(self.instance(instance_id)["State"]["Name"])

    def shown(self, name: str = "web") -> dict[str, Any]:
        """The group as it is described; empty when it is gone."""
        found = self.asg("DescribeAutoScalingGroups", AutoScalingGroupNames=[name])["AutoScalingGroups"]
        return dict(found[0]) if found else {}

    def members(self, name: str = "web", state: str | None = "InService") -> list[str]:
        entries = self.shown(name).get("Instances", [])
        return [one["InstanceId"] for one in entries if state in (None, one["LifecycleState"])]

    def zones(self, name: str = "web") -> list[int]:
        """How many members in service each zone has."""
        entries = [one for one in self.shown(name)["Instances"] if one["LifecycleState"] == "InService"]
        return [sum(one["AvailabilityZone"] == zone for one in entries) for zone in ZONES]

    def causes(self, name: str = "web") -> list[str]:
        """Newest first."""
        found = self.asg("DescribeScalingActivities", AutoScalingGroupName=name)["Activities"]
        return [one["Cause"] for one in found]

    def lifecycle(self, name: str = "web") -> dict[str, str]:
        """Member -> its state in the group."""
        return {one["InstanceId"]: one["LifecycleState"] for one in self.shown(name)["Instances"]}

    def hook(self, name: str = "drain", transition: str = "TERMINATING", **params: Any) -> None:
        """A lifecycle hook on the group `web`."""
        transition = f"autoscaling:EC2_INSTANCE_{transition}"
        group = params.pop("AutoScalingGroupName", "web")
        self.asg(
            "PutLifecycleHook",
            AutoScalingGroupName=group,
            LifecycleHookName=name,
            LifecycleTransition=transition,
            **params,
        )

    def terminate(self, instance_id: str, *, decrement: bool = False) -> None:
        """Through its group."""
        self.asg(
            "TerminateInstanceInAutoScalingGroup",
            InstanceId=instance_id,
            ShouldDecrementDesiredCapacity=decrement,
        )

    def events(self, *detail_types: str) -> list[dict[str, Any]]:
        return [one for one in self.cloud.take_events() if not detail_types or one["detail-type"] in detail_types]


def refusal(error: ApiError) -> tuple[str, str]:
    return error.code, error.message
