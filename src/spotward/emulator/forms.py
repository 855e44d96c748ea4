"""Reading the query protocols: `Filter.1.Name=state&Filter.1.Value.1=running` into what a boto3 user would have passed.

The dots are split once into a tree; one reader per shape of botocore's service model, made at the first use, then walks
its own part of the tree. So a request costs in proportion to what it says, not to what it could have said.
EC2 speaks a dialect of its own: lists have no name of their own there, and names are capitalized.
Values that no SDK would send are refused in the service's own words (`Objections`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.utils import parse_timestamp

from spotward.sim.errors import ApiError

FIELDS_MAX = 100_000
"""Fields in one form. The largest honest request, a CreateFleet with 300 overrides, has some 3,000."""

Tree = dict[str, Any]
"""`{"Filter": {"1": {"Name": "state", "Value": {"1": "running"}}}}`: leaves are strings."""

Read = Callable[[Any, str], Any]
"""(a node of the tree, where it was found) -> the value. Raises ApiError."""


class Objections(Protocol):
    """How one service words its refusals."""

    def missing(self, place: str) -> ApiError:
        """A required parameter is not there."""

    def malformed(self, place: str, value: object, expected: str) -> ApiError:
        """A value is not of its type."""

    def unknown(self, place: str) -> ApiError | None:
        """A parameter that the service does not know; None if it ignores such."""


def parse_form(text: str, objections: Objections) -> Tree:
    """The form as a tree. Raises ApiError if two fields contradict each other, or there are too many."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except (ValueError, UnicodeDecodeError) as error:
        raise objections.malformed("the request", str(error), "an encoded form") from error
    return grow(pairs, objections)


def grow(pairs: Iterable[tuple[str, str]], objections: Objections) -> Tree:
    """Splits the dots of every name: `("a.b", "1")` becomes `{"a": {"b": "1"}}`."""
    root: Tree = {}
    for name, value in pairs:
        node = root
        *stem, leaf = name.split(".")
        for part in stem:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise objections.malformed(name, value, "a value of its own")
        if leaf in node:
            raise objections.malformed(name, value, "given once")
        node[leaf] = value
    return root


def parse_time(value: str | float) -> datetime:
    """A moment in any of the forms that AWS takes, in UTC. Raises ValueError."""
    moment = parse_timestamp(str(value))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_blob(value: str) -> bytes:
    """Base64. Raises ValueError."""
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def parse_boolean(value: str) -> bool:
    """`true` or `false` in any case. Raises ValueError."""
    word = value.lower()
    if word not in {"true", "false"}:
        raise ValueError(word)
    return word == "true"


def parse_integer(value: str) -> int:
    """A decimal number of at most 20 characters, the length of a 64-bit one. Raises ValueError."""
    if len(value) > 20:
        raise ValueError(value)
    return int(value)


_SCALARS: dict[str, tuple[Callable[[str], Any], str]] = {
    "integer": (parse_integer, "an integer"),
    "long": (parse_integer, "an integer"),
    "float": (float, "a number"),
    "double": (float, "a number"),
    "boolean": (parse_boolean, "true or false"),
    "timestamp": (parse_time, "a timestamp in ISO 8601"),
    "blob": (parse_blob, "base64"),
    "string": (str, "a string"),
    "character": (str, "a string"),
}


class FormReader:
    """Readers of one service's shapes, by the rules of the query protocol."""

    def __init__(self, objections: Objections) -> None:
        self._objections = objections
        self._readers: dict[int, tuple[Shape, Read]] = {}

    def reader(self, shape: Shape) -> Read:
        """The reader of a shape; made once. (A shape is kept with its reader, so that its id stays its own.)"""
        known = self._readers.get(id(shape))
        if known is None:
            known = (shape, self._make(shape))
            self._readers[id(shape)] = known
        return known[1]

    def wire_name(self, shape: Shape, member: str) -> str:
        """The name of a structure's member in the form."""
        if isinstance(shape, ListShape) and shape.serialization.get("flattened"):
            of_item = shape.member.serialization.get("name")
            if of_item is not None:
                return str(of_item)
        return str(shape.serialization.get("name", member))

    def list_items(self, shape: ListShape, node: Tree) -> Any:
        """The numbered part of a list's node."""
        if shape.serialization.get("flattened"):
            return node
        return node.get(shape.member.serialization.get("name", "member"), {})

    def _make(self, shape: Shape) -> Read:
        if isinstance(shape, StructureShape):
            return self._structure(shape)
        if isinstance(shape, ListShape):
            return self._list(shape)
        if isinstance(shape, MapShape):
            return self._map(shape)
        return self._scalar(shape)

    def _scalar(self, shape: Shape) -> Read:
        parse, expected = _SCALARS[shape.type_name]

        def read(node: Any, place: str) -> Any:
            if not isinstance(node, str):
                raise self._objections.malformed(place, "a structure", expected)
            try:
                return parse(node)
            except (ValueError, OverflowError) as error:
                raise self._objections.malformed(place, node, expected) from error

        return read

    def _structure(self, shape: StructureShape) -> Read:
        # The members' readers are looked up at the first request, not here: shapes may contain themselves.
        members: dict[str, tuple[str, Read]] = {}
        required = [(name, self.wire_name(shape.members[name], name)) for name in shape.required_members]

        def read(node: Any, place: str) -> dict[str, Any]:
            if not members:
                members.update(
                    {self.wire_name(of, name): (name, self.reader(of)) for name, of in shape.members.items()}
                )
            if node == "":
                node = {}
            if not isinstance(node, dict):
                raise self._objections.malformed(place, node, "a structure")
            found = self._members(node, place, members)
            for name, wire in required:
                if name not in found:
                    raise self._objections.missing(_under(place, wire))
            return found

        return read

    def _members(self, node: Tree, place: str, members: dict[str, tuple[str, Read]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for wire, part in node.items():
            member = members.get(wire)
            if member is not None:
                found[member[0]] = member[1](part, _under(place, wire))
                continue
            objection = self._objections.unknown(_under(place, wire))
            if objection is not None:
                raise objection
        return found

    def _list(self, shape: ListShape) -> Read:
        def read(node: Any, place: str) -> list[Any]:
            if node == "":  # the query protocol's empty list
                return []
            if not isinstance(node, dict):
                raise self._objections.malformed(place, node, "a list")
            item = self.reader(shape.member)
            return [item(part, at) for at, part in self._numbered(self.list_items(shape, node), place)]

        return read

    def _map(self, shape: MapShape) -> Read:
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")

        def read(node: Any, place: str) -> dict[Any, Any]:
            entries = node
            if isinstance(node, dict) and not shape.serialization.get("flattened"):
                entries = node.get("entry", {})
            key, value = self.reader(shape.key), self.reader(shape.value)
            found = {}
            for at, pair in self._numbered(entries, place):
                if not isinstance(pair, dict) or not {key_name, value_name} <= pair.keys():
                    raise self._objections.malformed(at, "an entry", f"{key_name} and {value_name}")
                found[key(pair[key_name], at)] = value(pair[value_name], at)
            return found

        return read

    def _numbered(self, node: Any, place: str) -> list[tuple[str, Any]]:
        """`{"2": b, "1": a}` -> a, b, each with its place. Gaps are closed, as AWS does."""
        if not isinstance(node, dict):
            raise self._objections.malformed(place, node, "a list")
        try:
            ordered = sorted((parse_integer(number), part) for number, part in node.items())
        except (ValueError, TypeError) as error:
            raise self._objections.malformed(place, next(iter(node)), "numbered from 1") from error
        return [(f"{place}.{number}", part) for number, part in ordered]


class Ec2FormReader(FormReader):
    """The same by EC2's rules: names capitalized, or of their own; lists numbered where they stand."""

    def wire_name(self, shape: Shape, member: str) -> str:
        """`queryName` if the model gives one, else the capitalized location name."""
        name = shape.serialization.get("queryName")
        if name is None:
            name = shape.serialization.get("name", member)
            name = name[0].upper() + name[1:]
        return str(name)

    def list_items(self, shape: ListShape, node: Tree) -> Any:  # noqa: ARG002 - EC2's lists have no name of their own
        """The node itself."""
        return node


def _under(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
