"""What nothing forces: advice, scheduled maintenance, and nodes that we replace ourselves."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from rpds import HashTrieMap

from spotward.model.cloud import Group, LaunchSource, Lifecycle, Member
from spotward.model.event import MaintenanceEnded, MaintenanceScheduled, Woken
from spotward.model.incident import Cause
from spotward.model.node_action import EvictPods, UncordonNode
from spotward.model.undertaking import Clone, CloneState, Emptying, Old, Swap, SwapCause
from spotward.nodes.policy import NodesPolicy, Response
from tests.nodes.stage import Stage
from tests.nodes.toy_cluster import CLUSTER, REGION, a_budget, a_cluster, a_pod

POLICY = NodesPolicy(cluster=CLUSTER)
WEB = f"{REGION}/web"


def a_swap(*clones: str, going: tuple[str, ...] = ("i-1",), cause: SwapCause = SwapCause.REBALANCE) -> Swap:
    """Of i-1 and i-2, of which its group can do without those that are going."""
    return Swap(
        key="swap web",
        region=REGION,
        group="web",
        cause=cause,
        born=10.0,
        olds=tuple(Old(id=i, instance_type="m5.large", az="us-east-1a") for i in ("i-1", "i-2")),
        emptying=tuple(Emptying(id=i, since=10.0) for i in going),
        launch_source=LaunchSource(template_id="lt-1", template_version="1"),
        instance_type="m5.large",
        offers=(),
        launches=(),
        clones=tuple(
            Clone(
                id=i,
                launch="l",
                instance_type="m6i.large",
                az="us-east-1a",
                lifecycle=Lifecycle.SPOT,
                state=CloneState.SERVING,
                since=0.0,
            )
            for i in clones
        ),
        desired_seen=1,
        look_time=1e9,
    )


def with_swap(stage: Stage, swap: Swap, *, state: Callable[[str], str] = lambda _: "InService") -> None:
    """The room of groups has a swap under way."""
    ids = (*(old.id for old in swap.olds), *(clone.id for clone in swap.clones))
    members = tuple(
        Member(instance_id=i, instance_type="m5.large", az="us-east-1a", lifecycle_state=state(i)) for i in ids
    )
    group = Group(region=REGION, name="web", min_size=0, max_size=9, desired=1, azs=("us-east-1a",), members=members)
    stage.world = replace(
        stage.world.with_undertaking(swap),
        group_of=HashTrieMap(dict.fromkeys(ids, WEB)),
        groups=HashTrieMap({WEB: group}),
    )


def is_cordoned(stage: Stage) -> bool:
    return stage.cluster.nodes["n-1"].unschedulable


# ---- advice --------------------------------------------------------------------------------------------------------


def test_on_advice_nothing_is_evicted_before_a_successor_is_ready() -> None:
    cluster = a_cluster(a_pod("web-1"), nodes=3)
    stage = Stage(cluster, alone=True).advise("i-1", 10.0)
    stage.at(12.0, lambda: with_swap(stage, a_swap("i-3", going=())))
    stage.play(until=100.0)
    assert cluster.nodes["n-1"].unschedulable
    assert not stage.of(EvictPods)
    assert stage.incident().replacement == "wanted"
    stage.at(101.0, lambda: with_swap(stage, a_swap("i-3")))
    stage.at(102.0, lambda: stage.step(Woken(time=102.0, subject=WEB)))
    stage.play(until=130.0)
    assert stage.incident().drained
    assert stage.incident().replacement == "ready"


def test_that_its_group_keeps_an_advised_node_after_all_stops_its_drain() -> None:
    cluster = a_cluster(a_pod("web-1"), nodes=3, budgets=(a_budget("web", max_unavailable="0"),))
    stage = Stage(cluster, alone=True).advise("i-1", 10.0)
    stage.at(12.0, lambda: with_swap(stage, a_swap("i-3")))
    stage.at(13.0, lambda: stage.step(Woken(time=13.0, subject=WEB)))
    stage.play(until=60.0)
    assert stage.incident().draining
    stage.at(61.0, lambda: with_swap(stage, a_swap("i-3", going=("i-3",))))
    stage.at(62.0, lambda: stage.step(Woken(time=62.0, subject=WEB)))
    stage.play(until=90.0)
    assert not stage.incident().draining
    assert stage.incident().replacement == "wanted"
    assert is_cordoned(stage)
    assert stage.incident("i-3").drained


def test_a_notice_in_between_overrides() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).advise("i-1", 10.0).notice("i-1", 60.0).play(until=80.0)
    assert stage.incident().drained


def test_advice_that_comes_to_nothing_is_taken_back_after_hours() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).advise("i-1", 10.0).play(until=4 * 3600.0)
    assert is_cordoned(stage)
    stage.play(until=4 * 3600.0 + 20.0)
    assert not is_cordoned(stage)
    assert stage.incident().ended == "n-1 stays: nothing followed for 4 h"


def test_that_no_successor_comes_is_said() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).advise("i-1", 10.0).play(until=1300.0)
    assert "no successor of n-1 was ready within 20 min" in stage.words()


@pytest.mark.parametrize("response", [Response.OFF, Response.NOTE, Response.CORDON, Response.DRAIN])
def test_the_setting_says_how_far_advice_goes(response: Response) -> None:
    policy = replace(POLICY, rebalance=response)
    stage = Stage(a_cluster(a_pod("web-1")), policy=policy).advise("i-1", 10.0).play(until=60.0)
    assert stage.cluster.nodes["n-1"].unschedulable == (response in (Response.CORDON, Response.DRAIN))
    assert bool(stage.of(EvictPods)) == (response is Response.DRAIN)
    assert bool(stage.cluster.tidings) == (response is not Response.OFF)


def test_a_storm_of_advice_is_about_the_market_and_is_only_noted() -> None:
    policy = replace(POLICY, rebalance_storm_max=5)
    stage = Stage(a_cluster(nodes=30), policy=policy)
    for n in range(1, 21):
        stage.advise(f"i-{n}", 10.0 + n)
    stage.play(until=100.0)
    assert sum(node.unschedulable for node in stage.cluster.nodes.values()) == 5
    assert "so many nodes are under advice at once that it is only noted" in stage.words()


def test_no_more_nodes_are_emptied_at_once_than_the_limit_and_the_rest_follow() -> None:
    policy = replace(POLICY, rebalance=Response.DRAIN, voluntary_drains_at_once_max=2)
    pods = [a_pod(f"web{n}-1", f"n-{n}", grace_seconds=20.0) for n in range(1, 7)]
    cluster = a_cluster(*pods, nodes=10, stop_seconds=lambda _pod: 20.0)
    most = 0

    def watch(stage: Stage) -> None:
        nonlocal most
        most = max(most, len(stage.world.incidents.voluntary))

    stage = Stage(cluster, policy=policy, after_step=watch)
    for n in range(1, 7):
        stage.advise(f"i-{n}", 10.0)
    stage.play(until=30.0)
    assert "2 nodes being emptied; the limit is 2" in stage.words()
    stage.play(until=300.0)
    assert most == 2
    assert all(stage.incident(f"i-{n}").drained for n in range(1, 7))


# ---- our own replacements ------------------------------------------------------------------------------------------


def test_a_node_that_we_replace_is_emptied_when_its_successor_is_ready_and_its_swap_is_told() -> None:
    cluster = a_cluster(a_pod("web-1"), nodes=3)
    stage = Stage(cluster, alone=True)
    stage.at(5.0, lambda: with_swap(stage, a_swap("i-3", cause=SwapCause.SAVING)))
    stage.at(6.0, lambda: stage.step(Woken(time=6.0, subject=WEB)))
    stage.play(until=40.0)
    incident = stage.incident()
    assert incident.causes == {Cause.SWAP}
    assert incident.drained
    wakes = [wake for _, step in stage.steps for wake in step.wakes if wake.subject == WEB]
    assert wakes


def test_only_the_nodes_that_their_group_can_do_without_are_emptied() -> None:
    cluster = a_cluster(a_pod("web-1"), a_pod("db-1", "n-2"), nodes=4)
    stage = Stage(cluster, alone=True)
    stage.at(5.0, lambda: with_swap(stage, a_swap("i-3", cause=SwapCause.SAVING)))
    stage.at(6.0, lambda: stage.step(Woken(time=6.0, subject=WEB)))
    stage.play(until=40.0)
    assert stage.incident("i-1").drained
    assert stage.world.incidents.get("i-2") is None


def test_when_the_replacement_is_given_up_the_node_is_given_back() -> None:
    cluster = a_cluster(a_pod("web-1"), nodes=3)
    stage = Stage(cluster, alone=True)
    swap = a_swap("i-3", cause=SwapCause.SAVING)
    stage.at(5.0, lambda: with_swap(stage, swap))
    stage.at(6.0, lambda: stage.step(Woken(time=6.0, subject=WEB)))
    stage.play(until=40.0)
    stage.at(41.0, lambda: with_swap(stage, replace(swap, ended="given up", ended_time=41.0)))
    stage.at(42.0, lambda: stage.step(Woken(time=42.0, subject="i-1")))
    stage.play(until=60.0)
    assert not cluster.nodes["n-1"].unschedulable
    assert stage.incident().ended == "n-1 stays: its replacement was given up"


def test_a_node_that_was_emptied_and_is_leaving_its_group_is_not_given_back() -> None:
    cluster = a_cluster(a_pod("web-1"), nodes=3)
    stage = Stage(cluster, alone=True)
    swap = a_swap("i-3", cause=SwapCause.SAVING)
    stage.at(5.0, lambda: with_swap(stage, swap))
    stage.at(6.0, lambda: stage.step(Woken(time=6.0, subject=WEB)))
    stage.play(until=40.0)
    done = replace(swap, ended="1 of 1 replaced", ended_time=41.0)
    stage.at(41.0, lambda: with_swap(stage, done, state=lambda i: "Terminating" if i == "i-1" else "InService"))
    stage.at(42.0, lambda: stage.step(Woken(time=42.0, subject="i-1")))
    stage.play(until=60.0)
    assert is_cordoned(stage)
    assert stage.world.incidents.get("i-1") is not None
    stage.gone("i-1", 90.0).play(until=200.0)
    assert stage.world.incidents.get("i-1") is None


# ---- maintenance ---------------------------------------------------------------------------------------------------

DAY = 86_400.0


def maintenance(time: float = 10.0, start: float = 14 * DAY, event_id: str = "e-1") -> MaintenanceScheduled:
    return MaintenanceScheduled(
        time=time, region=REGION, instance_id="i-1", event_id=event_id, code="system-reboot", start_time=start
    )


def test_maintenance_two_weeks_away_touches_nothing_until_an_hour_before() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).hear(maintenance()).play(until=14 * DAY - 3601.0)
    assert stage.deeds == []
    assert "its pods are moved from 1970-01-14 23:00:00Z on" in stage.cluster.tidings[0]
    stage.play(until=14 * DAY - 3500.0)
    assert stage.incident().drained


def test_a_restart_does_not_forget_maintenance_that_is_days_away() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).hear(maintenance())
    stage.at(7 * DAY, stage.restart)
    stage.play(until=14 * DAY - 3500.0)
    assert stage.incident().drained


def test_maintenance_that_is_cancelled_is_undone_whichever_source_told_of_it() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).hear(
        maintenance(start=1000.0), maintenance(time=11.0, start=1000.0, event_id="arn:aws:health:1")
    )
    stage.play(until=100.0)
    assert stage.incident().drained
    stage.hear(MaintenanceEnded(time=110.0, region=REGION, instance_id="i-1", event_id="e-1", outcome="canceled"))
    stage.play(until=130.0)
    assert stage.incident().ended == "n-1 stays: the maintenance is canceled"
    assert not stage.cluster.nodes["n-1"].unschedulable


def test_when_the_reboot_is_over_the_node_is_given_back() -> None:
    cluster = a_cluster(a_pod("web-1"))
    stage = Stage(cluster).hear(maintenance(start=500.0)).play(until=100.0)
    assert stage.incident().drained

    def rebooted() -> None:
        cluster.nodes["n-1"] = replace(cluster.nodes["n-1"], boot_id="boot-2")

    stage.at(520.0, rebooted)
    stage.play(until=540.0)
    assert not is_cordoned(stage)
    assert len(stage.of(UncordonNode)) == 1
    stage.play(until=500.0 + 1800.0)
    assert stage.incident().ended == "n-1 stays: the machine was started again"


def reboot(stage: Stage, time: float) -> None:
    nodes = stage.cluster.nodes
    stage.at(time, lambda: nodes.update({"n-1": replace(nodes["n-1"], boot_id=f"boot-at-{time}")}))


def test_what_is_still_announced_after_the_reboot_empties_nothing_again() -> None:
    """The metadata service lists maintenance for a while after it is done; an agent that starts hears of it anew."""
    stage = Stage(a_cluster(a_pod("web-1"))).hear(maintenance(start=500.0))
    reboot(stage, 520.0)
    stage.at(521.0, stage.restart)
    stage.hear(maintenance(time=525.0, start=500.0)).play(until=1000.0)
    assert not is_cordoned(stage)
    assert len(stage.of(EvictPods)) == 1
    assert stage.words().count("n-1 stays: the machine was started again") == 1
    over = MaintenanceEnded(time=1100.0, region=REGION, instance_id="i-1", event_id="e-1", outcome="completed")
    stage.hear(over).play(until=1200.0)
    assert stage.world.incidents.get("i-1") is None


def test_a_reboot_of_the_owners_days_ahead_does_not_end_the_maintenance() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).hear(maintenance(start=90_000.0))
    reboot(stage, 1000.0)
    stage.play(until=89_000.0)
    assert is_cordoned(stage)


def test_a_notice_after_the_reboot_empties_the_node_like_any_other() -> None:
    cluster = a_cluster(a_pod("web-1"))
    stage = Stage(cluster).hear(maintenance(start=500.0))
    reboot(stage, 520.0)
    stage.at(600.0, lambda: cluster.pods.update({"uid-web-9": a_pod("web-9")}))
    stage.notice("i-1", 700.0, takes=False).play(until=760.0)
    assert is_cordoned(stage)
    assert [order.name for _, _, order in cluster.orders] == ["web-1", "web-9"]
    assert stage.incident().drained
    assert [line.split()[0] for line in cluster.tidings][-3:] == ["SpotInterruption", "PreDrain", "CordonAndDrain"]


def test_maintenance_that_is_moved_is_planned_anew() -> None:
    stage = Stage(a_cluster(a_pod("web-1"))).hear(maintenance(start=7200.0), maintenance(time=100.0, start=20_000.0))
    stage.play(until=10_000.0)
    assert stage.deeds == []
    stage.play(until=16_500.0)
    assert stage.incident().drained


def test_a_node_that_its_owner_had_cordoned_stays_cordoned_after_the_reboot() -> None:
    cluster = a_cluster(a_pod("web-1"))
    cluster.nodes["n-1"] = replace(cluster.nodes["n-1"], unschedulable=True)
    stage = Stage(cluster).hear(maintenance(start=500.0)).play(until=100.0)
    stage.at(520.0, lambda: cluster.nodes.update({"n-1": replace(cluster.nodes["n-1"], boot_id="boot-2")}))
    stage.play(until=540.0)
    assert cluster.nodes["n-1"].unschedulable
