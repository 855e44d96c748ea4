"""The import contracts hold, and each of them is able to fail.

A contract that cannot fail protects nothing: a misspelt module or a pattern that matches no file passes for ever. So
every contract is broken once, by planting a forbidden import in a copy of the package, and must say its own name.
"""

import ast
import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # each starts programs of its own

CHECKOUT = Path(__file__).parents[2]
PACKAGE = CHECKOUT / "src" / "spotward"
ENGINE_LIVES_IN = {
    *("clock", "log"),
    *("live", "alarm", "crew", "desk", "feeds", "inbox", "room", "tenure", "turns"),
    *("store", "journal_batch", "journal_file", "journal_leases", "journal_rows"),
}
"""The modules of `engine` that may touch the machine. Every other one thinks."""
THINKING_ROOMS = {"model", "compat", "events", "market", "groups", "nodes", "rules"}

ROOMS = "Rooms know only the rooms below them"
CIRCLES = "No circles"
THINKING = "Thinking knows no clock, no chance and no I/O"
AUTHORS = "The plugin SDK knows nothing else of Spotward"
SIMULATION = "The simulation rolls seeded dice but touches no I/O"


def contracts() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read_string((CHECKOUT / ".importlinter").read_text())
    return parser


def listed(contract: str, field: str) -> set[str]:
    return set(contracts()[f"importlinter:contract:{contract}"][field].split())


def lint(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(CHECKOUT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / ".importlinter", tmp_path)
    return tmp_path


def plant(copy: Path, module: str, text: str) -> None:
    file = copy.joinpath("src", "spotward", *module.split(".")).with_suffix(".py")
    file.parent.mkdir(exist_ok=True)
    (file.parent / "__init__.py").touch()
    file.write_text(text)


def test_the_package_keeps_every_contract() -> None:
    outcome = lint(CHECKOUT)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize(
    ("module", "text", "broken"),
    [
        pytest.param("model.planted", "import spotward.engine", ROOMS, id="a lower room imports a higher one"),
        pytest.param("engine.planted", "import spotward.aws", ROOMS, id="the engine imports an adapter"),
        pytest.param("sim.planted", "import spotward.aws", ROOMS, id="a neighbour imports a neighbour"),
        pytest.param("web.planted", "import spotward.emulator", ROOMS, id="a neighbour imports a neighbour, above"),
        pytest.param(
            "events.planted", "import spotward.nodes.planted", ROOMS, id="a room yet to be built has its place"
        ),
        pytest.param("planted.thing", "", ROOMS, id="a new folder has no place"),
        pytest.param("groups.planted", "import time", THINKING, id="a thinking room looks at the clock"),
        pytest.param("groups.planted", "import random", THINKING, id="a thinking room rolls dice"),
        pytest.param("market.planted", "from os import environ", THINKING, id="a thinking room reads the environment"),
        pytest.param("engine.planted", "import asyncio", THINKING, id="a new module of the engine waits"),
        pytest.param(
            "engine.planted", "import spotward.engine.clock", THINKING, id="a thinking module knows the clock"
        ),
        pytest.param("plugins.sdk.planted", "import spotward.model", AUTHORS, id="the plugin SDK grows heavy"),
        pytest.param("sim.planted", "import socket", SIMULATION, id="the simulation opens a socket"),
    ],
)
def test_a_planted_import_breaks_its_contract(copy: Path, module: str, text: str, broken: str) -> None:
    if "nodes" in text:
        plant(copy, "nodes.planted", "")
    plant(copy, module, text)
    outcome = lint(copy)
    assert outcome.returncode != 0
    assert f"{broken} BROKEN" in outcome.stdout, outcome.stdout
    assert "spotward." + module.split(".", maxsplit=1)[0] in outcome.stdout.split("Broken contracts")[1]


@pytest.mark.parametrize("room", sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py")))
def test_every_thinking_room_is_watched(copy: Path, room: str) -> None:
    plant(copy, f"{room}.planted", "import asyncio")
    thinks = room in {*THINKING_ROOMS, "engine"}
    assert (f"spotward.{room}.planted -> asyncio" in lint(copy).stdout) == (thinks or room == "sim")


def test_two_modules_that_import_each_other_are_a_circle(copy: Path) -> None:
    plant(copy, "groups.one", "import spotward.groups.other")
    plant(copy, "groups.other", "import spotward.groups.one")
    outcome = lint(copy)
    assert outcome.returncode != 0
    assert f"{CIRCLES} BROKEN" in outcome.stdout


def test_thinking_may_not_reach_io_through_another_module_either(copy: Path) -> None:
    plant(copy, "sim.planted", "import spotward.engine.clock")
    outcome = lint(copy)
    assert outcome.returncode != 0
    assert f"{SIMULATION} BROKEN" in outcome.stdout
    assert "spotward.sim is not allowed to import time" in outcome.stdout


def test_the_simulation_may_roll_dice(copy: Path) -> None:
    plant(copy, "sim.planted", "import random")
    assert f"{SIMULATION} KEPT" in lint(copy).stdout


def test_the_simulation_may_use_of_the_machine_only_what_a_seed_can_feed() -> None:
    machine = {name for name in listed("thinking", "forbidden_modules") if not name.startswith("spotward.")}
    assert machine - listed("simulation", "forbidden_modules") == {"random", "uuid"}


def test_the_thinking_contract_covers_every_room_that_thinks_and_all_of_the_engine_that_does_not_live() -> None:
    rooms = {f"spotward.{room}" for room in THINKING_ROOMS if (PACKAGE / room).is_dir()}
    assert listed("thinking", "source_modules") == {*rooms, "spotward.engine.*"}, "add the new room to .importlinter"
    alive = {f"spotward.engine.{name}" for name in ENGINE_LIVES_IN if (PACKAGE / "engine" / f"{name}.py").exists()}
    forbidden = {name for name in listed("thinking", "forbidden_modules") if name.startswith("spotward.")}
    assert forbidden == alive, (
        "what thinks must not import what lives: add it to the forbidden modules in .importlinter"
    )
    ignored = {
        line.split(" -> ")[0] for line in contracts()["importlinter:contract:thinking"]["ignore_imports"].split("\n")
    }
    assert ignored - {""} == {f"spotward.engine.{name}" for name in ENGINE_LIVES_IN}


def test_the_engine_can_be_opened_without_waking_its_living_half() -> None:
    opening = ast.parse((PACKAGE / "engine" / "__init__.py").read_text())
    assert [node for node in opening.body if isinstance(node, ast.Import | ast.ImportFrom)] == []
