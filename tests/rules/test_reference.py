"""The reference of rules tells the truth: its examples are read, and it names every key."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from spotward.rules.fields import ROOTS
from spotward.rules.form import FILE, KINDS
from spotward.rules.parse import parse
from spotward.rules.shapes import Either, Many, Named, Record, Shape
from tests.rules.made import ZONES

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "rules.md").read_text()
BUILTIN = ("kubernetes", "asg-swap", "notify", "http", "exec", "annotate")


@pytest.mark.parametrize("example", re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
def test_the_examples_of_the_reference_are_read(example: str) -> None:
    assert parse(example, zones=ZONES, builtin=BUILTIN).rules


def keys(shape: Shape | None) -> Iterator[str]:
    """Every key that a file may have."""
    match shape:
        case Record():
            for name, each in shape.fields.items():
                yield name
                yield from keys(each.shape)
        case Many() | Named():
            yield from keys(shape.each)
        case Either():
            for part in (shape.single, shape.many, shape.mapping):
                yield from keys(part)
        case _:
            return


def test_the_reference_names_every_key_and_every_word() -> None:
    prose = re.sub(r"^```.*?^```|``.*?``", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    code = set(re.findall(r"[\w-]+", " ".join(re.findall(r"`([^`]+)`", prose))))
    blocks = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))))
    known = {*keys(FILE), *ROOTS, *KINDS}
    assert sorted(known - code - blocks) == []
