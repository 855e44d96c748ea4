"""Who may take a Lease, judged from looks alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.kube.lease import LeasePolicy, Record, Watchman
from spotward.model.errors import ConfigError

TTL_SECONDS = 10.0


def held(version: str, holder: str = "first") -> Record:
    return Record(version=version, holder=holder, transitions=1)


def test_a_lease_that_does_not_change_is_free_after_its_time_and_not_before() -> None:
    watchman = Watchman(TTL_SECONDS)
    assert not watchman.free(held("1"), 100.0)
    assert not watchman.free(held("1"), 109.9)
    assert watchman.free(held("1"), 110.0)


def test_each_change_begins_the_time_anew_whatever_time_is_written_in_it() -> None:
    watchman = Watchman(TTL_SECONDS)
    for moment in range(0, 100, 9):
        assert not watchman.free(held(str(moment)), float(moment))


def test_a_lease_that_was_given_back_is_free_at_once() -> None:
    assert Watchman(TTL_SECONDS).free(held("1", holder=""), 0.0)


@given(
    gaps=st.lists(st.floats(min_value=0.1, max_value=6.9), min_size=1, max_size=30),
    looks=st.lists(st.floats(min_value=0.0, max_value=300.0), max_size=60),
)
def test_a_holder_that_renews_in_time_is_never_robbed(gaps: list[float], looks: list[float]) -> None:
    """It renews at the sums of the gaps, each shorter than `renew_seconds`; looks happen at any time until the last."""
    renewals = [sum(gaps[:count]) for count in range(len(gaps) + 1)]
    watchman = Watchman(TTL_SECONDS)
    for moment in sorted(look for look in looks if look <= renewals[-1]):
        newest = max(index for index, renewed in enumerate(renewals) if renewed <= moment)
        assert not watchman.free(held(str(newest)), moment)


@pytest.mark.parametrize(
    "settings",
    [
        {"ttl_seconds": 2.0},
        {"ttl_seconds": 4.5},
        {"renew_seconds": 10.0},
        {"retry_seconds": 7.0},
        {"retry_seconds": 0.0},
    ],
)
def test_a_policy_with_which_two_could_lead_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        LeasePolicy(**settings)
