"""The time for which this process may act: the lease on the journal, waited for, renewed, and given back.

Three limits keep two processes from ever acting at once. A holder renews often; when that fails for a while it stops
beginning anything (`Leasing.may_act`), well before the lease is over; and nobody else is given it before that. A holder
that could not renew and then can, finds by the same call that nobody else had it, and goes on as if nothing had been.

Whoever does not hold it writes nothing either, but for another reason: the store's fence, which knows no time.
"""

import asyncio
from contextlib import suppress
from time import perf_counter

import structlog

from spotward.engine.live_policy import LivePolicy
from spotward.engine.ports import WHOLE_JOURNAL, Hands, Lease, Leasing, Owner
from spotward.model.action import Action
from spotward.model.errors import LeaseHeld, Transient
from spotward.model.event import Event

RENEWALS = 5
"""A lease is renewed so many times in its length."""

RETRIES = 20
"""And where that failed, tried again so many times in its length."""

log = structlog.get_logger()


class Tenure:
    """One process's turn."""

    def __init__(self, store: Leasing, owner: Owner, policy: LivePolicy) -> None:
        self.standby: str | None = None
        """Why we do not act and wait for the lease: who has it, or why it cannot be asked for. None when it is ours."""
        self.trouble: str | None = None
        """Why the lease cannot be asked for or renewed now, or None."""
        self._store, self._owner, self._policy = store, owner, policy
        self._lease: Lease | None = None
        self._renewed = asyncio.Event()

    @property
    def acting(self) -> bool:
        """May a deed be begun now? It may be asked from any thread."""
        return self._lease is not None and self._store.may_act(self._lease)

    async def begin(self) -> Lease:
        """Take the lease, waiting for it as the policy says. Raises LeaseHeld or Transient when it waits no longer."""
        pause, begun = self._policy.standby_seconds, perf_counter()
        while True:
            try:
                self._lease = await self._store.lease(WHOLE_JOURNAL, self._owner, self._policy.lease_seconds)
            except (LeaseHeld, Transient) as error:
                if pause is None or perf_counter() - begun >= self._policy.standby_seconds_max:
                    raise
                self._stand_by(error)
                await asyncio.sleep(pause)
            else:
                if self.standby is not None:
                    log.info("acting from now on", fence=self._lease.fence)
                self.standby = self.trouble = None
                return self._lease

    def _stand_by(self, error: LeaseHeld | Transient) -> None:
        trouble = None if isinstance(error, LeaseHeld) else str(error)
        if self.standby is None or (trouble is None) != (self.trouble is None):
            log.info("standing by", reason=str(error))
        self.standby, self.trouble = str(error), trouble

    async def keep(self) -> None:
        """Renew for ever. Raises StaleLease once another process was given it."""
        assert self._lease is not None, "begin() comes first"
        length = self._policy.lease_seconds
        pause = length / RENEWALS
        while True:
            await asyncio.sleep(pause)
            try:
                self._lease = await self._store.renew(self._lease, length)
            except Transient as error:
                log.warning("the lease could not be renewed now", reason=str(error), acting=self.acting)
                self.trouble, pause = str(error), length / RETRIES
            else:
                self.trouble, pause = None, length / RENEWALS
                self._renewed.set()

    async def may_act(self) -> None:
        """Return as soon as a deed may be begun."""
        while not self.acting:
            self._renewed.clear()
            await self._renewed.wait()

    async def end(self) -> None:
        """Let another have it at once, if it is still ours."""
        if self._lease is not None:
            with suppress(Transient):
                await self._store.release(self._lease)


class TiedHands:
    """Hands that begin a deed only while this process may act; a question may always be asked."""

    def __init__(self, hands: Hands, tenure: Tenure) -> None:
        self._hands, self._tenure = hands, tenure

    async def do(self, action: Action, attempt: int) -> Event:
        """See the port. Waits for its turn; if that never comes again, it is cancelled before it was begun."""
        if action.mutates:
            await self._tenure.may_act()
        return await self._hands.do(action, attempt)
