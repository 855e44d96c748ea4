"""Events from SQS: read, delivered, deleted once they are stored, and never before."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from spotward.aws.deletions import BATCH_MAX, Deletions
from spotward.aws.queue import MESSAGES_MAX, POLLS_AT_ONCE_MAX, WAIT_SECONDS, Polls, QueueSource, Received
from spotward.aws.queue_address import queue_address, queue_addresses
from spotward.aws.session import Aws
from spotward.engine.ports import Delivery
from spotward.events.eventbridge import render
from spotward.model.errors import ConfigError, OutsideError, PayloadError, Permanent, Transient
from spotward.model.event import InterruptionNoticed, RebalanceAdvised
from spotward.model.flow_event import Occurred
from tests.aws.conftest import REGION, Moto
from tests.aws.oracle import Oracle
from tests.aws.stage import NOW
from tests.hand_clock import HandClock


def notice(number: int) -> InterruptionNoticed:
    return InterruptionNoticed(time=NOW, region=REGION, instance_id=f"i-{number:017x}", deadline=NOW + 120)


IGNORED = json.dumps({"detail-type": "EC2 Instance Launch Unsuccessful", "detail": {}})


class Mail:
    """A queue in moto, and a source that reads it."""

    def __init__(self, moto: Moto, aws: Aws) -> None:
        self.aws, self.sqs = aws, moto.client("sqs")
        self.url = str(self.sqs.create_queue(QueueName="spotward")["QueueUrl"])
        self.source = QueueSource(aws, HandClock(NOW), queue_address(self.url, REGION), wait_seconds=1)

    def show_again_after(self, seconds: int) -> None:
        """What was received and not deleted is shown again after so long, and not after the usual half a minute."""
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"VisibilityTimeout": str(seconds)})

    def put(self, *bodies: str) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.url, MessageBody=body)

    def take(self, number: int, then: Callable[[list[Delivery]], Awaitable[None]] | None = None) -> list[Delivery]:
        """So many deliveries; `then` is what is done with them while the source still lives."""

        async def taking() -> list[Delivery]:
            got: list[Delivery] = []
            deliveries = told(self.source)
            while len(got) < number:
                got.append(await anext(deliveries))
            if then is not None:
                await then(got)
            return got

        return asyncio.run(asyncio.wait_for(taking(), 90))

    @property
    def left(self) -> int:
        """Messages that are still there, whether they can be seen or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


@pytest.fixture
def mail(moto: Moto, aws: Aws) -> Mail:
    return Mail(moto, aws)


async def told(source: QueueSource) -> AsyncIterator[Delivery]:
    """What it delivers, without its signs of life."""
    async for delivery in source.deliveries():
        if delivery is not None:
            yield delivery


async def first(source: QueueSource) -> Delivery:
    return await anext(told(source))


async def acknowledge_all(deliveries: list[Delivery]) -> None:
    await asyncio.gather(*(delivery.acknowledge() for delivery in deliveries))


STARTED = {
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "EC2 Fleet Instance Change",
    "source": "aws.ec2fleet",
    "account": "123456789012",
    "time": "2025-11-22T08:26:01Z",
    "region": REGION,
    "resources": [],
    "detail": {"instance-id": "i-1", "sub-type": "launched"},
}


def for_rules(mail: Mail, *types: str) -> Mail:
    """The same queue, read for rules that mean these types, too."""
    address = queue_address(mail.url, REGION)
    mail.source = QueueSource(mail.aws, HandClock(NOW), address, wait_seconds=1, wanted=lambda one: one.type in types)
    return mail


# ---- for rules -------------------------------------------------------------------------------------------------------


def test_what_the_groups_ignore_is_delivered_where_a_rule_means_it_and_else_deleted_unseen(mail: Mail) -> None:
    mail.put(json.dumps(STARTED))
    (delivery,) = for_rules(mail, "aws.ec2fleet.ec2-fleet-instance-change").take(1, then=acknowledge_all)
    assert isinstance(delivery.event, Occurred)
    assert delivery.event.occurrence.id == STARTED["id"]
    assert (delivery.event.time, delivery.event.occurrence.labels) == (NOW, {"instance_id": "i-1"})
    assert mail.left == 0
    mail.put(json.dumps(STARTED), render(notice(1)))
    assert [each.event for each in for_rules(mail, "com.example.other").take(1)] == [notice(1)]


def test_a_notice_is_one_for_its_group_and_one_for_rules_and_its_message_goes_when_both_are_stored(mail: Mail) -> None:
    mail.put(render(notice(1)))
    kind = "aws.ec2.spot-instance-interruption-warning"

    async def one_after_the_other(both: list[Delivery]) -> None:
        await both[0].acknowledge()
        assert mail.left == 1
        await both[1].acknowledge()

    both = for_rules(mail, kind).take(2, then=one_after_the_other)
    assert both[0].event == notice(1)
    assert isinstance(both[1].event, Occurred)
    assert (both[1].event.occurrence.type, both[1].event.occurrence.subject) == (kind, notice(1).instance_id)
    assert mail.left == 0


def test_while_as_many_flows_are_open_as_may_be_the_message_stays_and_its_notice_is_told_all_the_same(
    mail: Mail,
) -> None:
    mail.show_again_after(1)
    mail.put(render(notice(1)))
    crowds: list[str | None] = ["too many", None]
    mail.source = QueueSource(
        mail.aws,
        HandClock(NOW),
        queue_address(mail.url, REGION),
        wait_seconds=1,
        wanted=lambda _: True,
        crowded=lambda: crowds.pop(0) if crowds else None,
    )
    told = mail.take(3, then=acknowledge_all)
    assert [type(each.event).__name__ for each in told] == ["InterruptionNoticed", "InterruptionNoticed", "Occurred"]
    assert mail.left == 0


def test_what_is_wrapped_by_sns_or_has_no_id_is_read_for_rules_as_far_as_it_can(mail: Mail) -> None:
    nameless = {name: value for name, value in STARTED.items() if name != "id"}
    mail.put(json.dumps({"Type": "Notification", "Message": json.dumps(STARTED)}))
    mail.put(json.dumps([nameless, json.loads(render(notice(2)))]))
    told = for_rules(mail, "aws.ec2fleet.ec2-fleet-instance-change").take(2)
    assert sorted(type(each.event).__name__ for each in told) == ["InterruptionNoticed", "Occurred"]


# ---- reading ---------------------------------------------------------------------------------------------------------


def test_events_are_delivered_as_eventbridge_sent_them(mail: Mail) -> None:
    mail.put(render(notice(1)))
    (delivery,) = mail.take(1)
    assert delivery.event == notice(1)


def test_a_message_is_deleted_when_it_is_acknowledged_and_not_before(mail: Mail) -> None:
    mail.show_again_after(1)
    mail.put(render(notice(1)))
    mail.take(1)
    assert mail.left == 1
    (again,) = mail.take(1, then=acknowledge_all)
    assert again.event == notice(1)
    assert mail.left == 0


def test_a_burst_is_deleted_ten_in_a_call(mail: Mail) -> None:
    mail.put(*(render(notice(n)) for n in range(25)))
    mail.aws.counter.counts.clear()
    mail.take(25, then=acknowledge_all)
    assert mail.left == 0
    assert mail.aws.counter.counts["sqs.DeleteMessageBatch"] == 3
    assert mail.aws.counter.counts["sqs.ReceiveMessage"] <= 5


def test_what_cannot_be_read_is_delivered_to_be_set_aside_and_goes_like_the_rest(mail: Mail) -> None:
    mail.put("no event", render(notice(1)))
    unreadable, readable = sorted(
        mail.take(2, then=acknowledge_all), key=lambda d: isinstance(d.event, InterruptionNoticed)
    )
    assert isinstance(unreadable.event, PayloadError)
    assert "not JSON" in str(unreadable.event)
    assert readable.event == notice(1)
    assert mail.left == 0


def test_kinds_of_no_use_are_deleted_at_once_and_delivered_to_nobody(mail: Mail) -> None:
    mail.put(IGNORED, "[]", render(notice(1)))

    async def wait(_: list[Delivery]) -> None:
        while mail.left > 1:  # noqa: ASYNC110 - a queue tells nobody that it is empty
            await asyncio.sleep(0.02)

    (delivery,) = mail.take(1, then=wait)
    assert delivery.event == notice(1)
    assert mail.left == 1


def test_a_message_of_several_events_goes_with_the_last_of_them(mail: Mail) -> None:
    advice = RebalanceAdvised(time=NOW, region=REGION, instance_id="i-1")
    mail.put(json.dumps([json.loads(render(notice(1))), json.loads(render(advice)), json.loads(IGNORED)]))
    seen: list[int] = []

    async def one_by_one(deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            await delivery.acknowledge()
            seen.append(mail.left)

    first, second = mail.take(2, then=one_by_one)
    assert (first.event, second.event) == (notice(1), advice)
    assert seen == [1, 0]


def test_an_event_is_never_later_than_its_coming(mail: Mail) -> None:
    late = InterruptionNoticed(time=NOW + 999, region=REGION, instance_id="i-1", deadline=NOW + 1119)
    mail.put(render(late))
    (delivery,) = mail.take(1)
    assert isinstance(delivery.event, InterruptionNoticed)
    assert delivery.event.time == NOW


# ---- stopping and failing --------------------------------------------------------------------------------------------


def test_stopping_does_not_wait_for_the_poll(mail: Mail) -> None:
    source = QueueSource(mail.aws, HandClock(NOW), queue_address(mail.url, REGION))

    async def stopped_while_it_waits() -> None:
        task = asyncio.create_task(first(source))
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    begun = time.perf_counter()
    asyncio.run(stopped_while_it_waits())
    assert time.perf_counter() - begun < WAIT_SECONDS, "the poll was waited for"


def test_an_empty_queue_says_after_each_poll_that_it_can_be_heard(oracle: Oracle, oracle_aws: Aws) -> None:
    oracle.replies["ReceiveMessage"] = b"{}"
    source = QueueSource(oracle_aws, HandClock(NOW), queue_address(f"{oracle.url}/1/spotward", REGION))

    async def two() -> list[Delivery | None]:
        deliveries = source.deliveries()
        return [await anext(deliveries), await anext(deliveries)]

    assert asyncio.run(asyncio.wait_for(two(), 90)) == [None, None]


def test_a_queue_that_does_not_exist_is_told_with_the_next_step(aws: Aws) -> None:
    source = QueueSource(aws, HandClock(NOW), queue_address("none", REGION))
    with pytest.raises(
        Permanent, match=r"queue none in us-east-1 does not exist .*create it, with an EventBridge rule"
    ):
        asyncio.run(first(source))


def test_after_an_error_it_can_be_asked_again_and_goes_on(mail: Mail) -> None:
    source = QueueSource(mail.aws, HandClock(NOW), queue_address("later", REGION), wait_seconds=1)
    with pytest.raises(OutsideError):
        asyncio.run(first(source))
    url = mail.sqs.create_queue(QueueName="later")["QueueUrl"]
    mail.sqs.send_message(QueueUrl=url, MessageBody=render(notice(7)))
    assert asyncio.run(first(source)).event == notice(7)


def test_a_deletion_that_sqs_refuses_is_told_to_the_one_it_concerns(oracle: Oracle, oracle_aws: Aws) -> None:
    message = {"MessageId": "m", "ReceiptHandle": "r", "Body": render(notice(1))}
    oracle.replies["ReceiveMessage"] = json.dumps(
        {"Messages": [message, {**message, "ReceiptHandle": "expired"}]}
    ).encode()
    oracle.replies["DeleteMessageBatch"] = json.dumps(
        {"Successful": [{"Id": "0"}], "Failed": [{"Id": "1", "SenderFault": True, "Code": "ReceiptHandleIsInvalid"}]}
    ).encode()
    source = QueueSource(oracle_aws, HandClock(NOW), queue_address(f"{oracle.url}/1/spotward", REGION))

    async def both() -> list[Any]:
        deliveries = told(source)
        got = [await anext(deliveries), await anext(deliveries)]
        return await asyncio.gather(*(each.acknowledge() for each in got), return_exceptions=True)

    good, bad = asyncio.run(both())
    assert good is None
    assert isinstance(bad, Transient)
    assert "ReceiptHandleIsInvalid" in str(bad)


def test_a_deletion_that_fails_whole_is_told_to_all() -> None:
    async def fail(receipts: list[str]) -> dict[str, str]:
        raise Transient(f"{len(receipts)} are not deleted", code="Throttled")

    async def three() -> list[BaseException | None]:
        deletions = Deletions(fail)
        return await asyncio.gather(*(deletions.delete(r) for r in "abc"), return_exceptions=True)

    assert [str(error) for error in asyncio.run(three())] == ["3 are not deleted"] * 3


def test_one_that_gives_up_waiting_does_not_take_the_others_deletion_with_it() -> None:
    deleted: list[list[str]] = []

    async def note(receipts: list[str]) -> dict[str, str]:
        deleted.append(receipts)
        return {}

    async def story() -> None:
        deletions = Deletions(note)
        first, second = (asyncio.create_task(deletions.delete(r)) for r in "ab")
        await asyncio.sleep(0)
        first.cancel()
        await second

    asyncio.run(story())
    assert deleted == [["a", "b"]]


def test_no_batch_is_larger_than_sqs_takes() -> None:
    sizes: list[int] = []

    async def note(receipts: list[str]) -> dict[str, str]:
        sizes.append(len(receipts))
        return {}

    async def many() -> None:
        deletions = Deletions(note)
        await asyncio.gather(*(deletions.delete(str(n)) for n in range(37)))

    asyncio.run(many())
    assert sum(sizes) == 37
    assert max(sizes) == BATCH_MAX
    assert len(sizes) == 4


# ---- where it is -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "given", "region"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/spotward", None, "eu-west-1"),
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/spotward", "us-east-1", "eu-west-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/spotward", None, "cn-north-1"),
        ("https://sqs-fips.us-gov-west-1.amazonaws.com/123456789012/spotward", None, "us-gov-west-1"),
        ("https://vpce-1-2.sqs.ap-southeast-2.vpce.amazonaws.com/123456789012/spotward", None, "ap-southeast-2"),
        ("https://eu-central-1.queue.amazonaws.com/123456789012/spotward", None, "eu-central-1"),
        ("http://127.0.0.1:5000/123456789012/spotward", "us-west-2", "us-west-2"),
        ("arn:aws-us-gov:sqs:us-gov-east-1:123456789012:spotward", None, "us-gov-east-1"),
        ("spotward", "us-west-2", "us-west-2"),
    ],
)
def test_a_queue_s_region_is_what_its_url_or_arn_says_or_else_what_was_given(
    text: str, given: str | None, region: str
) -> None:
    address = queue_address(text, given)
    assert (address.region, address.name) == (region, "spotward")
    assert (address.url is not None) == text.startswith("http")


@pytest.mark.parametrize(
    ("text", "regions", "found"),
    [
        ("spotward", ("us-east-1", "eu-west-1"), ["us-east-1", "eu-west-1"]),
        ("http://127.0.0.1:5000/1/spotward", ("us-west-2",), ["us-west-2"]),
        ("https://sqs.eu-west-1.amazonaws.com/1/spotward", ("us-east-1",), ["eu-west-1"]),
        ("https://sqs.eu-west-1.amazonaws.com/1/spotward", ("us-east-1", "us-east-2"), ["eu-west-1"]),
        ("arn:aws:sqs:eu-west-1:1:spotward", ("us-east-1", "us-east-2"), ["eu-west-1"]),
    ],
)
def test_a_name_means_a_queue_in_each_region_and_a_url_or_arn_one_queue(
    text: str, regions: tuple[str, ...], found: list[str]
) -> None:
    assert [address.region for address in queue_addresses(text, regions)] == found


def test_a_url_that_tells_no_region_is_not_guessed_among_several() -> None:
    with pytest.raises(ConfigError, match="does not tell its region"):
        queue_addresses("http://127.0.0.1:5000/1/spotward", ("us-west-2", "us-east-1"))


@pytest.mark.parametrize(
    "text", ["spotward", "http://127.0.0.1:5000/1/q", "https://sqs.localhost.localstack.cloud/1/q"]
)
def test_a_queue_without_a_region_is_the_user_s_to_correct(text: str) -> None:
    with pytest.raises(ConfigError, match="does not tell its region; give --region, or the queue's ARN"):
        queue_address(text)


def test_an_arn_and_a_name_lead_to_the_queue(mail: Mail) -> None:
    arn = mail.sqs.get_queue_attributes(QueueUrl=mail.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for text in (arn, "spotward"):
        mail.put(render(notice(1)))
        mail.source = QueueSource(mail.aws, HandClock(NOW), queue_address(text, REGION), wait_seconds=1)
        assert mail.source.name == "queue spotward in us-east-1"
        mail.take(1, then=acknowledge_all)
    assert mail.left == 0


def test_a_quiet_queue_has_one_poll_and_a_full_one_several() -> None:
    full, few = [("receipt", "body")] * MESSAGES_MAX, [("receipt", "body")]

    async def play() -> None:
        answers: asyncio.Queue[Received] = asyncio.Queue()
        under_way = most = 0

        async def poll() -> Received:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            try:
                return await answers.get()
            finally:
                under_way -= 1

        async def came(received: Received) -> None:
            """The next to come back, once all that are to be under way are."""
            waiting = asyncio.create_task(polls.next())
            await asyncio.sleep(0.01)
            answers.put_nowait(received)
            assert await waiting == received

        polls = Polls(poll)
        await came(few)
        assert most == 1
        for _ in range(2 * POLLS_AT_ONCE_MAX):
            await came(full)
        await came(few)
        assert most == POLLS_AT_ONCE_MAX
        for left in range(POLLS_AT_ONCE_MAX - 1, 0, -1):
            assert under_way == left
            await came(few)
        await came(few)
        polls.close()
        await asyncio.sleep(0.01)
        assert under_way == 0

    asyncio.run(play())
