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
from spotward.web.doors.body import TooLong, body_of, text_of
from spotward.web.doors.doorkeeper import Doorkeeper, Opens
from spotward.web.doors.letterbox import COME_AGAIN_SECONDS, Letterbox, LetterboxFull, NotStored
from spotward.web.doors.words import Word
from spotward.web.tallies.doors import DoorTally

ALERTS = {"type": "array", "items": {"type": "object", "properties": {"labels": {"type": "object"}}}}


def _takes(*media: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {each: {"schema": schema or {}} for each in media}}}


ANSWERS: dict[int | str, dict[str, Any]] = {
    400: {"description": "Nothing of it could be read."},
    401: {"description": "A credential is needed."},
    413: {"description": "It is too long."},
    415: {"description": "It is of a type that is not taken."},
    429: {"description": "Too much waits, or as many flows are open as may be; come again after Retry-After."},
    503: {"description": "It could not be stored in time; say it again after Retry-After."},
}


def build(letterbox: Letterbox, clock: Clock, opens: Opens | None, *, word: Word | None = None) -> FastAPI:
    """The application. opens: None lets everybody in. word: makes an event of what people want of a flow."""
    app = FastAPI(title="Spotward's doors", docs_url=None, redoc_url=None)
    door = _Door(letterbox, clock)

    _keep(app, opens, letterbox.tally)
    if word is not None:

        @app.post("/flows/{key}/{what}", responses=ANSWERS | {409: {"description": "It cannot be; the text says why."}})
        async def flow(key: str, what: Literal["retry", "cancel"]) -> dict[str, str]:
            await letterbox.put([await word(key, what)])
            return {"status": "success"}

    @app.get("/healthz")
    async def healthz() -> dict[str, bool]:
        return {"open": True}

    async def alerts(request: Request) -> Response:
        text = text_of(await body_of(request))
        return await door.heard(read_alerts(text, now=clock.now()), "prometheus")

    async def alertmanager(request: Request) -> Response:
        text = text_of(await body_of(request))
        return await door.heard(read_alerts(text, now=clock.now()), "alertmanager")

    async def events(request: Request) -> Response:
        return await door.heard(_events_in(await body_of(request), request), "cloudevents")

    async def eventbridge(request: Request) -> Response:
        return await door.envelope(text_of(await body_of(request)))

    taken = _takes("application/json", schema=ALERTS)
    cloud = _takes(STRUCTURED, BATCH, "application/json", schema={"type": ["object", "array"]})
    for path, handler, extra in (
        ("/api/v1/alerts", alerts, taken),
        ("/api/v2/alerts", alerts, taken),
        ("/alertmanager", alertmanager, _takes("application/json", schema={"type": "object"})),
        ("/events", events, cloud),
        ("/eventbridge", eventbridge, _takes("application/json", schema={"type": "object"})),
    ):
        app.add_api_route(
            path, handler, methods=["POST"], responses=ANSWERS, openapi_extra=extra, response_class=JSONResponse
        )
    return app


def _keep(app: FastAPI, opens: Opens | None, tally: DoorTally) -> None:
    """Who may come in, how what went wrong is said, and what is counted."""
    app.add_middleware(Doorkeeper, opens=opens, refusal=_nobody, tally=tally)

    @app.exception_handler(PayloadError)
    async def unreadable(request: Request, error: Exception) -> Response:
        del request
        return _said(413 if isinstance(error, TooLong) else 400, str(error))

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
    if status in (429, 503):
        headers["retry-after"] = str(COME_AGAIN_SECONDS)
    return JSONResponse({"status": "error", "error": words}, status_code=status, headers=headers)
