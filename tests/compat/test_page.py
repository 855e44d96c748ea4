"""The reference lists what is done, and nothing else."""

import re
from pathlib import Path

from spotward.compat.nth_page import option_table, unsaid_list, value_table

PAGE = Path(__file__).parents[2] / "docs/reference/nth.md"


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None, f"{PAGE.name} has no section {title!r}"
    return found[1]


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| ")]


def test_the_reference_has_the_57_options_as_they_are() -> None:
    """`spotward convert nth --list` prints what is to stand there."""
    assert rows(section("The 57 options")) == list(option_table())


def test_the_reference_has_the_other_values_of_the_chart_as_they_are() -> None:
    assert rows(section("Values of the Helm chart that are no options")) == list(value_table())


def test_the_reference_says_where_defaults_differ() -> None:
    listed = [line for line in section("Where nothing is said").splitlines() if line.startswith("- ")]
    assert listed == list(unsaid_list())
