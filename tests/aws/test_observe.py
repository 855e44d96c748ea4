"""Looking at AWS, against plain moto."""

import asyncio
from dataclasses import replace

import pytest

from spotward.aws.observe import LookingQuestion, Observation, Observer, news
from spotward.aws.session import Aws
from spotward.groups.policy import GroupsPolicy
from spotward.groups.scope import in_scope
from spotward.model.action import FindInstance, ObserveGroup, ObserveInstances, ObserveRegion
from spotward.model.cloud import Group, Lifecycle
from spotward.model.event import Event, GroupObserved, InstanceFound, InstancesObserved, RegionObserved
from spotward.model.world import World
from tests.aws.conftest import REGION, Moto
from tests.aws.oracle import Oracle
from tests.aws.stage import NOW, group, members, template
from tests.hand_clock import HandClock


class Look:
    """An observer whose World learns all that it answers."""

    def __init__(self, aws: Aws) -> None:
        self.aws, self.clock, self.world = aws, HandClock(NOW), World()

    def at(self, *questions: LookingQuestion) -> list[Observation]:
        """Ask, all at once; the World learns the answers."""

        async def ask() -> list[Observation]:
            return list(await asyncio.gather(*(self.observer.observe(question, 1) for question in questions)))

        answers = asyncio.run(ask())
        for answer in answers:
            self.learn(answer)
        return answers

    def region(self) -> RegionObserved:
        (answer,) = self.at(ObserveRegion(region=REGION))
        assert isinstance(answer, RegionObserved)
        return answer

    def group(self, name: str, *, details: bool = False, health: bool = False) -> GroupObserved:
        (answer,) = self.at(ObserveGroup(region=REGION, group=name, details=details, health=health))
        assert isinstance(answer, GroupObserved)
        return answer

    def learn(self, event: Event) -> None:
        self.world = self.world.after(event)

    @property
    def calls(self) -> dict[str, int]:
        """Calls since this was last asked."""
        counts = dict(self.aws.counter.counts)
        self.aws.counter.counts.clear()
        return counts

    observer: Observer


@pytest.fixture
def look(aws: Aws) -> Look:
    return looking(aws)


def looking(aws: Aws) -> Look:
    look = Look(aws)
    policy = GroupsPolicy()
    look.observer = Observer(look.aws, look.clock, world=lambda: look.world, in_scope=lambda g: in_scope(g, policy))
    return look


# ---- a region --------------------------------------------------------------------------------------------------------


def test_a_region_is_seen_with_the_instances_of_groups_in_scope_alone(moto: Moto, look: Look) -> None:
    group(moto, "web", tags={"spotward:enabled": "true", "team": "a"})
    group(moto, "other", tags={})
    seen = look.region()
    assert {g.name for g in seen.groups} == {"web", "other"}
    assert {i.id for i in seen.instances} == set(members(moto, "web"))
    assert {i.group for i in seen.instances} == {"web"}
    assert {(i.instance_type, i.lifecycle, i.state) for i in seen.instances} == {
        ("m5.large", Lifecycle.ON_DEMAND, "running")
    }
    web = next(g for g in seen.groups if g.name == "web")
    assert web.propagated == ("team",)
    assert web.launch is not None
    assert web.launch.template_version == "$Latest"


def test_while_nothing_changes_there_is_no_news_and_one_call(moto: Moto, look: Look) -> None:
    group(moto, "web")
    look.region()
    assert look.calls == {"autoscaling.DescribeAutoScalingGroups": 1, "ec2.DescribeInstances": 1}
    seen = look.region()
    assert (seen.groups, seen.gone_groups, seen.instances) == ((), (), ())
    assert look.calls == {"autoscaling.DescribeAutoScalingGroups": 1}


def test_a_changed_group_is_news_and_only_its_new_member_is_asked_for(moto: Moto, look: Look) -> None:
    group(moto, "web")
    group(moto, "api")
    look.region()
    before = set(members(moto, "web"))
    moto.client("autoscaling").set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=3)
    seen = look.region()
    assert [g.name for g in seen.groups] == ["web"]
    assert {i.id for i in seen.instances} == set(members(moto, "web")) - before


def test_a_group_that_is_gone_is_news(moto: Moto, look: Look) -> None:
    group(moto, "web")
    look.region()
    moto.client("autoscaling").delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)
    assert look.region().gone_groups == ("web",)
    assert look.region().gone_groups == ()


def test_a_group_that_a_list_overlooked_is_not_gone(oracle: Oracle, oracle_aws: Aws) -> None:
    web = (
        b"<member><AutoScalingGroupName>web</AutoScalingGroupName><MinSize>0</MinSize><MaxSize>1</MaxSize>"
        b"<DesiredCapacity>0</DesiredCapacity><Tags><member><Key>spotward:enabled</Key><Value>true</Value></member></Tags>"
        b"</member>"
    )
    listed = [web, b"", b""]

    def groups(asked: dict[str, str]) -> bytes:
        named = "AutoScalingGroupNames.member.1" in asked
        inside = (web if there else b"") if named else listed.pop(0)
        result = b"<AutoScalingGroups>%b</AutoScalingGroups>" % inside
        return b"<R><DescribeAutoScalingGroupsResult>%b</DescribeAutoScalingGroupsResult></R>" % result

    oracle.replies["DescribeAutoScalingGroups"] = groups
    look = looking(oracle_aws)
    assert [group.name for group in look.region().groups] == ["web"]
    there = True
    assert look.region().gone_groups == ()
    assert look.calls["autoscaling.DescribeAutoScalingGroups"] == 3
    there = False
    assert look.region().gone_groups == ("web",)


def test_a_group_that_opts_in_later_has_its_instances_asked_for_then(moto: Moto, look: Look) -> None:
    group(moto, "web", tags={})
    assert look.region().instances == ()
    moto.client("autoscaling").create_or_update_tags(
        Tags=[
            {
                "ResourceId": "web",
                "ResourceType": "auto-scaling-group",
                "Key": "spotward:enabled",
                "Value": "true",
                "PropagateAtLaunch": False,
            }
        ]
    )
    assert {i.id for i in look.region().instances} == set(members(moto, "web"))


def test_a_tag_that_an_owner_changed_is_seen_at_the_next_full_look(moto: Moto, look: Look) -> None:
    group(moto, "web")
    look.region()
    first = members(moto, "web")[0]
    moto.client("ec2").create_tags(Resources=[first], Tags=[{"Key": "spotward:keep", "Value": "true"}])
    assert look.region().instances == ()
    look.clock.time += 601
    (kept,) = look.region().instances
    assert (kept.id, kept.pinned) == (first, True)


def test_an_instance_that_was_not_running_is_asked_for_again(moto: Moto, look: Look) -> None:
    group(moto, "web", size=1)
    look.region()
    (instance_id,) = members(moto, "web")
    pending = replace(look.world.instances[instance_id], state="pending")
    look.world = look.world._with_instances([pending])
    assert [i.state for i in look.region().instances] == ["running"]


def test_the_answer_says_when_its_first_call_was_begun(moto: Moto, look: Look) -> None:
    group(moto, "web")
    seen = look.region()
    assert seen.as_of == NOW
    assert seen.key == "observe us-east-1"


def test_more_groups_than_a_page_holds_are_all_seen(moto: Moto, look: Look) -> None:
    launch = {"LaunchTemplateId": template(moto), "Version": "1"}
    for number in range(105):
        group(moto, f"g-{number}", size=0, tags={}, LaunchTemplate=launch)
    assert len(look.region().groups) == 105
    assert look.calls == {"autoscaling.DescribeAutoScalingGroups": 2}


def test_names_with_wildcards_find_their_own_instances_alone(moto: Moto, look: Look) -> None:
    group(moto, "web-*", size=1)
    group(moto, "web-1", size=1, tags={})
    assert [i.group for i in look.region().instances] == ["web-*"]


def test_news_is_what_the_world_does_not_know_yet(moto: Moto, look: Look) -> None:
    group(moto, "web")
    group(moto, "api")
    first = look.region()
    one, other = first.groups
    grown = replace(one, desired=7)

    def told(*groups: Group) -> tuple[tuple[Group, ...], tuple[str, ...]]:
        seen = news(look.world, REGION, groups, (), time=1, as_of=1, key="k", attempt=1)
        return seen.groups, seen.gone_groups

    assert told(one, other) == ((), ())
    assert told(grown, other) == ((grown,), ())
    assert told(other) == ((), (one.name,))


# ---- one group -------------------------------------------------------------------------------------------------------


def test_a_known_group_costs_one_call(moto: Moto, look: Look) -> None:
    group(moto, "web")
    look.region()
    assert look.calls
    seen = look.group("web")
    assert look.calls == {"autoscaling.DescribeAutoScalingGroups": 1}
    assert seen.group is not None
    assert (seen.instances, seen.missing_instances, seen.details, seen.unhealthy) == ((), (), None, None)


def test_details_of_a_group_that_was_just_seen_with_its_region_do_not_describe_it_again(moto: Moto, look: Look) -> None:
    group(moto, "web")
    seen = look.region()
    assert look.calls
    look.clock.time += 15
    answer = look.group("web", details=True)
    assert answer.details is not None
    assert (answer.group, answer.as_of) == (seen.groups[0], seen.as_of)
    assert not look.calls.keys() & {"autoscaling.DescribeAutoScalingGroups", "ec2.DescribeInstances"}


def test_details_of_a_group_describe_it_again_when_it_was_seen_longer_ago_or_the_world_has_not_heard_of_it(
    moto: Moto, look: Look
) -> None:
    group(moto, "web")
    look.region()
    look.clock.time += 16
    assert look.calls
    look.group("web", details=True)
    assert look.calls["autoscaling.DescribeAutoScalingGroups"] == 1
    asyncio.run(look.observer.observe(ObserveRegion(region=REGION), 1))
    assert look.calls["autoscaling.DescribeAutoScalingGroups"] == 1
    look.group("web", details=True)
    assert look.calls["autoscaling.DescribeAutoScalingGroups"] == 1


def test_members_that_are_not_known_are_described_with_the_group(moto: Moto, look: Look) -> None:
    group(moto, "web")
    seen = look.group("web")
    assert {i.id for i in seen.instances} == set(members(moto, "web"))
    assert look.calls == {"autoscaling.DescribeAutoScalingGroups": 1, "ec2.DescribeInstances": 1}


def test_of_a_group_that_did_not_opt_in_nothing_else_is_looked_at(moto: Moto, look: Look) -> None:
    group(moto, "other", tags={})
    seen = look.group("other", details=True, health=True)
    assert seen.group is not None
    assert (seen.instances, seen.details, seen.unhealthy) == ((), None, None)
    assert look.calls == {"autoscaling.DescribeAutoScalingGroups": 1}


def test_a_group_that_does_not_exist_is_an_answer(moto: Moto, look: Look) -> None:
    seen = look.group("nope", details=True)
    assert (seen.group, seen.group_name) == (None, "nope")


# ---- instances -------------------------------------------------------------------------------------------------------


def instances(look: Look, *ids: str, launches: tuple[str, ...] = ()) -> InstancesObserved:
    question = ObserveInstances(region=REGION, group="web", key="k", instance_ids=ids, launches=launches)
    (answer,) = look.at(question)
    assert isinstance(answer, InstancesObserved)
    return answer


def test_an_id_that_ec2_does_not_know_does_not_hide_the_others(moto: Moto, look: Look) -> None:
    group(moto, "web", size=1)
    (known,) = members(moto, "web")
    seen = instances(look, known, "i-0123456789abcdef0")
    assert [i.id for i in seen.instances] == [known]
    assert seen.missing == ("i-0123456789abcdef0",)
    assert look.calls == {"ec2.DescribeInstances": 1}


def test_what_a_launch_made_is_found_by_its_tag_whatever_its_state(moto: Moto, look: Look) -> None:
    group(moto, "web")
    first, second = members(moto, "web")
    ec2 = moto.client("ec2")
    key = "swap us-east-1/web 1 launch *"
    ec2.create_tags(Resources=[first], Tags=[{"Key": "spotward:launch", "Value": key}])
    ec2.create_tags(Resources=[second], Tags=[{"Key": "spotward:launch", "Value": key.replace("*", "another")}])
    ec2.terminate_instances(InstanceIds=[first])
    seen = instances(look, launches=(key,))
    assert [(i.id, i.launched_for) for i in seen.instances] == [(first, key)]
    assert [i.state for i in seen.instances] == ["terminated"]


def test_more_ids_than_a_filter_takes_are_asked_in_parts(moto: Moto, look: Look) -> None:
    seen = instances(look, *(f"i-{number:017x}" for number in range(201)))
    assert len(seen.missing) == 201
    assert look.calls == {"ec2.DescribeInstances": 2}


def test_single_instances_are_looked_for_together(moto: Moto, look: Look) -> None:
    group(moto, "web", size=3)
    ids = [*members(moto, "web"), "i-0123456789abcdef0"]
    answers = look.at(*(FindInstance(region=REGION, instance_id=each) for each in ids))
    found = {a.instance_id: a.instance for a in answers if isinstance(a, InstanceFound)}
    assert found.pop("i-0123456789abcdef0") is None
    assert {i.id: i.group for i in found.values() if i} == dict.fromkeys(ids[:3], "web")
    assert look.calls == {"ec2.DescribeInstances": 1}


def test_an_instance_that_is_looked_for_later_is_looked_for_again(moto: Moto, look: Look) -> None:
    group(moto, "web", size=1)
    (known,) = members(moto, "web")
    for _ in range(2):
        (found,) = look.at(FindInstance(region=REGION, instance_id=known))
        assert isinstance(found, InstanceFound)
        assert found.instance is not None
    assert look.calls == {"ec2.DescribeInstances": 2}
