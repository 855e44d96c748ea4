"""The store of one process: SQLite, one file in a state directory.

All work on the file is done by one thread of its own, in the order in which it was asked for, so that the loop is never
held up by a disk. A commit is one transaction, synced to the disk before it returns (why: `journal_file`).

What is kept: pages and ended undertakings for `Retention.pages_seconds`; inputs, great ones compressed, since the
older of the newest two snapshots; memory, open undertakings and wakes as long as they hold.
"""

import asyncio
import secrets
import socket
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from os import getpid
from pathlib import Path
from typing import TypeVar

from spotward.engine.clock import SystemClock
from spotward.engine.journal_file import JournalFile, open_to_read, open_to_write
from spotward.engine.journal_leases import Leases
from spotward.engine.journal_rows import Retention, Rows, packed_world
from spotward.engine.ports import Clock, Entry, Lease, Owner, Recording, Remembered, SetAside
from spotward.model.decision import WakeAt
from spotward.model.errors import Transient
from spotward.model.page import Page
from spotward.model.undertaking import Undertaking
from spotward.model.world import World

STORE_UNAVAILABLE = "StoreUnavailable"
"""The code of the error for a file that cannot be used now."""

Answer = TypeVar("Answer")


def this_process() -> Owner:
    """Who we are, for leases."""
    return Owner(host=socket.gethostname(), pid=getpid(), instance=secrets.token_hex(4))


class SqliteStore:
    """`spotward.engine.ports.Store` in a file."""

    def __init__(self, file: JournalFile, *, clock: Clock | None = None, retention: Retention | None = None) -> None:
        self._file = file
        self._db = file.connection
        self._clock = clock or SystemClock()
        self._retention = retention or Retention()
        self._leases = Leases(self._db, host=socket.gethostname())
        self._rows = Rows(self._db)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")

    @classmethod
    def to_write(
        cls, directory: Path, *, clock: Clock | None = None, retention: Retention | None = None
    ) -> "SqliteStore":
        """The store of the one process that writes. `clock` judges leases. Raises ConfigError, LeaseHeld."""
        return cls(open_to_write(directory), clock=clock, retention=retention)

    @classmethod
    def to_read(cls, directory: Path) -> "SqliteStore":
        """The store for looking only, while another process may write. Raises ConfigError."""
        return cls(open_to_read(directory))

    async def _do(self, work: Callable[[], Answer], *, writing: bool = False) -> Answer:
        """Run as one transaction in the store's own thread; SQLite's complaints become Transient."""

        def worked() -> Answer:
            try:
                with self._transaction("IMMEDIATE" if writing else "DEFERRED"):
                    return work()
            except sqlite3.Error as error:
                raise Transient(f"the journal cannot be used now: {error}", code=STORE_UNAVAILABLE) from error

        return await asyncio.get_running_loop().run_in_executor(self._thread, worked)

    @contextmanager
    def _transaction(self, mode: str) -> Iterator[None]:
        self._db.execute(f"BEGIN {mode}")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            # A COMMIT that failed for want of room may have rolled back by itself already.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    async def close(self) -> None:
        """See the port."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._file.close)
        self._thread.shutdown()

    # ---- leases ----------------------------------------------------------------------------------------------

    async def lease(self, subject: str, owner: Owner, ttl_seconds: float) -> Lease:
        """See the port."""
        now = self._clock.now()
        return await self._do(
            lambda: self._leases.grant(subject, owner, now=now, ttl_seconds=ttl_seconds), writing=True
        )

    async def renew(self, lease: Lease, ttl_seconds: float) -> Lease:
        """See the port."""
        now = self._clock.now()
        return await self._do(lambda: self._leases.renew(lease, now=now, ttl_seconds=ttl_seconds), writing=True)

    async def release(self, lease: Lease) -> None:
        """See the port."""
        await self._do(lambda: self._leases.release(lease), writing=True)

    def may_act(self, lease: Lease) -> bool:  # noqa: ARG002 - the lock on the file tells, not the lease
        """See the port. The kernel gives the file to one process, for as long as it lives."""
        return True

    # ---- writing ---------------------------------------------------------------------------------------------

    async def commit(self, lease: Lease, entries: Sequence[Entry], set_aside: Sequence[SetAside] = ()) -> None:
        """See the port."""

        def work() -> None:
            self._leases.check(lease)
            self._rows.write(entries)
            self._rows.set_aside(set_aside)

        await self._do(work, writing=True)

    async def snapshot(self, lease: Lease, world: World, next_page: int) -> None:
        """See the port."""
        loop = asyncio.get_running_loop()
        text = await loop.run_in_executor(self._thread, packed_world, world)

        def work() -> None:
            self._leases.check(lease)
            self._rows.snapshot(text, time=world.time, next_page=next_page)
            self._rows.forget(self._retention, world.time)

        await self._do(work, writing=True)

    # ---- reading ---------------------------------------------------------------------------------------------

    async def load(self) -> Remembered:
        """See the port."""
        return await self._do(self._rows.load)

    async def due_wakes(self, before: float) -> tuple[WakeAt, ...]:
        """See the port."""
        return await self._do(lambda: self._rows.wakes(before))

    async def pages(
        self, *, subject: str | None = None, limit: int = 100, before: int | None = None
    ) -> tuple[Page, ...]:
        """See the port."""
        return await self._do(lambda: self._rows.pages(subject, limit, before))

    async def undertakings(
        self, *, subject: str | None = None, ended: bool | None = None, limit: int = 100
    ) -> tuple[Undertaking, ...]:
        """See the port."""
        return await self._do(lambda: self._rows.undertakings(subject, ended, limit))

    async def unreadable(self, *, limit: int = 100) -> tuple[SetAside, ...]:
        """See the port."""
        return await self._do(lambda: self._rows.unreadable(limit))

    async def recording(self) -> Recording | None:
        """See the port."""
        return await self._do(self._rows.recording)
