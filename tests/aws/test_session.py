"""One door to AWS: what goes through it, how often, and what comes back when it fails."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from spotward.aws.regions import Atlas, by_partition, within
from spotward.aws.session import Aws, CallCounter
from spotward.aws.threads import Workers
from spotward.aws.translation import NoAnswer
from spotward.model.errors import ConfigError, OutsideError, Permanent, Transient
from tests.aws.conftest import REGION, Moto
from tests.aws.oracle import Oracle, Reply, error, serving


def asked(aws: Aws, service: str, operation: str, **params: Any) -> Any:
    return asyncio.run(aws.call(REGION, service, operation, **params))


@pytest.fixture(scope="module")
def two_attempts() -> Iterator[Aws]:
    """For the oracle; it waits for a second."""
    aws = Aws(attempts_max=2, read_timeout_seconds=1.0)
    yield aws
    aws.close()


@pytest.fixture
def patient(oracle: Oracle, two_attempts: Aws) -> Aws:
    """One that repeats a call, with nothing counted yet."""
    two_attempts.counter.counts.clear()
    two_attempts.counter.retries.clear()
    return two_attempts


def failing(aws: Aws, oracle: Oracle, reply: Callable[[dict[str, Any]], Reply] | Reply) -> OutsideError:
    """What such an answer to a termination comes to."""
    oracle.replies["TerminateInstances"] = reply
    with pytest.raises(OutsideError) as caught:
        asked(aws, "ec2", "terminate_instances", InstanceIds=["i-1"])
    return caught.value


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return boto3.session.Session(region_name=REGION)


# ---- regions ---------------------------------------------------------------------------------------------------------


def regions(aws: Aws, *patterns: str) -> tuple[str, ...]:
    return asyncio.run(aws.regions(patterns))


def test_names_and_globs_mean_regions_in_the_order_they_were_given_each_once(aws: Aws) -> None:
    found = regions(aws, "us-west-2", "eu-west-*", "us-west-2")
    assert found == ("us-west-2", "eu-west-1", "eu-west-2", "eu-west-3")
    assert aws.counter.counts == {"ec2.DescribeRegions": 1}


def test_without_a_name_it_is_the_region_of_the_environment(aws: Aws) -> None:
    assert regions(aws) == (REGION,)


@pytest.mark.parametrize("other", ["AWS_DEFAULT_REGION", None])
def test_aws_region_names_it_too_and_wins(moto: Moto, monkeypatch: pytest.MonkeyPatch, other: str | None) -> None:
    if other is None:
        monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert regions(Aws()) == ("eu-west-3",)


def test_an_aws_configuration_that_cannot_be_read_is_the_user_s_to_correct(
    moto: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "config"
    file.write_text("[default\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    with pytest.raises(ConfigError, match=r"config.*correct that file"):
        regions(Aws())


def test_an_endpoint_that_is_no_url_is_the_user_s_to_correct(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    with pytest.raises(ConfigError, match=r"Invalid endpoint: nonsense; correct AWS_ENDPOINT_URL"):
        regions(Aws())


def test_without_any_region_the_next_step_is_told(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(ConfigError, match=r"no region is set; give --region us-east-1 .*or set AWS_REGION"):
        regions(Aws())


def test_an_unknown_region_is_told_with_what_is_near_it(aws: Aws) -> None:
    with pytest.raises(ConfigError, match=r"unknown region 'us-esat-1'; did you mean .*us-east-1"):
        regions(aws, "us-esat-1")
    with pytest.raises(ConfigError, match="no region matches 'mars-\\*'; the account has af-south-1"):
        regions(aws, "mars-*")
    with pytest.raises(ConfigError, match=r"unknown region 'x'; the account has .* and \d+ more"):
        regions(aws, "x")


def test_a_region_that_is_not_enabled_is_told_from_one_that_does_not_exist(oracle: Oracle, oracle_aws: Aws) -> None:
    oracle.replies["DescribeRegions"] = (
        b"<R><regionInfo><item><regionName>us-east-1</regionName></item></regionInfo></R>"
    )
    with pytest.raises(ConfigError, match="region 'us-east-2' is not enabled in this account; enable it"):
        regions(oracle_aws, "us-east-1", "us-east-2")


def test_other_partitions_are_asked_in_themselves(moto: Moto) -> None:
    heard: list[tuple[str, str]] = []
    aws = Aws(counter=CallCounter(lambda region, name: heard.append((region, name))))
    assert regions(aws, "cn-*", "us-gov-west-1", "eu-west-1") == (
        "cn-north-1",
        "cn-northwest-1",
        "us-gov-west-1",
        "eu-west-1",
    )
    asked_in = [region for region, _ in heard]
    assert asked_in == ["cn-north-1", "us-gov-west-1", "eu-west-1"]


@pytest.mark.parametrize(
    ("home", "patterns", "found"),
    [
        (None, ["*"], {"aws": ["*"]}),
        ("eu-west-1", ["*"], {"aws": ["*"]}),
        ("cn-north-1", ["*"], {"aws-cn": ["*"]}),
        ("us-gov-east-1", ["us-*"], {"aws-us-gov": ["us-*"]}),
        ("cn-north-1", ["us-*"], {"aws": ["us-*"]}),
        ("us-east-1", ["us-gov-west-1", "us-*"], {"aws-us-gov": ["us-gov-west-1", "us-*"]}),
        ("here", ["us-west-*"], {"aws": ["us-west-*"]}),
        ("us-gov-east-1", ["mars-*"], {"aws-us-gov": ["mars-*"]}),
        (None, ["eusc-*", "cn-*"], {"aws-eusc": ["eusc-*"], "aws-cn": ["cn-*"]}),
    ],
)
def test_a_glob_that_could_be_of_several_clouds_is_of_the_one_we_are_in(
    atlas: Atlas, home: str | None, patterns: list[str], found: dict[str, list[str]]
) -> None:
    assert by_partition(patterns, home, atlas) == found


@pytest.mark.parametrize(
    ("partitions", "patterns", "found"),
    [
        (["aws"], [], {"aws": ["*"]}),
        (["aws", "aws-cn"], [], {"aws": ["*"], "aws-cn": ["*"]}),
        (["aws", "aws-cn"], ["cn-*"], {"aws-cn": ["cn-*"]}),
        (["aws", "aws-us-gov"], ["us-*", "eu-west-1"], {"aws": ["us-*", "eu-west-1"], "aws-us-gov": ["us-*"]}),
    ],
)
def test_where_partitions_are_named_patterns_mean_their_regions(
    partitions: list[str], patterns: list[str], found: dict[str, list[str]], atlas: Atlas
) -> None:
    assert within(partitions, patterns, atlas) == found


@pytest.mark.parametrize(
    ("partitions", "patterns", "says"),
    [
        (["aws-mars"], [], "unknown partition 'aws-mars'; there are aws, "),
        (["aws-cn"], ["eu-*"], "no region of aws-cn"),
    ],
)
def test_partitions_that_are_none_and_patterns_outside_them_are_told(
    partitions: list[str], patterns: list[str], says: str, atlas: Atlas
) -> None:
    with pytest.raises(ConfigError, match=says):
        within(partitions, patterns, atlas)


def test_a_region_of_the_environment_that_is_no_region_does_not_stand_in_the_way_of_a_named_one(
    moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "here")
    assert regions(Aws(), "us-west-*") == ("us-west-1", "us-west-2")
    with pytest.raises(ConfigError, match="unknown region 'here'"):
        regions(Aws())


# ---- answers ---------------------------------------------------------------------------------------------------------


def test_pages_are_read_in_the_thread_that_fetched_them(aws: Aws, moto: Moto) -> None:
    names = [f"t{n}" for n in range(3)]
    for name in names:
        moto.client("ec2").create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"ImageId": "ami-1"})
    readers: set[str] = set()

    def read(page: dict[str, Any]) -> list[str]:
        readers.add(threading.current_thread().name)
        return [each["LaunchTemplateName"] for each in page["LaunchTemplates"]]

    pages = asyncio.run(aws.pages(REGION, "ec2", "describe_launch_templates", each=read))
    assert [name for page in pages for name in page] == names
    assert all(name.startswith("aws-") for name in readers)


def test_an_answer_of_another_shape_is_an_error_that_names_the_call(aws: Aws) -> None:
    with pytest.raises(NoAnswer, match=r"ec2\.DescribeInstances in us-east-1: the answer cannot be read \(no 'Nope'\)"):
        asyncio.run(aws.pages(REGION, "ec2", "describe_instances", each=lambda page: page["Nope"]))


def test_times_are_left_as_aws_wrote_them(aws: Aws, moto: Moto) -> None:
    moto.client("ec2").create_launch_template(LaunchTemplateName="t", LaunchTemplateData={"ImageId": "ami-1"})
    (template,) = asked(aws, "ec2", "describe_launch_templates")["LaunchTemplates"]
    assert isinstance(template["CreateTime"], str)


def test_an_answer_that_is_not_the_api_s_is_not_quoted(patient: Aws, oracle: Oracle) -> None:
    caught = failing(patient, oracle, b"user data: hunter2")
    assert isinstance(caught, NoAnswer)
    assert "ec2.TerminateInstances in us-east-1: the answer cannot be read" in str(caught)
    assert "hunter2" not in str(caught)


def test_a_wrong_parameter_is_named_and_its_value_is_not_told(aws: Aws) -> None:
    with pytest.raises(Permanent) as caught:
        asked(aws, "ec2", "run_instances", MinCount=1, MaxCount=1, UserData="hunter2", ImageId={"hunter2": 1}, Wrong=2)
    assert "the request is not valid" in str(caught.value)
    assert "ImageId" in str(caught.value)
    assert "hunter2" not in f"{caught.value!r}{caught.value.__cause__!r}"


# ---- refusals --------------------------------------------------------------------------------------------------------


def refusal(code: str, message: str = "no", status: int = 400) -> Reply:
    return status, error(code, message)


@pytest.mark.parametrize(
    "code", ["RequestLimitExceeded", "Throttling", "ThrottlingException", "EC2ThrottledException", "RequestThrottled"]
)
def test_throttling_passes_and_nothing_was_done(code: str, patient: Aws, oracle: Oracle) -> None:
    caught = failing(patient, oracle, refusal(code, status=503 if code == "RequestLimitExceeded" else 400))
    assert type(caught) is Transient
    assert caught.code == code
    assert caught.retry_after_seconds == 5.0


@pytest.mark.parametrize(
    "code",
    ["ScalingActivityInProgress", "ScalingActivityInProgressFault", "ResourceContention", "ResourceContentionFault"],
)
def test_contention_about_a_group_passes(code: str, oracle_aws: Aws, oracle: Oracle) -> None:
    caught = failing(oracle_aws, oracle, refusal(code))
    assert type(caught) is Transient
    assert caught.retry_after_seconds == 10.0


def test_a_fault_of_aws_leaves_the_outcome_open(patient: Aws, oracle: Oracle) -> None:
    caught = failing(patient, oracle, refusal("InternalError", status=500))
    assert type(caught) is NoAnswer
    assert len(oracle.heard) == 2
    assert patient.counter.counts["ec2.TerminateInstances"] == 1
    assert patient.counter.retries["ec2.TerminateInstances"] == 1


def test_capacity_refusals_are_definite_although_ec2_sends_them_as_faults(patient: Aws, oracle: Oracle) -> None:
    caught = failing(patient, oracle, refusal("InsufficientInstanceCapacity", status=500))
    assert type(caught) is Transient
    assert caught.code == "InsufficientInstanceCapacity"


def test_a_refusal_after_an_attempt_that_got_no_answer_leaves_the_outcome_open(patient: Aws, oracle: Oracle) -> None:
    replies = iter([(500, error("InternalError", "oh")), (400, error("IncorrectState", "it is gone already"))])
    caught = failing(patient, oracle, lambda _: next(replies))
    assert type(caught) is NoAnswer
    assert caught.code == "IncorrectState"


def test_a_time_out_leaves_the_outcome_open(patient: Aws, oracle: Oracle) -> None:
    done = threading.Event()

    def silent(_: dict[str, Any]) -> Reply:
        done.wait(10)
        return b""

    caught = failing(patient, oracle, silent)
    done.set()
    assert type(caught) is NoAnswer
    assert caught.code == "ReadTimeoutError"


def test_an_endpoint_that_nobody_listens_at_was_never_asked(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as closed:
        pass
    monkeypatch.setenv("AWS_ENDPOINT_URL", closed.url)
    caught = failing(Aws(attempts_max=1), oracle, b"")
    assert type(caught) is Transient
    assert caught.code == "EndpointConnectionError"
    assert "check the network, and AWS_ENDPOINT_URL if it is set" in str(caught)


def test_a_missing_permission_is_told_with_the_call_and_the_action(oracle_aws: Aws, oracle: Oracle) -> None:
    caught = failing(oracle_aws, oracle, refusal("UnauthorizedOperation", "You are not authorized.", 403))
    assert type(caught) is Permanent
    assert str(caught) == (
        "ec2.TerminateInstances in us-east-1: access denied (UnauthorizedOperation: You are not authorized.); "
        "add ec2:TerminateInstances to Spotward's policy (see deploy/iam-policy.json)"
    )


def test_a_permission_that_a_call_implies_is_the_one_that_is_named(oracle_aws: Aws, oracle: Oracle) -> None:
    words = (
        "User: arn:aws:iam::1:role/spotward is not authorized to perform: iam:PassRole on resource: role/web "
        + "x" * 999
    )
    caught = failing(oracle_aws, oracle, refusal("AccessDenied", words, 403))
    assert "add iam:PassRole to Spotward's policy" in str(caught)
    assert len(str(caught)) < 700


def test_services_go_by_their_name_in_a_policy(oracle_aws: Aws, oracle: Oracle) -> None:
    oracle.replies["DescribeTargetHealth"] = refusal("AccessDenied", status=403)
    with pytest.raises(Permanent, match="add elasticloadbalancing:DescribeTargetHealth to"):
        asked(oracle_aws, "elbv2", "describe_target_health", TargetGroupArn="arn")


def test_without_credentials_the_next_step_is_told(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(
        Permanent, match=r"no AWS credentials were found; set AWS_PROFILE, or run `aws configure`"
    ) as caught:
        asked(Aws(), "ec2", "describe_instances")
    assert caught.value.code == "NoCredentials"


def test_credentials_that_ran_out_may_be_renewed(oracle_aws: Aws, oracle: Oracle) -> None:
    caught = failing(oracle_aws, oracle, refusal("RequestExpired"))
    assert type(caught) is Transient
    assert "renew the credentials, and check the machine's clock" in str(caught)


def test_a_profile_that_does_not_exist_is_the_user_s_to_correct(moto: Moto) -> None:
    with pytest.raises(ConfigError, match=r"nobody.*look into ~/\.aws/config"):
        asyncio.run(Aws(profile="nobody").regions(["*"]))


def test_any_other_refusal_keeps_its_code_and_words(aws: Aws) -> None:
    with pytest.raises(
        Permanent, match=r"ec2\.TerminateInstances in us-east-1: InvalidInstanceID\.\w+: .*i-0123"
    ) as caught:
        asked(aws, "ec2", "terminate_instances", InstanceIds=["i-0123456789abcdef0"])
    assert caught.value.code == "InvalidInstanceID.NotFound"


# ---- threads ---------------------------------------------------------------------------------------------------------


def test_no_more_calls_are_under_way_than_there_are_threads() -> None:
    workers = Workers(3, name="test")
    lock, under_way, most = threading.Lock(), 0, 0

    def work() -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.02)
        with lock:
            under_way -= 1

    async def all_of_it() -> None:
        await asyncio.gather(*(workers.run(work) for _ in range(12)))

    asyncio.run(all_of_it())
    workers.close()
    assert most == 3


def test_a_thread_that_hangs_holds_up_neither_the_others_nor_the_end() -> None:
    workers = Workers(2, name="test")
    release = threading.Event()

    async def story() -> int:
        hanging = asyncio.create_task(workers.run(release.wait))
        await asyncio.sleep(0)
        answer = await workers.run(lambda: 42)
        hanging.cancel()
        return answer

    assert asyncio.run(asyncio.wait_for(story(), 60)) == 42
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("test-"))
    release.set()


def test_an_error_comes_out_where_the_result_is_awaited() -> None:
    workers = Workers(1, name="test")

    async def story() -> None:
        with pytest.raises(ZeroDivisionError):
            await workers.run(lambda: 1 / 0)
        assert await workers.run(lambda: 1) == 1

    asyncio.run(story())


def test_work_that_was_not_begun_when_it_was_given_up_never_begins() -> None:
    workers = Workers(1, name="test")
    release, begun = threading.Event(), []

    async def story() -> None:
        first = asyncio.create_task(workers.run(release.wait))
        second = asyncio.create_task(workers.run(lambda: begun.append(1)))
        await asyncio.sleep(0.01)
        second.cancel()
        await asyncio.sleep(0)
        release.set()
        await first
        assert await workers.run(lambda: 7) == 7

    asyncio.run(story())
    assert begun == []


def test_boto3_is_not_loaded_before_the_first_call() -> None:
    code = (
        "import sys, spotward.aws.hands, spotward.aws.queue, spotward.aws.observe, spotward.aws.prices\n"
        "from spotward.aws.session import Aws\n"
        "Aws()\n"
        "print([name for name in sys.modules if name in ('boto3', 'botocore')])\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
