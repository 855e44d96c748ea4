"""What the World makes of looks that overtake each other, of failures, and of what is no more."""

from dataclasses import replace

from spotward.model.cloud import Pool
from spotward.model.event import GroupObserved, RegionObserved
from spotward.model.pool_memory import POOL_PAUSE_SECONDS_MAX
from spotward.model.wish import RETRY_PAUSE_SECONDS_MAX, WishState
from spotward.model.world import World
from tests.engine.made import NOON, REGION, WEB, a_group, a_tagging, done, failed, seen


def looked_at(time: float, *, as_of: float, members: tuple[str, ...] = ("i-1",)) -> GroupObserved:
    return GroupObserved(
        time=time,
        key=f"observe {WEB}",
        as_of=as_of,
        region=REGION,
        group_name="web",
        group=a_group(*members),
    )


def region_without_web(time: float, *, as_of: float) -> RegionObserved:
    return RegionObserved(time=time, key=f"observe {REGION}", as_of=as_of, region=REGION, gone_groups=("web",))


# ---- looks that overtake each other ----------------------------------------------------------------------------


def test_a_slow_look_at_a_region_does_not_undo_a_newer_look_at_one_group() -> None:
    world = World().after(looked_at(NOON + 5, as_of=NOON + 4, members=("i-1", "i-2")))

    world = world.after(seen(a_group("i-1"), time=NOON))

    assert len(world.groups[WEB].members) == 2


def test_a_newer_look_is_believed() -> None:
    world = World().after(looked_at(NOON + 5, as_of=NOON + 4, members=("i-1", "i-2")))

    world = world.after(seen(a_group("i-1"), time=NOON + 60))

    assert len(world.groups[WEB].members) == 1


def test_a_group_that_was_made_while_a_region_was_being_looked_at_is_not_gone() -> None:
    world = World().after(looked_at(NOON + 5, as_of=NOON + 4))

    assert WEB in world.after(region_without_web(NOON + 6, as_of=NOON)).groups


def test_a_group_that_a_newer_look_does_not_find_is_gone() -> None:
    world = World().after(looked_at(NOON + 5, as_of=NOON + 4))

    assert WEB not in world.after(region_without_web(NOON + 66, as_of=NOON + 60)).groups


def test_looks_are_believed_after_the_clock_was_set_back_by_hours() -> None:
    world = World().after(looked_at(NOON, as_of=NOON, members=("i-1", "i-2")))

    world = world.after(seen(a_group("i-1"), time=NOON - 7200))

    assert len(world.groups[WEB].members) == 1


# ---- failures --------------------------------------------------------------------------------------------------


def test_whatever_wait_the_outside_asks_for_a_wish_is_asked_again_within_the_longest_pause() -> None:
    tagging = a_tagging()

    world = World().after(failed(tagging, time=NOON, retry_after_seconds=86_400.0))

    assert world.wishes[tagging.key].retry_time == NOON + RETRY_PAUSE_SECONDS_MAX


# ---- what is no more -------------------------------------------------------------------------------------------


def test_nothing_is_left_of_a_group_that_is_gone() -> None:
    tagging = a_tagging()
    world = World().after(looked_at(NOON, as_of=NOON))
    world = world.with_wish(tagging.key, WishState(attempt=1, state="asked", time=NOON, action=tagging))
    world = world.after(done(tagging, NOON + 1))

    world = world.after(region_without_web(NOON + 66, as_of=NOON + 60))

    assert not [*world.groups, *world.group_of, *world.instances, *world.sights.touched]


# ---- pools -----------------------------------------------------------------------------------------------------


def test_a_pool_that_is_dry_for_a_year_still_rests_for_four_hours_at_most() -> None:
    world, pool = World(), Pool(instance_type="p5.48xlarge", az="us-east-1a")
    for look in range(6 * 400):
        world = replace(world, time=NOON + look * POOL_PAUSE_SECONDS_MAX).with_pool_trouble(REGION, pool, "dry")

    assert world.pools[REGION, pool].until == world.time + POOL_PAUSE_SECONDS_MAX
