"""Whatever bytes come to a plugin's doors, the answer is gRPC's own, nothing is done, and the next call is served."""

import struct

import grpc
import pytest
from grpc import aio

from spotward.plugins.sdk import Answer, Call, Plugin, done
from spotward.plugins.sdk.doors import FIRST, OWN, SECOND
from spotward.plugins.sdk.serving import MESSAGE_BYTES_MAX
from spotward.plugins.wire import hollowtrees_v1_pb2 as first
from spotward.plugins.wire import hollowtrees_v2_pb2 as second
from spotward.plugins.wire import plugin_pb2 as own
from tests.plugins.sdk.fuzzed import (
    CLEAR,
    DATA,
    END_HEADERS,
    HEADERS,
    PREFACE,
    SETTINGS,
    answered,
    bodies,
    call,
    frame,
    head,
    message,
    said_to,
)
from tests.plugins.sdk.served import calling, in_a_loop, request, serving

HANDLE, VALIDATE, DESCRIBE = (f"/{OWN}/{name}" for name in ("Handle", "Validate", "Describe"))
ALERT, EVENT = f"/{FIRST}/HandleAlert", f"/{SECOND}/Handle"

SAMPLES = {
    HANDLE: request(depth={"a": [1, {"b": None}]}).SerializeToString(),
    VALIDATE: own.ValidateRequest(properties={"a": 1}).SerializeToString(),
    DESCRIBE: b"\x0a\x01x",
    ALERT: first.AlertEvent(eventId="e", eventType="t", data={"instance_id": "i-1"}).SerializeToString(),
    EVENT: second.CloudEvent(
        specversion="0.2", id="e", type="t", source="s", data=b'{"labels": {}}', extensions={"a": "b"}
    ).SerializeToString(),
}


class Seen(Plugin):
    """Keeps what it is asked."""

    name = "seen"

    def __init__(self) -> None:
        self.keys: list[str] = []

    async def handle(self, call: Call) -> Answer:
        self.keys.append(call.key)
        return done()


@pytest.mark.parametrize("method", SAMPLES)
@in_a_loop
async def test_bytes_of_every_kind_are_answered_in_the_terms_of_grpc(method: str) -> None:
    async with serving(Seen()) as server, aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        for body in bodies([*SAMPLES.values()], seed=8, number=250):
            status = await answered(channel, method, body, streams=method == HANDLE)
            assert status in CLEAR, f"{status} to {body!r}"
        assert await answered(channel, method, SAMPLES[method], streams=method == HANDLE) is grpc.StatusCode.OK


def a_million(method: str) -> bytes:
    return SAMPLES[method] + b"\xfa\x3e\xff\xff\xff\x03" + b"x" * MESSAGE_BYTES_MAX


def labels_bomb() -> bytes:
    return first.AlertEvent(eventType="t", data={f"k{n}": "v" for n in range(20_000)}).SerializeToString()


def nested() -> bytes:
    """A value in a list in a list …, a thousand deep."""
    body = own.ValidateRequest()
    value = body.properties.fields["a"]
    for _ in range(60):
        value = value.list_value.values.add()
    inner = body.SerializeToString()
    for _ in range(3_000):
        inner = b"\x0a" + _varint(len(inner)) + inner
    return inner


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


BOMBS = {
    "a message beyond the limit": (ALERT, a_million(ALERT), {grpc.StatusCode.RESOURCE_EXHAUSTED}),
    "twenty thousand labels": (ALERT, labels_bomb(), {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}),
    "nested three thousand deep": (HANDLE, nested(), {grpc.StatusCode.INVALID_ARGUMENT}),
    "text that is no UTF-8": (ALERT, b"\x0a\x02\xff\xfe", {grpc.StatusCode.INVALID_ARGUMENT}),
    "an unknown method": (f"/{OWN}/Destroy", b"", {grpc.StatusCode.UNIMPLEMENTED}),
    "an unknown version": ("/spotward.plugin.v99.Plugin/Handle", b"", {grpc.StatusCode.UNIMPLEMENTED}),
    "no event at all": (HANDLE, own.HandleRequest().SerializeToString(), {grpc.StatusCode.INVALID_ARGUMENT}),
    "a number that is none": (
        HANDLE,
        SAMPLES[HANDLE] + b"\x2a\x0f\x0a\x0d\x0a\x01n\x12\x08\x11" + struct.pack("<d", float("nan"))[:7],
        {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OK},
    ),
}


@pytest.mark.parametrize("name", BOMBS)
@in_a_loop
async def test_what_is_too_much_or_unknown_is_refused_by_its_name(name: str) -> None:
    method, body, wanted = BOMBS[name]
    async with serving(Seen()) as server, aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        assert await answered(channel, method, body, streams=method == HANDLE) in wanted
        assert await answered(channel, HANDLE, SAMPLES[HANDLE], streams=True) is grpc.StatusCode.OK


GOOD = message(SAMPLES[ALERT])
RAW = {
    "no HTTP/2": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "nothing but zeroes": b"\0" * 1_000,
    "a preface and no more": PREFACE,
    "a frame that is longer than it may be": PREFACE + frame(SETTINGS, 0, b"", stream=0, length=0xFFFFFF),
    "a head that is cut off": PREFACE
    + frame(SETTINGS, 0, b"", stream=0)
    + frame(HEADERS, END_HEADERS, head(ALERT)[:9]),
    "a body without a head": PREFACE + frame(SETTINGS, 0, b"", stream=0) + frame(DATA, 1, GOOD),
    "a message that is cut off": call(ALERT, GOOD[:-4]),
    "a message that says it has four gigabytes": call(ALERT, message(SAMPLES[ALERT], length=0xFFFFFFFF)),
    "a message that says it is compressed": call(ALERT, message(SAMPLES[ALERT], flag=1)),
    "an unknown compression": call(ALERT, message(SAMPLES[ALERT], flag=1), grpc_encoding="lzma"),
    "no message": call(ALERT, b""),
    "two messages": call(ALERT, message(b"\xff") + message(b"\xff")),
    "a wrong content type": call(ALERT, message(b"\xff"), content_type="text/plain"),
    "a deadline that is no time": call(ALERT, message(b"\xff"), grpc_timeout="soon"),
    "a deadline in the past": call(ALERT, message(b"\xff"), grpc_timeout="-1S"),
    "a header that is no text": call(ALERT, message(b"\xff"), authorization="Bearer \xff\xfe"),
}


@pytest.mark.parametrize("name", RAW)
@in_a_loop
async def test_frames_that_no_library_would_send_do_nothing_and_the_next_call_is_served(name: str) -> None:
    plugin = Seen()
    async with serving(plugin) as server:
        await said_to(server.port, RAW[name])
        assert plugin.keys == []
        async with calling(server) as caller:
            assert await caller.alert(first.AlertEvent(eventId="e", eventType="t")) == "ok"
    assert plugin.keys == ["e"]


@in_a_loop
async def test_a_call_by_hand_is_a_call() -> None:
    """The frames of these tests are right but for what is wrong with them on purpose."""
    plugin = Seen()
    async with serving(plugin) as server:
        heard = await said_to(server.port, call(ALERT, GOOD))
    assert plugin.keys == ["e"]
    assert b"\x0a\x02ok" in heard


@in_a_loop
async def test_a_caller_with_hardly_any_time_is_answered_or_told_that_it_is_over() -> None:
    async with serving(Seen()) as server, aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        for seconds in (0.0, -5.0, 1e-9):
            status = await answered(channel, HANDLE, SAMPLES[HANDLE], streams=True, seconds=seconds)
            assert status in {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.OK}  # gRPC rounds up
        assert await answered(channel, HANDLE, SAMPLES[HANDLE], streams=True, seconds=1e9) is grpc.StatusCode.OK
