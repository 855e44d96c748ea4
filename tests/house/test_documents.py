"""The documents tell the truth: links lead somewhere, commands and options exist, marked examples run."""

import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from spotward import __version__
from tests.cli.program import Program

CHECKOUT = Path(__file__).parents[2]
DOCUMENTS = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")])
SPOTWARD = Path(sys.executable).with_name("spotward")
EXAMPLE_SECONDS_MAX = 100
"""Longer than `spotward demo` may take, and not much."""

FAMILIES = {"config", "convert", "flows", "plugin", "rules"}
"""Words that stand before the name of a command."""

FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^(?P<mark> *<!-- run -->\n+)?^ *```console\n(?P<text>.*?)^ *```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
INLINE = re.compile(r"`(?P<code>(?:make|spotward) [^`]+)`")


def named(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


def commands_of(console: str) -> list[str]:
    """The lines after `$ `, with continued lines joined."""
    lines = console.replace("\\\n", " ").splitlines()
    return [line.strip().removeprefix("$ ") for line in lines if line.strip().startswith("$ ")]


def every_command(document: Path) -> list[list[str]]:
    """Every command line of a document, in blocks and in running text, as words; `.venv/bin/` is taken off."""
    text = document.read_text()
    found = [line for block in CONSOLE.finditer(text) for line in commands_of(block["text"])]
    found += [match["code"] for match in INLINE.finditer(FENCE.sub("", text))]
    return [shlex.split(line.replace(".venv/bin/", "")) for line in found]


def spotward_commands() -> list[tuple[str, tuple[str, ...]]]:
    """(command, options shown with it) over all documents."""
    seen = {
        (command_of(words), tuple(sorted({word.split("=")[0] for word in words[2:] if word.startswith("--")})))
        for document in DOCUMENTS
        for words in every_command(document)
        if words[0] == "spotward" and re.fullmatch(r"[a-z][a-z-]*", words[1])
    }
    return sorted(seen)


def command_of(words: list[str]) -> str:
    """`plan`, or with the word that follows where one name stands for several commands."""
    return " ".join(words[1 : 3 if words[1] in FAMILIES else 2])


@cache
def help_of(command: str) -> str:
    """Ends with 0, or the test fails with what it said."""
    return Program(environment={}, state=Path("unused"), apart=False)(*command.split(), "--help").out


@cache
def headings(document: Path) -> set[str]:
    lines = re.findall(r"^#+ (.+)$", FENCE.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_lead_somewhere(document: Path) -> None:
    for match in LINK.finditer(FENCE.sub("", document.read_text())):
        target, _, fragment = match["target"].partition("#")
        if "://" in target:
            continue
        path = (document.parent / target).resolve() if target else document
        assert path.is_relative_to(CHECKOUT), f"{match[0]} leads out of the checkout"
        assert path.exists(), f"{match[0]} leads nowhere"
        assert not fragment or fragment in headings(path), f"{match[0]}: {named(path)} has no such heading"


@pytest.mark.parametrize("document", sorted(CHECKOUT.glob("docs/**/*.md")), ids=named)
def test_every_page_can_be_reached_from_the_index_of_its_folder(document: Path) -> None:
    index = document.parent / "README.md" if document.name != "README.md" else document.parent.parent / "README.md"
    if not index.exists():
        index = CHECKOUT / "docs" / "README.md"
    targets = {(index.parent / match["target"]).resolve() for match in LINK.finditer(index.read_text())}
    assert document in targets, f"{named(index)} does not mention {named(document)}"


def test_every_make_target_named_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        for words in every_command(document):
            if words[0] == "make":
                assert words[1] in targets, f"{named(document)} names `make {words[1]}`, and the Makefile has none"


@pytest.mark.parametrize(("command", "options"), spotward_commands(), ids=lambda value: str(value) if value else "-")
def test_every_command_named_exists_with_the_options_shown(command: str, options: tuple[str, ...]) -> None:
    known = set(re.findall(r"--[a-z][a-z-]*", help_of(command)))
    assert set(options) <= known, f"`spotward {command}` has no {sorted(set(options) - known)}"


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(line, id=f"{named(document)}: {line}")
        for document in DOCUMENTS
        for block in CONSOLE.finditer(document.read_text())
        if block["mark"]
        for line in commands_of(block["text"])
    ],
)
def test_marked_examples_run(line: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{SPOTWARD.parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=EXAMPLE_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_the_architecture_has_a_row_for_every_room_and_for_none_that_there_is_not() -> None:
    package = CHECKOUT / "src" / "spotward"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")} | {"config"}
    rows = re.findall(r"^\| `(\w+)` \|", (CHECKOUT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(rooms)


def test_the_changelog_begins_with_what_is_not_released_and_knows_the_version() -> None:
    text = (CHECKOUT / "CHANGELOG.md").read_text()
    sections = re.findall(r"^## \[([^\]]+)\]", text, re.MULTILINE)
    assert sections[0] == "Unreleased"
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert len(sections) == 1 or sections[1] == __version__
