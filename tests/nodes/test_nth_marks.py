"""The Node Termination Handler's taints and labels, for whoever reads them: set with ours, taken back with ours."""

from dataclasses import replace

import pytest

from spotward.model.cluster import EXCLUDE_FROM_LOAD_BALANCERS_LABEL, Taint
from spotward.model.event import (
    Event,
    MaintenanceEnded,
    MaintenanceScheduled,
    NoticeWithdrawn,
    RebalanceAdvised,
    TargetStateChanged,
)
from spotward.nodes.policy import NodesPolicy, Response
from tests.nodes.stage import Stage
from tests.nodes.toy_cluster import CLUSTER, REGION, a_cluster, a_pod

MARKS = NodesPolicy(cluster=CLUSTER, nth_marks=True)
THEIRS = "aws-node-termination-handler"


def reboot(code: str = "system-reboot", event_id: str = "instance-event-0d59") -> MaintenanceScheduled:
    return MaintenanceScheduled(
        time=10.0, region=REGION, instance_id="i-1", event_id=event_id, code=code, start_time=600.0
    )


def target(state: str) -> TargetStateChanged:
    return TargetStateChanged(time=10.0, region=REGION, instance_id="i-1", state=state)


def taints(stage: Stage) -> dict[str, str]:
    return {taint.key: taint.value for taint in stage.cluster.nodes["n-1"].taints}


@pytest.mark.parametrize(
    ("event", "key", "value"),
    [
        (reboot(), "scheduled-maintenance", "instance-event-0d59"),
        (target("Terminated"), "asg-lifecycle-termination", "asg-lifecycle-term-i-1"),
    ],
    ids=["maintenance", "termination"],
)
def test_each_cause_has_its_taint_beside_ours(event: Event, key: str, value: str) -> None:
    found = taints(Stage(a_cluster(a_pod("web-1")), policy=MARKS).hear(event).play(until=60.0))
    assert found[f"{THEIRS}/{key}"] == value
    assert "spotward.io/leaving" in found


def test_a_notice_and_advice_have_theirs_and_the_label_for_load_balancers_has_its_value() -> None:
    stage = Stage(a_cluster(a_pod("web-1")), policy=replace(MARKS, rebalance=Response.CORDON))
    stage.hear(RebalanceAdvised(time=10.0, region=REGION, instance_id="i-1")).notice("i-1", 50.0, takes=False)
    stage.play(until=100.0)
    assert taints(stage)[f"{THEIRS}/rebalance-recommendation"] == "rebalance-recommendation-i-1"
    assert taints(stage)[f"{THEIRS}/spot-itn"] == "spot-itn-i-1"
    assert stage.cluster.nodes["n-1"].labels[EXCLUDE_FROM_LOAD_BALANCERS_LABEL] == THEIRS


def test_without_a_taint_of_ours_there_are_only_theirs_and_unasked_there_are_none() -> None:
    stage = Stage(a_cluster(a_pod("web-1")), policy=replace(MARKS, taint=False)).notice("i-1", 10.0, takes=False)
    assert set(taints(stage.play(until=60.0))) == {f"{THEIRS}/spot-itn"}
    plain = Stage(a_cluster(a_pod("web-1"))).notice("i-1", 10.0, takes=False).hear(reboot()).play(until=60.0)
    assert set(taints(plain)) == {"spotward.io/leaving"}
    assert not any(key.startswith(THEIRS) for key in plain.cluster.nodes["n-1"].labels)


def test_before_a_reboot_the_node_is_labelled_and_when_it_is_called_off_nothing_is_left() -> None:
    stage = Stage(a_cluster(a_pod("web-1")), policy=MARKS).hear(reboot()).play(until=60.0)
    labels = stage.cluster.nodes["n-1"].labels
    assert labels[f"{THEIRS}/action"] == "UncordonAfterReboot"
    assert labels[f"{THEIRS}/action-time"] == "10"
    assert labels[f"{THEIRS}/event-id"] == "instance-event-0d59"
    over = MaintenanceEnded(
        time=100.0, region=REGION, instance_id="i-1", event_id="instance-event-0d59", outcome="canceled"
    )
    node = stage.hear(over).play(until=200.0).cluster.nodes["n-1"]
    assert node.taints == ()
    assert not any(key.startswith(THEIRS) for key in node.labels)
    assert not node.unschedulable


def test_maintenance_that_reboots_nothing_is_not_labelled_for_a_reboot() -> None:
    stage = Stage(a_cluster(a_pod("web-1")), policy=MARKS).hear(reboot(code="system-maintenance")).play(until=60.0)
    assert f"{THEIRS}/scheduled-maintenance" in taints(stage)
    assert f"{THEIRS}/action" not in stage.cluster.nodes["n-1"].labels


def test_what_the_other_tool_left_stays_as_it_is_and_stays_when_we_go() -> None:
    cluster = a_cluster(a_pod("web-1"))
    left = Taint(key=f"{THEIRS}/spot-itn", effect="NoSchedule", value="spot-itn-0123")
    labels = {f"{THEIRS}/event-id": "instance-event-of-last-year"}
    cluster.nodes["n-1"] = replace(cluster.nodes["n-1"], taints=(left,), labels=labels)
    stage = Stage(cluster, policy=MARKS).notice("i-1", 10.0, takes=False).hear(reboot())
    withdrawn = NoticeWithdrawn(time=100.0, region=REGION, instance_id="i-1", notice="interruption")
    over = MaintenanceEnded(
        time=101.0, region=REGION, instance_id="i-1", event_id="instance-event-0d59", outcome="canceled"
    )
    node = stage.hear(withdrawn).hear(over).play(until=200.0).cluster.nodes["n-1"]
    assert node.taints == (left,)
    assert dict(node.labels) == labels


@pytest.mark.parametrize("event_id", ["x" * 200, "a/b c", "-.-", "ünï"])
def test_an_id_that_a_taint_may_not_have_as_its_value_is_made_one_that_it_may(event_id: str) -> None:
    stage = Stage(a_cluster(a_pod("web-1")), policy=MARKS).hear(reboot(event_id=event_id)).play(until=60.0)
    value = taints(stage)[f"{THEIRS}/scheduled-maintenance"]
    assert len(value) <= 63
    assert value == "" or (value[0].isalnum() and value[-1].isalnum())
    assert all(char.isascii() and (char.isalnum() or char in "-_.") for char in value)
