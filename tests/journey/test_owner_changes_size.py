"""The owner sets another desired capacity while a swap is at work: in the end the group has just that.

The owner's call falls right behind a chosen call of Spotward's, which is the moment at which the two mix.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spotward.emulator.calls import Call
from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from tests.cli.program import Program
from tests.cli.scenery import CALM, Scenery

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SIZE = 6
SPEED = 20.0
"""Slow enough that an answer comes within the virtual minutes for which it is waited."""

ACTIVITIES = "autoscaling.DescribeScalingActivities"


class Owner:
    """Hears of Spotward's calls, and acts behind one of them."""

    def __init__(self) -> None:
        self._waits_for: tuple[str, int] | None = None
        self._act: Callable[[], object] = lambda: None
        self._heard: Counter[str] = Counter()

    def will(self, act: Callable[[], object], *, behind: str, number: int) -> None:
        self._heard.clear()
        self._act, self._waits_for = act, (behind, number)

    def __call__(self, call: Call) -> None:
        if not call.access_key.startswith("AKIAPROGRAM"):
            return
        self._heard[call.name] += 1
        if (call.name, self._heard[call.name]) == self._waits_for:
            self._waits_for = None
            self._act()


@pytest.fixture(scope="module")
def owner() -> Owner:
    return Owner()


@pytest.fixture(scope="module")
def cloud(owner: Owner) -> Iterator[Emulator]:
    with Emulator(EmulatorSettings(seed=11, speed=SPEED), on_call=owner) as emulator:
        emulator.sites.shock(CALM)
        yield emulator


@pytest.mark.parametrize(
    ("behind", "number"),
    [("ec2.CreateFleet", 1), ("autoscaling.TerminateInstanceInAutoScalingGroup", 3)],
    ids=["while the new members boot", "while the old members leave"],
)
@pytest.mark.parametrize("desired", [4, 13])  # no size that our own steps lead to: such a one cannot be known of
def test_the_group_ends_at_what_its_owner_asked_for_last(
    desired: int, behind: str, number: int, cloud: Emulator, region: Scenery, owner: Owner, tmp_path: Path
) -> None:
    region.open()
    group = region.group(size=SIZE, size_max=4 * SIZE, zones=2, tags={"spotward:surge-percentage": "100"})
    settings = {"AutoScalingGroupName": group, "DesiredCapacity": desired}
    owner.will(
        lambda: region.hand.autoscaling.set_desired_capacity(**settings),  # type: ignore[arg-type]  # of one type each
        behind=behind,
        number=number,
    )
    program = Program(environment=cloud.environment(), state=tmp_path / "state", cloud=cloud)

    ran = program("run", "--once", "--log", "text")

    assert ran.calls[ACTIVITIES] >= 1
    assert region.described(group)["DesiredCapacity"] == desired, ran.out
    region.until(lambda: len(region.spot(group)) + len(region.on_demand(group)) == desired)
    # What left while the owner spoke had been sent away before; all else must be as ever.
    assert [
        breach for breach in region.close() if "TerminateInstanceIn" not in breach and "Desired" not in breach
    ] == []


def test_the_activities_of_a_group_that_nobody_changes_are_never_asked_for(
    cloud: Emulator, region: Scenery, tmp_path: Path
) -> None:
    region.open()
    region.group(size=SIZE, size_max=SIZE, zones=2)
    ran = Program(environment=cloud.environment(), state=tmp_path / "state", cloud=cloud)("run", "--once")
    assert ACTIVITIES not in ran.calls
    assert region.close() == []
