"""The suite of the Node Termination Handler and its known defects: each has a test, and the page of them is true."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "tests" / "cluster" / "README.md"

ROW = re.compile(r"^\| (?P<name>[^|]+) \| `(?P<file>tests/[\w/]+\.py)::(?P<test>\w+)` \|$", re.MULTILINE)


def rows(heading: str) -> list[tuple[str, str, str]]:
    """What a part of the page lists: a name, a file, a test."""
    part = PAGE.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    return [(row["name"], row["file"], row["test"]) for row in ROW.finditer(part)]


def functions_of(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    return {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(
    ("heading", "number"), [("The end-to-end suite of the Node Termination Handler", 28), ("Its known defects", 14)]
)
def test_every_scenario_has_a_test_that_exists_and_no_two_share_one(heading: str, number: int) -> None:
    listed = rows(heading)
    assert len({name for name, _, _ in listed}) == len({(file, test) for _, file, test in listed}) == number
    assert [row for row in listed if row[2] not in functions_of(row[1])] == []


def test_a_scenario_is_tested_under_its_own_name() -> None:
    listed = rows("The end-to-end suite of the Node Termination Handler")
    assert [name for name, _, test in listed if test != f"test_{name.replace('-', '_')}"] == []
