"""Leaving a plugin alone, and finding out that it is back."""

from hypothesis import given
from hypothesis import strategies as st

from spotward.plugins.host.breaker import REST_SECONDS_MAX, Breaker


def broken(now: float = 0.0) -> Breaker:
    breaker = Breaker(failures_max=3, rest_seconds=10)
    for _ in range(3):
        breaker.missed(now)
    return breaker


def test_fewer_failures_than_its_limit_change_nothing() -> None:
    breaker = Breaker(failures_max=3, rest_seconds=10)
    breaker.missed(0)
    breaker.missed(0)
    assert breaker.seconds_left(0) is None
    breaker.reached()
    breaker.missed(0)
    assert breaker.seconds_left(0) is None


def test_after_the_rest_one_call_alone_finds_out() -> None:
    breaker = broken()
    assert breaker.seconds_left(4) == 6
    assert breaker.seconds_left(10) is None
    assert breaker.seconds_left(10) == 10
    breaker.reached()
    assert breaker.seconds_left(10) is None


def test_each_rest_is_longer_than_the_one_before() -> None:
    breaker = broken()
    assert breaker.seconds_left(10) is None
    breaker.missed(10)
    assert breaker.seconds_left(10) == 20


def test_a_trial_that_was_given_up_lets_another_one_go() -> None:
    breaker = broken()
    assert breaker.seconds_left(10) is None
    breaker.undecided()
    assert breaker.seconds_left(10) is None


@given(st.lists(st.sampled_from(["reached", "missed", "undecided", "ask"])))
def test_it_never_rests_for_longer_than_its_limit_and_never_for_ever(deeds: list[str]) -> None:
    breaker, now = Breaker(failures_max=2, rest_seconds=30), 0.0
    for deed in deeds:
        now += 1
        if deed == "ask":
            left = breaker.seconds_left(now)
            assert left is None or 0 < left <= REST_SECONDS_MAX
        elif deed == "missed":
            breaker.missed(now)
        else:
            getattr(breaker, deed)()
    breaker.undecided()
    assert breaker.seconds_left(now + REST_SECONDS_MAX) is None
