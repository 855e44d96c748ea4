"""Guards hold the laws even where a decider errs: each is given a wish to refuse, and one that it must not refuse."""

from dataclasses import replace
from typing import Any

import pytest

from spotward.model.action import Action
from spotward.model.cluster import Taint
from spotward.model.cluster_view import ClusterView
from spotward.model.decision import Wish
from spotward.model.incident import Cause, HookDuty, Incident, Marks, PodRecord, Signal
from spotward.model.node_action import (
    CompleteLifecycle,
    CordonNode,
    DeleteNode,
    DeletePods,
    EvictPods,
    MarkOutOfService,
    PodOrder,
    UncordonNode,
)
from spotward.model.node_event import NodesSeen, PodsSeen
from spotward.model.world import World
from spotward.nodes.guard import (
    budget_guard,
    crowd_guard,
    grace_guard,
    hook_guard,
    node_guard,
    off_guard,
    ownership_guard,
)
from spotward.nodes.policy import NodesPolicy
from tests.nodes.toy_cluster import CLUSTER, a_node, a_pod

POLICY = NodesPolicy(cluster=CLUSTER)
OURS = Taint(key="spotward.io/leaving", effect="NoSchedule", value="interruption")
N1: dict[str, Any] = {"instance_id": "i-1", "key": "k", "node": "n-1"}


def an_incident(number: int = 1, cause: Cause = Cause.INTERRUPTION, **changes: object) -> Incident:
    incident = Incident(
        key=f"incident i-{number}",
        instance_id=f"i-{number}",
        region="us-east-1",
        born=0.0,
        signals=(Signal(cause=cause, id="s", time=0.0, deadline=120.0),),
        node=f"n-{number}",
        node_uid=f"node-uid-{number}",
        begun_time=0.0,
        marks=Marks(cordoned=True, taints=(OURS,)),
        pods=(PodRecord(uid="uid-web-1", namespace="default", name="web-1", since=0.0, grace_seconds=30.0),),
    )
    return replace(incident, **changes)  # type: ignore[arg-type]  # fields of it


def a_world(*incidents: Incident, time: float = 10.0, leaving: float | None = None) -> World:
    pod = a_pod("web-1", deletion_time=leaving)
    view = ClusterView().after(NodesSeen(time=0, cluster=CLUSTER, nodes=(a_node(1),), whole=True))
    view = view.after(PodsSeen(time=0, instance_id="i-1", node="n-1", pods=(pod,), whole=True))
    world = World(time=time, cluster=view)
    for incident in incidents:
        world = world.with_undertaking(incident)
    return world


def wish(action: Action) -> Wish:
    return Wish(action=action, reason="because")


def order(grace: int | None = None) -> PodOrder:
    return PodOrder(namespace="default", name="web-1", uid="uid-web-1", grace_seconds=grace)


def test_no_node_is_touched_without_an_incident_of_it_and_no_other_of_its_name() -> None:
    cordon = wish(CordonNode(uid="node-uid-1", **N1))
    assert node_guard(a_world(an_incident()), cordon) is None
    assert node_guard(a_world(), cordon) == "no incident of n-1 is open"
    assert node_guard(a_world(an_incident(node="n-9")), cordon) == "no incident of n-1 is open"
    reborn = wish(CordonNode(uid="another", **N1))
    assert node_guard(a_world(an_incident()), reborn) == "n-1 is another node by that name now"


@pytest.mark.parametrize(
    ("action", "what"),
    [
        (UncordonNode(uid="u", taints=(Taint(key="theirs", effect="NoSchedule"),), **N1), "theirs"),
        (UncordonNode(uid="u", labels=(("pool", "blue"),), **N1), "pool"),
    ],
)
def test_what_is_not_ours_is_not_taken_back(action: UncordonNode, what: str) -> None:
    assert ownership_guard(a_world(an_incident()), wish(action)) == f"{what} on n-1 is not ours to take back"
    ours = UncordonNode(uid="u", uncordon=True, taints=(OURS,), **N1)
    assert ownership_guard(a_world(an_incident()), wish(ours)) is None
    theirs = an_incident(marks=Marks(taints=(OURS,)))
    assert ownership_guard(a_world(theirs), wish(ours)) == "the cordon on n-1 is not ours to take back"


def test_no_pod_is_given_no_time_at_all() -> None:
    world = a_world(an_incident())
    assert grace_guard(world, wish(EvictPods(pods=(order(0),), **N1))) is not None
    assert grace_guard(world, wish(DeletePods(pods=(order(0),), **N1))) is not None
    assert grace_guard(world, wish(EvictPods(pods=(order(1), order(None)), **N1))) is None
    off = a_world(an_incident(off_time=5.0, off_state="terminated"))
    assert grace_guard(off, wish(DeletePods(pods=(order(0),), **N1))) is None


def test_no_budget_is_passed_before_the_last_moment() -> None:
    guard, delete = budget_guard(POLICY), wish(DeletePods(pods=(order(),), **N1))
    assert guard(a_world(an_incident(), time=69.0), delete) is not None
    assert guard(a_world(an_incident(), time=70.0), delete) is None
    advised = an_incident(cause=Cause.REBALANCE)
    assert guard(a_world(advised, time=119.0), delete) is not None


def test_no_pod_that_stops_is_cut_short_before_all_must_have_stopped() -> None:
    guard, delete = budget_guard(POLICY), wish(DeletePods(pods=(order(1),), **N1))
    assert guard(a_world(an_incident(), time=99.0, leaving=500.0), delete) is not None
    assert guard(a_world(an_incident(), time=100.0, leaving=500.0), delete) is None


def test_no_more_are_emptied_at_once_than_may_be() -> None:
    guard = crowd_guard(replace(POLICY, voluntary_drains_at_once_max=1))
    evict = wish(EvictPods(pods=(order(),), **N1))
    one, other = an_incident(cause=Cause.SWAP), an_incident(2, cause=Cause.SWAP)
    assert guard(a_world(one), evict) is None
    assert guard(a_world(one, other), evict) == "2 nodes are being emptied; the limit is 1"
    assert guard(a_world(an_incident(), other, an_incident(3, cause=Cause.SWAP)), evict) is None


def test_nothing_is_called_off_that_may_still_run() -> None:
    mark, delete = wish(MarkOutOfService(uid="u", **N1)), wish(DeleteNode(uid="u", **N1))
    running, stopped = a_world(an_incident()), a_world(an_incident(off_time=5.0, off_state="stopped"))
    terminated = a_world(an_incident(off_time=5.0, off_state="terminated"))
    assert off_guard(running, mark) == "EC2 has not said that the machine of n-1 is off"
    assert off_guard(stopped, mark) is None
    assert off_guard(stopped, delete) == "the machine of n-1 is stopped and may come back"
    assert off_guard(terminated, delete) is None


def test_no_hook_is_completed_while_anything_is_left() -> None:
    duty = HookDuty(group="web", hook="drain", token="t", heard_time=0.0, beat_time=0.0)
    complete = wish(
        CompleteLifecycle(region="us-east-1", group="web", instance_id="i-1", key="k", hook="drain", token="t")
    )
    guard = hook_guard(POLICY)
    waiting = an_incident(hooks=(duty,))
    assert guard(a_world(waiting), complete) == "n-1 is not ready for its hook drain to be completed"
    assert guard(a_world(replace(waiting, drained_time=9.0)), complete) is None
