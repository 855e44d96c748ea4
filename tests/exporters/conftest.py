"""An embedded cloud with groups of every make in two regions, for each module."""

from collections.abc import Iterator

import pytest

from spotward.aws.session import Aws
from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from tests.cli.scenery import CALM
from tests.exporters.streets import Street


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Emulator]:
    """A minute in a second; nothing happens but what a test lets happen."""
    with Emulator(EmulatorSettings(seed=3, speed=60.0, throttling=False)) as emulator:
        emulator.sites.shock(CALM)
        yield emulator


@pytest.fixture(scope="module")
def streets(cloud: Emulator) -> dict[str, Street]:
    """Region → its groups, all of whose members serve."""
    return {region: Street(cloud, region) for region in ("us-east-1", "eu-west-1")}


@pytest.fixture(scope="module")
def shared_aws(cloud: Emulator) -> Iterator[Aws]:
    """The cloud, as what is tested finds it: making its clients takes longer than most tests."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("AWS_PROFILE", raising=False)
        for name, value in cloud.environment().items():
            environment.setenv(name, value)
        aws = Aws(attempts_max=2)
        yield aws
        aws.close()


@pytest.fixture
def aws(shared_aws: Aws) -> Aws:
    """With nothing counted yet."""
    shared_aws.counter.counts.clear()
    return shared_aws
