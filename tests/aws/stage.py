"""Groups and what belongs to them, set up in moto; and a clock that is moved by hand."""

from typing import Any

from tests.aws.conftest import IMAGE, REGION, Moto
from tests.hand_clock import HandClock

NOW = 1_795_000_000.0


def subnets(moto: Moto) -> list[dict[str, Any]]:
    """The default subnets of the region, by zone."""
    found: list[dict[str, Any]] = moto.client("ec2").describe_subnets()["Subnets"]
    return sorted(found, key=lambda each: each["AvailabilityZone"])


def template(moto: Moto, **data: Any) -> str:
    """A launch template; its id."""
    ec2 = moto.client("ec2")
    made = ec2.create_launch_template(
        LaunchTemplateName=f"template-{len(ec2.describe_launch_templates()['LaunchTemplates'])}",
        LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "m5.large", **data},
    )
    return str(made["LaunchTemplate"]["LaunchTemplateId"])


def group(moto: Moto, name: str, *, size: int = 2, tags: dict[str, str] | None = None, **rest: Any) -> None:
    """An Auto Scaling group of a launch template over two zones, opted in unless its tags say otherwise."""
    two = subnets(moto)[:2]
    if not {"LaunchConfigurationName", "LaunchTemplate", "MixedInstancesPolicy"} & set(rest):
        rest["LaunchTemplate"] = {"LaunchTemplateId": template(moto), "Version": "$Latest"}
    moto.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=0,
        MaxSize=size * 2,
        DesiredCapacity=size,
        VPCZoneIdentifier=",".join(each["SubnetId"] for each in two),
        Tags=[
            {"Key": key, "Value": value, "PropagateAtLaunch": key == "team"}
            for key, value in ({"spotward:enabled": "true"} if tags is None else tags).items()
        ],
        **rest,
    )


def members(moto: Moto, name: str) -> list[str]:
    """Ids of a group's members."""
    groups = moto.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    return [each["InstanceId"] for each in groups["AutoScalingGroups"][0]["Instances"]]


__all__ = ["NOW", "REGION", "HandClock", "group", "members", "subnets", "template"]
