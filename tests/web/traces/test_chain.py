"""Chains as spans, played by the real deciders: one trace for what one event led to, each span under its cause."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest

from spotward.engine.core import Step
from spotward.model.event import Event, Woken
from spotward.model.flow_event import Occurred
from spotward.model.occurrence import Occurrence
from spotward.model.page import Page
from spotward.model.trace import TraceContext, of_call, of_occurrence, read
from spotward.model.world import World
from spotward.web.traces.chain import Chain
from spotward.web.traces.span import Span
from tests.groups.stage import Stage as Groups
from tests.groups.test_endings import LONG, ON_DEMAND, SPOT, a_cloud
from tests.hand_clock import HandClock
from tests.nodes.stage import Stage as Nodes
from tests.nodes.toy_cluster import a_cluster, a_pod
from tests.rules.made import alert, one_rule
from tests.rules.stage import Plugins, Stage, fails, refuses
from tests.web.scenes import step

SENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def spans_of(steps: Iterable[tuple[Event, Step]]) -> list[Span]:
    spans: list[Span] = []
    clock = HandClock(0.0)
    chain = Chain(spans.append, clock)
    for event, each in steps:
        clock.time = event.time + 0.5
        chain(event, each)
    return spans


def traces(spans: list[Span]) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for span in spans:
        found.setdefault(span.context.trace_id, []).append(span)
    return found


def named(spans: list[Span], name: str) -> list[Span]:
    return [span for span in spans if span.name == name]


def assert_whole(spans: list[Span], *, sender: TraceContext | None = None) -> None:
    """Each span has an id of its own, and a parent that was told of; only the first of a trace has none."""
    ids = Counter(span.context.span_id for span in spans)
    assert ids.most_common(1)[0][1] == 1, f"twice: {ids.most_common(3)}"
    for trace in traces(spans).values():
        known = {span.context for span in trace}
        orphans = [span for span in trace if span.parent not in {None, sender} and span.parent not in known]
        assert orphans == []
        assert sum(span.parent in {None, sender} for span in trace) == 1
        assert all(span.start_time <= span.end_time for span in trace)


def test_an_alert_its_page_its_calls_and_their_answers_are_one_trace() -> None:
    notice = alert(instance_id="i-1")
    stage = Stage(one_rule("[{plugin: drain}, {plugin: swap}]")).hear(notice).play()
    spans = spans_of(stage.steps)
    assert_whole(spans)
    (trace,) = traces(spans).values()
    (begun,) = named(trace, "occurred")
    assert begun.context == of_occurrence(notice)
    assert begun.attributes["spotward.instance"] == "i-1"
    assert begun.attributes["cloudevents.event_type"] == "prometheus.server.alert.SpotTerminationNotice"
    calls = named(trace, "call-plugin")
    assert [call.attributes["spotward.plugin"] for call in calls] == ["drain", "swap"]
    assert {call.attributes["spotward.outcome"] for call in calls} == {"done"}
    assert [call.context for call in calls] == [of_call(call) for _, call in stage.plugins.calls]
    assert {call.attributes["spotward.rule"] for call in calls} == {"r"}


def test_each_try_is_a_span_and_one_that_failed_says_why() -> None:
    plugins = Plugins({"drain": fails(1), "swap": refuses})
    stage = Stage(one_rule("[{plugin: drain, retries: 2}, {plugin: swap}]"), plugins).hear(alert()).play()
    spans = spans_of(stage.steps)
    assert_whole(spans)
    calls = named(spans, "call-plugin")
    assert [call.error for call in calls] == ["it did not work", None, "I will not"]
    assert [call.attributes["spotward.outcome"] for call in calls] == ["failed", "done", "refused"]
    assert len(traces(spans)) == 1


def sent(traceparent: str, number: int) -> Occurrence:
    return replace(alert(number=number), extensions=(("traceparent", traceparent),))


def test_a_trace_of_the_senders_is_gone_on_with() -> None:
    spans = spans_of(Stage(one_rule()).hear(sent(SENT, 1)).play().steps)
    assert_whole(spans, sender=read(SENT))
    assert {span.context.trace_id for span in spans} == {SENT[3:35]}
    assert named(spans, "occurred")[0].parent == read(SENT)


def test_events_that_have_nothing_to_do_with_one_another_are_traces_of_their_own() -> None:
    stage = Stage(one_rule(concurrency=1), Plugins(seconds={"drain": 5.0}))
    for number in range(4):
        stage.hear(alert(number=number, instance_id=f"i-{number}"), after=number / 10)
    spans = spans_of(stage.play().steps)
    assert_whole(spans)
    found = traces(spans)
    assert len(found) == 4, "also when one waits for another's place"
    for trace in found.values():
        assert len(named(trace, "call-plugin")) == 2
        assert len({span.attributes.get("spotward.flow") for span in named(trace, "call-plugin")}) == 1


def test_after_a_restart_calls_stand_in_the_trace_that_they_were_begun_in() -> None:
    notice = alert(instance_id="i-1")
    stage = Stage(one_rule(), Plugins(seconds={"drain": 10.0})).hear(notice).kill(after=5.0).play()
    killed = next(n for n, (event, _) in enumerate(stage.steps) if event.kind == "restarted")
    before, after = spans_of(stage.steps[:killed]), spans_of(stage.steps[killed:])
    assert named(after, "call-plugin")
    for call in named(after, "call-plugin"):
        assert call.context.trace_id == of_occurrence(notice).trace_id
        assert call.parent == named(before, "occurred")[0].context


def test_an_interruption_its_launch_and_all_that_follows_are_one_trace() -> None:
    cloud = a_cloud(SPOT, ON_DEMAND, max_size=3, tags={"spotward:enabled": "true", "spotward:on-demand-base": "1"})
    stage = Groups(cloud)
    doomed = next(iter(cloud.groups["web"].members))
    stage.notice(doomed, 60.0)
    spans = spans_of(stage.play(until=LONG).steps)
    assert_whole(spans)
    (notice,) = named(spans, "instance.interruption")
    assert notice.attributes["spotward.instance"] == doomed
    trace = traces(spans)[notice.context.trace_id]
    assert {"launch-fleet", "attach-instances", "page"} <= {span.name for span in trace}
    ended = [text for span in named(trace, "page") for text in _texts(span.attributes.get("spotward.ended"))]
    assert any("1 of 1 replaced" in text for text in ended)


def _texts(found: object) -> tuple[str, ...]:
    return found if isinstance(found, tuple) else ()


def test_what_is_done_about_a_node_stands_with_what_was_heard_of_it() -> None:
    spans = spans_of(Nodes(a_cluster(a_pod("web-1"))).notice("i-1", 10.0).play(until=60.0).steps)
    assert_whole(spans)
    notice = named(spans, "instance.interruption")[0]
    trace = traces(spans)[notice.context.trace_id]
    assert {"cordon-node", "evict-pods"} <= {span.name for span in trace}


def test_looking_again_and_finding_nothing_new_makes_no_span() -> None:
    cloud = a_cloud(SPOT, tags={"spotward:enabled": "true"})
    spans = spans_of(Groups(cloud).play(until=LONG).steps)
    assert len(spans) < 10


def test_what_happens_at_the_same_moment_to_others_is_another_trace() -> None:
    page = Page(number=1, time=5.0, event_kind="woken", event_text="", subjects=())
    steps = [
        (Woken(time=5.0, subject=subject), step(World(), replace(page, number=number)))
        for number, subject in enumerate(("eu-west-1/web", "eu-west-1/api"), start=1)
    ]
    spans = spans_of(steps)
    assert_whole(spans)
    assert [len(trace) for trace in traces(spans).values()] == [2, 2]


@pytest.mark.parametrize("seed", range(5))
def test_whatever_goes_wrong_each_span_has_its_place(seed: int) -> None:
    stage = Stage(one_rule("[{plugin: drain, retries: 3}, {plugin: swap}]"), seed=seed, lost=0.3)
    for number in range(10):
        stage.hear(alert(number=number, instance_id=f"i-{number % 3}"), after=number / 3)
    spans = spans_of(stage.play().steps)
    assert_whole(spans)
    assert sum(isinstance(event, Occurred) for event, _ in stage.steps) == 10
