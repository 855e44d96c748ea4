"""Groups with terminate hooks: the owner's software has its time with every member that Spotward lets go.

The software is played by a thread that hears of lifecycle actions as an owner's Lambda function would, over EventBridge
and a queue, works for some virtual seconds, and completes them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from tests.cli.program import Program
from tests.cli.scenery import CALM, Scenery

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SPEED = 10.0
"""EC2's two minutes are twelve seconds of ours, of which a busy machine needs some."""

TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Emulator]:
    with Emulator(EmulatorSettings(seed=3, speed=SPEED)) as emulator:
        emulator.sites.shock(CALM)
        yield emulator


@pytest.fixture
def spotward_here(spotward: Program) -> Program:
    """In this process, which saves the time that starting one takes."""
    return replace(spotward, apart=False)


@dataclass(kw_only=True)
class Work:
    """What the software found of one machine."""

    time: float
    """When it began, virtual seconds since the cloud's start."""
    state_before: str
    state_after: str = ""


@dataclass(kw_only=True)
class Software:
    """The owner's, behind a hook."""

    scenery: Scenery
    group: str
    seconds: float
    """How long it works on each member, virtual."""
    url: str
    done: dict[str, Work] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    """The instance of every lifecycle action that it heard of."""
    problems: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until it is stopped."""
        while not self.stopping.is_set():
            answer = self.scenery.hand.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            workers = [self._begin(message) for message in answer.get("Messages", ())]
            for worker in workers:
                worker.join()

    def _begin(self, message: Any) -> threading.Thread:
        self.scenery.hand.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        detail = json.loads(message["Body"])["detail"]
        self.told.append(detail["EC2InstanceId"])
        worker = threading.Thread(target=self._work, args=(detail,), daemon=True)
        worker.start()
        return worker

    def _work(self, detail: dict[str, str]) -> None:
        instance = detail["EC2InstanceId"]
        work = self.done[instance] = Work(time=self.scenery.seconds(), state_before=self.scenery.state(instance))
        self.stopping.wait(self.seconds / self.scenery.cloud.clock.speed)
        work.state_after = self.scenery.state(instance)
        try:
            self.scenery.hand.autoscaling.complete_lifecycle_action(
                AutoScalingGroupName=self.group,
                LifecycleHookName=detail["LifecycleHookName"],
                LifecycleActionToken=detail["LifecycleActionToken"],
                LifecycleActionResult="CONTINUE",
            )
        except ClientError as error:
            self.problems.append(f"{instance}: {error}")


def hook(scenery: Scenery, group: str, **settings: Any) -> None:
    scenery.hand.autoscaling.put_lifecycle_hook(
        AutoScalingGroupName=group, LifecycleHookName="drain", LifecycleTransition=TERMINATING, **settings
    )


@contextmanager
def software(scenery: Scenery, group: str, *, seconds: float) -> Iterator[Software]:
    """It listens from now on."""
    hand = scenery.hand
    url = hand.sqs.create_queue(QueueName=f"hook-{group}")["QueueUrl"]
    arn = hand.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "source": ["aws.autoscaling"],
        "detail-type": ["EC2 Instance-terminate Lifecycle Action"],
        "detail": {"AutoScalingGroupName": [group]},
    }
    hand.events.put_rule(Name=f"hook-{group}", EventPattern=json.dumps(pattern))
    hand.events.put_targets(Rule=f"hook-{group}", Targets=[{"Id": "q", "Arn": arn}])
    one = Software(scenery=scenery, group=group, seconds=seconds, url=url)
    thread = threading.Thread(target=one.run, daemon=True)
    thread.start()
    try:
        yield one
    finally:
        one.stopping.set()
        thread.join(timeout=30)
        hand.events.remove_targets(Rule=f"hook-{group}", Ids=["q"])


def all_spot(scenery: Scenery, group: str, size: int) -> bool:
    members = scenery.members(group)
    return len(members) == size and all(m.spot and m.standing == "InService" for m in members)


SURGE = {"spotward:surge-percentage": "100"}
RETIRE = "autoscaling.TerminateInstanceInAutoScalingGroup"
WARNED = "EC2 Spot Instance Interruption Warning"


def test_slow_software_has_its_time_with_every_member_and_the_swap_does_not_wait_for_it(
    scenery: Scenery, spotward_here: Program
) -> None:
    group = scenery.group("slow", size=2, size_max=2, tags=SURGE)
    hook(scenery, group, HeartbeatTimeout=900)
    old = set(scenery.on_demand(group))
    with software(scenery, group, seconds=150) as theirs:
        ran = spotward_here("run", "--once", "--log", "text")
        assert ran.calls[RETIRE] == 2
        standing = {m.id: m.standing for m in scenery.members(group)}
        assert {standing[one] for one in old} == {"Terminating:Wait"}, "the run has ended, the software has not"
        assert (scenery.described(group)["MaxSize"], scenery.borrowed(group)) == (2, False)
        assert len(scenery.spot(group)) == 2

        again = spotward_here("run", "--once")
        assert again.changes == [], "who is held on the way out is nobody's business any more"
        scenery.until(lambda: all_spot(scenery, group, 2), seconds_max=150.0)
    assert sorted(theirs.told) == sorted(old), "once each"
    assert theirs.problems == []
    assert {(work.state_before, work.state_after) for work in theirs.done.values()} == {("running", "running")}


def test_a_hook_that_nobody_answers_holds_up_no_swap(scenery: Scenery, spotward_here: Program) -> None:
    group = scenery.group("forsaken", size=1, size_max=1)
    hook(scenery, group, HeartbeatTimeout=120)
    (old,) = scenery.on_demand(group)
    spotward_here("run", "--once")
    assert len(scenery.spot(group)) == 1
    assert scenery.state(old) == "running"
    scenery.until(lambda: all_spot(scenery, group, 1), seconds_max=150.0)
    assert scenery.state(old) == "terminated"


def test_at_an_interruption_the_software_hears_before_the_machine_is_gone_and_the_machine_goes_at_its_time(
    scenery: Scenery, spotward_here: Program, tmp_path: Path
) -> None:
    group = scenery.group("taken", size=2, size_max=2, tags=SURGE)
    spotward_here("run", "--once")
    scenery.until(lambda: all_spot(scenery, group, 2))
    hook(scenery, group, HeartbeatTimeout=900)
    doomed = scenery.spot(group)[0]
    with software(scenery, group, seconds=200) as theirs:
        warned = scenery.seconds()
        scenery.site.interrupt([doomed])
        event = tmp_path / "event.json"
        event.write_text(scenery.news(WARNED, doomed))
        handled = spotward_here("handle", event, "--log", "text")
        assert handled.calls[RETIRE] == 1
        assert len(scenery.spot(group)) == 2, "the successor serves"
        scenery.until(lambda: doomed in theirs.done)
        assert theirs.done[doomed].state_before == "running"
        left = warned + 120 - theirs.done[doomed].time
        assert left > 0, "nothing of the two minutes was left for the software"

        scenery.until(lambda: scenery.state(doomed) == "terminated", seconds_max=150.0)
        held = {m.id: m.standing for m in scenery.members(group)}
        assert held[doomed] == "Terminating:Wait", "the hook is still open; EC2 did not wait for it"
        assert spotward_here("run", "--once").changes == []
        scenery.until(lambda: all_spot(scenery, group, 2), seconds_max=150.0)
    assert theirs.told == [doomed]
    assert theirs.done[doomed].state_after == "terminated"


def test_members_held_by_a_hook_are_shown_and_left_alone(scenery: Scenery, spotward_here: Program) -> None:
    group = scenery.group("shown", size=2, watched=False, tags=SURGE)
    hook(scenery, group, HeartbeatTimeout=7200)
    scenery.hand.autoscaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=1)
    scenery.keep_to_owner(group)
    scenery.until(lambda: {m.standing for m in scenery.members(group)} == {"Terminating:Wait", "InService"})
    held = next(m.id for m in scenery.members(group) if m.standing == "Terminating:Wait")
    (planned,) = [one for one in spotward_here("plan", "--output", "json").document["groups"] if one["name"] == group]
    (shown,) = [one for one in planned["members"] if one["instance_id"] == held]
    assert (shown["fate"], shown["reason"]) == ("keep", "is leaving the group")
    ran = spotward_here("run", "--once")
    assert ran.calls[RETIRE] == 1, "the other one"
    assert {m.id: m.standing for m in scenery.members(group)}[held] == "Terminating:Wait"
    assert len(scenery.spot(group)) == 1
