"""Old configurations as their readers took them: keys in any case, lengths of time as Go writes them, lists or one.

What is asked for is noted, so that what nobody asked for can be named.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from spotward.model.occurrence import Json, scalar_text
from spotward.rules.marks import BAD, Marks, entries, plain, shape_of

_GO_DURATION = re.compile(r"[+-]?(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+|0")
_GO_UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Mend:
    """Something that is not as it was, or was not understood."""

    line: int
    column: int
    text: str
    rule: str = ""
    """Which rule it is about; empty where it is about all of them, or about none."""


@dataclass(slots=True)
class Section:
    """A mapping whose keys are read whatever their case, as the old engine read them."""

    node: Node
    marks: Marks
    entries: dict[str, tuple[str, Node, Node]] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, node: Node | None, marks: Marks, what: str) -> "Section":
        """One; `what` names it in the message where it is none."""
        if not isinstance(node, MappingNode):
            if node is not None:
                marks.wrong(node, f"{what} must be a mapping, not {shape_of(node)}")
            return cls(node or ScalarNode("", ""), marks)
        return cls(node, marks, {name.lower(): (name, key, child) for name, key, child in entries(node, marks)})

    def node_of(self, name: str) -> Node | None:
        """What stands under a key, and nothing for null."""
        self.taken.add(name)
        entry = self.entries.get(name)
        child = entry[2] if entry is not None else None
        return None if child is None or (isinstance(child, ScalarNode) and plain(child, self.marks) is None) else child

    def value(self, name: str, default: Json = None) -> Json:
        """Its value; the default where nothing stands."""
        child = self.node_of(name)
        value = default if child is None else plain(child, self.marks)
        return default if value is BAD else value

    def text(self, name: str) -> str:
        """Its text; a number counts as what was written."""
        value = self.value(name, "")
        if isinstance(value, dict | list):
            self.marks.wrong(self.node_of(name) or self.node, f"`{name}` must be a text; correct it")
            return ""
        return scalar_text(value)

    def texts(self, name: str) -> list[str]:
        """A list of texts; one text is a list of one."""
        value = self.value(name, [])
        return [scalar_text(each) for each in (value if isinstance(value, list) else [value])]

    def number(self, name: str, default: int) -> int:
        """A whole number."""
        value = self.value(name, default)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self.marks.wrong(self.node_of(name) or self.node, f"`{name}` must be a whole number; correct it")
        return default

    def seconds(self, name: str) -> float:
        """A length of time as Go writes it, or a number of nanoseconds."""
        value = self.value(name, 0)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value) * 1e-9
        if isinstance(value, str) and _GO_DURATION.fullmatch(value):
            parts = re.findall(r"([\d.]+)(ns|us|µs|ms|s|m|h)", value)
            total = sum(float(number) * _GO_UNIT_SECONDS[unit] for number, unit in parts)
            return -total if value.startswith("-") else total
        self.marks.wrong(self.node_of(name) or self.node, f"`{name}` must be a length of time such as `5m`; correct it")
        return 0.0

    def labels(self, name: str) -> dict[str, str]:
        """Label → value. A list of mappings of one key each is the same."""
        value = self.value(name, {})
        parts = value if isinstance(value, list) else [value]
        pairs = [pair for part in parts if isinstance(part, dict) for pair in part.items()]
        return {label: scalar_text(wanted) for label, wanted in pairs}

    def items(self, name: str, what: str) -> list["Section"]:
        """A list of mappings."""
        child = self.node_of(name)
        if child is not None and not isinstance(child, SequenceNode):
            self.marks.wrong(child, f"`{name}` must be a list, not {shape_of(child)}")
            return []
        return [Section.of(each, self.marks, what) for each in (child.value if child is not None else [])]

    def unknown(self, *known: str) -> Iterator[Mend]:
        """A note for each key that nobody asked for."""
        for name, (spelled, key, _) in self.entries.items():
            if name not in self.taken and name not in known:
                near = get_close_matches(name, sorted({*self.taken, *known}), n=1)
                hint = f"; did you mean `{near[0]}`?" if near else ""
                yield mend(key, f"`{spelled}` is no setting that Hollowtrees has, and is passed over{hint}")


def mend(node: Node, text: str, *, rule: str = "") -> Mend:
    """A note about a place."""
    return Mend(line=node.start_mark.line + 1, column=node.start_mark.column + 1, text=text, rule=rule)
