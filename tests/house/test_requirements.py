"""The lock file pins everything that pyproject.toml asks for, by hash, and says nothing about where it came from."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

CHECKOUT = Path(__file__).parents[2]
LOCK = (CHECKOUT / "requirements.txt").read_text()
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())


def pinned() -> dict[str, tuple[Version, int]]:
    """Name → version and number of hashes."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    found: dict[str, tuple[Version, int]] = {}
    for block in blocks:
        name, version = re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)", block).groups()  # type: ignore[union-attr]  # a block that is no pin must fail here
        found[canonicalize_name(name)] = (Version(version), len(re.findall(r"--hash=sha256:[0-9a-f]{64}", block)))
    return found


def asked_for() -> list[Requirement]:
    project = PROJECT["project"]
    lines = [
        *PROJECT["build-system"]["requires"],
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
        *(line for group in PROJECT["dependency-groups"].values() for line in group),
    ]
    return [Requirement(line) for line in lines]


def test_everything_asked_for_is_pinned_to_a_version_that_suits() -> None:
    pins = pinned()
    for requirement in asked_for():
        name = canonicalize_name(requirement.name)
        assert name in pins, f"{name} is asked for and not pinned: run `make lock`"
        assert pins[name][0] in requirement.specifier, f"{name} {pins[name][0]} is not {requirement}: run `make lock`"


def test_every_pin_has_a_hash() -> None:
    assert [name for name, (_, hashes) in pinned().items() if not hashes] == []


def test_the_lock_names_no_host_and_no_path() -> None:
    assert re.findall(r"\w+://\S*|^-.*|@ \S+", LOCK, re.MULTILINE) == []
