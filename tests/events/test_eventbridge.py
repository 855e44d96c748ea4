"""EventBridge's JSON, read and written."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.events.envelope import Ignored
from spotward.events.eventbridge import parse, parse_all, render
from spotward.model.errors import PayloadError
from spotward.model.event import InstanceGone, InstanceLaunched, InterruptionNoticed, News, RebalanceAdvised

PAYLOADS = Path(__file__).parent.parent / "payloads" / "eventbridge"
TIME = 1_794_432_634.0  # 2026-11-11T21:30:34Z
RECEIVED = TIME + 5


def payload(name: str) -> str:
    return (PAYLOADS / f"{name}.json").read_text()


def with_field(name: str, field: str, value: object) -> str:
    event = json.loads(payload(name))
    parts = field.split(".")
    place = event
    for part in parts[:-1]:
        place = place[part]
    if value is None:
        del place[parts[-1]]
    else:
        place[parts[-1]] = value
    return json.dumps(event)


INTERRUPTED = InterruptionNoticed(
    time=TIME, region="us-east-2", instance_id="i-1234567890abcdef0", action="terminate", deadline=TIME + 120
)
ADVISED = RebalanceAdvised(time=TIME, region="us-east-2", instance_id="i-1234567890abcdef0")


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("state_running", InstanceLaunched(time=TIME, region="us-east-1", instance_id="i-0abcd1111aaaa2222")),
        ("state_shutting_down", InstanceGone(time=TIME, region="us-east-1", instance_id="i-0abcd1111aaaa2222")),
        ("interruption_warning", INTERRUPTED),
        ("rebalance_recommendation", ADVISED),
        (
            "group_launch_successful",
            InstanceLaunched(time=TIME, region="us-west-2", instance_id="i-1234567890abcdef0", group="web"),
        ),
        (
            "group_terminate_successful",
            InstanceGone(
                time=TIME, region="us-west-2", instance_id="i-1234567890abcdef0", group="web", state="terminated"
            ),
        ),
        ("wrapped_by_sns", INTERRUPTED),
        ("wrapped_by_lambda_from_sqs", INTERRUPTED),
        ("wrapped_by_lambda_from_sns", INTERRUPTED),
        ("wrapped_by_lambda_from_sqs_from_sns", INTERRUPTED),
    ],
)
def test_what_aws_sends_is_read(name: str, event: News) -> None:
    assert parse(payload(name), received=RECEIVED) == event


def test_an_array_gives_every_event_in_order() -> None:
    assert parse_all(payload("array_of_two"), received=RECEIVED) == (INTERRUPTED, ADVISED)


def test_where_one_event_is_expected_two_are_an_error() -> None:
    with pytest.raises(PayloadError, match="holds 2 events where one was expected; send one"):
        parse(payload("array_of_two"), received=RECEIVED)


def test_a_hibernation_begins_at_once_so_its_deadline_is_its_time() -> None:
    event = parse(payload("interruption_hibernate"), received=RECEIVED)
    assert isinstance(event, InterruptionNoticed)
    assert (event.action, event.deadline) == ("hibernate", TIME)


def test_an_action_that_we_do_not_know_is_taken_for_a_termination() -> None:
    event = parse(with_field("interruption_warning", "detail.instance-action", "evaporate"), received=RECEIVED)
    assert event == INTERRUPTED


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("state_pending", "the state pending asks for nothing"),
        ("group_test_notification", "a test notification straight from Auto Scaling"),
        ("sns_subscription", "SNS's own housekeeping"),
    ],
)
def test_what_asks_for_nothing_is_ignored_with_words(name: str, words: str) -> None:
    ignored = parse(payload(name), received=RECEIVED)
    assert isinstance(ignored, Ignored)
    assert words in ignored.reason


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not json", "is not JSON"),
        ("", "is not JSON"),
        ("7", "is a number and not a JSON object"),
        ("null", "is null and not a JSON object"),
        ("{}", "has no `detail-type`"),
        ("[" * 100_000, "nested too deeply"),
        ("[[[[[[[]]]]]]]", "wrapped more than 4 times"),
        (with_field("interruption_warning", "detail-type", 7), "`detail-type` is a number"),
        (with_field("interruption_warning", "detail", []), "`detail` is an array"),
        (with_field("interruption_warning", "detail.instance-id", None), "`instance-id` is missing"),
        (with_field("interruption_warning", "detail.instance-id", "sub/../net"), "should be an instance id such as"),
        (with_field("interruption_warning", "region", "evil.example.com/"), "should be a region such as us-east-1"),
        (with_field("interruption_warning", "time", "yesterday"), "should be a time such as"),
        (with_field("interruption_warning", "time", "2026-13-41T21:30:34Z"), "should be a time such as"),
        (with_field("interruption_warning", "time", 1794432634), "should be a time such as"),
        (with_field("state_running", "detail.state", None), "`detail.state` is missing"),
        (with_field("group_launch_successful", "detail.AutoScalingGroupName", ""), "should be a text"),
    ],
)
def test_what_cannot_be_read_is_told_with_the_next_step(text: str, words: str) -> None:
    with pytest.raises(PayloadError) as told:
        parse(text, received=RECEIVED)
    assert words in str(told.value)
    assert "; send " in str(told.value)
    assert len(str(told.value)) < 500


def test_an_event_without_a_time_happened_when_it_was_received() -> None:
    event = parse(with_field("rebalance_recommendation", "time", None), received=RECEIVED)
    assert not isinstance(event, Ignored)
    assert event.time == RECEIVED


def test_no_event_happens_later_than_it_was_received() -> None:
    event = parse(with_field("interruption_warning", "time", "2099-01-01T00:00:00Z"), received=RECEIVED)
    assert isinstance(event, InterruptionNoticed)
    assert (event.time, event.deadline) == (RECEIVED, RECEIVED + 120)


def test_the_warning_is_written_with_the_zone_in_its_arn_and_no_account_as_ec2_does() -> None:
    text = render(INTERRUPTED, az="us-east-2a")
    assert json.loads(text)["resources"] == ["arn:aws:ec2:us-east-2a:instance/i-1234567890abcdef0"]


def test_the_same_event_always_has_the_same_id_and_another_another() -> None:
    assert render(INTERRUPTED) == render(INTERRUPTED)
    assert json.loads(render(INTERRUPTED))["id"] != json.loads(render(ADVISED))["id"]


regions = st.sampled_from(["us-east-1", "cn-north-1", "us-gov-west-1", "ap-southeast-5"])
ids = st.from_regex(r"i-[0-9a-f]{1,17}", fullmatch=True)
times = st.integers(min_value=0, max_value=4_000_000_000).map(float) | st.integers(0, 4_000_000_000_000).map(
    lambda milliseconds: milliseconds / 1000
)
group_names = st.text(min_size=1, max_size=255)
news = st.one_of(
    st.builds(InstanceLaunched, time=times, region=regions, instance_id=ids, group=st.none() | group_names),
    st.builds(
        InstanceGone,
        time=times,
        region=regions,
        instance_id=ids,
        state=st.sampled_from(["stopping", "shutting-down", "stopped", "terminated"]),
    ),
    st.builds(
        InstanceGone, time=times, region=regions, instance_id=ids, group=group_names, state=st.just("terminated")
    ),
    st.builds(RebalanceAdvised, time=times, region=regions, instance_id=ids),
    st.builds(
        lambda time, region, instance_id, action: InterruptionNoticed(
            time=time,
            region=region,
            instance_id=instance_id,
            action=action,
            deadline=time + (0 if action == "hibernate" else 120),
        ),
        times,
        regions,
        ids,
        st.sampled_from(["terminate", "stop", "hibernate"]),
    ),
)


@given(news)
def test_what_is_written_is_read_back_the_same(event: News) -> None:
    assert parse(render(event), received=event.time) == event


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@given(st.text() | json_values.map(json.dumps))
def test_no_text_crashes_the_reader(text: str) -> None:
    with suppress(PayloadError):
        parse_all(text, received=RECEIVED)


PLACES = ("detail-type", "time", "region", "detail", "Message", "Records", "body", "Sns")


@given(st.sampled_from([p.stem for p in sorted(PAYLOADS.glob("*.json"))]), st.sampled_from(PLACES), json_values)
def test_no_field_of_a_real_event_that_is_spoilt_crashes_the_reader(name: str, field: str, value: object) -> None:
    event = json.loads(payload(name))
    target = event[0] if isinstance(event, list) else event
    target[field] = value
    with suppress(PayloadError):
        parse_all(json.dumps(event), received=RECEIVED)
