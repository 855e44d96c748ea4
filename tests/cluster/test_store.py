"""What the store in the cluster does besides: several processes, lost answers, great commits, a bounded size."""

import asyncio
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from spotward.engine.core import Core
from spotward.engine.ports import WHOLE_JOURNAL, Entry, Lease, SetAside
from spotward.kube.journal_leases import identity
from spotward.kube.records import (
    COMMIT,
    GRANT,
    IMAGE,
    JOURNAL_LABEL,
    PART,
    PART_BYTES_MAX,
    RECORDS,
    SEGMENT,
    Budget,
)
from spotward.kube.resources import LEASES
from spotward.kube.store import KubeStore
from spotward.model.errors import ConfigError, LeaseHeld, StaleLease, Transient
from spotward.model.event import Tick
from spotward.model.world import World
from tests.cluster.control_plane import NOBODY, SPOTWARD, ControlPlane
from tests.cluster.deaf import door, store_through
from tests.cluster.room import MANIFEST, NAMESPACE, as_user, furnish, journal_of, open_store
from tests.engine.made import NOON, a_group, deciding, noting, seen
from tests.engine.store_contract import ALICE, BOB, Journal
from tests.hand_clock import HandClock

CHECKOUT = Path(__file__).parents[2]
NOTING = Core([deciding(noting())])
TTL_SECONDS = 10.0
ACTING_SECONDS = 7.0
DAY_SECONDS = 86_400.0


@dataclass
class Desk:
    """Where a test opens the stores of its one journal."""

    control_plane: ControlPlane
    name: str

    def open(self, **how: Any) -> KubeStore:
        return open_store(self.control_plane, self.name, **how)

    async def objects(self) -> dict[str, int]:
        """Role → how many there are in the cluster."""
        kube = as_user(self.control_plane)
        query = {"labelSelector": f"{JOURNAL_LABEL}={self.name}"}
        items = (await kube.json("list", RECORDS, namespace=NAMESPACE, query=query))["items"]
        kube.close()
        roles = [item["spec"]["role"] for item in items]
        return {role: roles.count(role) for role in set(roles)}


@pytest.fixture
def desk(control_plane: ControlPlane, tmp_path: Path) -> Desk:
    furnish(control_plane)
    return Desk(control_plane=control_plane, name=journal_of(tmp_path))


def play(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


def ticks(first: int, number: int) -> list[Tick]:
    return [Tick(time=NOON + first + n) for n in range(number)]


# ---- several processes ---------------------------------------------------------------------------------------


def test_whoever_was_away_while_another_wrote_and_swept_can_write_nothing(desk: Desk) -> None:
    async def work() -> None:
        watches = HandClock(NOON), HandClock(NOON)
        old, new = (desk.open(stopwatch=watch.now) for watch in watches)
        stale = await old.lease(WHOLE_JOURNAL, ALICE, TTL_SECONDS)
        journal = Journal(old, NOTING)
        await journal.think(stale, *ticks(0, 3))
        with pytest.raises(LeaseHeld):
            await new.lease(WHOLE_JOURNAL, BOB, TTL_SECONDS)
        watches[1].time += TTL_SECONDS + 1
        lease = await new.lease(WHOLE_JOURNAL, BOB, TTL_SECONDS)
        remembered = await new.load()
        assert remembered.next_page == 4
        after = Journal(new, NOTING, remembered.world, remembered.next_page)
        for first in range(2 * SEGMENT):
            await after.think(lease, *ticks(first, 1))
        await new.snapshot(lease, after.world, after.next_page)
        assert (await desk.objects())[COMMIT] < SEGMENT, "what came right after the old one's last commit is swept"
        for _ in range(2):
            with pytest.raises(StaleLease):
                await journal.think(stale, *ticks(9, 1))
        with pytest.raises(StaleLease):
            await old.snapshot(stale, journal.world, journal.next_page)
        with pytest.raises(StaleLease):
            await old.renew(stale, TTL_SECONDS)
        assert len(await old.pages(limit=1000)) == 3 + 2 * SEGMENT, "it may read all the same"
        for store in (old, new):
            await store.close()

    play(work)


def test_two_that_reach_for_it_in_the_same_moment_do_not_both_have_it(desk: Desk) -> None:
    async def work() -> None:
        stores = [desk.open() for _ in range(4)]
        owners = [replace(ALICE, instance=str(number)) for number in range(4)]
        asked = [store.lease(WHOLE_JOURNAL, owner, TTL_SECONDS) for store, owner in zip(stores, owners, strict=True)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(each, Lease) for each in found) == 1, found
        assert sum(isinstance(each, LeaseHeld) for each in found) == 3, found
        for store in stores:
            await store.close()

    play(work)


def test_clocks_that_are_a_day_apart_change_nothing(desk: Desk) -> None:
    async def work() -> None:
        watches = HandClock(NOON), HandClock(time=5.0)
        clocks = HandClock(time=NOON - DAY_SECONDS), HandClock(time=NOON + DAY_SECONDS)
        old, new = (desk.open(stopwatch=w.now, clock=c) for w, c in zip(watches, clocks, strict=True))
        lease = await old.lease(WHOLE_JOURNAL, ALICE, TTL_SECONDS)
        for _ in range(5):
            watches[0].time += 3
            watches[1].time += 3
            lease = await old.renew(lease, TTL_SECONDS)
            with pytest.raises(LeaseHeld, match=r"process 1 on one, for 10 s more unless it is renewed"):
                await new.lease(WHOLE_JOURNAL, BOB, TTL_SECONDS)
        watches[1].time += TTL_SECONDS
        assert (await new.lease(WHOLE_JOURNAL, BOB, TTL_SECONDS)).fence == lease.fence + 1
        for store in (old, new):
            await store.close()

    play(work)


def test_whoever_has_it_stops_acting_before_anybody_else_may_begin(desk: Desk) -> None:
    async def work() -> None:
        watch = HandClock(NOON)
        old, new = desk.open(stopwatch=watch.now), desk.open(stopwatch=watch.now)
        dice = random.Random(3)
        stale = await old.lease(WHOLE_JOURNAL, ALICE, TTL_SECONDS)
        granted, acted, renewed = None, [], 0.0
        begun = watch.time
        for _ in range(100):
            watch.time += dice.uniform(0.0, 1.0)
            elapsed = watch.time - begun
            if elapsed < 4:
                stale, renewed = await old.renew(stale, TTL_SECONDS), elapsed
            try:
                granted = granted or await new.lease(WHOLE_JOURNAL, BOB, TTL_SECONDS)
            except LeaseHeld:
                assert elapsed - renewed < TTL_SECONDS + 1
            if old.may_act(stale):
                acted.append(elapsed - renewed)
                assert granted is None
            if granted is not None:
                assert elapsed - renewed >= TTL_SECONDS
        assert granted is not None
        assert ACTING_SECONDS - 1 < max(acted) < ACTING_SECONDS
        for store in (old, new):
            await store.close()

    play(work)


def test_a_lease_that_was_given_back_is_free_at_once_and_another_program_s_is_respected(desk: Desk) -> None:
    async def work() -> None:
        old, new = desk.open(), desk.open()
        lease = await old.lease(WHOLE_JOURNAL, ALICE, TTL_SECONDS)
        await old.release(lease)
        second = await new.lease(WHOLE_JOURNAL, BOB, TTL_SECONDS)
        assert second.fence > lease.fence
        kube = as_user(desk.control_plane)
        spec = {"holderIdentity": "somebody-else", "leaseDurationSeconds": 40}
        await kube.json("patch", LEASES, namespace=NAMESPACE, name=desk.name, body={"spec": spec})
        with pytest.raises(StaleLease):
            await new.renew(second, TTL_SECONDS)
        with pytest.raises(LeaseHeld, match="somebody-else, for 40 s more"):
            await old.lease(WHOLE_JOURNAL, ALICE, TTL_SECONDS)
        await new.release(second)
        found = await kube.json("get", LEASES, namespace=NAMESPACE, name=desk.name)
        assert found["spec"]["holderIdentity"] == "somebody-else" != identity(BOB)
        kube.close()
        for store in (old, new):
            await store.close()

    play(work)


def test_it_can_be_read_while_another_process_writes(desk: Desk) -> None:
    async def work() -> None:
        writer, reader = desk.open(), desk.open()
        lease = await writer.lease(WHOLE_JOURNAL, ALICE, TTL_SECONDS)
        await reader.check_exists()
        journal = Journal(writer, NOTING)
        for number in range(1, 4):
            await journal.think(lease, *ticks(number, 1))
            assert len(await reader.pages()) == number
            await writer.snapshot(lease, journal.world, journal.next_page)
        assert len(await reader.pages()) == 3
        for store in (writer, reader):
            await store.close()

    play(work)


# ---- answers that do not come --------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_commit_whose_answer_was_lost_is_written_once(desk: Desk, lost: int) -> None:
    async def work() -> None:
        async with door(desk.control_plane) as between:
            store = store_through(between, desk.control_plane, desk.name)
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            entries = entries_of(3)
            between.lost = lost
            while not await is_written(store, lease, entries):
                pass
            await store.commit(lease, (), [SetAside(time=NOON, source="s", reason="the next one")])
            assert between.lost == 0
            assert (await desk.objects())[COMMIT] == 2
            reader = desk.open()
            assert [page.number for page in await reader.pages()] == [3, 2, 1]
            assert await store.pages() == await reader.pages()
            for each in (store, reader):
                await each.close()

    play(work)


async def is_written(store: KubeStore, lease: Lease, entries: list[Entry]) -> bool:
    try:
        await store.commit(lease, entries)
    except Transient:
        return False
    return True


def entries_of(number: int) -> list[Entry]:
    world = World()
    entries: list[Entry] = []
    for event in ticks(0, number):
        step = NOTING.step(world, event, page_number=len(entries) + 1)
        entries.append(Entry(event=event, step=step))
        world = step.world
    return entries


def test_a_renewal_whose_answer_was_lost_is_no_loss_of_the_lease(desk: Desk) -> None:
    async def work() -> None:
        async with door(desk.control_plane) as between:
            store = store_through(between, desk.control_plane, desk.name)
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            between.lost = 2
            with pytest.raises(Transient):
                await store.renew(lease, 60)
            lease = await store.renew(lease, 60)
            assert store.may_act(lease)
            await store.close()

    play(work)


def test_while_nobody_answers_nothing_is_written_and_it_goes_on_afterwards(desk: Desk) -> None:
    async def work() -> None:
        async with door(desk.control_plane) as between:
            store = store_through(between, desk.control_plane, desk.name)
            lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
            between.shut = True
            for _ in range(3):
                with pytest.raises(Transient):
                    await store.commit(lease, entries_of(2))
            with pytest.raises(Transient):
                await store.snapshot(lease, entries_of(1)[0].step.world, 2)
            between.shut = False
            await store.commit(lease, entries_of(2))
            assert len(await store.pages()) == 2
            await store.close()

    play(work)


def test_a_commit_that_is_cancelled_at_any_moment_leaves_a_store_that_goes_on(desk: Desk) -> None:
    async def work() -> None:
        store = desk.open()
        lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
        for number in range(40):
            aside = [SetAside(time=NOON, source="s", reason=str(number))]
            writing = asyncio.create_task(store.commit(lease, (), aside))
            await asyncio.sleep(number * 0.0005)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            if number % 10 == 9:
                lease = await store.lease(WHOLE_JOURNAL, ALICE, 60)
        await asyncio.sleep(0.5)  # what was sent and not waited for may still be written
        await store.lease(WHOLE_JOURNAL, ALICE, 60)
        other = desk.open()
        assert await store.unreadable(limit=99) == await other.unreadable(limit=99)
        for each in (store, other):
            await each.close()

    play(work)


# ---- size ----------------------------------------------------------------------------------------------------


def test_a_commit_that_is_too_great_for_one_object_is_written_in_parts(desk: Desk) -> None:
    async def work() -> None:
        store, reader = desk.open(), desk.open()
        lease = await store.lease(WHOLE_JOURNAL, ALICE, TTL_SECONDS)
        dice = random.Random(1)
        noise = dice.randbytes(2 * PART_BYTES_MAX).hex()
        await store.commit(lease, (), [SetAside(time=NOON, source="queue", reason=noise)])
        assert (await desk.objects())[PART] >= 2
        assert (await reader.unreadable())[0].reason == noise
        journal = Journal(store, NOTING)
        await store.snapshot(lease, journal.world, 1)
        assert (await desk.objects())[IMAGE] >= 2
        again = desk.open()
        assert (await again.unreadable())[0].reason == noise
        for each in (store, reader, again):
            await each.close()

    play(work)


def test_what_is_kept_is_bounded_whatever_is_written(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> None:
        budget = Budget(image_bytes_max=64 * 1024, tail_commits_max=50, tail_bytes_max=256 * 1024)
        store = desk.open(budget=budget)
        lease = await store.lease(WHOLE_JOURNAL, ALICE, 600)
        dice = random.Random(1)
        journal = Journal(store, Core([deciding(*(noting(dice.randbytes(600).hex()) for _ in range(400)))]))
        for first in range(400):
            await journal.think(lease, *ticks(first, 1))
        objects = await desk.objects()
        with capsys.disabled():
            sys.stdout.write(f"\n400 commits of 1 KB under a small budget leave {objects}\n")
        assert objects[COMMIT] <= budget.tail_commits_max + SEGMENT
        assert objects[IMAGE] <= 2
        again = desk.open()
        kept = await again.pages(limit=1000)
        assert 0 < len(kept) < 400
        assert [page.number for page in kept] == list(range(400, 400 - len(kept), -1)), "the oldest went first"
        remembered = await again.load()
        assert remembered.next_page == 401
        for each in (store, again):
            await each.close()

    play(work)


def test_many_starts_leave_few_objects(desk: Desk) -> None:
    async def work() -> None:
        for number in range(20):
            store = desk.open()
            lease = await store.lease(WHOLE_JOURNAL, replace(ALICE, instance=str(number)), TTL_SECONDS)
            remembered = await store.load()
            await store.snapshot(lease, remembered.world, remembered.next_page)
            await store.release(lease)
            await store.close()
        objects = await desk.objects()
        assert objects == {"head": 1, IMAGE: 1, GRANT: 20}

    play(work)


# ---- calls ---------------------------------------------------------------------------------------------------


def test_a_commit_is_one_call_and_takes_some_milliseconds(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> None:
        store = desk.open()
        lease = await store.lease(WHOLE_JOURNAL, ALICE, 600)
        journal = Journal(store, NOTING)
        said = []
        big = seen(*(a_group(*(f"i-{g:05}{n:05}" for n in range(20)), name=f"group-{g}") for g in range(100)))
        for what, events in (("one event", ticks(0, 1)), ("100 events", ticks(0, 100)), ("2,000 instances", [big])):
            before, took = store.calls.total(), []
            for _ in range(50):
                begun = time.perf_counter()
                await journal.think(lease, *events)
                took.append(1000 * (time.perf_counter() - begun))
            assert store.calls.total() - before == len(took)
            p99 = statistics.quantiles(took, n=100)[98]
            said.append(f"{what}: {statistics.median(took):.1f} ms a commit (p99 {p99:.0f}), 1 call")
        begun = time.perf_counter()
        await store.snapshot(lease, journal.world, journal.next_page)
        said.append(f"an image after {journal.next_page - 1} pages: {time.perf_counter() - begun:.2f} s")
        begun = time.perf_counter()
        again = desk.open()
        await again.load()
        said.append(f"a load: {time.perf_counter() - begun:.2f} s")
        with capsys.disabled():
            sys.stdout.write("\n" + "\n".join(said) + "\n")
        for each in (store, again):
            await each.close()

    play(work)


def test_every_verb_of_the_published_role_is_used_and_no_other(desk: Desk) -> None:
    async def work() -> None:
        store = desk.open(budget=Budget(tail_commits_max=SEGMENT))
        lease = await store.lease(WHOLE_JOURNAL, ALICE, TTL_SECONDS)
        journal = Journal(store, NOTING)
        for first in range(2 * SEGMENT + 2):
            await journal.think(lease, *ticks(first, 1))
        await store.renew(lease, TTL_SECONDS)
        again = desk.open()
        await again.load()
        role = next(d for d in YAML(typ="safe").load_all(MANIFEST.read_text()) if d["kind"] == "Role")
        granted = {f"{verb} {rule['resources'][0]}" for rule in role["rules"] for verb in rule["verbs"]}
        assert {*store.calls, *again.calls} == granted
        for each in (store, again):
            await each.close()

    play(work)


# ---- words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "namespace", "words"),
    [
        (NOBODY, NAMESPACE, r"cannot get resource .leases. .*grant it: deploy/journal.yaml"),
        ("admin", "nowhere", r"namespaces \"nowhere\" not found; make the namespace nowhere"),
    ],
)
def test_where_there_is_no_room_it_is_told_what_to_do(desk: Desk, user: str, namespace: str, words: str) -> None:
    async def work() -> None:
        store = desk.open(user=user, namespace=namespace)
        with pytest.raises(ConfigError, match=words):
            await store.lease(WHOLE_JOURNAL, ALICE, TTL_SECONDS)
        await store.close()

    play(work)


def test_a_reader_of_a_journal_that_is_not_there_is_told_so(desk: Desk) -> None:
    async def work() -> None:
        store = desk.open()
        with pytest.raises(
            ConfigError, match=r"there is no journal 'j\w+' in the namespace spotward; run `spotward run`"
        ):
            await store.check_exists()
        await store.close()

    play(work)


# ---- killed at any moment ------------------------------------------------------------------------------------

WRITER = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from spotward.engine.clock import SystemClock
from spotward.engine.core import Core
from spotward.engine.ports import WHOLE_JOURNAL
from spotward.engine.store import this_process
from spotward.kube.client import Kube
from spotward.kube.configuration import find_cluster
from spotward.kube.store import KubeStore
from spotward.model.decision import WakeAt
from tests.cluster.test_store import ticks
from tests.engine.made import NOON, WEB, a_swap, deciding, noting
from tests.engine.store_contract import Journal
from tests.hand_clock import HandClock

def decide(world, event):
    count = int(event.time - NOON)
    wake = WakeAt(time=event.time + 1000, subject=WEB)
    return replace(noting(f"number {count}"), undertakings=(a_swap(desired_seen=count),), wakes=(wake,))

async def main():
    kube = Kube(find_cluster(Path(sys.argv[1])), clock=SystemClock())
    owner = this_process()
    store = KubeStore(kube, namespace="spotward", name=sys.argv[2], writer=owner.instance)
    # The one before was killed, as the test knows: it is as if its lease had run out.
    lease = await store.lease(WHOLE_JOURNAL, replace(owner, instance="", pid=0), 600)
    remembered = await store.load()
    journal = Journal(store, Core([decide]), remembered.world, remembered.next_page)
    await store.snapshot(lease, journal.world, journal.next_page)
    while True:
        await journal.think(lease, *ticks(journal.next_page, 3))
        print(journal.next_page - 1, flush=True)
        if journal.next_page % 5 == 0:
            await store.snapshot(lease, journal.world, journal.next_page)

asyncio.run(main())
"""


def test_whatever_was_committed_is_there_after_a_kill_at_any_moment_and_the_rest_is_whole(desk: Desk) -> None:
    dice = random.Random(7)
    file = str(desk.control_plane.kubeconfig(SPOTWARD))
    for _ in range(6):
        command = [sys.executable, "-c", WRITER, file, desk.name]
        with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            told = [writer.stdout.readline() for _ in range(dice.randrange(1, 12))]
            time.sleep(dice.uniform(0, 0.03))
            writer.kill()
            told += writer.stdout.readlines()
        last_told = int([line for line in told if line.endswith("\n")][-1])
        asyncio.run(whole(desk, last_told))


async def whole(desk: Desk, last_told: int) -> None:
    store = desk.open()
    pages = await store.pages(limit=1_000_000)
    remembered = await store.load()
    last = pages[0].number
    assert last >= last_told
    assert (last - last_told) % 3 == 0, "a commit was written in part"
    assert [page.number for page in pages] == list(range(last, 0, -1))
    assert remembered.next_page == last + 1
    (swap,) = remembered.world.swaps.by_key.values()
    assert getattr(swap, "desired_seen", None) == last
    assert len(remembered.wakes) == last
    await store.close()
