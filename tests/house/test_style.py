"""House rules that no tool knows. Each message says what to do instead."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PACKAGE = CHECKOUT / "src" / "spotward"
MODULES = sorted(PACKAGE.rglob("*.py"))
SOURCES = [*MODULES, *sorted((CHECKOUT / "tests").rglob("*.py")), *sorted((CHECKOUT / "bench").rglob("*.py"))]
NO_NOUNS = {"utils", "util", "common", "helpers", "helper", "services", "misc"}
SILENCED = re.compile(r"#\s*(noqa|type:\s*ignore)\b(?P<rest>.*)")
REASON = re.compile(r"(\[[a-z, -]+\]|:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)\s*(#|-|:|\()?\s*\w.{9,}")
"""A code, and at least ten characters that tell why."""


def named(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    return [CHECKOUT / name for name in listing.split("\0") if name and (CHECKOUT / name).is_file()]


def test_every_module_is_named_after_what_it_holds() -> None:
    nameless = [named(path) for path in SOURCES if NO_NOUNS & {path.stem, *path.relative_to(CHECKOUT).parts}]
    assert nameless == [], "look for the noun that is missing"


@pytest.mark.parametrize("room", sorted(path.parent for path in PACKAGE.glob("*/__init__.py")), ids=lambda p: p.name)
def test_every_room_says_what_it_knows_and_what_it_must_not_know(room: Path) -> None:
    docstring = ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""
    assert {"Knows:", "Must not know:", "Read first:"} <= set(re.findall(r"^[A-Z][a-z ]+:", docstring, re.MULTILINE))


@pytest.mark.parametrize("module", SOURCES, ids=named)
def test_what_is_silenced_says_why(module: Path) -> None:
    for number, line in enumerate(module.read_text().splitlines(), start=1):
        silenced = SILENCED.search(line)
        if silenced and "test_style" not in module.name:
            assert REASON.search(silenced["rest"]), f"{named(module)}:{number}: name the code, and say why beside it"


def test_nothing_is_patched() -> None:
    patched = [named(path) for path in SOURCES if re.search(r"monkeypatch\.setattr|mocker\.patch", path.read_text())]
    assert [name for name in patched if name != "tests/house/test_style.py"] == [], (
        "test the pure part with values, and the adapter over a real socket"
    )


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    if not (CHECKOUT / ".git").exists():
        pytest.skip("not a git checkout: which files are ours cannot be told")
    homes = re.compile(rb"(?<![\w.$~-])/(?:root|work|home/\w+|Users/\w+)/")
    telling = [named(path) for path in tracked() if homes.search(path.read_bytes())]
    assert [name for name in telling if name != "tests/house/test_style.py"] == []


@pytest.mark.parametrize(
    ("place", "line", "banned"),
    [
        ("groups/planted.py", "datetime.datetime.now(datetime.UTC)", True),
        ("aws/planted.py", "time.time()", True),
        ("engine/live.py", "time.monotonic()", True),
        ("sim/planted.py", "random.random()", True),
        ("sim/planted.py", "uuid.uuid4()", True),
        ("sim/planted.py", "random.Random(7).random()", False),
        ("engine/clock.py", "time.time()", False),
    ],
)
def test_only_one_file_asks_the_machine_for_the_time_and_none_for_unseeded_dice(
    place: str, line: str, banned: bool
) -> None:
    outcome = subprocess.run(
        [
            Path(sys.executable).with_name("ruff"),
            "check",
            "--select=TID251",
            f"--stdin-filename={PACKAGE / place}",
            "-",
        ],
        input=f"import datetime, random, time, uuid\n{line}\n",
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (outcome.returncode != 0) == banned, outcome.stdout
    assert ("TID251" in outcome.stdout) == banned
