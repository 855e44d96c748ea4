from dataclasses import replace

from spotward.engine.core import Core
from spotward.engine.memory import (
    DOOM_FORGET_SECONDS,
    STRANGER_FORGET_SECONDS,
    UNSEEN_FORGET_SECONDS,
    VERDICTS_SPARE_MAX,
    WISH_FORGET_SECONDS,
    forgetting,
)
from spotward.model.cloud import Lifecycle, Pool
from spotward.model.event import InstanceFound, RebalanceAdvised, Tick
from spotward.model.undertaking import Clone
from spotward.model.world import World
from tests.engine.made import NOON, REGION, WEB, a_group, a_launch, a_swap, an_instance, failed, seen, wishing

YEAR = 365 * 86_400.0


def known(*members: str) -> World:
    return World().after(seen(a_group(*members)))


def later(world: World, seconds: float) -> World:
    return forgetting(replace(world, time=world.time + seconds), [REGION])


def test_advice_about_a_stranger_is_forgotten_and_about_a_member_it_is_not() -> None:
    world = known("i-1")
    for instance_id in ("i-1", "i-stranger"):
        world = world.after(RebalanceAdvised(time=NOON, region=REGION, instance_id=instance_id))
    assert set(later(world, DOOM_FORGET_SECONDS - 1).dooms) == {"i-1", "i-stranger"}
    assert set(later(world, YEAR).dooms) == {"i-1"}


def test_an_instance_that_was_only_asked_for_is_forgotten_and_one_that_is_to_join_is_not() -> None:
    clone = Clone(
        id="i-clone", launch="l", instance_type="m5.large", az="us-east-1a", lifecycle=Lifecycle.SPOT, since=NOON
    )
    world = known("i-1").with_undertaking(a_swap(clones=(clone,)))
    for instance_id in ("i-clone", "i-stranger"):
        event = InstanceFound(
            time=NOON, key="find", region=REGION, instance_id=instance_id, instance=an_instance(instance_id)
        )
        world = world.after(event)
    assert set(later(world, STRANGER_FORGET_SECONDS + 1).instances) == {"i-1", "i-clone"}


def test_a_failed_wish_that_nobody_wishes_any_more_is_forgotten_with_its_launch() -> None:
    core = Core([wishing(a_launch(), when=Tick)])
    step = core.step(known("i-1"), Tick(time=NOON), page_number=1)
    step = core.step(step.world, failed(a_launch()), page_number=1)
    assert set(later(step.world, 3600).launches) == {"launch 1"}
    world = later(later(step.world, WISH_FORGET_SECONDS + 3), 1)
    assert not world.wishes
    assert not world.launches


def test_a_wish_in_flight_is_never_forgotten() -> None:
    step = Core([wishing(a_launch(), when=Tick)]).step(known("i-1"), Tick(time=NOON), page_number=1)
    assert set(later(step.world, YEAR).wishes) == {"launch 1"}


def test_a_pool_that_did_well_for_a_day_is_forgotten() -> None:
    pool = Pool(instance_type="m5.large", az="us-east-1a")
    world = known("i-1").with_pool_trouble(REGION, pool, "dry")
    assert set(later(world, 3600).pools) == {(REGION, pool)}
    assert not later(world, YEAR).pools


def test_verdicts_about_what_is_gone_are_dropped_once_they_are_too_many() -> None:
    world = known("i-1").with_verdict("i-1", "is kept").with_verdict(WEB, "rests")
    for number in range(VERDICTS_SPARE_MAX):
        world = world.with_verdict(f"i-gone-{number}", "is kept")
    assert len(later(world, 60).verdicts) == VERDICTS_SPARE_MAX + 2
    world = world.with_verdict("i-one-more", "is kept").with_verdict("i-yet-one-more", "is kept")
    world = world.with_verdict("i-third", "is kept")
    assert set(later(world, 60).verdicts) == {"i-1", WEB}


def test_before_every_region_was_seen_nobody_is_taken_for_a_stranger_for_a_day() -> None:
    world = known("i-1").after(RebalanceAdvised(time=NOON, region="eu-west-1", instance_id="i-2"))
    for regions in ([REGION, "eu-west-1"], []):
        assert set(forgetting(replace(world, time=NOON + UNSEEN_FORGET_SECONDS), regions).dooms) == {"i-2"}


def test_a_region_that_can_never_be_seen_does_not_make_us_keep_everything_for_ever() -> None:
    pool = Pool(instance_type="m5.large", az="us-east-1a")
    world = known("i-1").with_pool_trouble(REGION, pool, "dry").after(failed(a_launch()))
    found = InstanceFound(time=NOON, key="find", region=REGION, instance_id="i-3", instance=an_instance("i-3"))
    world = world.after(RebalanceAdvised(time=NOON, region="eu-west-1", instance_id="i-2")).after(found)

    world = forgetting(replace(world, time=NOON + YEAR), [REGION, "eu-west-1"])

    assert not [*world.pools, *world.wishes, *world.dooms]
    assert set(world.instances) == {"i-1"}
