"""What is looked at after news, and what is none of our business."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rpds import HashTrieMap

from spotward.groups.policy import GroupsPolicy
from spotward.groups.survey import surveys
from spotward.model.action import FindInstance, ObserveGroup
from spotward.model.decision import NOTHING, Decision
from spotward.model.event import Event, InstanceFound, InstanceLaunched, InterruptionNoticed
from spotward.model.incident import Cause, Incident, Signal
from spotward.model.world import World
from tests.engine.made import NOON, REGION, WEB, a_group, an_instance

OPTED_IN = {"spotward:enabled": "true"}


def launched(group: str | None = "web") -> InstanceLaunched:
    return InstanceLaunched(time=NOON, region=REGION, instance_id="i-new", group=group)


def after(event: Event, **tags: str) -> Decision:
    group = a_group("i-1", tags=tags)
    return surveys(GroupsPolicy())(World(groups=HashTrieMap({group.id: group})), event)


def test_a_launch_in_a_group_that_did_not_opt_in_is_no_news() -> None:
    assert after(launched()) is NOTHING


FOUND = InstanceFound(time=NOON, key="find i-1", region=REGION, instance_id="i-1", instance=an_instance("i-1"))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (replace(FOUND, instance=None), "EC2 does not know it (any more): nothing to do"),
        (replace(FOUND, instance=an_instance("i-1", group=None)), "is in no Auto Scaling group: nothing to do"),
        (replace(FOUND, instance=an_instance("i-1", group="web")), f"its group {WEB} is not opted in: nothing to do"),
    ],
)
def test_of_a_stranger_something_is_said_where_a_notice_made_us_look_and_nothing_where_it_only_started(
    found: InstanceFound, words: str
) -> None:
    group = a_group("i-1")
    world = World(groups=HashTrieMap({group.id: group}))
    survey = surveys(GroupsPolicy())
    assert survey(world, found) is NOTHING
    notice = InterruptionNoticed(time=NOON, region=REGION, instance_id="i-1", deadline=NOON + 120)
    (verdict,) = survey(world.after(notice), found).verdicts
    assert (verdict.subject, verdict.text) == ("i-1", words)


def test_of_a_node_in_no_group_it_is_said_that_it_is_not_replaced_and_looked_after_all_the_same() -> None:
    found = replace(FOUND, instance=an_instance("i-1", group=None))
    signal = Signal(cause=Cause.INTERRUPTION, id="interruption", time=NOON, deadline=NOON + 120)
    incident = Incident(key="k", instance_id="i-1", region=REGION, born=NOON, signals=(signal,), node="n-1")
    notice = InterruptionNoticed(time=NOON, region=REGION, instance_id="i-1", deadline=NOON + 120)
    world = World().after(notice).with_undertaking(incident)
    (verdict,) = surveys(GroupsPolicy())(world, found).verdicts
    assert verdict.text == "is in no Auto Scaling group: it is not replaced; its node n-1 is looked after"


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
