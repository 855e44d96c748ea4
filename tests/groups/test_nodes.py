"""Members that are Kubernetes nodes: replaced like any other, and emptied before they go."""

from dataclasses import replace

import pytest

from spotward.groups.policy import GroupsPolicy
from spotward.model.action import AttachInstances, LaunchFleet, RetireMember
from spotward.model.cloud import Lifecycle, LifecycleHook
from spotward.model.node_action import CordonNode, EvictPods
from spotward.model.order import Ordered, SwapReason, SwapWanted
from spotward.nodes.policy import NodesPolicy, Response
from tests.groups.nodes_on_instances import NodeStage, a_group_of_nodes
from tests.groups.stage import Stage as GroupsStage
from tests.groups.toy_cloud import AZS, REGION, ToyCloud
from tests.nodes.toy_cluster import CLUSTER, a_budget, a_pod

SPOT = Lifecycle.SPOT


# ---- the saving ----------------------------------------------------------------------------------------------------


def test_a_node_on_demand_becomes_spot_and_is_emptied_before_it_goes() -> None:
    stage = NodeStage(a_group_of_nodes(a_pod("web-1"), a_pod("web-2"), size=1)).observed(until=300.0)
    assert list(stage.members().values()) == ["spot"]
    assert stage.faults() == []
    joined, cordoned = stage.when(AttachInstances)[0], stage.when(CordonNode)[0]
    emptied, left = stage.when(EvictPods)[0], stage.when(RetireMember)[0]
    assert joined < cordoned < emptied < left
    assert [name for name, _ in stage.cluster.ends] == ["web-1", "web-2"]


def test_both_nodes_of_a_group_move_one_after_the_other_and_it_never_serves_less_than_is_wanted() -> None:
    stage = NodeStage(a_group_of_nodes(a_pod("web-1"), a_pod("db-1", "n-2"))).observed(until=900.0)
    assert list(stage.members().values()) == ["spot", "spot"]
    assert stage.faults() == []


def test_a_new_node_that_is_never_ready_is_given_up_and_the_old_one_keeps_its_pods() -> None:
    cluster = a_group_of_nodes(a_pod("web-1"), size=1, never_ready={"*"})
    stage = NodeStage(cluster).observed(until=1100.0)
    assert list(stage.members()) == ["i-1"]
    assert cluster.ends == []
    assert not cluster.nodes["n-1"].unschedulable
    assert "i-101 did not become a ready node within 15 min" in stage.world.verdicts["us-east-1/web"]


def test_a_drain_takes_as_long_as_it_takes_and_the_ready_successor_waits() -> None:
    cluster = a_group_of_nodes(a_pod("batch-1", grace_seconds=3000.0), size=1, stop_seconds=lambda _pod: 2400.0)
    stage = NodeStage(cluster).observed(until=1800.0)
    assert sorted(stage.members()) == ["i-1", "i-101"]
    looks = stage.looks()
    stage.observed(until=2400.0)
    assert stage.looks() == looks, "what is waited for is the cluster's business: AWS is not asked"
    stage.observed(until=3000.0)
    assert list(stage.members()) == ["i-101"]
    assert stage.faults() == []


def test_a_node_whose_budget_never_opens_stays_and_its_successor_leaves_instead() -> None:
    cluster = a_group_of_nodes(a_pod("web-1"), size=1, budgets=(a_budget("web", max_unavailable="0"),))
    stage = NodeStage(cluster, groups=GroupsPolicy(drain_limit_seconds=600.0, cluster_awaited=True))
    stage.observed(until=600.0)
    assert sorted(stage.members()) == ["i-1", "i-101"]
    stage.observed(until=900.0)
    assert list(stage.members()) == ["i-1"]
    assert not cluster.nodes["n-1"].unschedulable
    assert cluster.ends == []
    assert stage.faults() == []
    said = stage.world.verdicts["us-east-1/web"]
    assert "i-1 could not be emptied within 10 min, so it stays: default/web-1: its budget default/web" in said


def test_who_took_pods_meanwhile_is_emptied_too_before_it_leaves_instead() -> None:
    """The successor has pods by then that another node sent to it."""
    cluster = a_group_of_nodes(a_pod("web-1"), a_pod("free-1"), size=1, budgets=(a_budget("web", max_unavailable="0"),))
    stage = NodeStage(cluster, groups=GroupsPolicy(drain_limit_seconds=600.0, cluster_awaited=True))
    stage.observed(until=900.0)
    assert list(stage.members()) == ["i-1"]
    assert [name for name, _ in cluster.ends] == ["free-1", "free-made1"]
    assert stage.faults() == []


def test_an_owner_who_protects_the_old_node_in_the_middle_gets_it_back() -> None:
    cluster = a_group_of_nodes(a_pod("slow-1", grace_seconds=900.0), size=1, stop_seconds=lambda _pod: 300.0)
    stage = NodeStage(cluster)
    stage.at(100.0, lambda: stage.cloud.owner_marks("web", "i-1", protected=True))
    stage.observed(until=900.0)
    assert list(stage.members()) == ["i-1"]
    assert not cluster.nodes["n-1"].unschedulable
    assert stage.cluster.killed == []


def test_a_swap_of_nodes_costs_no_more_calls_than_any_other() -> None:
    plain = a_group_of_nodes(size=20, tagged=False)
    plain.nodes.clear()
    plain.join_seconds = 1e9
    without = NodeStage(plain, groups=GroupsPolicy()).observed(until=1200.0)
    pods = [a_pod(f"web-{n}", f"n-{n}") for n in range(1, 21)]
    nodes = NodeStage(a_group_of_nodes(*pods, size=20)).observed(until=1200.0)
    assert [list(s.members().values()) for s in (without, nodes)] == [["spot"] * 20] * 2
    assert nodes.faults() == []
    assert nodes.calls() <= without.calls() + 3, (nodes.calls(), without.calls())


# ---- what cannot be seen -------------------------------------------------------------------------------------------


def test_nothing_begins_before_the_cluster_was_seen() -> None:
    cluster = a_group_of_nodes(a_pod("web-1"), tagged=False)
    stage = NodeStage(cluster)
    stage.silent = True
    stage.silence(595.0, 5.0)
    stage.observed(until=590.0)
    assert stage.deeds == []
    said = stage.world.verdicts["nodes in us-east-1/web"]
    assert said == "2 members left alone: is or may be a node of the Kubernetes cluster, which was not seen yet"
    stage.observed(until=1500.0)
    assert list(stage.members().values()) == ["spot", "spot"]
    assert stage.faults() == []


@pytest.mark.parametrize("tagged", [True, False])
@pytest.mark.parametrize("begins", [10.0, 55.0, 66.0, 75.0, 90.0])
def test_a_cluster_that_is_away_for_a_while_costs_no_pod(begins: float, tagged: bool) -> None:
    stage = NodeStage(a_group_of_nodes(a_pod("web-1"), a_pod("db-1", "n-2"), tagged=tagged))
    stage.silence(begins, 1200.0)
    stage.observed(until=1200.0)
    assert stage.faults() == []
    stage.observed(until=2700.0)
    assert stage.faults() == []
    assert list(stage.members().values()) == ["spot", "spot"]


@pytest.mark.parametrize("killed", [30.0, 60.0, 70.0, 72.0, 75.0, 80.0])
def test_killed_in_the_middle_and_back_before_the_cluster_is_seen_it_takes_no_pod_along(killed: float) -> None:
    cluster = a_group_of_nodes(a_pod("web-1", grace_seconds=60.0), size=1, stop_seconds=lambda _pod: 50.0)
    stage = NodeStage(cluster)

    def die() -> None:
        stage.silent = True
        stage.restart()

    stage.at(killed, die)
    stage.silence(killed + 400.0, 0.5)
    stage.observed(until=killed + 390.0)
    assert stage.faults() == []
    stage.observed(until=1200.0)
    assert stage.faults() == []
    assert list(stage.members().values()) == ["spot"]


def test_without_a_cluster_to_look_after_tagged_nodes_are_left_alone_and_it_is_said() -> None:
    stage = NodeStage(a_group_of_nodes(), groups=GroupsPolicy(), nodes=NodesPolicy())
    stage.silent = True
    stage.observed(until=300.0)
    assert stage.deeds == []
    said = stage.world.verdicts["nodes in us-east-1/web"]
    assert "is a node of the Kubernetes cluster prod: its pods must be drained first, and no cluster is looked" in said


def test_a_member_that_has_not_joined_yet_is_left_alone_until_it_has() -> None:
    cluster = a_group_of_nodes(a_pod("web-1"), join_seconds=200.0)
    del cluster.nodes["n-2"]
    stage = NodeStage(cluster)
    stage.cloud.instances["i-2"] = replace(stage.cloud.instances["i-2"], launch_time=0.0)
    stage.observed(until=100.0)
    assert stage.world.verdicts.get("nodes in us-east-1/web") in (
        None,
        "1 member left alone: has not joined the Kubernetes cluster yet",
    )
    stage.observed(until=1800.0)
    assert list(stage.members().values()) == ["spot", "spot"]
    assert stage.faults() == []


def test_of_who_is_leaving_it_is_said_that_a_hook_holds_it_and_not_that_its_node_is_gone() -> None:
    cluster = a_group_of_nodes(tags={"spotward:enabled": "true", "spotward:on-demand-base": "2"})
    members, name = cluster.cloud.groups["web"].members, "i-1"
    members[name] = replace(members[name], lifecycle_state="Terminating:Wait")
    cluster.cloud.instances[name] = replace(cluster.cloud.instances[name], state="shutting-down", launch_time=0.0)
    del cluster.nodes["n-1"]
    stage = NodeStage(cluster).observed(until=100.0)
    assert "nodes in us-east-1/web" not in stage.world.verdicts
    held = stage.world.verdicts["hooks of us-east-1/web"]
    assert held == "1 member on the way out still held by a termination hook"
    del members[name]
    stage.observed(until=200.0)
    assert "hooks of us-east-1/web" not in stage.world.verdicts


# ---- termination hooks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "latest"), [(0.0, 140.0), (60.0, 123.0), (1000.0, 93.0)])
def test_software_behind_a_termination_hook_gets_as_much_of_the_two_minutes_as_its_owner_says(
    seconds: float, latest: float
) -> None:
    """The hook waits for 90 s at most; the successor runs after 20 s and would serve after 70."""
    cloud = ToyCloud(boot_seconds=lambda: 20.0, service_seconds=lambda: 45.0)
    group = cloud.set_up("web", members=[("c5.large", AZS[0], SPOT)] * 2, max_size=4)
    hook = LifecycleHook(name="save", transition="autoscaling:EC2_INSTANCE_TERMINATING", heartbeat_timeout_seconds=90)
    group.details = replace(group.details, hooks=(hook,))
    stage = GroupsStage(cloud, policy=GroupsPolicy(hook_seconds=seconds))
    stage.notice("i-1", 60.0)
    stage.play(until=400.0)
    left = [time for time, asked in stage.asked if isinstance(asked.action, RetireMember)]
    assert left
    assert latest - 12.0 <= left[0] <= latest
    assert len(cloud.groups["web"].members) == 2
    ended = [swap.ended or "" for swap in stage.ended]
    assert "1 still held by its termination hook save" in ended[0]


def test_a_member_that_never_joined_is_left_for_a_person_to_look_at() -> None:
    cluster = a_group_of_nodes(a_pod("web-1"), join_seconds=1e9)
    del cluster.nodes["n-2"]
    cluster.join_seconds = 1e9
    stage = NodeStage(cluster).observed(until=120.0)
    assert (
        "1 member left alone: is a node of the Kubernetes cluster prod by its tags, and of the one seen here"
        in (stage.world.verdicts["nodes in us-east-1/web"])
    )


# ---- advice --------------------------------------------------------------------------------------------------------


def test_on_advice_the_replacement_is_ready_before_the_drain() -> None:
    stage = NodeStage(a_group_of_nodes(a_pod("web-1"), size=3, lifecycle=SPOT, kind="c5.large"))
    stage.advise("i-1", 60.0)
    stage.observed(until=400.0)
    assert "i-1" not in stage.members()
    assert len(stage.members()) == 3
    launched, joined = stage.when(LaunchFleet)[0], stage.when(AttachInstances)[0]
    emptied, left = stage.when(EvictPods)[0], stage.when(RetireMember)[0]
    assert launched < joined < emptied < left
    assert stage.when(CordonNode)[0] < joined
    assert stage.faults() == []
    launch = next(a.action for _, a in stage.asked if isinstance(a.action, LaunchFleet))
    assert "c5.large" not in {pool.instance_type for pool in launch.pools if pool.az == "us-east-1a"}


@pytest.mark.parametrize("response", list(Response))
def test_the_settings_of_nodes_say_how_far_advice_goes(response: Response) -> None:
    cluster = a_group_of_nodes(a_pod("web-1"), size=3, lifecycle=SPOT, kind="c5.large")
    stage = NodeStage(cluster, nodes=NodesPolicy(cluster=CLUSTER, rebalance=response))
    stage.advise("i-1", 60.0)
    stage.observed(until=500.0)
    replaced = response in (Response.REPLACE, Response.DRAIN)
    assert ("i-1" not in stage.members()) == replaced
    assert bool(stage.when(LaunchFleet)) == replaced
    cordoned = "n-1" in cluster.nodes and cluster.nodes["n-1"].unschedulable
    assert cordoned == (response is Response.CORDON)
    assert stage.faults() == []
    if not replaced:
        assert "ask for no replacement now (nodes.rebalance)" in stage.world.verdicts["i-1"]


@pytest.mark.parametrize("between", [3.0, 15.0, 40.0, 60.0, 75.0])
def test_a_notice_in_between_overrides_and_doubles_nothing(between: float) -> None:
    cluster = a_group_of_nodes(
        a_pod("web-1", grace_seconds=40.0), size=3, lifecycle=SPOT, kind="c5.large", stop_seconds=lambda _pod: 30.0
    )
    stage = NodeStage(cluster)
    stage.advise("i-1", 60.0)
    stage.interrupt("i-1", 60.0 + between)
    stage.observed(until=600.0)
    assert len(stage.when(LaunchFleet)) == 1
    assert len(stage.members()) == 3
    assert "i-1" not in stage.members()
    assert stage.faults() == []
    assert [name for name, _ in cluster.ends] == ["web-1"]


def test_on_a_notice_the_replacement_starts_at_once_beside_the_drain() -> None:
    cluster = a_group_of_nodes(a_pod("web-1"), size=3, lifecycle=SPOT, kind="c5.large")
    stage = NodeStage(cluster)
    stage.interrupt("i-1", 60.0).observed(until=600.0)
    assert stage.when(EvictPods)[0] < 62.0
    assert stage.when(LaunchFleet)[0] < 66.0
    assert len(stage.members()) == 3
    assert stage.when(RetireMember)[0] < 180.0
    assert stage.faults() == []


def test_a_node_that_is_not_empty_when_its_time_is_over_leaves_with_the_machine() -> None:
    cluster = a_group_of_nodes(
        a_pod("slow-1", grace_seconds=600.0), size=3, lifecycle=SPOT, kind="c5.large", stop_seconds=lambda _pod: 600.0
    )
    stage = NodeStage(cluster)
    stage.interrupt("i-1", 60.0).observed(until=900.0)
    assert len(stage.members()) == 3
    assert stage.faults() == []
    assert not list(stage.world.swaps.by_key)


def test_without_a_better_pool_advice_waits_and_a_notice_does_not() -> None:
    cluster = a_group_of_nodes(a_pod("web-1"), size=3, lifecycle=SPOT, kind="c5.large")
    cluster.cloud.offers = (("c5.large", 0.03),)
    stage = NodeStage(cluster)
    stage.advise("i-1", 60.0)
    stage.observed(until=300.0)
    assert stage.when(LaunchFleet) == []
    assert "no pool is known that is better" in stage.world.verdicts["i-1"]
    stage.interrupt("i-1", 310.0).observed(until=700.0)
    assert sorted(stage.members().values()) == ["on-demand", "spot", "spot"] or len(stage.members()) == 3
    assert stage.faults() == []


def test_much_advice_at_once_does_not_move_a_whole_fleet() -> None:
    pods = [a_pod(f"web{n}-1", f"n-{n}") for n in range(1, 31)]
    cluster = a_group_of_nodes(*pods, size=30, lifecycle=SPOT, kind="c5.large")
    nodes = NodesPolicy(cluster=CLUSTER, rebalance_storm_max=100)
    most = 0

    def watch(stage: object) -> None:
        nonlocal most
        assert isinstance(stage, NodeStage)
        most = max(most, sum(len(swap.olds) for swap in stage.world.swaps.by_key.values()))

    groups = GroupsPolicy(cluster_awaited=True, rebalance_at_once_max=4)
    stage = NodeStage(cluster, nodes=nodes, groups=groups, after_step=watch)
    for n in range(1, 31):
        stage.advise(f"i-{n}", 60.0 + n / 10)
    stage.observed(until=7200.0)
    assert most == 4
    assert stage.faults() == []
    assert set(stage.members()).isdisjoint({f"i-{n}" for n in range(1, 31)})


# ---- what is ordered -------------------------------------------------------------------------------------------------


def _ordered(stage: NodeStage, reason: SwapReason, *, time: float) -> None:
    wanted = SwapWanted(regions=(REGION,), instance_id="i-1", reason=reason, terminate=reason is not SwapReason.NOTICE)
    stage.hear(Ordered(time=time, order="flow.swap", wanted=wanted))


def test_a_node_that_is_replaced_by_order_is_emptied_before_it_goes() -> None:
    cluster = a_group_of_nodes(a_pod("web-1"), size=1, lifecycle=SPOT, kind="m6i.large")
    stage = NodeStage(cluster)
    _ordered(stage, SwapReason.COST, time=5.0)
    stage.observed(until=400.0)
    assert "i-1" not in stage.members()
    assert stage.when(EvictPods)[0] < stage.when(RetireMember)[0]
    assert stage.faults() == []
    assert len(stage.world.orders) == 0


def test_a_node_that_ec2_takes_leaves_its_group_running_and_is_emptied_all_the_same() -> None:
    cluster = a_group_of_nodes(a_pod("web-1"), a_pod("db-1", grace_seconds=60.0), size=1, lifecycle=SPOT)
    stage = NodeStage(cluster).interrupt("i-1", 5.0)
    _ordered(stage, SwapReason.NOTICE, time=5.1)
    stage.observed(until=90.0)
    assert [asked.action.detach for _, asked in stage.asked if isinstance(asked.action, RetireMember)] == [True]
    assert stage.cloud.instances["i-1"].state == "running", "it has its two minutes"
    assert sorted(name for name, _ in cluster.ends) == ["db-1", "web-1"]
    stage.observed(until=600.0)
    assert stage.faults() == []
    assert list(stage.members().values()) == ["spot"]
