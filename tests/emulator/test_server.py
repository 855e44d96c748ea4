"""The embedded cloud as a server: who is let in, what becomes of nonsense, how it starts and stops."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from spotward.emulator.calls import Call
from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.engine.clock import clock_from_environment
from spotward.model.errors import ConfigError
from tests.emulator.clients import ACCESS_KEY, Clients, refused

OURS = ("ec2", "autoscaling", "elasticloadbalancing", "sqs", "pricing", "events")
MOTOS = ("iam", "sts", "cloudformation")


def raw(
    cloud: Emulator, service: str, body: bytes, *, region: str = "us-east-1", **headers: str
) -> tuple[int, Any, bytes]:
    """A request of any content; its status, headers and body."""
    scope = f"AWS4-HMAC-SHA256 Credential=AKIARAWRAWRAWRAWRAWR/20260101/{region}/{service}/aws4_request, Signature=0"
    given = {"Authorization": scope, "Content-Type": "application/x-www-form-urlencoded"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(cloud.url + "/", body, given)) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def page(cloud: Emulator, method: str, name: str, content: Any = None) -> tuple[int, Any]:
    """One of the emulator's own pages."""
    body = None if content is None else content if isinstance(content, bytes) else json.dumps(content).encode()
    request = urllib.request.Request(f"{cloud.url}/_spotward/{name}", body, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.mark.parametrize("service", OURS + MOTOS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Action=NoSuchThing",
        b"\xff\xfe\x00garbage",
        b"{",
        b"Action=Describe%ZZ&a.b=1&a=2",
        b"=&=&=",
        b"a" * 100_000,
    ],
)
def test_nonsense_is_the_callers_fault(cloud: Emulator, service: str, body: bytes) -> None:
    status, _, answer = raw(cloud, service, body)
    assert 400 <= status < 500, answer[:300]
    assert answer or service in MOTOS


@pytest.mark.parametrize(
    "target", ["AmazonSQS.NoSuchThing", "Nonsense", "AWSEvents.PutEvents", "AmazonSQS.SendMessage"]
)
def test_nonsense_in_json_is_the_callers_fault(cloud: Emulator, target: str) -> None:
    for service in ("sqs", "events", "pricing"):
        for body in (b"", b"[]", b"nonsense", b'{"QueueUrl": {}}', b'{"Entries": 1}'):
            headers = {"X_Amz_Target": target, "Content_Type": "application/x-amz-json-1.0"}
            status, _, answer = raw(cloud, service, body, **headers)
            assert 400 <= status < 500, (service, body, answer[:300])
            assert "__type" in json.loads(answer) or b"Error" in answer


@pytest.mark.parametrize(
    ("service", "code"),
    [
        ("ec2", "AuthFailure"),
        ("autoscaling", "SignatureDoesNotMatch"),
        ("elbv2", "SignatureDoesNotMatch"),
        ("sqs", "InvalidSignatureException"),
    ],
)
def test_an_unknown_region_is_refused(aws: Clients, service: str, code: str) -> None:
    call = {
        "ec2": "describe_instances",
        "autoscaling": "describe_auto_scaling_groups",
        "elbv2": "describe_target_groups",
        "sqs": "list_queues",
    }
    with refused(code, words="mars-north-1"):
        getattr(aws(service, "mars-north-1"), call[service])()


def test_what_is_not_ours_is_answered_by_moto(aws: Clients) -> None:
    assert aws("sts").get_caller_identity()["Account"] == "123456789012"
    aws("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    assert aws("iam").get_role(RoleName="r")["Role"]["RoleName"] == "r"
    aws("s3").create_bucket(Bucket="bucket")
    aws("s3").put_object(Bucket="bucket", Key="k", Body=b"\x00\xff" * 1000, Metadata={"under_score": "kept"})
    got = aws("s3").get_object(Bucket="bucket", Key="k")
    assert got["Body"].read() == b"\x00\xff" * 1000
    assert got["Metadata"] == {"under_score": "kept"}
    aws("ec2").describe_vpcs()


def test_an_operation_that_nobody_knows_is_unsupported(aws: Clients) -> None:
    with refused("UnsupportedOperation", words="ec2."):
        aws("ec2").describe_fast_launch_images()


def test_a_connection_is_kept_between_requests(cloud: Emulator) -> None:
    connection = http.client.HTTPConnection(cloud.url.removeprefix("http://"))
    connection.request("GET", "/_spotward/clock")
    first = connection.sock
    connection.getresponse().read()
    connection.request("GET", "/_spotward/clock")
    assert connection.getresponse().status == 200
    assert connection.sock is first
    connection.close()


def test_a_body_in_chunks_is_read(cloud: Emulator) -> None:
    connection = http.client.HTTPConnection(cloud.url.removeprefix("http://"))
    scope = "AWS4-HMAC-SHA256 Credential=AKIARAWRAWRAWRAWRAWR/20260101/us-east-1/ec2/aws4_request, Signature=0"
    chunks = iter([b"Action=Describe", b"Regions&Version=2016-11-15"])
    connection.request("POST", "/", chunks, {"Authorization": scope}, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 200
    assert b"eu-west-1" in answer.read()
    connection.close()


@pytest.mark.parametrize(
    "text",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_and_the_connection_closed(cloud: Emulator, text: bytes) -> None:
    host, _, port = cloud.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(text)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b" 400 " in answer or b" 413 " in answer


# ---- the account book and the drills ----


def test_calls_are_counted_by_operation_and_by_caller(cloud: Emulator, aws: Clients) -> None:
    assert page(cloud, "DELETE", "calls")[0] == 200
    aws("sqs").list_queues()
    aws("sqs").list_queues()
    with refused("InvalidNextToken"):
        aws("ec2", access_key="AKIAOTHEROTHEROTHERO").describe_tags(NextToken="nonsense")
    _, summary = page(cloud, "GET", "calls")
    assert summary["by_access_key"] == {
        ACCESS_KEY: {"sqs.ListQueues": 2},
        "AKIAOTHEROTHEROTHERO": {"ec2.DescribeTags": 1},
    }
    assert summary["total"] == 3
    assert summary["errors"] == [{"operation": "ec2.DescribeTags", "code": "InvalidNextToken", "count": 1}]
    assert cloud.calls.count(ACCESS_KEY)["sqs.ListQueues"] == 2


def test_the_clock_is_told(cloud: Emulator) -> None:
    _, told = page(cloud, "GET", "clock")
    assert told["speed"] == cloud.settings.speed
    assert 0 <= cloud.clock.now() - told["now"] < 5 * told["speed"]


@pytest.mark.parametrize(
    ("method", "name", "content", "status", "words"),
    [
        ("GET", "nonsense", None, 404, "GET /_spotward/calls"),
        ("POST", "shock", b"{", 400, "not JSON"),
        ("POST", "shock", [], 400, "object"),
        ("POST", "shock", {"pool": "m5.large", "spot_capacity": 0}, 400, "type/zone"),
        ("POST", "shock", {"colour": "red"}, 400, "colour"),
        ("POST", "interrupt", {}, 400, "instance_ids"),
        ("POST", "interrupt", {"pool": "*", "count": 0}, 400, "count"),
        ("POST", "interrupt", {"instance_ids": "i-1"}, 400, "list"),
        ("POST", "interrupt", {"pool": "*", "region": "mars"}, 400, "mars"),
    ],
)
def test_a_page_tells_what_is_wrong(
    cloud: Emulator, method: str, name: str, content: Any, status: int, words: str
) -> None:
    answered, told = page(cloud, method, name, content)
    assert answered == status
    assert words in json.dumps(told)


def test_a_shock_can_be_given_at_run_time(cloud: Emulator, aws: Clients) -> None:
    region = "ap-northeast-1"
    aws("ec2", region).describe_instances()
    shock = {"region": region, "fail": {"operation": "DescribeInstances", "code": "UnauthorizedOperation", "times": 1}}
    assert page(cloud, "POST", "shock", shock)[1]["shocks"] == 1
    with refused("UnauthorizedOperation", status=403):
        aws("ec2", region).describe_instances()
    aws("ec2", region).describe_instances()
    assert region in page(cloud, "GET", "usage")[1]


# ---- start and stop ----


def test_a_cloud_begins_empty_after_another_one(cloud: Emulator) -> None:
    aws = Clients(cloud.url)
    aws("sqs").create_queue(QueueName="left-over")
    vpc = aws("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    cloud.stop()
    cloud.start()
    aws = Clients(cloud.url)
    assert "QueueUrls" not in aws("sqs").list_queues()
    assert vpc not in [one["VpcId"] for one in aws("ec2").describe_vpcs()["Vpcs"]]


def test_a_second_cloud_in_one_process_is_refused(cloud: Emulator) -> None:
    with pytest.raises(RuntimeError, match="running in this process already"):
        Emulator().start()


def test_a_client_that_waits_is_sent_away_when_the_cloud_stops(cloud: Emulator) -> None:
    sqs = Clients(cloud.url)("sqs")
    queue = sqs.create_queue(QueueName="waited-for")["QueueUrl"]
    stopping = threading.Timer(0.3, cloud.stop)
    stopping.start()
    start = time.perf_counter()
    assert "Messages" not in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)
    assert time.perf_counter() - start < 20, "it did not wait out its time"
    stopping.join()
    cloud.start()


def test_whoever_is_told_of_calls_is_told_before_the_answer_is_sent(cloud: Emulator) -> None:
    cloud.stop()
    told: list[Call] = []

    def tell(call: Call) -> None:
        time.sleep(0.2)
        told.append(call)

    with Emulator(on_call=tell) as emulator:
        Clients(emulator.url)("ec2").describe_vpcs()
        assert [call.name for call in told] == ["ec2.DescribeVpcs"]
        assert told[0].status == 200
        assert told[0].answer_bytes > 100
    cloud.start()


def test_an_address_that_is_taken_is_said(cloud: Emulator) -> None:
    url = cloud.url
    cloud.stop()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="choose another --host or --port"):
            Emulator(EmulatorSettings(port=taken.getsockname()[1])).start()
    assert cloud.start() != url


@pytest.mark.parametrize("values", [{"account": "12"}, {"speed": 0}, {"speed": 1e9}, {"port": 70_000}])
def test_settings_that_cannot_be_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        EmulatorSettings(**values)


@pytest.mark.parametrize("name", ["scenario", "prices_file"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    for content in (None, b"\xff\xfe\x00", b"colour: red"):
        path = tmp_path / "file"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigError, match=str(path)):
            Emulator(EmulatorSettings(**{name: path})).start()  # type: ignore[arg-type] # one of two files


def test_another_account_is_another_account_everywhere(cloud: Emulator) -> None:
    cloud.stop()
    with Emulator(EmulatorSettings(account="210987654321")) as emulator:
        aws = Clients(emulator.url)
        assert aws("sts").get_caller_identity()["Account"] == "210987654321"
        assert "/210987654321/" in aws("sqs").create_queue(QueueName="q")["QueueUrl"]
        assert aws("ec2").describe_vpcs()["Vpcs"][0]["OwnerId"] == "210987654321"
    cloud.start()


def test_the_command_tells_a_shell_what_to_export_and_ends_when_told() -> None:
    code = (
        "from spotward.emulator.server import serve; from spotward.emulator.settings import EmulatorSettings;"
        "serve(EmulatorSettings(speed=30.0, start_time=1700000000.0))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(6)]
        environment = dict(line.removeprefix("export ").split("=", 1) for line in lines)
        clock = clock_from_environment(environment)
        assert 1_700_000_000 <= clock.now() < 1_700_100_000
        assert "Regions" in Clients(environment["AWS_ENDPOINT_URL"])("ec2").describe_regions()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
