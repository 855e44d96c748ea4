"""SQS over HTTP, as boto3 speaks to it and as SDKs used to."""

from __future__ import annotations

import json
import threading
import time
import urllib.parse
import urllib.request
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from moto.sqs.models import Message as MotoMessage

from spotward.emulator.queues.messages import md5_of_attributes
from spotward.emulator.server import Emulator
from tests.emulator.clients import Clients, eventually, refused

NAMES = iter(f"queue-{at}" for at in range(1_000_000))


@pytest.fixture
def sqs(aws: Clients) -> Any:
    return aws("sqs")


@pytest.fixture
def queue(sqs: Any) -> str:
    url: str = sqs.create_queue(QueueName=next(NAMES))["QueueUrl"]
    return url


def bodies(sqs: Any, queue: str, **how: Any) -> list[str]:
    got = sqs.receive_message(QueueUrl=queue, **{"MaxNumberOfMessages": 10, **how})
    return [message["Body"] for message in got.get("Messages", ())]


def arn(sqs: Any, queue: str) -> str:
    found: str = attributes(sqs, queue)["QueueArn"]
    return found


def attributes(sqs: Any, queue: str) -> dict[str, str]:
    found: dict[str, str] = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    return found


def test_what_is_sent_is_received_once_and_gone_when_deleted(sqs: Any, queue: str) -> None:
    sent = sqs.send_message(QueueUrl=queue, MessageBody="hello & <good> bye \u2603")
    [got] = sqs.receive_message(QueueUrl=queue, AttributeNames=["All"])["Messages"]
    assert got["Body"] == "hello & <good> bye \u2603"
    assert got["MessageId"] == sent["MessageId"]
    assert got["MD5OfBody"] == sent["MD5OfMessageBody"]
    assert got["Attributes"]["ApproximateReceiveCount"] == "1"
    assert bodies(sqs, queue) == []
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=got["ReceiptHandle"])
    shown = attributes(sqs, queue)
    assert (shown["ApproximateNumberOfMessages"], shown["ApproximateNumberOfMessagesNotVisible"]) == ("0", "0")


def test_messages_are_stamped_with_virtual_time(cloud: Emulator, sqs: Any, queue: str) -> None:
    before = cloud.clock.now()
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    [got] = sqs.receive_message(QueueUrl=queue, AttributeNames=["SentTimestamp"])["Messages"]
    assert before - 1 <= int(got["Attributes"]["SentTimestamp"]) / 1000 <= cloud.clock.now()


def test_a_message_comes_back_when_its_visibility_timeout_is_over(sqs: Any, queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    assert bodies(sqs, queue, VisibilityTimeout=1) == ["x"]
    assert bodies(sqs, queue) == []
    assert bodies(sqs, queue, WaitTimeSeconds=3) == ["x"]


def test_the_visibility_of_a_message_in_flight_can_be_changed(sqs: Any, queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    [got] = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=600)["Messages"]
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=got["ReceiptHandle"], VisibilityTimeout=0)
    assert bodies(sqs, queue) == ["x"]
    with refused("AWS.SimpleQueueService.MessageNotInflight"):
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=got["ReceiptHandle"], VisibilityTimeout=0)


def test_an_old_receipt_handle_deletes_nothing(sqs: Any, queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    [first] = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)["Messages"]
    assert bodies(sqs, queue, VisibilityTimeout=0) == ["x"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"])
    assert bodies(sqs, queue) == ["x"]


def test_a_long_poll_ends_when_a_message_arrives(sqs: Any, queue: str) -> None:
    threading.Timer(0.3, lambda: sqs.send_message(QueueUrl=queue, MessageBody="late")).start()
    start = time.perf_counter()
    assert bodies(sqs, queue, WaitTimeSeconds=20) == ["late"]
    assert time.perf_counter() - start < 20, "it did not wait out its time"


def test_a_delayed_message_ends_a_long_poll_when_it_is_due(sqs: Any, queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=1)
    assert bodies(sqs, queue) == []
    assert attributes(sqs, queue)["ApproximateNumberOfMessagesDelayed"] == "1"
    assert bodies(sqs, queue, WaitTimeSeconds=5) == ["later"]


def test_each_of_several_waiting_receivers_gets_its_message(sqs: Any, queue: str) -> None:
    got: list[str] = []
    waiting = [
        threading.Thread(target=lambda: got.extend(bodies(sqs, queue, WaitTimeSeconds=10, MaxNumberOfMessages=1)))
        for _ in range(4)
    ]
    for thread in waiting:
        thread.start()
    time.sleep(0.2)
    for at in range(4):
        sqs.send_message(QueueUrl=queue, MessageBody=str(at))
    for thread in waiting:
        thread.join(timeout=60)
    assert sorted(got) == ["0", "1", "2", "3"]


def test_a_queue_that_is_deleted_sends_its_receivers_away(sqs: Any, queue: str) -> None:
    threading.Timer(0.2, lambda: sqs.delete_queue(QueueUrl=queue)).start()
    assert bodies(sqs, queue, WaitTimeSeconds=20) == []
    with refused("AWS.SimpleQueueService.NonExistentQueue"):
        bodies(sqs, queue)
    with refused("AWS.SimpleQueueService.QueueDeletedRecently"):
        sqs.create_queue(QueueName=queue.rpartition("/")[2])


def test_a_batch_does_what_it_can_and_tells_of_the_rest(sqs: Any, queue: str) -> None:
    answer = sqs.send_message_batch(
        QueueUrl=queue,
        Entries=[{"Id": "good", "MessageBody": "x"}, {"Id": "bad", "MessageBody": "a\x02b"}],
    )
    assert [one["Id"] for one in answer["Successful"]] == ["good"]
    assert [(one["Id"], one["Code"], one["SenderFault"]) for one in answer["Failed"]] == [
        ("bad", "InvalidMessageContents", True)
    ]
    [got] = sqs.receive_message(QueueUrl=queue)["Messages"]
    answer = sqs.delete_message_batch(
        QueueUrl=queue,
        Entries=[{"Id": "0", "ReceiptHandle": got["ReceiptHandle"]}, {"Id": "1", "ReceiptHandle": "nonsense"}],
    )
    assert [one["Code"] for one in answer["Failed"]] == ["ReceiptHandleIsInvalid"]


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], "EmptyBatchRequest"),
        ([{"Id": str(at), "MessageBody": "x"} for at in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": "a", "MessageBody": "x"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "MessageBody": "x"}], "InvalidBatchEntryId"),
        ([{"Id": str(at), "MessageBody": "x" * 600_000} for at in range(2)], "BatchRequestTooLong"),
    ],
)
def test_a_batch_that_cannot_be_is_refused_as_a_whole(
    sqs: Any, queue: str, entries: list[dict[str, str]], code: str
) -> None:
    with refused(f"AWS.SimpleQueueService.{code}", status=400):
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)


def test_message_attributes_arrive_with_the_digest_that_sdks_check(sqs: Any, queue: str) -> None:
    given = {
        "kind": {"DataType": "String", "StringValue": "spot"},
        "size": {"DataType": "Number.int", "StringValue": "12"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    sent = sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes=given)
    [got] = sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"], VisibilityTimeout=0)["Messages"]
    assert got["MessageAttributes"] == given
    theirs = MotoMessage("id", "x")
    theirs.message_attributes = given
    assert sent["MD5OfMessageAttributes"] == got["MD5OfMessageAttributes"] == md5_of_attributes(given)
    text = {name: part for name, part in given.items() if name != "raw"}
    theirs.message_attributes = text
    assert md5_of_attributes(text) == theirs.attribute_md5
    [some] = sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["si*", "ki.*", "size"])["Messages"]
    assert set(some["MessageAttributes"]) == {"size", "kind"}


def test_a_message_received_too_often_goes_to_the_dead_letter_queue(sqs: Any, queue: str) -> None:
    dead = sqs.create_queue(QueueName=next(NAMES))["QueueUrl"]
    policy = json.dumps({"deadLetterTargetArn": arn(sqs, dead), "maxReceiveCount": "2"})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": policy})
    sqs.send_message(QueueUrl=queue, MessageBody="poison")
    assert [bodies(sqs, queue, VisibilityTimeout=0) for _ in range(3)] == [["poison"], ["poison"], []]
    assert bodies(sqs, dead) == ["poison"]
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [queue]


def test_a_fifo_queue_keeps_order_and_drops_repetitions(sqs: Any) -> None:
    queue = sqs.create_queue(
        QueueName=next(NAMES) + ".fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    )["QueueUrl"]
    for body in ("1", "2", "1", "3"):
        sqs.send_message(QueueUrl=queue, MessageBody=body, MessageGroupId="g")
    assert bodies(sqs, queue) == ["1", "2", "3"]
    with refused("MissingParameter", words="MessageGroupId"):
        sqs.send_message(QueueUrl=queue, MessageBody="x")


def test_a_queue_is_purged_at_most_once_a_minute(sqs: Any, queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    sqs.purge_queue(QueueUrl=queue)
    assert bodies(sqs, queue) == []
    with refused("AWS.SimpleQueueService.PurgeQueueInProgress"):
        sqs.purge_queue(QueueUrl=queue)


def test_creating_a_queue_again_gives_it_back_unless_it_differs(sqs: Any) -> None:
    name = next(NAMES)
    first = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "40"})["QueueUrl"]
    assert sqs.create_queue(QueueName=name)["QueueUrl"] == first
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == first
    with refused("QueueAlreadyExists", words="VisibilityTimeout"):
        sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "41"})


def test_queues_are_listed_in_pages(sqs: Any) -> None:
    made = [sqs.create_queue(QueueName=f"paged-{at}")["QueueUrl"] for at in range(5)]
    pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix="paged-", PaginationConfig={"PageSize": 2})
    assert [url for page in pages for url in page["QueueUrls"]] == made
    assert sqs.list_queues(QueueNamePrefix="no-such")["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_queues_of_two_regions_do_not_meet(aws: Clients, sqs: Any, queue: str) -> None:
    with refused("AWS.SimpleQueueService.NonExistentQueue"):
        aws("sqs", "eu-west-1").get_queue_url(QueueName=queue.rpartition("/")[2])


def test_tags_of_a_queue_are_kept(sqs: Any, queue: str) -> None:
    sqs.tag_queue(QueueUrl=queue, Tags={"a": "1", "b": "2"})
    sqs.untag_queue(QueueUrl=queue, TagKeys=["a"])
    assert sqs.list_queue_tags(QueueUrl=queue)["Tags"] == {"b": "2"}


@pytest.mark.parametrize(
    ("call", "params", "code"),
    [
        ("receive_message", {"MaxNumberOfMessages": 11}, "InvalidParameterValue"),
        ("receive_message", {"WaitTimeSeconds": 21}, "InvalidParameterValue"),
        ("send_message", {"MessageBody": "x", "DelaySeconds": 901}, "InvalidParameterValue"),
        ("send_message", {"MessageBody": "x" * 1_048_577}, "InvalidParameterValue"),
        ("send_message", {"MessageBody": "x\ufffe"}, "InvalidMessageContents"),
        (
            "send_message",
            {"MessageBody": "x", "MessageAttributes": {"AWS.x": {"DataType": "String", "StringValue": "1"}}},
            "InvalidParameterValue",
        ),
        ("delete_message", {"ReceiptHandle": "x"}, "ReceiptHandleIsInvalid"),
        ("set_queue_attributes", {"Attributes": {"VisibilityTimeout": "-1"}}, "InvalidAttributeValue"),
        ("set_queue_attributes", {"Attributes": {"RedrivePolicy": "{"}}, "InvalidAttributeValue"),
        ("set_queue_attributes", {"Attributes": {"Colour": "red"}}, "InvalidAttributeName"),
        ("get_queue_attributes", {"AttributeNames": ["Colour"]}, "InvalidAttributeName"),
        ("add_permission", {"Label": "l", "AWSAccountIds": ["1"], "Actions": ["*"]}, None),
    ],
)
def test_what_sqs_would_refuse_is_refused(
    sqs: Any, queue: str, call: str, params: dict[str, Any], code: str | None
) -> None:
    with refused(code or "AWS.SimpleQueueService.UnsupportedOperation"):
        getattr(sqs, call)(QueueUrl=queue, **params)


def test_a_queue_name_that_cannot_be_is_refused(sqs: Any) -> None:
    for name in ("a b", "x" * 81, "a.fifo", "a.b"):
        with refused("InvalidParameterValue"):
            sqs.create_queue(QueueName=name)


# ---- the query protocol ----


def form(url: str, path: str = "/", **fields: str) -> ET.Element:
    """A call as boto3 made it before 2023; what comes back, without its namespace."""
    body = urllib.parse.urlencode({"Version": "2012-11-05", **fields}).encode()
    scope = "Credential=AKIAOLDOLDOLDOLDOLDO/20260101/us-east-1/sqs/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, body, headers)) as answer:
            text = answer.read().decode()
    except urllib.error.HTTPError as error:
        text = error.read().decode()
    return ET.fromstring(text.replace(' xmlns="http://queue.amazonaws.com/doc/2012-11-05/"', ""))


@pytest.fixture
def old(cloud: Emulator) -> Any:
    return lambda path="/", **fields: form(cloud.url, path, **fields)


def test_the_query_protocol_is_understood(old: Any, sqs: Any) -> None:
    name = next(NAMES)
    made = old(
        Action="CreateQueue", QueueName=name, **{"Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "7"}
    )
    url = made.findtext("CreateQueueResult/QueueUrl")
    assert made.findtext("ResponseMetadata/RequestId")
    path = urllib.parse.urlsplit(url).path
    sent = old(
        path,
        Action="SendMessage",
        MessageBody="a<b",
        **{
            "MessageAttribute.1.Name": "kind",
            "MessageAttribute.1.Value.DataType": "String",
            "MessageAttribute.1.Value.StringValue": "spot",
        },
    )
    got = old(
        Action="ReceiveMessage", QueueUrl=url, **{"AttributeName.1": "All", "MessageAttributeName.1": "All"}
    ).find("ReceiveMessageResult/Message")
    assert got.findtext("Body") == "a<b"
    assert got.findtext("MessageId") == sent.findtext("SendMessageResult/MessageId")
    assert got.findtext("MessageAttribute/Name") == "kind"
    assert got.findtext("MessageAttribute/Value/StringValue") == "spot"
    system = {one.findtext("Name"): one.findtext("Value") for one in got.findall("Attribute")}
    assert system["ApproximateReceiveCount"] == "1"
    deleted = old(
        path,
        Action="DeleteMessageBatch",
        **{
            "DeleteMessageBatchRequestEntry.1.Id": "one",
            "DeleteMessageBatchRequestEntry.1.ReceiptHandle": got.findtext("ReceiptHandle"),
        },
    )
    assert deleted.findtext("DeleteMessageBatchResult/DeleteMessageBatchResultEntry/Id") == "one"
    assert attributes(sqs, url)["VisibilityTimeout"] == "7"
    assert attributes(sqs, url)["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_the_query_protocol_is_refused_in_its_own_words(old: Any) -> None:
    missing = old(Action="ReceiveMessage", QueueUrl="http://x/1/none")
    assert missing.findtext("Error/Code") == "AWS.SimpleQueueService.NonExistentQueue"
    assert missing.findtext("Error/Type") == "Sender"
    assert old(Action="NoSuchThing").findtext("Error/Code") == "InvalidAction"
    assert old(Action="ReceiveMessage").findtext("Error/Code") == "MissingParameter"


# ---- the rest of the account ----


def test_a_topic_delivers_into_our_queue(aws: Clients, sqs: Any, queue: str) -> None:
    topic = aws("sns").create_topic(Name="t")["TopicArn"]
    aws("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn(sqs, queue), Attributes={"RawMessageDelivery": "true"}
    )
    aws("sns").publish(TopicArn=topic, Message="from a topic")
    assert bodies(sqs, queue, WaitTimeSeconds=2) == ["from a topic"]


def test_a_queue_made_by_cloudformation_is_ours_and_goes_with_its_stack(aws: Clients, sqs: Any) -> None:
    properties = {"QueueName": "from-a-stack", "VisibilityTimeout": 77, "Tags": [{"Key": "k", "Value": "v"}]}
    template = {"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": properties}}}
    aws("cloudformation").create_stack(StackName="s", TemplateBody=json.dumps(template))
    queue = eventually(lambda: sqs.list_queues(QueueNamePrefix="from-a-stack").get("QueueUrls"))[0]
    assert attributes(sqs, queue)["VisibilityTimeout"] == "77"
    assert sqs.list_queue_tags(QueueUrl=queue)["Tags"]["k"] == "v"
    aws("cloudformation").delete_stack(StackName="s")
    eventually(lambda: not sqs.list_queues(QueueNamePrefix="from-a-stack").get("QueueUrls"))


def test_each_of_many_messages_is_received_once(sqs: Any, queue: str) -> None:
    for batch in range(30):
        entries = [{"Id": str(at), "MessageBody": f"{batch}-{at}"} for at in range(10)]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    seen: list[str] = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        seen += [message["Body"] for message in messages]
        entries = [{"Id": str(at), "ReceiptHandle": one["ReceiptHandle"]} for at, one in enumerate(messages)]
        assert "Failed" not in sqs.delete_message_batch(QueueUrl=queue, Entries=entries)
    assert len(seen) == len(set(seen)) == 300
