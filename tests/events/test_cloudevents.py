"""CloudEvents over HTTP, structured, in a batch, and binary."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.events.cloudevents import read_batch, read_binary, read_structured, render
from spotward.model.errors import PayloadError
from spotward.model.occurrence import Occurrence

EVENT = {
    "specversion": "1.0",
    "id": "A234-1234-1234",
    "source": "https://example.com/cloud",
    "type": "com.example.someevent",
    "subject": "123",
    "time": "2018-04-05T17:31:00Z",
    "comexampleextension1": "value",
    "comexampleothervalue": 5,
    "datacontenttype": "application/json",
    "data": {"appinfoA": "abc", "appinfoB": 123, "appinfoC": True},
}


def test_a_structured_event_is_read() -> None:
    assert read_structured(json.dumps(EVENT)) == Occurrence.of(
        id="A234-1234-1234",
        source="https://example.com/cloud",
        type="com.example.someevent",
        subject="123",
        time=1_522_949_460.0,
        data={"appinfoA": "abc", "appinfoB": 123, "appinfoC": True},
        extensions={"comexampleextension1": "value", "comexampleothervalue": 5},
    )


def test_a_binary_event_is_the_same_one() -> None:
    headers = {f"ce-{name}": str(value) for name, value in EVENT.items() if not name.startswith("data")}
    headers["content-type"] = "application/json; charset=utf-8"
    assert read_binary(headers, json.dumps(EVENT["data"]).encode()) == read_structured(json.dumps(EVENT))


def test_headers_are_decoded_and_a_body_that_is_no_json_is_a_text() -> None:
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-subject": "Euro %E2%82%AC"}
    heard = read_binary(headers | {"content-type": "text/plain"}, b"hello")
    assert (heard.subject, heard.data) == ("Euro €", "hello")
    assert read_binary(headers, b"").data is None


def test_data_in_base64_are_read_as_their_type_says() -> None:
    event = {k: v for k, v in EVENT.items() if k != "data"} | {"data_base64": "eyJhIjogMX0="}
    assert read_structured(json.dumps(event)).data == {"a": 1}


def test_a_batch_loses_only_what_cannot_be_read() -> None:
    heard = read_batch(json.dumps([EVENT, EVENT | {"specversion": "0.3"}, 7, EVENT | {"id": "2"}]))
    assert [each.id for each in heard.occurrences] == ["A234-1234-1234", "2"]
    assert [str(each) for each in heard.troubles] == [
        "event 1: its specversion is '0.3'; send a CloudEvent 1.0",
        "event 2: this is a number; send a CloudEvent 1.0",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": ""}, "it has no id"),
        ({"id": 5}, "its id is a number; send a text"),
        ({"source": None}, "it has no source"),
        ({"time": "yesterday"}, "its time is 'yesterday'; send RFC 3339"),
        ({"specversion": None}, "its specversion is 'None'"),
        ({"Some-Name": "x"}, "is no name of an attribute"),
        ({"extension": {"a": 1}}, "its extension is an object"),
        ({"data_base64": "!!"}, "is no base64"),
        ({"data_base64": 5}, "its data_base64 is a number"),
        ({"data": "x" * 70_000}, "data has 70002 characters"),
        ({"type": "t" * 2000}, "type has 2000 characters"),
    ],
)
def test_what_is_wrong_is_said_with_the_next_step(change: dict[str, Any], words: str) -> None:
    with pytest.raises(PayloadError, match=words):
        read_structured(json.dumps(EVENT | change))


def test_bytes_that_are_no_text_are_said() -> None:
    with pytest.raises(PayloadError, match="not UTF-8"):
        read_binary({"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "t"}, b"\xff\xfe")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.text(min_size=1, max_size=50)


@given(
    id_=NAMES,
    source=NAMES,
    type_=NAMES,
    subject=st.none() | st.text(max_size=50),
    time=st.none() | st.integers(0, 4_000_000_000).map(float),
    data=VALUES,
    extension=st.text(max_size=20) | st.booleans(),
)
def test_what_is_rendered_is_read_as_the_same(
    id_: str, source: str, type_: str, subject: str | None, time: float | None, data: Any, extension: str | bool
) -> None:
    occurrence = Occurrence.of(
        id=id_, source=source, type=type_, subject=subject, time=time, data=data, extensions={"ext": extension}
    )
    assert read_structured(json.dumps(render(occurrence))) == occurrence


@given(st.dictionaries(st.sampled_from([*EVENT, "data_base64", "x"]), VALUES))
def test_no_event_whatever_it_holds_breaks_the_reader(fields: dict[str, Any]) -> None:
    for said in (fields, EVENT | fields):
        try:
            read_structured(json.dumps(said))
        except PayloadError:
            continue
