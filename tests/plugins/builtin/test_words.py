"""Texts whose gaps an event fills."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.plugins.builtin.words import filled, is_sound
from spotward.plugins.sdk import Call, Happening, done
from tests.plugins.builtin.calls import HOT

CALL = Call(key="k", event=HOT, flow="f", step="s", happens=1_700_000_120.0, earlier={"drain": done("10 pods")})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$type of $labels.instance: $annotations.summary", "prometheus.server.alert.Hot of n-1: too hot"),
        ("at $time, gone $happens", "at 2023-11-14 22:13:20Z, gone 2023-11-14 22:15:20Z"),
        ("$earlier.drain, ${data.count}x", "10 pods, 3x"),
        ("$labels.instance.", "n-1."),
        ("$flow/$step costs $$5", "f/s costs $5"),
        ("$subject $labels.nope $nonsense $data.a.b.c", "? ? ? ?"),
    ],
)
def test_gaps_are_filled(text: str, wanted: str) -> None:
    assert filled(text, CALL) == wanted


def test_what_fills_a_gap_in_json_ends_no_text_there() -> None:
    assert json.loads(filled('{"a": "$labels.say"}', CALL, in_json=True)) == {"a": 'a "word"'}


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_no_text_and_no_event_breaks_it(text: str, labels: dict[str, str]) -> None:
    filled(text, Call(key="k", event=Happening(id="1", source="s", type="t", data={"labels": labels})))


def test_a_dollar_sign_that_stands_alone_is_seen() -> None:
    assert is_sound("$labels.a $$")
    assert not is_sound("costs 5 $")
