"""Functions run and topics told for steps of rules: in the region of their ARN, and in words where that fails."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from spotward.aws.reactions import ANSWER_BYTES_MAX, Reactions, plain_subject, region_in
from spotward.model.errors import Permanent, Transient
from tests.aws.conftest import REGION, Moto, set_environment

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:spotward-x"


@dataclass
class Lambda:
    """As much of Lambda as it takes to run a function."""

    url: str = ""
    status: int = 200
    body: bytes = b'{"status": "done"}'
    headers: dict[str, str] = field(default_factory=dict)
    go: threading.Event = field(default_factory=threading.Event)
    heard: list[tuple[str, bytes, str]] = field(default_factory=list)


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lambda]:
    state = Lambda()
    state.go.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            state.heard.append((self.path, body, self.headers["Authorization"].split("/")[2]))
            state.go.wait(20)
            self.send_response(state.status)
            for name, value in {**state.headers, "Content-Length": str(len(state.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(state.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    set_environment(monkeypatch, state.url)
    yield state
    state.go.set()
    server.shutdown()
    server.server_close()


def invoked(name: str = FUNCTION, *, seconds: float = 20.0) -> tuple[bytes, bool]:
    reactions = Reactions()
    try:
        return asyncio.run(reactions.invoke(name, b'{"id": 1}', seconds))
    finally:
        reactions.close()


def test_a_function_is_run_in_the_region_of_its_arn_and_a_name_in_that_of_the_environment(functions: Lambda) -> None:
    assert invoked() == (b'{"status": "done"}', False)
    assert invoked("spotward-y") == (b'{"status": "done"}', False)
    assert [(body, region) for _, body, region in functions.heard] == [
        (b'{"id": 1}', "eu-west-1"),
        (b'{"id": 1}', REGION),
    ]
    assert functions.heard[1][0] == "/2015-03-31/functions/spotward-y/invocations"


def test_a_function_that_failed_says_so(functions: Lambda) -> None:
    functions.headers = {"X-Amz-Function-Error": "Unhandled"}
    functions.body = b'{"errorMessage": "no"}'
    assert invoked() == (b'{"errorMessage": "no"}', True)


def test_one_that_does_not_answer_in_time_may_be_tried_again(functions: Lambda) -> None:
    reactions = Reactions()
    asyncio.run(reactions.invoke(FUNCTION, b"{}", 20.0))  # with a client that is made, which takes its time
    functions.go.clear()
    with pytest.raises(Transient, match=r"did not answer within 0\.5 s"):
        asyncio.run(reactions.invoke(FUNCTION, b"{}", 0.5))
    functions.go.set()
    reactions.close()
    assert len(functions.heard) <= 2, "and is not by itself"


def test_what_lambda_itself_says_is_told_apart(functions: Lambda) -> None:
    functions.status, functions.headers = 429, {"x-amzn-ErrorType": "TooManyRequestsException"}
    with pytest.raises(Transient):
        invoked()
    functions.status, functions.headers = 403, {"x-amzn-ErrorType": "AccessDeniedException"}
    with pytest.raises(Permanent, match=r"add lambda:InvokeFunction to .*deploy/iam-policy-flows\.json"):
        invoked()
    functions.status, functions.headers = 404, {"x-amzn-ErrorType": "ResourceNotFoundException"}
    with pytest.raises(Permanent):
        invoked()
    functions.status, functions.headers, functions.body = 200, {}, b"x" * (ANSWER_BYTES_MAX + 1)
    with pytest.raises(Permanent, match="returned more than"):
        invoked()


def test_without_a_region_that_is_said(functions: Lambda, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(Permanent, match=r"no region is set.*or give its ARN"):
        invoked("spotward-y")


def test_a_topic_is_told_and_one_that_keeps_an_order_is_told_once(moto: Moto) -> None:
    sns, sqs = moto.client("sns"), moto.client("sqs")
    told: dict[str, list[tuple[str, str]]] = {}
    reactions = Reactions()
    for suffix, more in (("", {}), (".fifo", {"FifoTopic": "true"})):
        topic = sns.create_topic(Name=f"spotward-t{suffix}", Attributes=more)["TopicArn"]
        how = {"FifoQueue": "true"} if more else {}
        queue = sqs.create_queue(QueueName=f"spotward-q{suffix}", Attributes=how)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        for _ in range(2):
            asyncio.run(reactions.publish(topic, "Zu heiß:\n  ♥" + "x" * 200, "n-1 is hot ♥", "flow.tell"))
        got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
        told[suffix] = [(said["Subject"], said["Message"]) for each in got for said in [json.loads(each["Body"])]]
    reactions.close()
    assert {(len(subject), text) for subject, text in told[""] + told[".fifo"]} == {(99, "n-1 is hot ♥")}
    assert told[""][0][0].startswith("Zu hei?: ?xx")
    assert (len(told[""]), len(told[".fifo"])) == (2, 1)


def test_a_topic_that_there_is_not_is_said(moto: Moto) -> None:
    reactions = Reactions()
    with pytest.raises(Permanent, match=r"NotFound|does not exist"):
        asyncio.run(reactions.publish(f"arn:aws:sns:{REGION}:123456789012:nowhere", "s", "t", "k"))
    reactions.close()


@pytest.mark.parametrize(
    ("name", "region"),
    [
        (FUNCTION, "eu-west-1"),
        ("spotward-x", ""),
        ("123456789012:function:x", ""),
        ("arn:aws-cn:sns:cn-north-1:1:t", "cn-north-1"),
    ],
)
def test_the_region_is_that_of_the_arn(name: str, region: str) -> None:
    assert region_in(name) == region


def test_a_subject_is_as_sns_takes_it() -> None:
    assert plain_subject(" a\r\n b\x00 ") == "a b"
    assert plain_subject("\n") == ""
