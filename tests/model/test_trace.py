"""Trace contexts: read and written as W3C has them, and the same for the same things in every process."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.model.flow_action import CallPlugin
from spotward.model.occurrence import Occurrence
from spotward.model.trace import TraceContext, came_with, of_call, of_occurrence, read, root, sent_with

SENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def occurrence(traceparent: str | None = None) -> Occurrence:
    extensions = {} if traceparent is None else {"traceparent": traceparent}
    return Occurrence.of(id="1", source="/s", type="com.example.x", extensions=extensions)


def call(traceparent: str | None = None, *, tries: int = 1) -> CallPlugin:
    return CallPlugin(
        flow="r.1",
        rule="r",
        task="drain",
        plugin="drain",
        occurrence=occurrence(traceparent),
        tries=tries,
        timeout_seconds=60,
        deadline_time=60,
    )


@given(st.text(min_size=1), st.booleans())
def test_what_is_written_is_read_again(name: str, sampled: bool) -> None:
    begun = root(name)
    context = TraceContext(trace_id=begun.trace_id, span_id=begun.span_id, sampled=sampled)
    assert read(context.traceparent) == context
    assert read(context.child(name).traceparent) == context.child(name)


@given(st.text())
def test_whatever_somebody_sends_is_a_context_or_none(text: str) -> None:
    found = read(text)
    assert found is None or len(found.trace_id) == 32


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        SENT.upper(),
        f"{SENT}-more",
        SENT.replace("00-", "ff-", 1),
        SENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
        SENT.replace("00f067aa0ba902b7", "0" * 16),
        SENT[:-1],
    ],
)
def test_what_is_no_traceparent_is_as_if_it_were_not_there(text: str) -> None:
    assert read(text) is None
    assert came_with(occurrence(text)) is None


def test_a_later_version_may_say_more() -> None:
    assert read(f"cc{SENT[2:]}-what-comes") == read(SENT)


def test_a_trace_that_somebody_began_is_gone_on_with_and_its_word_on_recording_holds() -> None:
    sender = read(SENT)
    assert sender is not None
    heard = of_occurrence(occurrence(SENT))
    assert (heard.trace_id, heard.sampled) == (sender.trace_id, True)
    assert heard.span_id != sender.span_id
    assert of_call(call(f"{SENT[:-2]}00")).traceparent.endswith("-00")


def test_each_try_of_a_call_is_a_span_of_its_own_in_one_trace_the_same_in_every_process() -> None:
    first, second = of_call(call()), of_call(call(tries=2))
    assert first.trace_id == second.trace_id == of_occurrence(occurrence()).trace_id
    assert first.span_id != second.span_id
    assert first == of_call(call())
    assert first.traceparent == "00-b8ba4560cb3162713a8bd3b07fe0213f-5e8a7f479d95c027-01"


def test_who_tells_of_no_traces_passes_on_what_came_and_no_more() -> None:
    assert sent_with(call(SENT), traced=False) == SENT
    assert sent_with(call(), traced=False) == ""
    assert sent_with(call(SENT), traced=True) == of_call(call(SENT)).traceparent
