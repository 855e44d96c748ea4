"""Swaps that somebody orders, played out. The faults that are kept out here are those of Hollowtrees' plugin for Auto
Scaling groups: it took the old instance out before there was a new one, left the group's minimum lowered, built from
another group's launch data, and did all of it again when an alert was sent twice.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from spotward.engine.core import Core
from spotward.groups.orders import ordered_swaps
from spotward.groups.policy import GroupPolicy, GroupsPolicy
from spotward.model.action import AttachInstances, FindInstance, LaunchFleet, RecommendPools, RetireMember
from spotward.model.cloud import GroupDetails, LaunchSource, Lifecycle, Pool
from spotward.model.event import InstanceFound, InterruptionNoticed
from spotward.model.flow_event import Status
from spotward.model.order import Order, Ordered, SwapReason, SwapWanted
from spotward.model.undertaking import SwapCause
from spotward.model.world import World
from tests.groups.stage import Stage
from tests.groups.test_known_defects import OPTED_IN, a_cloud, lifecycles
from tests.groups.toy_cloud import AZS, REGION, NotDone, ToyCloud

ON_DEMAND, SPOT = Lifecycle.ON_DEMAND, Lifecycle.SPOT
CHEAPER = (("m5a.large", 0.02), ("c5.large", 0.03))
"""Members of a Spot group are of c5.large."""
ASKED_ONLY = GroupsPolicy(defaults=GroupPolicy(only_when_asked=True))
LONG = 3600.0


def a_spot_cloud(members: int = 3, **setting: Any) -> ToyCloud:
    cloud = a_cloud(members, lifecycle=SPOT, **setting)
    cloud.offers = CHEAPER
    return cloud


def a_stage(cloud: ToyCloud, *, policy: GroupsPolicy = ASKED_ONLY, **more: Any) -> Stage:
    return Stage(cloud, policy=policy, **more)


def member(cloud: ToyCloud, number: int = 0, group: str = "web") -> str:
    return list(cloud.groups[group].members)[number]


def order(
    stage: Stage,
    instance_id: str,
    reason: SwapReason = SwapReason.COST,
    *,
    time: float = 10.0,
    key: str = "flow.swap",
    regions: tuple[str, ...] = (REGION,),
    terminate: bool | None = None,
    group: str | None = None,
) -> None:
    """Somebody orders a swap at that time; at a notice the notice is heard with it."""
    terminate = reason is not SwapReason.NOTICE if terminate is None else terminate
    asked = SwapWanted(regions=regions, instance_id=instance_id, group=group, reason=reason, terminate=terminate)
    if reason is SwapReason.NOTICE:
        stage.notice(instance_id, time)
        time += 0.1  # the notice is heard first
    stage.hear(Ordered(time=time, order=key, wanted=asked, by="a test"))


def ended(stage: Stage, key: str = "flow.swap") -> Order:
    found = stage.orders[key]
    assert found.ended is not None, f"it is open: {found.progress}"
    return found


def deeds(stage: Stage) -> list[str]:
    return [asked.action.kind for _, asked in stage.asked if asked.action.mutates]


def fleets(stage: Stage) -> list[LaunchFleet]:
    return [asked.action for _, asked in stage.asked if isinstance(asked.action, LaunchFleet)]


def capacity_watched(lowest: list[int], name: str = "web") -> Callable[[Stage], None]:
    """Notes how many serve after each step."""

    def watch(stage: Stage) -> None:
        group = stage.cloud.groups.get(name)
        if group is not None and stage.time > 1.0:
            lowest.append(stage.cloud.serving(group))

    return watch


# ---- what comes of it ------------------------------------------------------------------------------------------------


def test_a_member_that_is_too_expensive_is_replaced_by_a_cheaper_one_and_leaves_through_its_group() -> None:
    cloud = a_spot_cloud()
    victim, stage = member(cloud), a_stage(cloud)
    order(stage, victim)
    stage.play(until=LONG)
    assert ended(stage).status is Status.DONE
    output = json.loads(ended(stage).output_json)
    assert output["replaced"] == victim
    (successor,) = output["by"]
    assert cloud.instances[successor].instance_type == "m5a.large"
    assert cloud.instances[victim].state == "terminated"
    assert [swap.cause for swap in stage.ended] == [SwapCause.ASKED]
    assert not cloud.faults


def test_capacity_never_dips_and_the_sizes_stand_as_their_owner_set_them() -> None:
    """It detached first, with the minimum lowered, and then hoped for a new instance."""
    lowest = list[int]()
    cloud = a_spot_cloud(3, max_size=3)
    stage = a_stage(cloud, after_step=capacity_watched(lowest))
    before = cloud.groups["web"].about
    order(stage, member(cloud))
    stage.play(until=LONG)
    assert ended(stage).status is Status.DONE
    assert min(lowest) == 3
    about = cloud.groups["web"].about
    assert (about.min_size, about.desired, about.max_size) == (before.min_size, before.desired, before.max_size)
    assert deeds(stage).index("attach-instances") < deeds(stage).index("retire-member")


@pytest.mark.parametrize("moment", [10.6, 12.0, 30.0, 33.0, 45.0, 47.0, 60.0])
def test_a_crash_in_the_middle_of_an_ordered_swap_leaves_one_replacement_and_the_owners_sizes(moment: float) -> None:
    """A crash between its calls left the minimum lowered for good, and a retry swapped again."""
    cloud = a_spot_cloud(3, max_size=3)
    victim, stage = member(cloud), a_stage(cloud, seed=5)
    order(stage, victim)
    stage.at(moment, stage.restart)
    stage.at(moment + 1.0, lambda: order(stage, victim, time=moment + 1.0))
    stage.play(until=LONG)
    assert ended(stage).status is Status.DONE
    made = [i for i in cloud.instances.values() if i.launched_for]
    assert len(made) == 1
    about = cloud.groups["web"].about
    assert (about.min_size, about.desired, about.max_size) == (0, 3, 3)
    assert not stage.orphans()


def test_what_is_launched_comes_from_the_groups_own_launch_data_with_its_own_tags() -> None:
    """A group with a launch template got an instance of another group's launch configuration, without any tag."""
    cloud = a_spot_cloud(tags={**OPTED_IN, "team": "blue"})
    cloud.set_up("other", members=[("c5.large", AZS[0], SPOT)], tags=OPTED_IN)
    own = LaunchSource(template_id="lt-web", template_version="$Latest")
    group = cloud.groups["web"]
    group.about = replace(group.about, launch=own, mixed=True, propagated=("team",))
    stage = a_stage(cloud)
    order(stage, member(cloud))
    stage.play(until=LONG)
    (fleet,) = fleets(stage)
    assert fleet.launch == own
    assert dict(fleet.tags)["team"] == "blue"
    assert ended(stage).status is Status.DONE


def test_a_machine_that_is_wanted_alive_is_only_detached() -> None:
    cloud = a_spot_cloud()
    victim, stage = member(cloud), a_stage(cloud)
    order(stage, victim, terminate=False)
    stage.play(until=LONG)
    assert ended(stage).status is Status.DONE
    assert "runs on outside its group" in (ended(stage).ended or "")
    assert cloud.instances[victim].state == "running"
    assert victim not in cloud.groups["web"].members
    assert cloud.groups["web"].about.desired == 3
    assert not stage.orphans()


def test_any_member_is_replaced_by_wish_also_where_nothing_is_cheaper() -> None:
    cloud = a_spot_cloud()
    cloud.offers = (("c5.large", 0.03), ("m6i.large", 0.04))
    victim, stage = member(cloud), a_stage(cloud)
    order(stage, victim, SwapReason.WISH)
    stage.play(until=LONG)
    assert ended(stage).status is Status.DONE
    assert victim not in cloud.groups["web"].members


# ---- at a notice -----------------------------------------------------------------------------------------------------


def test_a_dying_instance_keeps_its_two_minutes_while_its_successor_serves_already() -> None:
    cloud = a_spot_cloud()
    victim, stage = member(cloud), a_stage(cloud)
    states = list[tuple[float, str]]()
    order(stage, victim, SwapReason.NOTICE)
    for time in (100.0, 125.0):
        stage.at(time, lambda: states.append((stage.time, cloud.instances[victim].state)))
    stage.play(until=LONG)
    done = ended(stage)
    assert done.status is Status.DONE
    assert done.ended_time is not None
    assert done.ended_time < 100.0, "whoever waits hears of it before the deadline"
    assert states == [(100.0, "running"), (125.0, "running")]
    assert cloud.serving(cloud.groups["web"]) == 3
    (left,) = [asked.action for _, asked in stage.asked if isinstance(asked.action, RetireMember)]
    assert left.detach


def test_a_dying_instance_leaves_through_its_group_where_its_termination_hooks_must_run() -> None:
    cloud = a_spot_cloud()
    victim, stage = member(cloud), a_stage(cloud)
    order(stage, victim, SwapReason.NOTICE, terminate=True)
    stage.play(until=LONG)
    (left,) = [asked.action for _, asked in stage.asked if isinstance(asked.action, RetireMember)]
    assert not left.detach
    assert ended(stage).status is Status.DONE


def test_the_pool_that_was_just_taken_is_not_where_the_successor_comes_from() -> None:
    """It took the first of the recommender's list, which may be the very type that was being taken."""
    cloud = a_spot_cloud()
    cloud.offers = (("c5.large", 0.01), ("m5a.large", 0.02))
    victim, stage = member(cloud), a_stage(cloud)
    own = Pool(instance_type="c5.large", az=cloud.instances[victim].az)
    order(stage, victim, SwapReason.NOTICE)
    stage.play(until=LONG)
    assert ended(stage).status is Status.DONE
    assert all(own not in fleet.pools for fleet in fleets(stage))


def test_ec2s_own_notice_and_an_alert_of_it_lead_to_one_swap_and_the_alert_waits_for_it() -> None:
    cloud = a_spot_cloud()
    victim, stage = member(cloud), a_stage(cloud)
    stage.hear(InterruptionNoticed(time=10.0, region=REGION, instance_id=victim, deadline=130.0))
    order(stage, victim, SwapReason.NOTICE, time=25.0)
    stage.play(until=LONG)
    assert ended(stage).status is Status.DONE
    assert len(fleets(stage)) == 1
    assert cloud.instances[victim].state in ("running", "terminated")
    (left,) = [asked.action for _, asked in stage.asked if isinstance(asked.action, RetireMember)]
    assert left.detach, "the order came in time to leave the machine running"


def test_a_notice_that_is_nearly_over_is_refused_in_words_and_the_group_makes_up_for_it() -> None:
    cloud = a_spot_cloud()
    victim, stage = member(cloud), a_stage(cloud)
    stage.hear(InterruptionNoticed(time=10.0, region=REGION, instance_id=victim, deadline=20.0))
    order(stage, victim, SwapReason.NOTICE, time=12.0)
    stage.play(until=LONG)
    assert ended(stage).status is Status.REFUSED
    assert "too soon for a successor" in (ended(stage).ended or "")


# ---- sent twice, sent at once ----------------------------------------------------------------------------------------


def test_an_alert_that_is_sent_again_joins_the_swap_and_later_finds_nothing_to_do() -> None:
    """A re-sent alert swapped again, or failed over the instance that had left."""
    cloud = a_spot_cloud()
    victim, stage = member(cloud), a_stage(cloud)
    for number, time in enumerate((10.0, 11.0, 30.0, 1200.0)):
        order(stage, victim, time=time, key=f"flow-{number}")
    stage.play(until=LONG)
    assert [ended(stage, f"flow-{n}").status for n in range(4)] == [*[Status.DONE] * 3, Status.IGNORED]
    assert len({ended(stage, f"flow-{n}").carried_by for n in range(3)}) == 1
    assert len(fleets(stage)) == 1


def test_two_alerts_for_one_group_do_not_race_one_waits_and_the_group_rests_in_between() -> None:
    """Two alerts raced on the group's minimum."""
    lowest = list[int]()
    cloud = a_spot_cloud(3, max_size=3)
    stage = a_stage(cloud, after_step=capacity_watched(lowest))
    first, second = member(cloud, 0), member(cloud, 1)
    order(stage, first, key="one")
    order(stage, second, key="two")
    stage.play(until=LONG)
    one, two = ended(stage, "one"), ended(stage, "two")
    assert (one.status, two.status) == (Status.DONE, Status.DONE)
    assert one.ended_time is not None
    launched = [time for time, asked in stage.asked if isinstance(asked.action, LaunchFleet)]
    assert launched[1] >= one.ended_time + ASKED_ONLY.asked_cooldown_seconds
    assert min(lowest) == 3
    assert cloud.groups["web"].about.max_size == 3


def test_a_notice_waits_for_no_rest() -> None:
    cloud = a_spot_cloud()
    stage = a_stage(cloud)
    order(stage, member(cloud, 0), key="one")
    order(stage, member(cloud, 1), SwapReason.NOTICE, time=90.0, key="two")
    stage.play(until=LONG)
    two = ended(stage, "two")
    assert two.status is Status.DONE
    assert two.ended_time is not None
    assert two.ended_time < 190.0


def test_an_order_that_would_have_to_wait_too_long_fails_and_says_from_when_on_it_may_be_tried_again() -> None:
    cloud = a_spot_cloud()
    stage = a_stage(cloud, policy=replace(ASKED_ONLY, asked_cooldown_seconds=1800.0))
    order(stage, member(cloud, 0), key="one")
    order(stage, member(cloud, 1), key="two")
    stage.play(until=LONG)
    two = ended(stage, "two")
    assert two.status is Status.FAILED
    assert "is left alone until" in (two.ended or "")
    assert two.retry_time == pytest.approx((ended(stage, "one").ended_time or 0.0) + 1800.0)


# ---- what stands in the way ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", list(SwapReason))
@pytest.mark.parametrize("tags", [{}, {"spotward:enabled": "false"}, {"team": "blue"}])
def test_off_means_off_an_order_for_a_group_that_did_not_opt_in_is_refused_with_the_next_step(
    tags: dict[str, str], reason: SwapReason
) -> None:
    cloud = a_spot_cloud(tags=tags)
    stage = a_stage(cloud)
    order(stage, member(cloud), reason)
    stage.play(until=LONG)
    assert ended(stage).status is Status.REFUSED
    assert "spotward:enabled" in (ended(stage).ended or "")
    assert "true" in (ended(stage).ended or "")
    assert deeds(stage) == []


def test_a_group_that_was_opted_in_a_moment_ago_is_not_refused_for_what_was_seen_before() -> None:
    cloud = a_spot_cloud(tags={"team": "blue"})
    victim, stage = member(cloud), a_stage(cloud)
    stage.tick(0.0)
    stage.at(9.0, lambda: cloud.owner_tags("web", spotward__enabled="true"))
    order(stage, victim, time=10.0)
    stage.play_on(until=LONG)
    assert ended(stage).status is Status.DONE


def test_an_order_for_a_group_that_was_never_seen_is_looked_into_at_once() -> None:
    cloud = a_spot_cloud()
    victim, stage = member(cloud), a_stage(cloud)
    order(stage, victim, time=1.0)
    stage.play_on(until=LONG)
    assert ended(stage).status is Status.DONE
    assert any(isinstance(asked.action, FindInstance) for _, asked in stage.asked)


@pytest.mark.parametrize(
    ("instance_id", "status", "words"),
    [
        ("i-none", Status.REFUSED, "EC2 knows no instance i-none in us-east-1"),
        ("i-alone", Status.IGNORED, "i-alone is in no Auto Scaling group"),
    ],
)
def test_an_order_for_what_is_no_member_has_a_clear_answer(instance_id: str, status: Status, words: str) -> None:
    cloud = a_spot_cloud()
    some = cloud.instances[member(cloud)]
    cloud.instances["i-alone"] = replace(some, id="i-alone", group=None)
    stage = a_stage(cloud)
    order(stage, instance_id)
    stage.play(until=LONG)
    assert ended(stage).status is status
    assert words in (ended(stage).ended or "")
    assert deeds(stage) == []


@pytest.mark.parametrize(
    ("reason", "status", "words"),
    [
        (SwapReason.COST, Status.IGNORED, "is on demand, and no Spot instance"),
        (SwapReason.NOTICE, Status.IGNORED, "is on demand: EC2 gives no notice of such"),
        (SwapReason.WISH, Status.REFUSED, "stays on demand: the group keeps 3 of 3 so"),
    ],
)
def test_an_on_demand_member_of_the_base_stays_whoever_orders_what(
    reason: SwapReason, status: Status, words: str
) -> None:
    cloud = a_cloud(tags={**OPTED_IN, "spotward:on-demand-base": "3"})
    stage = a_stage(cloud)
    order(stage, member(cloud), reason)
    stage.play(until=100.0)
    assert ended(stage).status is status
    assert words in (ended(stage).ended or "")
    assert deeds(stage) == []


def test_an_on_demand_member_above_the_base_becomes_spot_when_that_is_ordered_and_not_before() -> None:
    cloud = a_cloud(tags={**OPTED_IN, "spotward:on-demand-percentage": "50"})
    stage = a_stage(cloud).play(until=600.0)
    assert deeds(stage) == []
    for number in range(3):
        order(stage, member(cloud, number), SwapReason.WISH, time=700.0, key=f"flow-{number}")
    stage.play(until=2 * LONG, from_time=660.0)
    assert sorted(lifecycles(cloud)) == [ON_DEMAND, ON_DEMAND, SPOT], "the share stays"
    statuses = Counter(ended(stage, f"flow-{n}").status for n in range(3))
    assert statuses == {Status.DONE: 1, Status.REFUSED: 2}


def test_an_empty_recommendation_is_a_clear_answer_and_no_crash() -> None:
    """An empty list from the recommender ended the whole plugin."""
    cloud = a_spot_cloud()
    cloud.offers = ()
    stage = a_stage(cloud)
    order(stage, member(cloud))
    stage.play(until=LONG)
    assert ended(stage).status is Status.FAILED
    assert "nothing can stand in for" in (ended(stage).ended or "")
    assert deeds(stage) == []


def test_nothing_is_replaced_where_nothing_is_cheaper_and_the_figures_say_so() -> None:
    cloud = a_spot_cloud()
    cloud.offers = (("m5a.large", 0.0295), ("c5.large", 0.03), ("m6i.large", 0.04))
    victim, stage = member(cloud), a_stage(cloud)
    order(stage, victim)
    stage.play(until=LONG)
    assert ended(stage).status is Status.IGNORED
    words = ended(stage).ended or ""
    assert "0.0300 an hour" in words
    assert "0.0295: not 5 % less" in words
    assert deeds(stage) == []


def test_what_is_too_expensive_now_is_compared_with_prices_of_now() -> None:
    cloud = a_spot_cloud()
    cloud.offers = (("c5.large", 0.03), ("m5a.large", 0.031))
    victim, stage = member(cloud), a_stage(cloud)
    order(stage, victim, key="one")
    order(stage, victim, time=40.0, key="at once again")
    stage.at(70.0, lambda: setattr(cloud, "offers", CHEAPER))
    order(stage, victim, time=80.0, key="two")
    stage.play(until=LONG)
    statuses = [ended(stage, key).status for key in ("one", "at once again", "two")]
    assert statuses == [Status.IGNORED, Status.IGNORED, Status.DONE]
    assert len([a for _, a in stage.asked if isinstance(a.action, RecommendPools)]) == 2


def test_where_the_ranking_names_its_own_pool_no_more_everything_that_it_names_is_cheaper() -> None:
    cloud = a_spot_cloud()
    cloud.offers = (("m6i.large", 0.04),)
    stage = a_stage(cloud)
    order(stage, member(cloud))
    stage.play(until=LONG)
    assert ended(stage).status is Status.DONE


@pytest.mark.parametrize("kind", [RecommendPools, FindInstance])
def test_what_aws_does_not_answer_is_a_failure_and_is_asked_again_for_the_next_order(kind: type) -> None:
    cloud = a_spot_cloud()
    cloud.failing[kind] = NotDone("AccessDenied", "you are not authorized to perform this")
    victim, stage = member(cloud), a_stage(cloud)
    order(stage, victim, time=1.0, key="one")
    stage.at(2000.0, cloud.failing.clear)
    order(stage, victim, time=6000.0, key="two")
    stage.play_on(until=5000.0)
    assert ended(stage, "one").status is Status.FAILED
    assert "not authorized" in (ended(stage, "one").ended or "")
    assert (ended(stage, "one").retry_time or 0.0) > (ended(stage, "one").ended_time or 0.0)
    stage.play_on(until=9000.0)
    assert ended(stage, "two").status is Status.DONE


def _refreshing(cloud: ToyCloud) -> None:
    group = cloud.groups["web"]
    group.details = GroupDetails(refresh_in_progress=True, subnets=group.details.subnets)


def _protected(cloud: ToyCloud) -> None:
    group = cloud.groups["web"]
    victim = member(cloud)
    group.members[victim] = replace(group.members[victim], protected=True)


def _pinned(cloud: ToyCloud) -> None:
    victim = member(cloud)
    cloud.instances[victim] = replace(cloud.instances[victim], pinned=True)


def _mixed_with_spot(cloud: ToyCloud) -> None:
    group = cloud.groups["web"]
    group.about = replace(group.about, mixed_spot=True)


def _a_node(cloud: ToyCloud) -> None:
    victim = member(cloud)
    cloud.instances[victim] = replace(cloud.instances[victim], cluster="prod")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_refreshing, "an instance refresh is running"),
        (_protected, "is protected from scale-in"),
        (_pinned, "tag spotward:keep"),
        (_mixed_with_spot, "its own mixed-instances policy asks for Spot already"),
        (_a_node, "no cluster is looked after"),
    ],
)
def test_what_an_owner_forbids_is_refused_in_words(change: Callable[[ToyCloud], None], words: str) -> None:
    cloud = a_spot_cloud()
    change(cloud)
    stage = a_stage(cloud)
    order(stage, member(cloud))
    stage.play(until=LONG)
    assert ended(stage).status is Status.REFUSED
    assert words in (ended(stage).ended or "")
    assert deeds(stage) == []


def test_an_order_that_names_another_group_than_the_members_own_is_refused() -> None:
    cloud = a_spot_cloud()
    stage = a_stage(cloud)
    order(stage, member(cloud), group="db")
    stage.play(until=LONG)
    assert ended(stage).status is Status.REFUSED
    assert "is in web, and not in db" in (ended(stage).ended or "")


def test_capacity_that_is_nowhere_to_be_had_is_a_failure_and_the_member_stays() -> None:
    """It asked for one type, and looked at the request for ever."""
    cloud = a_spot_cloud()
    cloud.dry = {Pool(instance_type="m5a.large", az=az): "InsufficientInstanceCapacity" for az in AZS}
    victim, stage = member(cloud), a_stage(cloud)
    order(stage, victim)
    stage.play(until=LONG)
    assert ended(stage).status is Status.FAILED
    assert "InsufficientInstanceCapacity" in (ended(stage).ended or "")
    assert cloud.groups["web"].members[victim].serving
    assert cloud.groups["web"].about.desired == 3


# ---- only when asked -------------------------------------------------------------------------------------------------


def test_a_group_that_is_changed_only_when_somebody_asks_is_left_alone_by_ourselves() -> None:
    cloud = a_cloud(tags={**OPTED_IN, "spotward:only-when-asked": "true"})
    stage = Stage(cloud).play(until=LONG)
    assert deeds(stage) == []
    assert lifecycles(cloud) == [ON_DEMAND] * 3


def test_such_a_group_is_rescued_at_a_notice_all_the_same() -> None:
    cloud = a_spot_cloud(tags={**OPTED_IN, "spotward:only-when-asked": "true"})
    stage = Stage(cloud)
    stage.notice(member(cloud), 10.0)
    stage.play(until=LONG)
    assert [asked.action.kind for _, asked in stage.asked if isinstance(asked.action, AttachInstances)]
    assert not cloud.faults


# ---- in which region -------------------------------------------------------------------------------------------------


def test_a_member_whose_region_nobody_knows_is_looked_for_in_each_region_in_turn() -> None:
    core, world = Core([ordered_swaps(GroupsPolicy())]), World()
    wanted = SwapWanted(regions=("eu-west-1", "us-east-1"), instance_id="i-1", reason=SwapReason.COST, terminate=True)
    step = core.step(world, Ordered(time=1.0, order="flow.swap", wanted=wanted), page_number=1)
    asked = []
    for time in (2.0, 3.0):
        (question,) = (each.action for each in step.asked)
        assert isinstance(question, FindInstance)
        asked.append(question.region)
        found = InstanceFound(
            time=time, key=question.key, region=question.region, instance_id=question.instance_id, instance=None
        )
        step = core.step(step.world, found, page_number=1)
    assert asked == ["eu-west-1", "us-east-1"]
    (order,) = step.undertakings
    assert isinstance(order, Order)
    assert order.status is Status.REFUSED
    assert order.ended == "EC2 knows no instance i-1 in eu-west-1 and us-east-1 (any more)"
    assert len(step.world.orders) == 0
