"""Asking a server over a real connection."""

import asyncio
import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

ANSWER_SECONDS_MAX = 60


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def ask(address: str, path: str, *, method: str = "GET", accept: str = "") -> Answer:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=ANSWER_SECONDS_MAX)
    try:
        connection.request(method, path, headers={"accept": accept} if accept else {})
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(status=answer.status, headers=headers, text=answer.read().decode())
    finally:
        connection.close()


async def get(address: str, path: str, *, method: str = "GET", accept: str = "") -> Answer:
    """Asked from a thread, because the server lives on this loop."""
    return await asyncio.to_thread(ask, address, path, method=method, accept=accept)
