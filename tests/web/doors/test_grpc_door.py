"""CloudEvents by gRPC, over real sockets: answered once they are stored, and every wrong thing in gRPC's own words."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from hypothesis import given, settings
from hypothesis import strategies as st

from spotward.engine.clock import SystemClock
from spotward.events.cloudevents import read_structured
from spotward.model.errors import ConfigError, PayloadError
from spotward.model.flow_event import Occurred
from spotward.model.occurrence import Occurrence
from spotward.plugins.sdk.safety import Safety
from spotward.plugins.wire.cloudevents_pb2 import CloudEvent, PublishRequest
from spotward.web.doors.body import BODY_BYTES_MAX
from spotward.web.doors.by_grpc import SERVICE, grpc_door
from spotward.web.doors.letterbox import Letterbox
from spotward.web.doors.protobuf import event_in, published
from tests.cluster.papers import certificate, sign, write
from tests.plugins.sdk.served import in_a_loop
from tests.web.doors.test_doors import House

TOKEN = "0123456789abcdef-one"
PUBLISH = f"/{SERVICE}/Publish"
OPEN = Safety(insecure=True)


def event(**more: object) -> CloudEvent:
    said = {"id": "1", "source": "/s", "spec_version": "1.0", "type": "com.example.x", **more}
    return CloudEvent(**said)  # type: ignore[arg-type]  # tables of fields of all kinds


def request(one: CloudEvent | None = None) -> bytes:
    return PublishRequest(event=one or event()).SerializeToString()


@asynccontextmanager
async def housed(safety: Safety = OPEN, letterbox: Letterbox | None = None) -> AsyncIterator[tuple[House, str]]:
    house = House(letterbox)
    living = asyncio.ensure_future(house.live())
    async with grpc_door(house.letterbox, SystemClock(), host="127.0.0.1", port=0, safety=safety) as place:
        assert place is not None
        yield house, place
    living.cancel()
    with suppress(asyncio.CancelledError):
        await living


async def sent(place: str, body: bytes, *, token: str | None = None, method: str = PUBLISH) -> bytes:
    metadata = None if token is None else (("authorization", f"Bearer {token}"),)
    async with aio.insecure_channel(place) as channel:
        call: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
        return await call(body, metadata=metadata, timeout=20)


async def refused(place: str, body: bytes, **how: str | None) -> aio.AioRpcError:
    with pytest.raises(aio.AioRpcError) as caught:
        await sent(place, body, **how)  # type: ignore[arg-type]  # a table of words
    return caught.value


# ---- what is published -----------------------------------------------------------------------------------------------


@in_a_loop
async def test_what_is_published_arrives_and_is_answered_once_it_is_stored() -> None:
    async with housed() as (house, place):
        house.open.clear()
        telling = asyncio.ensure_future(sent(place, request()))
        done, _ = await asyncio.wait({telling}, timeout=0.3)
        assert not done
        house.open.set()
        assert await telling == b""
    (heard,) = house.heard
    assert isinstance(heard, Occurred)
    assert (heard.door, heard.occurrence.type) == ("grpc", "com.example.x")
    assert house.letterbox.tally.now.answers["grpc", "OK"] == 1


def test_an_event_is_the_same_as_if_it_had_come_as_json() -> None:
    one = event(text_data='{"labels": {"a": "b"}}')
    one.attributes["datacontenttype"].ce_string = "application/json"
    one.attributes["subject"].ce_string = "i-1"
    one.attributes["dataschema"].ce_uri = "http://schema"
    one.attributes["time"].ce_timestamp.CopyFrom(Timestamp(seconds=1_763_800_000, nanos=250_000_000))
    one.attributes["flag"].ce_boolean = True
    one.attributes["number"].ce_integer = 7
    one.attributes["blob"].ce_bytes = b"ab"
    one.attributes["place"].ce_uri_ref = "/x"
    assert event_in(one) == read_structured("""
        {"specversion": "1.0", "id": "1", "source": "/s", "type": "com.example.x", "subject": "i-1",
         "dataschema": "http://schema", "time": "2025-11-22T08:26:40.250000Z", "flag": true, "number": 7,
         "blob": "YWI=", "place": "/x", "datacontenttype": "application/json", "data": {"labels": {"a": "b"}}}
    """)


def with_message(body: dict[str, Any]) -> CloudEvent:
    inner, one = Struct(), event()
    inner.update(body)
    one.proto_data.Pack(inner)
    return one


@pytest.mark.parametrize(
    ("one", "data"),
    [
        (event(), None),
        (event(binary_data=b'{"a": 1}'), {"a": 1}),
        (event(text_data="[1]"), [1]),
        (with_message({"a": {"b": "c"}}), {"a": {"b": "c"}}),
    ],
)
def test_data_of_each_kind_are_read(one: CloudEvent, data: object) -> None:
    assert event_in(one).data == data


def test_data_that_are_no_json_by_their_own_word_are_a_text() -> None:
    one = event(text_data="[1")
    one.attributes["datacontenttype"].ce_string = "text/plain"
    assert event_in(one).data == "[1"


def strange(name: str, **value: object) -> CloudEvent:
    one = event()
    if not value:
        one.attributes[name].SetInParent()
    for field, each in value.items():
        if isinstance(each, Timestamp):
            one.attributes[name].ce_timestamp.CopyFrom(each)
        else:
            setattr(one.attributes[name], field, each)
    return one


def broken_message() -> CloudEvent:
    one = event()
    one.proto_data.type_url, one.proto_data.value = "type.googleapis.com/google.protobuf.Struct", b"\xff\xff"
    return one


def deep(levels: int) -> dict[str, Any]:
    return {"a": deep(levels - 1)} if levels else {}


def unknown_message() -> CloudEvent:
    one = event()
    one.proto_data.type_url, one.proto_data.value = "type.googleapis.com/com.example.Secret", b"\x01"
    return one


# ---- what is wrong, in gRPC's words ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\xff\xff\xff", "these 3 bytes are no io.cloudevents.v1.PublishRequest"),
        (request()[:-3], "are no io.cloudevents.v1.PublishRequest"),
        (b"", "the request has no event; publish one"),
        (request(event(id="")), "it has no id; send a CloudEvent 1.0"),
        (request(event(type="")), "it has no type"),
        (request(event(spec_version="0.3")), "its specversion is '0.3'"),
        (request(event(spec_version="")), "its specversion is ''"),
        (request(event(type="x" * 2000)), "the event's type has 2000 characters"),
        (request(event(binary_data=b"\xff")), "its data are not UTF-8"),
        (request(event(text_data="{")), "the text is not JSON"),
        (request(event(text_data="[" * 100_000)), "nested too deeply"),
        (request(event(text_data='"' + "x" * 70_000 + '"')), "the event's data has 70002 characters"),
        (request(with_message({"a": float("nan")})), "its proto_data are no google.protobuf.Struct"),
        (request(with_message({"a": [float("inf")]})), "its proto_data are no google.protobuf.Struct"),
        (request(with_message(deep(40))), "its proto_data are no google.protobuf.Struct"),
        (request(broken_message()), "its proto_data are no google.protobuf.Struct"),
        (request(unknown_message()), "com.example.Secret', which is not known here; send JSON as text_data"),
        (request(strange("Größe", ce_string="x")), "is no name of an attribute"),
        (request(strange("a", ce_string="x" * 2000)), "the event's a has 2000 characters"),
        (request(strange("empty")), "its 'empty' has no value"),
        (request(strange("id", ce_string="x")), "its id stands among the attributes"),
        (request(strange("time", ce_string="yesterday")), "its time is 'yesterday'; send RFC 3339"),
        (request(strange("time", ce_timestamp=Timestamp(seconds=2**60))), "its 'time' is no time"),
        (request(strange("subject", ce_integer=5)), "its subject is a number"),
    ],
)
@in_a_loop
async def test_what_cannot_be_read_is_an_invalid_argument_with_words(body: bytes, words: str) -> None:
    async with housed() as (house, place):
        error = await refused(place, body)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert words in (error.details() or "")
    assert house.heard == []


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_bytes_break_the_reader(body: bytes) -> None:
    with suppress(PayloadError):
        assert isinstance(published(body), Occurrence)


NAMES = st.sampled_from(["time", "subject", "dataschema", "datacontenttype", "flag", "id", "Ü", ""])
VALUES = st.one_of(
    st.tuples(st.just("ce_string"), st.text(max_size=8)),
    st.tuples(st.just("ce_integer"), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just("ce_boolean"), st.booleans()),
    st.tuples(st.just("ce_bytes"), st.binary(max_size=8)),
    st.tuples(st.just("ce_timestamp"), st.integers(-(2**63), 2**63 - 1)),
)
DATA = st.one_of(
    st.tuples(st.just("text_data"), st.text(max_size=20)),
    st.tuples(st.just("binary_data"), st.binary(max_size=20)),
    st.tuples(
        st.just("proto_data"), st.tuples(st.sampled_from(["Struct", "Value", "ListValue"]), st.binary(max_size=20))
    ),
)


@given(st.dictionaries(NAMES, VALUES, max_size=3), DATA)
@settings(max_examples=200, deadline=None)
def test_no_event_breaks_the_reader(attributes: dict[str, tuple[str, Any]], data: tuple[str, Any]) -> None:
    one = event()
    for name, (field, value) in attributes.items():
        if field == "ce_timestamp":
            one.attributes[name].ce_timestamp.seconds = value
        else:
            setattr(one.attributes[name], field, value)
    if data[0] == "proto_data":
        one.proto_data.type_url, one.proto_data.value = f"type.googleapis.com/google.protobuf.{data[1][0]}", data[1][1]
    else:
        setattr(one, *data)
    with suppress(PayloadError):
        assert isinstance(published(request(one)), Occurrence)


@in_a_loop
async def test_what_is_too_long_and_what_comes_too_fast_is_told_apart() -> None:
    async with housed(letterbox=Letterbox(letters_max=1, taken_seconds_max=0.2)) as (house, place):
        long = await refused(place, b"x" * (BODY_BYTES_MAX + 1))
        house.open.clear()
        slow = await refused(place, request())  # it is taken out, and not stored
        await refused(place, request())  # it waits
        full = await refused(place, request())
        house.open.set()
        house.letterbox.crowded = lambda: "5 flows are open, as many as may be"
        crowded = await refused(place, request())
    assert (long.code(), slow.code()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
    assert (full.code(), crowded.code()) == (grpc.StatusCode.RESOURCE_EXHAUSTED,) * 2
    assert dict(full.trailing_metadata())["grpc-retry-pushback-ms"] == "5000"
    assert "as many as may be" in (crowded.details() or "")


@in_a_loop
async def test_a_method_that_there_is_not_is_unimplemented() -> None:
    async with housed() as (_, place):
        assert (await refused(place, b"", method=f"/{SERVICE}/Subscribe")).code() is grpc.StatusCode.UNIMPLEMENTED


# ---- who may come in -------------------------------------------------------------------------------------------------


@in_a_loop
async def test_without_the_token_nothing_is_taken_and_the_health_is_told_to_everybody(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(TOKEN)
    async with housed(Safety(token_file=tmp_path / "tokens")) as (house, place):
        for token in (None, "0123456789abcdef-two"):
            assert (await refused(place, request(), token=token)).code() is grpc.StatusCode.UNAUTHENTICATED
        assert house.heard == []
        assert await sent(place, request(), token=TOKEN) == b""
        assert house.letterbox.tally.now.answers["grpc", "UNAUTHENTICATED"] == 2
        asked = health_pb2.HealthCheckRequest(service=SERVICE).SerializeToString()
        told = await sent(place, asked, method="/grpc.health.v1.Health/Check")
    assert health_pb2.HealthCheckResponse.FromString(told).status == health_pb2.HealthCheckResponse.SERVING
    assert len(house.heard) == 1


@in_a_loop
async def test_whoever_reflects_finds_the_service() -> None:
    async with housed() as (_, place):
        services = await asyncio.to_thread(_services, place)
    assert SERVICE in services


def _services(place: str) -> list[str]:
    with grpc.insecure_channel(place) as channel:
        return list(ProtoReflectionDescriptorDatabase(channel).get_services())


@in_a_loop
async def test_only_who_shows_a_certificate_of_the_authority_comes_in(tmp_path: Path) -> None:
    authority = ec.generate_private_key(ec.SECP256R1())
    paper = certificate("doors", authority, authority, None)
    write(tmp_path / "ca.crt", paper)
    for name in ("server", "client"):
        sign(tmp_path, name, name, None, paper, authority)
    safety = Safety(certificate=tmp_path / "server.crt", key=tmp_path / "server.key", client_ca=tmp_path / "ca.crt")
    async with housed(safety) as (house, place):
        with pytest.raises(aio.AioRpcError) as caught:
            await _published_safely(place, tmp_path, shown=False)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert await _published_safely(place, tmp_path, shown=True) == b""
    assert len(house.heard) == 1


async def _published_safely(place: str, papers: Path, *, shown: bool) -> bytes:
    credentials = grpc.ssl_channel_credentials(
        (papers / "ca.crt").read_bytes(),
        (papers / "client.key").read_bytes() if shown else None,
        (papers / "client.crt").read_bytes() if shown else None,
    )
    async with aio.secure_channel(place, credentials, [("grpc.ssl_target_name_override", "localhost")]) as channel:
        call: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(PUBLISH)
        return await call(request(), timeout=20)


@in_a_loop
async def test_what_would_let_everybody_in_and_an_address_that_is_taken_are_not_opened() -> None:
    async with housed() as (_, place):
        for safety, port, words in (
            (Safety(), 0, "doors.insecure"),
            (OPEN, int(place.rpartition(":")[2]), "is it taken"),
        ):
            with pytest.raises(ConfigError, match=words):
                async with grpc_door(Letterbox(), SystemClock(), host="127.0.0.1", port=port, safety=safety):
                    pass
