"""CloudEvents 1.0 over HTTP: one in a body (structured), several in a body (batch), one in headers (binary).

Source: the CloudEvents specification 1.0.2, its JSON format, and its HTTP protocol binding.
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from spotward.events.heard import Heard, heard
from spotward.events.reading import iso, iso_seconds, json_value, kind, quoted
from spotward.model.errors import PayloadError
from spotward.model.occurrence import Occurrence

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
JSON_TYPE = "application/json"

NEXT_STEP = "send a CloudEvent 1.0"

ATTRIBUTE = re.compile(r"[a-z0-9]{1,64}")
"""What the specification lets an attribute be called; it says 20 characters, and the world writes longer ones."""

_ESCAPES = re.compile(r"(?:%[0-9a-fA-F]{2})+")

KNOWN = frozenset({"id", "source", "type", "specversion", "time", "subject", "datacontenttype", "dataschema"})
"""Attributes that are no extensions."""


def read_structured(text: str) -> Occurrence:
    """One event in JSON. Raises PayloadError."""
    return _event(json_value(text, next_step=NEXT_STEP))


def read_batch(text: str) -> Heard:
    """Several; those that cannot be read are named and cost the others nothing. Raises PayloadError."""
    said = json_value(text, next_step=NEXT_STEP)
    if not isinstance(said, list):
        raise PayloadError(f"this is {kind(said)}; a batch is an array of CloudEvents")
    return heard(said, _event, noun="event")


def read_binary(headers: Mapping[str, str], body: bytes) -> Occurrence:
    """One whose attributes are headers. headers: lower-case names. Raises PayloadError."""
    attributes: dict[str, Any] = {
        name.removeprefix("ce-"): _unquoted(value) for name, value in headers.items() if name.startswith("ce-")
    }
    content_type = headers.get("content-type", "")
    attributes["datacontenttype"] = content_type or None
    return occurrence_of(attributes, data_in(body, content_type))


def render(occurrence: Occurrence) -> dict[str, Any]:
    """The event in JSON, structured."""
    said: dict[str, Any] = dict(occurrence.extensions)
    said |= {"specversion": "1.0", "id": occurrence.id, "source": occurrence.source, "type": occurrence.type}
    optional = {"subject": occurrence.subject, "dataschema": occurrence.data_schema}
    said |= {name: value for name, value in optional.items() if value is not None}
    if occurrence.time is not None:
        said["time"] = iso(occurrence.time)
    if (data := occurrence.data) is not None:
        said |= {"datacontenttype": JSON_TYPE, "data": data}
    return said


def _event(said: object) -> Occurrence:
    if not isinstance(said, dict):
        raise PayloadError(f"this is {kind(said)}; {NEXT_STEP}")
    attributes = {name: value for name, value in said.items() if name not in ("data", "data_base64")}
    if "data_base64" in said:
        return occurrence_of(attributes, _decoded(said["data_base64"], str(said.get("datacontenttype") or "")))
    return occurrence_of(attributes, said.get("data"))


def occurrence_of(attributes: Mapping[str, Any], data: Any) -> Occurrence:
    """One from its attributes, as JSON would have them, and its data. Raises PayloadError."""
    version = attributes.get("specversion")
    if version != "1.0":
        raise PayloadError(f"its specversion is {quoted(str(version))}; {NEXT_STEP}")
    texts = {name: _text(attributes, name) for name in ("id", "source", "type", "subject", "dataschema")}
    missing = next((name for name in ("id", "source", "type") if not texts[name]), None)
    if missing is not None:
        raise PayloadError(f"it has no {missing}; {NEXT_STEP}")
    return Occurrence.of(
        id=texts["id"] or "",
        source=texts["source"] or "",
        type=texts["type"] or "",
        time=_time(attributes.get("time")),
        subject=texts["subject"],
        data=data,
        data_schema=texts["dataschema"],
        extensions={name: _scalar(name, value) for name, value in attributes.items() if _is_extension(name, value)},
    )


def _unquoted(header: str) -> str:
    """As the binding wants it: `%E2%82%AC` is one character; what decodes to no UTF-8 gets replacement characters."""
    return _ESCAPES.sub(lambda found: bytes.fromhex(found[0].replace("%", "")).decode(errors="replace"), header)


def _text(attributes: Mapping[str, Any], name: str) -> str | None:
    value = attributes.get(name)
    if value is not None and not isinstance(value, str):
        raise PayloadError(f"its {name} is {kind(value)}; send a text")
    return value


def _time(value: object) -> float | None:
    if value is None:
        return None
    seconds = iso_seconds(value)
    if seconds is None:
        raise PayloadError(f"its time is {quoted(str(value))}; send RFC 3339")
    return seconds


def _is_extension(name: str, value: object) -> bool:
    return name not in KNOWN and value is not None


def _scalar(name: str, value: object) -> str | int | bool:
    if not ATTRIBUTE.fullmatch(name):
        raise PayloadError(f"{quoted(name)} is no name of an attribute; use lower-case letters and digits")
    if not isinstance(value, str | int | bool):
        raise PayloadError(f"its {name} is {kind(value)}; attributes are texts, whole numbers and truth values")
    return value


def _decoded(value: object, content_type: str) -> Any:
    if not isinstance(value, str):
        raise PayloadError(f"its data_base64 is {kind(value)}; send a text in base64")
    try:
        return data_in(b64decode(value, validate=True), content_type)
    except ValueError as error:
        raise PayloadError(f"its data_base64 is no base64 ({error}); send data instead") from None


def data_in(body: bytes, content_type: str) -> Any:
    """What a body says: JSON as a value, anything else as a text. Raises PayloadError."""
    if not body:
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise PayloadError(f"its data are not UTF-8 ({error.reason}); send JSON or a text") from None
    named = content_type.partition(";")[0].strip().lower()
    is_json = named in ("", JSON_TYPE, "text/json") or named.endswith("+json")
    return json_value(text, next_step=NEXT_STEP) if is_json else text
