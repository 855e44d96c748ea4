"""A bound on how long pods may take to stop, where an operator sets one."""

import pytest

from spotward.model.incident import Fate
from spotward.model.node_action import DeletePods, EvictPods
from spotward.nodes.policy import NodesPolicy
from tests.nodes.stage import Stage
from tests.nodes.toy_cluster import CLUSTER, a_budget, a_cluster, a_pod

BOUNDED = NodesPolicy(cluster=CLUSTER, pod_grace_seconds_max=25.0)


@pytest.mark.parametrize(("own", "given"), [(60.0, 25), (25.0, None), (10.0, None)])
def test_a_pod_is_given_the_bound_unless_its_own_grace_is_shorter(own: float, given: int | None) -> None:
    cluster = a_cluster(a_pod("web-1", grace_seconds=own))
    stage = Stage(cluster, policy=BOUNDED).notice("i-1", 10.0).play(until=60.0)
    (evicted,) = (asked.action for _, asked in stage.asked if isinstance(asked.action, EvictPods))
    assert [pod.grace_seconds for pod in evicted.pods] == [given]


def test_what_it_was_given_instead_is_told() -> None:
    cluster = a_cluster(a_pod("web-1", grace_seconds=600.0))
    stage = Stage(cluster, policy=BOUNDED).notice("i-1", 10.0).play(until=60.0)
    (record,) = stage.incident("i-1").pods
    assert (record.fate, record.grace_seconds, record.given_seconds) == (Fate.GONE, 600.0, 25.0)


def test_a_held_pod_is_deleted_past_its_budget_only_as_late_as_the_bound_allows() -> None:
    cluster = a_cluster(a_pod("web-1", grace_seconds=60.0), budgets=(a_budget("web", max_unavailable=0),))
    stage = Stage(cluster, policy=BOUNDED).notice("i-1", 10.0).play(until=130.0)
    (time,) = [time for time, asked in stage.asked if isinstance(asked.action, DeletePods)]
    assert time == pytest.approx(10.0 + 120.0 - BOUNDED.reserve_seconds - 25.0, abs=1.0)
