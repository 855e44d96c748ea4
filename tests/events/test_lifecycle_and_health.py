"""Hooks in their three forms, and AWS Health with all its instances."""

import json
from datetime import UTC, datetime

import pytest

from spotward.events.envelope import Ignored
from spotward.events.eventbridge import parse, parse_all
from spotward.model.errors import PayloadError
from spotward.model.event import InstanceGone, MaintenanceEnded, MaintenanceScheduled
from spotward.model.node_event import LifecycleHooked
from tests.events.test_eventbridge import RECEIVED, TIME, payload, with_field

HOOKED = LifecycleHooked(
    time=TIME,
    region="us-west-2",
    instance_id="i-1234567890abcdef0",
    group="web",
    hook="drain",
    token="87654321-4321-4321-4321-210987654321",
)
CODE = "AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED"
ARN = f"arn:aws:health:us-east-2::event/EC2/{CODE}/{CODE}_1"


@pytest.mark.parametrize("name", ["lifecycle_action", "lifecycle_direct", "lifecycle_direct_by_sns"])
def test_a_hook_is_read_in_each_of_its_three_forms(name: str) -> None:
    assert parse(payload(name), received=RECEIVED, region="us-west-2") == HOOKED


def test_the_region_of_a_topic_wins_over_that_of_the_queue_behind_it() -> None:
    event = parse(payload("lifecycle_direct_by_sns"), received=RECEIVED, region="eu-west-1")
    assert event == HOOKED


def test_a_direct_hook_without_a_region_is_told() -> None:
    with pytest.raises(PayloadError, match="`region` is missing"):
        parse(payload("lifecycle_direct"), received=RECEIVED)


def test_a_hook_at_the_start_of_a_life_is_told_from_one_at_its_end() -> None:
    event = parse(payload("lifecycle_direct_launch"), received=RECEIVED, region="us-west-2")
    assert isinstance(event, LifecycleHooked)
    assert (event.launching, event.hook) == (True, "wait")


def test_a_transition_that_we_do_not_know_is_ignored() -> None:
    text = with_field("lifecycle_action", "detail.LifecycleTransition", "autoscaling:EC2_INSTANCE_DREAMING")
    assert isinstance(parse(text, received=RECEIVED), Ignored)


def test_a_health_event_gives_one_event_for_each_of_its_instances_and_its_own_region() -> None:
    start = datetime(2026, 12, 5, 15, 10, 9, tzinfo=UTC).timestamp()
    assert parse_all(payload("health_scheduled_change"), received=RECEIVED) == tuple(
        MaintenanceScheduled(
            time=TIME, region="us-east-2", instance_id=instance_id, event_id=ARN, code=CODE, start_time=start
        )
        for instance_id in ("i-0abcd1111aaaa2222", "i-0abcd1111aaaa3333")
    )


def test_a_change_that_health_has_closed_is_over_for_all_and_one_that_is_resolved_for_one() -> None:
    closed = parse_all(with_field("health_scheduled_change", "detail.statusCode", "closed"), received=RECEIVED)
    assert [type(event) for event in closed] == [MaintenanceEnded, MaintenanceEnded]
    document = json.loads(payload("health_scheduled_change"))
    document["detail"]["affectedEntities"][0]["status"] = "RESOLVED"
    one = parse_all(json.dumps(document), received=RECEIVED)
    assert [type(event) for event in one] == [MaintenanceEnded, MaintenanceScheduled]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("detail.service", "RDS"),
        ("detail.eventTypeCategory", "issue"),
        ("detail.affectedEntities", [{"entityValue": "vol-1"}, 7]),
    ],
)
def test_what_health_says_of_anything_else_is_ignored(field: str, value: object) -> None:
    assert isinstance(parse(with_field("health_scheduled_change", field, value), received=RECEIVED), Ignored)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("detail.affectedEntities", "i-1", "should be a list"),
        ("detail.startTime", "tomorrow", "should be a time such as Sat, 05 Jun 2027"),
        ("detail.startTime", None, "`detail.startTime` is missing"),
        ("detail.eventArn", None, "`detail.eventArn` is missing"),
    ],
)
def test_what_health_says_unreadably_is_told(field: str, value: object, words: str) -> None:
    with pytest.raises(PayloadError) as told:
        parse_all(with_field("health_scheduled_change", field, value), received=RECEIVED)
    assert words in str(told.value)


@pytest.mark.parametrize("state", ["stopping", "shutting-down", "stopped", "terminated"])
def test_the_state_of_an_instance_that_goes_is_kept(state: str) -> None:
    event = parse(with_field("state_shutting_down", "detail.state", state), received=RECEIVED)
    assert isinstance(event, InstanceGone)
    assert event.state == state
