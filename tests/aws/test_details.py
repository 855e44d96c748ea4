"""What costs further calls to know of a group, against plain moto."""

import asyncio
import json

import pytest

from spotward.aws.details import DetailReader, template_problem
from spotward.aws.observe import Observer
from spotward.aws.session import Aws
from spotward.model.action import ObserveGroup
from spotward.model.cloud import Group, GroupDetails, LaunchSource, LifecycleHook, Member
from spotward.model.errors import OutsideError, Permanent
from spotward.model.event import GroupObserved
from spotward.model.world import World
from tests.aws.conftest import IMAGE, REGION, Moto
from tests.aws.oracle import Oracle, Reply, error
from tests.aws.stage import NOW, group, members, subnets, template
from tests.hand_clock import HandClock


def observed(aws: Aws, name: str = "web", *, details: bool = True, health: bool = False) -> GroupObserved:
    observer = Observer(aws, HandClock(NOW), world=World, in_scope=lambda _: True)
    question = ObserveGroup(region=REGION, group=name, details=details, health=health)
    answer = asyncio.run(observer.observe(question, 3))
    assert isinstance(answer, GroupObserved)
    assert answer.attempt == 3
    return answer


def details(aws: Aws, name: str = "web") -> GroupDetails:
    found = observed(aws, name).details
    assert found is not None
    return found


def test_a_plain_group_has_nothing_special(moto: Moto, aws: Aws) -> None:
    group(moto, "web")
    two = subnets(moto)[:2]
    assert details(aws) == GroupDetails(subnets={each["SubnetId"]: each["AvailabilityZone"] for each in two})


def test_the_details_of_a_group_take_a_call_for_each_question(moto: Moto, aws: Aws) -> None:
    """Moto has no instance refreshes, and is asked twice whether it really means that."""
    group(moto, "web")
    details(aws)
    assert dict(aws.counter.counts) == {
        "autoscaling.DescribeAutoScalingGroups": 1,
        "ec2.DescribeInstances": 1,
        "autoscaling.DescribeLifecycleHooks": 1,
        "autoscaling.DescribeInstanceRefreshes": 2,
        "ec2.DescribeLaunchTemplateVersions": 1,
        "ec2.DescribeSubnets": 1,
    }


def test_hooks_are_told(moto: Moto, aws: Aws) -> None:
    group(moto, "web")
    moto.client("autoscaling").put_lifecycle_hook(
        LifecycleHookName="warm-up",
        AutoScalingGroupName="web",
        LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
        HeartbeatTimeout=120,
        DefaultResult="CONTINUE",
    )
    assert details(aws).hooks == (
        LifecycleHook(
            name="warm-up",
            transition="autoscaling:EC2_INSTANCE_LAUNCHING",
            heartbeat_timeout_seconds=120,
            default_result="CONTINUE",
        ),
    )


# ---- launch data -----------------------------------------------------------------------------------------------------


def test_a_template_that_is_gone_is_told_with_the_next_step(moto: Moto, aws: Aws) -> None:
    template_id = template(moto)
    group(moto, "web", LaunchTemplate={"LaunchTemplateId": template_id, "Version": "$Latest"})
    moto.client("ec2").delete_launch_template(LaunchTemplateId=template_id)
    problem = f"launch template {template_id} version $Latest is gone; point the group to one that exists"
    assert details(aws).launch_problem == problem


def test_a_launch_configuration_that_is_gone_is_told_with_the_next_step(moto: Moto, aws: Aws) -> None:
    autoscaling = moto.client("autoscaling")
    autoscaling.create_launch_configuration(LaunchConfigurationName="lc", ImageId=IMAGE, InstanceType="m5.large")
    group(moto, "web", LaunchConfigurationName="lc")
    assert details(aws).launch_problem is None
    autoscaling.delete_launch_configuration(LaunchConfigurationName="lc")
    assert details(aws).launch_problem == "launch configuration lc is gone; point the group to one that exists"


def test_a_volume_without_type_or_size_is_no_problem(moto: Moto, aws: Aws) -> None:
    data = {"BlockDeviceMappings": [{"DeviceName": "/dev/xvdb", "Ebs": {"DeleteOnTermination": True}}]}
    group(moto, "web", size=0, LaunchTemplate={"LaunchTemplateId": template(moto, **data), "Version": "1"})
    assert details(aws).launch_problem is None


def test_termination_protection_in_the_template_is_told(moto: Moto, aws: Aws) -> None:
    protecting = template(moto, DisableApiTermination=True)
    group(moto, "web", LaunchTemplate={"LaunchTemplateId": protecting, "Version": "1"})
    assert details(aws).termination_protected


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "is gone; point the group"),
        ({"ImageId": "ami-1", "InstanceMarketOptions": {"MarketType": "spot"}}, "asks for Spot itself"),
        ({"InstanceType": "m5.large"}, "names no image"),
    ],
)
def test_launch_data_that_a_fleet_would_refuse_is_told(data: dict[str, object] | None, words: str) -> None:
    problem = template_problem(LaunchSource(template_id="lt-1", template_version="2"), data)
    assert problem is not None
    assert problem.startswith("launch template lt-1 version 2 ")
    assert words in problem


# ---- stack -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "busy"),
    [
        ("UPDATE_IN_PROGRESS", "shop is UPDATE_IN_PROGRESS"),
        ("DELETE_IN_PROGRESS", "shop is DELETE_IN_PROGRESS"),
        ("UPDATE_COMPLETE", None),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None),
        ("UPDATE_ROLLBACK_FAILED", None),
    ],
)
def test_a_stack_that_changes_the_group_is_told(oracle: Oracle, oracle_aws: Aws, status: str, busy: str | None) -> None:
    stack = f"<Stacks><member><StackName>shop</StackName><StackStatus>{status}</StackStatus></member></Stacks>"
    oracle.replies["DescribeStacks"] = f"<R><DescribeStacksResult>{stack}</DescribeStacksResult></R>".encode()
    assert read_details(oracle, oracle_aws, stack="shop").stack_busy == busy


def test_a_stack_that_is_no_more_is_not_busy(moto: Moto, aws: Aws) -> None:
    group(moto, "web", tags={"aws:cloudformation:stack-name": "shop"})
    assert details(aws).stack_busy is None
    assert aws.counter.counts["cloudformation.DescribeStacks"] == 1


# ---- refresh ---------------------------------------------------------------------------------------------------------


def refreshes(status: str) -> bytes:
    one = f"<member><InstanceRefreshId>1</InstanceRefreshId><Status>{status}</Status></member>"
    inner = f"<InstanceRefreshes>{one}</InstanceRefreshes>"
    return f"<R><DescribeInstanceRefreshesResult>{inner}</DescribeInstanceRefreshesResult></R>".encode()


def read_details(
    oracle: Oracle, aws: Aws, *, times: int = 1, stack: str | None = None, reader: DetailReader | None = None
) -> GroupDetails:
    """The last of so many looks at a group without subnets and launch data."""
    tags = {"aws:cloudformation:stack-name": stack} if stack else {}
    web = Group(region=REGION, name="web", min_size=0, max_size=1, desired=1, azs=(), tags=tags)
    hooks = "<DescribeLifecycleHooksResult><LifecycleHooks/></DescribeLifecycleHooksResult>"
    oracle.replies.setdefault("DescribeLifecycleHooks", f"<R>{hooks}</R>".encode())
    oracle.replies.setdefault("DescribeInstanceRefreshes", refreshes("Successful"))
    reader = reader or DetailReader(aws, HandClock(NOW))

    async def ask() -> GroupDetails:
        for _ in range(times - 1):
            await reader.details(web)
        return await reader.details(web)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("status", "running"),
    [("InProgress", True), ("Baking", True), ("RollbackInProgress", True), ("Successful", False), ("Cancelled", False)],
)
def test_an_instance_refresh_that_runs_is_told(oracle: Oracle, oracle_aws: Aws, status: str, running: bool) -> None:
    oracle.replies["DescribeInstanceRefreshes"] = refreshes(status)
    assert read_details(oracle, oracle_aws).refresh_in_progress is running


HTML = (500, b"<!doctype html><title>500 Internal Server Error</title>")


@pytest.mark.parametrize(
    ("reply", "asked"), [(HTML, 2), ((400, error("InvalidAction", "Could not find operation")), 1)]
)
def test_an_endpoint_without_instance_refreshes_is_asked_until_it_is_certain_and_has_none(
    oracle: Oracle, oracle_aws: Aws, reply: tuple[int, bytes], asked: int
) -> None:
    oracle.replies["DescribeInstanceRefreshes"] = reply
    assert not read_details(oracle, oracle_aws, times=3).refresh_in_progress
    assert oracle.times("DescribeInstanceRefreshes") == asked


def test_one_answer_that_is_garbled_on_the_way_does_not_hide_a_refresh(oracle: Oracle, oracle_aws: Aws) -> None:
    answers: list[Reply] = [HTML, refreshes("InProgress")]
    oracle.replies["DescribeInstanceRefreshes"] = lambda _: answers.pop(0)
    assert read_details(oracle, oracle_aws).refresh_in_progress


def test_while_every_answer_is_garbled_nothing_is_believed_and_nothing_is_remembered(
    oracle: Oracle, oracle_aws: Aws
) -> None:
    reader = DetailReader(oracle_aws, HandClock(NOW))
    oracle.replies["DescribeInstanceRefreshes"] = oracle.replies["DescribeLifecycleHooks"] = HTML
    with pytest.raises(OutsideError):
        read_details(oracle, oracle_aws, reader=reader)
    del oracle.replies["DescribeLifecycleHooks"]
    oracle.replies["DescribeInstanceRefreshes"] = refreshes("InProgress")
    assert read_details(oracle, oracle_aws, reader=reader).refresh_in_progress


def test_a_missing_permission_is_not_taken_for_an_answer(oracle: Oracle, oracle_aws: Aws) -> None:
    denied = error("AccessDenied", "User: arn:aws:iam::1:user/x is not authorized")
    oracle.replies["DescribeInstanceRefreshes"] = (403, denied)
    with pytest.raises(Permanent, match="add autoscaling:DescribeInstanceRefreshes to Spotward's policy"):
        read_details(oracle, oracle_aws)


# ---- health ----------------------------------------------------------------------------------------------------------


def target_group(moto: Moto, *, listener: bool = True) -> str:
    elb = moto.client("elbv2")
    two = subnets(moto)[:2]
    made = elb.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=two[0]["VpcId"], TargetType="instance")
    arn = str(made["TargetGroups"][0]["TargetGroupArn"])
    if listener:
        balancer = elb.create_load_balancer(Name="web", Subnets=[each["SubnetId"] for each in two])["LoadBalancers"][0]
        elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
        )
    return arn


def unhealthy(aws: Aws) -> set[str]:
    found = observed(aws, details=False, health=True).unhealthy
    assert found is not None
    return set(found)


def test_members_are_healthy_when_every_target_group_says_so(moto: Moto, aws: Aws) -> None:
    group(moto, "web", TargetGroupARNs=[target_group(moto)])
    assert unhealthy(aws) == set()
    assert aws.counter.counts["elbv2.DescribeTargetHealth"] == 1


def test_a_member_that_is_not_registered_yet_is_not_healthy(moto: Moto, aws: Aws) -> None:
    arn = target_group(moto)
    group(moto, "web", TargetGroupARNs=[arn])
    first = members(moto, "web")[0]
    moto.client("elbv2").deregister_targets(TargetGroupArn=arn, Targets=[{"Id": first}])
    assert unhealthy(aws) == {first}


def test_a_target_group_that_is_gone_is_passed_over(moto: Moto, aws: Aws) -> None:
    arn = target_group(moto, listener=False)
    group(moto, "web", TargetGroupARNs=[arn])
    moto.client("elbv2").delete_target_group(TargetGroupArn=arn)
    assert unhealthy(aws) == set()


def test_a_classic_load_balancer_is_asked_too(moto: Moto, aws: Aws) -> None:
    listener = {"Protocol": "tcp", "LoadBalancerPort": 80, "InstancePort": 80}
    elb = moto.client("elb")
    elb.create_load_balancer(LoadBalancerName="old", Listeners=[listener], AvailabilityZones=["us-east-1a"])
    group(moto, "web", LoadBalancerNames=["old"])
    assert unhealthy(aws) == set()
    elb.delete_load_balancer(LoadBalancerName="old")
    assert unhealthy(aws) == set()
    assert aws.counter.counts["elb.DescribeInstanceHealth"] == 2


def with_members(*ids: str, **rest: tuple[str, ...]) -> Group:
    every = tuple(
        Member(instance_id=each, instance_type="m5.large", az="us-east-1a", lifecycle_state="InService") for each in ids
    )
    return Group(region=REGION, name="web", min_size=0, max_size=9, desired=3, azs=(), members=every, **rest)  # type: ignore[arg-type]  # a test's short cut


def read_unhealthy(aws: Aws, web: Group) -> set[str]:
    return set(asyncio.run(DetailReader(aws, HandClock(NOW)).unhealthy(web)))


def test_a_member_that_a_classic_load_balancer_sends_nothing_to_is_not_healthy(oracle: Oracle, oracle_aws: Aws) -> None:
    states = "".join(
        f"<member><InstanceId>{each}</InstanceId><State>{state}</State></member>"
        for each, state in (("i-1", "InService"), ("i-2", "OutOfService"))
    )
    inner = f"<InstanceStates>{states}</InstanceStates>"
    oracle.replies["DescribeInstanceHealth"] = (
        f"<R><DescribeInstanceHealthResult>{inner}</DescribeInstanceHealthResult></R>".encode()
    )
    assert read_unhealthy(oracle_aws, with_members("i-1", "i-2", "i-3", load_balancers=("old",))) == {"i-2", "i-3"}


@pytest.mark.parametrize(
    ("state", "reason", "healthy"),
    [
        ("healthy", "", True),
        ("unavailable", "Target.HealthCheckDisabled", True),
        ("unused", "Target.NotInUse", True),
        ("initial", "Elb.InitialHealthChecking", False),
        ("unhealthy", "Target.FailedHealthChecks", False),
        ("draining", "Target.DeregistrationInProgress", False),
        ("unused", "Target.InvalidState", False),
    ],
)
def test_a_target_is_healthy_when_traffic_goes_to_it_or_none_goes_to_any(
    oracle: Oracle, oracle_aws: Aws, state: str, reason: str, healthy: bool
) -> None:
    described = (
        f"<member><Target><Id>i-1</Id></Target><TargetHealth><State>{state}</State><Reason>{reason}</Reason>"
        "</TargetHealth></member>"
    )
    inner = f"<TargetHealthDescriptions>{described}</TargetHealthDescriptions>"
    oracle.replies["DescribeTargetHealth"] = (
        f"<R><DescribeTargetHealthResult>{inner}</DescribeTargetHealthResult></R>".encode()
    )
    web = with_members("i-1", target_groups=("arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/web/1",))
    assert read_unhealthy(oracle_aws, web) == (set() if healthy else {"i-1"})


# ---- malformed answers -----------------------------------------------------------------------------------------------


def groups_answer(members: str) -> bytes:
    inner = f"<AutoScalingGroups>{members}</AutoScalingGroups>"
    return f"<R><DescribeAutoScalingGroupsResult>{inner}</DescribeAutoScalingGroupsResult></R>".encode()


@pytest.mark.parametrize(
    "answer",
    [
        groups_answer("<member><AutoScalingGroupName>web</AutoScalingGroupName></member>"),
        groups_answer("<member><MinSize>many</MinSize></member>"),
        b"<R/>",
        b"garbage",
        b"",
        json.dumps({"AutoScalingGroups": []}).encode(),
    ],
)
def test_an_answer_of_another_shape_is_an_error_that_names_the_call(
    oracle: Oracle, oracle_aws: Aws, answer: bytes
) -> None:
    oracle.replies["DescribeAutoScalingGroups"] = answer
    with pytest.raises(OutsideError, match=r"autoscaling\.DescribeAutoScalingGroups in us-east-1"):
        observed(oracle_aws)
