"""How a swap is named."""

import pytest

from spotward.groups.birth import swap_key
from spotward.model.cloud import Group
from spotward.model.undertaking import SwapCause

LAUNCH_SUFFIX_LENGTH_MAX = 24
"""A launch adds its zone and its number."""


def key(name: str) -> str:
    group = Group(region="us-gov-west-1", name=name, min_size=0, max_size=1, desired=1, azs=())
    return swap_key(group, SwapCause.INTERRUPTION, 1_795_521_600.0, "i-0123456789abcdef0")


def test_a_name_that_a_tag_can_hold_stands_there_as_it_is() -> None:
    assert key("web prod/1") == "swap us-gov-west-1/web prod/1 interruption 1795521600.000 i-0123456789abcdef0"


@pytest.mark.parametrize(
    ("one", "other"),
    [("w" * 200 + "a", "w" * 200 + "b"), ("web#1", "web!1"), ("web#1", "web_1")],
    ids=["long with one beginning", "two marks that a tag cannot hold", "a mark and what stands for it"],
)
def test_two_groups_never_share_a_key(one: str, other: str) -> None:
    assert key(one) != key(other)


def test_the_longest_name_leaves_room_for_what_a_launch_adds() -> None:
    assert len(key("w" * 255)) + LAUNCH_SUFFIX_LENGTH_MAX <= 256


def test_the_same_group_has_the_same_name_in_every_process() -> None:
    assert key("web#1") == key("web#1")
    assert "web_1-" in key("web#1")
