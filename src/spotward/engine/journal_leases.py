"""The leases of a journal file: who may write, and the fence that shuts out whoever could before."""

import sqlite3

from spotward.engine.ports import Lease, Owner
from spotward.model.errors import LeaseHeld, StaleLease
from spotward.model.units import moment


class Leases:
    """The table of leases. Every method runs inside a transaction of its caller's."""

    def __init__(self, db: sqlite3.Connection, *, host: str) -> None:
        self._db = db
        self._host = host
        self._granted: set[tuple[str, int]] = set()
        """(subject, fence) of what this process gave out."""

    def grant(self, subject: str, owner: Owner, *, now: float, ttl_seconds: float) -> Lease:
        """A new lease with the next fence. Raises LeaseHeld."""
        query = "SELECT fence, host, pid, instance, expires_time, released FROM leases WHERE subject = ?"
        row = self._db.execute(query, (subject,)).fetchone()
        fence = 0
        if row is not None:
            fence, host, pid, instance, expires_time, released = row
            holder = Owner(host=host, pid=pid, instance=instance)
            if not released and holder != owner and expires_time > now and not self._dead(subject, fence, holder):
                raise LeaseHeld(
                    f"the {subject} is held by {holder.words} until {moment(expires_time)}; "
                    "stop that process, or wait until then"
                )
        lease = Lease(subject=subject, owner=owner, fence=fence + 1, expires_time=now + ttl_seconds)
        values = (subject, lease.fence, owner.host, owner.pid, owner.instance, lease.expires_time)
        self._db.execute("REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?, 0)", values)
        self._granted.add((subject, lease.fence))
        return lease

    def _dead(self, subject: str, fence: int, holder: Owner) -> bool:
        """We have the lock of the file: whoever wrote a lease on this machine, and was not given it by us, is dead."""
        return holder.host == self._host and (subject, fence) not in self._granted

    def renew(self, lease: Lease, *, now: float, ttl_seconds: float) -> Lease:
        """The same lease for longer. Raises StaleLease."""
        self.check(lease)
        expires_time = now + ttl_seconds
        self._db.execute("UPDATE leases SET expires_time = ? WHERE subject = ?", (expires_time, lease.subject))
        return Lease(subject=lease.subject, owner=lease.owner, fence=lease.fence, expires_time=expires_time)

    def release(self, lease: Lease) -> None:
        """Give it up, if it is still ours. The row stays, because its fence must never come again."""
        query = "UPDATE leases SET released = 1 WHERE subject = ? AND fence = ?"
        self._db.execute(query, (lease.subject, lease.fence))

    def check(self, lease: Lease) -> None:
        """Raises StaleLease unless the lease is the newest of its subject and was not released."""
        query = "SELECT fence FROM leases WHERE subject = ? AND NOT released"
        row = self._db.execute(query, (lease.subject,)).fetchone()
        if row is None or row[0] != lease.fence:
            raise StaleLease(f"the lease number {lease.fence} on the {lease.subject} is over; this process stops")
