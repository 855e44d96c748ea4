"""What a plugin says of itself, in lines for a person: what it does, which events it takes, a step's properties."""

import json
from collections.abc import Iterator, Mapping
from textwrap import fill
from typing import Any

from spotward.plugins.wire.plugin_pb2 import Description

WIDTH = 100
"""Lines are no longer, in columns."""


def told(description: Description) -> str:
    """All of it, as lines."""
    lines = [f"{description.name} {description.version}".rstrip(), _indented(description.about, 4)]
    lines.append(f"    events: {', '.join(description.event_types) or 'of every type'}")
    if description.properties_schema:
        lines += ["    properties of a step:", *_properties(json.loads(description.properties_schema))]
    return "\n".join(line for line in lines if line) + "\n"


def _properties(schema: Mapping[str, Any]) -> Iterator[str]:
    required = schema.get("required", ())
    for name, entry in schema.get("properties", {}).items():
        yield f"      {name}: {_kind(entry, schema)}{_else_what(name, entry, required)}"
        yield _indented(entry.get("description", ""), 10)


def _else_what(name: str, entry: Mapping[str, Any], required: object) -> str:
    if isinstance(required, list | tuple) and name in required:
        return ", required"
    default = entry.get("default")
    return "" if default is None else f", {json.dumps(default, ensure_ascii=False)} unless given"


def _kind(entry: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    if "$ref" in entry:
        return _kind(whole.get("$defs", {}).get(entry["$ref"].rsplit("/", 1)[-1], {}), whole)
    if "enum" in entry:
        return " | ".join(str(each) for each in entry["enum"])
    if "const" in entry:
        return str(entry["const"])
    if "anyOf" in entry:
        return " or ".join(_kind(each, whole) for each in entry["anyOf"] if each.get("type") != "null")
    match entry.get("type"):
        case "array":
            return f"a list of {_kind(entry.get('items', {}), whole)}"
        case "string":
            return "text"
        case "object":
            return "a mapping"
        case None:
            return "anything"
        case kind:
            return str(kind)


def _indented(text: str, columns: int) -> str:
    indent = " " * columns
    return fill(" ".join(text.split()), WIDTH, initial_indent=indent, subsequent_indent=indent)
