"""EventBridge: from what happens, or is put, to the queues of its rules."""

from __future__ import annotations

import json
from typing import Any

import pytest

from spotward.emulator.transform import fill, follow, target_input
from tests.emulator.clients import Clients, refused

NAMES = iter(f"rule-{at}" for at in range(1_000_000))

EVENT = {
    "version": "0",
    "id": "e-1",
    "detail-type": "EC2 Spot Instance Interruption Warning",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2026-11-22T14:05:09Z",
    "region": "us-east-1",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-1"],
    "detail": {"instance-id": "i-1", "instance-action": "terminate"},
}


class Listener:
    """A queue with a rule that leads to it."""

    def __init__(self, aws: Clients, pattern: dict[str, Any] | None, region: str = "us-east-1", **target: Any) -> None:
        self._sqs, self._events = aws("sqs"), aws("events", region)
        self.rule = next(NAMES)
        fifo = "SqsParameters" in target
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if fifo else {}
        name = self.rule + (".fifo" if fifo else "")
        self.queue = self._sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        how = {"EventPattern": json.dumps(pattern)} if pattern else {"ScheduleExpression": "rate(1 minute)"}
        self._events.put_rule(Name=self.rule, **how)
        arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"
        self._events.put_targets(Rule=self.rule, Targets=[{"Id": "q", "Arn": arn, **target}])

    def heard(self) -> list[str]:
        got = self._sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        return [message["Body"] for message in got.get("Messages", ())]


def put(aws: Clients, region: str = "us-east-1", **entry: Any) -> dict[str, Any]:
    whole = {"Source": "mine", "DetailType": "Made up", "Detail": '{"a": 1}', **entry}
    answer: dict[str, Any] = aws("events", region).put_events(Entries=[whole])
    return answer


def test_an_event_that_is_put_reaches_the_queue_whole(aws: Clients) -> None:
    listener = Listener(aws, {"source": ["mine"], "detail": {"a": [{"numeric": ["<", 2]}]}})
    answer = put(aws, Resources=["arn:x"])
    [body] = listener.heard()
    event = json.loads(body)
    assert event["id"] == answer["Entries"][0]["EventId"]
    assert event["time"].endswith("Z")
    assert {name: event[name] for name in ("version", "detail-type", "account", "region", "resources", "detail")} == {
        "version": "0",
        "detail-type": "Made up",
        "account": "123456789012",
        "region": "us-east-1",
        "resources": ["arn:x"],
        "detail": {"a": 1},
    }


def test_what_does_not_match_is_not_delivered(aws: Clients) -> None:
    listener = Listener(aws, {"source": ["mine"], "detail-type": ["Other"]})
    put(aws)
    assert listener.heard() == []


def test_a_rule_that_is_disabled_is_deaf(aws: Clients) -> None:
    listener = Listener(aws, {"source": ["mine"]})
    aws("events").disable_rule(Name=listener.rule)
    put(aws)
    assert listener.heard() == []
    aws("events").enable_rule(Name=listener.rule)
    put(aws)
    assert len(listener.heard()) == 1


def test_a_rule_with_a_schedule_only_hears_no_events(aws: Clients) -> None:
    listener = Listener(aws, None)
    put(aws)
    assert listener.heard() == []


def test_a_target_may_stand_in_another_region(aws: Clients) -> None:
    listener = Listener(aws, {"source": ["mine"]}, region="eu-west-1")
    put(aws, "eu-west-1")
    assert json.loads(listener.heard()[0])["region"] == "eu-west-1"


def test_a_fifo_queue_can_be_a_target(aws: Clients) -> None:
    listener = Listener(aws, {"source": ["mine"]}, SqsParameters={"MessageGroupId": "g"})
    put(aws)
    assert len(listener.heard()) == 1


def test_a_target_gets_a_constant_a_part_or_a_template(aws: Clients) -> None:
    constant = Listener(aws, {"source": ["mine"]}, Input='{"always": "this"}')
    part = Listener(aws, {"source": ["mine"]}, InputPath="$.detail")
    template = Listener(
        aws,
        {"source": ["mine"]},
        InputTransformer={"InputPathsMap": {"a": "$.detail.a"}, "InputTemplate": '{"a": <a>, "in words": "a is <a>"}'},
    )
    put(aws)
    assert json.loads(constant.heard()[0]) == {"always": "this"}
    assert json.loads(part.heard()[0]) == {"a": 1}
    assert json.loads(template.heard()[0]) == {"a": 1, "in words": "a is 1"}


def test_a_target_that_cannot_be_served_hinders_no_other(aws: Clients) -> None:
    listener = Listener(aws, {"source": ["mine"]})
    others = [
        {"Id": "lambda", "Arn": "arn:aws:lambda:us-east-1:123456789012:function:none"},
        {"Id": "gone", "Arn": "arn:aws:sqs:us-east-1:123456789012:no-such-queue"},
    ]
    aws("events").put_targets(Rule=listener.rule, Targets=others)
    assert put(aws)["FailedEntryCount"] == 0
    assert len(listener.heard()) == 1


def test_a_log_group_is_left_to_moto(aws: Clients) -> None:
    aws("logs").create_log_group(logGroupName="/events/mine")
    listener = Listener(aws, {"source": ["mine"]})
    arn = "arn:aws:logs:us-east-1:123456789012:log-group:/events/mine"
    aws("events").put_targets(Rule=listener.rule, Targets=[{"Id": "log", "Arn": arn}])
    put(aws)
    [event] = aws("logs").filter_log_events(logGroupName="/events/mine")["events"]
    assert json.loads(event["message"])["detail"] == {"a": 1}


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"Source": ""}, "InvalidArgument"),
        ({"DetailType": ""}, "InvalidArgument"),
        ({"Detail": "{"}, "MalformedDetail"),
        ({"Detail": "[]"}, "MalformedDetail"),
    ],
)
def test_an_entry_that_cannot_be_is_told_of(aws: Clients, entry: dict[str, str], code: str) -> None:
    answer = put(aws, **entry)
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == code


def test_too_many_entries_or_an_unknown_bus_are_refused(aws: Clients) -> None:
    with refused("ValidationException"):
        aws("events").put_events(Entries=[{"Source": "a", "DetailType": "b", "Detail": "{}"}] * 11)
    with refused("ResourceNotFoundException"):
        put(aws, EventBusName="no-such-bus")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.detail.instance-id", "i-1"),
        ("$.resources[0]", "arn:aws:ec2:us-east-1:123456789012:instance/i-1"),
        ("$.resources[5]", None),
        ("$.detail.none.deeper", None),
        ("$.detail", EVENT["detail"]),
    ],
)
def test_a_path_leads_to_its_part(path: str, value: Any) -> None:
    assert follow(EVENT, path) == value


def test_a_template_may_be_plain_text_or_hold_quotes() -> None:
    assert fill('"<who> said \\"<what>\\""', {"who": "I", "what": 'so "there"'}) == '"I said \\"so \\"there\\"\\""'
    assert json.loads(fill('{"e": <e>, "n": <n>}', {"e": {"a": [1]}, "n": None})) == {"e": {"a": [1]}, "n": None}
    assert fill("<unknown>", {}) == "<unknown>"


def test_reserved_variables_are_known() -> None:
    transformer = {"InputTemplate": '{"rule": "<aws.events.rule-name>", "all": <aws.events.event.json>}'}
    text = target_input(EVENT, {"InputTransformer": transformer}, rule="r", rule_arn="arn:r")
    assert json.loads(text) == {"rule": "r", "all": EVENT}
