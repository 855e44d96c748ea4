"""Arithmetic of deadlines."""

import math

from hypothesis import given
from hypothesis import strategies as st

from spotward.nodes.deadline import ASKING_SECONDS, fitting_grace, latest_start, stop_time

moments = st.floats(0, 1e6)
spans = st.floats(0, 1e5)


@given(moments, spans, moments, spans)
def test_a_grace_that_is_given_always_fits_into_what_is_left_or_is_one_second(
    deadline: float, reserve: float, now: float, grace: float
) -> None:
    stop = stop_time(deadline, reserve)
    given_seconds = fitting_grace(stop, now, grace)
    if given_seconds is None:
        assert now + grace <= stop + ASKING_SECONDS + 1e-6 * max(1.0, abs(stop))
    else:
        assert given_seconds == 1 or now + given_seconds <= stop
        assert given_seconds >= 1


@given(moments, spans, spans)
def test_who_is_asked_at_the_latest_start_needs_no_shortening(deadline: float, reserve: float, grace: float) -> None:
    stop = stop_time(deadline, reserve)
    start = math.floor(latest_start(stop, grace)) - 1
    assert fitting_grace(stop, start, grace) is None


def test_a_moment_too_late_is_not_too_late() -> None:
    assert fitting_grace(100.0, 70.4, 30.0) is None
    assert fitting_grace(100.0, 71.5, 30.0) == 28


def test_without_a_deadline_there_is_all_the_time() -> None:
    assert stop_time(None, 20.0) == math.inf
    assert latest_start(math.inf, 30.0) == math.inf
    assert fitting_grace(math.inf, 5.0, 3600.0) is None
