"""An exporter on a real port, scraped as Prometheus does it and read by its own library."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text_format

from spotward.aws.session import Aws
from spotward.http.client import Client
from spotward.http.values import Answer
from spotward.web.lookout import Lookout
from spotward.web.regional import Names, exporting_regions

SECONDS = 60.0

PROMETHEUS_ACCEPT = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.3"
)
"""What Prometheus 3 asks for."""

Labels = tuple[tuple[str, str], ...]
Figures = dict[tuple[str, Labels], float]


def labels(**told: str) -> Labels:
    return tuple(sorted(told.items()))


def figures(families: Iterable[Any]) -> Figures:
    """(name, labels) → figure; each once."""
    found: Figures = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, labels(**sample.labels))
            assert key not in found, f"{key} stands there twice"
            found[key] = sample.value
    return found


@dataclass
class Scraper:
    """Who scrapes."""

    client: Client
    lookout: Lookout

    async def answer(self, path: str = "/metrics", **headers: str) -> Answer:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.ask("GET", path, headers=told, seconds_max=SECONDS)

    async def text(self) -> str:
        answer = await self.answer()
        assert answer.status == 200
        return answer.text

    async def figures(self) -> Figures:
        return figures(text_format(await self.text()))

    async def openmetrics(self) -> Figures:
        """As Prometheus asks for it."""
        answer = await self.answer(accept=PROMETHEUS_ACCEPT, accept_encoding="gzip")
        assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        assert answer.headers["content-encoding"] == "gzip"
        families = openmetrics(gzip.decompress(answer.body).decode())  # type: ignore[no-untyped-call]  # the library says no types here
        return figures(families)

    async def until(self, true: Callable[[Figures], bool]) -> Figures:
        """The first page of which it is true."""
        async with asyncio.timeout(SECONDS):
            while True:
                if true(found := await self.figures()):
                    return found
                await asyncio.sleep(0.05)


@asynccontextmanager
async def scraping(names: Names, lookout: Lookout, aws: Aws) -> AsyncIterator[Scraper]:
    """The exporter, once it has looked at every region."""
    async with exporting_regions(names, lookout, aws.counter, host="127.0.0.1", port=0) as port:
        client = Client("127.0.0.1", port)
        scraper = Scraper(client, lookout)
        await scraper.until(lambda _: all(standing.looks for standing in lookout.regions.values()))
        yield scraper
        await client.close()
