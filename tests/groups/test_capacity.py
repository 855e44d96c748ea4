"""How much stays on demand, how many go at once, and where their successors are put."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.groups.capacity import on_demand_wanted, placed, spread, surge
from spotward.groups.policy import GroupPolicy


@pytest.mark.parametrize(
    ("base", "percentage", "total", "wanted"),
    [(0, 0, 10, 0), (2, 0, 10, 2), (0, 50, 5, 3), (2, 50, 10, 6), (2, 25, 3, 3), (5, 50, 3, 3), (0, 100, 4, 4)],
)
def test_the_base_stays_on_demand_and_a_percentage_of_what_is_above_it_rounded_up(
    base: int, percentage: int, total: int, wanted: int
) -> None:
    policy = GroupPolicy(on_demand_base=base, on_demand_percentage=percentage)
    assert on_demand_wanted(policy, total) == wanted


@pytest.mark.parametrize(("base", "percentage", "wanted"), [(3, 10, 3), (1, 50, 5)])
def test_of_autospottings_number_and_percentage_the_larger_holds(base: int, percentage: int, wanted: int) -> None:
    policy = GroupPolicy(on_demand_base=base, on_demand_percentage=percentage, larger_of_base_and_percentage=True)
    assert on_demand_wanted(policy, 10) == wanted


@pytest.mark.parametrize(
    ("desired", "at_once"), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 2), (6, 2), (7, 3), (20, 7), (100, 34)]
)
def test_a_third_at_once_leaves_more_than_half_of_the_members_in_place(desired: int, at_once: int) -> None:
    assert surge(GroupPolicy(), desired) == at_once


@pytest.mark.parametrize(("percentage", "at_once"), [(1, 1), (49, 4), (50, 5), (51, 6), (100, 10)])
def test_an_owner_may_ask_for_half_of_the_members_or_all(percentage: int, at_once: int) -> None:
    assert surge(GroupPolicy(surge_percentage=percentage), 10) == at_once


zones = st.lists(st.sampled_from("abc"), max_size=12)


@given(staying=zones, leaving=zones, open_zones=st.permutations("abc"), shut=st.integers(0, 2))
def test_successors_keep_the_spread_within_one_or_make_it_no_worse(
    staying: list[str], leaving: list[str], open_zones: list[str], shut: int
) -> None:
    plan = placed(staying=staying, leaving=leaving, zones="abc", open_zones=open_zones[shut:])
    before = Counter(dict.fromkeys("abc", 0))
    before.update(staying + leaving)
    if plan is None:
        assert shut > 0
        return
    after = Counter(dict.fromkeys("abc", 0))
    after.update([*staying, *plan])
    assert len(plan) == len(leaving)
    assert set(plan) <= set(open_zones[shut:])
    assert spread(after) <= max(1, spread(before))
