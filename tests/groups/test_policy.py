"""What tags say, and what is said about tags that cannot be read."""

import pytest

from spotward.groups.policy import GroupPolicy, GroupsPolicy, policy_of
from spotward.groups.scope import in_scope, why_not
from spotward.model.cloud import Group, Lifecycle
from spotward.model.errors import ConfigError
from tests.groups.stage import Stage
from tests.groups.toy_cloud import AZS, ToyCloud


def tagged(**tags: str) -> Group:
    """A group with tags; `__` stands for a colon, a lone `_` after `spotward` for a hyphen."""
    named = {k.replace("spotward__", "spotward:").replace("_", "-") if "__" in k else k: v for k, v in tags.items()}
    return Group(region="us-east-1", name="web", min_size=0, max_size=4, desired=4, azs=AZS, tags=named)


def test_each_tag_wins_over_the_default() -> None:
    group = tagged(
        spotward__on_demand_base="2",
        spotward__on_demand_percentage="25%",
        spotward__surge_percentage="100",
        spotward__allowed_types="c5.*, m5.large",
        spotward__denied_types="t3.*",
        spotward__burstable_for_fixed="TRUE",
        spotward__launch_hooks="skip",
        spotward__rebalance="off",
    )
    assert policy_of(group, GroupsPolicy(defaults=GroupPolicy(on_demand_base=9))) == GroupPolicy(
        on_demand_base=2,
        on_demand_percentage=25,
        surge_percentage=100,
        allowed_types=("c5.*", "m5.large"),
        denied_types=("t3.*",),
        burstable_for_fixed=True,
        skip_launch_hooks=True,
        rebalance=False,
    )


@pytest.mark.parametrize(
    ("tag", "text", "right"),
    [
        ("on-demand-base", "two", "a whole number of 0 or more"),
        ("on-demand-base", "-1", "a whole number of 0 or more"),
        ("on-demand-base", "٣", "a whole number of 0 or more"),
        ("on-demand-base", "", "a whole number of 0 or more"),
        ("on-demand-percentage", "101", "a whole number from 0 to 100"),
        ("on-demand-percentage", "12.5", "a whole number from 0 to 100"),
        ("surge-percentage", "0", "a whole number from 1 to 100"),
        ("burstable-for-fixed", "yes", "`true` or `false`"),
        ("launch-hooks", "ignore", "`skip` or `respect`"),
        ("rebalance", "on", "`replace` or `off`"),
    ],
)
def test_a_tag_that_cannot_be_read_is_named_with_what_it_says_and_what_is_right(
    tag: str, text: str, right: str
) -> None:
    group = tagged(**{f"spotward__{tag.replace('-', '_')}": text})
    with pytest.raises(ConfigError) as caught:
        policy_of(group, GroupsPolicy())
    assert str(caught.value) == f"its tag spotward:{tag} says {text!r}, which is not {right}; correct the tag"


def test_a_group_with_such_a_tag_is_left_alone_and_told_so_until_the_tag_is_right() -> None:
    cloud = ToyCloud(boot_seconds=lambda: 20.0, service_seconds=lambda: 10.0)
    tags = {"spotward:enabled": "true", "spotward:on-demand-base": "two"}
    cloud.set_up("web", members=[("m5.large", AZS[0], Lifecycle.ON_DEMAND)], tags=tags)
    stage = Stage(cloud)
    stage.play(until=120.0)
    assert not stage.deeds
    assert stage.world.verdicts["us-east-1/web"].startswith("its tag spotward:on-demand-base says 'two'")
    cloud.owner_tags("web", spotward__on_demand_base="0")
    stage.play(until=600.0, from_time=180.0)
    assert [swap.ended for swap in stage.ended] == ["1 of 1 replaced by c5.large (spot)"]
    assert "us-east-1/web" not in stage.world.verdicts


@pytest.mark.parametrize(
    ("tags", "compat", "inside"),
    [
        ({}, True, False),
        ({"spotward__enabled": "true"}, False, True),
        ({"spotward__enabled": " True "}, False, True),
        ({"spotward__enabled": "yes"}, False, False),
        ({"spotward__enabled": "false", "spot-enabled": "true"}, True, False),
        ({"spot-enabled": "true"}, True, True),
        ({"spot-enabled": "true"}, False, False),
    ],
)
def test_a_group_is_in_scope_when_its_owner_said_so_and_in_no_other_way(
    tags: dict[str, str], *, compat: bool, inside: bool
) -> None:
    policy = GroupsPolicy(compat_autospotting=compat)
    assert in_scope(tagged(**tags), policy) is inside
    assert inside or why_not(tagged(**tags), policy).startswith("not opted in: ")


def test_autospottings_tags_are_read_only_where_compatibility_is_on_and_ours_win() -> None:
    group = tagged(
        autospotting_min_on_demand_number="1",
        autospotting_min_on_demand_percentage="33.4",
        autospotting_disallowed_instance_types="t2.* t3.*",
    )
    assert policy_of(group, GroupsPolicy()) == GroupPolicy()
    read = policy_of(group, GroupsPolicy(compat_autospotting=True))
    assert read == GroupPolicy(
        on_demand_base=1,
        on_demand_percentage=33,
        denied_types=("t2.*", "t3.*"),
        larger_of_base_and_percentage=True,
    )
    ours = tagged(spotward__on_demand_base="2", **dict(group.tags))
    both = policy_of(ours, GroupsPolicy(compat_autospotting=True))
    assert (both.on_demand_base, both.larger_of_base_and_percentage) == (2, False)
