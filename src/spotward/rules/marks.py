"""YAML as nodes that know where they stand, and a list that mistakes are gathered in.

One mistake must not hide the next: whatever is wrong is written down with its place, and reading goes on.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from spotward.model.errors import ConfigError, ConfigErrors
from spotward.model.occurrence import Json
from spotward.model.units import listed

TEXT_CHARACTERS_MAX = 1_048_576
"""Of a file."""

NODES_MAX = 50_000
"""Values in a file, anchors followed: a few lines of YAML can stand for more values than a machine has memory."""

DEPTH_MAX = 40
"""How deeply a file may be nested."""

MISTAKES_MAX = 50
"""How many mistakes are told at once."""

Path = tuple[str | int, ...]
"""Keys and positions on the way to a value, from the top of the file."""

BAD: Any = object()
"""Stands for a value that was written down as a mistake."""


@dataclass(slots=True)
class Marks:
    """Where everything stands, and what is wrong."""

    file: str | None
    mistakes: list[ConfigError] = field(default_factory=list)
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    good: dict[Path, Any] = field(default_factory=dict)
    """What could be read, by where it stands."""
    nodes: int = 0

    def stands(self, path: Path, node: Node) -> None:
        """Remember where it stands."""
        self.places[path] = _place(node)

    def wrong(self, place: Node | Path, message: str) -> Any:
        """Write a mistake down, at a node or at the innermost part of a path that stands in the file; gives BAD."""
        line, column = _place(place) if isinstance(place, Node) else self._place_of(place)
        self.mistakes.append(ConfigError(message, file=self.file, line=line, column=column))
        return BAD

    def unknown(self, place: Node | Path, kind: str, word: str, known: Iterable[str]) -> Any:
        """Write down that a word is none of those known, and which is nearest."""
        every = sorted(known)
        near = get_close_matches(word, every, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"choose one of {listed(every, most=12)}"
        return self.wrong(place, f"unknown {kind} `{word:.60}`; {hint if every else 'there is none'}")

    def line_of(self, path: Path) -> tuple[int, int]:
        """Line and column, from 1."""
        return self._place_of(path)

    def _place_of(self, path: Path) -> tuple[int, int]:
        while path not in self.places and path:
            path = path[:-1]
        return self.places.get(path, (1, 1))

    def raise_mistakes(self) -> None:
        """Raises ConfigErrors, in the order of the file, if anything is wrong."""
        if self.mistakes:
            every = sorted(self.mistakes, key=lambda error: (error.line or 0, error.column or 0))
            raise ConfigErrors(every[:MISTAKES_MAX])


def _place(node: Node) -> tuple[int, int]:
    return (node.start_mark.line + 1, node.start_mark.column + 1)


def composed(text: str, marks: Marks) -> Node | None:
    """The document as nodes; None for an empty one. Raises ConfigErrors for what is no YAML."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise ConfigErrors([ConfigError(f"the file has more than {TEXT_CHARACTERS_MAX} characters", file=marks.file)])
    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.composer.warn_double_anchors = False  # bad taste, not a mistake
        node: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        raise ConfigErrors([_no_yaml(error, marks.file)]) from error
    except (YAMLError, ValueError) as error:
        problem = (str(error).splitlines() or ["unreadable"])[0]
        raise ConfigErrors(
            [ConfigError(f"this is not YAML: {problem}; check its characters", file=marks.file)]
        ) from error
    except RecursionError as error:
        raise ConfigErrors(
            [ConfigError("brackets are nested too deeply; write it flatter", file=marks.file)]
        ) from error
    return node


def _no_yaml(error: MarkedYAMLError, file: str | None) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
    problem = error.problem or error.context or "unreadable"
    return ConfigError(
        f"this is not YAML: {problem}; check indentation, brackets and quotes here", file=file, line=line, column=column
    )


# ---- from nodes to values ------------------------------------------------------------------------------------


def plain(node: Node, marks: Marks, depth: int = 0) -> Json:
    """The value of a node, whatever it is; BAD for what JSON has no word for."""
    marks.nodes += 1
    if marks.nodes > NODES_MAX or depth > DEPTH_MAX:
        if marks.nodes <= NODES_MAX + 1 or depth == DEPTH_MAX + 1:
            marks.wrong(node, "there is too much here, anchors followed; write less, or flatter")
        return BAD
    if isinstance(node, ScalarNode):
        return scalar(node, marks)
    if isinstance(node, SequenceNode):
        items = [plain(child, marks, depth + 1) for child in node.value]
        return BAD if any(item is BAD for item in items) else items
    return _plain_mapping(node, marks, depth) if isinstance(node, MappingNode) else BAD


def _plain_mapping(node: MappingNode, marks: Marks, depth: int) -> Json:
    found: dict[str, Json] = {}
    for name, _, child in entries(node, marks):
        found[name] = plain(child, marks, depth + 1)
    return BAD if any(item is BAD for item in found.values()) else found


def entries(node: MappingNode, marks: Marks) -> list[tuple[str, Node, Node]]:
    """Name, key and value of each entry; what has no plain name, or stands there twice, is a mistake and left out."""
    found: dict[str, tuple[str, Node, Node]] = {}
    for key, value in node.value:
        if not isinstance(key, ScalarNode):
            marks.wrong(key, "a key must be a plain word; write it without brackets")
        elif key.value in found:
            marks.wrong(key, f"`{key.value:.60}` stands here twice; keep one of them")
        else:
            found[key.value] = (key.value, key, value)
    return list(found.values())


def scalar(node: ScalarNode, marks: Marks) -> Json:
    """A text, a number, true, false or null; what YAML takes for a date is a text."""
    text = str(node.value)
    try:
        match str(node.tag).rsplit(":", 1)[-1]:
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return _whole(text)
            case "float":
                return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
            case _:
                return text
    except ValueError:
        return marks.wrong(node, f"`{text:.60}` is no number that can be read; quote it if it is a text")


def _whole(text: str) -> int:
    plain_text = text.replace("_", "")
    try:
        return int(plain_text, 10)
    except ValueError:
        return int(plain_text, 0)


def shape_of(node: Node) -> str:
    """What stands there, for a message."""
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    return f"`{node.value!s:.60}`" if str(node.value).strip() else "nothing"


def compact(value: Mapping[str, Json]) -> str:
    """As JSON, the same for the same value."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
