"""What the embedded cloud costs: a region of ten thousand instances described, prices, messages, its start.

Its own cost is the processor time of its process while pages are fetched by plain HTTP and thrown away. What boto3
makes of the same pages is the client's cost, and stands beside it.
"""

import http.client
import re
import time
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any
from urllib.parse import urlencode, urlsplit

from bench.cloud import EmbeddedCloud, embedded_cloud
from bench.measure import BenchError, Measure
from spotward.emulator.stage import StageHand, stage_many_groups
from spotward.engine.clock import clock_from_environment
from spotward.model.units import timestamp

REGION = "us-east-1"
GROUPS, SIZE = 500, 20
INSTANCES = GROUPS * SIZE
PAGE = 1000
SPEED = 60.0

DESCRIBE_SECONDS_MAX = 5.0

MESSAGES = 3_000
MESSAGES_PER_SECOND_MIN = 500.0
MESSAGES_PER_CALL = 10

ASKED_BY_TAG = 100
"""Groups whose members are asked for one group at a time."""

AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIABENCHREADER00000/20260101/us-east-1/{service}/aws4_request, "
    "SignedHeaders=host, Signature=0"
)
"""The embedded cloud reads who calls where, and checks no signature."""

INSTANCES_ASKED = {"Action": "DescribeInstances", "Version": "2016-11-15", "MaxResults": str(PAGE)}
GROUPS_ASKED = {"Action": "DescribeAutoScalingGroups", "Version": "2011-01-01", "MaxRecords": "100"}
PRICES_ASKED = {
    "Action": "DescribeSpotPriceHistory",
    "Version": "2016-11-15",
    "ProductDescription.1": "Linux/UNIX",
    "MaxResults": str(PAGE),
}


def measures() -> Iterator[Measure]:
    """Start, descriptions of all, prices, and a queue."""
    with embedded_cloud(speed=SPEED) as cloud:
        yield Measure(name="start until it answers", figure=cloud.start_seconds, unit="s")
        began = time.perf_counter()
        stage_many_groups(cloud.url, region=REGION, count=GROUPS, size=SIZE)
        yield Measure(name=f"{INSTANCES:,} instances in service", figure=time.perf_counter() - began, unit="s")
        for words in ("at first", "again"):
            yield from _described(cloud, words)
        yield from _groups(cloud)
        yield _by_tag(cloud)
        yield _prices(cloud)
        yield _parsed(cloud.hand(REGION))
        yield from _queue(cloud.hand(REGION))


def _described(cloud: EmbeddedCloud, words: str) -> Iterator[Measure]:
    before, began = cloud.cpu_seconds, time.perf_counter()
    found = _counted(_pages(cloud.url, "ec2", INSTANCES_ASKED), b"<instanceId>", INSTANCES)
    wall, cpu = time.perf_counter() - began, cloud.cpu_seconds - before
    name = f"DescribeInstances of {found:,} {words}, its CPU"
    yield Measure(name=name, figure=cpu, unit="s", at_most=DESCRIBE_SECONDS_MAX)
    yield Measure(name="  wall, nothing parsed", figure=wall, unit="s")


def _groups(cloud: EmbeddedCloud) -> Iterator[Measure]:
    before = cloud.cpu_seconds
    found = _counted(_pages(cloud.url, "autoscaling", GROUPS_ASKED), b"<AutoScalingGroupName>", GROUPS)
    cpu = cloud.cpu_seconds - before
    yield Measure(name=f"DescribeAutoScalingGroups of {found}, its CPU", figure=cpu, unit="s")


def _by_tag(cloud: EmbeddedCloud) -> Measure:
    before = cloud.cpu_seconds
    for number in range(ASKED_BY_TAG):
        by_tag = {"Filter.1.Name": "tag:aws:autoscaling:groupName", "Filter.1.Value.1": f"group-{number:04d}"}
        _counted(_pages(cloud.url, "ec2", INSTANCES_ASKED | by_tag), b"<instanceId>", SIZE)
    each = (cloud.cpu_seconds - before) / ASKED_BY_TAG
    return Measure(name=f"DescribeInstances of one group's {SIZE}, its CPU", figure=each * 1000, unit="ms")


def _prices(cloud: EmbeddedCloud) -> Measure:
    """The newest price of every pool, which is about a day of changes."""
    before = cloud.cpu_seconds
    found = sum(page.count(b"<spotPrice>") for page in _pages(cloud.url, "ec2", PRICES_ASKED | _since(cloud)))
    cpu = cloud.cpu_seconds - before
    if not found:
        raise BenchError("DescribeSpotPriceHistory showed no price")
    return Measure(name=f"DescribeSpotPriceHistory, {found:,} prices, its CPU", figure=cpu, unit="s")


def _since(cloud: EmbeddedCloud) -> dict[str, str]:
    """Only what holds now."""
    now = timestamp(clock_from_environment(cloud.environment).now())
    return {"StartTime": now, "EndTime": now}


def _counted(pages: Iterator[bytes], what: bytes, wanted: int) -> int:
    """How often it stands on the pages. Raises BenchError if that is not as often as it must."""
    found = sum(page.count(what) for page in pages)
    if found != wanted:
        raise BenchError(f"there are {found:,} {what.decode()} and not {wanted:,}")
    return found


def _pages(url: str, service: str, asked: Mapping[str, str]) -> Iterator[bytes]:
    """Every page's body."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    headers = {
        "Authorization": AUTHORIZATION.format(service=service),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    token: dict[str, str] = {}
    while True:
        connection.request("POST", "/", urlencode({**asked, **token}), headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise BenchError(f"{asked['Action']} was answered with {answer.status}: {body[:300]!r}")
        yield body
        more = re.search(rb"<[nN]extToken>(.+?)</[nN]extToken>", body)
        if more is None:
            connection.close()
            return
        token = {"NextToken": unescape(more[1].decode())}


def _parsed(hand: StageHand) -> Measure:
    """boto3's own time for the same."""
    before = time.process_time()
    pages = hand.ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": PAGE})
    found = sum(len(each["Instances"]) for page in pages for each in page["Reservations"])
    if found != INSTANCES:
        raise BenchError(f"boto3 read {found:,} instances, not {INSTANCES:,}")
    return Measure(name="  boto3's CPU for parsing it", figure=time.process_time() - before, unit="s")


def _queue(hand: StageHand) -> Iterator[Measure]:
    """Messages sent, then received and deleted, ten a call, by one client without a pause."""
    url = hand.sqs.create_queue(QueueName="bench")["QueueUrl"]
    began = time.perf_counter()
    for start in range(0, MESSAGES, MESSAGES_PER_CALL):
        entries: list[Any] = [
            {"Id": str(number), "MessageBody": f"message {number}"}
            for number in range(start, start + MESSAGES_PER_CALL)
        ]
        hand.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    yield Measure(name="messages sent", figure=MESSAGES / (time.perf_counter() - began), unit="/s")
    began, seen = time.perf_counter(), 0
    while messages := hand.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=MESSAGES_PER_CALL).get("Messages"):
        handles: list[Any] = [
            {"Id": str(at), "ReceiptHandle": message["ReceiptHandle"]} for at, message in enumerate(messages)
        ]
        hand.sqs.delete_message_batch(QueueUrl=url, Entries=handles)
        seen += len(messages)
    if seen != MESSAGES:
        raise BenchError(f"{seen:,} messages came, not {MESSAGES:,}")
    rate = seen / (time.perf_counter() - began)
    yield Measure(name="messages received and deleted", figure=rate, unit="/s", at_least=MESSAGES_PER_SECOND_MIN)
