"""One leader among the replicas: a Lease of coordination.k8s.io/v1, as the cluster's own controllers use it.

Whoever holds the Lease writes into it every `retry_seconds`. Whoever does not looks as often, and takes it when it has
not changed for `ttl_seconds`, measured on its own stopwatch from when it first saw the last change. The times written
in the Lease are for people: no two machines need agree about the time of day, and a clock that is a minute off harms
nobody.

The holder stops acting by itself `renew_seconds` after the beginning of its last renewal that was answered. That is
sooner than anybody else may take the Lease, by `ttl_seconds - renew_seconds`, which is the room for requests that are
still on their way. Each write names the version that it was made from, so of two that reach for the Lease at the same
moment the server refuses one.

A stop that was asked for gives the Lease back: it is written without a holder, and the next to look has it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from spotward.engine.clock import uptime_seconds
from spotward.engine.ports import Clock
from spotward.kube.client import Kube, refusal, status_of
from spotward.kube.resources import LEASES
from spotward.kube.tidings import micro_time
from spotward.model.errors import ConfigError, OutsideError, Permanent

log = logging.getLogger("spotward.kube")

Stopwatch = Callable[[], float]


@dataclass(frozen=True, kw_only=True, slots=True)
class LeasePolicy:
    """How quickly a leader is replaced, and how certain it is that there are not two."""

    ttl_seconds: float = 10.0
    """How long a Lease that does not change is respected.

    With a look every two seconds and the time that a request takes, the next replica leads within 13 s of a kill.
    Shorter means a change of leader at every hiccup of the API server; whole seconds, at least 3.
    """
    renew_seconds: float = 7.0
    """How long a leader goes on acting after its last renewal. The three seconds up to the ttl are for requests that
    are on their way, and for a process that is not given the processor."""
    retry_seconds: float = 1.5
    """How often the leader renews, and the others look: a Lease that was given back is taken as soon as that."""

    def __post_init__(self) -> None:
        if self.ttl_seconds < 3 or self.ttl_seconds != int(self.ttl_seconds):
            raise ConfigError(f"lease ttl_seconds is {self.ttl_seconds:g}; give whole seconds, 3 or more")
        if not 0 < self.retry_seconds < self.renew_seconds < self.ttl_seconds:
            raise ConfigError(
                f"lease retry_seconds {self.retry_seconds:g}, renew_seconds {self.renew_seconds:g} and ttl_seconds "
                f"{self.ttl_seconds:g} must grow in this order"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What the Lease says, as one look saw it."""

    version: str
    holder: str
    """Empty: nobody."""
    transitions: int
    """How often it changed hands. The Term's fence."""


class Watchman:
    """Judges from looks alone whether the holder lives. Knows no clock but the stopwatch readings that it is given."""

    def __init__(self, ttl_seconds: float) -> None:
        self._ttl_seconds = ttl_seconds
        self._version: str | None = None
        self._changed_at = 0.0

    def free(self, seen: Record, at: float) -> bool:
        """May the Lease be taken, by what was seen up to now? `at`: the stopwatch when this look was answered.

        Not when it was begun: a look that took long may show a renewal that came after its beginning.
        """
        if seen.version != self._version:
            self._version, self._changed_at = seen.version, at
        return not seen.holder or at - self._changed_at >= self._ttl_seconds


class Term:
    """The time for which we lead. Leaving the block gives the Lease back."""

    def __init__(self, election: "Election", version: str, fence: int, renewed_at: float) -> None:
        self._election, self._version, self._renewed_at = election, version, renewed_at
        self.fence = fence
        """Higher for each change of leader."""
        self._ended = asyncio.Event()
        self._renewing: asyncio.Task[None] | None = None

    @property
    def held(self) -> bool:
        """May we act now? To be asked right before each deed: it turns false by itself when no renewal is answered."""
        return not self._ended.is_set() and self._left() > 0

    async def ended(self) -> None:
        """Returns when we must not act any more."""
        await self._ended.wait()

    async def __aenter__(self) -> Self:
        self._renewing = asyncio.create_task(self._renew())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._renewing is not None
        self._renewing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._renewing
        held = self.held
        self._ended.set()
        if held:
            await self._election.give_back(self._version)

    def _left(self) -> float:
        return self._renewed_at + self._election.policy.renew_seconds - self._election.stopwatch()

    async def _renew(self) -> None:
        """Until it cannot be had any more."""
        election = self._election
        while self._left() > 0:
            await asyncio.sleep(min(election.policy.retry_seconds, max(0.0, self._left())))
            begun = election.stopwatch()
            try:
                async with asyncio.timeout(max(0.0, self._left())):
                    version = await election.write(self._version, {"renewTime": election.now_text()})
            except (OutsideError, TimeoutError) as error:
                log.warning("the lease was not renewed", extra={"reason": str(error), "left_seconds": self._left()})
                continue
            if version is None and (version := await self._still_ours()) is None:
                break
            self._version, self._renewed_at = version, begun
        self._ended.set()

    async def _still_ours(self) -> str | None:
        """A renewal was refused: was it ours that went before, whose answer got lost, or somebody else's?"""
        with contextlib.suppress(OutsideError, TimeoutError):
            async with asyncio.timeout(max(0.0, self._left())):
                seen = await self._election.look()
                if seen is not None and seen.holder == self._election.identity and seen.transitions == self.fence:
                    return seen.version
        return None


class Election:
    """Standing for one Lease, under one name."""

    def __init__(
        self,
        kube: Kube,
        *,
        namespace: str,
        name: str,
        identity: str,
        clock: Clock,
        policy: LeasePolicy | None = None,
        stopwatch: Stopwatch = uptime_seconds,
    ) -> None:
        """`identity` must be another for every life of every replica: the pod's name and something of chance.

        The stopwatch goes on while the machine sleeps: a leader that wakes up knows that its time is over.
        """
        self.policy = policy or LeasePolicy()
        self.identity, self.stopwatch = identity, stopwatch
        self.holder = ""
        """Who held it when we last looked; empty for nobody."""
        self._kube, self._clock = kube, clock
        self._namespace, self._name = namespace, name

    async def win(self) -> Term:
        """Wait until we lead, however long that takes, API servers that go away included. Raises Permanent."""
        watchman = Watchman(self.policy.ttl_seconds)
        while True:
            try:
                if (term := await self._try(watchman)) is not None:
                    return term
            except Permanent:
                raise  # our rights do not reach, say: waiting will not change that
            except OutsideError as error:
                log.warning("the lease cannot be seen", extra={"reason": str(error)})
            await asyncio.sleep(self.policy.retry_seconds)

    async def _try(self, watchman: Watchman) -> Term | None:
        begun = self.stopwatch()
        seen = await self.look()
        if seen is None:
            version = await self._create()
            return None if version is None else Term(self, version, 0, begun)
        self.holder = seen.holder
        if not watchman.free(seen, self.stopwatch()):
            return None
        taken_at, fence = self.stopwatch(), seen.transitions + 1
        now = self.now_text()
        version = await self.write(
            seen.version,
            {"holderIdentity": self.identity, "acquireTime": now, "renewTime": now, "leaseTransitions": fence}
            | {"leaseDurationSeconds": int(self.policy.ttl_seconds)},
        )
        if version is None:
            return None
        self.holder = self.identity
        return Term(self, version, fence, taken_at)

    # ---- the Lease itself ------------------------------------------------------------------------------------

    async def look(self) -> Record | None:
        """What the Lease says; None if there is none yet. Raises OutsideError."""
        answer = await self._kube.answer("get", LEASES, namespace=self._namespace, name=self._name, urgent=True)
        if answer.status == 404:
            return None
        if answer.status >= 300:
            raise refusal(answer, "get leases", self._kube.cluster)
        said = status_of(answer)
        spec = said.get("spec") or {}
        return Record(
            version=said["metadata"]["resourceVersion"],
            holder=spec.get("holderIdentity") or "",
            transitions=int(spec.get("leaseTransitions") or 0),
        )

    async def write(self, version: str, spec: dict[str, Any]) -> str | None:
        """Write into the version that we saw. Gives the new one; None if somebody was quicker. Raises OutsideError."""
        body = {"metadata": {"resourceVersion": version}, "spec": spec}
        answer = await self._kube.answer(
            "patch", LEASES, namespace=self._namespace, name=self._name, body=body, urgent=True
        )
        if answer.status in {404, 409}:
            return None
        if answer.status >= 300:
            raise refusal(answer, "patch leases", self._kube.cluster)
        return str(status_of(answer)["metadata"]["resourceVersion"])

    async def give_back(self, version: str) -> None:
        """Write it without a holder. If that fails it runs out by itself."""
        try:
            async with asyncio.timeout(self.policy.renew_seconds):
                await self.write(version, {"holderIdentity": None, "renewTime": self.now_text()})
        except (OutsideError, TimeoutError) as error:
            log.warning("the lease was not given back; it runs out by itself", extra={"reason": str(error)})

    def now_text(self) -> str:
        """The time of day, for people."""
        return micro_time(self._clock.now())

    async def _create(self) -> str | None:
        """The first Lease of all. None if somebody was quicker."""
        now = self.now_text()
        body = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {
                "holderIdentity": self.identity,
                "leaseDurationSeconds": int(self.policy.ttl_seconds),
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": 0,
            },
        }
        answer = await self._kube.answer("create", LEASES, namespace=self._namespace, body=body, urgent=True)
        if answer.status == 409:
            return None
        if answer.status >= 300:
            raise refusal(answer, "create leases", self._kube.cluster)
        self.holder = self.identity
        return str(status_of(answer)["metadata"]["resourceVersion"])
