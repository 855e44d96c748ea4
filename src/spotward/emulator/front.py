"""The front desk: every request comes here, is understood as far as needed, and goes to whoever answers it.

In this order: the emulator's own pages; the embedded cloud's SQS, Pricing API and PutEvents; what the virtual region
owns; and moto for the rest. Whatever happens, the caller gets an answer in the service's own words.
"""

from __future__ import annotations

import logging
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from botocore.model import OperationNotFoundError

from spotward.emulator import world
from spotward.emulator.calls import Call, CallLog
from spotward.emulator.dialect import Dialect
from spotward.emulator.dialects import dialect_of, plain_fault, wrong_region
from spotward.emulator.moto_door import Environ, MotoDoor
from spotward.emulator.pricing import SERVED_IN, Pricing
from spotward.emulator.queues.mailbox import Now
from spotward.emulator.queues.mailboxes import Ask
from spotward.emulator.site import Site
from spotward.emulator.sites import Sites
from spotward.emulator.tags import TAG_CALLS, answer_tags
from spotward.emulator.wire import UNSIGNED, Credential, Reply, Request
from spotward.sim.errors import ApiError

_log = logging.getLogger(__name__)

EnvironOf = Callable[[], Environ]
OnDue = Callable[[float | None], None]

STAGE_ACCESS_KEY = "AKIASPOTWARDSTAGE000"
"""The stage hand's access key: its calls are neither throttled nor let fail, because it is no part of the play."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    """A request of a service that is understood here, once it is read."""

    request: Request
    environ: EnvironOf
    credential: Credential
    dialect: Dialect
    operation: str
    params: Mapping[str, Any]
    request_id: str


class Front:
    """Answers requests. Safe for threads."""

    def __init__(self, *, sites: Sites, moto: MotoDoor, calls: CallLog, now: Now, seed: int, on_due: OnDue) -> None:
        """`now`: virtual time. `on_due`: told when something is due next, after each call that may have changed it."""
        self._sites = sites
        self._moto = moto
        self._calls = calls
        self._now = now
        self._on_due = on_due
        self._published_time = now()
        self._dice = random.Random(f"requests/{seed}")

    def answer(self, request: Request, environ: EnvironOf) -> Reply:
        """The answer to one call of AWS's API. `environ`: the same request as WSGI has it, for moto."""
        request_id = str(uuid.UUID(int=self._dice.getrandbits(128), version=4))
        credential = request.credential
        dialect = dialect_of(request, credential.service) if credential is not None else None
        if credential is None or dialect is None:
            return self._answer_unread(request, environ, credential, request_id)
        name, error = f"{dialect.service}.unknown", None
        try:
            operation = _operation(dialect, request)
            name = f"{dialect.service}.{operation}"
            visit = _Visit(
                request=request,
                environ=environ,
                credential=credential,
                dialect=dialect,
                operation=operation,
                params=dialect.parameters(operation, request),
                request_id=request_id,
            )
            reply = self._serve(visit)
        except Exception as failure:  # noqa: BLE001 - a server answers every request, also those that break it
            refusal = _as_refusal(failure, name)
            error, reply = refusal.code, dialect.fault(refusal, request_id)
        self._note(name, request, reply, credential, error)
        return reply

    def _serve(self, visit: _Visit) -> Reply:
        region = visit.credential.region
        if region not in world.REGIONS:
            raise wrong_region(visit.dialect.service, region)
        site = self._sites.site(region)
        if visit.credential.access_key != STAGE_ACCESS_KEY:
            site.admit(visit.dialect.service, visit.operation, visit.params)
        answer = self._own_answer(visit, site)
        if answer is None:
            return self._moto.answer(visit.request, visit.environ(), visit.credential.service)
        return visit.dialect.answer(visit.operation, answer, visit.request_id)

    def _own_answer(self, visit: _Visit, site: Site) -> Mapping[str, Any] | None:
        """Ours, if the call is ours."""
        match visit.dialect.service:
            case "sqs":
                return self._sites.sqs(site.region).call(visit.operation, _ask(visit))
            case "pricing":
                return self._pricing(site.region).call(visit.operation, visit.params)
            case "events":
                return site.bus.put_events(visit.params) if visit.operation == "PutEvents" else None
            case _:
                return self._cloud_answer(visit, site)

    def _cloud_answer(self, visit: _Visit, site: Site) -> Mapping[str, Any] | None:
        name = f"{visit.dialect.service}.{visit.operation}"
        if name in TAG_CALLS:
            return self._tags_answer(visit, site)
        if not site.owns(name, visit.params):
            return None
        try:
            return site.call(name, visit.params)
        finally:
            self._on_due(site.next_time())

    def _tags_answer(self, visit: _Visit, site: Site) -> Mapping[str, Any] | None:
        def moto(request: Request) -> Reply:
            return self._moto.answer(request, visit.environ(), visit.credential.service)

        return answer_tags(visit.operation, visit.params, visit.request, site=site, moto=moto)

    def _pricing(self, region: str) -> Pricing:
        if region not in SERVED_IN:
            refusal = wrong_region("pricing", region)
            hint = f"{refusal.message} The Pricing API is in {', '.join(sorted(SERVED_IN))}."
            raise ApiError(refusal.code, hint, refusal.status)
        return Pricing(region=region, published_time=self._published_time)

    def _answer_unread(
        self, request: Request, environ: EnvironOf, credential: Credential | None, request_id: str
    ) -> Reply:
        """What moto answers to what is not understood here."""
        service = credential.service if credential is not None else "unsigned"
        name, error = f"{service}.{_operation_unread(request)}", None
        try:
            reply = self._moto.answer(request, environ(), service)
        except Exception as failure:  # noqa: BLE001 - as above
            refusal = _as_refusal(failure, name)
            error, reply = refusal.code, plain_fault(request, refusal, request_id)
        self._note(name, request, reply, credential, error)
        return reply

    def _note(
        self, name: str, request: Request, reply: Reply, credential: Credential | None, error: str | None
    ) -> None:
        service, _, operation = name.partition(".")
        call = Call(
            time=self._now(),
            service=service,
            operation=operation,
            region=credential.region if credential is not None else "",
            access_key=credential.access_key if credential is not None else UNSIGNED,
            status=reply.status,
            error=error,
            request_bytes=len(request.body),
            answer_bytes=len(reply.body),
        )
        self._calls.add(call)


def _operation(dialect: Dialect, request: Request) -> str:
    named = dialect.operation(request)
    if named is None:
        raise dialect.unknown_operation(request)
    return named


def _ask(visit: _Visit) -> Ask:
    host = visit.request.headers.get("host", "localhost")
    return Ask(params=visit.params, host=f"http://{host}", sender=visit.credential.access_key)


def _as_refusal(failure: Exception, name: str) -> ApiError:
    """What the caller is told when a call did not go well."""
    if isinstance(failure, ApiError):
        return failure
    if isinstance(failure, OperationNotFoundError):
        return ApiError("InvalidAction", f"The action {name.partition('.')[2]} is not valid for this web service.")
    if isinstance(failure, NotImplementedError):
        return ApiError("UnsupportedOperation", f"{name} is not part of the embedded cloud.")
    _log.error("%s failed", name, exc_info=failure)
    return ApiError("InternalFailure", f"The embedded cloud failed at {name}; its log says how.", 500)


def _operation_unread(request: Request) -> str:
    """The name of an operation of which no more is known."""
    if request.target is not None:
        return request.target[1]
    if request.is_form:
        action = parse_qs(request.body.decode("utf-8", "replace")).get("Action")
        return action[0][:100] if action else request.method
    return request.method
