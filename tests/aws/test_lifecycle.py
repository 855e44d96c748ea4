"""Lifecycle hooks answered over HTTP, on the embedded cloud: a member waits until it is told to go on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from spotward.aws.lifecycle import LifecycleHands
from spotward.aws.session import Aws
from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.emulator.stage import GroupPlan, StageHand
from spotward.engine.clock import SystemClock
from spotward.model.errors import Permanent
from spotward.model.event import Done
from spotward.model.node_action import CompleteLifecycle, HookDeed, RecordHeartbeat
from tests.emulator.clients import Clients, eventually

REGION = "us-east-1"
GROUP = "web"
HOOK = "drain"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Emulator]:
    with Emulator(EmulatorSettings(speed=240.0, start_time=1_790_000_000.0)) as emulator:
        yield emulator


@pytest.fixture
def hands(cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[LifecycleHands]:
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    aws = Aws()
    yield LifecycleHands(aws, SystemClock())
    aws.close()


class Held:
    """A member that its group's hook holds on its way out."""

    def __init__(self, cloud: Emulator) -> None:
        client, hand = Clients(cloud.url), StageHand(cloud.url)
        self.asg = client("autoscaling")
        plan = GroupPlan(name=GROUP, size=1)
        hand.build_group(hand.build_network(), plan)
        hand.wait_in_service([plan])
        queue = client("sqs").create_queue(QueueName="hooks")["QueueUrl"]
        self.asg.put_lifecycle_hook(
            AutoScalingGroupName=GROUP,
            LifecycleHookName=HOOK,
            LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
            NotificationTargetARN=f"arn:aws:sqs:{REGION}:123456789012:hooks",
            RoleARN="arn:aws:iam::123456789012:role/notify",
        )
        (self.id,) = self.members()
        self.asg.terminate_instance_in_auto_scaling_group(InstanceId=self.id, ShouldDecrementDesiredCapacity=False)
        self.whom: dict[str, Any] = {"region": REGION, "group": GROUP, "instance_id": self.id, "hook": HOOK}
        self.whom["token"] = self._token(client("sqs"), queue)

    def members(self) -> dict[str, str]:
        """Id → lifecycle state."""
        (group,) = self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"]
        return {one["InstanceId"]: one["LifecycleState"] for one in group["Instances"]}

    def _token(self, sqs: Any, queue: str) -> str:
        told: list[dict[str, Any]] = []

        def heard() -> bool:
            got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            told.extend(json.loads(one["Body"]) for one in got.get("Messages", ()))
            return any("LifecycleActionToken" in each for each in told)

        eventually(heard)
        return str(next(each["LifecycleActionToken"] for each in told if "LifecycleActionToken" in each))


def test_a_held_member_goes_once_its_hook_is_completed_and_then_nobody_waits(
    cloud: Emulator, hands: LifecycleHands
) -> None:
    def do(deed: HookDeed) -> Any:
        return asyncio.run(hands.do(deed, 2))

    held = Held(cloud)
    heartbeat, completion = RecordHeartbeat(key="beat", **held.whom), CompleteLifecycle(key="complete", **held.whom)

    for deed in (heartbeat, completion):
        assert held.members()[held.id] == "Terminating:Wait"
        answer = do(deed)
        assert isinstance(answer, Done)
        assert (answer.key, answer.attempt, answer.subject) == (deed.key, 2, held.id)
    eventually(lambda: held.id not in held.members())

    for deed in (heartbeat, completion):
        with pytest.raises(Permanent, match="No active Lifecycle Action") as caught:
            do(deed)
        assert caught.value.code == "ValidationError"
