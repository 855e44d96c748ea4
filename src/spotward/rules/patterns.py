"""Globs over the types of events, and regular expressions over texts from outside.

Whoever sends an alert chooses the text that a rule's expression is tried on. The standard library's matcher can be made
to take hours over thirty characters; Rust's takes time in proportion to the text, whatever it is, and stands behind the
validator that the project has anyway. What it cannot do is look around and look back.
"""

from functools import lru_cache

from pydantic_core import SchemaError, SchemaValidator, core_schema

from spotward.model.occurrence import RESOLVED, Occurrence

PATTERN_CHARACTERS_MAX = 512
"""Of an expression."""

KNOWN_PATTERNS = 4_096
"""So many expressions are kept ready."""


def is_match(pattern: str, text: str) -> bool:
    """Is the whole of the text as the expression says? Never, where the expression is none."""
    try:
        return bool(_ready(pattern).isinstance_python(text))
    except SchemaError:
        return False


def fault_in(pattern: str) -> str | None:
    """What is wrong with an expression, in words; None if nothing is."""
    if len(pattern) > PATTERN_CHARACTERS_MAX:
        return f"it has {len(pattern)} characters; write at most {PATTERN_CHARACTERS_MAX}"
    try:
        _ready(pattern)
    except SchemaError as error:
        return str(error).rstrip(".").rsplit("error: ", 1)[-1].rsplit("SchemaError: ", 1)[-1].strip()
    return None


@lru_cache(maxsize=KNOWN_PATTERNS)
def _ready(pattern: str) -> SchemaValidator:
    return SchemaValidator(core_schema.str_schema(pattern=rf"\A(?:{pattern})\z", strict=True))


def takes(glob: str, occurrence: Occurrence) -> bool:
    """Does a glob over types mean an occurrence? `*` stands for any characters.

    An alert that is over is meant only by a glob that says so at its end.
    """
    if occurrence.resolved and not glob.endswith(RESOLVED):
        return False
    return is_like(glob, occurrence.type)


def is_like(glob: str, text: str) -> bool:
    """Is the whole text like the glob? Each part is looked for once, from left to right, which takes no time."""
    first, *rest = glob.split("*")
    if not rest:
        return text == first
    *middle, last = rest
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
