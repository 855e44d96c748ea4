"""YAML whose every value knows where it stands, so that a mistake can be shown to the person who made it.

`read_marked` gives the document as a `Marked`; asking it for what should be there (`items`, `fields`, `whole`,
`seconds`, …) either answers or raises ConfigError with file, line and column, what was read and what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from spotward.model.errors import ConfigError

_SPAN = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
_NUMBER = re.compile(r"-?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,2})?")
_WHOLE = re.compile(r"-?\d{1,15}")


def read_marked(text: str, *, file: str) -> Marked | None:
    """The one document in `text`; None when there is nothing but comments."""
    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.composer.warn_double_anchors = False  # bad taste, not a mistake
        node = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = (mark.line + 1, mark.column + 1) if mark else (None, None)
        problem = error.problem or error.context or "unreadable"
        message = f"this is not YAML: {problem}; check indentation, brackets and quotes here"
        raise ConfigError(message, file=file, line=where[0], column=where[1]) from error
    except YAMLError as error:
        problem = str(error).splitlines()[0]
        raise ConfigError(f"this is not YAML: {problem}; check the file's characters", file=file) from error
    except RecursionError as error:
        raise ConfigError("brackets are nested too deeply; write it flatter", file=file) from error
    return None if node is None else Marked(node, file)


@dataclass(frozen=True, slots=True)
class Marked:
    """One value of a YAML file."""

    node: Node
    file: str

    def error(self, message: str) -> ConfigError:
        """A mistake at this place."""
        mark = self.node.start_mark
        return ConfigError(message, file=self.file, line=mark.line + 1, column=mark.column + 1)

    @property
    def is_mapping(self) -> bool:
        """Is it one, where a single word may stand as well?"""
        return isinstance(self.node, MappingNode)

    def items(self, what: str) -> list[Marked]:
        """The entries of a list; `what` names it in the message when it is none."""
        if not isinstance(self.node, SequenceNode):
            raise self.error(f"{what} must be a list, one entry behind each `-`, but here is {self._shape()}")
        return [Marked(child, self.file) for child in self.node.value]

    def fields(self, known: Collection[str], what: str) -> Mapping[str, Marked]:
        """The entries of a mapping whose keys must be `known`, in the order of the file."""
        if not isinstance(self.node, MappingNode):
            example = next(iter(known))
            raise self.error(f"{what} must be a mapping like `{{{example}: …}}`, but here is {self._shape()}")
        found: dict[str, Marked] = {}
        for key_node, value_node in self.node.value:
            key = Marked(key_node, self.file)
            name = key.text("a key")
            if name not in known:
                raise key.unknown(name, known, "key")
            if name in found:
                raise key.error(f"`{name}` stands here twice; keep one of them")
            found[name] = Marked(value_node, self.file)
        return found

    def unknown(self, word: str, known: Collection[str], kind: str) -> ConfigError:
        """`word` is none of `known`: says which one is nearest, or what there is."""
        near = get_close_matches(word, list(known), n=1)
        if near:
            return self.error(f"unknown {kind} `{word}`; did you mean `{near[0]}`?")
        some = sorted(known)
        shown = ", ".join(some[:12]) + (", …" if len(some) > 12 else "")
        return self.error(f"unknown {kind} `{word}`; choose one of {shown}")

    def text(self, what: str) -> str:
        """A text that is not empty; a number or a truth value counts as the text that was written."""
        if not isinstance(self.node, ScalarNode) or not self.node.value.strip():
            raise self.error(f"{what} must be a text, but here is {self._shape()}")
        return str(self.node.value)

    def whole(self, what: str, *, least: int) -> int:
        """A whole number, at least `least`."""
        if not _WHOLE.fullmatch(self._scalar()) or int(self._scalar()) < least:
            raise self.error(f"{what} must be a whole number, {least} or more, but here is {self._shape()}")
        return int(self._scalar())

    def number_above_zero(self, what: str) -> float:
        """Any number above zero."""
        if not _NUMBER.fullmatch(self._scalar()) or float(self._scalar()) <= 0:
            raise self.error(f"{what} must be a number above 0, but here is {self._shape()}")
        return float(self._scalar())

    def truth(self, what: str) -> bool:
        """`true` or `false`."""
        if self._scalar().lower() not in {"true", "false"}:
            raise self.error(f"{what} must be true or false, but here is {self._shape()}")
        return self._scalar().lower() == "true"

    def seconds(self, what: str, *, most: float) -> float:
        """A length of time, as seconds (`90`, `1.5`) or with units (`1m30s`, `2h`)."""
        text = self._scalar().replace(" ", "")
        span = _SPAN.fullmatch(text)
        if _NUMBER.fullmatch(text):
            seconds = float(text)
        elif text and span:
            days, hours, minutes, rest = (float(part or 0) for part in span.groups())
            seconds = ((days * 24 + hours) * 60 + minutes) * 60 + rest
        else:
            raise self.error(f"{what} must be seconds or a time like 1m30s, but here is {self._shape()}")
        if not 0 <= seconds <= most:
            raise self.error(f"{what} must lie between 0 and {most:g} seconds, but here is {self._shape()}")
        return seconds

    def _scalar(self) -> str:
        return str(self.node.value).strip() if isinstance(self.node, ScalarNode) else ""

    def _shape(self) -> str:
        if isinstance(self.node, MappingNode):
            return "a mapping"
        if isinstance(self.node, SequenceNode):
            return "a list"
        return f"`{self.node.value}`" if self._scalar() else "nothing"
