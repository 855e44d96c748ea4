"""boto3 clients for an embedded cloud, and the way in which its refusals are looked at."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

ACCESS_KEY = "AKIAPLAYERPLAYERPLAY"


_SESSION = boto3.session.Session()


class Clients:
    """Clients by service and region; without retries unless they are wanted. Making one takes boto3 a while: once."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(
        self, service: str, region: str = "us-east-1", *, access_key: str = ACCESS_KEY, attempts: int = 1
    ) -> Any:
        return _client(self.url, service, region, access_key, attempts)


@cache
def _client(url: str, service: str, region: str, access_key: str, attempts: int) -> Any:
    return _SESSION.client(  # type: ignore[call-overload] # the service is not known beforehand
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id=access_key,
        aws_secret_access_key="x",
        config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
    )


@contextmanager
def refused(code: str, *, status: int | None = None, words: str = "") -> Iterator[pytest.ExceptionInfo[ClientError]]:
    """The call within is refused with that code (and HTTP status, and words in its message)."""
    with pytest.raises(ClientError) as refusal:
        yield refusal
    response: Any = refusal.value.response
    assert response["Error"]["Code"] == code, response["Error"]
    assert words in response["Error"]["Message"]
    assert response["ResponseMetadata"]["RequestId"]
    if status is not None:
        assert response["ResponseMetadata"]["HTTPStatusCode"] == status


def eventually(question: Callable[[], Any], *, seconds_max: float = 60.0) -> Any:
    """The first true answer; fails if there is none in time."""
    start = time.perf_counter()
    while not (answer := question()):
        assert time.perf_counter() - start < seconds_max, f"still {answer!r} after {seconds_max} s"
        time.sleep(0.02)
    return answer
