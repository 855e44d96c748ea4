"""The exporter of terminations, scraped over a real port: the old exporter's metrics, and no answer that ends it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from spotward.aws.imds import Imds, ImdsPolicy
from spotward.aws.imds_watch import Watch, WatchPolicy
from spotward.events.imds import INTERRUPTION
from spotward.http.client import Client
from spotward.http.server import serving
from spotward.http.values import Answer, Request
from spotward.model.errors import ConfigError
from spotward.web.exporter import exporting
from spotward.web.exposition import Family, rendered
from spotward.web.terminations import families
from tests.hand_clock import HandClock
from tests.imds.drill import SECONDS, START, Drill, drilling, patience
from tests.imds.test_client import serves_two_documents

pytestmark = pytest.mark.anyio

ME = "i-1234567890abcdef0"

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def figures(page: str) -> Figures:
    """(name, labels) → figure, as Prometheus' own library reads it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


class Scraper:
    def __init__(self, client: Client, watch: Watch) -> None:
        self.client, self.watch = client, watch

    async def page(self, path: str = "/metrics") -> str:
        answer = await self.client.ask("GET", path, seconds_max=SECONDS)
        assert answer.status == 200
        return answer.text

    async def figures(self) -> Figures:
        return figures(await self.page())

    async def one(self, name: str) -> float | None:
        """The only sample of a metric."""
        found = [value for (each, _), value in (await self.figures()).items() if each == name]
        assert len(found) <= 1
        return found[0] if found else None


@asynccontextmanager
async def scraping(drill: Drill, *, looks: bool = True, **imds: object) -> AsyncIterator[Scraper]:
    watch = Watch(
        drill.imds(**{"v1": True, **imds}), drill.clock, WatchPolicy(pause_seconds_max=0), region_needed=False
    )
    async with exporting(watch, drill.clock, host="127.0.0.1", port=0, looks=looks) as port:
        client = Client("127.0.0.1", port)
        yield Scraper(client, watch)
        await client.close()


async def test_a_notice_reads_as_the_old_exporter_wrote_it() -> None:
    async with drilling("- {at: 0, interruption: stop}") as drill, scraping(drill) as scraper:
        drill.clock.turn(1.5)
        page = await scraper.page()
    assert page.startswith(
        "# HELP aws_instance_metadata_service_available Metadata service available\n"
        "# TYPE aws_instance_metadata_service_available gauge\n"
        f'aws_instance_metadata_service_available{{instance_id="{ME}"}} 1\n'
        "# HELP aws_instance_termination_imminent Instance is about to be terminated\n"
        "# TYPE aws_instance_termination_imminent gauge\n"
        f'aws_instance_termination_imminent{{instance_action="stop",instance_id="{ME}"}} 1\n'
        "# HELP aws_instance_termination_in Instance will be terminated in\n"
        "# TYPE aws_instance_termination_in gauge\n"
        f'aws_instance_termination_in{{instance_id="{ME}"}} 118.5\n'
    )


async def test_an_instance_that_is_left_alone_reads_as_the_old_exporter_wrote_it() -> None:
    async with drilling() as drill, scraping(drill) as scraper:
        found = await scraper.figures()
    assert found["aws_instance_metadata_service_available", (("instance_id", ME),)] == 1
    assert found["aws_instance_termination_imminent", (("instance_action", ""), ("instance_id", ME))] == 0
    assert not [name for name, _ in found if name == "aws_instance_termination_in"]


async def test_the_time_left_counts_down_and_is_gone_when_it_is_up() -> None:
    async with drilling("- {at: 0, interruption: terminate}") as drill, scraping(drill) as scraper:
        told = []
        for seconds in (0, 60, 59, 10):
            drill.clock.turn(seconds)
            told.append(await scraper.one("aws_instance_termination_in"))
        assert told == [120, 60, 1, None]
        assert await scraper.one("aws_instance_termination_imminent") == 1


async def test_hibernation_without_a_time_is_imminent_and_has_no_time_left() -> None:
    async with drilling("- {at: 0, interruption: hibernate}") as drill, scraping(drill) as scraper:
        assert await scraper.one("aws_instance_termination_imminent") == 1
        assert await scraper.one("aws_instance_termination_in") is None


async def test_a_service_of_two_documents_and_without_tokens_is_enough() -> None:
    async with serving(serves_two_documents, host="127.0.0.1", port=0) as port:
        imds = Imds(ImdsPolicy(url=f"http://127.0.0.1:{port}/latest/meta-data/", v1=True))
        watch = Watch(imds, HandClock(START), WatchPolicy(pause_seconds_max=0), region_needed=False)
        async with exporting(watch, HandClock(START), host="127.0.0.1", port=0) as page:
            client = Client("127.0.0.1", page)
            found = figures((await client.ask("GET", "/metrics", seconds_max=SECONDS)).text)
            await client.close()
        await imds.close()
    me = ("instance_id", "i-0d2aab13057917887")
    assert found["aws_instance_termination_imminent", (("instance_action", "stop"), me)] == 1
    assert found["aws_instance_termination_in", (me,)] == 120


# ---- more than the old one -------------------------------------------------------------------------------------------


async def test_advice_maintenance_and_the_target_state_are_told_with_their_ages() -> None:
    steps = """
- {at: 0, rebalance: now}
- {at: 0, maintenance: {id: e-1, code: instance-stop, not_before: 1h}}
- {at: 0, maintenance: {id: e-2, code: system-reboot, not_before: 2h, state: completed}}
- {at: 30s, interruption: terminate}
- {at: 60s, target_state: Terminated}
"""
    async with drilling(steps, v1=False) as drill, scraping(drill, v1=False) as scraper:
        await scraper.page()
        drill.clock.turn(100)
        found = await scraper.figures()
    me = ("instance_id", ME)
    of_type = (me, ("instance_type", "m5.large"))
    assert found["aws_instance_rebalance_recommended", of_type] == 1
    assert found["aws_instance_rebalance_recommendation_age_seconds", of_type] == 100
    assert found["aws_instance_termination_notice_age_seconds", (me,)] == 70
    assert found["aws_instance_scheduled_maintenance_active", (me,)] == 1
    assert found["aws_instance_scheduled_event_in", (("code", "instance-stop"), ("event_id", "e-1"), me)] == 3500
    assert found["aws_instance_target_lifecycle_state", (me, ("state", "Terminated"))] == 1
    assert found["aws_instance_imds_version", (me,)] == 2
    assert found["aws_instance_metadata_service_events_available", (me,)] == 1


async def test_who_asks_for_openmetrics_gets_the_same_so() -> None:
    async with drilling("- {at: 0, interruption: terminate}") as drill, scraping(drill) as scraper:
        headers = {"accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}
        answer = await scraper.client.ask("GET", "/metrics", headers=headers, seconds_max=SECONDS)
        found = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in openmetrics(answer.text)  # type: ignore[no-untyped-call]  # the library says no types here
            for sample in family.samples
        }
        assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        assert found.keys() == (await scraper.figures()).keys()
        assert found["aws_instance_termination_in", (("instance_id", ME),)] == 120


# ---- whatever fails --------------------------------------------------------------------------------------------------

BAD_ANSWERS = [
    "{status: 401}",
    "{status: 500}",
    "{status: 503}",
    "{garbage: true}",
    "{hang: true}",
    "{malformed: true}",
]


@pytest.mark.parametrize("fail", BAD_ANSWERS)
async def test_no_answer_ends_it_and_what_was_heard_stays_told(fail: str) -> None:
    steps = f"- {{at: 0, interruption: terminate}}\n- {{at: 10s, for: 10s, fail: {fail}}}"
    async with drilling(steps, v1=False) as drill, scraping(drill, answer_seconds_max=patience(fail)) as scraper:
        await scraper.page()
        drill.clock.turn(10)
        found = await scraper.figures()
        assert found["aws_instance_termination_imminent", (("instance_action", "terminate"), ("instance_id", ME))] == 1
        assert found["spotward_imds_trouble", (("document", INTERRUPTION),)] == 1
        answered = fail == "{malformed: true}"
        assert found["aws_instance_metadata_service_available", (("instance_id", ME),)] == float(answered)
        drill.clock.turn(10)
        assert await scraper.one("aws_instance_metadata_service_available") == 1


@pytest.mark.parametrize("fail", BAD_ANSWERS)
async def test_a_service_that_fails_from_the_start_is_told_as_not_available(fail: str) -> None:
    steps = f"- {{at: 0, for: 10s, fail: {fail}}}"
    async with drilling(steps) as drill, scraping(drill, answer_seconds_max=patience(fail)) as scraper:
        found = await scraper.figures()
        assert found["aws_instance_metadata_service_available", (("instance_id", ""),)] == 0
        assert not [name for name, _ in found if name == "aws_instance_termination_imminent"]
        drill.clock.turn(10)
        assert await scraper.one("aws_instance_metadata_service_available") == 1


async def tomorrow(request: Request) -> Answer:
    """Says in a notice a time that is none."""
    answer = await serves_two_documents(request)
    return replace(answer, body=answer.body.replace(b"2026-11-11T21:32:34Z", b"tomorrow"))


async def test_a_bad_time_in_a_notice_is_trouble_and_no_end() -> None:
    async with serving(tomorrow, host="127.0.0.1", port=0) as port:
        imds = Imds(ImdsPolicy(url=f"http://127.0.0.1:{port}", v1=True))
        watch = Watch(imds, HandClock(START), WatchPolicy(pause_seconds_max=0), region_needed=False)
        async with exporting(watch, HandClock(START), host="127.0.0.1", port=0) as page:
            client = Client("127.0.0.1", page)
            found = figures((await client.ask("GET", "/metrics", seconds_max=SECONDS)).text)
            await client.close()
        await imds.close()
    assert found["spotward_imds_trouble", (("document", INTERRUPTION),)] == 1
    assert found["aws_instance_metadata_service_available", (("instance_id", "i-0d2aab13057917887"),)] == 1


bodies = st.binary(max_size=200) | st.sampled_from([b"[]", b"{}", b"null", b"i-1", b'{"action": "stop", "time": 5}'])
answers = st.builds(Answer, status=st.sampled_from([200, 204, 301, 400, 401, 403, 404, 429, 500]), body=bodies)


@given(st.lists(answers | st.binary(max_size=50), min_size=1, max_size=12))
def test_nothing_that_a_service_may_say_keeps_the_page_from_being_there(said: list[Answer | bytes]) -> None:
    async def talk() -> None:
        left = cycle(said)

        async def answer(request: Request) -> Answer | bytes:
            return next(left)

        async with serving(answer, host="127.0.0.1", port=0) as port:
            imds = Imds(ImdsPolicy(url=f"http://127.0.0.1:{port}", v1=True, answer_seconds_max=SECONDS))
            watch = Watch(imds, HandClock(START), WatchPolicy(pause_seconds_max=0), region_needed=False)
            for _ in range(3):
                await watch.poll()
                assert figures(rendered(families(watch, time=START)))
            await imds.close()

    asyncio.run(talk())


async def test_failures_are_counted_by_reason() -> None:
    async with drilling("- {at: 0, fail: {status: 503, path: spot/*}}") as drill, scraping(drill) as scraper:
        await scraper.page()
        found = await scraper.figures()
    assert found["spotward_imds_failures_total", (("reason", "503"),)] == 2


# ---- the pages -------------------------------------------------------------------------------------------------------


async def test_scrapes_that_come_together_share_one_look() -> None:
    async with drilling("- {at: 0, fail: {delay: 0.1s, path: spot/*}}") as drill, scraping(drill) as scraper:
        clients = [Client("127.0.0.1", int(scraper.client.where.rpartition(":")[2])) for _ in range(10)]
        pages = await asyncio.gather(*(each.ask("GET", "/metrics", seconds_max=SECONDS) for each in clients))
        assert {page.status for page in pages} == {200}
        assert drill.requests(f"/latest/meta-data/{INTERRUPTION}") == 1
        for each in clients:
            await each.close()


async def test_beside_an_agent_that_polls_it_asks_nothing_itself() -> None:
    async with drilling() as drill, scraping(drill, looks=False) as scraper:
        assert await scraper.one("spotward_imds_polls_total") == 0
        await scraper.watch.poll()
        assert await scraper.one("aws_instance_metadata_service_available") == 1
        assert drill.requests(f"/latest/meta-data/{INTERRUPTION}") == 1


async def test_the_page_may_have_another_path_and_others_are_told_where_it_is() -> None:
    async with drilling() as drill:
        watch = Watch(drill.imds(), drill.clock)
        async with exporting(watch, drill.clock, host="127.0.0.1", port=0, metrics_path="/spot") as port:
            client = Client("127.0.0.1", port)
            assert "aws_instance" in (await client.ask("GET", "/spot?x=1", seconds_max=SECONDS)).text
            assert "/spot" in (await client.ask("GET", "/metrics", seconds_max=SECONDS)).text
            assert (await client.ask("GET", "/healthz", seconds_max=SECONDS)).status == 200
            assert (await client.ask("GET", "/", seconds_max=SECONDS)).status == 200
            assert (await client.ask("POST", "/spot", seconds_max=SECONDS)).status == 405
            await client.close()


async def test_an_address_that_is_taken_and_a_path_that_is_none_are_told() -> None:
    async with drilling() as drill:
        watch = Watch(drill.imds(), drill.clock)
        taken = int(drill.door.url.rpartition(":")[2])
        with pytest.raises(ConfigError, match="give another address"):
            async with exporting(watch, drill.clock, host="127.0.0.1", port=taken):
                pass
        with pytest.raises(ConfigError, match="must begin with a slash"):
            async with exporting(watch, drill.clock, host="127.0.0.1", port=0, metrics_path="metrics"):
                pass


def test_figures_and_labels_are_written_so_that_prometheus_reads_them_back() -> None:
    odd = 'a "quoted" \\ text\nin two lines'
    page = rendered(
        [
            Family(name="one", help="first\nline \\", labels=("x",), samples=(((odd,), 0.1), (("b",), float("inf")))),
            Family(name="none", help="without samples", samples=()),
            Family(name="two_total", help="", kind="counter", samples=(((), 3.0),)),
        ]
    )
    assert figures(page) == {("one", (("x", odd),)): 0.1, ("one", (("x", "b"),)): float("inf"), ("two_total", ()): 3.0}
    assert "none" not in page
