"""When Spotward calls itself alive, and when ready."""

from dataclasses import replace
from pathlib import Path

from rpds import HashTrieMap

from spotward.model.node_event import ClusterSilent, NodesSeen
from spotward.model.world import World
from spotward.web.health import OBSERVATIONS_MISSED_MAX, TURN_SECONDS_MAX, health, readiness
from spotward.web.view import Shell
from tests.web.scenes import NOON, REGION, look

PERIOD = 60.0
TOO_OLD = PERIOD * OBSERVATIONS_MISSED_MAX


def observed(**ages: float) -> World:
    return World(observed=HashTrieMap({region.replace("_", "-"): NOON - age for region, age in ages.items()}))


def test_a_shell_that_has_not_begun_is_alive_and_not_ready() -> None:
    assert health(look()).alive
    assert not readiness(look()).ready


def test_a_turn_may_be_long_but_not_longer_than_its_limit() -> None:
    assert health(look(shell=Shell(busy_seconds=TURN_SECONDS_MAX))).alive
    stuck = health(look(shell=Shell(busy_seconds=TURN_SECONDS_MAX + 31)))
    assert not stuck.alive
    assert stuck.reason == "the loop has been stuck in one turn for 2 min; restart it, the journal knows how to go on"


def test_a_journal_that_cannot_be_written_is_no_reason_to_restart_but_nothing_is_ready() -> None:
    told = look(observed(eu_west_1=1), regions=(REGION,), shell=Shell(busy_seconds=29, store_trouble="disk is full"))
    assert health(told).alive
    assert readiness(told).reasons == ("nothing is done until the journal can be written: disk is full",)


def test_whoever_stands_by_is_ready_and_says_who_acts() -> None:
    told = readiness(look(shell=Shell(standby="the journal is held by process 7 on one", acting=False)))
    assert told.ready
    assert told.standby == "the journal is held by process 7 on one"


def test_a_cluster_that_cannot_be_heard_is_a_reason_not_to_be_ready_until_it_is_heard_again() -> None:
    away = observed(eu_west_1=1).after(ClusterSilent(time=NOON - 12, cluster="prod", reason="connection refused"))
    told = look(away, regions=(REGION,))
    assert readiness(told).reasons == ("nothing was heard of the cluster prod for 12 s: connection refused",)
    assert health(told).alive
    again = away.after(NodesSeen(time=NOON, cluster="prod"))
    assert readiness(look(again, regions=(REGION,))).ready


def test_whoever_stands_by_and_cannot_see_who_acts_is_not_ready() -> None:
    told = readiness(look(shell=Shell(standby="nobody answers", lease_trouble="nobody answers", acting=False)))
    assert told.reasons == ("this process stands by and cannot see who acts: nobody answers",)


def test_whoever_cannot_renew_its_lease_in_time_is_not_ready() -> None:
    told = look(observed(eu_west_1=1), regions=(REGION,), shell=Shell(acting=False, lease_trouble="nobody answers"))
    reason = "nothing is begun until the lease on the journal is certain again: nobody answers"
    assert readiness(told).reasons == (reason,)
    assert health(told).alive


def test_ready_means_that_every_region_was_observed() -> None:
    assert readiness(look(observed(eu_west_1=1))).reasons == ("us-east-1 was not observed yet",)
    assert readiness(look(observed(eu_west_1=1, us_east_1=2))).ready
    assert readiness(look(observed(eu_west_1=1, us_east_1=2))).observation_age_seconds == {REGION: 1, "us-east-1": 2}


def test_an_observation_may_be_late_but_not_older_than_some_periods() -> None:
    assert readiness(look(observed(eu_west_1=TOO_OLD), regions=(REGION,))).ready
    late = readiness(look(observed(eu_west_1=TOO_OLD + 1), regions=(REGION,)))
    assert late.reasons == ("eu-west-1 was last observed 3 min ago, and should be every 60 s",)


def test_where_no_region_is_observed_by_itself_no_observation_grows_too_old() -> None:
    assert readiness(look(observed(eu_west_1=1e6), regions=(REGION,), observe_seconds=0.0)).ready


def test_a_queue_that_cannot_be_heard_is_a_warning_that_quotes_nothing() -> None:
    told = look(observed(eu_west_1=1), regions=(REGION,), shell=Shell(sources_unheard=("queue spotward",)))
    assert readiness(told).ready
    assert readiness(told).warnings == ("cannot hear queue spotward; the log says why",)


def test_a_clock_that_was_set_back_gives_no_negative_ages() -> None:
    told = replace(look(observed(eu_west_1=-5), regions=(REGION,)), last_turn_time=NOON + 5)
    assert readiness(told).observation_age_seconds == {REGION: 0.0}
    assert health(told).last_turn_age_seconds == 0.0


def test_the_reference_states_the_limits_as_they_are() -> None:
    text = " ".join((Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text().split())
    assert f"no sign of life for {TURN_SECONDS_MAX:.0f} s" in text
    assert OBSERVATIONS_MISSED_MAX == 3
    assert "older than three times `observe_seconds`" in text
