"""Groups of every make in one region, built as their owner would."""

from typing import Any

from spotward.emulator.server import Emulator
from spotward.emulator.stage import GroupPlan, StageHand

BID = {"template": 0.081, "configuration": 0.082, "mixed": 0.083}
"""Group → what its owner pays for an hour at most."""

SIZE = 2


class Street:
    """`on-demand`, and one group of Spot members by each of the ways in which a group can ask for them."""

    def __init__(self, cloud: Emulator, region: str) -> None:
        self.cloud, self.region = cloud, region
        self.hand = StageHand(cloud.url, region=region)
        self.network = self.hand.build_network()
        self.hand.build_group(self.network, GroupPlan(name="on-demand", size=SIZE))
        template = self._template("spot", InstanceMarketOptions=_spot(BID["template"]))
        self._group("template", LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"})
        self.hand.autoscaling.create_launch_configuration(
            LaunchConfigurationName="spot",
            ImageId=self.network.image_id,
            InstanceType="m5.large",
            SecurityGroups=[self.network.security_group_id],
            SpotPrice=str(BID["configuration"]),
        )
        self._group("configuration", LaunchConfigurationName="spot")
        self._group("mixed", MixedInstancesPolicy=self._mixed(SpotMaxPrice=str(BID["mixed"])))
        self._group("unlimited", MixedInstancesPolicy=self._mixed())
        names = ("on-demand", *BID, "unlimited")
        self.hand.wait_in_service([GroupPlan(name=name, size=SIZE) for name in names])

    def resize(self, name: str, size: int) -> None:
        """Now, and until all its members serve."""
        self.hand.autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, DesiredCapacity=size, MaxSize=size)
        self.hand.wait_in_service([GroupPlan(name=name, size=size)])

    def members(self, name: str) -> list[dict[str, Any]]:
        """As Auto Scaling lists them."""
        answer = self.hand.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return [dict(each) for each in answer["AutoScalingGroups"][0]["Instances"]]

    def _group(self, name: str, **source: Any) -> None:
        self.hand.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=0,
            MaxSize=2 * SIZE,
            DesiredCapacity=SIZE,
            VPCZoneIdentifier=",".join(self.network.subnet_ids),
            **source,
        )

    def _template(self, name: str, **rest: Any) -> str:
        data: Any = {"ImageId": self.network.image_id, "InstanceType": "m5.large", **rest}
        made = self.hand.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
        return str(made["LaunchTemplate"]["LaunchTemplateId"])

    def _mixed(self, **distribution: str) -> dict[str, Any]:
        template = self._template(f"mixed-{len(distribution)}")
        return {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {"LaunchTemplateId": template, "Version": "$Latest"},
                "Overrides": [{"InstanceType": "m5.large"}],
            },
            "InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": 0, **distribution},
        }


def _spot(limit: float) -> dict[str, Any]:
    return {"MarketType": "spot", "SpotOptions": {"MaxPrice": str(limit), "SpotInstanceType": "one-time"}}
