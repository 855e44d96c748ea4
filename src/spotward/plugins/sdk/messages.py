"""Between values and messages of our own contract. Raises Unreadable for what is no message."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from google.protobuf.json_format import Error as JsonError
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from spotward.plugins.sdk.call import Answer, Call, Happening, Json, Status
from spotward.plugins.wire.cloudevents_pb2 import CloudEvent
from spotward.plugins.wire.plugin_pb2 import HandleRequest, Result

M = TypeVar("M", bound=Message)

STATUSES = {
    Status.DONE: Result.STATUS_DONE,
    Status.IGNORED: Result.STATUS_IGNORED,
    Status.FAILED: Result.STATUS_FAILED,
    Status.REFUSED: Result.STATUS_REFUSED,
}
_STATUS_OF = {number: status for status, number in STATUSES.items()}

JSON_TYPE = "application/json"


class Unreadable(ValueError):  # noqa: N818 - it says how things are, and reads as that
    """These bytes are no such message, or there is nonsense in it; the text says what."""


def read(kind: type[M], body: bytes) -> M:
    """The message in these bytes. Raises Unreadable."""
    try:
        return kind.FromString(body)
    except (DecodeError, ValueError) as error:
        raise Unreadable(f"these {len(body)} bytes are no {kind.DESCRIPTOR.full_name}: {error}") from error


def struct(fields: Mapping[str, Json]) -> Struct:
    """A mapping as a message. Raises TypeError or ValueError for what JSON cannot hold."""
    message = Struct()
    message.update(json.loads(json.dumps(dict(fields), allow_nan=False)))
    return message


def fields(message: Struct) -> dict[str, Json]:
    """A mapping again; whole numbers are ints again, for the wire knows only floats.

    Raises Unreadable for what JSON cannot hold, such as a number without an end.
    """
    try:
        return {name: _whole(value) for name, value in MessageToDict(message).items()}
    except (JsonError, ValueError) as error:
        raise Unreadable(f"there is something in it that JSON cannot hold: {error}") from error


def _whole(value: Json) -> Json:
    match value:
        case float() if value.is_integer() and abs(value) < 2**53:
            return int(value)
        case list():
            return [_whole(each) for each in value]
        case dict():
            return {name: _whole(each) for name, each in value.items()}
    return value


# ---- events ----------------------------------------------------------------------------------------------------


def event_message(event: Happening) -> CloudEvent:
    """A CloudEvent 1.0 with its data as JSON."""
    message = CloudEvent(id=event.id, source=event.source, spec_version="1.0", type=event.type)
    if event.subject is not None:
        message.attributes["subject"].ce_string = event.subject
    if event.time is not None:
        message.attributes["time"].ce_timestamp.CopyFrom(stamp(event.time))
    for name, value in event.extensions.items():
        _set(message.attributes[name], value)
    if event.data is not None:
        message.attributes["datacontenttype"].ce_string = JSON_TYPE
        message.text_data = json.dumps(event.data, ensure_ascii=False)
    return message


def event_value(message: CloudEvent) -> Happening:
    """Raises Unreadable."""
    if message.spec_version not in ("1.0", ""):
        raise Unreadable(f"CloudEvents {message.spec_version} is not understood; send 1.0")
    if not (message.id and message.source and message.type):
        raise Unreadable("a CloudEvent needs an id, a source and a type")
    attributes = {name: _value(each) for name, each in message.attributes.items()}
    subject, time = attributes.pop("subject", None), attributes.pop("time", None)
    content_type = attributes.pop("datacontenttype", JSON_TYPE)
    return Happening(
        id=message.id,
        source=message.source,
        type=message.type,
        subject=None if subject is None else str(subject),
        time=time if isinstance(time, float) else None,
        data=_data(message, str(content_type)),
        extensions={name: value for name, value in attributes.items() if isinstance(value, str | int | bool)},
    )


def _set(attribute: CloudEvent.CloudEventAttributeValue, value: str | int | bool) -> None:
    match value:
        case bool():
            attribute.ce_boolean = value
        case int() if -(2**31) <= value < 2**31:
            attribute.ce_integer = value
        case _:
            attribute.ce_string = str(value)


def _value(attribute: CloudEvent.CloudEventAttributeValue) -> str | int | bool | float | None:
    match attribute.WhichOneof("attr"):
        case "ce_boolean":
            return attribute.ce_boolean
        case "ce_integer":
            return attribute.ce_integer
        case "ce_timestamp":
            return seconds(attribute.ce_timestamp)
        case "ce_string":
            return attribute.ce_string
        case "ce_uri":
            return attribute.ce_uri
        case "ce_uri_ref":
            return attribute.ce_uri_ref
    return None


def _data(message: CloudEvent, content_type: str) -> Json:
    match message.WhichOneof("data"):
        case "text_data":
            text = message.text_data
        case "binary_data":
            text = message.binary_data.decode(errors="replace")
        case "proto_data":
            raise Unreadable("the data is a message of another kind; send JSON")
        case _:
            return None
    return json_in(text) if "json" in content_type else text


def json_in(text: str | bytes) -> Json:
    """Raises Unreadable."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the event's data is no JSON: {error}") from error


# ---- calls and answers -----------------------------------------------------------------------------------------


def call_message(call: Call) -> HandleRequest:
    """A call as it goes to a plugin of our own contract."""
    message = HandleRequest(
        idempotency_key=call.key,
        event=event_message(call.event),
        properties=struct(call.properties),
        flow=call.flow,
        step=call.step,
        attempt=call.attempt,
        dry_run=call.dry_run,
    )
    for name, answer in call.earlier.items():
        message.earlier[name].CopyFrom(answer_message(answer))
    if call.happens is not None:
        message.happens.CopyFrom(stamp(call.happens))
    return message


def call_value(
    message: HandleRequest,
    *,
    seconds_left: float | None,
    tell: Callable[[str, float], Any] | None = None,
    traceparent: str = "",
) -> Call:
    """Raises Unreadable."""
    return Call(
        key=message.idempotency_key,
        event=event_value(message.event),
        properties=fields(message.properties),
        flow=message.flow,
        step=message.step,
        attempt=message.attempt or 1,
        earlier={name: answer_value(each) for name, each in message.earlier.items()},
        happens=seconds(message.happens) if message.HasField("happens") else None,
        seconds_left=seconds_left,
        dry_run=message.dry_run,
        traceparent=traceparent,
        **({} if tell is None else {"tell": tell}),
    )


def answer_message(answer: Answer) -> Result:
    """An answer as it goes back. Raises TypeError or ValueError when its output is not JSON."""
    return Result(
        status=STATUSES[answer.status],
        text=answer.text,
        output=struct(answer.output),
        retry_after_seconds=answer.retry_after_seconds,
    )


def answer_value(message: Result) -> Answer:
    """An answer without a status is a failure: nobody knows what it means."""
    return Answer(
        status=_STATUS_OF.get(message.status, Status.FAILED),
        text=message.text,
        output=fields(message.output),
        retry_after_seconds=max(0.0, message.retry_after_seconds),
    )


def stamp(time: float) -> Timestamp:
    """Unix seconds as a message."""
    message = Timestamp()
    message.FromNanoseconds(round(time * 1_000_000) * 1_000)
    return message


def seconds(message: Timestamp) -> float:
    """Unix seconds."""
    return message.seconds + message.nanos / 1e9
