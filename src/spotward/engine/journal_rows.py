"""The rows of a journal file: how entries, memory and snapshots are written into its tables and read again."""

import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spotward.engine.codec import (
    DOOMS,
    EVENTS,
    NAMES,
    PAGES,
    PAUSES,
    POOL_KEYS,
    POOLS,
    TURNS,
    UNDERTAKINGS,
    VERDICTS,
    WISHES,
    Codec,
    world_text,
    world_value,
)
from spotward.engine.memory import Change, remembered
from spotward.engine.ports import Entry, Input, Recording, Remembered, SetAside
from spotward.model.decision import WakeAt
from spotward.model.page import Page
from spotward.model.undertaking import Undertaking
from spotward.model.world import World

PACKED_ABOVE_BYTES = 2_048
"""Inputs longer than this are compressed: the observation of a region shrinks to a fiftieth."""

PACK_LEVEL = 3
"""zlib's level: 3.5 MB of instances take 11 ms; the best level takes ten times as long for a third less."""

SET_ASIDE_MAX = 1_000
"""How many unreadable messages are kept; the oldest go first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """How long what is over is kept."""

    pages_seconds: float = 90 * 86_400.0
    """Pages and ended undertakings older than this are deleted. Ninety days: a quarter's bill can be explained."""

    pages_max: int = 200_000
    """And no more pages than this: about 200 MB."""

    undertakings_max: int = 20_000
    """And no more ended undertakings than this: a swap with all the pools that it might have used takes some 20 KB."""

    snapshots_kept: int = 2
    """Replay can start from any of them; the inputs before the oldest are deleted."""


@dataclass(frozen=True, slots=True)
class Family:
    """One map of the memory: its name in `Change` and in the World, and how its keys and values are written."""

    name: str
    keys: Codec[Any]
    values: Codec[Any]


FAMILIES = (
    Family("wishes", NAMES, WISHES),
    Family("launches", NAMES, WISHES),
    Family("pools", POOL_KEYS, POOLS),
    Family("dooms", NAMES, DOOMS),
    Family("pauses", NAMES, PAUSES),
    Family("turns", NAMES, TURNS),
    Family("verdicts", NAMES, VERDICTS),
)


class Rows:
    """Reading and writing, each call inside a transaction of its caller's."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    # ---- writing ---------------------------------------------------------------------------------------------

    def write(self, entries: Sequence[Entry]) -> None:
        """Events, and all that each led to."""
        for entry in entries:
            self._write_entry(entry)
        if entries:
            self._set_meta("time", entries[-1].step.change.time)
            pages = [entry.step.page.number for entry in entries if entry.step.page is not None]
            if pages:
                self._set_meta("next_page", pages[-1] + 1)

    def _write_entry(self, entry: Entry) -> None:
        step = entry.step
        self._write_input(entry)
        if step.page is not None:
            self._write_page(step.page)
        for undertaking in step.undertakings:
            self._write_undertaking(undertaking)
        self._write_change(step.change)
        woken = [(wake.time, wake.subject) for wake in entry.woken]
        self._db.executemany("DELETE FROM wakes WHERE time = ? AND subject = ?", woken)
        wakes = [(wake.time, wake.subject) for wake in step.wakes]
        self._db.executemany("INSERT OR IGNORE INTO wakes VALUES (?, ?)", wakes)

    def _write_input(self, entry: Entry) -> None:
        text = EVENTS.text(entry.event)
        packed = len(text) > PACKED_ABOVE_BYTES
        body = zlib.compress(text, PACK_LEVEL) if packed else text
        number = entry.step.page.number if entry.step.page else None
        query = "INSERT INTO inputs (time, kind, page, packed, body) VALUES (?, ?, ?, ?, ?)"
        self._db.execute(query, (entry.event.time, entry.event.kind, number, packed, body))

    def _write_page(self, page: Page) -> None:
        self._db.execute("INSERT INTO pages VALUES (?, ?, ?)", (page.number, page.time, PAGES.text(page).decode()))
        rows = [(subject, page.number) for subject in page.subjects]
        self._db.executemany("INSERT OR IGNORE INTO page_subjects VALUES (?, ?)", rows)

    def _write_undertaking(self, undertaking: Undertaking) -> None:
        kind = undertaking.kind
        ended_time = None if undertaking.ended is None else undertaking.ended_time or 0.0
        body = UNDERTAKINGS[kind].text(undertaking).decode()
        row = (undertaking.key, kind, undertaking.subject, undertaking.born, ended_time, body)
        self._db.execute("REPLACE INTO undertakings VALUES (?, ?, ?, ?, ?, ?)", row)

    def _write_change(self, change: Change) -> None:
        for family in FAMILIES:
            self._write_family(family, getattr(change, family.name))

    def _write_family(self, family: Family, changes: Mapping[Any, Any]) -> None:
        for key, value in changes.items():
            name = (family.name, family.keys.text(key).decode())
            if value is None:
                self._db.execute("DELETE FROM memory WHERE family = ? AND key = ?", name)
            else:
                self._db.execute("REPLACE INTO memory VALUES (?, ?, ?)", (*name, family.values.text(value).decode()))

    def set_aside(self, every: Iterable[SetAside]) -> None:
        """Keep what could not be read. It may hold what cannot be written either: half a surrogate pair."""
        rows = [(each.time, each.source, printable(each.reason)) for each in every]
        self._db.executemany("INSERT INTO set_aside (time, source, reason) VALUES (?, ?, ?)", rows)

    def _set_meta(self, name: str, value: float) -> None:
        self._db.execute("REPLACE INTO meta VALUES (?, ?)", (name, value))

    def _meta(self, name: str, default: float) -> float:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return float(row[0]) if row else default

    # ---- reading ---------------------------------------------------------------------------------------------

    def load(self) -> Remembered:
        """What a process starts from."""
        rows = self._db.execute("SELECT kind, body FROM undertakings WHERE ended_time IS NULL").fetchall()
        world = remembered(
            time=self._meta("time", 0.0),
            undertakings=[UNDERTAKINGS[kind].value(body) for kind, body in rows],
            **{family.name: self._family(family) for family in FAMILIES},
        )
        return Remembered(world=world, next_page=int(self._meta("next_page", 1)), wakes=self.wakes(float("inf")))

    def _family(self, family: Family) -> dict[Any, Any]:
        rows = self._db.execute("SELECT key, body FROM memory WHERE family = ?", (family.name,)).fetchall()
        return {family.keys.value(key): family.values.value(body) for key, body in rows}

    def wakes(self, before: float) -> tuple[WakeAt, ...]:
        """Wakes not fulfilled yet, up to a time, earliest first."""
        query = "SELECT time, subject FROM wakes WHERE time <= ? ORDER BY time, subject"
        return tuple(WakeAt(time=time, subject=subject) for time, subject in self._db.execute(query, (before,)))

    def pages(self, subject: str | None, limit: int, before: int | None) -> tuple[Page, ...]:
        """Pages, newest first."""
        last = 2**62 if before is None else before
        if subject is None:
            query = "SELECT body FROM pages WHERE number < ? ORDER BY number DESC LIMIT ?"
            rows = self._db.execute(query, (last, limit)).fetchall()
        else:
            query = (
                "SELECT body FROM page_subjects JOIN pages ON number = page WHERE subject = ? AND page < ? "
                "ORDER BY page DESC LIMIT ?"
            )
            rows = self._db.execute(query, (subject, last, limit)).fetchall()
        return tuple(PAGES.value(body) for (body,) in rows)

    def undertakings(self, subject: str | None, ended: bool | None, limit: int) -> tuple[Undertaking, ...]:
        """Undertakings, the youngest first."""
        query = (
            "SELECT kind, body FROM undertakings WHERE (:subject IS NULL OR subject = :subject) "
            "AND (:ended IS NULL OR (ended_time IS NOT NULL) = :ended) ORDER BY born DESC, key LIMIT :limit"
        )
        rows = self._db.execute(query, {"subject": subject, "ended": ended, "limit": limit}).fetchall()
        return tuple(UNDERTAKINGS[kind].value(body) for kind, body in rows)

    def unreadable(self, limit: int) -> tuple[SetAside, ...]:
        """What was set aside, newest first."""
        rows = self._db.execute("SELECT time, source, reason FROM set_aside ORDER BY id DESC LIMIT ?", (limit,))
        return tuple(SetAside(time=time, source=source, reason=reason) for time, source, reason in rows)

    # ---- snapshots and replay --------------------------------------------------------------------------------

    def snapshot(self, text: bytes, *, time: float, next_page: int) -> None:
        """Keep a World after the last input."""
        query = (
            "REPLACE INTO snapshots VALUES (max((SELECT coalesce(max(seq), 0) FROM inputs), "
            "(SELECT coalesce(max(after_seq), 0) FROM snapshots)), ?, ?, ?)"
        )
        self._db.execute(query, (time, next_page, text))

    def forget(self, retention: Retention, now: float) -> None:
        """Delete what the retention no longer wants."""
        query = "SELECT after_seq FROM snapshots ORDER BY after_seq DESC LIMIT 1 OFFSET ?"
        oldest = self._db.execute(query, (retention.snapshots_kept - 1,)).fetchone()
        if oldest is not None:
            self._db.execute("DELETE FROM snapshots WHERE after_seq < ?", oldest)
            self._db.execute("DELETE FROM inputs WHERE seq <= ?", oldest)
        too_old = now - retention.pages_seconds
        (last,) = self._db.execute("SELECT coalesce(max(number), 0) FROM pages WHERE time < ?", (too_old,)).fetchone()
        first = max(last + 1, int(self._meta("next_page", 1)) - retention.pages_max)
        self._db.execute("DELETE FROM page_subjects WHERE page < ?", (first,))
        self._db.execute("DELETE FROM pages WHERE number < ?", (first,))
        self._db.execute("DELETE FROM undertakings WHERE ended_time < ?", (too_old,))
        query = (
            "DELETE FROM undertakings WHERE key IN (SELECT key FROM undertakings WHERE ended_time IS NOT NULL "
            "ORDER BY ended_time DESC, key LIMIT -1 OFFSET ?)"
        )
        self._db.execute(query, (retention.undertakings_max,))
        self._db.execute("DELETE FROM set_aside WHERE id <= (SELECT max(id) FROM set_aside) - ?", (SET_ASIDE_MAX,))

    def recording(self) -> Recording | None:
        """The newest snapshot with inputs after it, or the newest of all, and the inputs."""
        query = (
            "SELECT after_seq, next_page, body FROM snapshots ORDER BY "
            "EXISTS (SELECT 1 FROM inputs WHERE seq > after_seq) DESC, after_seq DESC LIMIT 1"
        )
        snapshot = self._db.execute(query).fetchone()
        if snapshot is None:
            return None
        after, next_page, body = snapshot
        query = (
            "SELECT packed, inputs.body, pages.body FROM inputs LEFT JOIN pages ON number = page "
            "WHERE seq > ? ORDER BY seq"
        )
        rows = self._db.execute(query, (after,)).fetchall()
        return Recording(
            world=world_value(zlib.decompress(body)),
            next_page=next_page,
            inputs=tuple(
                Input(
                    event=EVENTS.value(zlib.decompress(event) if packed else event),
                    page=PAGES.value(page) if page else None,
                )
                for packed, event, page in rows
            ),
        )


def printable(text: str) -> str:
    """The text as it can be written: half a surrogate pair becomes its number."""
    return text.encode("utf-8", "backslashreplace").decode()


def packed_world(world: World) -> bytes:
    """A World as a snapshot holds it."""
    return zlib.compress(world_text(world), PACK_LEVEL)
