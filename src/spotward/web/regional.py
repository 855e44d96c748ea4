"""The pages of an exporter that looks at regions in the background: metrics, health, readiness.

A scrape asks nobody: it gets what stands on the board, and the few figures of the exporter itself.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain

from spotward.aws.session import CallCounter
from spotward.http.values import Answer, Request, text_answer
from spotward.web.board import page_of
from spotward.web.exporter import check_path, listening
from spotward.web.exposition import CONTENT_TYPE, OPENMETRICS_TYPE, Family, asks_for_openmetrics
from spotward.web.lookout import Lookout, Standing
from spotward.web.ourselves import of_ourselves

BY_REGION = ("region",)

Figure = Callable[[Standing], float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """What an exporter is called, and how the one whose place it takes called its own figures."""

    title: str
    prefix: str
    """`aws_autoscaling`, before `_scrapes_total`."""
    scrapes: str
    """Help of `_scrapes_total`."""


GROUPS = Names(
    title="Spotward's exporter of groups", prefix="aws_autoscaling", scrapes="Total AWS autoscaling group scrapes."
)
PRICES = Names(title="Spotward's exporter of prices", prefix="aws_spot", scrapes="Total AWS spot price scrapes.")


class RegionalExporter:
    """Answers scrapes from what a lookout has seen."""

    def __init__(self, names: Names, lookout: Lookout, calls: CallCounter, *, metrics_path: str) -> None:
        """calls: to AWS."""
        self._names, self._lookout, self._calls = names, lookout, calls
        self._metrics_path = metrics_path

    async def answer(self, request: Request) -> Answer:
        """One page."""
        if request.method not in {"GET", "HEAD"}:
            return Answer(status=405, headers={"allow": "GET, HEAD"})
        if request.path == self._metrics_path:
            return await self._metrics(request)
        if request.path == "/healthz":
            return text_answer(200, "alive\n")
        if request.path == "/readyz":
            return self._readiness()
        if request.path == "/":
            return text_answer(200, f"{self._names.title}: see {self._metrics_path}\n")
        return text_answer(404, f"there is no such page; see {self._metrics_path}\n")

    async def _metrics(self, request: Request) -> Answer:
        openmetrics = asks_for_openmetrics(request.headers.get("accept", ""))
        gzip = takes_gzip(request.headers.get("accept-encoding", ""))
        self._lookout.drop_stale()
        families = list(chain(self._as_the_old_one(), self._by_region(), self._of_calls(), of_ourselves()))
        standing = list(self._lookout.board.stretches())  # on the loop, where the board is changed
        body = await asyncio.to_thread(page_of, standing, families, openmetrics=openmetrics, gzip=gzip)
        headers = {
            "content-type": OPENMETRICS_TYPE if openmetrics else CONTENT_TYPE,
            "vary": "accept, accept-encoding",
            **({"content-encoding": "gzip"} if gzip else {}),
        }
        return Answer(status=200, body=body, headers=headers)

    def _readiness(self) -> Answer:
        """Ready once every region has been looked at: a page without half of them would read as if they were gone."""
        waiting = [region for region, standing in self._lookout.regions.items() if not standing.looks]
        if waiting:
            return text_answer(503, f"not looked at yet: {', '.join(waiting)}\n")
        return text_answer(200, "ready\n")

    # ---- figures of its own ------------------------------------------------------------------------------------------

    def _as_the_old_one(self) -> Iterable[Family]:
        """With the names and the meaning of the exporter whose place it takes, over all regions."""
        prefix, standings = self._names.prefix, list(self._lookout.regions.values())
        yield _one(
            f"{prefix}_scrape_duration_seconds",
            "The scrape duration.",
            max((each.seconds_last for each in standings), default=0.0),
        )
        looks = sum(each.looks for each in standings)
        yield replace(_one(f"{prefix}_scrapes_total", self._names.scrapes, looks), kind="counter")
        yield _one(f"{prefix}_scrape_error", "The scrape error status.", sum(each.errors_last for each in standings))

    def _by_region(self) -> Iterable[Family]:
        lookout = self._lookout

        def each(name: str, words: str, figure: Figure) -> Family:
            samples = tuple(((region,), float(figure(standing))) for region, standing in lookout.regions.items())
            return Family(name=name, help=words, labels=BY_REGION, samples=samples)

        yield each("spotward_export_region_up", "1 while the last look had all that it wanted", lambda s: s.up)
        yield each(
            "spotward_export_data_age_seconds",
            "How long ago what is told of the region was asked for; +Inf for never",
            lookout.age_seconds,
        )
        yield each("spotward_export_look_seconds", "How long the last look took", lambda s: s.seconds_last)
        yield Family(
            name="spotward_export_samples",
            help="Samples of the region on this page",
            labels=BY_REGION,
            samples=tuple(((region,), float(lookout.board.samples(region))) for region in lookout.regions),
        )
        yield Family(
            name="spotward_export_errors_total",
            help="What could not be had of AWS, by the code of the error",
            labels=("region", "code"),
            kind="counter",
            samples=tuple(
                ((region, code), float(number))
                for region, standing in lookout.regions.items()
                for code, number in sorted(standing.errors.items())
            ),
        )

    def _of_calls(self) -> Iterable[Family]:
        yield Family(
            name="spotward_aws_calls_total",
            help="Calls made to AWS, each page of an answer counted",
            labels=("operation",),
            kind="counter",
            samples=tuple(((name,), float(number)) for name, number in sorted(self._calls.counts.items())),
        )


@asynccontextmanager
async def exporting_regions(
    names: Names, lookout: Lookout, calls: CallCounter, *, host: str | None, port: int, metrics_path: str = "/metrics"
) -> AsyncIterator[int]:
    """Looks and serves as long as the context is open; gives the port. host: None is every address of the machine.

    Raises ConfigError when the address cannot be had, or the path is none.
    """
    check_path(metrics_path)
    exporter = RegionalExporter(names, lookout, calls, metrics_path=metrics_path)
    async with listening(exporter.answer, host=host, port=port) as number:
        looking = asyncio.create_task(lookout.run())
        try:
            yield number
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking


def takes_gzip(accept_encoding: str) -> bool:
    """Does the header name gzip, and not with a weight of 0?"""
    for each in accept_encoding.lower().split(","):
        name, _, rest = each.partition(";")
        if name.strip() == "gzip":
            return rest.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _one(name: str, words: str, figure: float) -> Family:
    return Family(name=name, help=words, samples=(((), float(figure)),))
