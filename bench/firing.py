"""Alerts at a fixed rate: `python -m bench.firing ADDRESS PER_SECOND SECONDS TIMES TOGETHER`, a process of its own.

The times at which alerts are sent are fixed beforehand, and what is measured of each begins then: an alert that could
not be sent in time, because all connections were waiting for answers, has waited all the same. So a stall shows in
every alert that fell into it, and not in the one that happened to be under way.

So many alerts come TOGETHER in a POST, as Prometheus sends what one evaluation has found, and each is told so many
TIMES, one after the other. HTTP is written by hand, because a client library would take the processor from what is
measured.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

CONNECTIONS = 64
WARM_SECONDS = 1.0
"""Of these at the beginning nothing is told: connections are made then, and code is run for the first time."""


def alert(number: int) -> dict[str, object]:
    """One, as Prometheus sends it."""
    labels = {
        "alertname": "Hot",
        "instance": f"10.0.{number // 250}.{number % 250}:9100",
        "instance_id": f"i-{number:017x}",
        "job": "node",
        "cluster": "prod",
        "severity": "critical",
    }
    annotations = {"summary": f"{labels['instance']} is hot", "runbook_url": "https://example.org/runbooks/hot"}
    began = {"startsAt": "2025-11-22T08:26:01.123Z", "endsAt": "2099-11-22T08:30:01.123Z"}
    return {"labels": labels, "annotations": annotations, "generatorURL": "http://prometheus:9090/graph", **began}


def request(host: str, body: bytes) -> bytes:
    """The POST."""
    head = f"POST /api/v2/alerts HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Firing:
    """Fires, and keeps how long each took."""

    def __init__(self, address: str, times: int, together: int) -> None:
        """times: so often each alert is told. together: so many stand in a POST."""
        self._times, self._together = times, together
        place = urlsplit(address)
        assert place.hostname is not None
        self._host, self._port = place.hostname, place.port
        self._waiting: asyncio.Queue[tuple[float, int]] = asyncio.Queue()
        self.seconds: list[float] = []
        self.refused = 0
        """Answers other than 200."""

    async def fire(self, per_second: float, seconds: float) -> None:
        """At so many a second, for so long; returns when all were answered."""
        senders = [asyncio.ensure_future(self._send()) for _ in range(CONNECTIONS)]
        began = time.perf_counter() + 0.1
        for number in range(0, int(per_second * seconds), self._together):
            due = began + number / per_second
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            self._waiting.put_nowait((due, number))
        await asyncio.wait([asyncio.ensure_future(self._waiting.join()), *senders], return_when="FIRST_COMPLETED")
        for sender in senders:
            if sender.done():
                sender.result()
            sender.cancel()
        self.seconds = self.seconds[int(per_second * WARM_SECONDS) // self._together :]

    async def _send(self) -> None:
        line = await asyncio.open_connection(self._host, self._port)
        while True:
            due, number = await self._waiting.get()
            several = [alert((number + at) // self._times) for at in range(self._together)]
            told = request(self._host, json.dumps(several).encode())
            status = await self._answer(line, told)
            if status is None:  # the server has closed a connection on which nothing was said for a while
                line = await asyncio.open_connection(self._host, self._port)
                status = await self._answer(line, told)
            self.seconds.append(time.perf_counter() - due)
            self.refused += status != 200
            self._waiting.task_done()

    async def _answer(self, line: tuple[asyncio.StreamReader, asyncio.StreamWriter], told: bytes) -> int | None:
        """The status; None where the connection was closed before there was an answer."""
        reader, writer = line
        try:
            writer.write(told)
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return None
        await reader.readexactly(int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]))
        return int(head.split(b" ", 2)[1])


def share(seconds: Sequence[float], percent: float) -> float:
    """So many of a hundred took no longer."""
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * percent / 100))]


def main(address: str, per_second: str, seconds: str, times: str, together: str) -> None:
    """Fire, and tell milliseconds as JSON."""
    firing = Firing(address, int(times), int(together))
    asyncio.run(firing.fire(float(per_second), float(seconds)))
    told = {f"p{percent:g}_ms": 1000 * share(firing.seconds, percent) for percent in (50, 99, 99.9, 100)}
    sys.stdout.write(json.dumps({"refused": firing.refused, **told}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
