"""Whatever bytes come to the door for CloudEvents by gRPC, the answer is gRPC's own, and the next event is taken."""

import grpc
import pytest
from grpc import aio

from spotward.plugins.wire.cloudevents_pb2 import CloudEvent, PublishRequest
from spotward.web.doors.body import BODY_BYTES_MAX
from tests.plugins.sdk.fuzzed import CLEAR, PREFACE, answered, bodies, call, message, said_to
from tests.plugins.sdk.served import in_a_loop
from tests.web.doors.test_grpc_door import PUBLISH, event, housed, request


def with_labels(number: int) -> bytes:
    bomb = event()
    for at in range(number):
        bomb.attributes[f"label{at}"].ce_string = "x"
    return PublishRequest(event=bomb).SerializeToString()


GOOD = PublishRequest(event=event(text_data='{"a": 1}')).SerializeToString()
BINARY = PublishRequest(event=CloudEvent(id="2", source="s", spec_version="1.0", type="t", binary_data=b"\xff"))
SAMPLES = [request(), GOOD, BINARY.SerializeToString(), with_labels(5)]


@in_a_loop
async def test_bytes_of_every_kind_are_answered_in_the_terms_of_grpc() -> None:
    async with housed() as (house, place), aio.insecure_channel(place) as channel:
        for body in bodies(SAMPLES, seed=9, number=400):
            assert await answered(channel, PUBLISH, body, streams=False) in CLEAR, repr(body)
        before = len(house.heard)
        assert await answered(channel, PUBLISH, GOOD, streams=False) is grpc.StatusCode.OK
        assert len(house.heard) == before + 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (with_labels(10_000), grpc.StatusCode.INVALID_ARGUMENT),
        (GOOD + b"x" * BODY_BYTES_MAX, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (PublishRequest(event=event(spec_version="9.9")).SerializeToString(), grpc.StatusCode.INVALID_ARGUMENT),
        (PublishRequest(event=event(text_data="x" * 70_000)).SerializeToString(), grpc.StatusCode.INVALID_ARGUMENT),
    ],
    ids=["ten thousand attributes", "beyond the limit", "an unknown version", "too much data"],
)
@in_a_loop
async def test_what_is_too_much_is_refused_by_its_name(body: bytes, code: grpc.StatusCode) -> None:
    async with housed() as (house, place), aio.insecure_channel(place) as channel:
        assert await answered(channel, PUBLISH, body, streams=False) is code
        assert house.types == []
        assert await answered(channel, PUBLISH, GOOD, streams=False) is grpc.StatusCode.OK


@pytest.mark.parametrize(
    "told",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        PREFACE + b"\xff" * 100,
        call(PUBLISH, message(GOOD)[:-3]),
        call(PUBLISH, message(GOOD, length=0xFFFFFFFF)),
        call(PUBLISH, message(GOOD, flag=1), grpc_encoding="lzma"),
        call(PUBLISH, message(b"\xff"), grpc_timeout="soon"),
    ],
    ids=["no HTTP/2", "no frame", "cut off", "says four gigabytes", "unknown compression", "no deadline"],
)
@in_a_loop
async def test_frames_that_no_library_would_send_bring_nothing_in(told: bytes) -> None:
    async with housed() as (house, place), aio.insecure_channel(place) as channel:
        await said_to(int(place.rpartition(":")[2]), told)
        assert house.types == []
        assert await answered(channel, PUBLISH, GOOD, streams=False) is grpc.StatusCode.OK
