"""A plugin's server over a real socket: our contract and both of Hollowtrees'."""

import asyncio
from pathlib import Path

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from grpc import aio
from grpc_health.v1 import health_pb2

from spotward.plugins.sdk import Answer, Call, Plugin, done, failed, plugin, refused
from spotward.plugins.sdk.doors import FIRST, OWN, SECOND
from spotward.plugins.wire import hollowtrees_v1_pb2 as first
from spotward.plugins.wire import hollowtrees_v2_pb2 as second
from spotward.plugins.wire import plugin_pb2 as own
from tests.plugins.sdk.served import Caller, calling, in_a_loop, request, serving


class Counting(Plugin):
    """Counts what it does."""

    name = "counting"
    version = "3"
    event_types = ("prometheus.server.alert.*",)

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.called, self.given_up = asyncio.Event(), asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()
        self.answers: list[Answer] = []

    async def handle(self, call: Call) -> Answer:
        self.calls.append(call)
        self.called.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.given_up.set()
            raise
        await call.progress("half way", 0.5)
        return self.answers.pop(0) if self.answers else done("counted", number=len(self.calls))


@in_a_loop
async def test_a_call_is_answered_with_progress_and_then_the_result() -> None:
    counting = Counting()
    async with serving(counting) as server, calling(server) as caller:
        told, result = await caller.handle(request(urgency=2))
    assert told.progress == own.Progress(text="half way", fraction=0.5)
    assert result.result.status == own.Result.STATUS_DONE
    assert result.result.text == "counted"
    assert MessageToDict(result.result.output) == {"number": 1}
    (call,) = counting.calls
    assert call.properties == {"urgency": 2}
    assert call.event.labels == {"instance": "n-1"}
    assert call.seconds_left is not None
    assert 0 < call.seconds_left < 21, "gRPC rounds it up"


@in_a_loop
async def test_it_says_what_it_is_and_what_is_wrong_with_properties() -> None:
    async with serving(Counting()) as server, calling(server) as caller:
        described = await caller.describe()
        assert (await caller.validate(anything=1)).problems == []
    assert described.name == "counting"
    assert described.about == "Counts what it does."
    assert described.idempotent
    assert list(described.event_types) == ["prometheus.server.alert.*"]


@in_a_loop
async def test_a_key_that_comes_again_has_no_second_effect() -> None:
    counting = Counting()
    async with serving(counting) as server, calling(server) as caller:
        assert await caller.result(request("k")) == await caller.result(request("k"))
        assert (await caller.result(request("other"))).output != (await caller.result(request("k"))).output
    assert len(counting.calls) == 2


@in_a_loop
async def test_a_key_that_comes_while_the_first_call_runs_waits_for_its_answer() -> None:
    counting = Counting()
    counting.go.clear()
    async with serving(counting) as server, calling(server) as caller:
        both = [asyncio.ensure_future(caller.result(request("k"))) for _ in range(2)]
        await counting.called.wait()
        counting.go.set()
        one, other = await asyncio.gather(*both)
    assert one == other
    assert len(counting.calls) == 1


@in_a_loop
async def test_what_was_not_done_may_be_tried_again_with_the_same_key() -> None:
    counting = Counting()
    counting.answers = [failed("later", retry_after_seconds=3), refused("not now")]
    async with serving(counting) as server, calling(server) as caller:
        later = await caller.result(request("k"))
        assert (later.status, later.retry_after_seconds) == (own.Result.STATUS_FAILED, 3)
        assert (await caller.result(request("k"))).status == own.Result.STATUS_REFUSED
        assert (await caller.result(request("k"))).status == own.Result.STATUS_DONE, "a person may have changed it"
        assert (await caller.result(request("k"))).status == own.Result.STATUS_DONE
    assert len(counting.calls) == 3


@in_a_loop
async def test_answers_outlive_the_process_in_a_file(tmp_path: Path) -> None:
    before, after = Counting(), Counting()
    async with serving(before, remember=tmp_path / "answers") as server, calling(server) as caller:
        answer = await caller.result(request("k"))
    async with serving(after, remember=tmp_path / "answers") as server, calling(server) as caller:
        assert await caller.result(request("k")) == answer
    assert after.calls == []


@in_a_loop
async def test_an_output_that_is_no_json_is_a_failure_in_words() -> None:
    @plugin(name="odd")
    async def odd(call: Call) -> Answer:
        return done("fine", when=object())

    async with serving(odd) as server, calling(server) as caller:
        result = await caller.result(request())
    assert result.status == own.Result.STATUS_FAILED
    assert "the plugin's output is no JSON" in result.text


@in_a_loop
async def test_an_engine_of_the_first_generation_is_answered_as_ever() -> None:
    counting = Counting()
    recorded = (  # AlertEvent{eventId e-9, eventType ...SpotTerminationNotice, resource, data instance_id i-1}
        b"\n\x03e-9\x12-prometheus.server.alert.SpotTerminationNotice\x1a\x1f\n\x11prometheus.server\x12\nhttp://p/g"
        b'"\x12\n\x0binstance_id\x12\x03i-1'
    )
    async with serving(counting) as server, calling(server) as caller:
        assert await caller.send(f"/{FIRST}/HandleAlert", recorded) == b"\n\x02ok"
        ignored = first.AlertEvent(eventId="e-10", eventType="something.else")
        assert await caller.alert(ignored) == "ok"
    (call,) = counting.calls
    assert call.key == "e-9"
    assert call.event.type == "prometheus.server.alert.SpotTerminationNotice"
    assert call.event.source == "http://p/g"
    assert call.event.labels == {"instance_id": "i-1"}


@in_a_loop
async def test_an_engine_of_the_second_generation_is_answered_as_ever() -> None:
    counting = Counting()
    event = second.CloudEvent(
        specversion="0.2",
        type="prometheus.server.alert.Hot",
        source="http://p/g",
        id="e-9",
        contenttype="application/cloudevents+json",
        data=b'{"instance":"n-1","labels":{"Instance":"n-1"},"eventtype":"prometheus"}',
        extensions={"Instance": "n-1"},
    )
    async with serving(counting) as server, calling(server) as caller:
        assert await caller.old_event(event) == "ok"
        event.id, event.data = "e-10", b""
        assert await caller.old_event(event) == "ok"
    assert [call.event.labels for call in counting.calls] == [{"Instance": "n-1"}, {"Instance": "n-1"}]


@in_a_loop
async def test_an_old_engine_hears_of_a_failure_by_an_error() -> None:
    counting = Counting()
    counting.answers = [failed("AWS is away"), refused("not allowed")]
    async with serving(counting) as server, calling(server) as caller:
        for code, words in ((grpc.StatusCode.ABORTED, "AWS is away"), (grpc.StatusCode.FAILED_PRECONDITION, "not")):
            with pytest.raises(aio.AioRpcError) as caught:
                await caller.alert(first.AlertEvent(eventId="e", eventType="prometheus.server.alert.Hot"))
            assert caught.value.code() is code
            assert words in str(caught.value.details())


BROKEN = [
    (f"/{OWN}/Validate", b"\xff\xff"),
    (f"/{FIRST}/HandleAlert", b"\n\x02\xc3\x28"),  # an eventId that is no UTF-8
    (f"/{FIRST}/HandleAlert", b"\n\xff"),
    (f"/{SECOND}/Handle", second.CloudEvent(id="1", data=b"{").SerializeToString()),
    (f"/{SECOND}/Handle", second.CloudEvent(id="1", data=b"[" * 5000).SerializeToString()),
]


@pytest.mark.parametrize(("method", "body"), BROKEN)
@in_a_loop
async def test_bytes_that_are_no_message_are_an_invalid_argument(method: str, body: bytes) -> None:
    async with serving(Counting()) as server, calling(server) as caller:
        with pytest.raises(aio.AioRpcError) as caught:
            await caller.send(method, body)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert (await caller.describe()).name == "counting"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@in_a_loop
async def test_a_number_without_an_end_is_an_invalid_argument_with_words(number: float) -> None:
    async with serving(Counting()) as server, calling(server) as caller:
        for asked in (caller.handle(request(size=number)), caller.validate(size=number)):
            with pytest.raises(aio.AioRpcError, match="JSON cannot hold") as caught:
                await asked
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@in_a_loop
async def test_an_event_that_lacks_what_it_needs_is_an_invalid_argument_with_words() -> None:
    nameless = request()
    nameless.event.source = ""
    future = request()
    future.event.spec_version = "2.0"
    async with serving(Counting()) as server, calling(server) as caller:
        for asked, words in ((nameless, "needs an id, a source and a type"), (future, "CloudEvents 2.0")):
            with pytest.raises(aio.AioRpcError, match=words) as caught:
                await caller.handle(asked)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@in_a_loop
async def test_a_message_of_two_megabytes_is_too_much() -> None:
    async with serving(Counting()) as server, calling(server) as caller:
        with pytest.raises(aio.AioRpcError) as caught:
            await caller.send(f"/{FIRST}/HandleAlert", b"\0" * 2_000_000)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@in_a_loop
async def test_more_calls_than_it_takes_are_told_to_come_again() -> None:
    counting = Counting()
    counting.go.clear()
    async with serving(counting, calls_at_once_max=1) as server, calling(server) as caller:
        first_one = asyncio.ensure_future(caller.result(request("a")))
        await counting.called.wait()
        with pytest.raises(aio.AioRpcError) as caught:
            await caller.result(request("b"))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        counting.go.set()
        assert (await first_one).status == own.Result.STATUS_DONE


@in_a_loop
async def test_whether_it_lives_is_told_to_everybody() -> None:
    async with serving(Counting()) as server, calling(server) as caller:
        for service in ("", OWN, FIRST, SECOND):
            assert await health_of(caller, service) == health_pb2.HealthCheckResponse.SERVING


async def health_of(caller: Caller, service: str = "") -> int:
    asked = health_pb2.HealthCheckRequest(service=service).SerializeToString()
    answer = await caller.send("/grpc.health.v1.Health/Check", asked)
    return health_pb2.HealthCheckResponse.FromString(answer).status


@in_a_loop
async def test_told_to_end_it_takes_no_more_calls_and_finishes_those_under_way() -> None:
    counting = Counting()
    counting.go.clear()
    async with serving(counting, grace_seconds=30) as server, calling(server) as caller:
        watched = aiter(caller.watched_health())
        assert await anext(watched)
        under_way = asyncio.ensure_future(caller.result(request("a")))
        await counting.called.wait()
        stopping = asyncio.ensure_future(server.stop())
        not_any_more = health_pb2.HealthCheckResponse.FromString(await anext(watched)).status
        assert not_any_more == health_pb2.HealthCheckResponse.NOT_SERVING
        assert await health_of(caller, OWN) == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(aio.AioRpcError, match="it is about to end; ask again") as caught:
            await caller.result(request("b"))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        with pytest.raises(aio.AioRpcError, match="it is about to end"):
            await caller.alert(first.AlertEvent(eventId="e", eventType="prometheus.server.alert.Hot"))
        assert not stopping.done()
        counting.go.set()
        assert (await under_way).status == own.Result.STATUS_DONE
        await asyncio.wait_for(stopping, 15)  # whoever watches its health does not hold it up for thirty


@in_a_loop
async def test_told_to_end_it_waits_no_longer_than_its_grace() -> None:
    counting = Counting()
    counting.go.clear()
    async with serving(counting, grace_seconds=0.2) as server, calling(server) as caller:
        under_way = asyncio.ensure_future(caller.result(request("a")))
        await counting.called.wait()
        await asyncio.wait_for(server.stop(), 15)
        with pytest.raises(aio.AioRpcError):
            await under_way
        await asyncio.wait_for(counting.given_up.wait(), 15)
