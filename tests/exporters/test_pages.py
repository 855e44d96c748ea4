"""The pages of an exporter that looks at regions: who is answered how, before the first look and after it."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from spotward.aws.session import CallCounter
from spotward.engine.clock import SystemClock
from spotward.http.client import Client
from spotward.web.board import Board
from spotward.web.exposition import Family
from spotward.web.lookout import Lookout, LookoutPolicy, Sighting
from spotward.web.regional import GROUPS, exporting_regions, takes_gzip
from tests.exporters.scraping import PROMETHEUS_ACCEPT, Scraper

pytestmark = pytest.mark.anyio

SEEN = Family(name="seen", help="seen", labels=("region",), samples=())


@asynccontextmanager
async def told(first_look: asyncio.Event) -> AsyncIterator[Scraper]:
    clock = SystemClock()

    async def look(region: str) -> Sighting:
        await first_look.wait()
        family = Family(name="seen", help="seen", labels=("region",), samples=(((region,), 1.0),))
        return Sighting(as_of=clock.now(), families=[family])

    policy = LookoutPolicy(poll_seconds=3600, stale_seconds=7200)
    lookout = Lookout(["a", "b"], look, Board([SEEN]), clock, policy)
    async with exporting_regions(GROUPS, lookout, CallCounter(), host="127.0.0.1", port=0) as port:
        client = Client("127.0.0.1", port)
        yield Scraper(client, lookout)
        await client.close()


async def test_before_the_first_look_it_is_alive_and_not_ready_and_says_how_old_nothing_is() -> None:
    seen = asyncio.Event()
    async with told(seen) as scraper:
        assert (await scraper.answer("/healthz")).text == "alive\n"
        waiting = await scraper.answer("/readyz")
        assert (waiting.status, waiting.text) == (503, "not looked at yet: a, b\n")
        found = await scraper.figures()
        assert found["spotward_export_data_age_seconds", (("region", "a"),)] == float("inf")
        assert found["spotward_export_region_up", (("region", "a"),)] == 0
        seen.set()
        await scraper.until(lambda found: ("seen", (("region", "b"),)) in found)
        assert (await scraper.answer("/readyz")).text == "ready\n"


async def test_other_pages_say_where_the_metrics_are_and_nothing_but_reading_is_allowed() -> None:
    async with told(asyncio.Event()) as scraper:
        assert "/metrics" in (await scraper.answer("/")).text
        assert (await scraper.answer("/metric")).status == 404
        assert (await scraper.client.ask("POST", "/metrics", seconds_max=30)).status == 405
        assert (await scraper.client.ask("HEAD", "/metrics", seconds_max=30)).body == b""


async def test_each_reader_gets_what_he_can_read() -> None:
    seen = asyncio.Event()
    seen.set()
    async with told(seen) as scraper:
        await scraper.until(lambda found: ("seen", (("region", "b"),)) in found)
        plain = await scraper.answer()
        assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert "content-encoding" not in plain.headers
        assert b"# EOF" not in plain.body
        packed = await scraper.answer(accept=PROMETHEUS_ACCEPT, accept_encoding="gzip")
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed.body).endswith(b"# EOF\n")


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("gzip", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("GZIP", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0, identity", False),
        ("br", False),
        ("", False),
    ],
)
def test_gzip_is_sent_to_who_takes_it(header: str, taken: bool) -> None:
    assert takes_gzip(header) is taken
