"""Who may act: coordination.k8s.io Leases, judged by what this process saw change, never by what another's clock says.

A holder renews its lease by writing. Whoever waits notes, by its own stopwatch, when it last saw the object change; if
it then does not change for as long as the holder asked for, the holder is gone. So two clocks are never compared, and
one that is a day off disturbs nobody.

A holder counts from before it sent its last successful renewal, others from after they saw it; and it stops a good
while earlier. So it has stopped before anybody else can begin, and what it had begun in that moment has time to end:

    renewal sent   may act until        may be taken
    |------------- 70 % ---------------|----- 30 % -----|
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any

from spotward.engine.ports import WHOLE_JOURNAL, Clock, Owner
from spotward.http.values import Answer
from spotward.kube.client import Json, Kube, document, message_of, refusal
from spotward.kube.records import JOURNAL_LABEL
from spotward.kube.resources import LEASES
from spotward.model.errors import ConfigError, LeaseHeld, OutsideError, StaleLease, Transient

ACTING_SHARE = 0.7
"""The part of a lease in which its holder may begin something."""

CALL_SHARE = 0.2
"""The part of a lease that one call about it may take: a renewal that hangs leaves time for another."""

CALL_SECONDS_MIN, CALL_SECONDS_MAX = 0.5, 5.0

SUBJECT, RENEWED_FROM = "spotward.io/subject", "spotward.io/renewed-from"
"""Annotations: what the lease is on; the version that was renewed."""

STORE_UNAVAILABLE = "StoreUnavailable"

Stopwatch = Callable[[], float]
"""Seconds since some moment, that go on whatever is done to the clock and while the process is stopped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A version of a lease, and since when it is known."""

    version: str
    since: float
    """By the stopwatch."""


@dataclass(kw_only=True, slots=True)
class Held:
    """A lease of ours."""

    owner: Owner
    version: str
    ttl_seconds: float
    sent: float
    """When the last successful renewal was sent, by the stopwatch."""

    @property
    def expires_time(self) -> float:
        """Nobody else can have it before."""
        return self.sent + self.ttl_seconds


class JournalLeases:
    """The lease objects of one journal."""

    def __init__(self, kube: Kube, *, namespace: str, journal: str, clock: Clock, stopwatch: Stopwatch) -> None:
        """`clock` is for those who look at the objects; only the stopwatch is ever believed."""
        self._kube, self._namespace, self._journal = kube, namespace, journal
        self._clock, self._stopwatch = clock, stopwatch
        self._seen: dict[str, Seen] = {}
        self._held: dict[str, Held] = {}

    def may_act(self, subject: str) -> bool:
        """Is it certain that nobody else was given it, and far enough from the end to begin something?"""
        held = self._held.get(subject)
        return held is not None and self._stopwatch() < held.sent + held.ttl_seconds * ACTING_SHARE

    async def acquire(self, subject: str, owner: Owner, ttl_seconds: float) -> float:
        """Take it: until when nobody else can, by the stopwatch. Raises LeaseHeld, Transient, ConfigError."""
        found = await self._find(subject, ttl_seconds)
        sent = self._stopwatch()
        if found is None:
            answer = await self._answer("create", self._new(subject, owner, ttl_seconds), None, ttl_seconds)
        else:
            self._free(subject, found, owner)
            body = {"metadata": {"resourceVersion": version_of(found)}, "spec": self._spec(owner, ttl_seconds, found)}
            answer = await self._answer("patch", body, subject, ttl_seconds)
        if answer.status == 409:
            raise LeaseHeld(f"the {subject} is just being taken by another process")
        held = Held(owner=owner, version=self._version(answer), ttl_seconds=ttl_seconds, sent=sent)
        self._note(subject, held)
        return held.expires_time

    async def renew(self, subject: str, ttl_seconds: float) -> float:
        """Until when it is ours now. Raises StaleLease, Transient."""
        held = self._held.get(subject)
        if held is None:
            raise stale(subject)
        sent = self._stopwatch()
        answer = await self._renewed(subject, held.version, ttl_seconds)
        if answer.status == 409:  # our own last renewal, whose answer did not come; or another process
            found = await self._find(subject, ttl_seconds)
            if found is None or holder_of(found) != identity(held.owner):
                del self._held[subject]
                raise stale(subject)
            answer = await self._renewed(subject, version_of(found), ttl_seconds)
        if answer.status in {404, 409}:
            del self._held[subject]
            raise stale(subject)
        held = Held(owner=held.owner, version=self._version(answer), ttl_seconds=ttl_seconds, sent=sent)
        self._note(subject, held)
        return held.expires_time

    async def release(self, subject: str) -> None:
        """Let another have it at once. What another has already is left as it is."""
        held = self._held.pop(subject, None)
        if held is None:
            return
        spec = {"holderIdentity": None, "renewTime": self._now()}
        body = {"metadata": {"resourceVersion": held.version}, "spec": spec}
        answer = await self._answer("patch", body, subject, held.ttl_seconds)
        if answer.status == 409:
            found = await self._find(subject, held.ttl_seconds)
            if found is not None and holder_of(found) == identity(held.owner):
                body["metadata"] = {"resourceVersion": version_of(found)}
                await self._answer("patch", body, subject, held.ttl_seconds)

    # ---- judging ---------------------------------------------------------------------------------------------

    def _free(self, subject: str, found: Json, owner: Owner) -> None:
        """Raises LeaseHeld unless it may be taken."""
        holder, now, version = holder_of(found), self._stopwatch(), version_of(found)
        seen = self._seen.get(subject)
        if seen is None or seen.version != version:
            seen = self._seen[subject] = Seen(version=version, since=now)
        if holder is None or holder == identity(owner):
            return
        left = seen.since + float(found["spec"].get("leaseDurationSeconds") or 0) - now
        if left > 0:
            raise LeaseHeld(
                f"the {subject} is held by {holder_words(holder)}, for {ceil(left)} s more unless it is renewed"
            )

    def _note(self, subject: str, held: Held) -> None:
        self._held[subject] = held
        self._seen[subject] = Seen(version=held.version, since=held.sent)

    # ---- objects ---------------------------------------------------------------------------------------------

    def _name(self, subject: str) -> str:
        if subject == WHOLE_JOURNAL:
            return self._journal
        return f"{self._journal}.{hashlib.blake2b(subject.encode(), digest_size=8).hexdigest()}"

    def _new(self, subject: str, owner: Owner, ttl_seconds: float) -> Json:
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {
                "name": self._name(subject),
                "labels": {JOURNAL_LABEL: self._journal},
                "annotations": {SUBJECT: subject},
            },
            "spec": self._spec(owner, ttl_seconds, None),
        }

    def _spec(self, owner: Owner, ttl_seconds: float, found: Json | None) -> Json:
        before = int((found or {}).get("spec", {}).get("leaseTransitions") or 0)
        return {
            "holderIdentity": identity(owner),
            "leaseDurationSeconds": max(1, ceil(ttl_seconds)),
            "acquireTime": self._now(),
            "renewTime": self._now(),
            "leaseTransitions": before + 1 if found is not None else 0,
        }

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    async def _renewed(self, subject: str, version: str, ttl_seconds: float) -> Answer:
        spec = {"renewTime": self._now(), "leaseDurationSeconds": max(1, ceil(ttl_seconds))}
        # A clock that stands still must not make this a change of nothing, which the server does not count as one.
        noted = {RENEWED_FROM: version}
        body = {"metadata": {"resourceVersion": version, "annotations": noted}, "spec": spec}
        return await self._answer("patch", body, subject, ttl_seconds, expected=(404,))

    async def _find(self, subject: str, ttl_seconds: float) -> Json | None:
        answer = await self._answer("get", None, subject, ttl_seconds, expected=(404,))
        return None if answer.status == 404 else document(answer, self._kube.cluster)

    def _version(self, answer: Answer) -> str:
        return version_of(document(answer, self._kube.cluster))

    async def _answer(
        self, verb: str, body: Json | None, subject: str | None, ttl_seconds: float, *, expected: tuple[int, ...] = ()
    ) -> Answer:
        """Success, 409, or what was expected. Raises Transient, ConfigError."""
        seconds = min(max(ttl_seconds * CALL_SHARE, CALL_SECONDS_MIN), CALL_SECONDS_MAX)
        try:
            answer = await self._kube.answer(
                verb,
                LEASES,
                namespace=self._namespace,
                name=None if subject is None else self._name(subject),
                body=body,
                timeout_seconds=seconds,
                urgent=True,
            )
            if answer.status >= 300 and answer.status not in {409, *expected}:
                self._refused(verb, answer)
        except OutsideError as error:
            raise Transient(f"the lease cannot be used now: {error}", code=STORE_UNAVAILABLE) from error
        return answer

    def _refused(self, verb: str, answer: Answer) -> None:
        if answer.status == 403:
            raise ConfigError(f"{message_of(answer)}; grant it: deploy/journal.yaml holds the role that is needed")
        if answer.status == 404:
            raise ConfigError(f"{message_of(answer)}; make the namespace {self._namespace}, or correct store.namespace")
        raise refusal(answer, f"{verb} {LEASES.plural}", self._kube.cluster)


# ---- reading -------------------------------------------------------------------------------------------------


def identity(owner: Owner) -> str:
    """As it stands in `holderIdentity`."""
    return f"{owner.host}/{owner.pid}/{owner.instance}"


def holder_words(holder: str) -> str:
    """How an operator would find the holder; another program's own words are left as they are."""
    host, _, rest = holder.partition("/")
    pid, _, instance = rest.partition("/")
    return Owner(host=host, pid=int(pid), instance=instance).words if pid.isdecimal() else holder


def holder_of(found: dict[str, Any]) -> str | None:
    """Who has it."""
    return found["spec"].get("holderIdentity") or None


def version_of(found: dict[str, Any]) -> str:
    """Of the object."""
    return str(found["metadata"]["resourceVersion"])


def stale(subject: str) -> StaleLease:
    """It is another's."""
    return StaleLease(f"the lease on the {subject} was taken by another process; this one stops acting")
