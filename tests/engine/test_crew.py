"""Who of those that are asked begins, and who waits for whom."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from spotward.engine.core import Core
from spotward.engine.crew import Crew
from spotward.engine.inbox import Letter
from spotward.engine.live_policy import LivePolicy
from spotward.engine.store import SqliteStore
from spotward.model.action import Action
from spotward.model.decision import Decision
from spotward.model.event import Event, Tick
from spotward.model.node_action import CordonNode, TellCluster
from spotward.model.page import Asked
from spotward.model.world import World
from tests.engine.living import MadeHands, a_clock, a_live, until, with_store
from tests.engine.made import NOON, REGION, done

CORDON = CordonNode(instance_id="i-1", key="cordon", node="n-1", uid="u-1", taints=(), labels=())
TELL = TellCluster(instance_id="i-1", key="tell", node="n-1", tidings=())


class Stage:
    """A crew whose cordon lasts until the test says that it is over."""

    def __init__(self, **policy: Any) -> None:
        self.clock = a_clock(1.0)
        self.cordoned = asyncio.Event()
        self.hands = MadeHands(self.clock, self._act)
        self.crew = Crew(self.hands, self.clock, LivePolicy(**policy), self._heard)
        self.heard: list[Event] = []

    async def _act(self, action: Action, _: int) -> Event:
        if action.key == CORDON.key:
            await self.cordoned.wait()
        return done(action, self.clock.now())

    async def _heard(self, event: Event) -> None:
        self.heard.append(event)

    def start(self, action: Action, *, urgent: bool = True) -> None:
        self.crew.start(Asked(action=action, attempt=1, reason="the test says so", urgent=urgent))


def played(play: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(play())


def test_what_only_tells_waits_until_nothing_urgent_is_under_way() -> None:
    async def play() -> None:
        stage = Stage()
        stage.start(CORDON)
        stage.start(TELL)
        await until(lambda: stage.hands.keys == ["cordon"])
        await asyncio.sleep(0.05)
        assert stage.hands.keys == ["cordon"]
        stage.cordoned.set()
        await until(lambda: stage.crew.idle)
        assert stage.hands.keys == ["cordon", "tell"]

    played(play)


def test_it_waits_for_nothing_that_is_not_urgent_and_not_for_others_that_tell() -> None:
    async def play() -> None:
        stage = Stage()
        stage.start(CORDON, urgent=False)
        stage.start(TELL)
        await until(lambda: "tell" in stage.hands.keys and len(stage.heard) == 1)
        stage.cordoned.set()
        await until(lambda: stage.crew.idle)

    played(play)


def test_it_waits_no_longer_than_the_policy_says() -> None:
    async def play() -> None:
        stage = Stage(leisure_seconds_max=0.05)
        stage.start(CORDON)
        stage.start(TELL)
        await until(lambda: "tell" in stage.hands.keys and len(stage.heard) == 1)
        stage.cordoned.set()
        await until(lambda: stage.crew.idle)

    played(play)


def test_while_a_burst_is_thought_about_others_have_their_turn(tmp_path: Path) -> None:
    """All events of one turn are thought about before any is written; somebody else counts how often it had a turn."""
    events = 64
    turns: list[int] = []
    thought = 0

    def slow(world: World, event: Event) -> Decision:
        nonlocal thought
        thought += 1
        return Decision()

    async def watch() -> None:
        while True:
            turns.append(thought)
            await asyncio.sleep(0)

    async def play(store: SqliteStore) -> None:
        clock = a_clock()
        live = a_live(store, clock, MadeHands(clock), core=Core([slow]), regions=())
        for number in range(events):
            await live.inbox.put(Letter(event=Tick(time=NOON + number, regions=(REGION,)), sender="test"))
        watching = asyncio.create_task(watch())
        running = asyncio.create_task(live.run())
        await until(lambda: thought > events)
        live.stop()
        await running
        watching.cancel()

    with_store(tmp_path, play)
    assert len(set(turns) & set(range(2, events))) >= 4
