import asyncio
import random
import signal
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from spotward.engine.core import Core
from spotward.engine.journal_file import FILE_NAME, LOCK_NAME, MIGRATIONS, open_to_read, open_to_write
from spotward.engine.journal_rows import SET_ASIDE_MAX, Retention
from spotward.engine.live_policy import LivePolicy
from spotward.engine.ports import WHOLE_JOURNAL, Owner, SetAside, Store
from spotward.engine.store import STORE_UNAVAILABLE, SqliteStore, this_process
from spotward.model.errors import ConfigError, LeaseHeld, Transient
from spotward.model.event import Tick
from tests.engine.made import NOON, a_group, a_swap, deciding, noting, seen
from tests.engine.mortal import Mortal, write_for_ever
from tests.engine.store_contract import ALICE, Journal, StoreContract, wait
from tests.hand_clock import HandClock

CHECKOUT = Path(__file__).parents[2]
NOTING = Core([deciding(noting())])


class TestSqliteStore(StoreContract):
    def open_store(self, place: Path, clock: HandClock, retention: Retention | None = None) -> Store:
        return SqliteStore.to_write(place / "state", clock=clock, retention=retention)


# ---- who may open it -----------------------------------------------------------------------------------------


def test_a_second_process_is_told_who_is_running(tmp_path: Path) -> None:
    store = SqliteStore.to_write(tmp_path)
    wait(store.lease(WHOLE_JOURNAL, Owner(host="box", pid=123, instance="x"), 60))
    with pytest.raises(LeaseHeld, match=r"another Spotward \(process 123 on box\).*--state"):
        SqliteStore.to_write(tmp_path)
    wait(store.close())
    wait(SqliteStore.to_write(tmp_path).close())


def test_a_lease_that_a_killed_process_of_this_machine_left_is_taken_at_once(tmp_path: Path) -> None:
    clock = HandClock(NOON)
    first = SqliteStore.to_write(tmp_path, clock=clock)
    left = wait(first.lease(WHOLE_JOURNAL, this_process(), 60))
    wait(first.close())
    second = SqliteStore.to_write(tmp_path, clock=clock)
    assert wait(second.lease(WHOLE_JOURNAL, this_process(), 60)).fence > left.fence
    wait(second.close())


def test_a_lease_of_another_machine_is_waited_out(tmp_path: Path) -> None:
    clock = HandClock(NOON)
    first = SqliteStore.to_write(tmp_path, clock=clock)
    wait(first.lease(WHOLE_JOURNAL, Owner(host="elsewhere", pid=1, instance="x"), 60))
    wait(first.close())
    second = SqliteStore.to_write(tmp_path, clock=clock)
    with pytest.raises(LeaseHeld, match="process 1 on elsewhere until 2023-11-14 22:14:20Z"):
        wait(second.lease(WHOLE_JOURNAL, this_process(), 60))
    clock.time += 60
    wait(second.lease(WHOLE_JOURNAL, this_process(), 60))
    wait(second.close())


def test_it_can_be_read_while_a_daemon_writes(tmp_path: Path) -> None:
    async def work() -> None:
        writer = SqliteStore.to_write(tmp_path)
        lease = await writer.lease(WHOLE_JOURNAL, ALICE, 60)
        journal = Journal(writer, NOTING)
        await journal.think(lease, Tick(time=NOON))
        reader = SqliteStore.to_read(tmp_path)
        assert len(await reader.pages()) == 1
        await journal.think(lease, Tick(time=NOON + 1))
        assert len(await reader.pages()) == 2
        with pytest.raises(Transient):
            await reader.lease(WHOLE_JOURNAL, ALICE, 60)
        await reader.close()
        await writer.close()

    wait(work())


def test_it_can_be_read_when_no_daemon_runs(tmp_path: Path) -> None:
    wait(SqliteStore.to_write(tmp_path).close())
    reader = SqliteStore.to_read(tmp_path)
    assert wait(reader.pages()) == ()
    wait(reader.close())


def test_where_there_is_no_journal_a_reader_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no journal in the state directory .*`spotward run` first"):
        SqliteStore.to_read(tmp_path)


def test_a_directory_that_we_make_is_ours_alone_and_one_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o750)
    for place, mode in ((tmp_path / "state" / "spotward", 0o700), (shared, 0o750)):
        wait(SqliteStore.to_write(place).close())
        assert stat.S_IMODE(place.stat().st_mode) == mode


def test_a_directory_that_cannot_be_made_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be written \(Not a directory\).*--state"):
        SqliteStore.to_write(tmp_path / "file" / "state")


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    wait(SqliteStore.to_write(tmp_path).close())
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    for opened in (SqliteStore.to_write, SqliteStore.to_read):
        with pytest.raises(ConfigError, match="newer version of Spotward"):
            opened(tmp_path)


def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute("CREATE TABLE photographs (id)")
    with pytest.raises(ConfigError, match="is not Spotward's"):
        SqliteStore.to_write(tmp_path)
    (tmp_path / FILE_NAME).write_text("Dear diary, " * 100)
    with pytest.raises(ConfigError, match=r"cannot be used as a journal \(file is not a database\)"):
        SqliteStore.to_write(tmp_path)


def test_an_older_file_is_brought_up_to_date_and_a_reader_asks_for_that(tmp_path: Path) -> None:
    store = SqliteStore.to_write(tmp_path)
    lease = wait(store.lease(WHOLE_JOURNAL, ALICE, 60))
    wait(Journal(store, NOTING).think(lease, Tick(time=NOON)))
    wait(store.close())
    newer = (*MIGRATIONS, "CREATE TABLE added (x); INSERT INTO added VALUES (7);")
    with pytest.raises(ConfigError, match="older version; `spotward run`"):
        open_to_read(tmp_path, migrations=newer)
    for _ in range(2):
        store = SqliteStore(open_to_write(tmp_path, migrations=newer))
        assert len(wait(store.pages())) == 1
        wait(store.close())
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        assert db.execute("SELECT x FROM added").fetchall() == [(7,)]


# ---- a disk that is full -------------------------------------------------------------------------------------


def test_a_full_disk_is_a_passing_trouble_and_nothing_is_half_written(tmp_path: Path) -> None:
    async def work() -> None:
        file = open_to_write(tmp_path)
        store = SqliteStore(file)
        lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
        (pages,) = file.connection.execute("PRAGMA page_count").fetchone()
        file.connection.execute(f"PRAGMA max_page_count = {pages}")
        journal = Journal(store, Core([deciding(replace(noting("x" * 100_000), undertakings=(a_swap(),)))]))
        with pytest.raises(Transient, match="full") as told:
            await journal.think(lease, Tick(time=NOON))
        assert told.value.code == STORE_UNAVAILABLE
        file.connection.execute("PRAGMA max_page_count = 100000")
        assert await store.undertakings() == ()
        await Journal(store, NOTING).think(lease, Tick(time=NOON))
        assert len(await store.pages()) == 1
        await store.close()

    wait(work())


# ---- retention -----------------------------------------------------------------------------------------------


def test_what_is_old_is_deleted_at_a_snapshot(tmp_path: Path) -> None:
    async def work() -> None:
        clock = HandClock(NOON)
        store = SqliteStore.to_write(tmp_path, clock=clock, retention=Retention(pages_seconds=1000, pages_max=10))
        lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
        ended = a_swap("swap old", ended="done", ended_time=NOON)
        decisions = (replace(noting(), undertakings=(ended, a_swap("swap open"))), noting())
        journal = Journal(store, Core([deciding(*decisions)]))
        await journal.think(lease, Tick(time=NOON))
        await journal.think(lease, *(Tick(time=NOON + 900 + n) for n in range(4)))
        await store.commit(
            lease, [], [SetAside(time=NOON, source="s", reason=str(n)) for n in range(SET_ASIDE_MAX + 5)]
        )
        await journal.think(lease, Tick(time=NOON + 1500))
        await store.snapshot(lease, journal.world, journal.next_page)
        assert [page.number for page in await store.pages()] == [6, 5, 4, 3, 2]
        assert [each.key for each in await store.undertakings()] == ["swap open"]
        assert len(await store.unreadable(limit=10_000)) == SET_ASIDE_MAX
        await journal.think(lease, *(Tick(time=NOON + 1500) for _ in range(20)))
        await store.snapshot(lease, journal.world, journal.next_page)
        assert [page.number for page in await store.pages()] == list(range(26, 16, -1))
        assert await store.pages(subject="us-east-1/web", before=17) == ()
        assert (await store.load()).next_page == 27
        await store.close()

    wait(work())


def test_great_inputs_are_kept_small_and_only_since_the_older_of_two_snapshots(tmp_path: Path) -> None:
    big = seen(*(a_group(*(f"i-{g:05}{n:05}" for n in range(20)), name=f"group-{g}") for g in range(100)))

    async def work() -> None:
        store = SqliteStore.to_write(tmp_path)
        lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
        journal = Journal(store, Core([]))
        sizes = []
        for number in range(4):
            await journal.think(lease, replace(big, time=NOON + number))
            await store.snapshot(lease, journal.world, journal.next_page)
            with sqlite3.connect(tmp_path / FILE_NAME) as db:
                sizes += db.execute("SELECT count(*), sum(length(body)) FROM inputs").fetchall()
        assert [count for count, _ in sizes] == [1, 1, 1, 1]
        assert max(size for _, size in sizes) < 80_000
        await store.close()

    wait(work())


# ---- killed at any moment ------------------------------------------------------------------------------------


def test_whatever_was_committed_is_there_after_a_kill_at_any_moment_and_the_rest_is_whole(tmp_path: Path) -> None:
    dice = random.Random(7)
    for _ in range(4):
        writer = Mortal(write_for_ever, tmp_path)
        told = [writer.word() for _ in range(dice.randrange(1, 12))]
        assert writer.ended(dice.uniform(0, 0.03)) is None
        writer.send(signal.SIGKILL)
        told += writer.words()
        assert writer.ended() == -signal.SIGKILL
        wait(_whole(tmp_path, told[-1]))


async def _whole(place: Path, last_told: int) -> None:
    store = SqliteStore.to_read(place)
    pages = await store.pages(limit=1_000_000)
    remembered = await store.load()
    last = pages[0].number
    assert last >= last_told
    assert (last - last_told) % 3 == 0, "a commit was written in part"
    assert [page.number for page in pages] == list(range(last, 0, -1))
    assert remembered.next_page == last + 1
    (swap,) = remembered.world.swaps.by_key.values()
    assert swap.desired_seen == last
    assert len(remembered.wakes) == last
    await store.close()
    assert await asyncio.to_thread(_sound, place) == [("ok",)]


def _sound(place: Path) -> list[tuple[str]]:
    with sqlite3.connect(place / FILE_NAME) as db:
        return db.execute("PRAGMA integrity_check").fetchall()


def test_the_document_about_the_journal_tells_the_limits_that_hold() -> None:
    text = (CHECKOUT / "docs" / "reference" / "journal.md").read_text()
    retention, policy = Retention(), LivePolicy()
    assert f"{retention.pages_seconds / 86_400:.0f} days, and no more than {retention.pages_max:,}" in text
    assert f"ended ones 90 days, and no more than {retention.undertakings_max:,}" in text
    assert f"the newest {retention.snapshots_kept} snapshots" in text
    assert f"every {policy.snapshot_inputs:,} inputs, every hour" in text
    assert policy.snapshot_seconds == 3600
    assert f"the newest {SET_ASIDE_MAX:,}" in text
    assert f"`{FILE_NAME}`" in text
    assert f"`{LOCK_NAME}`" in text
