"""What is looked at after news, and what is none of our business."""

from __future__ import annotations

import pytest
from rpds import HashTrieMap

from spotward.groups.policy import GroupsPolicy
from spotward.groups.survey import surveys
from spotward.model.action import FindInstance, ObserveGroup
from spotward.model.decision import NOTHING, Decision
from spotward.model.event import Event, InstanceLaunched, InterruptionNoticed
from spotward.model.world import World
from tests.engine.made import NOON, REGION, WEB, a_group

OPTED_IN = {"spotward:enabled": "true"}


def launched(group: str | None = "web") -> InstanceLaunched:
    return InstanceLaunched(time=NOON, region=REGION, instance_id="i-new", group=group)


def after(event: Event, **tags: str) -> Decision:
    group = a_group("i-1", tags=tags)
    return surveys(GroupsPolicy())(World(groups=HashTrieMap({group.id: group})), event)


def test_a_launch_in_a_group_that_did_not_opt_in_is_no_news() -> None:
    assert after(launched()) is NOTHING


def test_a_notice_about_a_group_that_did_not_opt_in_is_answered_in_words() -> None:
    notice = InterruptionNoticed(time=NOON, region=REGION, instance_id="i-1", deadline=NOON + 120)
    group = a_group("i-1")
    world = World(groups=HashTrieMap({group.id: group}), group_of=HashTrieMap({"i-1": group.id}))
    (verdict,) = surveys(GroupsPolicy())(world, notice).verdicts
    assert (verdict.subject, verdict.text) == ("i-1", f"its group {WEB} is not opted in: nothing to do")


@pytest.mark.parametrize(
    ("event", "question"),
    [
        (launched(), ObserveGroup(region=REGION, group="web")),
        (launched(group=None), FindInstance(region=REGION, instance_id="i-new")),
    ],
)
def test_a_launch_in_a_group_of_ours_or_in_one_that_is_not_named_is_looked_at(
    event: Event, question: ObserveGroup | FindInstance
) -> None:
    (wish,) = after(event, **OPTED_IN).wishes
    assert wish.action == question
