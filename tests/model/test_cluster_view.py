"""What is known of a cluster, and how open incidents are found."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from spotward.model.cluster import Budget, Claim, Selector, VolumeAttachment
from spotward.model.cluster_view import ClusterView
from spotward.model.incident import Cause, Fate, Incident, PodRecord, Signal
from spotward.model.incidents import Incidents
from spotward.model.node_event import AttachmentsSeen, BudgetsSeen, ClusterSilent, NodesSeen, PodsSeen
from tests.nodes.toy_cluster import CLUSTER, a_node, a_pod

SEEN = ClusterView().after(NodesSeen(time=1, cluster=CLUSTER, nodes=(a_node(1), a_node(2)), whole=True))


def test_a_node_is_found_by_its_instance_until_it_is_gone() -> None:
    assert SEEN.node_for("i-1") == a_node(1)
    without = SEEN.after(NodesSeen(time=2, cluster=CLUSTER, gone=("n-1",)))
    assert without.node_for("i-1") is None
    assert without.node_for("i-2") == a_node(2)


def test_what_is_not_in_the_whole_is_gone() -> None:
    after = SEEN.after(NodesSeen(time=2, cluster=CLUSTER, nodes=(a_node(2),), whole=True))
    assert after.node_for("i-1") is None
    assert list(after.nodes) == ["n-2"]


def test_another_machine_under_an_old_name_takes_its_place() -> None:
    reborn = replace(a_node(1), uid="another", provider_id="aws:///us-east-1a/i-9")
    after = SEEN.after(NodesSeen(time=2, cluster=CLUSTER, nodes=(reborn,)))
    assert after.node_for("i-1") is None
    assert after.node_for("i-9") == reborn


def test_silence_lasts_until_nodes_are_seen_again_and_is_told_by_its_first_reason() -> None:
    silent = SEEN.after(ClusterSilent(time=5, cluster=CLUSTER, reason="refused"))
    longer = silent.after(ClusterSilent(time=9, cluster=CLUSTER, reason="refused still"))
    assert longer.silent_since == 5
    assert longer.after(NodesSeen(time=10, cluster=CLUSTER)).silent_since is None


def test_pods_are_known_from_the_first_whole_look_on() -> None:
    news = PodsSeen(time=2, instance_id="i-1", node="n-1", pods=(a_pod("web-1"),))
    assert SEEN.after(news).pods.get("n-1") is None
    watched = SEEN.after(replace(news, whole=True))
    more = watched.after(replace(news, pods=(a_pod("web-2"),), gone=("uid-web-1",)))
    assert list(more.pods["n-1"].pods) == ["uid-web-2"]
    assert more.without_pods("n-1").pods.get("n-1") is None


def test_a_pods_volumes_are_those_that_only_one_node_may_hold() -> None:
    claims = (
        Claim(namespace="default", name="own", uid="1", volume="pv-1", access_modes=frozenset({"ReadWriteOnce"})),
        Claim(namespace="default", name="shared", uid="2", volume="pv-2", access_modes=frozenset({"ReadWriteMany"})),
        Claim(namespace="default", name="unbound", uid="3"),
    )
    pod = a_pod("db-0", claims=("own", "shared", "unbound", "unknown"))
    seen = PodsSeen(time=2, instance_id="i-1", node="n-1", pods=(pod,), claims=claims, whole=True)
    assert SEEN.after(seen).pods["n-1"].volumes_of(pod) == ("pv-1",)


def test_budgets_and_attachments_come_change_and_go() -> None:
    budget = Budget(namespace="default", name="web", uid="b", selector=Selector(labels={"app": "web"}))
    view = SEEN.after(BudgetsSeen(time=2, budgets=(budget,), whole=True))
    assert view.budgets_of(a_pod("web-1")) == (budget,)
    assert view.budgets_of(a_pod("db-1")) == ()
    changed = view.after(BudgetsSeen(time=3, budgets=(replace(budget, disruptions_allowed=1),)))
    assert changed.budgets_of(a_pod("web-1"))[0].disruptions_allowed == 1
    assert changed.after(BudgetsSeen(time=4, gone=("default/web",))).budgets.get("default") is None
    one = VolumeAttachment(name="at-1", uid="a", node="n-1", attacher="ebs.csi.aws.com", volume="pv-1")
    held = view.after(AttachmentsSeen(time=2, attachments=(one,)))
    assert held.attachments["n-1"] == (one,)
    assert held.after(AttachmentsSeen(time=3, gone=(one,))).attachments.get("n-1") is None


def test_what_was_taken_from_a_budget_counts_until_the_budget_is_seen_again() -> None:
    pod = PodRecord(
        uid="u", namespace="default", name="web-1", since=0.0, grace_seconds=30.0, fate=Fate.ASKED, budgets=("web",)
    )
    signal = Signal(cause=Cause.INTERRUPTION, id="s", time=0.0)
    asked = Incident(key="k", instance_id="i-1", region="r", born=0.0, signals=(signal,), pods=(pod,))
    accepted = replace(asked, pods=(replace(pod, fate=Fate.LEAVING),))
    found = Incidents().with_incident(asked).with_incident(accepted)
    assert (found.asking.get("web"), found.taken.get("web")) == (None, 1)
    assert found.budgets_seen(["web"]).taken.get("web") is None


fates = st.sampled_from(list(Fate))
records = st.lists(
    st.builds(
        PodRecord,
        uid=st.uuids().map(str),
        namespace=st.just("default"),
        name=st.just("web-1"),
        since=st.just(0.0),
        grace_seconds=st.just(30.0),
        fate=fates,
        budgets=st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=2).map(tuple),
    ),
    max_size=4,
).map(tuple)
incidents = st.builds(
    lambda number, cause, pods, begun, ended: Incident(
        key=f"incident {number}",
        instance_id=f"i-{number}",
        region="us-east-1",
        born=0.0,
        signals=(Signal(cause=cause, id="s", time=0.0),),
        node=f"n-{number}" if number % 2 else "",
        begun_time=begun,
        pods=pods,
        ended=ended,
    ),
    st.integers(1, 4),
    st.sampled_from(list(Cause)),
    records,
    st.none() | st.just(1.0),
    st.none() | st.none() | st.just("over"),
)


@given(st.lists(incidents, max_size=12))
def test_every_way_to_find_an_incident_leads_to_the_same(history: list[Incident]) -> None:
    found = Incidents()
    last: dict[str, Incident] = {}
    for incident in history:
        found = found.with_incident(incident)
        last[incident.instance_id] = incident
    open_ones = {i: incident for i, incident in last.items() if incident.ended is None}
    assert dict(found.by_instance.items()) == open_ones
    assert dict(found.instance_of.items()) == {each.node: i for i, each in open_ones.items() if each.node}
    assert set(found.voluntary.keys()) == {i for i, each in open_ones.items() if each.voluntary}
    assert set(found.advised.keys()) == {i for i, each in open_ones.items() if each.advised}
    asking = Counter(
        name for each in open_ones.values() for pod in each.pods if pod.fate is Fate.ASKED for name in pod.budgets
    )
    assert dict(found.asking.items()) == asking
    held: Counter[str] = sum((each.held_pods for each in open_ones.values()), Counter())
    assert dict(found.held.items()) == {name: number for name, number in held.items() if number}
    waiting = {name: {i for i, each in open_ones.items() if name in each.held_pods} for name in held}
    assert {name: set(ids) for name, ids in found.waiting.items()} == waiting
