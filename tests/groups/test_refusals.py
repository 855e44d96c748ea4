"""Every reason to leave a group or a member alone, and every last word of a guard, as an operator reads it."""

from dataclasses import replace
from typing import Any

import pytest

from spotward.groups.assess import Fate, assess
from spotward.groups.guard import capacity_guard, member_guard, note_guard, room_guard, scope_guard
from spotward.groups.obstacle import LAUNCHING, obstacle, obstacle_in_details
from spotward.groups.policy import GroupPolicy, GroupsPolicy
from spotward.model.action import (
    Action,
    AttachInstances,
    LaunchFleet,
    ObserveGroup,
    RestoreDesired,
    RetireMember,
    SetMaxSize,
    SuspendProcesses,
    TerminateInstances,
)
from spotward.model.cloud import Group, GroupDetails, Instance, LaunchSource, Lifecycle, LifecycleHook, Member, Pool
from spotward.model.decision import Guard, Wish
from spotward.model.event import RegionObserved
from spotward.model.world import World

WEB: dict[str, Any] = {"region": "us-east-1", "group": "web", "key": "k"}
MEMBER = Member(instance_id="i-1", instance_type="m5.large", az="us-east-1a", lifecycle_state="InService")
INSTANCE = Instance(
    id="i-1",
    region="us-east-1",
    az="us-east-1a",
    instance_type="m5.large",
    lifecycle=Lifecycle.ON_DEMAND,
    state="running",
    group="web",
)
GROUP = Group(
    region="us-east-1",
    name="web",
    min_size=1,
    max_size=2,
    desired=1,
    azs=("us-east-1a",),
    members=(MEMBER,),
    launch=LaunchSource(configuration="web"),
    tags={"spotward:enabled": "true"},
)


def world(group: Group = GROUP, *instances: Instance) -> World:
    seen = RegionObserved(
        time=1.0, key="k", as_of=1.0, region="us-east-1", groups=(group,), instances=instances or (INSTANCE,)
    )
    return World().after(seen)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "Delete in progress"}, "AWS says of the group: Delete in progress"),
        ({"desired": 0}, "its owner set it to no instances"),
        ({"max_size": 0}, "its owner set it to no instances"),
        ({"mixed_spot": True}, "its own mixed-instances policy asks for Spot already: AWS divides it"),
        ({"launch": None}, "it names neither a launch template nor a launch configuration"),
        ({"suspended": frozenset({"Launch"})}, "its owner suspended Launch: nothing new may join"),
        ({"suspended": frozenset({"Terminate"})}, "its owner suspended Terminate: nothing may leave"),
        ({"capacity_rebalance": True}, None),
        ({}, None),
    ],
)
def test_why_a_group_is_left_alone(changes: dict[str, Any], words: str | None) -> None:
    assert obstacle(replace(GROUP, **changes)) == words


def test_a_rescue_leaves_it_to_capacity_rebalancing() -> None:
    words = "Capacity Rebalancing is on: AWS replaces its Spot members itself"
    assert obstacle(replace(GROUP, capacity_rebalance=True), rescue=True) == words


HOOK = LifecycleHook(name="register", transition=LAUNCHING, heartbeat_timeout_seconds=60)


@pytest.mark.parametrize(
    ("details", "words"),
    [
        (GroupDetails(launch_problem="it is gone"), "nothing can be launched for it: it is gone"),
        (GroupDetails(refresh_in_progress=True), "an instance refresh is running: AWS replaces its members itself"),
        (GroupDetails(stack_busy="shop is UPDATING"), "its CloudFormation stack is changing: shop is UPDATING"),
        (GroupDetails(termination_protected=True), "its launch data protects instances from termination"),
        (GroupDetails(hooks=(HOOK,)), "if its instances come up without, tag it spotward:launch-hooks=skip"),
    ],
)
def test_why_a_group_is_left_alone_once_its_details_are_known(details: GroupDetails, words: str) -> None:
    assert words in (obstacle_in_details(details, GroupPolicy()) or "")


def test_a_rescue_does_not_mind_protection_and_an_owner_may_skip_hooks() -> None:
    assert obstacle_in_details(GroupDetails(termination_protected=True), GroupPolicy(), rescue=True) is None
    assert obstacle_in_details(GroupDetails(hooks=(HOOK,)), GroupPolicy(skip_launch_hooks=True)) is None


@pytest.mark.parametrize(
    ("member", "instance", "words"),
    [
        ({"lifecycle_state": "Terminating"}, {}, "is leaving the group"),
        ({"lifecycle_state": "Standby"}, {}, "is Standby, not in service"),
        ({"protected": True}, {}, "is protected from scale-in"),
        ({}, {"lifecycle": Lifecycle.OTHER}, "is bought in another way (a capacity block or schedule)"),
        ({}, {"tenancy": "dedicated"}, "has dedicated tenancy, which Spot does not offer"),
        ({}, {"pinned": True}, "is kept by its owner: tag spotward:keep"),
        ({}, {"id": "i-2"}, "is not described by EC2 yet"),
    ],
)
def test_why_a_member_is_kept(member: dict[str, Any], instance: dict[str, Any], words: str) -> None:
    group = replace(GROUP, members=(replace(MEMBER, **member),))
    (prospect,) = assess(world(group, replace(INSTANCE, **instance)), group, GroupPolicy())
    assert (prospect.fate, prospect.reason) == (Fate.KEEP, words)


IN_SCOPE = scope_guard(GroupsPolicy())
FLEET = LaunchFleet(
    **WEB,
    attempt=1,
    count=1,
    lifecycle=Lifecycle.SPOT,
    launch=LaunchSource(configuration="web"),
    pools=(Pool(instance_type="m5.large", az="us-east-1a"),),
)


@pytest.mark.parametrize(
    ("guard", "action", "changes", "words"),
    [
        (IN_SCOPE, FLEET, {"tags": {}}, "not opted in: tag it spotward:enabled=true to opt in"),
        (IN_SCOPE, FLEET, {"tags": {"spotward:owner-max-size": "1/2"}}, "not opted in"),
        (IN_SCOPE, SetMaxSize(**WEB, max_size=1), {"tags": {"spotward:owner-max-size": "1/2"}}, None),
        (IN_SCOPE, ObserveGroup(region="us-east-1", group="web"), {"tags": {}}, None),
        (capacity_guard, RetireMember(**WEB, instance_id="i-1"), {}, "web wants 1 and its minimum is 1: no member may"),
        (capacity_guard, RetireMember(**WEB, instance_id="i-1"), {"min_size": 0}, None),
        (capacity_guard, RestoreDesired(**WEB, desired=3, expected=1), {}, "wants 1 of at most 2: it is not set to 3"),
        (capacity_guard, RestoreDesired(**WEB, desired=1, expected=2), {"desired": 2}, "it is not set to 1"),
        (capacity_guard, RestoreDesired(**WEB, desired=2, expected=1), {}, None),
        (note_guard, SetMaxSize(**WEB, max_size=3), {}, "the owner's max size of web is not written down yet"),
        (note_guard, SetMaxSize(**WEB, max_size=3), {"tags": {"spotward:owner-max-size": "2/3"}}, None),
        (note_guard, SuspendProcesses(**WEB, processes=("AZRebalance",)), {}, "the owner's processes of web are not"),
        (room_guard, AttachInstances(**WEB, instance_ids=("i-2", "i-3")), {}, "at most 2: no room for 2 more"),
        (room_guard, AttachInstances(**WEB, instance_ids=("i-2",)), {}, None),
        (member_guard, TerminateInstances(**WEB, instance_ids=("i-1", "i-2")), {}, "i-1 serves in its group"),
        (member_guard, TerminateInstances(**WEB, instance_ids=("i-1",)), {"status": "Delete in progress"}, None),
    ],
)
def test_the_last_word_of_a_guard(guard: Guard, action: Action, changes: dict[str, Any], words: str | None) -> None:
    said = guard(world(replace(GROUP, **changes)), Wish(action=action, reason="a test"))
    assert said is None if words is None else words in (said or "")


@pytest.mark.parametrize("guard", [IN_SCOPE, capacity_guard, note_guard, room_guard, member_guard])
def test_a_group_that_nobody_has_seen_is_no_guard_s_business(guard: Guard) -> None:
    for action in (FLEET, RetireMember(**WEB, instance_id="i-1"), SetMaxSize(**WEB, max_size=3)):
        assert guard(World(), Wish(action=action, reason="a test")) is None
