"""What the journal in the cluster comes to: the very tables of a journal file, in memory.

Both stores thus answer every question by the same code, and forget by the same rules. A mirror is made from an image
and from the commits after it, or grows with the commits that this process writes itself.
"""

import sqlite3
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from spotward.engine.journal_batch import Batch
from spotward.engine.journal_file import APPLICATION_ID, MIGRATIONS
from spotward.engine.journal_leases import Leases
from spotward.engine.journal_rows import PACK_LEVEL, Retention, Rows, packed_world
from spotward.engine.ports import Lease
from spotward.model.errors import ConfigError
from spotward.model.world import World

RETENTION = Retention(pages_max=20_000, undertakings_max=2_000)
"""All of it is in memory and, compressed, in etcd: 20,000 pages take about 20 MB there and 2 MB here; 2,000
undertakings with all the pools that they might have used, up to twice as much."""

PAGES_KEPT = (10_000, 5_000, 2_500, 1_000, 100, 0)
"""So many are left, and then fewer, while an image is too great; of undertakings that ended, as many in proportion."""


class Mirror:
    """The tables, and the number of the last commit that is in them. To be used by one thread at a time."""

    def __init__(self, image: bytes | None = None, *, sequence: int = 0, retention: Retention = RETENTION) -> None:
        """Raises ConfigError for an image of a newer version."""
        self.sequence = sequence
        self._retention = retention
        self.connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        if image is not None:
            self.connection.deserialize(image)
        self._bring_up_to_date()
        self.rows = Rows(self.connection)
        self._leases = Leases(self.connection, host="")

    def _bring_up_to_date(self) -> None:
        (version,) = self.connection.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise ConfigError(
                f"the journal in the cluster was written by a newer version of Spotward (format {version}; this one "
                f"knows {len(MIGRATIONS)}); install that version, or set store.name to another"
            )
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            header = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number};"
            self.connection.executescript(f"{script} {header}")

    # ---- a commit --------------------------------------------------------------------------------------------

    def begin(self, batch: Batch) -> None:
        """Write a batch, to be kept or undone. If it cannot be written, nothing was begun."""
        self.connection.execute("BEGIN")
        try:
            for grant in batch.grants:
                self._grant(grant)
            self.rows.write(batch.entries)
            self.rows.set_aside(batch.set_aside)
        except BaseException:
            self.undo()
            raise

    def keep(self) -> None:
        """What was begun is commit `sequence + 1`."""
        self.connection.execute("COMMIT")
        self.sequence += 1

    def undo(self) -> None:
        """What was begun, if anything was, was not written."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def take(self, batch: Batch) -> None:
        """A batch that stands in the cluster as commit `sequence + 1`."""
        self.begin(batch)
        self.keep()

    # ---- leases ----------------------------------------------------------------------------------------------

    def _grant(self, lease: Lease) -> None:
        owner = lease.owner
        row = (lease.subject, lease.fence, owner.host, owner.pid, owner.instance, lease.expires_time)
        self.connection.execute("REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?, 0)", row)

    def fence(self, subject: str) -> int:
        """Of the newest grant; 0 if there was none."""
        row = self.connection.execute("SELECT fence FROM leases WHERE subject = ?", (subject,)).fetchone()
        return int(row[0]) if row else 0

    def check(self, lease: Lease) -> None:
        """Raises StaleLease, as far as it is known here."""
        self._leases.check(lease)

    # ---- images ----------------------------------------------------------------------------------------------

    def snapshot(self, world: World, next_page: int) -> None:
        """Keep the World, and forget what is over."""
        self.rows.snapshot(packed_world(world), time=world.time, next_page=next_page)
        self._forget(self._retention)

    def image(self, bytes_max: int) -> bytes:
        """Everything, compressed, and no greater than that, as far as it may be forgotten."""
        image = self._image()
        for forget in self._ways_to_forget():
            if len(image) <= bytes_max:
                break
            forget()
            image = self._image()
        return image

    def _ways_to_forget(self) -> Iterator[Callable[[], None]]:
        """The one that is missed least comes first. What Spotward needs to go on is never forgotten."""
        most = self._retention
        yield partial(self._forget, replace(most, snapshots_kept=1))
        yield self._forget_recording
        for number in PAGES_KEPT:
            as_many = most.undertakings_max * number // most.pages_max
            yield partial(self._forget, replace(most, pages_max=number, undertakings_max=as_many))

    def _forget_recording(self) -> None:
        for table in ("inputs", "snapshots"):
            self.connection.execute(f"DELETE FROM {table}")  # noqa: S608 - both names stand here

    def _image(self) -> bytes:
        self.connection.execute("VACUUM")  # deleted rows stay in free pages, and would be sent along
        return zlib.compress(self.connection.serialize(), PACK_LEVEL)

    def _forget(self, retention: Retention) -> None:
        (now,) = self.connection.execute("SELECT coalesce(max(value), 0) FROM meta WHERE name = 'time'").fetchone()
        self.rows.forget(retention, now)
