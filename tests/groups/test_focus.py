from spotward.groups.focus import focus
from spotward.model.event import RegionObserved, Restarted
from spotward.model.world import World
from tests.engine.made import NOON, REGION, a_group, a_swap, seen


def test_after_a_restart_groups_come_in_an_order_that_no_process_can_change() -> None:
    world = World()
    for number in range(20):
        world = world.with_undertaking(a_swap(key=f"swap {number}", group=f"g{number:02}"))
    assert focus(world, Restarted(time=NOON)) == tuple(f"{REGION}/g{number:02}" for number in range(20))


def test_a_group_that_a_slow_look_did_not_find_is_not_asked_about_as_if_it_were_gone() -> None:
    world = World().after(seen(a_group("i-1"), time=NOON + 5))
    slow = RegionObserved(time=NOON + 6, key="observe", as_of=NOON, region=REGION, gone_groups=("api", "web"))
    assert focus(world.after(slow), slow) == (f"{REGION}/api",)
