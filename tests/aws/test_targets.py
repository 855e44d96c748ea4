"""What load balancers say of a target, asked in one call for all that ask at the same moment."""

import asyncio

from spotward.aws.session import Aws
from spotward.aws.targets import TargetHands, read_classic, read_targets
from spotward.model.balancers import Place
from spotward.model.event import Event
from spotward.model.node_action import LookAtTargets
from spotward.model.node_event import TargetsSeen
from tests.aws.conftest import REGION, Moto
from tests.aws.stage import NOW, group, members
from tests.aws.test_details import target_group
from tests.hand_clock import HandClock

CLASSIC = {"Protocol": "tcp", "LoadBalancerPort": 80, "InstancePort": 80}


def health(instance: str, state: str, port: int = 80) -> dict[str, object]:
    return {"Target": {"Id": instance, "Port": port}, "TargetHealth": {"State": state}}


def looked(aws: Aws, instances: list[str], *places: Place) -> list[Event]:
    hands = TargetHands(aws, HandClock(NOW))

    async def look() -> list[Event]:
        every = (LookAtTargets(region=REGION, instance_id=i, key=f"look {i}", places=places) for i in instances)
        return list(await asyncio.gather(*(hands.do(each, 1) for each in every)))

    return asyncio.run(look())


def states(event: Event) -> dict[str, str]:
    assert isinstance(event, TargetsSeen)
    return dict(event.states)


def test_many_that_ask_at_once_cost_one_call_for_each_target_group(moto: Moto, aws: Aws) -> None:
    arn = target_group(moto)
    group(moto, "web", TargetGroupARNs=[arn])
    first, second = members(moto, "web")[:2]
    moto.client("elbv2").deregister_targets(TargetGroupArn=arn, Targets=[{"Id": second}])
    seen = looked(aws, [first, second, "i-0stranger"], Place(name=arn, managed=True))
    assert [states(each)[arn] for each in seen] == ["healthy", "", ""]
    assert aws.counter.counts["elbv2.DescribeTargetHealth"] == 1


def test_a_target_group_that_is_gone_has_let_go(moto: Moto, aws: Aws) -> None:
    arn = target_group(moto, listener=False)
    moto.client("elbv2").delete_target_group(TargetGroupArn=arn)
    (seen,) = looked(aws, ["i-0123456789abcdef0"], Place(name=arn))
    assert states(seen) == {arn: ""}


def test_a_classic_load_balancer_is_asked_by_its_name(moto: Moto, aws: Aws) -> None:
    moto.client("elb").create_load_balancer(
        LoadBalancerName="old", Listeners=[CLASSIC], AvailabilityZones=[f"{REGION}a"]
    )
    group(moto, "web", LoadBalancerNames=["old"])
    seen = looked(aws, [members(moto, "web")[0], "i-0stranger"], Place(name="old", classic=True))
    assert [states(each)["old"] for each in seen] == ["healthy", ""]
    (gone,) = looked(aws, ["i-0stranger"], Place(name="never", classic=True))
    assert states(gone) == {"never": ""}


def test_of_several_ports_the_one_that_is_furthest_from_being_let_go_counts() -> None:
    told = [health("i-1", "draining", 80), health("i-1", "healthy", 81), health("i-2", "unused"), health("i-3", "new")]
    read = read_targets({"TargetHealthDescriptions": told})
    assert read == {"i-1": "healthy", "i-2": "unused", "i-3": "new"}


def test_a_classic_load_balancer_says_in_words_that_an_instance_is_on_its_way_out() -> None:
    said = "Instance deregistration currently in progress."
    told = [
        {"InstanceId": "i-1", "State": "InService", "Description": said},
        {"InstanceId": "i-2", "State": "InService", "Description": "N/A"},
        {"InstanceId": "i-3", "State": "OutOfService", "Description": None},
    ]
    assert read_classic({"InstanceStates": told}) == {"i-1": "draining", "i-2": "healthy", "i-3": "unused"}
