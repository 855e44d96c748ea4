from dataclasses import replace

from spotward.engine.crew import ANSWER_SECONDS, seconds_max
from spotward.engine.live_policy import LivePolicy
from spotward.model.action import ObserveRegion
from spotward.model.flow_action import CallPlugin
from spotward.model.occurrence import Occurrence

CALL = CallPlugin(
    flow="r.1",
    rule="r",
    task="drain",
    plugin="drain",
    occurrence=Occurrence(id="1", source="/x", type="y"),
    timeout_seconds=20.0,
    deadline_time=1e9,
)


def test_an_action_is_given_up_after_so_long_and_a_call_with_a_longer_time_of_its_own_after_that() -> None:
    policy = LivePolicy(action_seconds_max=900.0)
    assert seconds_max(ObserveRegion(region="us-east-1"), policy) == 900.0
    assert seconds_max(CALL, policy) == 900.0
    assert seconds_max(replace(CALL, timeout_seconds=3600.0), policy) == 3600.0 + ANSWER_SECONDS
