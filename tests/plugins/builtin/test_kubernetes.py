"""Whom a step means and what comes of it, without a cluster: nothing is done to a wrong node or beyond the settings."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from spotward.model.errors import Permanent, Transient
from spotward.model.flow_event import Status as Ended
from spotward.model.incident import Marks
from spotward.model.node_event import PodResult
from spotward.model.node_order import DrainWanted
from spotward.model.order import Order
from spotward.plugins.builtin.cluster import Marked, Tell
from spotward.plugins.builtin.kubernetes import Kubernetes
from spotward.plugins.sdk.call import Answer, Call, Status
from tests.plugins.builtin.paper_cluster import NOTICE, NOW, PaperCluster, a_call, a_node, a_plugin, a_pod


def answered(plugin: Kubernetes, call: Call) -> Answer:
    return asyncio.run(plugin.answer(call))


def drained(cluster: PaperCluster) -> DrainWanted:
    [order] = cluster.said
    assert isinstance(order, Order)
    assert isinstance(order.wanted, DrainWanted)
    return order.wanted


# ---- which node ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels",
    [
        {"cluster_name": "", "instance": "n-2"},
        {"cluster_name": "prod", "instance": "n-2"},
        {"instance_id": "i-2"},
        {"instance_id": "i-2", "instance": "10.0.0.2:9189"},
        {"instance_id": "i-2", "instance": "192.168.7.7:9189"},
        {"node": "n-2"},
        {"provider_id": "aws:///eu-west-1a/i-2"},
        {"instance": "10.0.0.2:9100"},
        {"instance": "ip-10-0-0-2:9100"},
        {"internal_ip": "10.0.0.2"},
    ],
)
def test_a_node_is_found_by_what_old_and_new_alerts_say(labels: dict[str, str]) -> None:
    cluster = PaperCluster()
    answer = answered(a_plugin(cluster), a_call(type_=NOTICE, labels=labels))
    assert answer.status is Status.DONE, answer.text
    assert drained(cluster).node == "n-2"


def test_a_node_is_found_by_an_event_of_ec2() -> None:
    cluster = PaperCluster()
    call = a_call(type_="aws.ec2.spot-instance-interruption-warning", data={"detail": {"instance-id": "i-1"}})
    answered(a_plugin(cluster), replace(call, happens=NOW + 90.0))
    assert (drained(cluster).node, drained(cluster).goes_time) == ("n-1", NOW + 90.0)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({}, "the event names no node"),
        ({"severity": "page"}, "the event names no node"),
        ({"node": "n-9"}, "no node of the cluster prod is 'n-9'"),
        ({"instance_id": "i-9", "instance": "10.0.0.1:9100"}, "no node of the cluster prod is 'i-9'"),
        ({"instance_id": "i-1", "instance": "n-2"}, "means several nodes"),
        ({"node": "n-1", "instance_id": "i-2"}, "means several nodes"),
        ({"instance": "10.9.9.9:9100"}, "no node of the cluster prod is instance '10.9.9.9:9100'"),
    ],
)
def test_a_wrong_node_is_worse_than_none(labels: dict[str, str], words: str) -> None:
    cluster = PaperCluster()
    answer = answered(a_plugin(cluster), a_call({"action": "cordon"}, labels=labels))
    assert answer.status is Status.REFUSED
    assert words in answer.text
    assert not cluster.said


def test_what_the_step_says_of_the_node_goes_before_what_the_event_says() -> None:
    cluster = PaperCluster()
    call = a_call({"action": "cordon", "node": "$labels.victim"}, labels={"instance_id": "i-1", "victim": "n-2"})
    answered(a_plugin(cluster), call)
    assert cluster.said == [("n-2", Marks(cordoned=True))]


def test_a_node_that_is_no_instance_is_not_drained() -> None:
    cluster = PaperCluster(every=(a_node(1, provider_id="kind://docker/kind/n-1"),))
    answer = answered(a_plugin(cluster), a_call({"action": "drain"}, labels={"node": "n-1"}))
    assert (answer.status, "names no EC2 instance" in answer.text) == (Status.REFUSED, True)


# ---- which cluster -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "..", "prod/../stage", "%2e%2e"])
def test_an_event_chooses_among_the_clusters_of_the_settings_and_never_a_path(name: str) -> None:
    cluster = PaperCluster()
    answer = answered(a_plugin(cluster), a_call(type_=NOTICE, labels={"cluster_name": name, "instance": "n-1"}))
    assert answer.status is Status.REFUSED
    assert answer.text == f"no cluster is called {name!r}; there are prod, stage"
    assert not cluster.said


def test_another_cluster_is_another_cluster() -> None:
    home, stage = PaperCluster(), PaperCluster(name="stage")
    plugin = a_plugin(home, stage=stage)
    answered(plugin, a_call(type_=NOTICE, labels={"cluster_name": "stage", "instance": "n-1"}))
    answered(plugin, a_call({"action": "drain", "cluster": "stage"}, labels={"instance": "n-1"}))
    assert (len(home.said), len(stage.said)) == (0, 2)


# ---- drains --------------------------------------------------------------------------------------------------------


def test_a_notice_has_its_two_minutes_from_the_event_or_until_the_time_that_the_rule_finds() -> None:
    for call, goes in (
        (a_call(type_=NOTICE, labels={"instance": "n-1"}), NOW - 5.0 + 120.0),
        (a_call(type_=NOTICE, labels={"instance": "n-1"}, happens=NOW + 60.0), NOW + 60.0),
        (a_call(type_=NOTICE, labels={"instance": "n-1"}, happens=NOW + 400.0), NOW + 120.0),
        (a_call({"action": "drain"}, labels={"instance": "n-1"}, happens=NOW + 60.0), None),
        (a_call({"action": "drain", "machine": "goes"}, labels={"instance": "n-1"}, happens=NOW + 400.0), NOW + 400.0),
        (a_call({"action": "drain", "machine": "goes"}, labels={"instance": "n-1"}), NOW - 5.0 + 120.0),
        (a_call({"action": "drain", "machine": "stays"}, type_=NOTICE, labels={"instance": "n-1"}), None),
    ):
        cluster = PaperCluster()
        answered(a_plugin(cluster), call)
        assert drained(cluster).goes_time == goes
        assert (drained(cluster).instance_id, drained(cluster).region) == ("i-1", "eu-west-1")


def test_an_answer_has_the_numbers_for_the_steps_after_it_and_progress_is_told_on_the_way() -> None:
    heard: list[str] = []

    async def tell(text: str, fraction: float) -> None:
        heard.append(text)

    answer = answered(a_plugin(), a_call(type_=NOTICE, labels={"instance": "n-1"}, tell=tell))
    assert answer.output == {"node": "n-1", "evicted": 2}
    assert heard == ["1 of 2 pods left"]


def test_a_drain_that_takes_longer_than_the_caller_waits_is_answered_in_time_with_what_holds_it() -> None:
    async def for_ever(order: Order, tell: Tell) -> Order:
        await tell("1 of 2 pods of n-1 left: shop/web-1: the budget says no")
        await asyncio.Event().wait()
        return order

    call = a_call(type_=NOTICE, labels={"instance": "n-1"}, seconds_left=0.2)
    answer = answered(a_plugin(PaperCluster(ending=for_ever)), call)
    assert answer.status is Status.FAILED
    assert answer.text.endswith("goes on being emptied: 1 of 2 pods of n-1 left: shop/web-1: the budget says no")
    assert answer.retry_after_seconds > 0


@pytest.mark.parametrize("status", [Ended.REFUSED, Ended.FAILED, Ended.IGNORED])
def test_how_an_order_ends_is_how_the_step_ends(status: Ended) -> None:
    async def so(order: Order, tell: Tell) -> Order:
        return replace(order, status=status, ended="the reason", ended_time=NOW)

    answer = answered(a_plugin(PaperCluster(ending=so)), a_call(type_=NOTICE, labels={"instance": "n-1"}))
    assert (answer.status.value, answer.text) == (status.value, "the reason")


def test_engines_of_old_hear_ok_of_events_that_are_no_business_of_the_plugin_and_rules_hear_what_is_missing() -> None:
    call = a_call(type_="prometheus.server.alert.SpotInstanceTooExpensive", labels={"instance": "n-1"})
    assert answered(a_plugin(), replace(call, flow="")).status is Status.IGNORED
    assert answered(a_plugin(), call).status is Status.REFUSED


# ---- marks ---------------------------------------------------------------------------------------------------------


def test_a_cordon_of_others_is_said_to_be_theirs() -> None:
    cluster = PaperCluster(marked=Marked(others=Marks(cordoned=True)))
    answer = answered(a_plugin(cluster), a_call({"action": "cordon"}, labels={"node": "n-1"}))
    assert answer.text == "n-1 is cordoned already, by others: it is not ours to take back"


def test_uncordon_takes_back_the_drain_and_the_cordon_of_rules() -> None:
    async def none(order: Order, tell: Tell) -> Order:
        return replace(order, status=Ended.IGNORED, ended="no rule has had n-1 emptied", ended_time=NOW)

    undo = a_call({"action": "uncordon"}, labels={"node": "n-1"})
    assert answered(a_plugin(), undo).text == "it is so"
    assert answered(a_plugin(PaperCluster(ending=none)), undo).text == "n-1 takes pods again"
    nothing = PaperCluster(ending=none, unmarked=Marked())
    assert answered(a_plugin(nothing), undo).status is Status.IGNORED
    theirs = PaperCluster(ending=none, unmarked=Marked(others=Marks(cordoned=True)))
    assert answered(a_plugin(theirs), undo).status is Status.REFUSED


def test_a_value_that_an_event_makes_impossible_is_refused() -> None:
    cluster = PaperCluster()
    step = {"action": "label", "labels": {"state": "$labels.summary"}, "node": "n-1"}
    answer = answered(a_plugin(cluster), a_call(step, labels={"summary": "it is hot, isn't it?"}))
    assert answer.status is Status.REFUSED
    assert not cluster.said


# ---- workloads -----------------------------------------------------------------------------------------------------

SCALE = {"action": "scale", "kind": "Deployment", "namespace": "$labels.namespace", "name": "$labels.deployment"}


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"namespace": "kube-system", "deployment": "coredns"}, "may touch no workload in the namespace 'kube-system'"),
        ({"namespace": "shop"}, "`name` is '$labels.deployment', and the event has nothing for it"),
        ({"namespace": "shop", "deployment": "../secrets"}, "makes it '../secrets', which is no name"),
        ({"namespace": "shop", "deployment": "web&fieldManager=x"}, "which is no name"),
    ],
)
def test_an_event_reaches_no_workload_beyond_the_settings(labels: dict[str, str], words: str) -> None:
    cluster = PaperCluster()
    answer = answered(a_plugin(cluster), a_call({**SCALE, "replicas": 5}, labels=labels))
    assert answer.status is Status.REFUSED
    assert words in answer.text
    assert not cluster.said


def test_a_workload_is_scaled_and_the_answer_says_from_and_to() -> None:
    cluster = PaperCluster()
    labels = {"namespace": "team-a", "deployment": "web"}
    answer = answered(a_plugin(cluster), a_call({**SCALE, "replicas": "+2", "max": 3}, labels=labels))
    assert answer.text == "the Deployment team-a/web: 2 → 3 pods"
    assert answer.output == {"before": 2, "after": 3}
    assert cluster.said == [("the Deployment team-a/web", "flow.step", False)]
    assert answered(a_plugin(cluster), a_call({**SCALE, "replicas": 3}, labels=labels)).status is Status.IGNORED


def test_what_cannot_be_moved_is_left_and_said() -> None:
    pods = (
        a_pod("daemon", owner=replace(a_pod("x").owner, kind="DaemonSet")),  # type: ignore[type-var]  # it has one
        a_pod("bare", owner=None),
        a_pod("static", mirror=True),
        a_pod("done", phase="Succeeded"),
        a_pod("successor", creation_time=NOW),
        a_pod("elsewhere", node="n-2"),
        a_pod("web"),
    )
    cluster = PaperCluster(here=pods)
    step = {"action": "reschedule", "namespace": "shop", "selector": "app=web", "node": "n-1"}
    answer = answered(a_plugin(cluster), a_call(step))
    assert (answer.status, answer.output["moved"]) == (Status.DONE, ["shop/web"])
    assert [said for said in cluster.said if isinstance(said, tuple)] == [("web",)]


def test_a_budget_that_never_opens_holds_nobody_for_ever() -> None:
    cluster = PaperCluster(here=(a_pod("web"),), answers={"web": PodResult.BLOCKED})
    step = {"action": "reschedule", "namespace": "shop", "selector": "app=web"}
    answer = answered(a_plugin(cluster), a_call(step, seconds_left=0.3))
    assert answer.status is Status.FAILED
    assert answer.output == {"moved": [], "left": ["shop/web"]}
    assert "1 of 1 pod left: shop/web: blocked" in answer.text


# ---- all of them ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step",
    [
        {"action": "drain"},
        {"action": "cordon"},
        {"action": "uncordon"},
        {"action": "taint", "taint": {"key": "a"}},
        {"action": "label", "labels": {"a": "b"}},
        {"action": "reschedule", "namespace": "shop", "kind": "Deployment", "name": "web"},
        {"action": "reschedule", "namespace": "shop", "kind": "Deployment", "name": "web", "restart": True},
        {"action": "scale", "namespace": "shop", "kind": "Deployment", "name": "web", "replicas": 9},
    ],
)
def test_a_dry_run_says_what_would_be_done_and_does_nothing(step: dict[str, Any]) -> None:
    cluster = PaperCluster(here=(a_pod("web"),))
    answer = answered(a_plugin(cluster), a_call(step, labels={"node": "n-1"}, dry_run=True))
    assert answer.text.startswith("would "), answer
    assert all("Pods(" in repr(said) for said in cluster.said), "it may look"


@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        (Permanent("no right to", code="Forbidden"), Status.REFUSED),
        (Transient("away", code="Away", retry_after_seconds=7.0), Status.FAILED),
    ],
)
def test_trouble_of_the_cluster_is_a_refusal_or_another_try(trouble: Exception, status: Status) -> None:
    answer = answered(a_plugin(PaperCluster(ill=trouble)), a_call({"action": "cordon"}, labels={"node": "n-1"}))
    assert (answer.status, answer.text) == (status, str(trouble))
    assert answer.retry_after_seconds == getattr(trouble, "retry_after_seconds", 0.0)
