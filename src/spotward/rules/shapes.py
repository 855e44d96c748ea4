"""What a file may look like, said once: each shape reads the nodes of a file, and tells an editor the same as a schema.

That reader and schema judge alike follows from this, and a test holds it.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from spotward.model.occurrence import Json
from spotward.rules.marks import BAD, DEPTH_MAX, NODES_MAX, Marks, Path, entries, plain, scalar, shape_of

Schema = dict[str, Any]

DURATION = r"(?:\d{1,9}(?:\.\d{1,6})?(?:ms|s|m|h|d)){1,5}"
"""`90s`, `1h30m`, `1.5h`: as Go writes lengths of time, and days."""

UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Shape(Protocol):
    """Something that a value may be like."""

    def schema(self) -> Schema:
        """For an editor: JSON Schema."""
        ...

    def read(self, node: Node, marks: Marks, path: Path) -> Any:
        """The value; BAD, and a mistake written down, where it is not like this."""
        ...


def read(shape: Shape, node: Node, marks: Marks, path: Path) -> Any:
    """The value at a path. What is too much, or nested in itself, ends here."""
    marks.nodes += 1
    if marks.nodes > NODES_MAX or len(path) > DEPTH_MAX:
        return marks.wrong(node, "there is too much here, anchors followed; write less") if path else BAD
    marks.stands(path, node)
    value = shape.read(node, marks, path)
    if value is not BAD:
        marks.good[path] = value
    return value


@dataclass(frozen=True, slots=True)
class Text:
    """A text; `pattern` is what the whole of it is like, `like` says that to a person."""

    pattern: str = r"[\s\S]+"
    like: str = "a text"
    longest: int = 1_024

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^(?:{self.pattern})$", "maxLength": self.longest}

    def read(self, node: Node, marks: Marks, path: Path) -> Any:  # noqa: ARG002 - the protocol's form
        value = scalar(node, marks) if isinstance(node, ScalarNode) else None
        if not isinstance(value, str):
            hint = "; put it in quotes" if isinstance(node, ScalarNode) and value is not BAD else ""
            return BAD if value is BAD else marks.wrong(node, f"here must be {self.like}, not {shape_of(node)}{hint}")
        if len(value) > self.longest or re.fullmatch(self.pattern, value) is None:
            return marks.wrong(node, f"here must be {self.like}, not {shape_of(node)}; correct it")
        return value


@dataclass(frozen=True, slots=True)
class Word:
    """One of a few words."""

    known: tuple[str, ...]
    kind: str

    def schema(self) -> Schema:
        return {"enum": list(self.known)}

    def read(self, node: Node, marks: Marks, path: Path) -> Any:  # noqa: ARG002 - the protocol's form
        value = scalar(node, marks) if isinstance(node, ScalarNode) else None
        if isinstance(value, str) and value in self.known:
            return value
        return BAD if value is BAD else marks.unknown(node, self.kind, shape_of(node).strip("`"), self.known)


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""

    def schema(self) -> Schema:
        return {"type": "boolean"}

    def read(self, node: Node, marks: Marks, path: Path) -> Any:  # noqa: ARG002 - the protocol's form
        value = scalar(node, marks) if isinstance(node, ScalarNode) else None
        return value if isinstance(value, bool) else marks.wrong(node, f"write true or false, not {shape_of(node)}")


@dataclass(frozen=True, slots=True)
class Number:
    """A number within bounds."""

    least: float
    most: float
    whole: bool = False

    def schema(self) -> Schema:
        kind = "integer" if self.whole else "number"
        return {"type": kind, "minimum": self.least, "maximum": self.most}

    def read(self, node: Node, marks: Marks, path: Path) -> Any:  # noqa: ARG002 - the protocol's form
        value = scalar(node, marks) if isinstance(node, ScalarNode) else None
        if self.whole and isinstance(value, float) and value.is_integer():
            value = int(value)
        right = isinstance(value, int | float) and not isinstance(value, bool) and self.least <= value <= self.most
        if right and (isinstance(value, int) or not self.whole):
            return value
        kind = "a whole number" if self.whole else "a number"
        bounds = f"{kind} from {self.least:g} to {self.most:g}" if self.least < self.most else f"{self.least:g}"
        return marks.wrong(node, f"here must be {bounds}, not {shape_of(node)}; correct it")


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time, as seconds or with units."""

    most: float
    least: float = 0.0

    def schema(self) -> Schema:
        number = {"type": "number", "minimum": self.least, "maximum": self.most}
        return {"anyOf": [number, {"type": "string", "pattern": f"^{DURATION}$"}]}

    def read(self, node: Node, marks: Marks, path: Path) -> Any:  # noqa: ARG002 - the protocol's form
        value = scalar(node, marks) if isinstance(node, ScalarNode) else None
        seconds = math.nan
        if isinstance(value, str) and re.fullmatch(DURATION, value):
            seconds = duration_seconds(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            seconds = float(value)
        if self.least <= seconds <= self.most:
            return seconds
        bounds = f"from {self.least:g} s to {self.most:g} s"
        return marks.wrong(node, f"here must be a length of time {bounds}, such as `90s`, not {shape_of(node)}")


def duration_seconds(text: str) -> float:
    """What `1h30m` comes to. The text must be like DURATION."""
    return sum(float(number) * UNIT_SECONDS[unit] for number, unit in re.findall(r"([\d.]+)(ms|s|m|h|d)", text))


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text, a number, true or false, to be compared with."""

    def schema(self) -> Schema:
        return {"type": ["string", "number", "boolean"]}

    def read(self, node: Node, marks: Marks, path: Path) -> Any:  # noqa: ARG002 - the protocol's form
        value = scalar(node, marks) if isinstance(node, ScalarNode) else None
        if value is BAD:
            return BAD
        if isinstance(value, str | int | float) and not (isinstance(value, float) and not math.isfinite(value)):
            return value
        return marks.wrong(node, f"here must be a text or a number to compare with, not {shape_of(node)}")


@dataclass(frozen=True, slots=True)
class Free:
    """A mapping whose contents are the business of somebody else."""

    def schema(self) -> Schema:
        return {"type": "object"}

    def read(self, node: Node, marks: Marks, path: Path) -> Any:  # noqa: ARG002 - the protocol's form
        if not isinstance(node, MappingNode):
            return marks.wrong(node, f"here must be a mapping of properties, not {shape_of(node)}")
        value: Json = plain(node, marks)
        return value if value is BAD or finite(value) else marks.wrong(node, "a number here has no end; write another")


def finite(value: Json) -> bool:
    """Has every number in it an end?"""
    if isinstance(value, float):
        return math.isfinite(value)
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(finite(child) for child in children)


@dataclass(frozen=True, slots=True)
class Many:
    """A list."""

    each: Shape
    what: str
    most: int
    least: int = 1

    def schema(self) -> Schema:
        return {"type": "array", "items": self.each.schema(), "minItems": self.least, "maxItems": self.most}

    def read(self, node: Node, marks: Marks, path: Path) -> Any:
        if not isinstance(node, SequenceNode):
            return marks.wrong(node, f"here must be a list of {self.what}, each behind a `-`, not {shape_of(node)}")
        if not self.least <= len(node.value) <= self.most:
            return marks.wrong(node, f"here are {len(node.value)} {self.what}; write {self.least} to {self.most}")
        values = [read(self.each, child, marks, (*path, at)) for at, child in enumerate(node.value)]
        return BAD if any(value is BAD for value in values) else values


@dataclass(frozen=True, slots=True)
class Name:
    """What a name that the user chooses or refers to is like. `roots`: what it may begin with, for a hint."""

    pattern: str
    like: str
    roots: tuple[str, ...] = ()

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^(?:{self.pattern})$"}

    def read(self, node: Node, marks: Marks, path: Path) -> Any:
        text = Text(like=self.like).read(node, marks, path)
        return text if text is BAD or self.accepts(text, node, marks) else BAD

    def accepts(self, text: str, node: Node, marks: Marks) -> bool:
        """Is it like that? If not, a mistake is written down."""
        if re.fullmatch(self.pattern, text) is not None:
            return True
        root = text.split(".", maxsplit=1)[0]
        if self.roots and root not in self.roots:
            marks.unknown(node, "field", root, self.roots)
        else:
            marks.wrong(node, f"`{text:.60}` is not {self.like}; correct it")
        return False


@dataclass(frozen=True, slots=True)
class Named:
    """A mapping from names to things of one shape."""

    name: Name
    each: Shape
    most: int

    def schema(self) -> Schema:
        return {
            "type": "object",
            "propertyNames": {"pattern": f"^(?:{self.name.pattern})$"},
            "additionalProperties": self.each.schema(),
            "maxProperties": self.most,
        }

    def read(self, node: Node, marks: Marks, path: Path) -> Any:
        if not isinstance(node, MappingNode):
            return marks.wrong(node, f"here must be a mapping whose keys are {self.name.like}, not {shape_of(node)}")
        if len(node.value) > self.most:
            return marks.wrong(node, f"here are {len(node.value)} entries; write at most {self.most}")
        found: dict[str, Any] = {}
        for text, key, child in entries(node, marks):
            value = read(self.each, child, marks, (*path, text))
            found[text] = value if self.name.accepts(text, key, marks) else BAD
        return BAD if any(value is BAD for value in found.values()) else found


@dataclass(frozen=True, slots=True)
class Field:
    """An entry of a record."""

    shape: Shape
    meaning: str
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping whose keys are known."""

    fields: Mapping[str, Field]
    what: str
    least: int = 0
    """How many of the keys must be there."""
    most: int | None = None

    def schema(self) -> Schema:
        properties = {name: {**each.shape.schema(), "description": each.meaning} for name, each in self.fields.items()}
        made: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        if needed := [name for name, each in self.fields.items() if each.needed]:
            made["required"] = needed
        if self.least:
            made["minProperties"] = self.least
        if self.most is not None:
            made["maxProperties"] = self.most
        return made

    def read(self, node: Node, marks: Marks, path: Path) -> Any:
        if not isinstance(node, MappingNode):
            example = next(iter(self.fields))
            return marks.wrong(node, f"{self.what} must be a mapping such as `{example}: ...`, not {shape_of(node)}")
        found: dict[str, Any] = {}
        for name, key, child in entries(node, marks):
            if name not in self.fields:
                found[name] = marks.unknown(key, "key", name, self.fields)
            else:
                found[name] = read(self.fields[name].shape, child, marks, (*path, name))
        missing = [name for name, each in self.fields.items() if each.needed and name not in found]
        for name in missing:
            marks.wrong(node, f"{self.what} lacks `{name}`; add it: {self.fields[name].meaning}")
        if not missing and (len(found) < self.least or (self.most is not None and len(found) > self.most)):
            number = f"{self.least}" if self.least == self.most else f"at least {self.least}"
            marks.wrong(node, f"{self.what} must have {number} of {', '.join(self.fields)}; correct it")
            return BAD
        return BAD if missing or any(value is BAD for value in found.values()) else found


@dataclass(frozen=True, slots=True)
class Either:
    """One shape for a single value, others for a list and for a mapping."""

    single: Shape | None = None
    many: Shape | None = None
    mapping: Shape | None = None

    def schema(self) -> Schema:
        return {"anyOf": [each.schema() for each in (self.single, self.many, self.mapping) if each is not None]}

    def read(self, node: Node, marks: Marks, path: Path) -> Any:
        by_kind = {MappingNode: self.mapping, SequenceNode: self.many, ScalarNode: self.single}
        shape = by_kind.get(type(node)) or self.single or self.many or self.mapping
        assert shape is not None, "an Either of nothing"
        return shape.read(node, marks, path)
