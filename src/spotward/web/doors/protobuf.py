"""A CloudEvent in protocol buffers, as the specification's Protobuf format has it, read as an occurrence.

The message has the attributes that every event must have as fields, and all others in a map, each with its type. Both
become what JSON would have said, so that an event is the same by whichever door it comes.

Source: CloudEvents 1.0.2, Protobuf Event Format.
"""

from base64 import b64encode
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.json_format import Error as JsonError
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from spotward.events.cloudevents import data_in, occurrence_of
from spotward.events.reading import iso, quoted
from spotward.model.errors import PayloadError
from spotward.model.occurrence import Occurrence
from spotward.plugins.wire.cloudevents_pb2 import CloudEvent, PublishRequest

FIELDS = frozenset({"id", "source", "type", "specversion"})
"""Attributes that are fields of the message, and stand in no map."""

DATA_TYPES: tuple[type[Message], ...] = (Struct, Value, ListValue)
"""Messages that may be an event's data as they are: those that JSON has words for."""


def published(body: bytes) -> Occurrence:
    """The event that a request publishes. Raises PayloadError."""
    try:
        request = PublishRequest.FromString(body)
    except (DecodeError, ValueError) as error:
        raise PayloadError(f"these {len(body)} bytes are no io.cloudevents.v1.PublishRequest: {error}") from None
    if not request.HasField("event"):
        raise PayloadError("the request has no event; publish one")
    return event_in(request.event)


def event_in(message: CloudEvent) -> Occurrence:
    """One event. Raises PayloadError."""
    attributes = {name: _value(name, each) for name, each in message.attributes.items()}
    if twice := sorted(attributes.keys() & FIELDS):
        raise PayloadError(f"its {twice[0]} stands among the attributes; it has a field of its own")
    fields = {"id": message.id, "source": message.source, "type": message.type, "specversion": message.spec_version}
    content_type = str(attributes.get("datacontenttype") or "")
    return occurrence_of({**attributes, **fields}, _data(message, content_type))


def _value(name: str, attribute: CloudEvent.CloudEventAttributeValue) -> str | int | bool:
    match attribute.WhichOneof("attr"):
        case "ce_boolean":
            return attribute.ce_boolean
        case "ce_integer":
            return attribute.ce_integer
        case "ce_string":
            return attribute.ce_string
        case "ce_uri":
            return attribute.ce_uri
        case "ce_uri_ref":
            return attribute.ce_uri_ref
        case "ce_bytes":
            return b64encode(attribute.ce_bytes).decode()
        case "ce_timestamp":
            return _moment(name, attribute.ce_timestamp)
    raise PayloadError(f"its {quoted(name)} has no value; leave it out, or give it one")


def _moment(name: str, stamp: Timestamp) -> str:
    """As RFC 3339, to the microsecond."""
    try:
        return iso(stamp.seconds + stamp.nanos / 1e9)
    except (ValueError, OverflowError, OSError):
        raise PayloadError(f"its {quoted(name)} is no time between the years 1 and 9999; send one") from None


def _data(message: CloudEvent, content_type: str) -> Any:
    match message.WhichOneof("data"):
        case "text_data":
            return data_in(message.text_data.encode(), content_type)
        case "binary_data":
            return data_in(message.binary_data, content_type)
        case "proto_data":
            return _message(message.proto_data)
    return None


def _message(wrapped: AnyMessage) -> Any:
    for kind in DATA_TYPES:
        value = kind()
        if wrapped.TypeName() != value.DESCRIPTOR.full_name:
            continue
        try:
            wrapped.Unpack(value)
            return MessageToDict(value)
        except (DecodeError, JsonError, ValueError) as error:
            raise PayloadError(f"its proto_data are no {wrapped.TypeName()}: {error}") from None
    raise PayloadError(
        f"its proto_data are {quoted(wrapped.type_url)}, which is not known here; send JSON as text_data"
    )
