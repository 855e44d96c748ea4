"""Regions are looked at again and again, each for itself: what is told of one does not depend on another."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

import pytest

from spotward.model.errors import OutsideError, Permanent, Transient
from spotward.web.board import Board
from spotward.web.exposition import Family
from spotward.web.lookout import LOOKS_AT_ONCE_MAX, RETRY_SECONDS, Lookout, LookoutPolicy, Sighting

pytestmark = pytest.mark.anyio

SEEN = Family(name="seen", help="How often it was looked at", labels=("region",), samples=())
SECONDS_MAX = 30.0


@dataclass
class Hours:
    """A clock in which nobody waits before the hand is moved."""

    time: float = 1_000_000.0
    waiting: list[tuple[float, asyncio.Event]] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    async def sleep_until(self, moment: float) -> None:
        if moment > self.time:
            bell = asyncio.Event()
            self.waiting.append((moment, bell))
            await bell.wait()

    def turn(self, seconds: float) -> None:
        self.time += seconds
        for moment, bell in self.waiting:
            if moment <= self.time:
                bell.set()
        self.waiting = [each for each in self.waiting if each[0] > self.time]


class Scene:
    """Regions that answer, fail or hang as they are told."""

    def __init__(self, *regions: str, look_seconds_max: float = 180.0) -> None:
        self.clock, self.looks = Hours(), Counter[str]()
        self.answers: dict[str, Callable[[], Awaitable[None]]] = {}
        self.at_once = self.most_at_once = self.hanging = 0
        policy = LookoutPolicy(poll_seconds=60.0, stale_seconds=150.0, look_seconds_max=look_seconds_max)
        self.lookout = Lookout(regions, self.look, Board([SEEN]), self.clock, policy)

    async def look(self, region: str) -> Sighting:
        self.looks[region] += 1
        as_of, self.at_once = self.clock.now(), self.at_once + 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if region in self.answers:
                await self.answers[region]()
        finally:
            self.at_once -= 1
        told = Family(name="seen", help="", labels=("region",), samples=(((region,), float(self.looks[region])),))
        return Sighting(as_of=as_of, families=[told])

    def fail(self, region: str, error: Exception) -> None:
        async def failing() -> None:
            raise error

        self.answers[region] = failing

    def hang(self, region: str) -> None:
        async def for_ever() -> None:
            self.hanging += 1
            await asyncio.Event().wait()

        self.answers[region] = for_ever

    async def turn(self, seconds: float) -> None:
        """So much later, when everybody has done what was due."""
        self.clock.turn(seconds)
        await self.settled()

    async def settled(self) -> None:
        async with asyncio.timeout(SECONDS_MAX):
            while len(self.clock.waiting) + self.hanging < len(self.lookout.regions):  # noqa: ASYNC110 - of many tasks
                await asyncio.sleep(0.001)

    def told(self) -> set[str]:
        self.lookout.drop_stale()
        return {region for region in self.lookout.regions if self.lookout.board.samples(region)}

    async def __aenter__(self) -> Self:
        self.running = asyncio.create_task(self.lookout.run())
        await self.settled()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.running.cancel()
        await asyncio.wait([self.running])


def refused() -> OutsideError:
    return Permanent("no", code="Denied")


def too_fast(*, after: float) -> OutsideError:
    return Transient("slowly", code="Throttling", retry_after_seconds=after)


async def test_each_region_is_looked_at_once_in_a_pause() -> None:
    async with Scene("a", "b") as scene:
        assert scene.looks == {"a": 1, "b": 1}
        await scene.turn(59)
        assert scene.looks == {"a": 1, "b": 1}
        await scene.turn(1)
        assert scene.looks == {"a": 2, "b": 2}


async def test_what_cannot_be_seen_again_is_told_until_it_is_stale() -> None:
    async with Scene("a", "b") as scene:
        scene.fail("a", refused())
        for _ in range(2):
            await scene.turn(60)
            assert scene.told() == {"a", "b"}
        await scene.turn(60)
        assert scene.told() == {"b"}
        assert scene.lookout.regions["a"].errors["Denied"] >= 2
        assert scene.lookout.regions["b"].errors == {}
        del scene.answers["a"]
        await scene.turn(60)
        assert scene.told() == {"a", "b"}
        assert scene.lookout.regions["a"].up


async def test_a_look_that_hangs_for_too_long_is_given_up_and_tried_again() -> None:
    scene = Scene("a", look_seconds_max=0.01)
    scene.hang("a")
    async with scene, asyncio.timeout(SECONDS_MAX):
        while scene.lookout.regions["a"].errors["Timeout"] < 2:
            await asyncio.sleep(0.005)
            scene.clock.turn(RETRY_SECONDS)
        del scene.answers["a"]
        while scene.told() != {"a"}:
            await asyncio.sleep(0.005)
            scene.clock.turn(RETRY_SECONDS)


@pytest.mark.parametrize(("error", "pause"), [(refused(), RETRY_SECONDS), (too_fast(after=40.0), 40.0)])
async def test_a_failed_look_is_repeated_sooner_and_not_before_aws_wants_it(error: OutsideError, pause: float) -> None:
    async with Scene("a") as scene:
        scene.fail("a", error)
        await scene.turn(60)
        assert scene.looks["a"] == 2
        await scene.turn(pause - 1)
        assert scene.looks["a"] == 2
        await scene.turn(1)
        assert scene.looks["a"] == 3


async def test_a_region_that_hangs_holds_up_no_other() -> None:
    async with Scene("a", "b") as scene:
        scene.hang("a")
        for _ in range(4):
            await scene.turn(60)
        assert scene.looks == {"a": 2, "b": 5}
        assert scene.told() == {"b"}


async def test_a_fault_of_ours_is_counted_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with Scene("a", "b") as scene:
        scene.fail("a", ZeroDivisionError("ours"))
        await scene.turn(60)
        await scene.turn(60)
        assert scene.lookout.regions["a"].errors["Fault"] >= 2
        assert scene.looks["b"] == 3
    assert "ZeroDivisionError" in caplog.text


async def test_no_more_regions_are_looked_at_at_once_than_is_said() -> None:
    names = [f"r{n}" for n in range(3 * LOOKS_AT_ONCE_MAX)]
    scene = Scene(*names)

    async def slowly() -> None:
        await asyncio.sleep(0.001)

    scene.answers = dict.fromkeys(names, slowly)
    async with scene:
        assert sum(scene.looks.values()) == len(names)
        assert scene.most_at_once == LOOKS_AT_ONCE_MAX


async def test_a_trouble_is_logged_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="spotward.export")
    async with Scene("a") as scene:
        scene.fail("a", refused())
        for _ in range(3):
            await scene.turn(60)
        del scene.answers["a"]
        await scene.turn(60)
    assert [record.getMessage() for record in caplog.records] == ["a: no", "a: all can be had again"]
