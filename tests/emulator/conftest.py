"""An embedded cloud on a real port, one for each test module, and clients that talk to it as any program would."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.emulator.stage import Network, StageHand
from tests.emulator.clients import Clients

START_TIME = 1_790_000_000.0
SPEED = 240.0


@pytest.fixture(scope="module")
def cloud(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """Four virtual minutes in a second; a module that wants another one has `CLOUD = EmulatorSettings(...)`."""
    settings = getattr(request.module, "CLOUD", EmulatorSettings(speed=SPEED, start_time=START_TIME))
    with Emulator(settings) as emulator:
        yield emulator


@pytest.fixture
def aws(cloud: Emulator) -> Clients:
    """boto3's clients for it."""
    return Clients(cloud.url)


@pytest.fixture(scope="module")
def hand(cloud: Emulator) -> StageHand:
    """Who builds in its first region."""
    return StageHand(cloud.url)


@pytest.fixture(scope="module")
def network(hand: StageHand) -> Network:
    """What groups stand in."""
    return hand.build_network()
