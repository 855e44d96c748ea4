"""Scheduled maintenance over HTTP: scheduled by a drill, described to boto3, told by AWS Health through a queue."""

from __future__ import annotations

import json
import urllib.request
from datetime import timedelta
from typing import Any

from spotward.emulator.server import Emulator
from spotward.emulator.stage import GroupPlan, Network, StageHand
from tests.emulator.clients import Clients, eventually, refused


def drill(cloud: Emulator, **shock: Any) -> None:
    request = urllib.request.Request(f"{cloud.url}/_spotward/shock", data=json.dumps(shock).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200


def members(hand: StageHand, network: Network, name: str, size: int) -> list[str]:
    plan = GroupPlan(name=name, size=size)
    hand.build_group(network, plan)
    hand.wait_in_service([plan])
    (group,) = hand.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return [one["InstanceId"] for one in group["Instances"]]


def events_of(aws: Clients, ids: list[str]) -> list[dict[str, Any]]:
    statuses = aws("ec2").describe_instance_status(InstanceIds=ids, IncludeAllInstances=True)["InstanceStatuses"]
    return [event for status in statuses for event in status.get("Events", ())]


def test_maintenance_is_described_and_told_to_a_queue_with_everybody_whom_it_concerns(
    cloud: Emulator, aws: Clients, hand: StageHand, network: Network
) -> None:
    ids = members(hand, network, "retired", 3)
    url = aws("sqs").create_queue(QueueName="health")["QueueUrl"]
    pattern = {"source": ["aws.health"], "detail": {"service": ["EC2"], "eventTypeCategory": ["scheduledChange"]}}
    aws("events").put_rule(Name="health", EventPattern=json.dumps(pattern))
    aws("events").put_targets(Rule="health", Targets=[{"Id": "q", "Arn": "arn:aws:sqs:us-east-1:123456789012:health"}])
    drill(cloud, maintenance={"code": "instance-retirement", "group": "retired", "notice": "3h", "page": 2})
    shown = eventually(lambda: events_of(aws, ids))
    assert [event["Code"] for event in shown] == ["instance-retirement"] * 3
    assert shown[0]["NotAfter"] - shown[0]["NotBefore"] == timedelta(hours=2)

    pages: list[dict[str, Any]] = []

    def all_pages() -> bool:
        got = aws("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        pages.extend(json.loads(one["Body"])["detail"] for one in got.get("Messages", ()))
        return len(pages) >= 2

    eventually(all_pages)
    assert [(one["page"], one["totalPages"]) for one in pages] == [("1", "2"), ("2", "2")]
    assert sorted(one["entityValue"] for page in pages for one in page["affectedEntities"]) == sorted(ids)

    drill(cloud, withdraw_maintenance={"group": "retired"})
    eventually(lambda: all(event["Description"].startswith("[Canceled]") for event in events_of(aws, ids)))


def test_a_reboot_can_be_moved(cloud: Emulator, aws: Clients, hand: StageHand, network: Network) -> None:
    ids = members(hand, network, "rebooted", 1)
    drill(cloud, maintenance={"code": "system-reboot", "group": "rebooted", "notice": "30h"})
    (event,) = eventually(lambda: events_of(aws, ids))
    assert event["NotBeforeDeadline"] > event["NotAfter"]
    later = event["NotBefore"] + timedelta(hours=3)
    whom = {"InstanceId": ids[0], "InstanceEventId": event["InstanceEventId"]}
    moved = aws("ec2").modify_instance_event_start_time(NotBefore=later, **whom)["Event"]
    assert moved["NotBefore"] == later
    with refused("InvalidInstanceEventStartTime", status=400):
        aws("ec2").modify_instance_event_start_time(NotBefore=later + timedelta(days=30), **whom)


def test_an_instance_can_be_rebooted(aws: Clients, hand: StageHand, network: Network) -> None:
    ids = members(hand, network, "kicked", 1)
    aws("ec2").reboot_instances(InstanceIds=ids)
    (status,) = aws("ec2").describe_instance_status(InstanceIds=ids)["InstanceStatuses"]
    assert status["InstanceState"]["Name"] == "running"
