"""The store of several processes: the journal in the cluster itself, one object for each commit.

Three things work together, and each is safe without the others:

- The log (`journal_log`) lets nobody write who does not know all that was written. So a process that lost its lease and
  does not know it yet writes nothing, whatever its clock says.
- The lease (`journal_leases`) tells who may act, in time, and lets another begin when its holder is gone.
- The mirror (`mirror`) is what the log comes to, in memory, and answers every question.

A commit is one call. What is kept in the cluster is bounded by a `Budget`: one image, and the commits since then, until
a new image takes their place.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TypeVar

import structlog

from spotward.engine.clock import SystemClock, uptime_seconds
from spotward.engine.journal_batch import Batch, batch_text, batch_value
from spotward.engine.journal_rows import Retention, Rows
from spotward.engine.ports import Clock, Entry, Lease, Owner, Recording, Remembered, SetAside
from spotward.kube.client import Kube
from spotward.kube.journal_leases import JournalLeases, Stopwatch
from spotward.kube.journal_log import STORE_UNAVAILABLE, JournalLog, Moved
from spotward.kube.mirror import RETENTION, Mirror
from spotward.kube.records import COMMIT, GRANT, Budget, Head
from spotward.model.decision import WakeAt
from spotward.model.errors import ConfigError, LeaseHeld, StaleLease, Transient
from spotward.model.page import Page
from spotward.model.undertaking import Undertaking
from spotward.model.world import World

PACKED_SHARE = 4
"""What was read is counted as a fourth of its text, about as it is kept."""

LOADS_MAX = 5
"""How often a load is begun again because the journal moved on under it."""

Answer = TypeVar("Answer")

log = structlog.get_logger()


class KubeStore:
    """`spotward.engine.ports.Store` in a cluster."""

    def __init__(
        self,
        kube: Kube,
        *,
        namespace: str,
        name: str,
        writer: str,
        clock: Clock | None = None,
        stopwatch: Stopwatch = uptime_seconds,
        budget: Budget | None = None,
        retention: Retention = RETENTION,
    ) -> None:
        """`writer`: what no other process is called. `kube` is closed with the store."""
        self._kube = kube
        self._log = JournalLog(kube, namespace=namespace, name=name, writer=writer)
        self._leases = JournalLeases(
            kube, namespace=namespace, journal=name, clock=clock or SystemClock(), stopwatch=stopwatch
        )
        self._budget = budget or Budget()
        self._retention = retention
        self._mirror: Mirror | None = None
        self._head: Head | None = None
        self._tail_bytes = 0
        """Compressed bytes of the commits since the image, as far as this process knows."""
        self._granted: dict[str, int] = {}
        """Subject → fence of what this process was given and did not give back."""
        self._lock = asyncio.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")

    @property
    def calls(self) -> Counter[str]:
        """How many calls were made of the API server, by verb and resource."""
        return self._kube.calls

    # ---- leases ----------------------------------------------------------------------------------------------

    async def lease(self, subject: str, owner: Owner, ttl_seconds: float) -> Lease:
        """See the port. Raises ConfigError too, where the cluster has no room for a journal."""
        async with self._lock:
            expires_time = await self._leases.acquire(subject, owner, ttl_seconds)
            mirror = await self._fresh(make=True)
            before = mirror.fence(subject)
            if not self._leases.may_act(subject):  # the load took long
                expires_time = await self._leases.renew(subject, ttl_seconds)
            while True:
                lease = Lease(subject=subject, owner=owner, fence=before + 1, expires_time=expires_time)
                if await self._appended(mirror, Batch(grants=(lease,)), role=GRANT):
                    self._granted[subject] = lease.fence
                    return lease
                mirror = await self._fresh()
                if mirror.fence(subject) != before:
                    raise LeaseHeld(f"the {subject} was taken by another process just now")

    async def renew(self, lease: Lease, ttl_seconds: float) -> Lease:
        """See the port. It waits for no commit that is under way."""
        self._check_granted(lease)
        expires_time = await _passing(self._leases.renew(lease.subject, ttl_seconds))
        return replace(lease, expires_time=expires_time)

    async def release(self, lease: Lease) -> None:
        """See the port."""
        if self._granted.get(lease.subject) == lease.fence:
            del self._granted[lease.subject]
            await _passing(self._leases.release(lease.subject))

    def may_act(self, lease: Lease) -> bool:
        """See the port."""
        return self._granted.get(lease.subject) == lease.fence and self._leases.may_act(lease.subject)

    def _check_granted(self, lease: Lease) -> None:
        if self._granted.get(lease.subject) != lease.fence:
            raise StaleLease(
                f"the lease number {lease.fence} on the {lease.subject} is over; this process stops acting"
            )

    # ---- writing ---------------------------------------------------------------------------------------------

    async def commit(self, lease: Lease, entries: Sequence[Entry], set_aside: Sequence[SetAside] = ()) -> None:
        """See the port. One call, if it fits into one object."""
        async with self._lock:
            self._check_granted(lease)
            mirror = self._mirror if self._mirror is not None else await _passing(self._fresh())
            batch = Batch(entries=tuple(entries), set_aside=tuple(set_aside))
            mirror.check(lease)
            await _passing(self._make_room(mirror))
            while not await _passing(self._appended(mirror, batch)):
                mirror = await _passing(self._fresh())
                mirror.check(lease)
            if self._tail_is_long(mirror):
                await self._try_to_write_image(mirror)

    async def _appended(self, mirror: Mirror, batch: Batch, *, role: str = COMMIT) -> bool:
        """Write it as the next commit; False, having written nothing, if there is a next one already."""
        text = await self._apart(partial(batch_text, batch))
        size = None
        try:
            await self._apart(partial(mirror.begin, batch))
            size = await self._log.append(mirror.sequence + 1, text, role=role)
        finally:
            if size is None:
                mirror.undo()
        if size is None:
            return False
        mirror.keep()
        self._tail_bytes += size
        return True

    async def _make_room(self, mirror: Mirror) -> None:
        """Before it is written to more: raises Transient where what is there cannot be made smaller."""
        if self._tail_bytes > self._budget.tail_bytes_limit:
            await self._write_image(mirror)

    def _tail_is_long(self, mirror: Mirror) -> bool:
        image = self._head.image if self._head is not None else None
        commits = mirror.sequence - (image.sequence if image is not None else 0)
        return commits >= self._budget.tail_commits_max or self._tail_bytes >= self._budget.tail_bytes_max

    async def snapshot(self, lease: Lease, world: World, next_page: int) -> None:
        """See the port. What was forgotten here is gone from the cluster once the image is there."""
        async with self._lock:
            self._check_granted(lease)
            mirror = await _passing(self._fresh())
            mirror.check(lease)
            await self._apart(partial(mirror.snapshot, world, next_page))
            await _passing(self._write_image(mirror))

    async def _try_to_write_image(self, mirror: Mirror) -> None:
        """The commit is written already, whatever comes of it."""
        try:
            await _passing(self._write_image(mirror))
        except Transient as error:
            log.warning("the journal in the cluster cannot be made smaller now", reason=str(error))

    async def _write_image(self, mirror: Mirror) -> None:
        payload = await self._apart(partial(mirror.image, self._budget.image_bytes_max))
        for _ in range(LOADS_MAX):
            head = self._head or await self._log.head(make=True)
            assert head is not None, "it was made"
            self._head = None  # until it is known what became of it
            if head.image is not None and head.image.sequence > mirror.sequence:
                raise StaleLease("another process has written a newer image of the journal; this one stops acting")
            self._head = await self._log.write_image(mirror.sequence, payload, head)
            if self._head is not None:
                self._tail_bytes = 0
                return
        raise Transient("the head of the journal changes all the time", code=STORE_UNAVAILABLE)

    # ---- reading ---------------------------------------------------------------------------------------------

    async def check_exists(self) -> None:
        """Raises ConfigError if nobody ever wrote this journal."""
        if await self._log.head(make=False) is None:
            raise ConfigError(
                f"there is no journal {self._log.name!r} in the namespace {self._log.namespace}; run `spotward run` "
                "with the same settings first, or correct store.namespace and store.name"
            )

    async def load(self) -> Remembered:
        """See the port."""
        return await self._read(lambda rows: rows.load())

    async def due_wakes(self, before: float) -> tuple[WakeAt, ...]:
        """See the port."""
        return await self._read(lambda rows: rows.wakes(before))

    async def pages(
        self, *, subject: str | None = None, limit: int = 100, before: int | None = None
    ) -> tuple[Page, ...]:
        """See the port."""
        return await self._read(lambda rows: rows.pages(subject, limit, before))

    async def undertakings(
        self, *, subject: str | None = None, ended: bool | None = None, limit: int = 100
    ) -> tuple[Undertaking, ...]:
        """See the port."""
        return await self._read(lambda rows: rows.undertakings(subject, ended, limit))

    async def unreadable(self, *, limit: int = 100) -> tuple[SetAside, ...]:
        """See the port."""
        return await self._read(lambda rows: rows.unreadable(limit))

    async def recording(self) -> Recording | None:
        """See the port."""
        return await self._read(lambda rows: rows.recording())

    async def close(self) -> None:
        """See the port."""
        self._kube.close()
        self._thread.shutdown()

    async def _read(self, work: Callable[[Rows], Answer]) -> Answer:
        async with self._lock:
            mirror = await self._fresh()
            return await self._apart(partial(work, mirror.rows))

    # ---- the mirror ------------------------------------------------------------------------------------------

    async def _fresh(self, *, make: bool = False) -> Mirror:
        """The mirror with all that is in the cluster now. `make`: begin a journal where there is none."""
        for _ in range(LOADS_MAX):
            self._head = await self._log.head(make=make)
            try:
                if self._mirror is None or self._is_behind(self._mirror):
                    self._mirror = await self._built(self._head)
                else:
                    await self._catch_up(self._mirror)
            except Moved:
                continue
            return self._mirror
        raise Transient("the journal moves on faster than it can be read", code=STORE_UNAVAILABLE)

    def _is_behind(self, mirror: Mirror) -> bool:
        """Are the commits that it lacks swept away already?"""
        image = self._head.image if self._head is not None else None
        return image is not None and image.sequence > mirror.sequence

    async def _built(self, head: Head | None) -> Mirror:
        image = head.image if head is not None else None
        if image is None:
            mirror = Mirror(retention=self._retention)
        else:
            content = await self._log.image(image)
            mirror = await self._apart(partial(Mirror, content, sequence=image.sequence, retention=self._retention))
        self._tail_bytes = 0
        async for text in self._log.tail(mirror.sequence):
            await self._take(mirror, text)
        return mirror

    async def _catch_up(self, mirror: Mirror) -> None:
        """Take in whatever was written after what is known."""
        while (text := await self._log.read(mirror.sequence + 1)) is not None:
            await self._take(mirror, text)

    async def _take(self, mirror: Mirror, text: bytes) -> None:
        batch = await self._apart(partial(batch_value, text))
        await self._apart(partial(mirror.take, batch))
        self._tail_bytes += len(text) // PACKED_SHARE

    async def _apart(self, work: Callable[[], Answer]) -> Answer:
        """In the store's own thread: a great observation takes a while to write. Whoever is cancelled meanwhile still
        waits for it, for the tables must not change under who comes next.
        """
        working = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            await asyncio.wait([working])
            raise


async def _passing(work: Awaitable[Answer]) -> Answer:
    """While we hold a lease, even a missing permission is a passing trouble: nothing is done until it is back."""
    try:
        return await work
    except LeaseHeld:
        raise
    except ConfigError as error:
        raise Transient(str(error), code=STORE_UNAVAILABLE) from error
