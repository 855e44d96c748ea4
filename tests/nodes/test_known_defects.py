"""What the widely used node termination handler is known to do wrong, each as a decision of ours.

Fourteen defects of its newest revision, by what a user meets. Those that lie in reading the wire or in an adapter are
held there too; here it is what is decided.
"""

from dataclasses import replace

import pytest

from spotward.events.eventbridge import parse_all
from spotward.model.cluster import EXCLUDE_FROM_LOAD_BALANCERS_LABEL, OUT_OF_SERVICE_TAINT
from spotward.model.errors import ConfigError, PayloadError
from spotward.model.event import MaintenanceEnded, MaintenanceScheduled, NoticeWithdrawn, TargetStateChanged
from spotward.model.node_action import CordonNode, EvictPods
from spotward.model.node_event import LifecycleHooked
from spotward.nodes.policy import NodesPolicy, PastBudget
from tests.events.test_eventbridge import RECEIVED, payload
from tests.nodes.stage import Stage
from tests.nodes.toy_cluster import CLUSTER, REGION, a_cluster, a_node, a_pod

POLICY = NodesPolicy(cluster=CLUSTER)


def withdrawn(time: float) -> NoticeWithdrawn:
    return NoticeWithdrawn(time=time, region=REGION, instance_id="i-1", notice="interruption")


def test_1_a_health_event_of_several_instances_drains_every_one_of_them() -> None:
    scheduled = parse_all(payload("health_scheduled_change"), received=RECEIVED)
    stage = Stage(a_cluster(a_pod("web-1", "n-1"), a_pod("db-1", "n-2"), nodes=3))
    for number, event in enumerate(scheduled, start=1):
        assert isinstance(event, MaintenanceScheduled)
        stage.hear(replace(event, time=10.0, instance_id=f"i-{number}", region=REGION, start_time=600.0))
    stage.play(until=60.0)
    assert len(scheduled) == 2
    assert stage.incident("i-1").drained
    assert stage.incident("i-2").drained


def test_2_maintenance_in_two_weeks_drains_nothing_today() -> None:
    event = MaintenanceScheduled(
        time=10.0, region=REGION, instance_id="i-1", event_id="e", code="instance-stop", start_time=14 * 86_400.0
    )
    stage = Stage(a_cluster(a_pod("web-1"))).hear(event).play(until=86_400.0)
    assert stage.deeds == []


def test_3_a_target_state_that_is_told_at_every_poll_is_one_incident() -> None:
    stage = Stage(a_cluster(a_pod("web-1")))
    for poll in range(50):
        told = TargetStateChanged(time=10.0 + 2 * poll, region=REGION, instance_id="i-1", state="Terminated")
        stage.hear(told)
    stage.play(until=120.0)
    assert len(stage.of(CordonNode)) == 1
    assert len(stage.of(EvictPods)) == 1


def test_4_our_label_for_load_balancers_is_taken_off_again_and_nobody_elses_is() -> None:
    ours = Stage(a_cluster(a_pod("web-1"))).notice("i-1", 10.0, takes=False).hear(withdrawn(50.0)).play(until=60.0)
    assert EXCLUDE_FROM_LOAD_BALANCERS_LABEL not in ours.cluster.nodes["n-1"].labels
    cluster = a_cluster(a_pod("web-1"))
    labels = {EXCLUDE_FROM_LOAD_BALANCERS_LABEL: "theirs"}
    cluster.nodes["n-1"] = replace(cluster.nodes["n-1"], labels=labels)
    Stage(cluster).notice("i-1", 10.0, takes=False).hear(withdrawn(50.0)).play(until=60.0)
    assert cluster.nodes["n-1"].labels == labels


def test_5_a_label_that_somebody_took_off_meanwhile_does_not_stop_the_clean_up() -> None:
    cluster = a_cluster(a_pod("web-1"))
    stage = Stage(cluster).notice("i-1", 10.0, takes=False).hear(withdrawn(50.0))
    stage.at(30.0, lambda: cluster.nodes.update({"n-1": replace(cluster.nodes["n-1"], labels={})}))
    stage.play(until=60.0)
    assert not cluster.nodes["n-1"].unschedulable
    assert not cluster.nodes["n-1"].has_taint("spotward.io/leaving")
    assert stage.world.incidents.get("i-1") is None


def test_6_a_node_is_found_by_its_instance_whatever_its_name_and_labels_say() -> None:
    cluster = a_cluster(nodes=1)
    cluster.nodes = {"odd.name.internal": replace(a_node(1), name="odd.name.internal", labels={})}
    cluster.pods = {"uid-web-1": a_pod("web-1", "odd.name.internal")}
    stage = Stage(cluster).notice("i-1", 10.0).play(until=60.0)
    assert stage.incident().node == "odd.name.internal"
    assert stage.incident().drained


def test_7_a_message_that_comes_again_in_a_storm_changes_nothing() -> None:
    stage = Stage(a_cluster(*(a_pod(f"web-{n}", f"n-{n}") for n in range(1, 6)), nodes=8))
    for n in range(1, 6):
        for again in range(10):
            stage.notice(f"i-{n}", 10.0 + again * 20, takes=False)
    stage.play(until=240.0)
    assert len(stage.of(CordonNode)) == 5
    assert len(stage.of(EvictPods)) == 5


def test_8_a_hook_that_comes_while_its_node_is_drained_for_another_reason_is_completed() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).notice("i-1", 10.0).hook("i-1", 12.0).play(until=60.0)
    assert stage.cluster.hooks_done == ["token-1"]
    late = Stage(a_cluster(a_pod("web-1"))).notice("i-1", 10.0).hook("i-1", 80.0).play(until=120.0)
    assert late.cluster.hooks_done == ["token-1"]


@pytest.mark.parametrize("what", ["notice", "hook", "advice"])
def test_9_a_cluster_that_denies_our_taint_does_not_keep_us_from_cordoning(what: str) -> None:
    stage = Stage(a_cluster(a_pod("web-1"), taints_forbidden=True))
    {"notice": stage.notice, "hook": stage.hook, "advice": stage.advise}[what]("i-1", 10.0)
    stage.play(until=60.0)
    assert stage.cluster.nodes["n-1"].unschedulable
    assert stage.incident().drained == (what != "advice")


def test_10_what_cannot_be_read_is_set_aside_and_the_next_message_is_read() -> None:
    with pytest.raises(PayloadError):
        parse_all('{"LifecycleTransition": 7}', received=RECEIVED, region=REGION)
    event, *_ = parse_all(payload("lifecycle_direct"), received=RECEIVED, region=REGION)
    assert isinstance(event, LifecycleHooked)


def test_11_a_taint_that_would_take_every_pod_at_once_past_every_budget_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="NoExecute would take every pod at once, past every budget"):
        NodesPolicy(taint_effect="NoExecute")


def test_12_an_incident_that_does_not_go_on_says_what_it_waits_for() -> None:
    stage = Stage(
        a_cluster(a_pod("bare-1", owner=None)), policy=replace(POLICY, interruption_past_budget=PastBudget.NEVER)
    )
    event = MaintenanceScheduled(
        time=10.0, region=REGION, instance_id="i-1", event_id="e", code="system-reboot", start_time=1000.0
    )
    stage.hear(event).play(until=100.0)
    assert stage.incident().pods[0].reason.endswith("it is moved only when the machine goes whatever we do")


def test_13_the_time_that_is_left_counts_and_not_a_constant() -> None:
    early = Stage(a_cluster(a_pod("slow-1", grace_seconds=600.0))).notice("i-1", 10.0).play(until=20.0)
    late = Stage(a_cluster(a_pod("slow-1", grace_seconds=600.0)))
    late.at(80.0, late.show_all)
    late._queue = [entry for entry in late._queue if entry[0] > 0.0]
    late.notice("i-1", 10.0).play(until=90.0)
    graces = [stage.cluster.orders[0][2].grace_seconds for stage in (early, late)]
    assert graces == [99, 29]


def test_14_a_machine_that_still_runs_is_not_marked_out_of_service_after_its_drain() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).notice("i-1", 10.0).play(until=129.0)
    assert stage.incident().drained
    assert not stage.cluster.nodes["n-1"].has_taint(OUT_OF_SERVICE_TAINT)


# ---- what its own end-to-end suite holds, as far as it is decided here ---------------------------------------------


def test_a_maintenance_that_is_cancelled_gives_the_node_back_and_pods_run_there_again() -> None:
    cluster = a_cluster(a_pod("web-1"))
    scheduled = MaintenanceScheduled(
        time=10.0, region=REGION, instance_id="i-1", event_id="e", code="system-reboot", start_time=1000.0
    )
    ended = MaintenanceEnded(time=60.0, region=REGION, instance_id="i-1", event_id="e", outcome="canceled")
    stage = Stage(cluster).hear(scheduled, ended).play(until=50.0)
    taint = next(t for t in cluster.nodes["n-1"].taints if t.key == "spotward.io/leaving")
    assert taint.value == "maintenance"
    stage.play(until=80.0)
    assert not cluster.nodes["n-1"].unschedulable
    assert cluster.nodes["n-1"].taints == ()


def test_a_state_change_to_stopping_cordons_and_evicts() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).gone("i-1", 10.0, "stopping").play(until=30.0)
    assert stage.cluster.nodes["n-1"].unschedulable
    assert [order.name for _, _, order in stage.cluster.orders] == ["web-1"]


def test_kubernetes_events_say_what_is_done_and_what_came_of_it() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).notice("i-1", 10.0).play(until=400.0)
    assert stage.cluster.tidings == [
        "SpotInterruption n-1: n-1: EC2 takes the Spot instance at 00:02:10; its pods are moved now",
        (
            "PreDrain n-1: n-1 is cordoned, tainted spotward.io/leaving=interruption and labelled"
            " node.kubernetes.io/exclude-from-external-load-balancers; its pods are moved now"
        ),
        (
            "CordonAndDrain n-1: n-1 (EC2 takes the Spot instance): 1 pod: 1 in good order;"
            " done 2 min before the deadline"
        ),
    ]
