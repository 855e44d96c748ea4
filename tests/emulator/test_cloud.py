"""The virtual region over HTTP: boto3 and the aws command cannot tell it from EC2 and Auto Scaling."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from spotward.emulator import world
from spotward.emulator.server import Emulator
from spotward.emulator.stage import GroupPlan, Network, StageHand
from tests.emulator.clients import Clients, eventually, refused


@pytest.fixture(scope="module")
def template(hand: StageHand, network: Network) -> str:
    made = hand.ec2.create_launch_template(
        LaunchTemplateName="t", LaunchTemplateData={"ImageId": network.image_id, "InstanceType": "m5.large"}
    )
    found: str = made["LaunchTemplate"]["LaunchTemplateId"]
    return found


def fleet(network: Network, template: str, *types: str, count: int = 2, **more: Any) -> dict[str, Any]:
    """The parameters of an instant fleet of Spot instances."""
    overrides = [
        {"InstanceType": name, "SubnetId": subnet} for name in types or ("m5.large",) for subnet in network.subnet_ids
    ]
    return {
        "Type": "instant",
        "SpotOptions": {"AllocationStrategy": "price-capacity-optimized"},
        "LaunchTemplateConfigs": [
            {
                "LaunchTemplateSpecification": {"LaunchTemplateId": template, "Version": "$Latest"},
                "Overrides": overrides,
            }
        ],
        "TargetCapacitySpecification": {"TotalTargetCapacity": count, "DefaultTargetCapacityType": "spot"},
        **more,
    }


def launched(answer: dict[str, Any]) -> list[str]:
    assert not answer.get("Errors"), answer
    return [one for group in answer["Instances"] for one in group["InstanceIds"]]


def states(ec2: Any, ids: list[str]) -> set[str]:
    pages = ec2.get_paginator("describe_instances").paginate(InstanceIds=ids)
    return {one["State"]["Name"] for page in pages for each in page["Reservations"] for one in each["Instances"]}


def test_a_fleet_of_spot_instances_is_launched_once_for_one_client_token(
    aws: Clients, network: Network, template: str
) -> None:
    ec2 = aws("ec2")
    asked = fleet(network, template, "m5.large", "m5a.large", count=3, ClientToken="a-fleet")
    first = launched(ec2.create_fleet(**asked))
    assert len(first) == 3
    assert launched(ec2.create_fleet(**asked)) == first
    with refused("IdempotentParameterMismatch"):
        ec2.create_fleet(**{**asked, "SpotOptions": {"AllocationStrategy": "lowest-price"}})
    eventually(lambda: states(ec2, first) == {"running"})
    ec2.terminate_instances(InstanceIds=first)
    eventually(lambda: states(ec2, first) == {"terminated"})


def test_an_instance_that_is_run_is_described_as_boto3_knows_it(aws: Clients, network: Network) -> None:
    ec2 = aws("ec2")
    order = {
        "ImageId": network.image_id,
        "InstanceType": "c5.large",
        "MinCount": 1,
        "MaxCount": 1,
        "SubnetId": network.subnet_ids[1],
        "ClientToken": "only-once",
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "k", "Value": "<v> & v"}]}],
    }
    [instance] = ec2.run_instances(**order)["Instances"]
    again = ec2.run_instances(**order)
    assert again["Instances"][0]["InstanceId"] == instance["InstanceId"]
    assert instance["Placement"]["AvailabilityZone"] == network.zones[1]
    assert {"Key": "k", "Value": "<v> & v"} in instance["Tags"]
    ec2.get_waiter("instance_running").wait(
        InstanceIds=[instance["InstanceId"]], WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )


def test_pages_of_instances_hold_each_once(aws: Clients, network: Network) -> None:
    ec2 = aws("ec2", attempts=3)
    run = ec2.run_instances(ImageId=network.image_id, InstanceType="t3.micro", MinCount=23, MaxCount=23)
    wanted = {one["InstanceId"] for one in run["Instances"]}
    pages = ec2.get_paginator("describe_instances").paginate(
        Filters=[{"Name": "instance-type", "Values": ["t3.micro"]}], PaginationConfig={"PageSize": 5}
    )
    found = [one["InstanceId"] for page in pages for each in page["Reservations"] for one in each["Instances"]]
    assert sorted(found) == sorted(wanted)


def test_an_interruption_is_warned_of_in_the_queue_and_comes_true(
    cloud: Emulator, aws: Clients, hand: StageHand, network: Network, template: str
) -> None:
    queue = hand.build_queue("interruptions")
    [instance] = launched(aws("ec2").create_fleet(**fleet(network, template, count=1)))
    eventually(lambda: states(aws("ec2"), [instance]) == {"running"})
    assert cloud.sites.site("us-east-1").interrupt([instance]) == [instance]

    def warning() -> Any:
        got = aws("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        events = [json.loads(message["Body"]) for message in got.get("Messages", ())]
        return [one for one in events if "Interruption Warning" in one["detail-type"]]

    [event] = eventually(warning)
    assert event["detail"] == {"instance-id": instance, "instance-action": "terminate"}
    assert event["account"] == "123456789012"
    eventually(lambda: states(aws("ec2"), [instance]) & {"shutting-down", "terminated"})


def test_a_group_reaches_its_desired_capacity_behind_its_load_balancer(
    aws: Clients, hand: StageHand, network: Network
) -> None:
    targets = hand.build_target_group(network, "balanced")
    plan = GroupPlan(name="balanced", size=3, balanced=True)
    hand.build_group(network, plan, target_group=targets)
    hand.wait_in_service([plan])

    def healthy() -> bool:
        told = aws("elbv2").describe_target_health(TargetGroupArn=targets)["TargetHealthDescriptions"]
        return [one["TargetHealth"]["State"] for one in told] == ["healthy"] * 3

    eventually(healthy)
    [group] = aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=["balanced"])["AutoScalingGroups"]
    member = group["Instances"][0]["InstanceId"]
    aws("autoscaling").terminate_instance_in_auto_scaling_group(InstanceId=member, ShouldDecrementDesiredCapacity=True)
    assert (
        hand.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["balanced"])["AutoScalingGroups"][0][
            "DesiredCapacity"
        ]
        == 2
    )
    with refused("ValidationError"):
        aws("autoscaling").attach_instances(AutoScalingGroupName="balanced", InstanceIds=["i-0123456789abcdef0"])


def test_tags_of_our_things_and_of_motos_are_set_in_one_call(aws: Clients, network: Network, template: str) -> None:
    ec2 = aws("ec2")
    [instance] = launched(ec2.create_fleet(**fleet(network, template, count=1)))
    ec2.create_tags(Resources=[instance, network.vpc_id], Tags=[{"Key": "both", "Value": "1"}])
    found = ec2.describe_tags(Filters=[{"Name": "key", "Values": ["both"]}])["Tags"]
    assert {(one["ResourceId"], one["ResourceType"]) for one in found} == {
        (instance, "instance"),
        (network.vpc_id, "vpc"),
    }
    only = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [network.vpc_id]}])["Tags"]
    assert [one["ResourceId"] for one in only] == [network.vpc_id]
    ec2.delete_tags(Resources=[instance, network.vpc_id], Tags=[{"Key": "both"}])
    assert ec2.describe_tags(Filters=[{"Name": "key", "Values": ["both"]}])["Tags"] == []
    with refused("InvalidInstanceID.NotFound"):
        ec2.create_tags(Resources=["i-0123456789abcdef0", network.vpc_id], Tags=[{"Key": "a", "Value": "b"}])


def test_refusals_have_ec2s_own_words(aws: Clients, network: Network, template: str) -> None:
    ec2 = aws("ec2")
    with refused("InvalidInstanceID.NotFound", status=400):
        ec2.describe_instances(InstanceIds=["i-0123456789abcdef0"])
    with refused("InvalidAMIID.NotFound"):
        ec2.run_instances(ImageId="ami-0123456789abcdef0", InstanceType="m5.large", MinCount=1, MaxCount=1)
    with refused("InvalidSubnetID.NotFound"):
        ec2.run_instances(
            ImageId=network.image_id, InstanceType="m5.large", MinCount=1, MaxCount=1, SubnetId="subnet-0none"
        )
    with refused("DryRunOperation", status=412):
        ec2.create_fleet(DryRun=True, **fleet(network, template))


def test_spot_prices_are_told_with_their_times(cloud: Emulator, aws: Clients) -> None:
    pages = (
        aws("ec2")
        .get_paginator("describe_spot_price_history")
        .paginate(InstanceTypes=["m5.large"], ProductDescriptions=["Linux/UNIX"], StartTime=cloud.clock.now())
    )
    prices = [one for page in pages for one in page["SpotPriceHistory"]]
    assert {one["AvailabilityZone"] for one in prices} == set(world.catalogue("us-east-1").zones_of("m5.large"))
    assert all(0.01 < float(one["SpotPrice"]) < 0.096 for one in prices)
    assert all(one["Timestamp"].timestamp() <= cloud.clock.now() for one in prices)


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1", "ap-southeast-7", "eu-central-2", "mx-central-1"])
def test_instances_run_in_every_kind_of_region(aws: Clients, region: str) -> None:
    ec2 = aws("ec2", region)
    image = StageHand(aws.url, region=region)._image()["ImageId"]
    [instance] = ec2.run_instances(ImageId=image, InstanceType="m5.large", MinCount=1, MaxCount=1)["Instances"]
    assert instance["Placement"]["AvailabilityZone"].startswith(region)
    offered = ec2.describe_instance_type_offerings(Filters=[{"Name": "instance-type", "Values": ["m5.large"]}])
    assert len(offered["InstanceTypeOfferings"]) == 1


def test_every_region_has_zones_types_and_a_default_network(aws: Clients) -> None:
    told = [one["RegionName"] for one in aws("ec2").describe_regions(AllRegions=True)["Regions"]]
    assert set(told) <= set(world.REGIONS)
    for region in world.REGIONS:
        assert len(world.offerings(region)) >= 2
        assert len(world.catalogue(region).types) > 250
        assert world.partition(region) == {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rsplit("-", 2)[0], "aws")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("aws") is None, reason="the aws command is not installed")
def test_the_aws_command_works_with_the_exported_environment(cloud: Emulator) -> None:
    home = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = {**home, **cloud.environment(), "AWS_PAGER": ""}

    def command(*words: str) -> Any:
        # The endpoint is repeated because version 1 of the command leads `aws sqs` to AWS itself without it.
        whole = ["aws", "--output", "json", "--endpoint-url", cloud.url, *words]
        done = subprocess.run(whole, env=environment, capture_output=True, text=True, check=False, timeout=60)
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    assert command("ec2", "describe-regions")["Regions"]
    url = command("sqs", "create-queue", "--queue-name", "from-the-command")["QueueUrl"]
    assert command("sqs", "send-message", "--queue-url", url, "--message-body", "hello")["MessageId"]
    assert command("sqs", "receive-message", "--queue-url", url)["Messages"][0]["Body"] == "hello"
    assert command("autoscaling", "describe-auto-scaling-groups")["AutoScalingGroups"] is not None
    assert "InvalidInstanceID" in command("ec2", "describe-instances", "--instance-ids", "i-0123456789abcdef0")


def test_many_callers_at_once_are_all_answered_and_a_token_holds_among_them(
    cloud: Emulator, aws: Clients, network: Network, template: str
) -> None:
    ec2, sqs, events = aws("ec2", attempts=6), aws("sqs"), aws("events")
    queue = sqs.create_queue(QueueName="crowd")["QueueUrl"]
    asked = fleet(network, template, count=2, ClientToken="one-of-many")

    def visit(at: int) -> tuple[str, ...]:
        sqs.send_message(QueueUrl=queue, MessageBody=str(at))
        events.put_events(Entries=[{"Source": "crowd", "DetailType": "d", "Detail": "{}"}])
        ec2.describe_subnets(SubnetIds=[network.subnet_ids[at % 3]])
        ec2.create_security_group(GroupName=f"crowd-{at}", Description="d", VpcId=network.vpc_id)
        ec2.describe_instances(MaxResults=100)
        sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        return tuple(launched(ec2.create_fleet(**asked)))

    with ThreadPoolExecutor(12) as crowd:
        fleets = set(crowd.map(visit, range(36)))
    assert len(fleets) == 1
    assert not [call for call in cloud.calls.newest() if call.status == 500]
