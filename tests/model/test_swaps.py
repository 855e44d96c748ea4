"""The swaps of a group, and the swap that launched an instance, are found without looking through all of them."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from spotward.model.cloud import Lifecycle
from spotward.model.swaps import Swaps
from spotward.model.undertaking import Clone
from tests.engine.made import NOON, REGION, a_swap

GROUPS = ("web", "api")
IDS = ("i-1", "i-2", "i-3", "i-4")


def clone(instance_id: str) -> Clone:
    return Clone(
        id=instance_id,
        launch="launch",
        instance_type="m5.large",
        az="us-east-1a",
        lifecycle=Lifecycle.SPOT,
        since=NOON,
    )


HISTORIES = st.lists(
    st.tuples(st.integers(0, 3), st.sets(st.sampled_from(IDS)), st.booleans()),
    max_size=12,
)


@given(HISTORIES)
def test_they_are_just_those_that_a_look_through_all_would_find(history: list[tuple[int, set[str], bool]]) -> None:
    swaps = Swaps()
    for number, launched, over in history:
        # An instance is launched by one swap alone, as EC2 gives each id once.
        clones = tuple(clone(f"{each}{number}") for each in sorted(launched))
        swap = a_swap(key=f"swap {number}", group=GROUPS[number % 2], clones=clones)
        swaps = swaps.with_swap(replace(swap, ended="it is over") if over else swap)
    for group in GROUPS:
        found = [swap for key, swap in sorted(swaps.by_key.items()) if swap.group == group]
        assert list(swaps.of_group(f"{REGION}/{group}")) == found
    for instance_id in (f"{each}{number}" for each in IDS for number in range(4)):
        owner = next((s for s in swaps.by_key.values() if instance_id in {c.id for c in s.clones}), None)
        assert swaps.of_clone(instance_id) == owner
    assert list(swaps.groups()) == sorted({swap.group_id for swap in swaps.by_key.values()})
    assert len(swaps.key_of) == sum(len(swap.clones) for swap in swaps.by_key.values())
