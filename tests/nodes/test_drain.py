"""An incident from its notice to its end, as an operator would tell it."""

from dataclasses import replace

import pytest

from spotward.model.cluster import (
    EXCLUDE_FROM_LOAD_BALANCERS_LABEL,
    OUT_OF_SERVICE_TAINT,
    Claim,
    PodOwner,
    Toleration,
    VolumeAttachment,
)
from spotward.model.event import InstanceLaunched, InterruptionNoticed, NoticeWithdrawn
from spotward.model.incident import Cause, Fate
from spotward.model.node_action import (
    CordonNode,
    DeleteNode,
    DeletePods,
    EvictPods,
    MarkOutOfService,
    UncordonNode,
    UnwatchPods,
)
from spotward.model.node_event import PodAnswer, PodResult
from spotward.nodes.policy import NodesPolicy, Response, Sparing
from tests.nodes.stage import Stage
from tests.nodes.toy_cluster import CLUSTER, ToyCluster, a_budget, a_cluster, a_node, a_pod

POLICY = NodesPolicy(cluster=CLUSTER)


def evicted(stage: Stage) -> list[str]:
    return [order.name for _, verb, order in stage.cluster.orders if verb == "evict"]


def deleted(stage: Stage) -> list[str]:
    return [order.name for _, verb, order in stage.cluster.orders if verb == "delete"]


# ---- the way of an incident ----------------------------------------------------------------------------------------


def test_at_a_notice_the_node_is_cordoned_first_then_emptied_and_the_report_says_so() -> None:
    stage = Stage(a_cluster(a_pod("web-1"), a_pod("web-2"))).notice("i-1", 10.0).play(until=60.0)
    assert [type(deed) for deed in stage.deeds[:2]] == [CordonNode, EvictPods]
    assert stage.incident().drained
    assert stage.cluster.nodes["n-1"].unschedulable
    assert EXCLUDE_FROM_LOAD_BALANCERS_LABEL in stage.cluster.nodes["n-1"].labels
    assert "2 pods: 2 in good order" in stage.words()[-1]


def test_when_the_machine_is_gone_the_node_object_goes_too_and_the_incident_ends() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).notice("i-1", 10.0).play(until=400.0)
    assert len(stage.of(DeleteNode)) == 1
    assert "n-1" not in stage.cluster.nodes
    assert stage.incident().ended is not None
    assert stage.world.incidents.get("i-1") is None
    assert len(stage.of(UnwatchPods)) <= 1
    assert "n-1" not in stage.world.cluster.pods


def test_whatever_is_heard_of_one_instance_it_is_one_incident_and_no_pod_is_asked_twice() -> None:
    stage = Stage(a_cluster(a_pod("web-1")))
    for _ in range(3):
        stage.notice("i-1", 10.0, takes=False)
    stage.advise("i-1", 11.0).hook("i-1", 12.0).gone("i-1", 13.0, "shutting-down").play(until=60.0)
    assert {incident.key for incident in [*stage.ended, stage.incident()]} == {"incident i-1 10.000"}
    assert evicted(stage) == ["web-1"]
    assert len(stage.of(CordonNode)) == 1


def test_a_pod_that_came_between_the_cordon_and_the_end_is_moved_too() -> None:
    cluster = a_cluster(a_pod("web-1"))
    stage = Stage(cluster).notice("i-1", 10.0)
    stage.at(13.0, lambda: cluster.pods.update({"uid-late-1": a_pod("late-1")}))
    stage.play(until=60.0)
    assert evicted(stage) == ["web-1", "late-1"]
    assert stage.incident().drained


def test_a_node_counts_as_empty_only_some_seconds_after_it_was_cordoned() -> None:
    stage = Stage(a_cluster()).notice("i-1", 10.0).play(until=14.9)
    assert not stage.incident().drained
    stage.play(until=15.3)
    assert stage.incident().drained


def test_a_pod_made_again_under_its_old_name_is_another_pod() -> None:
    cluster = a_cluster(a_pod("db-0"), nodes=1)
    stage = Stage(cluster).notice("i-1", 10.0)
    stage.at(12.5, lambda: cluster.pods.update({"uid-second": replace(a_pod("db-0"), uid="uid-second")}))
    stage.play(until=60.0)
    assert [order.uid for _, _, order in cluster.orders] == ["uid-db-0", "uid-second"]


def test_a_node_that_cannot_be_cordoned_is_emptied_all_the_same_when_it_must_go() -> None:
    stage = Stage(a_cluster(a_pod("web-1"), cordon_forbidden=True, remakes=False)).notice("i-1", 10.0).play(until=80.0)
    assert evicted(stage) == ["web-1"]
    assert "it could not be cordoned; its pods are to go all the same" in stage.words()


def test_a_cluster_that_forbids_our_taint_is_no_reason_not_to_drain() -> None:
    stage = Stage(a_cluster(a_pod("web-1"), taints_forbidden=True)).notice("i-1", 10.0).play(until=60.0)
    assert stage.incident().drained
    assert stage.incident().marks.taints == ()


def test_what_the_cluster_shows_late_is_not_asked_for_again() -> None:
    slow = a_pod("slow-1", grace_seconds=600.0)
    stuck = a_pod("stuck-1", finalizers=("example.com/hold",))
    pods = (a_pod("web-1"), a_pod("dns-1", priority=2_000_000_000), slow, stuck)
    cluster = a_cluster(*pods, stop_seconds=lambda pod: 1e9 if pod.name == "slow-1" else 2.0)
    policy = replace(POLICY, termination_seconds=3600.0)
    stage = Stage(cluster, policy=policy, lag=0.7).hook("i-1", 10.0).notice("i-1", 60.0).play(until=500.0)
    assert sorted((verb, order.name) for _, verb, order in cluster.orders) == [
        ("delete", "slow-1"),
        ("delete", "stuck-1"),
        ("evict", "dns-1"),
        ("evict", "slow-1"),
        ("evict", "stuck-1"),
        ("evict", "web-1"),
    ]
    assert len(stage.of(CordonNode)) == 1
    assert len(stage.of(MarkOutOfService)) == 1
    assert len(stage.of(DeleteNode)) == 1


def test_a_pod_that_the_server_does_not_know_is_gone_whatever_is_seen_of_it() -> None:
    cluster = a_cluster(a_pod("web-1"))
    cluster.refuses = lambda order: PodAnswer(uid=order.uid, result=PodResult.GONE)
    stage = Stage(cluster).notice("i-1", 10.0).play(until=60.0)
    assert len(cluster.orders) == 1
    assert stage.incident().drained


def test_a_dry_run_of_a_node_that_really_goes_ends_with_it() -> None:
    stage = Stage(a_cluster(a_pod("web-1")), dry=True).notice("i-1", 10.0)
    stage.at(200.0, lambda: stage.cluster.nodes.pop("n-1"))
    stage.play(until=300.0)
    assert stage.deeds == []
    assert stage.world.incidents.get("i-1") is None


def test_a_dry_run_says_what_it_would_do_and_ends_like_any_other() -> None:
    stage = Stage(a_cluster(a_pod("web-1")), dry=True).notice("i-1", 10.0, takes=False)
    stage.hear(NoticeWithdrawn(time=100.0, region="us-east-1", instance_id="i-1", notice="interruption"))
    stage.play(until=90.0)
    assert stage.deeds == []
    refused = {key for _, step in stage.steps if step.page for key in (r.key for r in step.page.refusals)}
    assert {"incident i-1 10.000 mark", "incident i-1 10.000 evict"} <= refused
    assert not stage.cluster.nodes["n-1"].unschedulable
    stage.play(until=200.0)
    assert stage.world.incidents.get("i-1") is None


# ---- who goes when -------------------------------------------------------------------------------------------------


def test_what_the_cluster_needs_goes_after_what_needs_it_and_we_ourselves_go_last() -> None:
    policy = replace(POLICY, own_namespace="default", own_pod="spotward-1")
    pods = (
        a_pod("spotward-1", priority=2_000_000_000),
        a_pod("dns-1", priority=2_000_000_000),
        a_pod("web-1"),
        a_pod("batch-1", priority=-5),
    )
    stage = Stage(a_cluster(*pods), policy=policy).notice("i-1", 10.0).play(until=70.0)
    assert evicted(stage) == ["batch-1", "web-1", "dns-1", "spotward-1"]
    ends = dict(stage.cluster.ends)
    assert ends["web-1"] < ends["dns-1"] < ends["spotward-1"]


def test_a_tier_does_not_wait_for_the_one_before_when_its_own_last_moment_has_come() -> None:
    slow = a_pod("slow-1", grace_seconds=95.0)
    dns = a_pod("dns-1", priority=2_000_000_000, grace_seconds=30.0)
    stage = Stage(a_cluster(slow, dns, stop_seconds=lambda pod: pod.grace_seconds)).notice("i-1", 10.0)
    stage.play(until=129.0)
    asked = {order.name: time for time, _, order in stage.cluster.orders}
    assert asked["dns-1"] == pytest.approx(10.0 + 120 - 20 - 30, abs=0.3)


def test_the_pods_that_stop_slowest_are_asked_first() -> None:
    pods = (a_pod("a-1", grace_seconds=5.0), a_pod("b-1", grace_seconds=60.0), a_pod("c-1", grace_seconds=30.0))
    stage = Stage(a_cluster(*pods)).notice("i-1", 10.0).play(until=60.0)
    assert evicted(stage) == ["b-1", "c-1", "a-1"]


def test_pods_that_are_none_of_our_business_are_left_alone_and_it_is_said_why() -> None:
    pods = (
        a_pod("static-1", mirror=True),
        a_pod("agent-1", owner=PodOwner(kind="DaemonSet", name="agent", uid="u")),
        a_pod("done-1", phase="Succeeded"),
        a_pod("tough-1", tolerations=(Toleration(key="spotward.io/leaving", operator="Exists"),)),
        a_pod("pinned-1", annotations={"spotward.io/leave": "true"}),
    )
    stage = Stage(a_cluster(*pods)).notice("i-1", 10.0).play(until=60.0)
    assert stage.cluster.orders == []
    assert stage.incident().drained
    reasons = {record.name: record.reason for record in stage.incident().pods}
    assert reasons == {
        "static-1": "a static pod: its kubelet runs it from a file",
        "agent-1": "a daemon of the node",
        "done-1": "it has finished (Succeeded)",
        "tough-1": "it tolerates the taint spotward.io/leaving",
        "pinned-1": "its annotation spotward.io/leave says so",
    }


def test_daemons_are_evicted_after_the_others_if_that_is_wanted() -> None:
    agent = a_pod("agent-1", owner=PodOwner(kind="DaemonSet", name="agent", uid="u"))
    policy = replace(POLICY, daemon_sets=True)
    stage = Stage(a_cluster(agent, a_pod("web-1")), policy=policy).notice("i-1", 10.0).play(until=60.0)
    assert evicted(stage) == ["web-1", "agent-1"]


def test_bare_pods_and_jobs_go_at_a_notice_but_not_at_maintenance() -> None:
    pods = (a_pod("bare-1", owner=None), a_pod("job-1", owner=PodOwner(kind="Job", name="job", uid="u")))
    noticed = Stage(a_cluster(*pods)).notice("i-1", 10.0).play(until=60.0)
    assert sorted(evicted(noticed)) == ["bare-1", "job-1"]
    leave = replace(POLICY, bare_pods=Sparing.LEAVE)
    kept = Stage(a_cluster(*pods), policy=leave).notice("i-1", 10.0).play(until=60.0)
    assert evicted(kept) == ["job-1"]


# ---- time ----------------------------------------------------------------------------------------------------------


def test_a_pod_that_takes_longer_than_there_is_time_is_given_what_is_left_and_the_report_names_it() -> None:
    stage = Stage(a_cluster(a_pod("slow-1", grace_seconds=600.0), stop_seconds=lambda _pod: 1e9))
    stage.notice("i-1", 10.0).play(until=129.0)
    (order,) = (order for _, _, order in stage.cluster.orders)
    assert order.grace_seconds == 99
    assert stage.incident().drained
    assert "1 with less time than they have" in stage.words()[-1]
    stage.play(until=400.0)
    assert any(
        "PodShortened slow-1: given 99 s to stop instead of 10 min" in tiding for tiding in stage.cluster.tidings
    )


def test_a_notice_that_is_read_late_gives_less_time_not_the_same() -> None:
    cluster = a_cluster(a_pod("web-1", grace_seconds=60.0))
    stage = Stage(cluster)
    event = replace(_notice(), time=100.0)
    stage.hear(event).play(until=110.0)
    (order,) = (order for _, _, order in cluster.orders)
    assert order.grace_seconds == 9


def _notice() -> InterruptionNoticed:
    return InterruptionNoticed(time=10.0, region="us-east-1", instance_id="i-1", deadline=130.0)


def test_no_pod_is_ever_given_no_time_at_all() -> None:
    cluster = a_cluster(a_pod("web-1", grace_seconds=60.0))
    stage = Stage(cluster)
    stage.hear(replace(_notice(), time=129.5)).play(until=131.0)
    assert [order.grace_seconds for _, _, order in cluster.orders] == [1]


def test_a_pod_that_is_stopping_too_slowly_is_cut_short_in_time_for_its_volumes() -> None:
    slow = a_pod("slow-1", grace_seconds=600.0, deletion_time=605.0, deletion_grace_seconds=600.0)
    stage = Stage(a_cluster(slow, stop_seconds=lambda _pod: 1e9)).notice("i-1", 10.0).play(until=129.0)
    assert [(round(time), verb, order.grace_seconds) for time, verb, order in stage.cluster.orders] == [
        (110, "delete", 1)
    ]
    assert stage.incident().drained


def test_when_the_deadline_comes_nearer_everything_is_planned_anew() -> None:
    policy = replace(POLICY, termination_seconds=3600.0)
    slow = a_pod("slow-1", grace_seconds=600.0)
    stage = Stage(a_cluster(slow, stop_seconds=lambda _pod: 1e9), policy=policy)
    stage.hook("i-1", 10.0).notice("i-1", 60.0).play(until=179.0)
    assert [(round(time), verb, order.grace_seconds) for time, verb, order in stage.cluster.orders] == [
        (10, "evict", None),
        (160, "delete", 1),
    ]


# ---- volumes -------------------------------------------------------------------------------------------------------


def with_volume(cluster: ToyCluster, *, shared: bool = False) -> ToyCluster:
    modes = frozenset({"ReadWriteMany"} if shared else {"ReadWriteOnce"})
    cluster.claims["default/data"] = Claim(namespace="default", name="data", uid="c", volume="pv-1", access_modes=modes)
    cluster.attachments["at-1"] = VolumeAttachment(
        name="at-1", uid="a", node="n-1", attacher="ebs.csi.aws.com", volume="pv-1", attached=True
    )
    return cluster


def test_a_node_is_empty_only_when_the_volumes_of_its_pods_are_detached() -> None:
    cluster = with_volume(a_cluster(a_pod("db-0", claims=("data",)), detach_seconds=20.0))
    stage = Stage(cluster).notice("i-1", 10.0).play(until=30.0)
    assert cluster.ends
    assert not stage.incident().drained
    stage.play(until=40.0)
    assert stage.incident().drained


def test_a_volume_that_several_nodes_share_is_not_waited_for() -> None:
    cluster = with_volume(a_cluster(a_pod("db-0", claims=("data",)), detach_seconds=1e9), shared=True)
    stage = Stage(cluster).notice("i-1", 10.0).play(until=30.0)
    assert stage.incident().drained


def test_a_volume_that_does_not_let_go_is_told() -> None:
    cluster = with_volume(a_cluster(a_pod("db-0", claims=("data",)), detach_seconds=1e9))
    stage = Stage(cluster).notice("i-1", 10.0, takes=False).play(until=140.0)
    assert "volumes still attached at the deadline: pv-1" in stage.incident().trouble


# ---- the end of the machine ----------------------------------------------------------------------------------------


def test_what_is_left_when_the_machine_goes_is_told_as_killed_and_set_free_at_once() -> None:
    stuck = a_pod("stuck-1", finalizers=("example.com/hold",))
    stage = Stage(a_cluster(stuck)).notice("i-1", 10.0).play(until=400.0)
    assert len(stage.of(MarkOutOfService)) == 1
    record = next(r for r in stage.incident().pods if r.name == "stuck-1")
    assert record.fate is Fate.KILLED
    assert "1 killed" in (stage.incident().ended or "")


def test_a_machine_that_runs_is_never_marked_out_of_service() -> None:
    stuck = a_pod("stuck-1", finalizers=("example.com/hold",))
    stage = Stage(a_cluster(stuck)).notice("i-1", 10.0, takes=False).play(until=1000.0)
    assert stage.of(MarkOutOfService) == []
    assert not stage.cluster.nodes["n-1"].has_taint(OUT_OF_SERVICE_TAINT)


def test_a_machine_that_died_without_a_notice_leaves_no_ghosts() -> None:
    stage = Stage(a_cluster(a_pod("web-1", grace_seconds=3600.0))).gone("i-1", 10.0).play(until=300.0)
    assert [type(deed) for deed in stage.deeds] == [DeletePods, MarkOutOfService, DeleteNode]
    assert stage.incident().ended is not None


def test_a_machine_that_outlives_its_notice_for_long_gets_its_node_back() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).notice("i-1", 10.0, takes=False).play(until=2500.0)
    assert not stage.cluster.nodes["n-1"].unschedulable
    assert stage.incident().ended == "n-1 stays: its time passed long ago and the machine is well"


def test_a_machine_that_was_stopped_and_started_gets_its_node_back() -> None:
    cluster = a_cluster(a_pod("web-1"))
    stage = Stage(cluster).notice("i-1", 10.0, action="stop", takes=False).gone("i-1", 131.0, "stopped")

    def started() -> None:
        cluster.states.pop("i-1")
        node = cluster.nodes["n-1"]
        cluster.nodes["n-1"] = replace(node, conditions=a_node(1).conditions, boot_id="boot-2")

    stage.play(until=600.0)
    assert stage.world.incidents.get("i-1") is not None
    stage.at(700.0, started)

    stage.hear(InstanceLaunched(time=690.0, region="us-east-1", instance_id="i-1"))
    stage.play(until=900.0)
    assert not cluster.nodes["n-1"].unschedulable
    assert not cluster.nodes["n-1"].has_taint(OUT_OF_SERVICE_TAINT)
    assert stage.world.incidents.get("i-1") is None


def test_a_machine_that_is_on_again_is_not_emptied_for_the_notice_of_its_last_life() -> None:
    cluster = a_cluster(a_pod("web-1"))
    stage = Stage(cluster).notice("i-1", 10.0, action="stop", takes=False).gone("i-1", 131.0, "stopped")

    def started() -> None:
        cluster.states.pop("i-1")
        cluster.nodes["n-1"] = replace(cluster.nodes["n-1"], conditions=a_node(1).conditions, boot_id="boot-2")

    stage.at(300.0, started)
    stage.hear(InstanceLaunched(time=301.0, region="us-east-1", instance_id="i-1"))
    stage.at(400.0, stage.show_all)
    stage.play(until=500.0)
    assert len(stage.of(CordonNode)) == 1
    assert not cluster.nodes["n-1"].unschedulable
    assert stage.world.incidents.get("i-1") is None


# ---- whose node it is ----------------------------------------------------------------------------------------------


def test_news_of_an_instance_that_is_no_node_of_ours_change_nothing() -> None:
    stage = Stage(a_cluster()).notice("i-99", 10.0).advise("i-98", 11.0).play(until=60.0)
    assert stage.deeds == []
    assert len(stage.world.incidents) == 0


def test_a_notice_that_comes_before_the_cluster_was_seen_is_kept_until_it_is() -> None:
    stage = Stage(a_cluster(a_pod("web-1")))
    stage._queue.clear()
    stage.notice("i-1", 10.0).at(15.0, stage.show_all)
    stage.play(until=60.0)
    assert stage.incident().drained


def test_a_machine_that_died_before_the_cluster_was_seen_leaves_no_ghosts_either() -> None:
    stage = Stage(a_cluster(a_pod("web-1", grace_seconds=3600.0)))
    stage._queue.clear()
    stage.gone("i-1", 10.0).gone("i-99", 11.0).at(15.0, stage.show_all)
    stage.play(until=300.0)
    assert "n-1" not in stage.cluster.nodes
    assert len(stage.world.incidents) == 0


def test_without_a_name_for_the_cluster_what_ec2_said_before_it_was_seen_still_holds() -> None:
    stage = Stage(a_cluster(a_pod("web-1")), policy=NodesPolicy())
    stage._queue.clear()
    stage.notice("i-1", 10.0).at(15.0, stage.show_all)
    stage.play(until=60.0)
    assert stage.incident().drained


def test_nothing_is_thought_of_nodes_as_long_as_there_is_no_cluster() -> None:
    stage = Stage(a_cluster(), policy=NodesPolicy())
    stage._queue.clear()
    stage.notice("i-1", 10.0, takes=False).gone("i-1", 140.0).play(until=200.0)
    assert len(stage.world.incidents) == 0
    assert stage.deeds == []


# ---- how far we go -------------------------------------------------------------------------------------------------


def test_cordon_only_means_cordon_only() -> None:
    policy = replace(POLICY, interruption=Response.CORDON)
    stage = Stage(a_cluster(a_pod("web-1")), policy=policy).notice("i-1", 10.0, takes=False).play(until=125.0)
    assert stage.cluster.nodes["n-1"].unschedulable
    assert stage.cluster.orders == []


def test_note_touches_nothing_and_off_does_not_even_note() -> None:
    noted = Stage(a_cluster(a_pod("web-1")), policy=replace(POLICY, interruption=Response.NOTE))
    noted.notice("i-1", 10.0, takes=False).play(until=100.0)
    assert noted.deeds == []
    assert noted.cluster.tidings
    off = Stage(a_cluster(a_pod("web-1")), policy=replace(POLICY, interruption=Response.OFF))
    off.notice("i-1", 10.0, takes=False).play(until=100.0)
    assert off.deeds == []
    assert off.cluster.tidings == []


def test_a_notice_that_is_taken_back_is_undone() -> None:

    stage = Stage(a_cluster(a_pod("web-1"))).notice("i-1", 10.0, takes=False)
    stage.hear(NoticeWithdrawn(time=50.0, region="us-east-1", instance_id="i-1", notice="interruption"))
    stage.play(until=60.0)
    assert len(stage.of(UncordonNode)) == 1
    assert stage.incident().ended == "n-1 stays: EC2 took it back"


def test_only_what_we_set_is_taken_back() -> None:

    cluster = a_cluster(a_pod("web-1"))
    theirs = {EXCLUDE_FROM_LOAD_BALANCERS_LABEL: "somebody"}
    cluster.nodes["n-1"] = replace(cluster.nodes["n-1"], unschedulable=True, labels=theirs)
    stage = Stage(cluster).notice("i-1", 10.0, takes=False)
    stage.hear(NoticeWithdrawn(time=50.0, region="us-east-1", instance_id="i-1", notice="interruption"))
    stage.play(until=60.0)
    node = cluster.nodes["n-1"]
    assert node.unschedulable
    assert node.labels == theirs
    assert not node.has_taint("spotward.io/leaving")


def test_an_api_server_that_is_away_for_half_a_minute_costs_that_and_no_more() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).notice("i-1", 10.0)
    stage.silence(10.5, 30.0)
    stage.play(until=60.0)
    assert stage.incident().drained
    assert evicted(stage) == ["web-1"]


def test_killed_in_the_middle_it_goes_on_where_it_was() -> None:
    stage = Stage(a_cluster(a_pod("web-1"), a_pod("dns-1", priority=2_000_000_000))).notice("i-1", 10.0)
    for moment in (10.1, 11.0, 12.2, 13.0):
        stage.at(moment, stage.restart)
    stage.play(until=60.0)
    assert stage.incident().drained
    assert stage.incident().key == "incident i-1 10.000"
    assert sorted(set(evicted(stage))) == ["dns-1", "web-1"]


def test_causes_are_named_by_the_weightiest_and_a_person_is_told_twice() -> None:
    policy = replace(POLICY, notify=True)
    stage = Stage(a_cluster(a_pod("web-1")), policy=policy).advise("i-1", 5.0).notice("i-1", 10.0).play(until=400.0)
    assert [text.split(";")[0] for text in stage.cluster.notified] == [
        "n-1: EC2 takes the Spot instance at 00:02:10",
        "n-1 (EC2 takes the Spot instance): 1 pod: 1 in good order",
    ]
    assert Cause.INTERRUPTION in stage.incident().causes


def test_pods_of_a_blocked_budget_elsewhere_do_not_matter() -> None:
    stage = Stage(a_cluster(a_pod("web-1"), budgets=(a_budget("db", max_unavailable="0"),)))
    stage.notice("i-1", 10.0).play(until=60.0)
    assert deleted(stage) == []
    assert stage.of(DeletePods) == []


def test_what_a_notice_calls_for_goes_before_what_only_saves_money() -> None:
    noticed = Stage(a_cluster(a_pod("web-1"))).notice("i-1", 10.0).play(until=20.0)
    advised = Stage(a_cluster(a_pod("web-1")), policy=NodesPolicy(cluster=CLUSTER, rebalance=Response.DRAIN))
    advised.advise("i-1", 10.0).play(until=20.0)
    assert {asked.urgent for _, asked in noticed.asked if asked.action.mutates} == {True}
    assert {asked.urgent for _, asked in advised.asked if asked.action.mutates} == {False}
