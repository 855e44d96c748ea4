"""Writing XML answers: boto3-shaped dicts in, the text that botocore parses back into the same dicts out.

One writer per shape of botocore's service model, made at the first use. A writer goes through what the answer holds,
not through what the shape could hold (an EC2 instance has some 60 members and shows half of them), and returns text; so
ten thousand instances are written in well under a second, where a document tree would take minutes.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

Write = Callable[[Any], str]

HEADER = '<?xml version="1.0" encoding="UTF-8"?>\n'

_SPECIAL = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}


def escape(text: str) -> str:
    """Text as XML content. Characters that XML cannot hold become U+FFFD: a client must always be able to parse us."""
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda found: _NAMED.get(found[0], "\ufffd"), text)


def element(name: str, content: str) -> str:
    """`<name>content</name>`; the content is not escaped."""
    return f"<{name}>{content}</{name}>"


def write_time(value: datetime | float) -> str:
    """ISO 8601 in UTC with milliseconds: `2026-11-22T15:42:00.000Z`."""
    moment = value if isinstance(value, datetime) else datetime.fromtimestamp(value, UTC)
    if moment.tzinfo is not UTC:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def _write_text(value: Any) -> str:
    return escape(value) if isinstance(value, str) else str(value)


def _write_boolean(value: Any) -> str:
    return "true" if value else "false"


def _write_blob(value: bytes | str) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


_SCALARS: dict[str, Write] = {"boolean": _write_boolean, "blob": _write_blob, "timestamp": write_time}


class MarkupWriter:
    """Writers of one service's shapes. What a writer returns is the inside of an element, or whole elements."""

    def __init__(self) -> None:
        self._insides: dict[int, tuple[Shape, Write]] = {}

    def inside(self, shape: Shape) -> Write:
        """The writer of what stands between the tags; made once."""
        known = self._insides.get(id(shape))
        if known is None:
            known = (shape, self._make(shape))
            self._insides[id(shape)] = known
        return known[1]

    def _make(self, shape: Shape) -> Write:
        if isinstance(shape, StructureShape):
            return self._structure(shape)
        if isinstance(shape, ListShape):
            return self._items(shape, str(shape.member.serialization.get("name", "member")))
        if isinstance(shape, MapShape):
            return self._entries(shape, "entry")
        return _SCALARS.get(shape.type_name, _write_text)

    def _structure(self, shape: StructureShape) -> Write:
        # Filled at the first use of each member, because shapes may contain themselves.
        elements: dict[str, Write | None] = {}

        def write(value: Mapping[str, Any]) -> str:
            parts = []
            for name, part in value.items():
                if part is None:
                    continue
                try:
                    one = elements[name]
                except KeyError:
                    one = elements[name] = self._member(shape, name)
                if one is not None:
                    parts.append(one(part))
            return "".join(parts)

        return write

    def _member(self, shape: StructureShape, name: str) -> Write | None:
        """The writer of a member with its tags; None for what the model does not know, which no client could read."""
        of = shape.members.get(name)
        if of is None:
            return None
        tag = str(of.serialization.get("name", name))
        if of.serialization.get("flattened") and isinstance(of, ListShape):
            return self._items(of, str(of.member.serialization.get("name", tag)))
        if of.serialization.get("flattened") and isinstance(of, MapShape):
            return self._entries(of, tag)
        return _tagged(tag, self.inside(of))

    def _items(self, shape: ListShape, tag: str) -> Write:
        def write(value: list[Any]) -> str:
            one = self.inside(shape.member)
            before, between, after = f"<{tag}>", f"</{tag}><{tag}>", f"</{tag}>"
            return before + between.join([one(item) for item in value]) + after if value else ""

        return write

    def _entries(self, shape: MapShape, tag: str) -> Write:
        key_tag = str(shape.key.serialization.get("name", "key"))
        value_tag = str(shape.value.serialization.get("name", "value"))

        def write(value: Mapping[Any, Any]) -> str:
            one = self.inside(shape.value)
            pairs = [element(key_tag, _write_text(key)) + element(value_tag, one(item)) for key, item in value.items()]
            return "".join([element(tag, pair) for pair in pairs])

        return write


def _tagged(tag: str, inside: Write) -> Write:
    """The writer of a whole element. Strings, by far the most frequent, get one without a further call."""
    before, after = f"<{tag}>", f"</{tag}>"
    if inside is not _write_text:
        return lambda value: f"{before}{inside(value)}{after}"

    def write(value: Any) -> str:
        if isinstance(value, str) and _SPECIAL.search(value) is not None:
            value = escape(value)
        return f"{before}{value}{after}"

    return write
