"""What the owner asked for is what the group has in the end, whenever in a swap it was asked."""

from functools import partial
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotward.groups.owners_wish import asked_for
from spotward.groups.policy import GroupPolicy, GroupsPolicy
from spotward.model.action import Action, AttachInstances, ObserveGroup, RestoreDesired, RetireMember
from spotward.model.cloud import CapacityHistory, DesiredChange, Lifecycle, MemberStep
from tests.groups.stage import Stage
from tests.groups.toy_cloud import AZS, NotDone, ToyCloud

LONG = 3600.0
OURS = frozenset({"i-1", "i-2", "i-3"})
AT_ONCE = GroupsPolicy(defaults=GroupPolicy(surge_percentage=100))


def history(*told: DesiredChange | MemberStep, since: float = 0.0) -> CapacityHistory:
    return CapacityHistory(
        since=since,
        changes=tuple(each for each in told if isinstance(each, DesiredChange)),
        steps=tuple(each for each in told if isinstance(each, MemberStep)),
    )


def to(after: int, time: float, *, before: int = 9) -> DesiredChange:
    return DesiredChange(time=time, before=before, after=after)


def joined(instance_id: str, time: float) -> MemberStep:
    return MemberStep(time=time, instance_id=instance_id, joined=True)


def left(instance_id: str, time: float) -> MemberStep:
    return MemberStep(time=time, instance_id=instance_id, joined=False)


# ---- what a history tells --------------------------------------------------------------------------------------------


def test_our_steps_after_the_owners_value_stand_on_top_of_it() -> None:
    assert asked_for(history(to(16, 10.0), joined("i-1", 12.0), joined("i-2", 12.0)), 18, OURS) == 16
    assert asked_for(history(to(16, 10.0), left("i-1", 12.0)), 15, OURS) == 16


def test_our_steps_before_the_owners_value_are_in_it() -> None:
    assert asked_for(history(joined("i-1", 8.0), to(16, 10.0)), 16, OURS) == 16


def test_a_step_of_the_very_second_may_have_come_before_or_after() -> None:
    told = history(to(16, 10.0), left("i-1", 10.0), joined("i-2", 10.0))
    assert [asked_for(told, stands, OURS) for stands in (14, 15, 16, 17, 18)] == [None, 16, 16, 16, None]


def test_the_last_of_several_values_counts() -> None:
    assert asked_for(history(to(16, 10.0), to(12, 20.0), left("i-1", 22.0)), 11, OURS) == 12
    assert asked_for(history(to(12, 20.0, before=16), to(16, 20.0)), 12, OURS) == 12, "in one second, in this order"


@pytest.mark.parametrize(
    ("told", "stands"),
    [
        (history(), 16),
        (history(to(16, 10.0)), 15),
        (history(to(16, 10.0), left("i-1", 12.0)), 16),
        (history(to(16, 10.0), left("i-404", 12.0)), 15),
        (history(to(16, 10.0), to(18, 10.0)), 18),
        (history(to(16, 10.0), since=11.0), 16),
    ],
    ids=["no change", "a lowering is not shown yet", "a raising is", "a step of others", "two at once", "cut off"],
)
def test_what_does_not_add_up_is_not_believed(told: CapacityHistory, stands: int) -> None:
    assert asked_for(told, stands, OURS) is None


# ---- whole swaps -----------------------------------------------------------------------------------------------------


def a_stage(members: int = 6) -> Stage:
    cloud = ToyCloud(boot_seconds=lambda: 20.0, service_seconds=lambda: 10.0)
    kinds = [("m5.large", AZS[n % 3], Lifecycle.ON_DEMAND) for n in range(members)]
    cloud.set_up("web", members=kinds, max_size=100)
    return Stage(cloud, policy=AT_ONCE)


def set_when(stage: Stage, kind: type, number: int, desired: int, *, before: bool = False) -> None:
    """The owner's new value comes right after, or right before, the how-many-eth deed of a kind is carried out."""
    seen = 0

    def owner(action: Action, done: bool) -> None:
        nonlocal seen
        seen += isinstance(action, kind) and done != before
        if isinstance(action, kind) and done != before and seen == number:
            stage.cloud.owner_sets("web", desired=desired)

    stage.cloud.around_deed = owner


@pytest.mark.parametrize("desired", [3, 5, 10, 14])
@pytest.mark.parametrize("before", [False, True], ids=["after", "before"])
@pytest.mark.parametrize(
    ("kind", "number"), [(AttachInstances, 1), (RetireMember, 1), (RetireMember, 4), (RetireMember, 6)]
)
def test_whatever_step_the_owner_comes_between_the_group_ends_at_what_was_asked_for(
    kind: type, number: int, before: bool, desired: int
) -> None:
    stage = a_stage()
    set_when(stage, kind, number, desired, before=before)
    stage.play(until=LONG)
    group = stage.cloud.groups["web"]
    assert group.about.desired == desired
    assert stage.cloud.serving(group) == desired
    assert not stage.world.swaps
    assert not stage.world.surprises


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**20),
    surge=st.sampled_from((34, 100)),
    changes=st.lists(
        st.tuples(st.integers(20, 130), st.sampled_from((3, 25, 50))),
        min_size=1,
        max_size=3,
        unique_by=lambda change: change[0],
    ),
)
def test_whenever_and_however_often_the_owner_changes_it_the_last_word_holds(
    seed: int, surge: int, changes: list[tuple[int, int]]
) -> None:
    cloud = a_stage().cloud
    stage = Stage(cloud, seed=seed, policy=GroupsPolicy(defaults=GroupPolicy(surge_percentage=surge)))
    for time, desired in changes:
        stage.at(time, partial(cloud.owner_sets, "web", desired=desired))
    stage.play(until=900.0)
    group = cloud.groups["web"]
    assert group.about.desired == group.owner_asked
    assert cloud.serving(group) == group.owner_asked
    assert stage.orphans() == []


def test_nobody_is_asked_who_set_it_when_nobody_else_did() -> None:
    stage = a_stage()
    stage.play(until=LONG)
    assert not [a for _, a in stage.asked if isinstance(a.action, ObserveGroup) and a.action.history]


def test_nobody_is_asked_when_the_owner_changes_it_before_any_step_of_ours() -> None:
    stage = a_stage()
    stage.at(10.0, lambda: stage.cloud.owner_sets("web", desired=9))
    stage.tick(12.0)
    stage.play(until=LONG)
    assert stage.cloud.groups["web"].about.desired == 9
    assert not [a for _, a in stage.asked if isinstance(a.action, ObserveGroup) and a.action.history]


def test_activities_that_show_late_are_waited_for() -> None:
    stage = a_stage()
    stage.cloud.history_lag_seconds = 25.0
    set_when(stage, RetireMember, 4, 10)
    stage.play(until=LONG)
    assert stage.cloud.groups["web"].about.desired == 10
    asked = [time for time, a in stage.asked if isinstance(a.action, ObserveGroup) and a.action.history]
    assert 2 <= len(asked) <= 5


@pytest.mark.parametrize("lag", [inf, 1000.0], ids=["where there are none", "where they show too late"])
def test_without_activities_what_stands_there_is_taken_for_the_owners_wish(lag: float) -> None:
    stage = a_stage()
    stage.cloud.history_lag_seconds = lag
    set_when(stage, AttachInstances, 1, 10, before=True)
    stage.play(until=LONG)
    assert stage.cloud.groups["web"].about.desired == 16
    asked = [time for time, a in stage.asked if isinstance(a.action, ObserveGroup) and a.action.history]
    assert len(asked) == (1 if lag == inf else len(asked))
    assert len(asked) <= 16


def test_a_rescue_does_not_wait_for_activities() -> None:
    """Its member is leaving: the first answer decides."""
    stage = a_stage(members=3)
    stage.cloud.history_lag_seconds = 1000.0
    stage.play(until=600.0)
    victim = next(iter(stage.cloud.groups["web"].members))
    set_when(stage, AttachInstances, 1, 5, before=True)
    stage.notice(victim, 610.0)
    stage.play(until=LONG, from_time=660.0)
    assert len([a for _, a in stage.asked if isinstance(a.action, ObserveGroup) and a.action.history]) == 1


def test_a_desired_capacity_that_cannot_be_set_back_is_tried_again_and_said() -> None:
    stage = a_stage()
    stage.cloud.failing[RestoreDesired] = NotDone("AccessDenied", "you may not")
    stage.at(300.0, stage.cloud.failing.clear)
    set_when(stage, RetireMember, 1, 8)
    stage.play(until=LONG)
    assert stage.cloud.groups["web"].about.desired == 8
    assert any("AccessDenied: you may not" in words for words in stage.words())


def test_a_restart_in_the_middle_of_the_question_leaves_no_swap_open() -> None:
    stage = a_stage()
    stage.cloud.history_lag_seconds = 40.0
    set_when(stage, RetireMember, 2, 10)
    stage.at(62.0, stage.restart)
    stage.play(until=LONG)
    assert not stage.world.swaps
    assert not stage.orphans()
