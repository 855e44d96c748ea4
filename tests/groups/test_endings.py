"""Every swap ends, every wait has an end, and what is not there is not asked for again and again."""

from dataclasses import replace

import pytest

from spotward.groups.policy import GroupsPolicy
from spotward.model.action import FindInstance, LaunchFleet, ObserveGroup, ObserveInstances, RecommendPools, SetMaxSize
from spotward.model.cloud import GroupDetails, Lifecycle, Pool
from spotward.model.event import InstanceGone, InterruptionNoticed, RebalanceAdvised
from tests.groups.stage import Stage
from tests.groups.toy_cloud import AZS, REGION, NotDone, ToyCloud

ON_DEMAND, SPOT = Lifecycle.ON_DEMAND, Lifecycle.SPOT
LONG = 2 * 3600.0


def a_cloud(*lifecycles: Lifecycle, **about: object) -> ToyCloud:
    cloud = ToyCloud(boot_seconds=lambda: 20.0, service_seconds=lambda: 10.0)
    kinds = {ON_DEMAND: "m5.large", SPOT: "c5.large"}
    cloud.set_up(
        "web",
        members=[(kinds[each], AZS[n % 3], each) for n, each in enumerate(lifecycles)],
        **about,  # type: ignore[arg-type]  # the caller names fields of the value
    )
    return cloud


def asked_for(stage: Stage, kind: type, *, since: float = 0.0) -> int:
    return sum(isinstance(asked.action, kind) for time, asked in stage.asked if time >= since)


@pytest.mark.parametrize("sent", [False, True])
@pytest.mark.parametrize("steps", range(1, 60, 2))
def test_killed_after_any_step_it_all_comes_to_the_same_end(steps: int, *, sent: bool) -> None:
    cloud = a_cloud(ON_DEMAND, ON_DEMAND, ON_DEMAND, max_size=3)

    def kill(stage: Stage) -> None:
        if len(stage.steps) == steps:
            stage.restart(sent=sent)

    stage = Stage(cloud, after_step=kill).play(until=LONG)
    group = cloud.groups["web"]
    assert [cloud.instances[i].lifecycle for i in group.members] == [SPOT] * 3
    assert (group.about.desired, group.about.max_size, group.about.tags) == (3, 3, {"spotward:enabled": "true"})
    assert len(cloud.fleets) == 3
    assert not stage.orphans()
    assert not cloud.faults


def test_a_group_that_is_gone_after_a_restart_ends_its_swap_and_is_not_asked_for_again() -> None:
    cloud = a_cloud(ON_DEMAND, max_size=1)
    stage = Stage(cloud).play(until=10.0)
    cloud.groups.clear()
    stage.restart()
    stage.play_on(until=LONG)
    assert [swap.ended for swap in stage.ended] == ["given up: the group is gone; 1 new instance terminated"]
    assert not stage.orphans()
    assert asked_for(stage, ObserveGroup, since=60.0) == 0


def test_a_launch_whose_answer_was_lost_in_a_group_that_is_gone_leaves_no_orphan() -> None:
    cloud = a_cloud(ON_DEMAND, max_size=2)
    stage = Stage(cloud)
    stage.play(until=3.0)
    assert [a.action.kind for _, a in stage.asked][-1] == "launch-fleet"
    stage.restart(sent=True)
    cloud.groups.clear()
    stage.play_on(until=LONG)
    assert len(cloud.fleets) == 1
    assert not stage.orphans()
    assert not list(stage.world.swaps.by_key.values())


def test_a_launch_that_never_left_the_house_is_given_up_with_its_group() -> None:
    cloud = a_cloud(ON_DEMAND, max_size=2)
    stage = Stage(cloud)
    stage.play(until=3.0)
    stage.restart()
    cloud.groups.clear()
    stage.play_on(until=LONG)
    assert not cloud.fleets
    assert not list(stage.world.swaps.by_key.values())


def test_an_instance_that_can_not_be_attached_is_terminated_in_the_end() -> None:
    cloud = a_cloud(ON_DEMAND, max_size=1)
    cloud.failing[SetMaxSize] = NotDone("AccessDenied", "not authorized to perform autoscaling:UpdateAutoScalingGroup")
    stage = Stage(cloud).play(until=900.0)
    assert not stage.orphans()
    assert stage.ended
    assert stage.world.pauses["us-east-1/web"].failures == 1
    assert "autoscaling:UpdateAutoScalingGroup" in " ".join(stage.words())


def test_a_permission_that_lacks_for_launching_makes_a_pause_and_no_storm() -> None:
    cloud = a_cloud(ON_DEMAND, ON_DEMAND)
    cloud.failing[LaunchFleet] = NotDone(
        "UnauthorizedOperation", "not authorized in us-east-1a/x to do ec2:CreateFleet"
    )
    stage = Stage(cloud).play(until=LONG)
    assert asked_for(stage, LaunchFleet) <= 6
    assert "ec2:CreateFleet" in stage.world.verdicts["us-east-1/web"]


def test_advice_that_can_not_be_followed_makes_no_storm_either() -> None:
    cloud = a_cloud(SPOT, SPOT)
    cloud.failing[LaunchFleet] = NotDone("UnauthorizedOperation", "not authorized to do ec2:CreateFleet")
    stage = Stage(cloud).play(until=60.0)
    stage.hear(RebalanceAdvised(time=61.0, region=REGION, instance_id="i-1"))
    stage.play(until=LONG, from_time=120.0)
    assert asked_for(stage, LaunchFleet) <= 30


def test_notices_of_one_second_do_not_share_a_key() -> None:
    cloud = a_cloud(SPOT, SPOT, SPOT, max_size=6)
    stage = Stage(cloud, policy=GroupsPolicy(rescue_gather_seconds=0.0)).play(until=60.0)
    for instance_id in ("i-1", "i-2"):
        cloud.doomed.add(instance_id)
        stage.hear(InterruptionNoticed(time=61.0, region=REGION, instance_id=instance_id, deadline=181.0))
    stage.play(until=LONG, from_time=120.0)
    rescues = [swap for swap in stage.ended if swap.cause == "interruption"]
    assert sorted(old.id for swap in rescues for old in swap.olds) == ["i-1", "i-2"]
    assert len({swap.key for swap in rescues}) == len(rescues)
    assert not stage.orphans()


def test_the_end_of_a_member_is_told_three_times_and_looked_at_once() -> None:
    cloud = a_cloud(SPOT, SPOT)
    stage = Stage(cloud).play(until=60.0)
    stage.at(61.0, lambda: cloud.take("i-1"))
    for time, group in ((62.0, None), (66.0, None), (75.0, "web")):
        stage.hear(InstanceGone(time=time, region=REGION, instance_id="i-1", group=group))
    stage.play_on(until=80.0)
    assert [asked.reason for _, asked in stage.asked].count("news of its members") == 1


def test_what_waits_is_woken_once_however_often_it_is_thought_about() -> None:
    cloud = a_cloud(ON_DEMAND)
    cloud.offers = ()
    stage = Stage(cloud).play(until=100.0)
    for n in range(50):
        stage.at(101.0 + n, lambda n=n: cloud.owner_tags("web", note=str(n)))  # type: ignore[misc]  # the caller names fields of the value
        stage.tick(101.5 + n)
    stage.play_on(until=200.0)
    assert len(stage._wakes) <= 2
    stage.play_on(until=LONG)
    assert asked_for(stage, RecommendPools) <= 2 + LONG / 1800.0


def test_a_member_that_ec2_does_not_describe_is_looked_for_every_ten_seconds_and_not_all_the_time() -> None:
    cloud = a_cloud(SPOT)
    stage = Stage(cloud).play(until=60.0)
    before = len(stage.steps)
    cloud.groups["web"].members["i-404"] = replace(cloud.groups["web"].members["i-1"], instance_id="i-404")
    cloud.instances["i-404"] = replace(cloud.instances["i-1"], id="i-405")  # EC2 answers about another
    stage.play(until=660.0, from_time=120.0)
    assert len(stage.steps) - before < 250


def test_a_group_with_a_member_that_stays_unhealthy_is_still_moved() -> None:
    cloud = a_cloud(ON_DEMAND, ON_DEMAND, ON_DEMAND, target_groups=("tg-1",), max_size=6)
    cloud.groups["web"].unhealthy.add("i-1")
    stage = Stage(cloud).play(until=4 * LONG)
    assert not list(stage.world.swaps.by_key.values())
    assert [cloud.instances[i].lifecycle for i in cloud.groups["web"].members] == [SPOT] * 3


def test_two_kinds_of_members_are_each_given_a_chance() -> None:
    """The kind that most have may have no cheaper pool, and must not stand in the way of the others."""
    cloud = ToyCloud(boot_seconds=lambda: 20.0, service_seconds=lambda: 10.0)
    kinds = [("m5.large", AZS[n % 3], ON_DEMAND) for n in range(3)] + [("r5.large", AZS[0], ON_DEMAND)]
    cloud.set_up("web", members=kinds, max_size=6)
    cloud.no_offers_for.add("m5.large")
    stage = Stage(cloud).play(until=LONG)
    assert [swap.ended for swap in stage.ended] == ["1 of 1 replaced by c5.large (spot)"]


def test_a_storm_of_notices_of_one_pool_counts_as_one_failure_of_it() -> None:
    cloud = a_cloud(SPOT, SPOT, SPOT)
    stage = Stage(cloud).play(until=60.0)
    for instance_id in ("i-1", "i-2", "i-3"):
        cloud.instances[instance_id] = replace(cloud.instances[instance_id], az=AZS[0])
    stage.play(until=130.0, from_time=120.0)
    for n, instance_id in enumerate(("i-1", "i-2", "i-3")):
        cloud.doomed.add(instance_id)
        stage.hear(InterruptionNoticed(time=140.0 + n, region=REGION, instance_id=instance_id, deadline=260.0))
    stage.play_on(until=145.0)
    assert stage.world.pools[(REGION, Pool(instance_type="c5.large", az=AZS[0]))].failures == 1


def test_news_of_many_strangers_asks_about_each_once() -> None:
    cloud = a_cloud(SPOT)
    stage = Stage(cloud).play(until=60.0)
    for n in range(3):
        stage.hear(InterruptionNoticed(time=61.0 + n / 10, region=REGION, instance_id="i-9999", deadline=181.0))
    stage.play_on(until=120.0)
    assert asked_for(stage, FindInstance) == 1
    assert sum("does not know it" in words for words in stage.words()) == 1


def test_details_that_stand_in_the_way_are_read_again_when_they_are_old_and_not_before() -> None:
    cloud = a_cloud(ON_DEMAND, details=GroupDetails(refresh_in_progress=True))
    stage = Stage(cloud).play(until=LONG)
    asked = [time for time, a in stage.asked if isinstance(a.action, ObserveGroup) and a.action.details]
    assert len(asked) <= 1 + LONG / 900.0


@pytest.mark.parametrize(("unknown", "longest"), [(False, 15.0), (True, 90.0)], ids=["refused", "answer lost"])
def test_a_launch_that_was_refused_keeps_no_swap_open_and_one_whose_answer_was_lost_is_looked_for(
    unknown: bool, longest: float
) -> None:
    cloud = a_cloud(*[ON_DEMAND] * 3)
    deleted: list[float] = []

    def fail_the_launch(stage: Stage) -> None:
        if deleted or not any(isinstance(asked.action, LaunchFleet) for _, asked in stage.asked):
            return
        deleted.append(stage.time)
        stage.hiccups, stage.lost = (0.0, 1.0) if unknown else (1.0, 0.0)
        stage.at(stage.time + 5.0, lambda: cloud.owner_deletes("web"))
        stage.at(stage.time + 6.0, lambda: vars(stage).update(hiccups=0.0, lost=0.0))
        stage.tick(stage.time + 10.0)

    stage = Stage(cloud, seed=4, after_step=fail_the_launch).play(until=300.0)
    (swap,) = stage.ended
    assert swap.ended_time is not None
    assert swap.ended_time - deleted[0] - 10.0 <= longest
    assert bool(asked_for(stage, ObserveInstances)) == unknown
    assert stage.orphans() == []
