import sqlite3
from dataclasses import replace

import pytest

from spotward.engine.core import Core
from spotward.engine.journal_batch import Batch, batch_text, batch_value
from spotward.engine.journal_file import MIGRATIONS
from spotward.engine.journal_rows import Rows
from spotward.engine.ports import Entry, Lease, SetAside
from spotward.model.decision import Decision, GroupPause, Verdict, WakeAt
from spotward.model.errors import ConfigError
from spotward.model.event import Event, InterruptionNoticed, Tick, Woken
from spotward.model.world import Pause, World
from tests.engine.made import NOON, PRODUCT, REGION, WEB, a_group, a_launch, a_swap, deciding, failed, seen, wishing
from tests.engine.store_contract import ALICE

NOTICE = InterruptionNoticed(time=NOON, region=REGION, instance_id="i-1", deadline=NOON + 120)


def thought(core: Core, *events: Event) -> tuple[Entry, ...]:
    """What a core makes of events, one after the other."""
    world = World()
    entries: list[Entry] = []
    for event in events:
        step = core.step(world, event, page_number=1 + sum(entry.step.page is not None for entry in entries))
        entries.append(Entry(event=event, step=step, woken=(WakeAt(time=event.time, subject=WEB),)))
        world = step.world
    return tuple(entries)


def rows_of(batch: Batch) -> list[str]:
    """All that a journal file holds after the batch was written into it."""
    with sqlite3.connect(":memory:") as db:
        for script in MIGRATIONS:
            db.executescript(script)
        rows = Rows(db)
        rows.write(batch.entries)
        rows.set_aside(batch.set_aside)
        return list(db.iterdump())


def busy() -> Batch:
    said = Decision(
        verdicts=(Verdict(subject="i-9", text="has a\ttab, and\na line\u2028end"),),
        pauses=(GroupPause(subject=WEB, pause=Pause(until=float("inf"), failures=1, reason="dry")),),
        undertakings=(a_swap(),),
        wakes=(WakeAt(time=NOON + 10, subject=WEB), WakeAt(time=float("inf"), subject="i-1")),
    )
    back = Decision(verdicts=(Verdict(subject="i-9", text=None),))
    core = Core([*PRODUCT, wishing(a_launch(), when=Tick), deciding(said, back)])
    events = (
        Tick(time=NOON),
        seen(a_group("i-1")),
        NOTICE,
        failed(a_launch(), NOON + 1),
        Woken(time=NOON, subject=WEB),
    )
    aside = SetAside(time=NOON, source="queue", reason="half a pair: \ud800, a tab\t")
    return Batch(entries=thought(core, *events), set_aside=(aside,))


def test_a_batch_that_was_sent_leaves_the_same_rows_as_one_that_was_not() -> None:
    batch = busy()
    assert any(entry.step.page for entry in batch.entries)
    assert rows_of(batch_value(batch_text(batch))) == rows_of(batch)


def test_a_grant_comes_back_whole() -> None:
    grant = Lease(subject="journal", owner=ALICE, fence=7, expires_time=12.5)
    assert batch_value(batch_text(Batch(grants=(grant,)))) == Batch(grants=(grant,))


def test_nothing_comes_back_as_nothing() -> None:
    assert batch_value(batch_text(Batch())) == Batch()


def test_what_utf8_cannot_carry_is_refused_before_it_is_sent() -> None:
    unwritable = replace(NOTICE, instance_id="i-\ud800")
    with pytest.raises(ValueError, match="surrogates"):
        batch_text(Batch(entries=thought(Core([]), unwritable)))


def test_a_line_of_a_newer_version_is_not_passed_over() -> None:
    text = batch_text(busy()) + b"\nbudgets\t1"
    with pytest.raises(ConfigError, match=r"'budgets', which only a newer Spotward writes"):
        batch_value(text)
