"""Lifecycle hooks over HTTP: what boto3 sees of a member that is held, and what reaches queues, by all three ways."""

from __future__ import annotations

import json
from typing import Any

from spotward.emulator.stage import GroupPlan, Network, StageHand
from tests.emulator.clients import Clients, eventually, refused

ROLE = "arn:aws:iam::123456789012:role/notify"
NAMES = iter(f"hooked-{at}" for at in range(1_000_000))


class HookedGroup:
    """A group of one that serves, with a hook that holds its members on their way out."""

    def __init__(self, aws: Clients, hand: StageHand, network: Network, **hook: Any) -> None:
        self.asg, self.name = aws("autoscaling"), next(NAMES)
        plan = GroupPlan(name=self.name, size=1)
        hand.build_group(network, plan)
        hand.wait_in_service([plan])
        self.asg.put_lifecycle_hook(
            AutoScalingGroupName=self.name,
            LifecycleHookName="drain",
            LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
            **hook,
        )

    def states(self) -> dict[str, str]:
        (group,) = self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"]
        return {one["InstanceId"]: one["LifecycleState"] for one in group["Instances"]}

    def hold(self) -> str:
        """Terminates a member; its id, when the hook holds it."""
        victim = next(one for one, state in self.states().items() if state == "InService")
        self.asg.terminate_instance_in_auto_scaling_group(InstanceId=victim, ShouldDecrementDesiredCapacity=False)
        eventually(lambda: self.states()[victim] == "Terminating:Wait")
        return victim

    def complete(self, **whom: Any) -> None:
        self.asg.complete_lifecycle_action(
            AutoScalingGroupName=self.name, LifecycleHookName="drain", LifecycleActionResult="CONTINUE", **whom
        )


def queue(aws: Clients) -> tuple[str, str]:
    """A new queue's URL and ARN."""
    name = next(NAMES)
    return aws("sqs").create_queue(QueueName=name)["QueueUrl"], f"arn:aws:sqs:us-east-1:123456789012:{name}"


def bodies(aws: Clients, url: str, count: int) -> list[dict[str, Any]]:
    """So many messages of the queue, oldest first."""
    found: list[dict[str, Any]] = []

    def enough() -> bool:
        got = aws("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        found.extend(json.loads(one["Body"]) for one in got.get("Messages", ()))
        return len(found) >= count

    eventually(enough)
    assert len(found) == count
    return found


def test_a_member_is_held_until_its_action_is_completed(aws: Clients, hand: StageHand, network: Network) -> None:
    group = HookedGroup(aws, hand, network)
    victim = group.hold()
    (shown,) = group.asg.describe_auto_scaling_instances(InstanceIds=[victim])["AutoScalingInstances"]
    assert shown["LifecycleState"] == "Terminating:Wait"
    told = group.asg.describe_scaling_activities(AutoScalingGroupName=group.name)["Activities"]
    assert "MidLifecycleAction" in {one["StatusCode"] for one in told}
    group.asg.record_lifecycle_action_heartbeat(
        AutoScalingGroupName=group.name, LifecycleHookName="drain", InstanceId=victim
    )
    group.complete(InstanceId=victim)
    eventually(lambda: victim not in group.states())
    with refused("ValidationError", status=400, words=f"No active Lifecycle Action found with instance ID {victim}"):
        group.complete(InstanceId=victim)


def test_hooks_are_described_as_aws_describes_them(aws: Clients, hand: StageHand, network: Network) -> None:
    group = HookedGroup(aws, hand, network, HeartbeatTimeout=300, NotificationMetadata="blue")
    (shown,) = group.asg.describe_lifecycle_hooks(AutoScalingGroupName=group.name)["LifecycleHooks"]
    assert shown == {
        "LifecycleHookName": "drain",
        "AutoScalingGroupName": group.name,
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "HeartbeatTimeout": 300,
        "GlobalTimeout": 30_000,
        "DefaultResult": "ABANDON",
        "NotificationMetadata": "blue",
    }
    assert set(group.asg.describe_lifecycle_hook_types()["LifecycleHookTypes"]) == {
        "autoscaling:EC2_INSTANCE_LAUNCHING",
        "autoscaling:EC2_INSTANCE_TERMINATING",
    }
    group.asg.delete_lifecycle_hook(AutoScalingGroupName=group.name, LifecycleHookName="drain")
    assert group.asg.describe_lifecycle_hooks(AutoScalingGroupName=group.name)["LifecycleHooks"] == []


def test_an_action_reaches_a_queue_by_eventbridge(aws: Clients, hand: StageHand, network: Network) -> None:
    group = HookedGroup(aws, hand, network)
    url, arn = queue(aws)
    pattern = {"source": ["aws.autoscaling"], "detail": {"AutoScalingGroupName": [group.name]}}
    pattern["detail-type"] = ["EC2 Instance-terminate Lifecycle Action"]
    aws("events").put_rule(Name=group.name, EventPattern=json.dumps(pattern))
    aws("events").put_targets(Rule=group.name, Targets=[{"Id": "q", "Arn": arn}])
    victim = group.hold()
    (event,) = bodies(aws, url, 1)
    assert event["detail"]["EC2InstanceId"] == victim
    assert (event["detail"]["Origin"], event["detail"]["Destination"]) == ("AutoScalingGroup", "EC2")
    group.complete(LifecycleActionToken=event["detail"]["LifecycleActionToken"])
    eventually(lambda: victim not in group.states())


def test_an_action_reaches_a_queue_directly(aws: Clients, hand: StageHand, network: Network) -> None:
    url, arn = queue(aws)
    group = HookedGroup(aws, hand, network, NotificationTargetARN=arn, RoleARN=ROLE)
    victim = group.hold()
    test, action = bodies(aws, url, 2)
    assert (test["Event"], test["AutoScalingGroupName"]) == ("autoscaling:TEST_NOTIFICATION", group.name)
    assert (action["LifecycleTransition"], action["EC2InstanceId"]) == (
        "autoscaling:EC2_INSTANCE_TERMINATING",
        victim,
    )
    assert "detail-type" not in action
    group.complete(LifecycleActionToken=action["LifecycleActionToken"])
    eventually(lambda: victim not in group.states())


def test_an_action_reaches_a_queue_by_a_topic(aws: Clients, hand: StageHand, network: Network) -> None:
    url, arn = queue(aws)
    topic = aws("sns").create_topic(Name=next(NAMES))["TopicArn"]
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    group = HookedGroup(aws, hand, network, NotificationTargetARN=topic, RoleARN=ROLE)
    victim = group.hold()
    test, wrapped = bodies(aws, url, 2)
    assert (wrapped["Type"], wrapped["TopicArn"]) == ("Notification", topic)
    assert wrapped["Subject"] == f"Auto Scaling:  Lifecycle action 'TERMINATING' for instance {victim} in progress."
    assert json.loads(test["Message"])["Event"] == "autoscaling:TEST_NOTIFICATION"
    action = json.loads(wrapped["Message"])
    assert action["EC2InstanceId"] == victim
    group.complete(LifecycleActionToken=action["LifecycleActionToken"])


def test_a_target_that_does_not_exist_is_refused(aws: Clients, hand: StageHand, network: Network) -> None:
    for gone in ("sqs:us-east-1:123456789012:gone", "sns:us-east-1:123456789012:gone"):
        with refused("ValidationError", words="Unable to publish test message to notification target"):
            HookedGroup(aws, hand, network, NotificationTargetARN=f"arn:aws:{gone}", RoleARN=ROLE)


def test_a_target_that_is_deleted_later_holds_up_nobody(aws: Clients, hand: StageHand, network: Network) -> None:
    url, arn = queue(aws)
    group = HookedGroup(aws, hand, network, NotificationTargetARN=arn, RoleARN=ROLE)
    aws("sqs").delete_queue(QueueUrl=url)
    group.complete(InstanceId=group.hold())


def test_a_target_drains_for_its_groups_deregistration_delay(aws: Clients, hand: StageHand, network: Network) -> None:
    made = aws("elbv2").create_target_group(Name=next(NAMES), Protocol="TCP", Port=80, VpcId=network.vpc_id)
    arn = made["TargetGroups"][0]["TargetGroupArn"]
    balancer = aws("elbv2").create_load_balancer(Name=next(NAMES), Subnets=list(network.subnet_ids), Type="network")
    aws("elbv2").create_listener(
        LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
        Protocol="TCP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )
    attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": "600"}]
    aws("elbv2").modify_target_group_attributes(TargetGroupArn=arn, Attributes=attributes)
    group = HookedGroup(aws, hand, network)
    (one,) = group.states()
    aws("elbv2").register_targets(TargetGroupArn=arn, Targets=[{"Id": one}])

    def state() -> str:
        (found,) = aws("elbv2").describe_target_health(TargetGroupArn=arn, Targets=[{"Id": one}])[
            "TargetHealthDescriptions"
        ]
        return str(found["TargetHealth"]["State"])

    eventually(lambda: state() == "healthy")
    aws("elbv2").deregister_targets(TargetGroupArn=arn, Targets=[{"Id": one}])
    assert state() == "draining"
    eventually(lambda: state() == "unused")
