"""What the journal in the cluster comes to in memory, and how it is kept small. No cluster is needed for that."""

import random
import zlib
from pathlib import Path

import pytest

from spotward.config import StoreSettings
from spotward.engine.core import Core
from spotward.engine.journal_batch import Batch
from spotward.engine.journal_file import MIGRATIONS
from spotward.engine.ports import Entry
from spotward.kube.journal_leases import ACTING_SHARE, holder_words, identity
from spotward.kube.journal_log import GRANT_SEGMENTS_KEPT
from spotward.kube.mirror import RETENTION, Mirror
from spotward.kube.records import PART_BYTES_MAX, SEGMENT, Budget, cut, head_of, new_head, packed, unpacked
from spotward.model.decision import Decision
from spotward.model.errors import ConfigError
from spotward.model.event import Tick
from spotward.model.world import World
from tests.engine.made import NOON, a_swap, deciding, noting
from tests.engine.store_contract import ALICE

ROOT = Path(__file__).parents[2]


def written(pages: int, *, page_bytes: int) -> Mirror:
    """A mirror with so many pages of noise, and a snapshot in the middle."""
    dice = random.Random(5)
    mirror = Mirror()
    world = World()
    for number in range(1, pages + 1):
        decision = noting(dice.randbytes(page_bytes // 2).hex())
        step = Core([deciding(decision)]).step(world, Tick(time=NOON + number), page_number=number)
        mirror.take(Batch(entries=(Entry(event=Tick(time=NOON + number), step=step),)))
        world = step.world
        if number == pages // 2:
            mirror.snapshot(world, number + 1)
    return mirror


def again(image: bytes) -> Mirror:
    return Mirror(zlib.decompress(image))


def test_an_image_within_its_budget_holds_everything() -> None:
    mirror = written(20, page_bytes=200)
    read = again(mirror.image(10**6))
    assert read.rows.pages(None, 100, None) == mirror.rows.pages(None, 100, None)
    assert read.rows.recording() == mirror.rows.recording()
    assert read.rows.load() == mirror.rows.load()


def test_where_an_image_is_too_great_the_recording_goes_first_and_then_the_oldest_pages() -> None:
    mirror = written(200, page_bytes=1_000)
    whole = len(mirror.image(10**9))
    without = again(mirror.image(whole - 1))
    assert len(without.rows.pages(None, 1_000, None)) == 200
    small = mirror.image(whole * 7 // 10)
    assert len(small) <= whole * 7 // 10
    kept = again(small)
    assert [page.number for page in kept.rows.pages(None, 1_000, None)] == list(range(200, 100, -1))
    assert kept.rows.recording() is None
    assert kept.rows.load().next_page == 201, "what is needed to go on is never forgotten"


def test_where_an_image_is_too_great_for_undertakings_that_ended_the_oldest_of_them_go_and_no_open_one() -> None:
    dice = random.Random(5)
    over = [
        a_swap(f"swap {n}", born=NOON + n, ended=dice.randbytes(500).hex(), ended_time=NOON + n) for n in range(200)
    ]
    decision = Decision(undertakings=(*over, a_swap("open")))
    mirror = Mirror()
    tick = Tick(time=NOON + 200)
    mirror.take(Batch(entries=(Entry(event=tick, step=Core([deciding(decision)]).step(World(), tick, page_number=1)),)))
    whole = len(mirror.image(10**9))
    small = mirror.image(whole * 7 // 10)
    assert len(small) <= whole * 7 // 10
    (*kept, opened) = again(small).rows.undertakings(None, ended=None, limit=1_000)
    assert (opened.key, len(kept)) == ("open", 100)
    assert [each.key for each in kept] == [f"swap {n}" for n in range(199, 99, -1)]


def test_an_image_of_a_newer_version_is_left_alone() -> None:
    mirror = Mirror()
    mirror.connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(ConfigError, match=r"newer version of Spotward .*store.name"):
        again(mirror.image(10**6))


def test_a_batch_that_cannot_be_written_leaves_nothing_behind() -> None:
    mirror = written(1, page_bytes=10)
    same = Core([deciding(noting())]).step(World(), Tick(time=NOON), page_number=1)
    with pytest.raises(Exception, match="UNIQUE"):
        mirror.take(Batch(entries=(Entry(event=Tick(time=NOON), step=same),)))
    assert mirror.sequence == 1
    mirror.take(Batch())
    assert mirror.sequence == 2


def test_a_head_of_a_newer_version_is_left_alone() -> None:
    head = new_head("j")
    head["metadata"]["resourceVersion"] = "1"
    assert head_of(head).image is None
    head["spec"]["format"] = 2
    with pytest.raises(ConfigError, match="newer version of Spotward"):
        head_of(head)


def test_a_payload_is_cut_so_that_each_part_fits_into_an_object() -> None:
    payload = random.Random(1).randbytes(3 * PART_BYTES_MAX + 1)
    parts = cut(payload)
    assert [len(part) for part in parts] == [PART_BYTES_MAX] * 3 + [1]
    assert b"".join(parts) == payload
    assert cut(b"") == [b""]
    assert unpacked(packed(payload)) == payload
    with pytest.raises(ConfigError, match="is damaged"):
        unpacked(payload)


def test_a_holder_is_told_as_an_operator_would_find_it() -> None:
    assert holder_words(identity(ALICE)) == "process 1 on one"
    assert holder_words("ip-10-0-0-1_0a1b") == "ip-10-0-0-1_0a1b"


def test_the_documents_tell_the_limits_that_hold() -> None:
    journal = (ROOT / "docs/reference/journal.md").read_text()
    budget = Budget()
    mib = 2**20
    assert f"90 days, and no more than {RETENTION.pages_max:,}" in journal
    assert f"ended ones 90 days, and no more than {RETENTION.undertakings_max:,}" in journal
    assert f"at most {budget.image_bytes_max // mib} MiB compressed" in journal
    assert f"at most {budget.tail_commits_max:,}, or {budget.tail_bytes_max // mib} MiB compressed" in journal
    assert f"above {budget.tail_bytes_limit // mib} MiB" in journal
    assert f"{GRANT_SEGMENTS_KEPT * SEGMENT:,} commits longer" in journal
    assert f"greater than {PART_BYTES_MAX // 1024} KiB compressed" in journal
    # Two images for a moment, and the longest tail, in base64.
    at_most = (2 * budget.image_bytes_max + budget.tail_bytes_limit) * 4 / 3 / mib
    assert f"no more than {at_most:.0f} MiB of etcd" in journal
    howto = (ROOT / "docs/howto/run-two-replicas.md").read_text()
    lease = StoreSettings().lease_seconds
    assert f"`store.lease_seconds: {lease:.0f}`, the default" in howto
    assert f"stops beginning anything after {lease * ACTING_SHARE:.0f} s; the other acts from {lease:.0f} s on" in howto
