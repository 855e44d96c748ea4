"""Deeds on groups, against plain moto; and what AWS says that moto never does, from prepared answers."""

import asyncio
import threading
from typing import Any

import pytest

from spotward.aws.hands import ReadOnlyHands
from spotward.aws.session import Aws
from spotward.model.action import (
    Action,
    AttachInstances,
    ObserveInstances,
    ObserveRegion,
    RecommendPools,
    RestoreDesired,
    ResumeProcesses,
    RetireMember,
    SetMaxSize,
    SuspendProcesses,
    TagGroup,
    TerminateInstances,
    UntagGroup,
)
from spotward.model.cloud import LaunchSource
from spotward.model.errors import Permanent, Transient
from spotward.model.event import Done, Event, Failed, FleetAnswered, PoolsRecommended
from tests.aws.conftest import IMAGE, REGION, Moto
from tests.aws.deeds import Attendant, Doer, fleet
from tests.aws.oracle import Oracle, error
from tests.aws.stage import NOW, group, members, subnets

WEB: dict[str, Any] = {"region": REGION, "group": "web", "key": "k"}


@pytest.fixture
def doer(aws: Aws) -> Doer:
    return Doer(aws)


def described(moto: Moto, name: str = "web") -> dict[str, Any]:
    groups = moto.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    found: dict[str, Any] = groups["AutoScalingGroups"][0]
    return found


def loose_instances(moto: Moto, count: int) -> tuple[str, ...]:
    subnet = subnets(moto)[0]["SubnetId"]
    made = moto.client("ec2").run_instances(ImageId=IMAGE, MinCount=count, MaxCount=count, SubnetId=subnet)
    return tuple(each["InstanceId"] for each in made["Instances"])


def states(moto: Moto, instance_ids: tuple[str, ...]) -> set[str]:
    found = moto.client("ec2").describe_instances(InstanceIds=list(instance_ids))
    return {each["State"]["Name"] for some in found["Reservations"] for each in some["Instances"]}


def is_done(event: object, action: Action) -> bool:
    return event == Done(time=NOW, key=action.key, attempt=1, subject=action.subject)


# ---- deeds on a group ------------------------------------------------------------------------------------------------


def test_instances_are_attached_in_one_call_and_the_desired_capacity_rises(moto: Moto, doer: Doer) -> None:
    group(moto, "web", size=2)
    new = loose_instances(moto, 2)
    action = AttachInstances(**WEB, instance_ids=new)
    assert is_done(doer.do(action), action)
    assert set(new) <= set(members(moto, "web"))
    assert described(moto)["DesiredCapacity"] == 4
    assert doer.calls == {"autoscaling.AttachInstances": 1}


def test_a_member_is_retired_and_the_group_wants_one_fewer(moto: Moto, doer: Doer) -> None:
    group(moto, "web", size=2)
    old = members(moto, "web")[0]
    action = RetireMember(**WEB, instance_id=old)
    assert is_done(doer.do(action), action)
    assert described(moto)["DesiredCapacity"] == 1
    assert old not in members(moto, "web")
    assert doer.calls == {"autoscaling.TerminateInstanceInAutoScalingGroup": 1}


def test_a_member_that_is_wanted_alive_leaves_and_runs_on_and_the_group_wants_one_fewer(moto: Moto, doer: Doer) -> None:
    group(moto, "web", size=2)
    old = members(moto, "web")[0]
    action = RetireMember(**WEB, instance_id=old, detach=True)
    assert is_done(doer.do(action), action)
    assert described(moto)["DesiredCapacity"] == 1
    assert old not in members(moto, "web")
    (reservation,) = moto.client("ec2").describe_instances(InstanceIds=[old])["Reservations"]
    assert reservation["Instances"][0]["State"]["Name"] == "running"
    assert doer.calls == {"autoscaling.DetachInstances": 1}


def test_the_max_size_alone_is_set(moto: Moto, doer: Doer) -> None:
    group(moto, "web", size=2)
    before = described(moto)
    action = SetMaxSize(**WEB, max_size=9)
    assert is_done(doer.do(action), action)
    assert described(moto) == {**before, "MaxSize": 9}


def test_a_max_size_that_its_owner_changed_meanwhile_is_not_overwritten(moto: Moto, doer: Doer) -> None:
    group(moto, "web", size=2)
    before = described(moto)
    with pytest.raises(Permanent, match="by now, and was 1"):
        doer.do(SetMaxSize(**WEB, max_size=9, expected=1))
    assert described(moto) == before
    assert isinstance(doer.do(SetMaxSize(**WEB, max_size=9, expected=before["MaxSize"])), Done)
    assert described(moto) == {**before, "MaxSize": 9}


def test_a_max_size_that_its_owner_has_changed_meanwhile_is_left_alone(moto: Moto, doer: Doer) -> None:
    group(moto, "web", size=2)  # max size 4
    with pytest.raises(Permanent, match="the max size of us-east-1/web is 4 by now, and was 3"):
        doer.do(SetMaxSize(**WEB, max_size=9, expected=3))
    assert described(moto)["MaxSize"] == 4
    assert isinstance(doer.do(SetMaxSize(**WEB, max_size=9, expected=4)), Done)
    assert described(moto)["MaxSize"] == 9


def test_a_max_size_that_stands_there_already_is_done_without_another_call(moto: Moto, doer: Doer) -> None:
    group(moto, "web", size=2)
    assert isinstance(doer.do(SetMaxSize(**WEB, max_size=4, expected=3)), Done)
    assert doer.calls == {"autoscaling.DescribeAutoScalingGroups": 1}


def test_the_desired_capacity_is_set_back_only_where_it_still_is_what_was_expected(moto: Moto, doer: Doer) -> None:
    group(moto, "web", size=2)
    before = described(moto)
    with pytest.raises(Permanent, match="the desired capacity of us-east-1/web is 2 by now, and was 1"):
        doer.do(RestoreDesired(**WEB, desired=3, expected=1))
    assert described(moto) == before
    action = RestoreDesired(**WEB, desired=3, expected=2)
    assert is_done(doer.do(action), action)
    now = described(moto)
    assert (now["MinSize"], now["MaxSize"], now["DesiredCapacity"]) == (before["MinSize"], before["MaxSize"], 3)
    doer.calls.clear()
    assert isinstance(doer.do(action), Done), "done already, by a call whose answer was lost"


def test_a_group_that_is_gone_has_no_max_size(doer: Doer) -> None:
    with pytest.raises(Permanent, match="us-east-1/web is gone"):
        doer.do(SetMaxSize(**WEB, max_size=4, expected=3))


def test_only_the_processes_that_are_named_are_suspended_and_resumed(moto: Moto, doer: Doer) -> None:
    group(moto, "web", size=1)
    moto.client("autoscaling").suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["AlarmNotification"])
    doer.do(SuspendProcesses(**WEB, processes=("AZRebalance",)))
    suspended = {each["ProcessName"] for each in described(moto)["SuspendedProcesses"]}
    assert suspended == {"AlarmNotification", "AZRebalance"}
    doer.do(ResumeProcesses(**WEB, processes=("AZRebalance",)))
    assert [each["ProcessName"] for each in described(moto)["SuspendedProcesses"]] == ["AlarmNotification"]


def test_naming_no_process_touches_none_although_to_aws_it_would_mean_all(moto: Moto, doer: Doer) -> None:
    group(moto, "web", size=1)
    moto.client("autoscaling").suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["AlarmNotification"])
    before = described(moto)
    assert isinstance(doer.do(SuspendProcesses(**WEB, processes=())), Done)
    assert isinstance(doer.do(ResumeProcesses(**WEB, processes=())), Done)
    assert described(moto) == before
    assert doer.calls == {}


def test_notes_are_written_on_the_group_and_not_on_its_instances_and_taken_off_again(moto: Moto, doer: Doer) -> None:
    group(moto, "web", size=1)
    before = described(moto)["Tags"]
    notes = (("spotward:owner-max-size", "2"), ("spotward:suspended-processes", "AZRebalance"))
    doer.do(TagGroup(**WEB, tags=notes))
    written = {t["Key"]: t for t in described(moto)["Tags"] if t not in before}
    assert {key: tag["Value"] for key, tag in written.items()} == dict(notes)
    assert not any(tag["PropagateAtLaunch"] for tag in written.values())
    doer.do(UntagGroup(**WEB, names=tuple(name for name, _ in notes)))
    assert described(moto)["Tags"] == before


# ---- terminations ----------------------------------------------------------------------------------------------------


def test_instances_are_terminated_in_one_call(moto: Moto, doer: Doer) -> None:
    ids = loose_instances(moto, 3)
    action = TerminateInstances(**WEB, instance_ids=ids)
    assert is_done(doer.do(action), action)
    assert states(moto, ids) == {"terminated"}
    assert doer.calls == {"ec2.TerminateInstances": 1}


def test_one_that_is_gone_does_not_keep_the_others_alive(moto: Moto, doer: Doer) -> None:
    ids = loose_instances(moto, 2)
    action = TerminateInstances(**WEB, instance_ids=("i-0123456789abcdef0", *ids, "i-0123456789abcdef1"))
    assert is_done(doer.do(action), action)
    assert states(moto, ids) == {"terminated"}


def test_all_of_them_gone_is_what_was_wanted(doer: Doer) -> None:
    action = TerminateInstances(**WEB, instance_ids=("i-0123456789abcdef0",))
    assert is_done(doer.do(action), action)


def test_one_that_was_launched_a_moment_ago_is_not_taken_for_gone(oracle: Oracle, oracle_aws: Aws) -> None:
    doer = Doer(oracle_aws)  # another process may have launched it, and died
    oracle.replies["TerminateInstances"] = (
        400,
        error("InvalidInstanceID.NotFound", "The instance ID 'i-0123456789abcdef0' does not exist"),
    )
    launched_time = doer.clock.time - 20.0
    action = TerminateInstances(**WEB, instance_ids=("i-0123456789abcdef0",), launched_by_time=launched_time)
    with pytest.raises(Transient, match="does not show i-0123456789abcdef0 yet") as caught:
        doer.do(action)
    assert caught.value.retry_after_seconds > 0
    doer.clock.time = launched_time + 301
    assert isinstance(doer.do(action), Done)


def test_one_that_is_protected_does_not_keep_the_others_alive(moto: Moto, doer: Doer) -> None:
    protected, *others = loose_instances(moto, 3)
    moto.client("ec2").modify_instance_attribute(InstanceId=protected, DisableApiTermination={"Value": True})
    with pytest.raises(Permanent, match=f"{protected}.*turn off its API termination protection"):
        doer.do(TerminateInstances(**WEB, instance_ids=(protected, *others)))
    assert states(moto, tuple(others)) == {"terminated"}
    assert states(moto, (protected,)) == {"running"}


def test_a_protected_instance_is_told_with_the_next_step(oracle: Oracle, oracle_aws: Aws) -> None:
    oracle.replies["TerminateInstances"] = (400, error("OperationNotPermitted", "may not be terminated"))
    with pytest.raises(Permanent, match="turn off its API termination protection"):
        Doer(oracle_aws).do(TerminateInstances(**WEB, instance_ids=("i-1",)))


# ---- what fails ------------------------------------------------------------------------------------------------------


def test_a_deed_that_aws_refuses_is_an_error_with_its_words(oracle: Oracle, oracle_aws: Aws) -> None:
    oracle.replies["AttachInstances"] = (400, error("ValidationError", "i-1 is already part of another group"))
    with pytest.raises(Permanent) as caught:
        Doer(oracle_aws).do(AttachInstances(**WEB, instance_ids=("i-1",)))
    assert str(caught.value) == (
        "autoscaling.AttachInstances in us-east-1: ValidationError: i-1 is already part of another group"
    )


def test_a_deed_without_an_answer_may_have_been_done_and_says_so(oracle: Oracle, oracle_aws: Aws) -> None:
    oracle.replies["AttachInstances"] = (500, error("InternalFailure", "oh"))
    action = AttachInstances(**WEB, instance_ids=("i-1",))
    event = Doer(oracle_aws).do(action, attempt=4)
    assert isinstance(event, Failed)
    assert (event.key, event.subject, event.attempt) == (action.key, action.subject, 4)
    assert (event.code, event.transient, event.outcome_unknown) == ("InternalFailure", True, True)
    assert event.retry_after_seconds > 0
    assert "it may have been done all the same" in event.reason


def test_a_deed_that_was_refused_for_certain_is_no_riddle(oracle: Oracle, oracle_aws: Aws) -> None:
    oracle.replies["AttachInstances"] = (400, error("ResourceContention", "busy"))
    with pytest.raises(Transient, match="ResourceContention: busy"):
        Doer(oracle_aws).do(AttachInstances(**WEB, instance_ids=("i-1",)))


def made_fleet(instance_id: str) -> bytes:
    return (
        "<CreateFleetResponse><fleetId>fleet-1</fleetId><errorSet/><fleetInstanceSet><item>"
        f"<instanceIds><item>{instance_id}</item></instanceIds><instanceType>m5.large</instanceType>"
        "<lifecycle>spot</lifecycle><launchTemplateAndOverrides><overrides><instanceType>m5.large</instanceType>"
        "<subnetId>subnet-a</subnetId></overrides></launchTemplateAndOverrides>"
        "</item></fleetInstanceSet></CreateFleetResponse>"
    ).encode()


def test_a_fleet_s_answer_that_cannot_be_read_may_have_made_instances(oracle: Oracle, oracle_aws: Aws) -> None:
    oracle.replies["CreateFleet"] = made_fleet("i-1").replace(b"subnet-a", b"subnet-elsewhere")
    event = Doer(oracle_aws).do(fleet())
    assert isinstance(event, Failed)
    assert event.outcome_unknown
    assert "ec2.CreateFleet in us-east-1: the answer cannot be read (no 'subnet-elsewhere')" in event.reason


@pytest.mark.parametrize("code", ["InsufficientInstanceCapacity", "MaxSpotInstanceCountExceeded"])
def test_a_launch_that_is_refused_for_capacity_is_an_answer(code: str, oracle: Oracle, oracle_aws: Aws) -> None:
    oracle.replies["CreateFleet"] = (500 if code.startswith("Insufficient") else 400, error(code, "none left"))
    event = Doer(oracle_aws).do(fleet(), attempt=3)
    assert isinstance(event, FleetAnswered)
    assert event.attempt == 3
    assert {failure.code for failure in event.failures} == {code}
    assert all((failure.pool is None) == code.startswith("Max") for failure in event.failures)


def test_a_launch_that_takes_long_holds_up_no_other_call(oracle: Oracle) -> None:
    """A rescue must look while many a fleet still tries one pool after the other."""
    trying, release = threading.Event(), threading.Event()

    def slow(_: dict[str, Any]) -> bytes:
        trying.set()
        release.wait(30)
        return made_fleet("i-1")

    oracle.replies["CreateFleet"] = slow
    oracle.replies["DescribeLaunchTemplates"] = b"<R><launchTemplates/></R>"
    oracle.replies["DescribeInstances"] = b"<R><reservationSet/></R>"
    aws = Aws(threads_max=1, attempts_max=1)

    async def story() -> Event:
        launch = asyncio.create_task(Doer(aws).hands.do(fleet(), 1))
        assert await asyncio.to_thread(trying.wait, 30)
        await asyncio.wait_for(aws.call(REGION, "ec2", "describe_instances"), 60)
        assert not launch.done()
        release.set()
        return await launch

    try:
        assert isinstance(asyncio.run(story()), FleetAnswered)
    finally:
        release.set()
        aws.close()


def test_a_launch_template_that_is_gone_is_told_with_the_next_step(moto: Moto, doer: Doer) -> None:
    with pytest.raises(Permanent) as caught:
        doer.do(fleet(subnets=()))
    assert "launch template lt-0123456789abcdef0 version 3 cannot be used; give us-east-1/web one that exists" in str(
        caught.value
    )


def configured(oracle: Oracle) -> None:
    """A launch configuration that can be copied."""
    oracle.replies["DescribeLaunchConfigurations"] = (
        b"<R><DescribeLaunchConfigurationsResult><LaunchConfigurations><member><ImageId>ami-1</ImageId>"
        b"<InstanceType>m5.large</InstanceType></member></LaunchConfigurations></DescribeLaunchConfigurationsResult></R>"
    )
    oracle.replies["CreateLaunchTemplate"] = b"<R><launchTemplate/></R>"
    oracle.replies["DeleteLaunchTemplate"] = b"<R><launchTemplate/></R>"


def test_a_copy_that_was_swept_away_too_early_is_made_again_at_the_next_asking(oracle: Oracle, oracle_aws: Aws) -> None:
    configured(oracle)
    oracle.replies["CreateFleet"] = (400, error("InvalidLaunchTemplateName.NotFoundException", "there is none"))
    doer = Doer(oracle_aws)
    with pytest.raises(Transient, match="cannot be found; the launch is repeated") as caught:
        doer.do(fleet(launch=LaunchSource(configuration="web")))
    assert caught.value.retry_after_seconds > 0
    oracle.replies["CreateFleet"] = made_fleet("i-1")
    doer.do(fleet(launch=LaunchSource(configuration="web")))
    assert oracle.times("CreateLaunchTemplate") == 2


def test_a_copy_that_cannot_be_deleted_does_not_spoil_the_launch_and_goes_at_the_end(
    oracle: Oracle, oracle_aws: Aws
) -> None:
    configured(oracle)
    doer = Doer(oracle_aws)
    oracle.replies["CreateFleet"] = made_fleet("i-1")
    oracle.replies["DeleteLaunchTemplate"] = (503, error("RequestLimitExceeded", "slow down"))

    async def story() -> int:
        for attempt in (1, 2, 3):
            launched = await doer.hands.do(fleet(launch=LaunchSource(configuration="web")), attempt)
            assert isinstance(launched, FleetAnswered)
            # The deletion, which this clock makes due at once, has failed with all its retries.
            if deletions := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(deletions)
        assert oracle.times("CreateLaunchTemplate") == 1, "what is still there is used again"
        oracle.replies["DeleteLaunchTemplate"] = b"<R><launchTemplate/></R>"
        failed = oracle.times("DeleteLaunchTemplate")
        await doer.hands.close()
        return failed

    failed = asyncio.run(story())
    assert failed >= 3
    assert oracle.times("DeleteLaunchTemplate") == failed + 1


def test_a_sweep_that_is_forbidden_spoils_no_deed_and_is_not_tried_again(oracle: Oracle, oracle_aws: Aws) -> None:
    oracle.replies["CreateFleet"] = made_fleet("i-1")
    oracle.replies["DescribeLaunchTemplates"] = (403, error("UnauthorizedOperation", "no"))
    doer = Doer(oracle_aws)
    for _ in range(2):
        assert isinstance(doer.do(fleet()), FleetAnswered)
    assert oracle.times("DescribeLaunchTemplates") == 1


def test_looking_sweeps_nothing(oracle: Oracle, oracle_aws: Aws) -> None:
    Doer(oracle_aws).do(ObserveRegion(region=REGION))
    assert oracle.heard == []


# ---- questions -------------------------------------------------------------------------------------------------------

QUESTIONS: tuple[Action, ...] = (
    ObserveRegion(region=REGION),
    ObserveInstances(region=REGION, group="web", key="look", launches=("k",)),
    RecommendPools(
        region=REGION,
        group="web",
        instance_type="m5.large",
        product="Linux/UNIX",
        architecture="x86_64",
        virtualization="hvm",
        azs=("us-east-1a",),
    ),
)


def test_questions_go_to_those_who_can_answer_them(doer: Doer) -> None:
    events = [doer.do(question) for question in QUESTIONS]
    assert doer.attendant.asked == list(QUESTIONS)
    assert isinstance(events[-1], PoolsRecommended)


def test_hands_that_only_read_answer_questions_and_leave_every_deed_out(moto: Moto, aws: Aws) -> None:
    attendant = Attendant()
    hands = ReadOnlyHands(observer=attendant, recommender=attendant)
    for question in QUESTIONS:
        asyncio.run(hands.do(question, 1))
    assert attendant.asked == list(QUESTIONS)
    for deed in (fleet(), SetMaxSize(**WEB, max_size=3), TerminateInstances(**WEB, instance_ids=("i-1",))):
        with pytest.raises(Permanent, match=f"dry run: {deed.kind} for us-east-1/web is left out"):
            asyncio.run(hands.do(deed, 1))
    assert aws.counter.counts == {}
