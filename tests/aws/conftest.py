"""Plain moto, served over HTTP on loopback, with no line of ours in it."""

import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

from spotward.aws.session import Aws
from tests.aws.oracle import Oracle, serving

REGION = "us-east-1"


IMAGE = "ami-12c6146b"
"""Moto takes any image for one that there is."""


class Moto:
    """A moto server, and boto3 clients to set the stage with. What is tested never sees these clients."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str = REGION) -> Any:
        """A boto3 client of any service."""
        key = (service, region)
        if key not in self._clients:
            made = boto3.client(  # type: ignore[call-overload]  # the name is not known here
                service,
                region_name=region,
                endpoint_url=self.url,
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
            self._clients[key] = made
        return self._clients[key]


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Moto]:
    """One server for all tests of this process."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield Moto(f"http://{host}:{port}")
    server.stop()


@pytest.fixture
def moto(moto_server: Moto, monkeypatch: pytest.MonkeyPatch) -> Moto:
    """The server, empty, as the AWS of this test's environment."""
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # a hundred for each test took a quarter of its time
    requests.post(f"{moto_server.url}/moto-api/reset", timeout=30).raise_for_status()
    set_environment(monkeypatch, moto_server.url)
    return moto_server


def set_environment(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """What boto3 finds: a server, credentials that are none, and nothing of the machine's own."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)


@pytest.fixture(scope="session")
def shared_aws() -> Iterator[Aws]:
    """What is tested, for tests that need nothing special of it: making its clients takes longer than most tests."""
    aws = Aws()
    yield aws
    aws.close()


@pytest.fixture
def aws(moto: Moto, shared_aws: Aws) -> Aws:
    """AWS as moto plays it, with nothing counted yet."""
    shared_aws.counter.counts.clear()
    return shared_aws


@pytest.fixture(scope="session")
def oracle_server() -> Iterator[Oracle]:
    """One server of prepared answers for all tests of this process."""
    with serving() as oracle:
        yield oracle


@pytest.fixture(scope="session")
def shared_oracle_aws() -> Iterator[Aws]:
    """As `shared_aws`, for the oracle; it never repeats a call."""
    aws = Aws(attempts_max=1)
    yield aws
    aws.close()


@pytest.fixture
def oracle(oracle_server: Oracle, monkeypatch: pytest.MonkeyPatch) -> Oracle:
    """The server, with nothing prepared, as the AWS of this test's environment."""
    oracle_server.replies.clear()
    oracle_server.heard.clear()
    set_environment(monkeypatch, oracle_server.url)
    return oracle_server


@pytest.fixture
def oracle_aws(oracle: Oracle, shared_oracle_aws: Aws) -> Aws:
    """AWS as the oracle plays it, with nothing counted yet."""
    shared_oracle_aws.counter.counts.clear()
    return shared_oracle_aws
