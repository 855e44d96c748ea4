"""One process's door to one API server: calls in RBAC's words, counted, with errors in ours.

`Kube.answer` gives what the server said, whatever it said, for those who know what to make of each status. `Kube.json`
is for those who want the thing itself: everything but success is an OutsideError.

When the server says that we ask too much (429 of its own fairness, not of a budget), every request of this process
waits for as long as it was told: the server knows how busy it is, and a client whose one half backs off while the other
goes on has not backed off. A lease's renewal does not wait, nor queue behind a storm's evictions (`urgent`): who
waits there loses the lead and stops everything.

A server that was away and has just begun forbids everything until it has read its roles (Kubernetes 1.36: for up to a
second). Right after an outage a refusal for want of rights is therefore no answer yet, and asked for again.
"""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from spotward.engine.ports import Clock
from spotward.http.values import Answer, Request
from spotward.kube.configuration import Cluster
from spotward.kube.credentials import Credentials
from spotward.kube.resources import METHODS, Resource
from spotward.kube.wire import REQUESTS_AT_ONCE_MAX, Stream, Wire
from spotward.model.errors import OutsideError, Permanent, Transient

FIELD_MANAGER = "spotward"
"""Under this name the API server notes what we changed (`metadata.managedFields`)."""

CALL_SECONDS_MAX = 15.0
"""How long one call may take. The eviction API itself gives up after ten seconds of contention."""

LIST_SECONDS_MAX = 60.0
"""How long one page of a list may take."""

PAUSE_SECONDS_DEFAULT = 1.0
"""How long to wait after a 429 that names no time."""

PAUSE_SECONDS_MAX = 30.0
"""How long to wait at most, whatever the server says: nodes have minutes, not hours."""

BEGINNING_SECONDS_MAX = 30.0
"""So long after it could last not be reached a server may not know our rights yet."""

QUOTED_MAX = 300
"""No message quotes more characters of what the server sent."""

MERGE_PATCH = "application/merge-patch+json"

Json = dict[str, Any]


class Kube:
    """One API server, for one process: safe to share between tasks."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        clock: Clock,
        listener: Callable[[str], None] | None = None,
        requests_at_once_max: int = REQUESTS_AT_ONCE_MAX,
    ) -> None:
        """`listener` hears of each call, such as `create pods/eviction`, before it is sent."""
        self.cluster = cluster
        self.calls: Counter[str] = Counter()
        """How many calls were made, by verb and resource. A watch is one call each time that it is begun."""
        self.slowed: Counter[str] = Counter()
        """Calls that the server answered with "too many requests", by verb and resource."""
        self._wire = Wire(cluster, requests_at_once_max=requests_at_once_max)
        self._credentials = Credentials(cluster.identity, origin=cluster.origin, clock=clock)
        self._listener = listener
        self._paused_until = 0.0
        """By the stopwatch."""

    async def answer(
        self,
        verb: str,
        resource: Resource,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        timeout_seconds: float = CALL_SECONDS_MAX,
        urgent: bool = False,
    ) -> Answer:
        """What the server says, whatever it says. Raises OutsideError if it says nothing or has only just begun,
        ConfigError if we have nothing to show it.
        """
        asked = dict(query or {})
        if verb in {"create", "patch"}:
            asked.setdefault("fieldManager", FIELD_MANAGER)
        target = resource.path(namespace=namespace, name=name, subresource=subresource, query=asked)
        if not urgent:
            await self._pause()
        self._count(call_name(verb, resource, subresource))
        answer = await self._send(verb, target, body, timeout_seconds, urgent=urgent)
        if answer.status == 401 and self._credentials.forget():
            answer = await self._send(verb, target, body, timeout_seconds, urgent=urgent)
        if answer.status == 429 and not budget_caused(answer):
            self.slowed[call_name(verb, resource, subresource)] += 1
            self.pause(retry_after_seconds(answer) or PAUSE_SECONDS_DEFAULT)
        self._check_begun(answer, call_name(verb, resource, subresource))
        return answer

    async def json(
        self,
        verb: str,
        resource: Resource,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        timeout_seconds: float = CALL_SECONDS_MAX,
        urgent: bool = False,
    ) -> Json:
        """The thing itself. Raises OutsideError; its `code` is the server's own `reason`, such as NotFound."""
        answer = await self.answer(
            verb,
            resource,
            namespace=namespace,
            name=name,
            subresource=subresource,
            query=query,
            body=body,
            timeout_seconds=timeout_seconds,
            urgent=urgent,
        )
        if answer.status >= 300:
            raise refusal(answer, call_name(verb, resource, subresource), self.cluster)
        return document(answer, self.cluster)

    @contextlib.asynccontextmanager
    async def stream(
        self, resource: Resource, *, namespace: str | None, query: Mapping[str, str]
    ) -> AsyncIterator[Stream]:
        """A watch's answer. Raises OutsideError, also from within the block when the connection ends."""
        target = resource.path(namespace=namespace, query=dict(query))
        await self._pause()
        self._count(call_name("watch", resource, None))
        request = Request(method="GET", target=target, headers=await self._headers(None))
        async with self._wire.stream(request, CALL_SECONDS_MAX) as stream:
            if stream.status == 401:
                self._credentials.forget()
            if stream.status >= 300:
                answer = await stream.read()
                if answer.status == 429:
                    self.pause(retry_after_seconds(answer) or PAUSE_SECONDS_DEFAULT)
                self._check_begun(answer, call_name("watch", resource, None))
                raise refusal(answer, call_name("watch", resource, None), self.cluster)
            yield stream

    async def version(self) -> str:
        """The server's version, such as `v1.36.3`: the cheapest way to learn whether it can be reached and lets us in.

        Raises OutsideError or ConfigError, in words that name where we looked.
        """
        answer = await self._send("get", "/version", None, CALL_SECONDS_MAX)
        if answer.status >= 300:
            raise refusal(answer, "get /version", self.cluster)
        return str(document(answer, self.cluster).get("gitVersion", "unknown"))

    def pause(self, seconds: float) -> None:
        """No call that is not urgent begins for so long, at most PAUSE_SECONDS_MAX."""
        until = time.perf_counter() + min(max(seconds, 0.0), PAUSE_SECONDS_MAX)
        self._paused_until = max(self._paused_until, until)

    def close(self) -> None:
        """Let go of all connections that are idle."""
        self._wire.close()

    # ---- within ----------------------------------------------------------------------------------------------

    async def _pause(self) -> None:
        while (left := self._paused_until - time.perf_counter()) > 0:  # noqa: ASYNC110 - it may grow while we wait
            await asyncio.sleep(left)

    def _check_begun(self, answer: Answer, call: str) -> None:
        """Raises Transient for a refusal that may only mean that the server does not know its roles yet."""
        if wants_rights(answer) and self._wire.seconds_since_failure < BEGINNING_SECONDS_MAX:
            raise Transient(f"{call}: the API server was away and may not know our rights yet", code="Beginning")

    async def _send(
        self, verb: str, target: str, body: Json | None, timeout_seconds: float, *, urgent: bool = False
    ) -> Answer:
        content = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = await self._headers(None if body is None else verb)
        request = Request(method=METHODS[verb], target=target, headers=headers, body=content)
        return await self._wire.ask(request, timeout_seconds, urgent=urgent)

    async def _headers(self, verb: str | None) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": FIELD_MANAGER}
        if verb is not None:
            headers["Content-Type"] = MERGE_PATCH if verb == "patch" else "application/json"
        if (authorization := await self._credentials.header()) is not None:
            headers["Authorization"] = authorization
        return headers

    def _count(self, name: str) -> None:
        self.calls[name] += 1
        if self._listener is not None:
            self._listener(name)


# ---- reading answers -----------------------------------------------------------------------------------------


def call_name(verb: str, resource: Resource, subresource: str | None) -> str:
    """`create pods/eviction`, as RBAC would say it."""
    return f"{verb} {resource.plural}/{subresource}" if subresource else f"{verb} {resource.plural}"


def status_of(answer: Answer) -> Json:
    """The `Status` object of an answer, or an empty one: fairness and proxies answer in plain text."""
    with contextlib.suppress(ValueError):
        said = json.loads(answer.body)
        if isinstance(said, dict):
            return said
    return {}


def causes_of(status: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """`details.causes`."""
    return tuple((status.get("details") or {}).get("causes") or ())


def budget_caused(answer: Answer) -> bool:
    """Is it a disruption budget that says "too many", and not the server's fairness?"""
    return any(cause.get("reason") == "DisruptionBudget" for cause in causes_of(status_of(answer)))


def wants_rights(answer: Answer) -> bool:
    """Is it refused because our roles do not allow it, and not by a rule about the thing itself?"""
    return answer.status == 403 and " cannot " in message_of(answer) and not causes_of(status_of(answer))


def retry_after_seconds(answer: Answer) -> float:
    """When to ask again, from the body or the header; 0 if neither says so."""
    said = (status_of(answer).get("details") or {}).get("retryAfterSeconds") or answer.headers.get("retry-after") or 0
    try:
        return max(0.0, float(said))
    except (TypeError, ValueError):  # a proxy may write a date there
        return PAUSE_SECONDS_DEFAULT


def message_of(answer: Answer) -> str:
    """What the server said, for a person."""
    said = status_of(answer).get("message") or answer.body.decode(errors="replace")
    return " ".join(str(said).split())[:QUOTED_MAX]


def refusal(answer: Answer, call: str, cluster: Cluster) -> OutsideError:
    """An answer other than success, as an error: may trying again help, and who can do something?"""
    status = status_of(answer)
    code = str(status.get("reason") or answer.status)
    said = f"{call}: {message_of(answer)}"
    match answer.status:
        case 401:
            hint = f"renew the credentials of {cluster.origin}"
            return Transient(f"{call}: the API server does not know us; {hint}", code="Unauthorized")
        case 403 if not causes_of(status):
            return Permanent(f"{said}; grant it: deploy/clusterrole.yaml holds all that is needed", code=code)
        case 409 | 410 | 425:
            return Transient(said, code=code)
        case 429 | 408 | 500 | 502 | 503 | 504:
            return Transient(said, code=code, retry_after_seconds=retry_after_seconds(answer))
        case _:
            return Permanent(said, code=code)


def document(answer: Answer, cluster: Cluster) -> Json:
    """An answer's body. Raises Permanent if it is no JSON object: whoever answered is no API server."""
    with contextlib.suppress(ValueError):
        said = json.loads(answer.body)
        if isinstance(said, dict):
            return said
    quoted = answer.body[:80].decode(errors="replace")
    raise Permanent(
        f"{cluster.server} answers, but not as an API server does ({quoted!r}); correct the server in {cluster.origin}",
        code="NotKubernetes",
    )
