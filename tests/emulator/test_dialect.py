"""The wire, against botocore's own halves of it: what it sends we read, what we send it reads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotward.emulator.dialect import Dialect, Ec2Dialect, JsonDialect, QueryDialect, load_model
from spotward.emulator.objections import Ec2Objections, JsonObjections, QueryObjections
from spotward.emulator.wire import Request
from spotward.sim.errors import ApiError
from tests.emulator.shapes import TEXT, botocore_reads, botocore_sends, values

MODELS = {name: load_model(name) for name in ("ec2", "autoscaling", "elbv2", "sqs", "pricing")}
DIALECTS: dict[str, Dialect] = {
    "ec2": Ec2Dialect(MODELS["ec2"], Ec2Objections()),
    "autoscaling": QueryDialect(MODELS["autoscaling"], QueryObjections()),
    "elbv2": QueryDialect(MODELS["elbv2"], QueryObjections()),
    "sqs": JsonDialect(MODELS["sqs"], JsonObjections(missing_code="MissingParameter")),
    "pricing": JsonDialect(MODELS["pricing"], JsonObjections(missing_code="InvalidParameterException")),
}
OPERATIONS = [
    *(
        ("ec2", name)
        for name in (
            "DescribeInstances", "DescribeInstanceTypes", "DescribeInstanceTypeOfferings", "DescribeSpotPriceHistory",
            "DescribeLaunchTemplateVersions", "DescribeImages", "DescribeSubnets", "DescribeTags", "CreateFleet",
            "CreateTags", "RunInstances", "TerminateInstances", "DescribeInstanceStatus", "CreateLaunchTemplate",
            "DescribeVolumes", "GetSpotPlacementScores",
        )
    ),
    *(
        ("autoscaling", name)
        for name in (
            "DescribeAutoScalingGroups", "DescribeAutoScalingInstances", "DescribeScalingActivities",
            "CreateAutoScalingGroup", "UpdateAutoScalingGroup", "AttachInstances", "CreateOrUpdateTags",
            "DescribeLaunchConfigurations", "CreateLaunchConfiguration", "TerminateInstanceInAutoScalingGroup",
            "SuspendProcesses", "DescribeLifecycleHooks",
        )
    ),
    *(("elbv2", name) for name in ("DescribeTargetHealth", "DescribeTargetGroups", "RegisterTargets")),
    *(
        ("sqs", name)
        for name in (
            "SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch", "CreateQueue",
            "GetQueueAttributes", "ListQueueTags",
        )
    ),
    *(("pricing", name) for name in ("GetProducts", "DescribeServices", "GetAttributeValues")),
]  # fmt: skip


@pytest.mark.parametrize(("service", "name"), OPERATIONS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_what_we_answer_is_what_botocore_reads(service: str, name: str, data: st.DataObject) -> None:
    operation = MODELS[service].operation_model(name)
    shape = operation.output_shape
    answer: dict[str, Any] = data.draw(values(shape)) if shape else {}
    parsed = botocore_reads(DIALECTS[service].answer(name, answer, "req-1"), operation)
    assert parsed.pop("ResponseMetadata")["RequestId"] == "req-1"
    assert parsed == answer


@pytest.mark.parametrize(("service", "name"), OPERATIONS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_what_botocore_sends_is_what_we_read(service: str, name: str, data: st.DataObject) -> None:
    operation = MODELS[service].operation_model(name)
    assert operation.input_shape is not None
    params = data.draw(values(operation.input_shape, solid=service not in {"sqs", "pricing"}))
    request = botocore_sends(params, operation)
    assert DIALECTS[service].operation(request) == name
    assert DIALECTS[service].parameters(name, request) == params


def test_an_empty_list_of_the_query_protocol_is_an_empty_list() -> None:
    operation = MODELS["autoscaling"].operation_model("DescribeAutoScalingGroups")
    request = botocore_sends({"AutoScalingGroupNames": []}, operation)
    assert DIALECTS["autoscaling"].parameters(operation.name, request) == {"AutoScalingGroupNames": []}


@pytest.mark.parametrize("service", sorted(DIALECTS))
@given(code=st.from_regex(r"[A-Za-z.]{1,40}", fullmatch=True), message=TEXT)
@settings(max_examples=10, deadline=None)
def test_an_error_arrives_with_its_code_message_and_status(service: str, code: str, message: str) -> None:
    model = MODELS[service]
    reply = DIALECTS[service].fault(ApiError(code, message, 409), "req-2")
    parsed = botocore_reads(reply, model.operation_model(model.operation_names[0]))
    assert parsed["Error"]["Code"] == code
    assert parsed["ResponseMetadata"] == {**parsed["ResponseMetadata"], "RequestId": "req-2", "HTTPStatusCode": 409}
    assert (parsed["Error"]["Message"] or "") == message


def test_characters_that_xml_cannot_hold_are_replaced_so_that_the_rest_arrives() -> None:
    operation = MODELS["ec2"].operation_model("DescribeTags")
    answer = {"Tags": [{"Key": "a", "Value": "x\x00y\ud800z"}]}
    parsed = botocore_reads(DIALECTS["ec2"].answer("DescribeTags", answer, "r"), operation)
    assert parsed["Tags"] == [{"Key": "a", "Value": "x\ufffdy\ufffdz"}]


def test_members_that_the_model_does_not_know_are_left_out() -> None:
    operation = MODELS["ec2"].operation_model("DescribeTags")
    parsed = botocore_reads(DIALECTS["ec2"].answer("DescribeTags", {"Tags": [], "Later": 1}, "r"), operation)
    assert {name for name in parsed if name != "ResponseMetadata"} == {"Tags"}


@pytest.mark.parametrize(
    ("service", "name", "body", "code"),
    [
        ("ec2", "DescribeInstances", "MaxResults=many", "InvalidParameterValue"),
        ("ec2", "DescribeInstances", "MaxResults=" + "9" * 5000, "InvalidParameterValue"),
        ("ec2", "DescribeInstances", "DryRun=perhaps", "InvalidParameterValue"),
        ("ec2", "DescribeInstances", "NoSuchThing=1", "UnknownParameter"),
        ("ec2", "DescribeInstances", "Filter=x", "InvalidParameterValue"),
        ("ec2", "DescribeInstances", "Filter.x.Name=a", "InvalidParameterValue"),
        ("ec2", "DescribeInstances", "Filter.1=a&Filter.1.Name=a", "InvalidParameterValue"),
        ("ec2", "DescribeInstances", "NextToken.1=a", "InvalidParameterValue"),
        ("ec2", "DescribeSpotPriceHistory", "StartTime=yesterday", "InvalidParameterValue"),
        ("ec2", "TerminateInstances", "", "MissingParameter"),
        ("autoscaling", "AttachInstances", "", "ValidationError"),
        ("autoscaling", "AttachInstances", "AutoScalingGroupName=a&InstanceIds.member=x", "ValidationError"),
        ("autoscaling", "SetDesiredCapacity", "AutoScalingGroupName=a&DesiredCapacity=x", "ValidationError"),
    ],
)
def test_a_malformed_form_is_refused_in_the_services_words(service: str, name: str, body: str, code: str) -> None:
    request = Request(method="POST", path="/", body=f"Action={name}&{body}".encode())
    with pytest.raises(ApiError) as refusal:
        DIALECTS[service].parameters(name, request)
    assert refusal.value.code == code
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "SerializationException"),
        (b"[]", "SerializationException"),
        (b"\xff\xfe\x00", "SerializationException"),
        (b"[" * 100_000, "SerializationException"),
        (b'{"QueueUrl": 5}', "SerializationException"),
        (b'{"QueueUrl": "u", "MaxNumberOfMessages": "10"}', "SerializationException"),
        (b'{"QueueUrl": "u", "MaxNumberOfMessages": true}', "SerializationException"),
        (b"{}", "MissingParameter"),
    ],
)
def test_a_malformed_document_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(ApiError) as refusal:
        DIALECTS["sqs"].parameters("ReceiveMessage", Request(method="POST", path="/", body=body))
    assert refusal.value.code == code


@pytest.mark.parametrize("service", sorted(DIALECTS))
@given(body=st.binary(max_size=200) | st.text(alphabet="abAction=&.1%", max_size=60).map(str.encode))
@settings(max_examples=60, deadline=None)
def test_no_body_can_do_more_than_be_refused(service: str, body: bytes) -> None:
    for name in MODELS[service].operation_names[:5]:
        assert refusal_status(DIALECTS[service], name, body) in range(400, 500)


def refusal_status(dialect: Dialect, name: str, body: bytes) -> int:
    """400 if all went well, too: what matters is that nothing but an ApiError comes out."""
    try:
        dialect.operation(Request(method="POST", path="/", body=body))
        dialect.parameters(name, Request(method="POST", path="/", body=body))
    except ApiError as refusal:
        return refusal.status
    return 400
