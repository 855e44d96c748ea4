import asyncio
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotward.engine.codec import PAGES
from spotward.engine.core import Core
from spotward.engine.ports import WHOLE_JOURNAL, Recording
from spotward.engine.replay import differences
from spotward.engine.store import SqliteStore, this_process
from spotward.model.action import Action
from spotward.model.event import Event, InterruptionNoticed, RegionObserved
from tests.engine.histories import a_history
from tests.engine.living import MadeHands, MadeSource, a_clock, a_live, with_store
from tests.engine.made import NOON, PRODUCT, REGION, a_group, answer, refusing
from tests.engine.store_contract import Journal

CHECKOUT = Path(__file__).parents[2]


async def recorded(place: Path, events: list[Event]) -> Recording:
    store = SqliteStore.to_write(place)
    lease = await store.lease(WHOLE_JOURNAL, this_process(), 60)
    journal = Journal(store, Core(PRODUCT))
    await journal.think(lease, *events[:20])
    await store.snapshot(lease, journal.world, journal.next_page)
    await journal.think(lease, *events[20:])
    recording = await store.recording()
    await store.close()
    assert recording is not None
    return recording


@given(st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_a_recorded_journal_replayed_gives_the_same_pages(
    tmp_path_factory: pytest.TempPathFactory, dice: random.Random
) -> None:
    place = tmp_path_factory.mktemp("journal")
    recording = asyncio.run(recorded(place, a_history(dice)))
    assert list(differences(Core(PRODUCT), recording)) == []


def test_the_history_of_the_tests_has_pages_to_differ_in(tmp_path: Path) -> None:
    recording = asyncio.run(recorded(tmp_path, a_history(random.Random(3))))
    assert sum(entry.page is not None for entry in recording.inputs) > 5


def test_another_policy_shows_which_decisions_would_be_other_ones(tmp_path: Path) -> None:
    recording = asyncio.run(recorded(tmp_path, a_history(random.Random(3))))
    strict = Core(PRODUCT, [refusing(lambda _: "nothing is done on Sundays")])
    found = list(differences(strict, recording))
    assert found
    for difference in found:
        assert difference.recorded != difference.replayed
        assert difference.recorded is None or difference.recorded.number == difference.page_number
    asked = [each for difference in found if difference.replayed for each in difference.replayed.asked]
    assert not any(each.action.mutates for each in asked)


def test_what_ran_live_is_replayed_to_the_same_pages(tmp_path: Path) -> None:
    clock = a_clock()
    notices = [
        InterruptionNoticed(time=NOON, region=REGION, instance_id=f"i-{n}", deadline=NOON + 120) for n in range(5)
    ]

    async def work(store: SqliteStore) -> Recording:
        def act(action: Action, attempt: int) -> Event:
            event = answer(action, clock.now(), launched=f"i-new-{clock.now()}")
            if isinstance(event, RegionObserved):
                return replace(event, groups=(a_group(*(f"i-{n}" for n in range(5))),))
            return event

        source = MadeSource(notices)
        live = a_live(store, clock, MadeHands(clock, act), policy={"observe_seconds": 3600.0}, sources=[source])
        await live.run(quiet_within_seconds=2)
        recording = await store.recording()
        assert recording is not None
        return recording

    recording = with_store(tmp_path, work)
    assert any(entry.page for entry in recording.inputs)
    assert list(differences(Core(PRODUCT), recording)) == []


PAGES_OF_A_HISTORY = """
import random
from spotward.engine.codec import PAGES
from spotward.engine.core import Core
from spotward.model.world import World
from tests.engine.made import PRODUCT
from tests.engine.histories import a_history

core, world, number = Core(PRODUCT), World(), 1
for event in a_history(random.Random(3)):
    step = core.step(world, event, page_number=number)
    world = step.world
    if step.page is not None:
        number += 1
        print(PAGES.text(step.page).decode())
"""


def test_pages_do_not_depend_on_the_process_that_thinks(tmp_path: Path) -> None:
    texts = {
        subprocess.run(
            [sys.executable, "-c", PAGES_OF_A_HISTORY],
            cwd=CHECKOUT,
            env={**os.environ, "PYTHONPATH": f"src:{CHECKOUT}", "PYTHONHASHSEED": str(seed)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in (1, 2)
    }
    (text,) = texts
    assert len([PAGES.value(line) for line in text.splitlines()]) > 5
