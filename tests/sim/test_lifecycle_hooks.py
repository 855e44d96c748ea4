"""Members that lifecycle hooks hold, on their way in and on their way out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.sim.errors import ApiError
from tests.sim.scene import ACCOUNT, QUEUE, REGION, START, TARGETS, TOPIC, Scene

ROLE = f"arn:aws:iam::{ACCOUNT}:role/notify"
LAUNCH_EVENT, TERMINATE_EVENT = "EC2 Instance-launch Lifecycle Action", "EC2 Instance-terminate Lifecycle Action"


def complete(scene: Scene, hook: str, result: str = "CONTINUE", **whom: Any) -> None:
    scene.asg(
        "CompleteLifecycleAction",
        AutoScalingGroupName="web",
        LifecycleHookName=hook,
        LifecycleActionResult=result,
        **whom,
    )


def heartbeat(scene: Scene, hook: str, **whom: Any) -> None:
    scene.asg("RecordLifecycleActionHeartbeat", AutoScalingGroupName="web", LifecycleHookName=hook, **whom)


def refused(scene: Scene, operation: str, words: str, **params: Any) -> None:
    with pytest.raises(ApiError) as refusal:
        scene.asg(operation, **params)
    assert refusal.value.code == "ValidationError"
    assert words in refusal.value.message


def held_on_the_way_out(scene: Scene, **hook: Any) -> str:
    """The id of a member that the hook `drain` holds."""
    scene.group(desired=1)
    scene.hook(**hook)
    victim = scene.members()[0]
    scene.terminate(victim)
    scene.wait(1)
    assert scene.lifecycle()[victim] == "Terminating:Wait"
    return victim


# ---- on the way out --------------------------------------------------------------------------------------------------


def test_a_terminating_hook_holds_a_member_that_still_runs_until_it_is_completed() -> None:
    scene = Scene()
    victim = held_on_the_way_out(scene)
    scene.wait(600)
    assert (scene.lifecycle()[victim], scene.state(victim)) == ("Terminating:Wait", "running")
    assert len(scene.members()) == 1, "its place was filled meanwhile"
    complete(scene, "drain", InstanceId=victim)
    assert (scene.lifecycle()[victim], scene.state(victim)) == ("Terminating:Proceed", "shutting-down")
    scene.wait(60)
    assert victim not in scene.lifecycle()
    assert scene.state(victim) == "terminated"


def test_an_activity_tells_that_a_hook_holds_its_member() -> None:
    scene = Scene()
    victim = held_on_the_way_out(scene)

    def status() -> str:
        told = scene.asg("DescribeScalingActivities", AutoScalingGroupName="web")["Activities"]
        return next(
            str(one["StatusCode"]) for one in told if one["Description"] == f"Terminating EC2 instance: {victim}"
        )

    assert status() == "MidLifecycleAction"
    complete(scene, "drain", InstanceId=victim)
    assert status() == "InProgress"
    scene.wait(60)
    assert status() == "Successful"


def test_the_event_of_a_terminating_hook_carries_the_token_that_completes_it() -> None:
    scene = Scene()
    victim = held_on_the_way_out(scene, NotificationMetadata='{"cluster": "blue"}')
    (event,) = scene.events(TERMINATE_EVENT)
    assert event["source"] == "aws.autoscaling"
    assert event["resources"] == [scene.shown()["AutoScalingGroupARN"]]
    token = event["detail"].pop("LifecycleActionToken")
    assert event["detail"] == {
        "AutoScalingGroupName": "web",
        "LifecycleHookName": "drain",
        "EC2InstanceId": victim,
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "NotificationMetadata": '{"cluster": "blue"}',
        "Origin": "AutoScalingGroup",
        "Destination": "EC2",
    }
    complete(scene, "drain", LifecycleActionToken=token)
    assert scene.lifecycle()[victim] == "Terminating:Proceed"


def test_without_a_sign_of_life_the_default_result_comes_at_the_heartbeat_timeout() -> None:
    scene = Scene()
    victim = held_on_the_way_out(scene, HeartbeatTimeout=300)
    scene.wait(298)
    assert scene.lifecycle()[victim] == "Terminating:Wait"
    scene.wait(2)
    assert scene.lifecycle()[victim] == "Terminating:Proceed"


def test_a_heartbeat_begins_the_time_anew() -> None:
    scene = Scene()
    victim = held_on_the_way_out(scene, HeartbeatTimeout=300)
    scene.wait(200)
    heartbeat(scene, "drain", InstanceId=victim)
    scene.wait(299)
    assert scene.lifecycle()[victim] == "Terminating:Wait"
    scene.wait(2)
    assert scene.lifecycle()[victim] == "Terminating:Proceed"


@pytest.mark.parametrize(("heartbeat_seconds", "limit"), [(30, 3000), (7200, 172_800)])
def test_no_heartbeat_lengthens_a_wait_beyond_the_global_limit(heartbeat_seconds: int, limit: int) -> None:
    scene = Scene()
    victim = held_on_the_way_out(scene, HeartbeatTimeout=heartbeat_seconds)
    (shown,) = scene.asg("DescribeLifecycleHooks", AutoScalingGroupName="web")["LifecycleHooks"]
    assert shown["GlobalTimeout"] == limit
    begun = scene.time - 1
    while scene.time < begun + limit - heartbeat_seconds / 2:
        heartbeat(scene, "drain", InstanceId=victim)
        scene.wait(heartbeat_seconds / 2)
    scene.wait(begun + limit - scene.time - 1)
    assert scene.lifecycle()[victim] == "Terminating:Wait"
    scene.wait(2)
    assert victim not in scene.lifecycle() or scene.lifecycle()[victim] == "Terminating:Proceed"


def test_whoever_is_late_is_told_that_there_is_no_active_action() -> None:
    scene = Scene()
    victim = held_on_the_way_out(scene, HeartbeatTimeout=30)
    (event,) = scene.events(TERMINATE_EVENT)
    token = event["detail"]["LifecycleActionToken"]
    scene.wait(31)
    late = {"AutoScalingGroupName": "web", "LifecycleHookName": "drain"}
    words = "No active Lifecycle Action found with"
    refused(scene, "CompleteLifecycleAction", f"{words} instance ID {victim}", LifecycleActionResult="CONTINUE",
            InstanceId=victim, **late)  # fmt: skip
    refused(scene, "RecordLifecycleActionHeartbeat", f"{words} token {token}", LifecycleActionToken=token, **late)
    refused(scene, "RecordLifecycleActionHeartbeat", "Either InstanceId or LifecycleActionToken", **late)


def test_all_hooks_of_a_transition_hold_a_member_at_once() -> None:
    scene = Scene()
    scene.group(desired=1)
    scene.hook("drain")
    scene.hook("logs")
    scene.hook("setup", "LAUNCHING")
    victim = scene.members()[0]
    scene.terminate(victim)
    scene.wait(1)
    assert [one["detail"]["LifecycleHookName"] for one in scene.events(TERMINATE_EVENT)] == ["drain", "logs"]
    complete(scene, "logs", InstanceId=victim)
    assert scene.lifecycle()[victim] == "Terminating:Wait"
    complete(scene, "drain", InstanceId=victim)
    assert scene.lifecycle()[victim] == "Terminating:Proceed"


def test_one_that_abandons_ends_the_wait_for_the_others() -> None:
    scene = Scene()
    scene.group(desired=1)
    scene.hook("drain")
    scene.hook("logs")
    victim = scene.members()[0]
    scene.terminate(victim)
    scene.wait(1)
    complete(scene, "logs", "ABANDON", InstanceId=victim)
    assert scene.lifecycle()[victim] == "Terminating:Proceed"
    refused(scene, "CompleteLifecycleAction", "No active", LifecycleActionResult="CONTINUE", InstanceId=victim,
            AutoScalingGroupName="web", LifecycleHookName="drain")  # fmt: skip


def test_load_balancers_have_let_go_of_a_member_before_its_hooks_hold_it() -> None:
    scene = Scene()
    scene.group(desired=1, TargetGroupARNs=[TARGETS])
    scene.hook()
    victim = scene.members()[0]
    scene.terminate(victim)
    scene.wait(1)
    assert scene.lifecycle()[victim] == "Terminating"
    scene.wait(15)
    assert scene.lifecycle()[victim] == "Terminating:Wait"
    (health,) = scene.elb("DescribeTargetHealth", TargetGroupArn=TARGETS, Targets=[{"Id": victim}])[
        "TargetHealthDescriptions"
    ]
    assert health["TargetHealth"]["State"] == "unused"


def test_scale_in_waits_for_hooks() -> None:
    scene = Scene()
    scene.group(desired=3)
    scene.hook()
    scene.asg("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=1)
    scene.wait(10)
    assert sorted(scene.lifecycle().values()) == ["InService", "Terminating:Wait", "Terminating:Wait"]


def test_replacing_the_unhealthy_waits_for_hooks() -> None:
    scene = Scene()
    scene.group(desired=1)
    scene.hook()
    victim = scene.members()[0]
    scene.asg("SetInstanceHealth", InstanceId=victim, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False)
    scene.wait(60)
    assert (scene.lifecycle()[victim], scene.state(victim)) == ("Terminating:Wait", "running")
    assert len(scene.members()) == 1


def test_ec2_takes_a_spot_instance_at_its_deadline_whatever_the_hook_says() -> None:
    scene = Scene()
    template = scene.template(InstanceMarketOptions={"MarketType": "spot"})
    scene.group(desired=1, LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"})
    scene.hook()
    victim = scene.members()[0]
    scene.cloud.interrupt([victim])
    scene.terminate(victim)
    scene.wait(119)
    assert (scene.lifecycle()[victim], scene.state(victim)) == ("Terminating:Wait", "running")
    scene.wait(60)
    assert (scene.lifecycle()[victim], scene.state(victim)) == ("Terminating:Wait", "terminated")
    complete(scene, "drain", InstanceId=victim)
    assert victim not in scene.lifecycle()


def test_a_machine_that_died_unannounced_is_held_too_and_its_place_is_filled_meanwhile() -> None:
    scene = Scene()
    scene.group(desired=1)
    scene.hook(HeartbeatTimeout=600)
    victim = scene.members()[0]
    scene.ec2("TerminateInstances", InstanceIds=[victim])
    scene.wait(120)
    assert (scene.lifecycle()[victim], scene.state(victim)) == ("Terminating:Wait", "terminated")
    assert len(scene.members()) == 1
    scene.wait(600)
    assert victim not in scene.lifecycle()


def test_detaching_and_standby_ask_no_hook() -> None:
    scene = Scene()
    scene.group(desired=2)
    scene.hook()
    scene.hook("setup", "LAUNCHING")
    leaver, sleeper = scene.members()
    asked = {"AutoScalingGroupName": "web", "ShouldDecrementDesiredCapacity": True}
    scene.asg("DetachInstances", InstanceIds=[leaver], **asked)
    scene.asg("EnterStandby", InstanceIds=[sleeper], **asked)
    scene.wait(30)
    assert scene.lifecycle() == {sleeper: "Standby"}
    assert scene.state(leaver) == "running"
    scene.asg("ExitStandby", AutoScalingGroupName="web", InstanceIds=[sleeper])
    scene.wait(30)
    assert scene.lifecycle() == {sleeper: "InService"}
    assert scene.events(LAUNCH_EVENT, TERMINATE_EVENT) == []


def test_a_forced_deletion_asks_no_hook_and_ends_the_waits() -> None:
    scene = Scene()
    held_on_the_way_out(scene)
    scene.wait(60)
    scene.events()
    scene.asg("DeleteAutoScalingGroup", AutoScalingGroupName="web", ForceDelete=True)
    scene.wait(90)
    assert scene.shown() == {}
    assert scene.events(TERMINATE_EVENT) == []


def test_a_group_is_not_deleted_while_a_hook_holds_its_last_member() -> None:
    scene = Scene()
    scene.group(desired=1)
    scene.hook()
    scene.asg("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=0)
    scene.wait(10)
    with pytest.raises(ApiError) as refusal:
        scene.asg("DeleteAutoScalingGroup", AutoScalingGroupName="web")
    assert refusal.value.code == "ScalingActivityInProgress"


# ---- on the way in ---------------------------------------------------------------------------------------------------


def held_on_the_way_in(scene: Scene, **hook: Any) -> str:
    """The id of a member that the hook `setup` holds."""
    scene.group(desired=0)
    scene.hook("setup", "LAUNCHING", **hook)
    scene.asg("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=1)
    scene.wait(60)
    ((newcomer, state),) = scene.lifecycle().items()
    assert state == "Pending:Wait"
    return newcomer


def test_a_launching_hook_holds_a_member_that_runs_until_it_is_completed() -> None:
    scene = Scene()
    newcomer = held_on_the_way_in(scene)
    (event,) = scene.events(LAUNCH_EVENT)
    assert (event["detail"]["Origin"], event["detail"]["Destination"]) == ("EC2", "AutoScalingGroup")
    complete(scene, "setup", InstanceId=newcomer)
    assert scene.lifecycle() == {newcomer: "Pending:Proceed"}
    scene.wait(10)
    assert scene.lifecycle() == {newcomer: "InService"}


def test_a_launch_that_is_abandoned_is_cancelled_and_tried_anew() -> None:
    scene = Scene()
    newcomer = held_on_the_way_in(scene)
    (event,) = scene.events(LAUNCH_EVENT)
    complete(scene, "setup", "ABANDON", InstanceId=newcomer)
    scene.wait(90)
    assert scene.state(newcomer) == "terminated"
    ((other, state),) = scene.lifecycle().items()
    assert other != newcomer
    assert state == "Pending:Wait"
    told = scene.asg("DescribeScalingActivities", AutoScalingGroupName="web")["Activities"]
    (launch,) = [one for one in told if one["Description"].startswith(f"Launching a new EC2 instance: {newcomer}")]
    token = event["detail"]["LifecycleActionToken"]
    words = (
        f"Instance failed to complete user's Lifecycle Action: Lifecycle Action with token {token} was abandoned: "
        "Lifecycle Action Completed with ABANDON Result"
    )
    assert (launch["StatusCode"], launch["StatusMessage"]) == ("Cancelled", words)
    (failed,) = scene.events("EC2 Instance Launch Unsuccessful")
    assert failed["detail"]["StatusMessage"] == words


def test_by_default_a_launch_is_abandoned_at_the_timeout() -> None:
    scene = Scene()
    newcomer = held_on_the_way_in(scene, HeartbeatTimeout=120)
    scene.wait(150)
    assert newcomer not in scene.members()
    assert "Heartbeat Timeout" in scene.causes()[1] + scene.causes()[0]


def test_a_hook_may_ask_that_a_launch_goes_on_at_the_timeout() -> None:
    scene = Scene()
    newcomer = held_on_the_way_in(scene, HeartbeatTimeout=120, DefaultResult="CONTINUE")
    scene.wait(120)
    assert scene.members() == [newcomer]


def test_what_fails_to_come_in_passes_the_hooks_on_the_way_out() -> None:
    scene = Scene()
    newcomer = held_on_the_way_in(scene)
    scene.hook()
    complete(scene, "setup", "ABANDON", InstanceId=newcomer)
    scene.wait(1)
    assert scene.lifecycle()[newcomer] == "Terminating:Wait"


def test_a_member_that_is_terminated_while_it_is_held_on_the_way_in_is_held_by_it_no_more() -> None:
    scene = Scene()
    newcomer = held_on_the_way_in(scene)
    scene.terminate(newcomer, decrement=True)
    scene.wait(90)
    assert scene.lifecycle() == {}
    refused(scene, "CompleteLifecycleAction", "No active", LifecycleActionResult="CONTINUE", InstanceId=newcomer,
            AutoScalingGroupName="web", LifecycleHookName="setup")  # fmt: skip


def test_attached_instances_pass_no_launch_hook_but_the_hooks_on_the_way_out() -> None:
    scene = Scene()
    scene.group(desired=0)
    scene.hook("setup", "LAUNCHING")
    scene.hook()
    (guest,) = scene.run(spot=True)
    scene.asg("AttachInstances", AutoScalingGroupName="web", InstanceIds=[guest])
    scene.wait(10)
    assert scene.lifecycle() == {guest: "InService"}
    scene.terminate(guest, decrement=True)
    scene.wait(1)
    assert scene.lifecycle() == {guest: "Terminating:Wait"}


def test_hooks_given_with_the_group_hold_its_first_members() -> None:
    scene = Scene()
    launching = {"LifecycleHookName": "setup", "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING"}
    scene.group(desired=2, LifecycleHookSpecificationList=[{**launching, "HeartbeatTimeout": 300}])
    assert sorted(scene.lifecycle().values()) == ["Pending:Wait", "Pending:Wait"]


def test_a_handover_waits_until_the_new_one_has_passed_its_hook() -> None:
    scene = Scene()
    template = scene.template(InstanceMarketOptions={"MarketType": "spot"})
    scene.group(
        desired=1,
        CapacityRebalance=True,
        LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
    )
    (old,) = scene.members()
    scene.hook("setup", "LAUNCHING")
    scene.shock("*", rebalance=True)
    scene.wait(180)
    states = scene.lifecycle()
    assert states.pop(old) == "InService"
    ((new, state),) = states.items()
    assert state == "Pending:Wait"
    complete(scene, "setup", InstanceId=new)
    scene.wait(30)
    assert old not in scene.members()
    assert new in scene.members()


# ---- putting and deleting --------------------------------------------------------------------------------------------


def test_a_deleted_hook_lets_go_whom_it_holds() -> None:
    scene = Scene()
    newcomer = held_on_the_way_in(scene)
    scene.asg("DeleteLifecycleHook", AutoScalingGroupName="web", LifecycleHookName="setup")
    scene.wait(60)
    assert newcomer not in scene.members(), "an open launch is abandoned"
    scene.hook()
    victim = scene.members()[0]
    scene.terminate(victim)
    scene.wait(1)
    assert scene.lifecycle()[victim] == "Terminating:Wait"
    scene.asg("DeleteLifecycleHook", AutoScalingGroupName="web", LifecycleHookName="drain")
    assert scene.lifecycle()[victim] == "Terminating:Proceed", "an open termination goes on"


def test_a_hook_is_changed_in_part_and_whom_it_holds_keeps_the_old_terms() -> None:
    scene = Scene()
    victim = held_on_the_way_out(scene, HeartbeatTimeout=300)
    scene.asg("PutLifecycleHook", AutoScalingGroupName="web", LifecycleHookName="drain", HeartbeatTimeout=60)
    (shown,) = scene.asg("DescribeLifecycleHooks", AutoScalingGroupName="web")["LifecycleHooks"]
    assert shown == {
        "LifecycleHookName": "drain",
        "AutoScalingGroupName": "web",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "HeartbeatTimeout": 60,
        "GlobalTimeout": 6000,
        "DefaultResult": "ABANDON",
    }
    scene.wait(120)
    assert scene.lifecycle()[victim] == "Terminating:Wait"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"HeartbeatTimeout": 29}, "greater than or equal to 30"),
        ({"HeartbeatTimeout": 7201}, "less than or equal to 7200"),
        ({"DefaultResult": "MAYBE"}, "Invalid DefaultResult: MAYBE"),
        ({"LifecycleTransition": "autoscaling:EC2_INSTANCE_SLEEPING"}, "LifecycleTransition"),
        ({"NotificationTargetARN": QUEUE}, "Unable to publish test message to notification target"),
        ({"NotificationTargetARN": f"{QUEUE}-gone", "RoleARN": ROLE}, "Unable to publish test message"),
        ({"NotificationTargetARN": f"{QUEUE}.fifo", "RoleARN": ROLE}, "Unable to publish test message"),
        ({"NotificationTargetARN": QUEUE.replace(REGION, "eu-west-1"), "RoleARN": ROLE}, "Unable to publish"),
    ],
)
def test_a_hook_that_cannot_be_is_refused(params: dict[str, Any], words: str) -> None:
    scene = Scene()
    scene.group(desired=0)
    asked = {"LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", **params}
    refused(scene, "PutLifecycleHook", words, AutoScalingGroupName="web", LifecycleHookName="drain", **asked)
    assert scene.asg("DescribeLifecycleHooks", AutoScalingGroupName="web")["LifecycleHooks"] == []


def test_a_group_has_fifty_hooks_at_most() -> None:
    scene = Scene()
    scene.group(desired=0)
    for number in range(50):
        scene.hook(f"hook-{number}")
    scene.hook("hook-7", HeartbeatTimeout=60)
    with pytest.raises(ApiError) as refusal:
        scene.hook("one-more")
    assert refusal.value.code == "LimitExceeded"


@pytest.mark.parametrize("target", [QUEUE, TOPIC])
def test_a_hook_with_a_target_sends_a_test_and_then_every_action_straight_to_it(target: str) -> None:
    scene = Scene()
    victim = held_on_the_way_out(scene, NotificationTargetARN=target, RoleARN=ROLE)
    test, action = scene.cloud.take_notifications()
    assert (test.target_arn, action.target_arn) == (target, target)
    assert test.subject == 'Auto Scaling: test notification for group "web"'
    assert test.message.pop("RequestId") != action.message["RequestId"]
    assert test.message == {
        "AccountId": ACCOUNT,
        "AutoScalingGroupARN": scene.shown()["AutoScalingGroupARN"],
        "AutoScalingGroupName": "web",
        "Service": "AWS Auto Scaling",
        "Event": "autoscaling:TEST_NOTIFICATION",
        "Time": test.message["Time"],
    }
    assert test.message["Time"].endswith("Z")
    (event,) = scene.events(TERMINATE_EVENT)
    assert action.subject == f"Auto Scaling:  Lifecycle action 'TERMINATING' for instance {victim} in progress."
    assert {key: action.message[key] for key in event["detail"]} == event["detail"]
    assert action.message.keys() - event["detail"].keys() == {"AccountId", "RequestId", "Service", "Time"}


def test_a_hook_that_comes_with_its_group_sends_its_test_too_and_a_wrong_one_makes_no_group() -> None:
    scene = Scene()
    hook = {"LifecycleHookName": "drain", "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"}
    with pytest.raises(ApiError, match="Unable to publish test message"):
        scene.group(desired=0, LifecycleHookSpecificationList=[{**hook, "NotificationTargetARN": QUEUE}])
    assert scene.shown() == {}
    template = {"LaunchTemplateId": scene.template("again"), "Version": "$Latest"}
    full = {**hook, "NotificationTargetARN": QUEUE, "RoleARN": ROLE}
    scene.group(desired=0, LaunchTemplate=template, LifecycleHookSpecificationList=[full])
    (test,) = scene.cloud.take_notifications()
    assert test.message["Event"] == "autoscaling:TEST_NOTIFICATION"


def test_an_empty_target_takes_the_target_away() -> None:
    scene = Scene()
    scene.group(desired=0)
    scene.hook(NotificationTargetARN=QUEUE, RoleARN=ROLE)
    scene.cloud.take_notifications()
    scene.hook(NotificationTargetARN="")
    (shown,) = scene.asg("DescribeLifecycleHooks", AutoScalingGroupName="web")["LifecycleHooks"]
    assert "NotificationTargetARN" not in shown
    assert scene.cloud.take_notifications() == []


# ---- always ----------------------------------------------------------------------------------------------------------


def history(seed: int, deeds: list[tuple[str, int]]) -> list[Any]:
    """Everything that is heard of a group with three hooks while these deeds are done to it."""
    scene = Scene(seed=seed)
    scene.group(desired=2)
    scene.hook("setup", "LAUNCHING", HeartbeatTimeout=120)
    scene.hook("drain", HeartbeatTimeout=60)
    scene.hook("logs", HeartbeatTimeout=90, DefaultResult="CONTINUE")
    heard: list[Any] = []
    for deed, number in deeds:
        members = list(scene.lifecycle())
        one = members[number % len(members)] if members else ""
        try:
            _do(scene, deed, one, number)
        except ApiError as error:
            heard.append((scene.time - START, error.code, error.message))
        scene.wait(7 + number)
        heard += [(scene.time - START, event["detail-type"], event["detail"]) for event in scene.events()]
        heard.append(scene.lifecycle())
    held = {one for one, state in scene.lifecycle().items() if state.endswith(":Wait")}
    scene.wait(3600)
    heard.append(sorted(one for one, state in scene.lifecycle().items() if one in held and state.endswith(":Wait")))
    return heard


def _do(scene: Scene, deed: str, member: str, number: int) -> None:
    match deed:
        case "resize":
            scene.asg("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=number % 5)
        case "terminate":
            scene.terminate(member, decrement=bool(number % 2))
        case "kill":
            scene.ec2("TerminateInstances", InstanceIds=[member])
        case "beat":
            heartbeat(scene, ("drain", "logs", "setup")[number % 3], InstanceId=member)
        case "continue" | "abandon":
            complete(scene, ("drain", "logs", "setup")[number % 3], deed.upper(), InstanceId=member)


DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["resize", "terminate", "kill", "beat", "continue", "abandon"]),
        st.integers(min_value=0, max_value=40),
    ),
    max_size=15,
)


@given(deeds=DEEDS)
def test_whatever_is_done_nobody_is_held_for_ever_and_the_same_deeds_give_the_same_history(
    deeds: list[tuple[str, int]],
) -> None:
    told = history(3, deeds)
    assert told[-1] == [], "an hour later"
    assert history(3, deeds) == told
