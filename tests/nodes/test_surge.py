"""One more pod first: what is lent to a Deployment whose only pods must move, and what its owner has at the end."""

from dataclasses import replace

import pytest

from spotward.model.event import MaintenanceEnded, MaintenanceScheduled
from spotward.model.node_action import LookAtWorkload, ScaleWorkload
from spotward.nodes.policy import NodesPolicy
from tests.nodes.stage import Stage
from tests.nodes.toy_cluster import CLUSTER, REGION, Size, ToyCluster, a_budget, a_cluster, a_node, a_pod, deployed

POLICY = NodesPolicy(cluster=CLUSTER, surge=True)
WEB = "default/web"


def maintenance(stage: Stage, time: float, *, lead: float = 3000.0) -> Stage:
    return stage.hear(
        MaintenanceScheduled(
            time=time,
            region=REGION,
            instance_id="i-1",
            event_id="e",
            code="system-reboot",
            start_time=time + lead,
        )
    )


def single(**changes: object) -> ToyCluster:
    cluster = a_cluster(deployed("web-1"), **changes)  # type: ignore[arg-type]  # fields of it
    cluster.sizes = {WEB: Size(replicas=1)}
    return cluster


def serving(stage: Stage) -> int:
    return sum(pod.ready and not pod.leaving for pod in stage.cluster.pods.values())


def asked(stage: Stage) -> list[str]:
    return [order.name for _, _, order in stage.cluster.orders]


def test_a_single_replica_is_moved_only_once_another_serves_and_its_owner_gets_its_number_back() -> None:
    least = [9]
    stage = Stage(single(), policy=POLICY, after_step=lambda s: least.append(serving(s)))
    maintenance(stage, 10.0).play(until=200.0)
    assert stage.cluster.scalings == [(WEB, 2), (WEB, 1)]
    assert asked(stage) == ["web-1"]
    assert min(least) == 1, "there was a moment without a serving pod"
    assert stage.incident().drained


def test_off_it_asks_nothing_about_deployments() -> None:
    stage = maintenance(Stage(single(), policy=NodesPolicy(cluster=CLUSTER)), 10.0).play(until=200.0)
    assert stage.of(LookAtWorkload) == []
    assert stage.cluster.scalings == []
    assert asked(stage) == ["web-1"]


def test_a_budget_that_needs_the_only_replica_is_opened_instead_of_waited_for() -> None:
    cluster = single(budgets=(a_budget("web", min_available="1"),))
    stage = maintenance(Stage(cluster, policy=POLICY), 10.0).play(until=200.0)
    assert [(verb, order.name) for _, verb, order in cluster.orders] == [("evict", "web-1")]
    assert stage.incident().drained
    assert cluster.sizes[WEB].replicas == 1


def test_where_others_serve_elsewhere_or_one_more_would_not_help_nothing_is_lent() -> None:
    elsewhere = a_cluster(deployed("web-1"), deployed("web-2", "n-2"))
    elsewhere.sizes = {WEB: Size(replicas=2)}
    shut = single(budgets=(a_budget("web", max_unavailable="0"),))
    scaled = single()
    scaled.sizes = {WEB: Size(replicas=1, autoscaler="the HorizontalPodAutoscaler web")}
    for cluster in (elsewhere, shut, scaled):
        maintenance(Stage(cluster, policy=POLICY), 10.0).play(until=200.0)
        assert cluster.scalings == []
    assert [name for name, _ in scaled.ends] == ["web-1"]
    assert shut.orders == []


def test_all_replicas_on_one_node_are_one_outage_too() -> None:
    cluster = a_cluster(deployed("web-1"), deployed("web-2"), nodes=2)
    cluster.sizes = {WEB: Size(replicas=2)}
    maintenance(Stage(cluster, policy=POLICY), 10.0).play(until=200.0)
    assert cluster.scalings == [(WEB, 3), (WEB, 2)]


def test_a_lent_pod_that_never_serves_is_given_up_and_the_old_one_stays() -> None:
    cluster = single(starts=False)
    stage = maintenance(Stage(cluster, policy=POLICY), 10.0).play(until=1500.0)
    assert cluster.scalings == [(WEB, 2), (WEB, 1)]
    assert asked(stage) == []
    assert any("was not available within 10 min" in words for words in stage.incident().trouble)
    assert "was not available" in stage.world.verdicts["drain of n-1"]


def test_a_notice_in_between_overrides_and_what_was_lent_is_put_back_all_the_same() -> None:
    cluster = single(starts=False)
    stage = maintenance(Stage(cluster, policy=POLICY), 10.0).notice("i-1", 60.0).play(until=600.0)
    assert cluster.orders[0][0] == pytest.approx(60.0, abs=1.0)
    assert cluster.scalings == [(WEB, 2), (WEB, 1)]
    assert stage.incident().ended is not None


def test_maintenance_that_is_cancelled_gives_back_what_was_lent() -> None:
    cluster = single(starts=False)
    stage = maintenance(Stage(cluster, policy=POLICY), 10.0)
    stage.hear(MaintenanceEnded(time=60.0, region=REGION, instance_id="i-1", event_id="e", outcome="canceled"))
    stage.play(until=300.0)
    assert cluster.scalings == [(WEB, 2), (WEB, 1)]
    assert asked(stage) == []
    assert stage.incident().ended is not None


def test_what_somebody_else_has_set_meanwhile_is_theirs() -> None:
    cluster = single(starts=False)
    stage = maintenance(Stage(cluster, policy=POLICY), 10.0)
    stage.at(30.0, lambda: cluster.sizes.update({WEB: Size(replicas=4)}))
    stage.play(until=300.0)
    assert cluster.scalings == [(WEB, 2)]
    assert cluster.sizes[WEB].replicas == 4
    assert any("somebody else has set default/web to 4 pods" in words for words in stage.incident().trouble)


def test_only_so_many_are_lent_at_once_and_in_the_end_all_have_moved() -> None:
    names = [f"app{number:02}" for number in range(25)]
    cluster = a_cluster(*(deployed(f"{name}-1") for name in names))
    cluster.sizes = {f"default/{name}": Size(replicas=1) for name in names}
    most = [0]

    def look(stage: Stage) -> None:
        most.append(sum(size.replicas == 2 for size in stage.cluster.sizes.values()))

    stage = maintenance(Stage(cluster, policy=POLICY, after_step=look), 10.0).play(until=600.0)
    assert max(most) <= 10
    assert sorted(asked(stage)) == sorted(f"{name}-1" for name in names)
    assert {size.replicas for size in cluster.sizes.values()} == {1}


def test_a_dry_run_lends_nothing_and_ends() -> None:
    stage = maintenance(Stage(single(), policy=POLICY, dry=True), 10.0)
    stage.hear(MaintenanceEnded(time=60.0, region=REGION, instance_id="i-1", event_id="e", outcome="canceled"))
    stage.play(until=300.0)
    assert stage.of(ScaleWorkload) == []
    assert stage.world.incidents.get("i-1") is None


@pytest.mark.parametrize("step", range(1, 40, 2))
@pytest.mark.parametrize("sent", [True, False])
def test_killed_at_any_step_there_is_no_outage_and_the_owner_has_again_what_it_had(step: int, sent: bool) -> None:
    least = [9]

    def kill(stage: Stage) -> None:
        least.append(serving(stage))
        if len(stage.steps) == step + 4:
            stage.at(stage.time + (0.06 if sent else 0.0), stage.restart)

    cluster = single()
    stage = maintenance(Stage(cluster, policy=POLICY, after_step=kill), 10.0).play(until=400.0)
    assert cluster.sizes[WEB].replicas == 1
    assert cluster.scalings == [(WEB, 2), (WEB, 1)]
    assert min(least) == 1
    assert asked(stage) == ["web-1"]
    assert stage.incident().drained


def test_bare_pods_stateful_sets_and_pods_that_do_not_serve_are_not_waited_for() -> None:
    sick = replace(deployed("sick-1"), conditions=())
    cluster = a_cluster(a_pod("db-0"), sick)
    cluster.nodes["n-3"] = a_node(3)
    stage = maintenance(Stage(cluster, policy=POLICY), 10.0).play(until=60.0)
    assert stage.of(LookAtWorkload) == []
    assert sorted(asked(stage)) == ["db-0", "sick-1"]
