"""What the embedded cloud costs: a region of ten thousand instances described, messages through a queue, its start.

Its own cost is the processor time of its process while pages are fetched by plain HTTP and thrown away. What boto3
makes of the same pages is the client's cost, and stands beside it.
"""

import http.client
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

from bench.cloud import EmbeddedCloud, embedded_cloud
from bench.measure import BenchError, Measure
from spotward.emulator.stage import StageHand, stage_many_groups

REGION = "us-east-1"
GROUPS, SIZE = 500, 20
INSTANCES = GROUPS * SIZE
PAGE = 1000
SPEED = 60.0

DESCRIBE_SECONDS_MAX = 5.0

MESSAGES = 3_000
MESSAGES_PER_CALL = 10

AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIABENCHREADER00000/20260101/us-east-1/ec2/aws4_request, "
    "SignedHeaders=host, Signature=0"
)
"""The embedded cloud reads who calls where, and checks no signature."""


def measures() -> Iterator[Measure]:
    """Start, DescribeInstances of all, and a queue."""
    with embedded_cloud(speed=SPEED) as cloud:
        yield Measure(name="start until it answers", figure=cloud.start_seconds, unit="s")
        began = time.perf_counter()
        stage_many_groups(cloud.url, region=REGION, count=GROUPS, size=SIZE)
        yield Measure(name=f"{INSTANCES:,} instances in service", figure=time.perf_counter() - began, unit="s")
        for words in ("at first", "again"):
            yield from _described(cloud, words)
        yield _parsed(cloud.hand(REGION))
        yield from _queue(cloud.hand(REGION))


def _described(cloud: EmbeddedCloud, words: str) -> Iterator[Measure]:
    before, began = cloud.cpu_seconds, time.perf_counter()
    found = sum(page.count(b"<instanceId>") for page in _pages(cloud.url))
    wall, cpu = time.perf_counter() - began, cloud.cpu_seconds - before
    if found != INSTANCES:
        raise BenchError(f"DescribeInstances showed {found:,} instances, not {INSTANCES:,}")
    name = f"DescribeInstances of {INSTANCES:,} {words}"
    yield Measure(name=f"{name}, its CPU", figure=cpu, unit="s", at_most=DESCRIBE_SECONDS_MAX)
    yield Measure(name="  wall, nothing parsed", figure=wall, unit="s")


def _pages(url: str) -> Iterator[bytes]:
    """Every page's body."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    asked = {"Action": "DescribeInstances", "Version": "2016-11-15", "MaxResults": str(PAGE)}
    headers = {"Authorization": AUTHORIZATION, "Content-Type": "application/x-www-form-urlencoded"}
    while True:
        connection.request("POST", "/", urlencode(asked), headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise BenchError(f"DescribeInstances was answered with {answer.status}: {body[:300]!r}")
        yield body
        token = re.search(rb"<nextToken>(.+?)</nextToken>", body)
        if token is None:
            connection.close()
            return
        asked["NextToken"] = token[1].decode()


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
    yield Measure(name="messages received and deleted", figure=seen / (time.perf_counter() - began), unit="/s")
