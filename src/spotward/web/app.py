"""The pages: /healthz, /readyz, /metrics. They are read with GET, answer from one look each, and change nothing.

The look is taken on the loop; metrics are then worked out on one thread of their own, a scrape after the other, so that
a scrape of ten thousand instances holds up neither a swap nor anybody who shares the loop's threads.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from spotward.web.health import health, readiness
from spotward.web.metrics.exporter import rendered
from spotward.web.view import View

OK, UNAVAILABLE = 200, 503


def build(view: View) -> FastAPI:
    """The application. To be served on the loop of the shell that the view listens to."""
    app = FastAPI(title="Spotward", openapi_url=None, docs_url=None, redoc_url=None)
    scribe = ThreadPoolExecutor(max_workers=1, thread_name_prefix="metrics")

    @app.get("/healthz")
    async def healthz() -> Response:
        found = health(view.look())
        body = {"alive": found.alive, "reason": found.reason, "last_turn_age_seconds": found.last_turn_age_seconds}
        return _json(found.alive, body)

    @app.get("/readyz")
    async def readyz() -> Response:
        found = readiness(view.look())
        body = {
            "ready": found.ready,
            "reasons": found.reasons,
            "warnings": found.warnings,
            "standby": found.standby,
            "observation_age_seconds": found.observation_age_seconds,
        }
        return _json(found.ready, body)

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        accept = request.headers.get("accept", "")
        writing = asyncio.get_running_loop().run_in_executor(scribe, rendered, view.look(), accept)
        text, content_type = await writing
        return Response(text, headers={"content-type": content_type})

    return app


def _json(good: bool, body: dict[str, Any]) -> Response:
    return JSONResponse(body, status_code=OK if good else UNAVAILABLE, headers={"cache-control": "no-store"})
