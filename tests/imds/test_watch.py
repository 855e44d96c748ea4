"""The machine's own ear, against the served metadata: one event for each real change, whatever goes wrong."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from itertools import count
from pathlib import Path

import pytest

from spotward.aws.imds import Imds, ImdsPolicy
from spotward.aws.imds_watch import ImdsSource, Watch, WatchPolicy
from spotward.emulator.imds.door import serving_metadata
from spotward.emulator.imds.script import parse_script
from spotward.emulator.imds.service import MetadataService
from spotward.events.imds import INTERRUPTION, MAINTENANCE, WATCHED
from spotward.http.server import serving
from spotward.http.values import Answer, Request, text_answer
from spotward.model.errors import ConfigError, PayloadError
from spotward.model.event import (
    Event,
    InterruptionNoticed,
    MaintenanceEnded,
    MaintenanceScheduled,
    NoticeWithdrawn,
    RebalanceAdvised,
    TargetStateChanged,
)
from tests.hand_clock import HandClock
from tests.imds.drill import HUNG_SECONDS, START, Drill, drilling, patience
from tests.imds.test_client import serves_two_documents
from tests.ports import free_port

pytestmark = pytest.mark.anyio

EXAMPLES = Path(__file__).parents[2] / "examples" / "drills"

ALWAYS = WatchPolicy(pause_seconds_max=0)


def watching(drill: Drill, policy: WatchPolicy = ALWAYS, **imds: object) -> Watch:
    return Watch(drill.imds(**imds), drill.clock, policy)


async def heard(drill: Drill, watch: Watch, seconds: Sequence[float]) -> list[Event | PayloadError]:
    """What polls tell, each so many seconds after the one before."""
    found: list[Event | PayloadError] = []
    for pause in seconds:
        drill.clock.turn(pause)
        found += await watch.poll()
    return found


def kinds(events: Sequence[Event | PayloadError]) -> list[type]:
    return [type(event) for event in events if not isinstance(event, TargetStateChanged)]


async def test_a_whole_drill_is_told_event_by_event() -> None:
    steps = """
- {at: 10s, rebalance: now}
- {at: 20s, maintenance: {id: e-1, code: system-reboot, not_before: 14d}}
- {at: 30s, interruption: terminate}
- {at: 40s, cancel: e-1}
- {at: 60s, target_state: Terminated}
"""
    async with drilling(steps, v1=False) as drill:
        events = await heard(drill, watching(drill), [2.0] * 40)
        me, region = "i-1234567890abcdef0", "us-east-1"
        assert events == [
            TargetStateChanged(time=START + 2, region=region, instance_id=me, state="InService"),
            RebalanceAdvised(time=START + 10, region=region, instance_id=me),
            MaintenanceScheduled(
                time=START + 20,
                region=region,
                instance_id=me,
                event_id="e-1",
                code="system-reboot",
                start_time=START + 20 + 14 * 86_400,
                description="scheduled by a drill",
            ),
            InterruptionNoticed(time=START + 30, region=region, instance_id=me, deadline=START + 150),
            MaintenanceEnded(time=START + 40, region=region, instance_id=me, event_id="e-1", outcome="canceled"),
            TargetStateChanged(time=START + 60, region=region, instance_id=me, state="Terminated"),
        ]


async def test_an_idle_machine_tells_nothing_more_after_the_first_poll() -> None:
    async with drilling() as drill:
        assert kinds(await heard(drill, watching(drill), [2.0] * 20)) == []


async def test_what_was_said_before_a_restart_is_said_again_after_it() -> None:
    async with drilling("- {at: 0, interruption: terminate}") as drill:
        first = await heard(drill, watching(drill), [2, 2])
        again = await heard(drill, watching(drill), [2, 2])
        assert kinds(first) == kinds(again) == [InterruptionNoticed]
        assert first[0] != again[0], "it was read at another time"


async def test_a_notice_that_is_canceled_is_withdrawn() -> None:
    async with drilling("- {at: 0, interruption: stop}\n- {at: 10s, cancel: interruption}") as drill:
        events = await heard(drill, watching(drill), [2.0] * 10)
        assert kinds(events) == [InterruptionNoticed, NoticeWithdrawn]


@pytest.mark.parametrize(
    "fail",
    ["{status: 500}", "{status: 401}", "{status: 403}", "{malformed: true}", "{garbage: true}", "{hang: true}"],
)
async def test_a_service_that_fails_withdraws_nothing_and_is_heard_again_when_it_works(fail: str) -> None:
    steps = f"""
- {{at: 0, rebalance: now}}
- {{at: 10s, for: 20s, fail: {fail}}}
- {{at: 15s, interruption: terminate}}
"""
    async with drilling(steps, v1=False) as drill:
        watch = watching(drill, answer_seconds_max=patience(fail))
        before = await heard(drill, watch, [2.0] * 4)
        during = await heard(drill, watch, [4.0] * 5)
        assert kinds(before) == [RebalanceAdvised]
        assert {kind for kind in kinds(during) if kind is not PayloadError} == set()
        assert INTERRUPTION in watch.troubles
        after = await heard(drill, watch, [5.0, 2.0])
        assert kinds(after) == [InterruptionNoticed]
        assert watch.troubles == {}


async def test_what_cannot_be_read_is_told_once_until_it_can_be_read_again() -> None:
    fail = f"fail: {{malformed: true, path: {MAINTENANCE}}}"
    steps = f"- {{at: 4s, for: 10s, {fail}}}\n- {{at: 20s, {fail}}}"
    async with drilling(steps) as drill:
        events = await heard(drill, watching(drill), [2.0] * 15)
        assert kinds(events) == [PayloadError, PayloadError]


async def test_nonsense_that_differs_at_every_answer_is_told_once() -> None:
    numbers = count()

    async def nonsense(request: Request) -> Answer:
        answer = await serves_two_documents(request)
        return text_answer(200, f"<html>{next(numbers)}") if request.path.endswith("action") else answer

    async with serving(nonsense, host="127.0.0.1", port=0) as port:
        imds = Imds(ImdsPolicy(url=f"http://127.0.0.1:{port}", v1=True))
        watch = Watch(imds, HandClock(START), ALWAYS, region_needed=False)
        events = [event for _ in range(5) for event in await watch.poll()]
        await imds.close()
    assert kinds(events) == [PayloadError]


async def test_a_document_that_hangs_keeps_nobody_from_hearing_the_others() -> None:
    steps = f"- {{at: 0, fail: {{hang: true, path: {INTERRUPTION}}}}}\n- {{at: 5s, rebalance: now}}"
    async with drilling(steps) as drill:
        watch = watching(drill, WatchPolicy(poll_seconds=3600), answer_seconds_max=HUNG_SECONDS)
        assert kinds(await heard(drill, watch, [2.0] * 10)) == [RebalanceAdvised]
        assert drill.requests(f"/latest/meta-data/{INTERRUPTION}") == 1, "it is asked again only after a pause"
        assert watch.unheard == {INTERRUPTION}


async def test_a_service_that_does_not_answer_at_all_costs_one_poll_no_more_than_two_answers() -> None:
    async with drilling("- {at: 10s, fail: {hang: true}}") as drill:
        watch = watching(drill, answer_seconds_max=HUNG_SECONDS)
        await heard(drill, watch, [2.0])
        drill.clock.turn(10)
        asked = drill.service.requests.total()
        await watch.poll()
        assert drill.service.requests.total() - asked == 2 < len(WATCHED)
        assert len(watch.unheard) == 2


async def test_pauses_grow_to_a_low_ceiling() -> None:
    async with drilling("- {at: 0, fail: {status: 503}}") as drill:
        watch = watching(drill, WatchPolicy(poll_seconds=0.01, pause_seconds_max=0.04), v1=True)
        pauses = []
        for _ in range(5):
            await watch.poll()
            (trouble,) = watch._troubles.values()
            pauses.append(trouble.pause_seconds)
            await asyncio.sleep(trouble.pause_seconds + 0.005)
        assert pauses == [0.01, 0.02, 0.04, 0.04, 0.04]


async def test_a_service_that_tells_no_region_is_refused_where_events_need_one() -> None:
    async with serving(serves_two_documents, host="127.0.0.1", port=0) as port, drilling() as drill:
        url = f"http://127.0.0.1:{port}"
        watch = Watch(Imds(ImdsPolicy(url=url, v1=True)), drill.clock, ALWAYS)
        assert await watch.poll() == []
        assert "in which region" in watch.troubles["instance-identity"]
        lenient = Watch(Imds(ImdsPolicy(url=url, v1=True)), drill.clock, ALWAYS, region_needed=False)
        assert kinds(await lenient.poll()) == [InterruptionNoticed]
        await watch.imds.close()
        await lenient.imds.close()


async def test_as_a_source_it_delivers_soon_after_the_fact_and_never_ends() -> None:
    async with drilling("- {at: 1s, interruption: terminate}") as drill:
        source = ImdsSource(watching(drill, WatchPolicy(poll_seconds=0.02, paths=(INTERRUPTION,))))
        async with aclosing(source.deliveries()) as deliveries:  # type: ignore[type-var] # the port calls it an iterator
            waiting = asyncio.ensure_future(anext(deliveries))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            drill.clock.turn(1)
            delivery = await asyncio.wait_for(waiting, 60)
            assert isinstance(delivery.event, InterruptionNoticed)
            await delivery.acknowledge()
        assert "127.0.0.1" in source.name


async def test_a_source_whose_service_comes_late_waits_for_it() -> None:
    port = free_port()
    async with drilling() as drill:
        pass
    watch = Watch(
        Imds(ImdsPolicy(url=f"http://127.0.0.1:{port}")),
        drill.clock,
        WatchPolicy(poll_seconds=0.05, pause_seconds_max=0.05),
    )
    source = ImdsSource(watch)
    waiting = asyncio.ensure_future(anext(source.deliveries()))
    while "instance-identity" not in watch.troubles:  # noqa: ASYNC110 - nobody tells of troubles
        await asyncio.sleep(0.01)
    async with serving_metadata(drill.service, drill.clock, port=port):
        assert isinstance((await asyncio.wait_for(waiting, 60)).event, TargetStateChanged)
        await watch.imds.close()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("advice-then-notice", [RebalanceAdvised, InterruptionNoticed]),
        (
            "maintenance-called-off",
            [MaintenanceScheduled, MaintenanceScheduled, MaintenanceScheduled, MaintenanceEnded],
        ),
        ("bad-service", [PayloadError, PayloadError, InterruptionNoticed]),
    ],
)
async def test_the_examples_are_heard_as_they_are_meant(name: str, told: list[type]) -> None:
    clock = HandClock(START)
    timeline = parse_script((EXAMPLES / f"{name}.yaml").read_text(), file=name).timeline(start_time=clock.now())
    service = MetadataService(machines=timeline, drill=timeline, v1=False)
    async with serving_metadata(service, clock) as door:
        imds = Imds(ImdsPolicy(url=door.url, answer_seconds_max=HUNG_SECONDS))
        watch = Watch(imds, clock, ALWAYS)
        events: list[Event | PayloadError] = []
        for _ in range(40):
            events += await watch.poll()
            clock.turn(2)
        await imds.close()
    assert sorted(kind.__name__ for kind in kinds(events)) == sorted(kind.__name__ for kind in told)
    assert watch.troubles == {}


@pytest.mark.parametrize("wrong", [{"poll_seconds": 0}, {"pause_seconds_max": -1}])
def test_settings_that_cannot_be_are_told_with_those_that_can(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="give"):
        WatchPolicy(**wrong)  # type: ignore[arg-type] # tests give what they like
