"""An embedded cloud on a real port for each module, a region of it to play in, and the program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from tests.cli.program import Program
from tests.cli.scenery import CALM, SPEED, Scenery


@pytest.fixture
def alone(tmp_path: Path) -> Program:
    """The program without any cloud, in this process."""
    return Program(environment={}, state=tmp_path / "state", apart=False)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Emulator]:
    """One for the module; nothing happens in it but what a test lets happen."""
    with Emulator(EmulatorSettings(seed=3, speed=SPEED)) as emulator:
        emulator.sites.shock(CALM)
        yield emulator


@pytest.fixture(scope="module")
def region(cloud: Emulator) -> Scenery:
    """A region with a network, a queue and a group that did not opt in."""
    return Scenery(cloud)


@pytest.fixture
def scenery(region: Scenery) -> Iterator[Scenery]:
    """The region for one test, which leaves nothing broken behind."""
    region.open()
    yield region
    assert region.close() == []


@pytest.fixture
def spotward(cloud: Emulator, scenery: Scenery, tmp_path: Path) -> Program:
    """The program in that cloud."""
    return Program(environment=cloud.environment(), state=tmp_path / "state", cloud=cloud)


@pytest.fixture
def spotward_here(spotward: Program) -> Program:
    """The same, in this process."""
    return replace(spotward, apart=False)
