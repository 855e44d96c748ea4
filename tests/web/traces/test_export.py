"""Spans on their way to a collector, over a real socket, and what is done where there is none."""

import time
from pathlib import Path

import pytest

from spotward.model.errors import ConfigError
from spotward.model.trace import TraceContext, root
from spotward.web.traces.chain import Chain
from spotward.web.traces.export import CLOSING_SECONDS_MAX, Collector, exporting
from spotward.web.traces.span import Role, Span
from tests.hand_clock import HandClock
from tests.plugins.sdk.served import in_a_loop
from tests.ports import free_port
from tests.rules.made import NOON, alert, one_rule
from tests.rules.stage import Plugins, Stage, refuses
from tests.web.traces.collector import collecting

OK, ERROR = 1, 2


def span(context: TraceContext) -> Span:
    return Span(name="x", context=context, parent=None, role=Role.INTERNAL, start_time=NOON, end_time=NOON + 1)


@in_a_loop
async def test_what_was_played_arrives_as_one_trace_that_can_be_searched() -> None:
    stage = Stage(one_rule(), Plugins({"swap": refuses})).hear(alert(instance_id="i-1")).play()
    with collecting() as collector:
        async with exporting(Collector(endpoint=collector.endpoint)) as give:
            chain = Chain(give, HandClock(NOON))
            for event, step in stage.steps:
                chain(event, step)
        spans = collector.spans
    assert {each.service for each in spans} == {"spotward"}
    assert len({each.trace_id for each in spans}) == 1
    ids = {each.span_id for each in spans}
    assert sorted(each.name for each in spans if each.parent_id not in ids) == ["occurred"]
    good, bad = (each for each in spans if each.name == "call-plugin")
    assert (good.status, bad.status, bad.message) == (OK, ERROR, "I will not")
    assert bad.attributes["spotward.plugin"] == "swap"
    assert bad.attributes["spotward.outcome"] == "refused"
    assert isinstance(bad.attributes["spotward.attempt"], int)
    assert 0.0 < good.seconds < 1.0
    (begun,) = (each for each in spans if each.name == "occurred")
    assert begun.attributes["spotward.instance"] == "i-1"


@in_a_loop
async def test_a_trace_that_its_sender_does_not_record_is_not_told_of() -> None:
    kept = root("kept")
    with collecting() as collector:
        async with exporting(Collector(endpoint=collector.endpoint)) as give:
            give(span(TraceContext(trace_id=root("x").trace_id, span_id=root("x").span_id, sampled=False)))
            give(span(kept))
        assert [each.span_id for each in collector.spans] == [kept.span_id]


def test_headers_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text("Authorization: Bearer secret-one\n\nX-Scope-OrgID: 7\n")

    @in_a_loop
    async def sent() -> None:
        with collecting() as collector:
            async with exporting(Collector(endpoint=collector.endpoint, headers_file=file, service="spot-eu")) as give:
                give(span(root("a")))
            (headers,) = collector.headers
            assert (headers["authorization"], headers["x-scope-orgid"]) == ("Bearer secret-one", "7")
            assert [each.service for each in collector.spans] == ["spot-eu"]

    sent()


@in_a_loop
async def test_a_headers_file_that_is_not_there_is_said() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        async with exporting(Collector(endpoint="http://127.0.0.1:1", headers_file=Path("/nowhere/headers"))):
            pass


@pytest.mark.slow  # it waits for the collector as long as it may
@in_a_loop
async def test_a_collector_that_is_away_holds_nothing_up() -> None:
    begun = time.perf_counter()
    async with exporting(Collector(endpoint=f"http://127.0.0.1:{free_port()}/v1/traces")) as give:
        for number in range(5_000):
            give(span(root(str(number))))
        given = time.perf_counter() - begun
    assert given < 10
    assert time.perf_counter() - begun < given + CLOSING_SECONDS_MAX * 3
