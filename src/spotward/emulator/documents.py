"""Reading and writing the JSON protocols (SQS speaks 1.0, the Pricing API and EventBridge 1.1).

JSON already has most of the types that a service's model names, so only what it has not is touched: blobs (base64) and
timestamps (Unix seconds). A shape that holds neither is passed through as it is.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from spotward.emulator.forms import Objections, parse_blob, parse_time
from spotward.sim.errors import ApiError

_PYTHON: dict[str, tuple[Any, str]] = {
    "structure": (dict, "a structure"),
    "map": (dict, "a map"),
    "list": (list, "a list"),
    "string": (str, "a string"),
    "blob": (str, "base64"),
    "boolean": (bool, "true or false"),
    "integer": (int, "an integer"),
    "long": (int, "an integer"),
    "float": ((int, float), "a number"),
    "double": ((int, float), "a number"),
    "timestamp": ((int, float, str), "a timestamp"),
}


def parse_document(body: bytes, objections: Objections) -> dict[str, Any]:
    """The JSON object of a request's body; an empty body is an empty object. Raises ApiError."""
    try:
        document = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise objections.malformed("the request", str(error), "a JSON object") from error
    if not isinstance(document, dict):
        raise objections.malformed("the request", type(document).__name__, "a JSON object")
    return document


class DocumentReader:
    """Turns a JSON value into what a boto3 user would have passed, by the service's model."""

    def __init__(self, objections: Objections) -> None:
        self._objections = objections

    def read(self, shape: Shape, value: Any, place: str = "") -> Any:
        """Unknown members are ignored, as AWS does; a wrong type or a missing member raises ApiError."""
        python, expected = _PYTHON.get(shape.type_name, (str, "a string"))
        if not isinstance(value, python) or (isinstance(value, bool) and python is not bool):
            raise self._objections.malformed(place, value, expected)
        if isinstance(shape, StructureShape):
            return self._structure(shape, value, place)
        if isinstance(shape, ListShape):
            return [self.read(shape.member, item, f"{place}[{at}]") for at, item in enumerate(value)]
        if isinstance(shape, MapShape):
            return {key: self.read(shape.value, item, f"{place}.{key}") for key, item in value.items()}
        return self._scalar(shape, value, place, expected)

    def _structure(self, shape: StructureShape, value: dict[str, Any], place: str) -> dict[str, Any]:
        found = {}
        for name, of in shape.members.items():
            part = value.get(of.serialization.get("name", name))
            if part is not None:
                found[name] = self.read(of, part, f"{place}.{name}" if place else name)
        for name in shape.required_members:
            if name not in found:
                raise self._objections.missing(f"{place}.{name}" if place else name)
        return found

    def _scalar(self, shape: Shape, value: Any, place: str, expected: str) -> Any:
        try:
            if shape.type_name == "blob":
                return parse_blob(value)
            if shape.type_name == "timestamp":
                return parse_time(value)
        except (ValueError, OverflowError) as error:
            raise self._objections.malformed(place, value, expected) from error
        return value


Write = Callable[[Any], Any]


class DocumentWriter:
    """Turns an answer into what json.dumps takes, by the service's model."""

    def __init__(self) -> None:
        self._writers: dict[int, tuple[Shape, Write]] = {}

    def body(self, shape: Shape | None, answer: Mapping[str, Any]) -> bytes:
        """The whole body of an answer of that shape."""
        content = self.writer(shape)(answer) if shape is not None else {}
        return json.dumps(content, separators=(",", ":")).encode()

    def writer(self, shape: Shape) -> Write:
        """The writer of a shape; made once."""
        known = self._writers.get(id(shape))
        if known is None:
            known = (shape, self._make(shape))
            self._writers[id(shape)] = known
        return known[1]

    def _make(self, shape: Shape) -> Write:
        if isinstance(shape, StructureShape):
            return self._structure(shape)
        if isinstance(shape, ListShape):
            return lambda value: [self.writer(shape.member)(item) for item in value]
        if isinstance(shape, MapShape):
            return lambda value: {key: self.writer(shape.value)(item) for key, item in value.items()}
        return _SCALARS.get(shape.type_name, _as_it_is)

    def _structure(self, shape: StructureShape) -> Write:
        names = {name: str(of.serialization.get("name", name)) for name, of in shape.members.items()}

        def write(value: Mapping[str, Any]) -> dict[str, Any]:
            return {
                names[name]: self.writer(shape.members[name])(part)
                for name, part in value.items()
                if part is not None and name in names
            }

        return write


def _as_it_is(value: Any) -> Any:
    return value


def _write_blob(value: bytes | str) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


def _write_time(value: datetime | float) -> float:
    seconds = value.timestamp() if isinstance(value, datetime) else value
    return round(seconds, 3)


_SCALARS: dict[str, Write] = {"blob": _write_blob, "timestamp": _write_time}


def error_document(error: ApiError, namespace: str) -> bytes:
    """`{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "..."}`."""
    return json.dumps({"__type": f"{namespace}{error.code}", "message": error.message}).encode()
