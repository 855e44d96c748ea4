import pytest
from hypothesis import given, settings

from spotward.engine.words import action_words, event_words, subjects_of_action, subjects_of_event
from spotward.model.action import Action, AttachInstances, RetireMember
from spotward.model.cloud import Pool
from spotward.model.event import (
    Event,
    FleetAnswered,
    InstanceFound,
    InstanceGone,
    InterruptionNoticed,
    NoticeWithdrawn,
    PoolFailure,
    RegionObserved,
    TargetStateChanged,
    Tick,
)
from tests.engine.any_value import any_of
from tests.engine.made import NOON, REGION, WEB, a_group, a_launch, a_tagging, an_instance, done, failed, seen


@given(any_of(Event))
@settings(max_examples=150)
def test_every_event_has_words_and_subjects(event: Event) -> None:
    assert event_words(event)
    assert all(isinstance(subject, str) for subject in subjects_of_event(event))


@given(any_of(Action))
@settings(max_examples=150)
def test_every_action_has_words_and_a_deed_can_be_found_by_its_key(action: Action) -> None:
    assert action_words(action)
    subjects = set(subjects_of_action(action))
    assert action.subject in subjects
    assert not action.mutates or action.key in subjects


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Tick(time=NOON, regions=("us-east-1", "eu-west-1")), "time to look at us-east-1 and eu-west-1"),
        (
            InterruptionNoticed(time=NOON, region=REGION, instance_id="i-1", deadline=NOON + 120),
            "EC2 will terminate i-1 at 22:15:20",
        ),
        (InstanceGone(time=NOON, region=REGION, instance_id="i-1", group="web"), "i-1 is gone from web"),
        (
            NoticeWithdrawn(time=NOON, region=REGION, instance_id="i-1", notice="rebalance"),
            "EC2 advises no more to move off i-1",
        ),
        (
            TargetStateChanged(time=NOON, region=REGION, instance_id="i-1", state="Terminated"),
            "Auto Scaling wants i-1 to be Terminated",
        ),
        (seen(a_group("i-1", "i-2")), "us-east-1 was looked at: 1 group and 2 instances new or changed"),
        (
            InstanceFound(time=NOON, key="find i-1", region=REGION, instance_id="i-1", instance=an_instance("i-1")),
            "i-1 was found in web",
        ),
        (
            FleetAnswered(
                time=NOON,
                key="launch 1",
                attempt=1,
                region=REGION,
                group_name="web",
                failures=(
                    PoolFailure(
                        pool=Pool(instance_type="m5.large", az="us-east-1a"),
                        code="InsufficientInstanceCapacity",
                        message="",
                    ),
                ),
            ),
            "the fleet made nothing; refused elsewhere: InsufficientInstanceCapacity",
        ),
    ],
)
def test_an_operator_can_read_what_happened(event: Event, words: str) -> None:
    assert event_words(event) == words


def test_an_outcome_is_told_as_what_was_done_and_by_its_key_only_where_that_is_forgotten() -> None:
    deed = a_tagging("borrow of web: note")
    assert event_words(done(deed), deed) == f"done: {action_words(deed)}"
    assert event_words(failed(deed), deed).startswith(f"failed: {action_words(deed)}: ")
    assert event_words(done(deed)) == "done: borrow of web: note"


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (a_launch(count=3), "launch 3 Spot in us-east-1b for us-east-1/web, from 1 pool"),
        (
            RetireMember(region=REGION, group="web", key="k", instance_id="i-1"),
            "terminate i-1 through us-east-1/web",
        ),
        (
            RetireMember(region=REGION, group="web", key="k", instance_id="i-1", detach=True),
            "detach i-1 from us-east-1/web",
        ),
        (
            AttachInstances(region=REGION, group="web", key="k", instance_ids=("i-1", "i-2")),
            "attach i-1 and i-2 to us-east-1/web",
        ),
    ],
)
def test_an_operator_can_read_what_is_to_be_done(action: Action, words: str) -> None:
    assert action_words(action) == words


def test_a_whole_region_is_one_subject_and_not_ten_thousand() -> None:
    event = seen(*(a_group(f"i-{n}", name=f"g{n}") for n in range(100)))
    assert isinstance(event, RegionObserved)
    assert list(subjects_of_event(event)) == [REGION]


def test_a_deed_is_found_by_each_of_its_instances() -> None:
    attach = AttachInstances(region=REGION, group="web", key="k", instance_ids=("i-1", "i-2"))
    assert set(subjects_of_action(attach)) == {WEB, "k", "i-1", "i-2"}
