"""The pages, asked over real connections, beside a real shell."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed

from spotward.engine.clock import SystemClock
from spotward.engine.core import Core
from spotward.engine.deciders import deciders, guards
from spotward.engine.live import Live
from spotward.engine.ports import Delivery
from spotward.engine.store import SqliteStore, this_process
from spotward.groups.policy import GroupsPolicy
from spotward.model.action import Action, ObserveRegion
from spotward.model.cloud import Lifecycle
from spotward.model.errors import ConfigError, PayloadError, Permanent
from spotward.model.event import Event, RegionObserved
from spotward.web.health import TURN_SECONDS_MAX
from spotward.web.server import serving
from spotward.web.view import View
from tests.web.asking import Answer, get
from tests.web.scenes import REGION, group, instance, member, view

HOST = "127.0.0.1"
WITHIN_SECONDS = 60


class Cloud:
    """Answers one look at the region, and is not permitted anything else."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.may_answer = asyncio.Event()

    async def do(self, action: Action, attempt: int) -> Event:
        await self.may_answer.wait()
        if not isinstance(action, ObserveRegion):
            raise Permanent("not authorized", code="UnauthorizedOperation")
        now = self.clock.now()
        one = instance(1, Lifecycle.ON_DEMAND)
        return RegionObserved(
            time=now,
            key=action.key,
            attempt=attempt,
            as_of=now,
            region=action.region,
            groups=(group("web", member(one)),),
            instances=(one,),
        )


class Muddled:
    """A source that delivers one thing nobody can read."""

    name = "queue"

    async def deliveries(self) -> AsyncIterator[Delivery]:
        yield Delivery(event=PayloadError("not JSON"))


@asynccontextmanager
async def daemon(directory: Path, cloud: Cloud) -> AsyncIterator[str]:
    """A running shell with its pages; their address."""
    clock, policy = SystemClock(), GroupsPolicy()
    seen = View(clock=clock, regions=(REGION,), observe_seconds=60.0, policy=policy)
    store = SqliteStore.to_write(directory, clock=clock)
    live = Live(
        core=Core(deciders(policy), guards(policy)),
        store=store,
        hands=cloud,
        clock=clock,
        owner=this_process(),
        sources=(Muddled(),),
        regions=(REGION,),
        listeners=(seen,),
    )
    seen.follow(live)
    running = asyncio.create_task(live.run())
    try:
        async with serving(seen, host=HOST, port=0) as address:
            assert address is not None
            yield address
    finally:
        live.stop()
        await running
        await store.close()


async def until(address: str, path: str, so: Callable[[Answer], bool]) -> Answer:
    """Asked again and again, until the answer is so."""
    async with asyncio.timeout(WITHIN_SECONDS):
        while True:
            answer = await get(address, path)
            if so(answer):
                return answer
            await asyncio.sleep(0.02)


def is_good(answer: Answer) -> bool:
    return answer.status == 200


def sampled(scrape: Answer) -> dict[tuple[str, ...], float]:
    """(name, values of its labels by the labels' names) → value."""
    every = [sample for family in parsed(scrape.text) for sample in family.samples]
    return {(s.name, *(s.labels[label] for label in sorted(s.labels))): s.value for s in every}


def test_it_is_alive_at_once_and_ready_when_the_region_was_observed(tmp_path: Path) -> None:
    async def story() -> None:
        cloud = Cloud()
        async with daemon(tmp_path, cloud) as address:
            alive, not_ready = await get(address, "/healthz"), await get(address, "/readyz")
            assert (alive.status, alive.json["alive"]) == (200, True)
            assert (not_ready.status, not_ready.json["ready"]) == (503, False)
            assert f"{REGION} was not observed yet" in not_ready.json["reasons"]
            cloud.may_answer.set()
            ready = await until(address, "/readyz", is_good)
            assert ready.json["reasons"] == []
            assert 0 <= ready.json["observation_age_seconds"][REGION] < WITHIN_SECONDS

    asyncio.run(story())


def test_a_scrape_tells_what_the_running_shell_knows_and_did(tmp_path: Path) -> None:
    async def story() -> None:
        cloud = Cloud()
        cloud.may_answer.set()
        async with daemon(tmp_path, cloud) as address:
            scrape = await until(
                address, "/metrics", lambda answer: sampled(answer)["spotward_wishes_waiting", "observe-group"] == 1
            )
            assert scrape.status == 200
            assert scrape.headers["content-type"].startswith("text/plain; version=0.0.4")
            found = sampled(scrape)
            assert found["spotward_group_members", "web", "on-demand", REGION] == 1
            assert found["spotward_group_members_waiting", "web", REGION] == 1
            assert found["spotward_events_total", "region.observed"] == 1
            assert found["spotward_deliveries_unreadable_total",] == 1
            assert found["spotward_journal_writable",] == 1

    asyncio.run(story())


def test_a_turn_that_is_stuck_is_told_to_the_probe(tmp_path: Path) -> None:
    async def story() -> None:
        seen, store = view(), SqliteStore.to_write(tmp_path)
        live = Live(core=Core(()), store=store, hands=Cloud(), clock=SystemClock(), owner=this_process())
        seen.follow(live)
        async with serving(seen, host=HOST, port=0) as address:
            assert address is not None
            live.turns.busy_since = asyncio.get_running_loop().time() - TURN_SECONDS_MAX - 1
            stuck = await get(address, "/healthz")
            live.turns.busy_since = None
            turning = await get(address, "/healthz")
        await store.close()
        assert (stuck.status, turning.status) == (503, 200)
        assert stuck.json["reason"].startswith("the loop has been stuck in one turn")

    asyncio.run(story())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/metrics", 405), ("DELETE", "/healthz", 405), ("GET", "/", 404), ("GET", "/openapi.json", 404)],
)
def test_pages_are_only_read_and_there_are_no_others(method: str, path: str, status: int) -> None:
    async def story() -> None:
        async with serving(view(), host=HOST, port=0) as address:
            assert address is not None
            assert (await get(address, path, method=method)).status == status

    asyncio.run(story())


def test_many_scrapes_at_once_are_all_answered() -> None:
    async def story() -> None:
        async with serving(view(), host=HOST, port=0) as address:
            assert address is not None
            answers = await asyncio.gather(*(get(address, "/metrics") for _ in range(20)))
            assert {answer.status for answer in answers} == {200}

    asyncio.run(story())


def test_the_pages_end_with_their_context_and_leave_the_signals_alone() -> None:
    async def story() -> None:
        before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
        async with serving(view(), host=HOST, port=0) as address:
            assert address is not None
            assert (await get(address, "/healthz")).status == 200
            assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
        with pytest.raises(ConnectionRefusedError):
            await get(address, "/healthz")
        async with serving(view(), host=HOST, port=int(address.rsplit(":", 1)[1])) as again:
            assert again == address

    asyncio.run(story())


def test_an_idle_connection_does_not_hold_up_the_end() -> None:
    async def story() -> None:
        async with asyncio.timeout(WITHIN_SECONDS), serving(view(), host=HOST, port=0) as address:
            assert address is not None
            _, writer = await asyncio.open_connection(HOST, int(address.rsplit(":", 1)[1]))
        writer.close()

    asyncio.run(story())


def test_no_port_means_no_pages() -> None:
    async def story() -> None:
        async with serving(view(), host=HOST, port=None) as address:
            assert address is None

    asyncio.run(story())


def test_a_taken_port_is_an_error_that_names_the_setting() -> None:
    async def story(port: int) -> None:
        async with serving(view(), host=HOST, port=port):
            pytest.fail("the port was taken twice")

    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"^web\.port is {port}, and another program listens there on {HOST}"):
            asyncio.run(story(port))


@pytest.mark.parametrize("host", ["192.0.2.1", "", "two..dots", "a" * 70])
def test_an_address_that_is_not_this_machines_is_an_error_that_names_the_setting(host: str) -> None:
    async def story() -> None:
        async with serving(view(), host=host, port=0):
            pytest.fail("there is no such address here")

    with pytest.raises(ConfigError, match=r"^web\.host is "):
        asyncio.run(story())


def test_ipv6_is_served_too() -> None:
    async def story() -> None:
        async with serving(view(), host="::1", port=0) as address:
            assert address is not None
            assert address.startswith("http://[::1]:")
            assert (await get(address, "/healthz")).status == 200

    if not socket.has_ipv6 or not _has_loopback_6():
        pytest.skip("this machine has no IPv6")
    asyncio.run(story())


def _has_loopback_6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_who_serves_no_pages_imports_no_web_server() -> None:
    heavy = "{'fastapi', 'uvicorn', 'prometheus_client'}"
    code = f"import sys, spotward.web.server; assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
