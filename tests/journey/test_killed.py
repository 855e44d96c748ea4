"""Killed at any moment, and started again: nothing is lost, nothing is done twice.

`kill -9` hits `run --once` at each of its AWS calls in turn, after AWS did what it was asked and before the answer is
heard; and at each change once more when it was sent but never carried out. Then the same command is run again, and
brings everything to its end. What is counted is counted by the cloud, not by Spotward.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from spotward.emulator.calls import Call
from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.sim.shocks import Failure
from tests.cli.program import Program, is_change
from tests.cli.scenery import CALM, SPEED, Scenery

LANES = ("us-east-1", "us-west-2")
"""One kill after another is tried in each of these regions, and the regions go side by side."""

LOST = "ServiceUnavailable"
"""The error that stands for a request which came to nothing: nobody is left to read it."""

ANY_CHANGE = "any change"

LIVES_MAX = 60
"""More starts than there are changes to be made, by far."""

PATIENCE = """
groups:
  running_timeout_seconds: 36000
  attach_timeout_seconds: 36000
  in_service_timeout_seconds: 36000
"""
"""While a process is dead and another is being started, minutes of virtual time go by: nothing is given up for that."""

SIZE = 3
SHAPES: dict[str, dict[str, Any]] = {
    "a launch template, two batches": {"size": SIZE, "size_max": SIZE, "zones": 3},
    "a launch configuration, one batch": {
        "size": SIZE,
        "size_max": SIZE,
        "zones": 2,
        "with_configuration": True,
        "tags": {"spotward:surge-percentage": "100"},
    },
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """When to kill."""

    name: str
    """`ec2.CreateFleet`, or `ANY_CHANGE`."""
    number: int
    """The how-manieth call of that name."""
    lost: bool = False
    """Was it sent and not carried out? Else it was, and its answer is not heard."""

    def __str__(self) -> str:
        return f"{'before' if self.lost else 'after'} {self.name} {self.number}"


class Executioner:
    """Hears of a process's calls, and kills it at its moment."""

    def __init__(self, moment: Moment | None, on_lost: Callable[[str], None]) -> None:
        """`on_lost`: lets the next call of that operation come to nothing."""
        self.moment = moment
        self.heard: list[str] = []
        self.killed = False
        self._on_lost = on_lost
        self._process: subprocess.Popen[bytes] | None = None
        self._started = threading.Event()
        self._lock = threading.Lock()
        if moment is not None and moment.lost and moment.number == 1:
            on_lost(moment.name)

    def sees(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._started.set()

    def __call__(self, call: Call) -> None:
        self._started.wait(10)
        with self._lock:
            if self.killed or self._process is None:
                return
            self.heard.append(call.name)
            if self._is_time(call):
                self.killed = True  # first, for whoever waits for the process sees its end at once
                self._process.kill()
                self._process.wait()

    def _is_time(self, call: Call) -> bool:
        moment = self.moment
        if moment is None or moment.name not in (call.name, ANY_CHANGE):
            return False
        if moment.name == ANY_CHANGE:
            return is_change(call.name)
        number = self.heard.count(call.name)
        if moment.lost and number == moment.number - 1:
            self._on_lost(moment.name)
        return number == moment.number and moment.lost == (call.error == LOST)


class Ear:
    """The emulator's `on_call`: passes each call on to whoever waits for that access key."""

    def __init__(self) -> None:
        self.waiting: dict[str, Executioner] = {}

    def __call__(self, call: Call) -> None:
        executioner = self.waiting.get(call.access_key)
        if executioner is not None:
            executioner(call)


@dataclass
class Lane:
    """A region, and what was tried there."""

    scenery: Scenery
    program: Program
    ear: Ear
    where: Path
    killed: list[Moment] = field(default_factory=list)
    missed: list[Moment] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settings = self.where / f"{self.scenery.region}.yaml"
        self.settings.write_text(PATIENCE)

    @property
    def command(self) -> list[str]:
        return ["run", "--once", "--log", "text", "--config", str(self.settings)]

    def attempt(self, shape: str, moment: Moment | None) -> Executioner:
        """A new group, a killed run, and another run; all must be well in the end."""
        scenery = self.scenery
        scenery.open()
        group = self._group(shape)
        originals = {member.id for member in scenery.members(group)}
        program = self.program.elsewhere(self.where / f"state-{time.perf_counter_ns()}")
        executioner = self._killed_run(program, moment)
        said = ""
        if executioner.killed:
            said = program(*self.command).said
        if moment is not None:
            (self.killed if executioner.killed else self.missed).append(moment)
        wrong = [*self._wrong(group, originals), *scenery.close()]
        if wrong:
            self.faults.append(f"killed {moment}: {wrong}; then it said: {said}")
        return executioner

    def _group(self, shape: str) -> str:
        group = self.scenery.group(watched=False, **SHAPES[shape])
        self.scenery.hand.autoscaling.update_auto_scaling_group(AutoScalingGroupName=group, MinSize=SIZE)
        self.scenery.keep_to_owner(group)
        return group

    def die_at_every_change(self, shape: str) -> int:
        """A new group, and one killed run after the other until one comes to its end; how many died."""
        self.scenery.open()
        group = self._group(shape)
        originals = {member.id for member in self.scenery.members(group)}
        program = self.program.elsewhere(self.where / f"state-{time.perf_counter_ns()}")
        lives = 0
        while self._killed_run(program, Moment(name=ANY_CHANGE, number=1)).killed:
            lives += 1
            assert lives < LIVES_MAX, f"it goes round in circles: {program('explain', group).out}"
        assert [*self._wrong(group, originals), *self.scenery.close()] == []
        return lives

    def _killed_run(self, program: Program, moment: Moment | None) -> Executioner:
        executioner = Executioner(moment, self._lose)
        with program.running(*self.command) as running:
            self.ear.waiting[running.key] = executioner
            executioner.sees(running.process)
            code = running.process.wait(timeout=180)
            assert executioner.killed or code == 0, running.said
        return executioner

    def _lose(self, name: str) -> None:
        failure = Failure(at_seconds=0, region=self.scenery.region, operation=name, code=LOST, times=1)
        self.scenery.shock(failure)

    def _wrong(self, group: str, originals: set[str]) -> Iterator[str]:
        """What is not as it should be in the end."""
        scenery = self.scenery
        if scenery.on_demand(group) or len(scenery.spot(group)) != SIZE:
            yield f"a swap was not completed: {scenery.members(group)}"
        launched = scenery.launched()
        if len(launched) != SIZE:
            yield f"launched {len(launched)} for {SIZE} replaced: {launched}"
        mine = scenery.instances(Filters=[{"Name": "tag:aws:autoscaling:groupName", "Values": [group]}])
        others = {each["InstanceId"] for each in mine} - originals - {one.id for one in launched}
        if others:
            yield f"the group had to help itself with {others}"
        if scenery.templates_of_ours():
            yield f"temporary launch templates are left: {scenery.templates_of_ours()}"


@pytest.fixture(scope="module")
def ear() -> Ear:
    return Ear()


@pytest.fixture(scope="module")
def cloud(ear: Ear) -> Iterator[Emulator]:
    with Emulator(EmulatorSettings(seed=5, speed=SPEED), on_call=ear) as emulator:
        emulator.sites.shock(CALM)
        yield emulator


@pytest.fixture(scope="module")
def lanes(cloud: Emulator, ear: Ear, tmp_path_factory: pytest.TempPathFactory) -> list[Lane]:
    where = tmp_path_factory.mktemp("killed")
    return [
        Lane(
            scenery=Scenery(cloud, region),
            program=Program(environment=cloud.environment(region=region), state=where / region, cloud=cloud),
            ear=ear,
            where=where,
        )
        for region in LANES
    ]


def moments(heard: list[str], *, from_the_first_change: bool) -> list[Moment]:
    """After every call of an uninterrupted run, and before every change."""
    seen: Counter[str] = Counter()
    found: list[Moment] = []
    begun = not from_the_first_change
    for name in heard:
        seen[name] += 1
        begun = begun or is_change(name)
        if begun:
            found.append(Moment(name=name, number=seen[name]))
        if is_change(name):
            found.append(Moment(name=name, number=seen[name], lost=True))
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_killed_at_any_call_and_run_again_every_swap_is_completed_once(
    shape: str, lanes: list[Lane], capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.perf_counter()
    for lane in lanes:
        lane.killed.clear()
        lane.missed.clear()
    whole = lanes[0].attempt(shape, None).heard
    waiting = deque(moments(whole, from_the_first_change=shape != next(iter(SHAPES))))

    def drive(lane: Lane) -> None:
        while waiting and not lane.faults:
            lane.attempt(shape, waiting.popleft())

    with ThreadPoolExecutor(len(lanes)) as pool:
        for done in [pool.submit(drive, lane) for lane in lanes]:
            done.result()

    faults = [fault for lane in lanes for fault in lane.faults]
    assert not faults, "\n".join(faults)
    killed = [moment for lane in lanes for moment in lane.killed]
    missed = [moment for lane in lanes for moment in lane.missed]
    with capsys.disabled():
        took = time.perf_counter() - began
        sys.stdout.write(f"\n{shape}: killed at {len(killed)} moments of a run of {len(whole)} calls ({took:.0f} s)")
        sys.stdout.write(f"; not reached: {', '.join(map(str, missed)) or 'none'}\n")
    changes = {name for name in whole if is_change(name)}
    assert {moment.name for moment in killed if not moment.lost} >= changes, "not every change went unheard"
    assert {moment.name for moment in killed if moment.lost} == changes, "not every change was lost"
    assert len(missed) <= len(killed) // 10, "how often it looks differs from run to run, but not by so much"


def test_killed_at_every_change_that_it_makes_it_still_comes_to_the_end(
    lanes: list[Lane], capsys: pytest.CaptureFixture[str]
) -> None:
    shape = next(iter(SHAPES))
    lives = lanes[0].die_at_every_change(shape)
    with capsys.disabled():
        sys.stdout.write(f"\n{shape}: died {lives} times, after one change each\n")
    assert lives >= SIZE * 3, "each instance is launched, attached and retired by its own"
