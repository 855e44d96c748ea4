"""What is told of an incident: Kubernetes Events with the facts of the machine on each, and the fields of a webhook."""

from dataclasses import replace

import pytest
from rpds import HashTrieMap

from spotward.model.cloud import Instance, Lifecycle
from spotward.model.event import NoticeWithdrawn, RebalanceAdvised
from spotward.model.node_action import Notify, TellCluster
from spotward.nodes.policy import NodesPolicy, Response
from tests.nodes.stage import Stage
from tests.nodes.toy_cluster import CLUSTER, REGION, a_cluster, a_node, a_pod

POLICY = NodesPolicy(cluster=CLUSTER)

LABELS = {
    "topology.kubernetes.io/zone": "us-east-1a",
    "topology.kubernetes.io/region": "us-east-1",
    "node.kubernetes.io/instance-type": "m5.large",
    "eks.amazonaws.com/capacityType": "SPOT",
}
ADDRESSES = (
    ("InternalIP", "192.168.0.1"),
    ("ExternalIP", "203.0.113.7"),
    ("InternalDNS", "ip-192-168-0-1.ec2.internal"),
    ("ExternalDNS", "ec2-203-0-113-7.compute-1.amazonaws.com"),
    ("Hostname", "ip-192-168-0-1.ec2.internal"),
)


def reasons(stage: Stage) -> list[str]:
    return [line.split()[0] for line in stage.cluster.tidings]


def test_every_event_carries_what_the_cluster_knows_of_the_machine() -> None:
    cluster = a_cluster(a_pod("web-1"))
    cluster.nodes["n-1"] = a_node(1, labels=LABELS, addresses=ADDRESSES)
    stage = Stage(cluster).notice("i-1", 10.0).play(until=60.0)
    told = [action for action in stage.of(TellCluster) if isinstance(action, TellCluster)]
    assert len(told) == 2
    for action in told:
        assert dict(action.annotations) == {
            "availability-zone": "us-east-1a",
            "instance-id": "i-1",
            "instance-life-cycle": "spot",
            "instance-type": "m5.large",
            "local-hostname": "ip-192-168-0-1.ec2.internal",
            "local-ipv4": "192.168.0.1",
            "public-hostname": "ec2-203-0-113-7.compute-1.amazonaws.com",
            "public-ipv4": "203.0.113.7",
            "region": "us-east-1",
        }


def test_what_ec2_said_of_the_instance_is_surer_than_a_label() -> None:
    stage = Stage(a_cluster(a_pod("web-1")), policy=replace(POLICY, notify=True))
    instance = Instance(
        id="i-1",
        region=REGION,
        az="us-east-1b",
        instance_type="c5.large",
        lifecycle=Lifecycle.ON_DEMAND,
        state="running",
        cluster=CLUSTER,
    )
    stage.world = replace(
        stage.world, instances=stage.world.instances.insert("i-1", instance), group_of=HashTrieMap({"i-1": "r/web"})
    )
    stage.notice("i-1", 10.0).play(until=60.0)
    first = next(action for action in stage.of(Notify) if isinstance(action, Notify))
    known = dict(first.fields)
    assert (known["az"], known["instance_type"], known["life_cycle"]) == ("us-east-1b", "c5.large", "on-demand")
    assert known["group"] == "web"


def test_a_node_without_labels_tells_its_zone_by_its_provider_id() -> None:
    cluster = a_cluster(a_pod("web-1"))
    cluster.nodes["n-1"] = a_node(1, labels={})
    stage = Stage(cluster, alone=True).notice("i-1", 10.0).play(until=60.0)
    told = next(action for action in stage.of(TellCluster) if isinstance(action, TellCluster))
    assert dict(told.annotations) == {"availability-zone": "us-east-1a", "instance-id": "i-1", "region": "us-east-1"}


def test_what_was_only_noted_is_told_without_a_word_on_marks() -> None:
    stage = Stage(a_cluster(a_pod("web-1")), policy=replace(POLICY, rebalance=Response.NOTE)).advise("i-1", 10.0)
    assert reasons(stage.play(until=60.0)) == ["RebalanceRecommendation"]


def test_a_node_that_is_only_cordoned_and_given_back_is_told_so() -> None:
    stage = Stage(a_cluster(a_pod("web-1")), policy=replace(POLICY, interruption=Response.CORDON))
    stage.notice("i-1", 10.0, takes=False)
    stage.hear(NoticeWithdrawn(time=60.0, region=REGION, instance_id="i-1", notice="interruption"))
    stage.play(until=100.0)
    assert reasons(stage) == ["SpotInterruption", "Cordon", "Uncordon"]
    assert stage.cluster.tidings[-1] == "Uncordon n-1: n-1 takes pods again: EC2 took it back"


def test_advice_and_then_a_notice_are_two_marks_and_the_news_are_told_once() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).hear(RebalanceAdvised(time=10.0, region=REGION, instance_id="i-1"))
    stage.notice("i-1", 30.0).play(until=60.0)
    assert reasons(stage) == ["RebalanceRecommendation", "Cordon", "PreDrain", "CordonAndDrain"]


@pytest.mark.parametrize(("finalizers", "reason"), [((), "CordonAndDrain"), (("stuck",), "CordonAndDrainError")])
def test_the_last_word_tells_whether_all_pods_went_in_time(finalizers: tuple[str, ...], reason: str) -> None:
    stage = Stage(a_cluster(a_pod("web-1", finalizers=finalizers))).notice("i-1", 10.0).play(until=500.0)
    assert [each for each in reasons(stage) if each.startswith("CordonAndDrain")] == [reason]
