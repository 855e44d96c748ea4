"""The exporter of terminations: a page for Prometheus, worked out at each scrape.

Scrapes that come together share one look at the metadata service. Whatever that service does, the page is there.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain

from spotward.aws.imds_watch import Watch
from spotward.engine.ports import Clock
from spotward.http.server import Answerer, serving
from spotward.http.values import Answer, Request, text_answer
from spotward.model.errors import ConfigError
from spotward.web.exposition import CONTENT_TYPE, OPENMETRICS_TYPE, Family, asks_for_openmetrics, rendered
from spotward.web.terminations import families

More = Callable[[], Iterable[Family]]
"""What stands on the page besides."""


def nothing_more() -> Iterable[Family]:
    """Of an exporter that does nothing but tell."""
    return ()


class Exporter:
    """Answers scrapes from what a watch has heard."""

    def __init__(self, watch: Watch, clock: Clock, *, metrics_path: str, looks: bool, more: More) -> None:
        """looks: whether it asks the metadata service at each scrape; where somebody else polls, it need not."""
        self._more = more
        self._watch, self._clock, self._looks = watch, clock, looks
        self._metrics_path = metrics_path
        self._looking: asyncio.Task[object] | None = None

    async def answer(self, request: Request) -> Answer:
        """One page."""
        if request.method not in {"GET", "HEAD"}:
            return Answer(status=405, headers={"allow": "GET, HEAD"})
        if request.path == self._metrics_path:
            return await self._metrics(request)
        if request.path == "/healthz":
            return text_answer(200, "alive\n")
        if request.path == "/":
            return text_answer(200, f"Spotward's exporter of terminations: see {self._metrics_path}\n")
        return text_answer(404, f"there is no such page; see {self._metrics_path}\n")

    async def _metrics(self, request: Request) -> Answer:
        if self._looks:
            await self._look()
        openmetrics = asks_for_openmetrics(request.headers.get("accept", ""))
        told = chain(families(self._watch, time=self._clock.now()), self._more())
        content_type = OPENMETRICS_TYPE if openmetrics else CONTENT_TYPE
        return text_answer(200, rendered(told, openmetrics=openmetrics), content_type=content_type)

    async def _look(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._watch.poll())
        await asyncio.shield(self._looking)  # a scraper that gives up must not take the look away from another


@asynccontextmanager
async def exporting(
    watch: Watch,
    clock: Clock,
    *,
    host: str | None,
    port: int,
    metrics_path: str = "/metrics",
    looks: bool = True,
    more: More = nothing_more,
) -> AsyncIterator[int]:
    """Serves the pages as long as the context is open; gives the port. host: None is every address of the machine.
    more: what stands on the page of metrics besides.

    Raises ConfigError when the address cannot be had, or the path is none.
    """
    check_path(metrics_path)
    exporter = Exporter(watch, clock, metrics_path=metrics_path, looks=looks, more=more)
    async with listening(exporter.answer, host=host, port=port) as number:
        yield number


def check_path(metrics_path: str) -> None:
    """Raises ConfigError for what is no path."""
    if not metrics_path.startswith("/"):
        raise ConfigError(f"the metrics path {metrics_path!r} must begin with a slash, as /metrics")


@asynccontextmanager
async def listening(answer: Answerer, *, host: str | None, port: int) -> AsyncIterator[int]:
    """Serves as long as the context is open; gives the port. Raises ConfigError when the address cannot be had."""
    async with AsyncExitStack() as open_doors:
        try:
            number = await open_doors.enter_async_context(serving(answer, host=host, port=port))
        except OSError as error:
            where = f"{host or ''}:{port}"
            raise ConfigError(f"{where} cannot be listened on ({error.strerror}); give another address") from error
        yield number
