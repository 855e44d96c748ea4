"""Plugins that are no gRPC servers: a CloudEvent by POST, a Lambda function, an Fn function.

All are sent a structured CloudEvent 1.0 (Fn: the labels, as Hollowtrees did it). What belongs to the step goes along
as extension attributes: `idempotencykey`, `flow`, `step`, `attempt`, `dryrun`, and as JSON text `properties` and
`earlier`. The answer may be empty, which is done, or a JSON object with `status` (done, ignored, failed, refused),
`text`, `output`, `retry_after_seconds`.
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from spotward.model.errors import Permanent, Transient
from spotward.model.units import timestamp
from spotward.plugins.host.papers import renewed, token
from spotward.plugins.host.settings import PluginSettings, Speaks, Trust
from spotward.plugins.host.speakers import Listener, Missed
from spotward.plugins.sdk.call import Answer, Call, Json, Problem, Status, done, failed, refused

if TYPE_CHECKING:
    import httpx

Invoke = Callable[[str, bytes, float], Awaitable[tuple[bytes, bool]]]
"""Run a Lambda function: (name or ARN, payload, seconds) -> (what it returned, whether it failed). Raises
OutsideError."""

JSON = "application/json"
STRUCTURED = "application/cloudevents+json; charset=utf-8"

ANSWER_BYTES_MAX = 1024 * 1024
"""A longer answer is refused."""

COME_AGAIN = frozenset({408, 425, 429})
"""Of the statuses that blame the caller, those that may change by themselves."""

AWAY = frozenset({502, 503, 504})
"""Somebody before the plugin says that it is not there."""


class ByHttp:
    """A POST: a CloudEvent, or for Fn the labels."""

    def __init__(self, settings: PluginSettings) -> None:
        self._settings = settings
        self._client: httpx.AsyncClient | None = None
        self._seen: object = None

    async def say(self, call: Call, seconds: float, listener: Listener) -> Answer:
        """See the port."""
        del listener  # a POST tells of no progress
        if self._settings.speaks is Speaks.FN:
            status, body, later = await self._posted(labels(call), JSON, call, seconds)
        else:
            status, body, later = await self._posted(structured(call), STRUCTURED, call, seconds)
        return _judged(status, body, later)

    async def problems(self, properties: Mapping[str, Any], seconds: float) -> tuple[Problem, ...]:
        """It has no such question."""
        del properties, seconds
        return ()

    async def close(self) -> None:
        """Close its connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _posted(self, body: bytes, content_type: str, call: Call, seconds: float) -> tuple[int, bytes, float]:
        """(status, body, seconds to wait before another attempt)"""
        import httpx

        headers = {"content-type": content_type, "idempotency-key": call.key.encode("ascii", "replace").decode()}
        if call.traceparent:
            headers["traceparent"] = call.traceparent
        if (sent := token(self._settings.trust)) is not None:
            headers["authorization"] = f"Bearer {sent}"
        client = await self._connected()
        try:
            async with (
                asyncio.timeout(seconds),
                client.stream("POST", self._settings.address, content=body, headers=headers) as answer,
            ):
                said = b""
                async for piece in answer.aiter_bytes():
                    said += piece
                    if len(said) > ANSWER_BYTES_MAX:
                        raise Permanent(f"it answered with more than {ANSWER_BYTES_MAX} bytes", code="TooLong")
                return answer.status_code, said, _later(answer.headers.get("retry-after"))
        except (TimeoutError, httpx.TimeoutException):
            raise Missed(f"it did not answer within {seconds:.3g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Its own words may hold the address, which may be a secret.
            raise Missed(f"it could not be reached ({type(error).__name__})") from None

    async def _connected(self) -> "httpx.AsyncClient":
        import httpx

        now = renewed(self._settings.trust)
        if self._client is None or now != self._seen:
            await self.close()
            self._client = httpx.AsyncClient(verify=_context(self._settings.trust), trust_env=False, timeout=None)  # noqa: S113 - each call has its own
            self._seen = now
        return self._client


class ByLambda:
    """A Lambda function."""

    def __init__(self, settings: PluginSettings, invoke: Invoke) -> None:
        self._name, self._invoke = settings.address, invoke

    async def say(self, call: Call, seconds: float, listener: Listener) -> Answer:
        """See the port."""
        del listener  # a function tells of no progress
        try:
            body, broken = await self._invoke(self._name, structured(call), seconds)
        except Transient as error:
            raise Missed(str(error)) from error
        if broken:
            return failed(f"the function failed: {_function_error(body)}")
        return _read(body)

    async def problems(self, properties: Mapping[str, Any], seconds: float) -> tuple[Problem, ...]:
        """It has no such question."""
        del properties, seconds
        return ()

    async def close(self) -> None:
        """Nothing is kept open."""


def structured(call: Call) -> bytes:
    """The call as a CloudEvent 1.0 in JSON."""
    event = call.event
    envelope: dict[str, Json] = {
        **dict(event.extensions),
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "datacontenttype": "application/json",
        "idempotencykey": call.key,
        "flow": call.flow,
        "step": call.step,
        "attempt": call.attempt,
        "dryrun": call.dry_run,
        "properties": json.dumps(call.properties),
        "earlier": json.dumps({name: _said(answer) for name, answer in call.earlier.items()}),
        "data": event.data,
    }
    times = {"time": event.time, "happens": call.happens}
    envelope |= {name: timestamp(time) for name, time in times.items() if time is not None}
    if event.subject is not None:
        envelope["subject"] = event.subject
    return json.dumps(envelope, ensure_ascii=False).encode()


def labels(call: Call) -> bytes:
    """What Hollowtrees posted to an Fn server."""
    return json.dumps(dict(call.event.labels)).encode()


def _said(answer: Answer) -> Json:
    return {"status": answer.status.value, "text": answer.text, "output": dict(answer.output)}


def _judged(status: int, body: bytes, later: float) -> Answer:
    """What a status and a body say of the step. Raises Missed when they say nothing of it."""
    if 200 <= status < 300:
        return _read(body)
    words = f"it answered {status}{_text_of(body)}"
    if status in AWAY:
        raise Missed(words)
    if status in COME_AGAIN or status >= 500:
        return failed(words, retry_after_seconds=later)
    return refused(words)


def _read(body: bytes) -> Answer:
    """The answer in a body; one that is empty, or is no object with a status, says that it is done."""
    try:
        said = json.loads(body) if body.strip() else None
    except (ValueError, RecursionError):
        return done(_cut(body))
    if not isinstance(said, dict) or "status" not in said:
        return done(answer=said) if said is not None else done()
    try:
        status = Status(said["status"])
        output = said.get("output") or {}
        later = float(said.get("retry_after_seconds") or 0)
        return Answer(status=status, text=str(said.get("text", "")), output=dict(output), retry_after_seconds=later)
    except (TypeError, ValueError):
        return failed(f"its answer is not understood: {_cut(body)}")


def _text_of(body: bytes) -> str:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    words = said.get("text") if isinstance(said, dict) else None
    return f": {words}" if isinstance(words, str) and words else ""


def _function_error(body: bytes) -> str:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return _cut(body)
    if not isinstance(said, dict):
        return _cut(body)
    return ": ".join(str(said[key]) for key in ("errorType", "errorMessage") if said.get(key)) or _cut(body)


def _cut(body: bytes) -> str:
    return body[:200].decode(errors="replace")


def _later(header: str | None) -> float:
    """Retry-After in seconds; a date there is not worth a clock."""
    return float(header) if header is not None and header.isdigit() else 0.0


def _context(trust: Trust) -> ssl.SSLContext:
    """Raises Permanent."""
    context = ssl.create_default_context()
    try:
        if trust.ca is not None:
            context = ssl.create_default_context(cafile=str(trust.ca))
        if trust.certificate is not None and trust.key is not None:
            context.load_cert_chain(trust.certificate, trust.key)
    except (OSError, ssl.SSLError) as error:
        raise Permanent(f"the certificates for it cannot be used: {error}", code="PluginConfig") from error
    return context
