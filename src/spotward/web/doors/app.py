"""The doors themselves.

| path | who comes in |
| --- | --- |
| `POST /api/v1/alerts`, `/api/v2/alerts` | Prometheus, to which we pose as an Alertmanager |
| `POST /alertmanager` | Alertmanager's webhook |
| `POST /events` | CloudEvents 1.0: one (structured or binary) or a batch |
| `POST /eventbridge` | an API destination of EventBridge |
| `POST /flows/KEY/retry`, `/flows/KEY/cancel` | a person with a word to a flow |
| `GET /healthz` | whoever wants to know whether the doors are open |

Answers: 200 when all that could be read is stored (what could not is told as `warnings`, and set aside); 400 when
nothing could be read; 401 without a credential; 413, 415; 429 when too much waits or as many flows are open as may be,
and 503 when it could not be stored in time: both say when to come again.
"""

from collections.abc import Sequence
from typing import Any, Literal

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from spotward import __version__
from spotward.engine.ports import Clock
from spotward.events.alertmanager import read_alerts
from spotward.events.cloudevents import BATCH, STRUCTURED, read_batch, read_binary, read_structured
from spotward.events.envelope import Ignored
from spotward.events.eventbridge import parse_all
from spotward.events.heard import Heard
from spotward.events.occurred import read_envelope
from spotward.model.errors import ConfigError, PayloadError
from spotward.model.event import Event
from spotward.model.flow_event import Occurred
from spotward.web.doors.body import TooLong, TooSlow, body_of, text_of
from spotward.web.doors.document import (
    ALERTS,
    ANSWERS,
    CANNOT_BE,
    CLOUD_EVENTS,
    ENVELOPE,
    LOCKED,
    SCHEMES,
    TAKEN,
    WEBHOOK,
    takes,
)
from spotward.web.doors.doorkeeper import Doorkeeper, Opens
from spotward.web.doors.hurry import Hurry
from spotward.web.doors.letterbox import COME_AGAIN_SECONDS, Letterbox, LetterboxFull, NotStored
from spotward.web.doors.words import Word
from spotward.web.tallies.doors import DoorTally


def build(
    letterbox: Letterbox, clock: Clock, opens: Opens | None, *, word: Word | None = None, hurry: Hurry | None = None
) -> FastAPI:
    """The application. opens: None lets everybody in. word: makes an event of what people want of a flow."""
    hurry = hurry or Hurry()
    app = FastAPI(title="Spotward's doors", version=__version__, docs_url=None, redoc_url=None)
    door = _Door(letterbox, clock)

    _keep(app, opens, letterbox.tally)
    if word is not None:

        @app.post("/flows/{key}/{what}", responses={200: TAKEN, **ANSWERS, 409: CANNOT_BE}, openapi_extra=LOCKED)
        async def flow(key: str, what: Literal["retry", "cancel"]) -> Response:
            await letterbox.put([await word(key, what)])
            return JSONResponse({"status": "success"})

    @app.get("/healthz")
    async def healthz() -> dict[str, bool]:
        return {"open": True}

    async def alerts(request: Request) -> Response:
        text = text_of(await body_of(request, hurry.body_seconds_max))
        return await door.heard(read_alerts(text, now=clock.now()), "prometheus")

    async def alertmanager(request: Request) -> Response:
        text = text_of(await body_of(request, hurry.body_seconds_max))
        return await door.heard(read_alerts(text, now=clock.now()), "alertmanager")

    async def events(request: Request) -> Response:
        return await door.heard(_events_in(await body_of(request, hurry.body_seconds_max), request), "cloudevents")

    async def eventbridge(request: Request) -> Response:
        return await door.envelope(text_of(await body_of(request, hurry.body_seconds_max)))

    for path, handler, taken in (
        ("/api/v1/alerts", alerts, takes(ALERTS, "application/json")),
        ("/api/v2/alerts", alerts, takes(ALERTS, "application/json")),
        ("/alertmanager", alertmanager, takes(WEBHOOK, "application/json")),
        ("/events", events, takes(CLOUD_EVENTS, STRUCTURED, BATCH, "application/json")),
        ("/eventbridge", eventbridge, takes(ENVELOPE, "application/json")),
    ):
        app.add_api_route(
            path, handler, methods=["POST"], responses={200: TAKEN, **ANSWERS}, openapi_extra={**LOCKED, **taken}
        )
    told = app.openapi()
    told.setdefault("components", {})["securitySchemes"] = SCHEMES
    return app


def _keep(app: FastAPI, opens: Opens | None, tally: DoorTally) -> None:
    """Who may come in, how what went wrong is said, and what is counted."""
    app.add_middleware(Doorkeeper, opens=opens, refusal=_nobody, tally=tally)

    @app.exception_handler(PayloadError)
    async def unreadable(request: Request, error: Exception) -> Response:
        del request
        status = 413 if isinstance(error, TooLong) else 408 if isinstance(error, TooSlow) else 400
        return _said(status, str(error))

    @app.exception_handler(LetterboxFull)
    async def full(request: Request, error: Exception) -> Response:
        del request
        return _said(429, str(error))

    @app.exception_handler(NotStored)
    async def not_stored(request: Request, error: Exception) -> Response:
        del request
        return _said(503, str(error))

    @app.exception_handler(ConfigError)
    async def not_so(request: Request, error: Exception) -> Response:
        del request
        return _said(409, str(error))


class _Door:
    """Puts what was said into the letterbox, and says what became of it."""

    def __init__(self, letterbox: Letterbox, clock: Clock) -> None:
        self._letterbox, self._clock = letterbox, clock

    async def heard(self, heard: Heard, door: str) -> Response:
        self._letterbox.check_room()
        if heard.troubles and not heard.occurrences:
            await self._letterbox.put(heard.troubles)
            return _said(400, "; ".join(str(each) for each in heard.troubles[:5]))
        now = self._clock.now()
        occurred = [Occurred(time=now, occurrence=each, door=door) for each in heard.occurrences]
        return await self._stored([*occurred, *heard.troubles], heard.troubles)

    async def envelope(self, text: str) -> Response:
        """An event of EventBridge: what it says of an instance, and itself, for rules."""
        now = self._clock.now()
        said = [each for each in parse_all(text, received=now) if not isinstance(each, Ignored)]
        occurred = Occurred(time=now, occurrence=read_envelope(text), door="eventbridge")
        return await self._stored([*said, occurred], ())

    async def _stored(self, said: Sequence[Event | PayloadError], troubles: Sequence[PayloadError]) -> Response:
        await self._letterbox.put(said)
        body: dict[str, Any] = {"status": "success"}
        if troubles:
            body["warnings"] = [str(each) for each in troubles[:20]]
        return JSONResponse(body)


def _events_in(body: bytes, request: Request) -> Heard:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == BATCH:
        return read_batch(text_of(body))
    if content_type == STRUCTURED:
        return Heard(occurrences=(read_structured(text_of(body)),))
    return Heard(occurrences=(read_binary({k.lower(): v for k, v in request.headers.items()}, body),))


def _nobody() -> Response:
    return _said(401, "send `Authorization: Bearer TOKEN` with a token of this server", bearer=True)


def _said(status: int, words: str, *, bearer: bool = False) -> Response:
    headers = {"www-authenticate": "Bearer"} if bearer else {}
    if status == 408:
        headers["connection"] = "close"  # the rest of the body is not waited for
    if status in (429, 503):
        headers["retry-after"] = str(COME_AGAIN_SECONDS)
    return JSONResponse({"status": "error", "error": words}, status_code=status, headers=headers)
