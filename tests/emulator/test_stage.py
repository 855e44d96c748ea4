"""Stages: the demonstration's own, one with many groups, and one that cannot be set."""

from __future__ import annotations

import json
import urllib.request

import pytest

from spotward.emulator.server import Emulator
from spotward.emulator.stage import (
    DEMO_GROUPS,
    OPT_IN_TAG,
    GroupPlan,
    StageError,
    StageHand,
    set_stage,
    stage_many_groups,
)
from tests.emulator.clients import Clients, eventually


def test_the_demonstrations_stage_has_three_groups_of_different_shape(cloud: Emulator, aws: Clients) -> None:
    stage = set_stage(cloud.url)
    told = aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=list(stage.groups))
    groups = {group["AutoScalingGroupName"]: group for group in told["AutoScalingGroups"]}
    for plan in DEMO_GROUPS:
        group = groups[plan.name]
        assert len(group["Instances"]) == plan.size
        assert ("LaunchConfigurationName" in group) is plan.with_configuration
        assert bool(group.get("TargetGroupARNs")) is plan.balanced
        tags = {tag["Key"]: tag["Value"] for tag in group["Tags"]}
        assert (tags.get(OPT_IN_TAG) == "true") is plan.opted_in
        zones = [member["AvailabilityZone"] for member in group["Instances"]]
        assert max(map(zones.count, zones)) - min(zones.count(zone) for zone in stage.network.zones) <= 1
    heard = aws("sqs").receive_message(QueueUrl=stage.queue_url, MaxNumberOfMessages=10)["Messages"]
    assert {json.loads(message["Body"])["source"] for message in heard} <= {"aws.ec2", "aws.autoscaling"}
    assert cloud.calls.count("AKIAPLAYERPLAYERPLAY").keys() <= {
        "autoscaling.DescribeAutoScalingGroups",
        "sqs.ReceiveMessage",
    }


def test_what_the_groups_cost_is_told(cloud: Emulator) -> None:
    with urllib.request.urlopen(f"{cloud.url}/_spotward/usage") as answer:
        usage = json.loads(answer.read())["us-east-1"]
    assert {use["group"] for use in usage["uses"]} == {plan.name for plan in DEMO_GROUPS}
    assert all(use["lifecycle"] == "on-demand" and use["cost"] > 0 for use in usage["uses"])


def test_a_pool_can_be_interrupted_by_hand(cloud: Emulator, aws: Clients) -> None:
    body = json.dumps({"pool": "*", "group": "web"}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{cloud.url}/_spotward/interrupt", body)) as answer:
        assert json.loads(answer.read()) == {"interrupted": {"us-east-1": []}}, "its members are on-demand"


def test_a_stage_that_cannot_be_set_says_what_is_missing(cloud: Emulator) -> None:
    hand = StageHand(cloud.url, region="eu-north-1")
    plan = GroupPlan(name="slow", size=2)
    hand.build_group(hand.build_network(), plan)
    with pytest.raises(StageError, match="slow"):
        hand.wait_in_service([plan], seconds_max=0.0)
    eventually(lambda: hand.in_service(["slow"]) == {"slow": 2})


def test_many_groups_are_set_and_all_their_members_serve(cloud: Emulator) -> None:
    stage = stage_many_groups(cloud.url, region="eu-west-1", count=20, size=5)
    assert StageHand(cloud.url, region="eu-west-1").in_service(stage.groups) == dict.fromkeys(stage.groups, 5)
