"""YAML written for people: values that are read as they are, and comments that nothing in them can end."""

import json
from textwrap import wrap

LINE_CHARACTERS = 110


def comment(text: str, indent: str, *, first: str = "", other: str = "") -> list[str]:
    """Comment lines of some length. Nothing in the text can end the comment."""
    width = LINE_CHARACTERS - len(indent)
    lines = wrap(plain(text), width, initial_indent=first, subsequent_indent=other, break_on_hyphens=False)
    return [f"{indent}# {line}" for line in lines]


def plain(text: str) -> str:
    """On one line, whatever is in it."""
    return "".join(char if char.isprintable() else " " for char in text)


def quoted(value: object) -> str:
    """A value that YAML reads as it is. Beyond JSON: what does not print is written as its number."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08X}" for char in text)
