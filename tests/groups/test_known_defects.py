"""What other tools of this trade are known to do wrong, held against our decisions.

Each test's sentence is what must hold here; the letter and number name the defect of AutoSpotting that it keeps out.
Those of the market and the wire are kept out where these live: a type that a zone does not have (B14) in
tests/market/test_recommend.py, the price of another product (B15) in tests/aws/test_prices.py, a volume without type or
size (B5) and an ARN of another partition (B23) in tests/aws/test_launch_data.py, regions that nobody named (B18) in
tests/engine/test_live.py, and success that is told where nothing was done (B3, B17) in tests/journey/test_troubles.py.
"""

from dataclasses import replace

import pytest

from spotward.groups.policy import GroupPolicy, GroupsPolicy
from spotward.model.action import (
    AttachInstances,
    LaunchFleet,
    RecommendPools,
    ResumeProcesses,
    RetireMember,
    SetMaxSize,
    SuspendProcesses,
    TerminateInstances,
)
from spotward.model.cloud import Lifecycle, Pool
from spotward.model.event import InstanceFound, InstanceLaunched, InterruptionNoticed, RebalanceAdvised
from tests.groups.stage import Stage
from tests.groups.toy_cloud import AZS, REGION, ToyCloud

ON_DEMAND, SPOT = Lifecycle.ON_DEMAND, Lifecycle.SPOT
OPTED_IN = {"spotward:enabled": "true"}
LONG = 3600.0


def a_cloud(
    members: int = 3,
    *,
    lifecycle: Lifecycle = ON_DEMAND,
    tags: dict[str, str] | None = None,
    max_size: int | None = None,
) -> ToyCloud:
    cloud = ToyCloud(boot_seconds=lambda: 20.0, service_seconds=lambda: 10.0)
    kind = "c5.large" if lifecycle is SPOT else "m5.large"
    cloud.set_up(
        "web",
        members=[(kind, AZS[n % len(AZS)], lifecycle) for n in range(members)],
        tags=OPTED_IN if tags is None else tags,
        max_size=2 * members if max_size is None else max_size,
    )
    return cloud


def deeds(stage: Stage) -> list[str]:
    return [asked.action.kind for _, asked in stage.asked if asked.action.mutates]


def lifecycles(cloud: ToyCloud) -> list[Lifecycle]:
    """Of the members that stay."""
    members = cloud.groups["web"].members.values()
    return [cloud.instances[m.instance_id].lifecycle for m in members if not m.leaving]


@pytest.mark.parametrize("tags", [{}, {"spotward:enabled": "false"}, {"spot-enabled": "true"}, {"Name": "spotward"}])
def test_news_of_a_group_that_did_not_opt_in_leads_to_no_deed_even_when_heard_first(tags: dict[str, str]) -> None:
    """B1, B2: a fresh process handled events of every group."""
    cloud = a_cloud(lifecycle=SPOT, tags=tags)
    stage = Stage(cloud)
    victim, other, third = cloud.groups["web"].members
    stage.hear(InterruptionNoticed(time=1.0, region=REGION, instance_id=victim, deadline=121.0))
    stage.hear(RebalanceAdvised(time=1.0, region=REGION, instance_id=other))
    stage.hear(InstanceLaunched(time=1.0, region=REGION, instance_id=third, group="web"))
    stage.play(until=LONG, from_time=60.0)
    assert not deeds(stage)


def test_autospottings_tag_opts_in_only_where_its_compatibility_is_on() -> None:
    """B2: the default filter depended on the path that was taken."""
    cloud = a_cloud(tags={"spot-enabled": "true"})
    assert "launch-fleet" in deeds(Stage(cloud, policy=GroupsPolicy(compat_autospotting=True)).play(until=LONG))


def test_a_swap_whose_group_is_deleted_leaves_nothing_behind() -> None:
    """B4: an orphan whose target had vanished was picked again for ever, and never removed."""
    cloud = a_cloud()
    stage = Stage(cloud)
    stage.at(15.0, lambda: cloud.owner_deletes("web"))
    stage.play(until=LONG)
    left = [i for i in cloud.instances.values() if i.launched_for and i.state in ("pending", "running")]
    assert not left
    assert not stage.world.swaps


def test_processes_rest_only_while_a_swap_is_open_and_the_owners_own_stay_suspended() -> None:
    """B6, B7: processes stayed suspended for a cron interval, and all were resumed whoever had suspended them."""
    cloud = a_cloud(6, max_size=6)
    group = cloud.groups["web"]
    group.about = replace(group.about, suspended=frozenset({"AlarmNotification"}))
    stage = Stage(cloud).play(until=LONG)
    suspended = [a.action.processes for _, a in stage.asked if isinstance(a.action, SuspendProcesses)]
    resumed = [a.action.processes for _, a in stage.asked if isinstance(a.action, ResumeProcesses)]
    assert suspended
    assert all(processes == ("AZRebalance",) for processes in suspended + resumed)
    assert cloud.groups["web"].about.suspended == {"AlarmNotification"}


@pytest.mark.parametrize("moment", [0.7, 1.5, 25.0, 31.0, 42.0, 43.0, 70.0])
def test_a_crash_leaves_desired_and_max_as_their_owner_set_them(moment: float) -> None:
    """B8: a crash between attach and terminate left both one too large for ever."""
    cloud = a_cloud(4, max_size=4)
    stage = Stage(cloud, seed=3)
    stage.at(moment, stage.restart)
    stage.play(until=LONG)
    about = cloud.groups["web"].about
    assert (about.desired, about.max_size) == (4, 4)
    assert lifecycles(cloud) == [SPOT] * 4


def test_a_max_size_that_its_owner_changed_meanwhile_is_the_owners() -> None:
    """B8: restoring the max size overwrote what the user had set in between."""
    cloud = a_cloud(4, max_size=4)
    stage = Stage(cloud)
    stage.at(24.0, lambda: cloud.owner_sets("web", max_size=9))
    stage.play(until=LONG)
    assert cloud.groups["web"].about.max_size == 9


def test_a_group_that_grows_between_launch_and_attach_still_gets_its_new_members() -> None:
    """B9: sizes read minutes before use made the attach fail, and the new instance was thrown away."""
    cloud = a_cloud(4, max_size=6)
    stage = Stage(cloud)
    stage.at(10.0, lambda: cloud.owner_sets("web", desired=6))
    stage.play(until=LONG)
    assert lifecycles(cloud) == [SPOT] * 6
    assert cloud.groups["web"].about.desired == 6


def test_a_base_larger_than_the_group_keeps_every_member_on_demand() -> None:
    """B10: a minimum above the number of instances was dropped to none."""
    cloud = a_cloud(1, tags=OPTED_IN | {"spotward:on-demand-base": "2"})
    stage = Stage(cloud).play(until=LONG)
    assert not deeds(stage)


def test_a_tag_of_one_group_says_nothing_about_another() -> None:
    """B11: the tag of one group changed the setting of all."""
    cloud = a_cloud(2, tags=OPTED_IN | {"spotward:denied-types": "c5.* m5a.*", "spotward:on-demand-percentage": "50"})
    cloud.set_up("api", members=[("m5.large", AZS[0], ON_DEMAND)] * 2, tags=OPTED_IN, max_size=4)
    stage = Stage(cloud).play(until=LONG)
    questions = {a.action.group: a.action for _, a in stage.asked if isinstance(a.action, RecommendPools)}
    assert questions["web"].denied_types == ("c5.*", "m5a.*")
    assert questions["api"].denied_types == ()
    assert sorted(lifecycles(cloud)) == sorted([ON_DEMAND, SPOT])


def test_a_fleet_that_gave_nothing_is_tried_again_elsewhere_and_its_pools_rest() -> None:
    """B16: a failed fleet was forgotten: no other pool, no retry, no word."""
    cloud = a_cloud(1)
    cloud.dry = {Pool(instance_type=t, az=AZS[0]): "InsufficientInstanceCapacity" for t in ("c5.large", "m5a.large")}
    stage = Stage(cloud).play(until=LONG)
    assert lifecycles(cloud) == [SPOT]
    assert {(REGION, pool) for pool in cloud.dry} <= set(dict(stage.world.pools.items()))


def test_no_capacity_anywhere_leaves_the_group_alone_with_a_reason_and_a_growing_pause() -> None:
    """B16, B17: errors were swallowed."""
    cloud = a_cloud(3)
    cloud.dry = {Pool(instance_type=t, az=z): "InsufficientInstanceCapacity" for t, _ in cloud.offers for z in AZS}
    stage = Stage(cloud).play(until=4 * LONG)
    assert lifecycles(cloud) == [ON_DEMAND] * 3
    assert "InsufficientInstanceCapacity" in stage.world.verdicts["us-east-1/web"]
    launches = [time for time, a in stage.asked if isinstance(a.action, LaunchFleet)]
    per_hour = [sum(n * LONG <= time < (n + 1) * LONG for time in launches) for n in range(4)]
    assert per_hour[-1] < per_hour[0]
    assert not stage.world.swaps


def test_advice_moves_each_member_once_and_never_more_at_once_than_the_surge() -> None:
    """B19: a storm of advice replaced many at once, and left the replaced ones behind, to be attached again."""
    cloud = a_cloud(9, lifecycle=SPOT)
    stage = Stage(cloud)
    for instance_id in list(cloud.groups["web"].members):
        stage.hear(RebalanceAdvised(time=5.0, region=REGION, instance_id=instance_id))
    stage.play(until=LONG)
    rebalancing = [swap for swap in stage.ended if swap.cause == "rebalance"]
    assert rebalancing
    assert max(len(swap.olds) for swap in rebalancing) <= 4
    retired = [a.action.instance_id for _, a in stage.asked if isinstance(a.action, RetireMember)]
    assert len(retired) == len(set(retired))
    assert cloud.groups["web"].about.desired == 9


def test_a_tag_set_later_is_acted_on_without_any_event() -> None:
    """B20: only new launches were looked at; a changed tag or filter changed nothing."""
    cloud = a_cloud(2, tags={})
    stage = Stage(cloud)
    stage.at(300.0, lambda: cloud.owner_tags("web", **OPTED_IN))
    stage.play(until=LONG)
    assert lifecycles(cloud) == [SPOT] * 2


def test_a_new_member_with_slow_software_is_waited_for() -> None:
    """B21: what was not in service half a minute after the attach was terminated."""
    cloud = a_cloud(1)
    cloud.service_seconds = lambda: 600.0
    stage = Stage(cloud).play(until=LONG)
    assert lifecycles(cloud) == [SPOT]
    assert len([a for _, a in stage.asked if isinstance(a.action, LaunchFleet)]) == 1


def test_a_new_member_that_never_comes_into_service_goes_and_the_old_one_stays() -> None:
    """B21, the other side: waiting has an end, and the group is as it was."""
    cloud = a_cloud(2)
    cloud.dead_on_arrival = True
    first_end: list[tuple[list[Lifecycle], int]] = []

    def look(stage: Stage) -> None:
        if stage.ended and not first_end:
            first_end.append((lifecycles(cloud), cloud.groups["web"].about.desired))

    stage = Stage(cloud, after_step=look).play(until=3 * LONG)
    assert first_end == [([ON_DEMAND] * 2, 2)]
    pause = stage.world.pauses["us-east-1/web"]
    assert pause.failures == len([swap for swap in stage.ended if swap.cause == "saving"])
    retired = {a.action.instance_id for _, a in stage.asked if isinstance(a.action, RetireMember)}
    assert all(cloud.instances[i].launched_for for i in retired)


def test_an_instance_that_ec2_no_longer_knows_is_said_to_be_gone_and_nothing_breaks() -> None:
    """B22: a look-up that found nothing ended the program."""
    stage = Stage(a_cloud(lifecycle=SPOT))
    gone = InstanceFound(time=2.0, key="find i-404", region=REGION, instance_id="i-404", instance=None)
    stage.hear(InterruptionNoticed(time=1.0, region=REGION, instance_id="i-404", deadline=121.0))
    stage.hear(gone)
    stage.play(until=120.0)
    pages = [step.page for _, step in stage.steps if step.page]
    said = [note.text for page in pages for note in page.notes] + [r.reason for page in pages for r in page.refusals]
    assert any("does not know it" in text for text in said)


def test_one_notice_delivered_three_times_is_one_successor() -> None:
    """A notice may come several times, and from several queues."""
    cloud = a_cloud(3, lifecycle=SPOT)
    stage = Stage(cloud)
    stage.play(until=30.0)
    stage.notice(next(iter(cloud.groups["web"].members)), 40.0, times=3)
    stage.play(until=LONG, from_time=60.0)
    assert sum(a.action.count for _, a in stage.asked if isinstance(a.action, LaunchFleet)) == 1


def test_the_successor_serves_before_the_doomed_member_leaves() -> None:
    """The group never falls below what its owner asked for, although EC2 takes a member."""
    cloud = a_cloud(3, lifecycle=SPOT)
    lowest: list[int] = []
    stage = Stage(cloud, after_step=lambda _: lowest.append(cloud.serving(cloud.groups["web"])))
    stage.play(until=30.0)
    stage.notice(next(iter(cloud.groups["web"].members)), 40.0)
    stage.play(until=LONG, from_time=60.0)
    assert min(lowest) == 3


def test_with_no_spot_anywhere_the_successor_is_on_demand() -> None:
    """Capacity first, money second."""
    cloud = a_cloud(3, lifecycle=SPOT)
    cloud.dry = {Pool(instance_type=t, az=z): "InsufficientInstanceCapacity" for t, _ in cloud.offers for z in AZS}
    stage = Stage(cloud)
    stage.play(until=30.0)
    stage.notice(next(iter(cloud.groups["web"].members)), 40.0)
    stage.play(until=160.0, from_time=60.0)
    assert sorted(lifecycles(cloud)) == sorted([ON_DEMAND, SPOT, SPOT])
    assert cloud.groups["web"].about.desired == 3


def test_one_attach_and_one_fleet_a_zone_serve_a_whole_batch() -> None:
    """Twenty members cost a few calls besides the twenty that terminate; others need three times the group's size."""
    cloud = a_cloud(20)
    stage = Stage(cloud).play(until=LONG)
    assert lifecycles(cloud) == [SPOT] * 20
    kinds = deeds(stage)
    assert kinds.count("retire-member") == 20
    assert kinds.count("launch-fleet") <= 9
    assert kinds.count("attach-instances") <= 4


def test_at_full_surge_a_group_of_any_size_is_one_batch() -> None:
    """All at once, where its owner wants it."""
    cloud = a_cloud(12)
    policy = GroupsPolicy(defaults=GroupPolicy(surge_percentage=100))
    stage = Stage(cloud, policy=policy).play(until=LONG)
    assert len(stage.ended) == 1
    assert lifecycles(cloud) == [SPOT] * 12


def test_no_deed_names_anything_but_its_own_group() -> None:
    """What is attached, retired or terminated belongs to the swap that asked."""
    cloud = a_cloud(4)
    before = set(cloud.groups["web"].members)
    stage = Stage(cloud).play(until=LONG)
    made = {i.id for i in cloud.instances.values() if i.launched_for}
    for _, asked in stage.asked:
        match asked.action:
            case AttachInstances() | TerminateInstances():
                assert set(asked.action.instance_ids) <= made
            case RetireMember():
                assert asked.action.instance_id in before
            case SetMaxSize():
                assert asked.action.group == "web"
            case _:
                pass
