"""The doors over real sockets: what is told arrives, once it is stored; nobody comes in without a credential."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from spotward.engine.clock import SystemClock
from spotward.model.errors import ConfigError, PayloadError
from spotward.model.event import Event, InterruptionNoticed
from spotward.model.flow_event import Occurred, PluginProgressed
from spotward.plugins.sdk.safety import Safety
from spotward.web.doors.body import BODY_BYTES_MAX
from spotward.web.doors.hurry import Hurry
from spotward.web.doors.letterbox import ASIDES_MAX, Letterbox
from spotward.web.doors.serving import doors
from tests.cluster.papers import certificate, sign, write
from tests.plugins.sdk.served import in_a_loop

TOKEN = "0123456789abcdef-one"
ALERT = {
    "labels": {"alertname": "Hot", "instance": "n-1"},
    "startsAt": "2025-11-22T08:26:01Z",
    "generatorURL": "http://p",
}
CLOUD = {"specversion": "1.0", "id": "1", "source": "/s", "type": "com.example.x", "data": {"a": 1}}
NOTICE = {
    "id": "12345678-1234-1234-1234-123456789012",
    "detail-type": "EC2 Spot Instance Interruption Warning",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2025-11-22T08:26:01Z",
    "region": "us-east-2",
    "resources": ["arn:aws:ec2:us-east-2a:instance/i-1234567890abcdef0"],
    "detail": {"instance-id": "i-1234567890abcdef0", "instance-action": "terminate"},
}


class House:
    """Takes what comes in by the doors, as the engine does: stores it, then acknowledges it."""

    def __init__(self, letterbox: Letterbox | None = None) -> None:
        self.letterbox = letterbox or Letterbox()
        self.heard: list[Event | PayloadError] = []
        self.open = asyncio.Event()
        self.open.set()

    async def live(self) -> None:
        async for delivery in self.letterbox.deliveries():
            await self.open.wait()
            self.heard.append(delivery.event)
            await delivery.acknowledge()

    @property
    def types(self) -> list[str]:
        return [each.occurrence.type for each in self.heard if isinstance(each, Occurred)]


@asynccontextmanager
async def housed(
    safety: Safety | None = None,
    *,
    host: str = "127.0.0.1",
    trust: ssl.SSLContext | None = None,
    letterbox: Letterbox | None = None,
    hurry: Hurry | None = None,
) -> AsyncIterator[tuple[House, httpx.AsyncClient]]:
    house = House(letterbox)
    living = asyncio.ensure_future(house.live())
    safety = safety or Safety(insecure=True)
    async with doors(house.letterbox, SystemClock(), host=host, port=0, safety=safety, hurry=hurry) as address:
        assert address is not None
        async with httpx.AsyncClient(base_url=address, verify=trust or True, trust_env=False, timeout=20) as client:
            yield house, client
    living.cancel()
    with suppress(asyncio.CancelledError):
        await living


@pytest.mark.parametrize("path", ["/api/v1/alerts", "/api/v2/alerts"])
@in_a_loop
async def test_prometheus_finds_an_alertmanager(path: str) -> None:
    over = ALERT | {"endsAt": "2025-11-22T08:27:01Z"}
    async with housed() as (house, client):
        answer = await client.post(path, json=[ALERT, over])
    assert (answer.status_code, answer.json()) == (200, {"status": "success"})
    assert house.types == ["prometheus.server.alert.Hot", "prometheus.server.alert.Hot.resolved"]


@in_a_loop
async def test_a_webhook_of_alertmanager_comes_in() -> None:
    body = {"version": "4", "receiver": "spotward", "alerts": [ALERT | {"status": "firing"}]}
    async with housed() as (house, client):
        assert (await client.post("/alertmanager", json=body)).status_code == 200
    (heard,) = house.heard
    assert isinstance(heard, Occurred)
    assert heard.door == "alertmanager"


@in_a_loop
async def test_cloud_events_come_in_in_each_form() -> None:
    binary = {f"ce-{name}": str(value) for name, value in CLOUD.items() if name != "data"}
    async with housed() as (house, client):
        structured = await client.post(
            "/events", content=json.dumps(CLOUD), headers={"content-type": "application/cloudevents+json"}
        )
        batch = await client.post(
            "/events",
            content=json.dumps([CLOUD, CLOUD | {"id": ""}]),
            headers={"content-type": "application/cloudevents-batch+json"},
        )
        in_headers = await client.post("/events", json={"a": 1}, headers=binary)
    assert [each.status_code for each in (structured, batch, in_headers)] == [200] * 3
    assert batch.json() == {"status": "success", "warnings": ["event 1: it has no id; send a CloudEvent 1.0"]}
    occurred = [each.occurrence for each in house.heard if isinstance(each, Occurred)]
    assert len(occurred) == 3
    assert len(set(occurred)) == 1


@in_a_loop
async def test_an_event_of_eventbridge_is_news_of_an_instance_and_an_occurrence_for_rules() -> None:
    async with housed() as (house, client):
        assert (await client.post("/eventbridge", json=NOTICE)).status_code == 200
        other = NOTICE | {"detail-type": "AWS API Call via CloudTrail", "source": "aws.s3"}
        assert (await client.post("/eventbridge", json=other)).status_code == 200
    notice, *_ = house.heard
    assert isinstance(notice, InterruptionNoticed)
    assert house.types == ["aws.ec2.spot-instance-interruption-warning", "aws.s3.aws-api-call-via-cloudtrail"]


@in_a_loop
async def test_taken_is_said_only_once_it_is_stored() -> None:
    async with housed() as (house, client):
        house.open.clear()
        telling = asyncio.ensure_future(client.post("/api/v2/alerts", json=[ALERT] * 3))
        done, _ = await asyncio.wait({telling}, timeout=0.3)
        assert not done
        house.open.set()
        assert (await telling).status_code == 200
    assert len(house.heard) == 3


@in_a_loop
async def test_what_cannot_be_stored_now_is_to_be_said_again() -> None:
    async with housed(letterbox=Letterbox(letters_max=3, taken_seconds_max=0.1)) as (house, client):
        house.open.clear()
        slow = await client.post("/api/v2/alerts", json=[ALERT] * 2)
        full = await client.post("/api/v2/alerts", json=[ALERT] * 3)
        house.open.set()
    assert (slow.status_code, full.status_code) == (503, 429)
    assert "say it again" in slow.json()["error"]
    assert "1 events wait to be taken up" in full.json()["error"]
    assert slow.headers["retry-after"] == full.headers["retry-after"] == "5"


@in_a_loop
async def test_a_batch_of_any_length_goes_into_an_empty_letterbox() -> None:
    async with housed(letterbox=Letterbox(letters_max=3)) as (house, client):
        assert (await client.post("/api/v2/alerts", json=[ALERT] * 50)).status_code == 200
    assert len(house.heard) == 50


@in_a_loop
async def test_while_as_many_flows_are_open_as_may_be_nothing_new_is_taken_but_news_of_instances_are() -> None:
    async with housed() as (house, client):
        house.letterbox.crowded = lambda: "5 flows are open, as many as may be"
        structured = {"content-type": "application/cloudevents+json"}
        told = [
            await client.post("/api/v2/alerts", json=[ALERT]),
            await client.post("/events", json=CLOUD, headers=structured),
        ]
        assert [each.status_code for each in told] == [429, 429]
        assert told[0].json()["error"] == "5 flows are open, as many as may be; say it again later"
        assert told[0].headers["retry-after"] == "5"
        assert (await client.post("/eventbridge", json=NOTICE)).status_code == 200
        house.letterbox.crowded = lambda: None
        assert (await client.post("/api/v2/alerts", json=[ALERT])).status_code == 200


@in_a_loop
async def test_what_only_tells_how_far_something_is_is_dropped_where_much_waits() -> None:
    letterbox = Letterbox()
    progress = PluginProgressed(time=1.0, flow="f", task="t", text="half")
    for _ in range(ASIDES_MAX + 50):
        await letterbox.aside(progress)
    waiting = [await anext(deliveries) for deliveries in [letterbox.deliveries()] for _ in range(ASIDES_MAX)]
    assert [each.event for each in waiting] == [progress] * ASIDES_MAX
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await anext(letterbox.deliveries())


@in_a_loop
async def test_what_cannot_be_read_is_told_and_set_aside_and_costs_the_rest_nothing() -> None:
    async with housed() as (house, client):
        mixed = await client.post("/api/v2/alerts", json=[ALERT, {"labels": {}}])
        nothing = await client.post("/api/v2/alerts", json=[{"labels": {}}])
    assert mixed.status_code == 200
    assert "alert 1: it has no label `alertname`" in mixed.json()["warnings"][0]
    assert nothing.status_code == 400
    assert [type(each) for each in house.heard] == [Occurred, PayloadError, PayloadError]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/v2/alerts", b"[{", 400),
        ("/api/v2/alerts", b"\xff\xfe", 400),
        ("/api/v2/alerts", b"[" * 100_000, 400),
        ("/api/v2/alerts", b'"x"', 400),
        ("/api/v2/alerts", b" " * (BODY_BYTES_MAX + 1), 413),
        ("/alertmanager", b'{"alerts": 3}', 400),
        ("/events", b"hello", 400),
        ("/eventbridge", b"[]", 400),
        ("/eventbridge", b'{"detail-type": "x"}', 400),
        ("/nowhere", b"{}", 404),
    ],
)
@in_a_loop
async def test_bad_input_is_answered_in_words(path: str, body: bytes, status: int) -> None:
    async with housed() as (_, client):
        answer = await client.post(path, content=body)
        assert answer.status_code == status
        assert status == 404 or answer.json()["error"]
        assert (await client.get("/healthz")).json() == {"open": True}


@in_a_loop
async def test_a_body_without_a_length_is_read_no_further_than_its_limit() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(BODY_BYTES_MAX // 65536 + 10):
            yield b" " * 65536

    async with housed() as (_, client):
        assert (await client.post("/api/v2/alerts", content=endless())).status_code == 413


@in_a_loop
async def test_every_door_is_shut_without_the_token(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(TOKEN)
    async with housed(Safety(token_file=tmp_path / "tokens")) as (house, client):
        for path in ("/api/v1/alerts", "/api/v2/alerts", "/alertmanager", "/events", "/eventbridge", "/openapi.json"):
            for headers in ({}, {"authorization": "Bearer wrong-wrong-wrong-wrong"}, {"authorization": TOKEN}):
                answer = await client.post(path, json=[ALERT], headers=headers)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"
        assert house.heard == []
        assert (await client.get("/healthz")).status_code == 200
        for headers in ({"authorization": f"Bearer {TOKEN}"}, {"x-api-key": TOKEN}):
            assert (await client.post("/api/v2/alerts", json=[ALERT], headers=headers)).status_code == 200


@in_a_loop
async def test_with_an_authority_of_clients_nobody_comes_in_without_a_certificate_of_it(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    paper = certificate("authority", key, key, None)
    write(tmp_path / "ca.crt", paper)
    for name in ("server", "client"):
        sign(tmp_path, name, name, None, paper, key)
    trust = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    safety = Safety(certificate=tmp_path / "server.crt", key=tmp_path / "server.key", client_ca=tmp_path / "ca.crt")
    async with housed(safety, trust=trust) as (_, client):
        with pytest.raises(httpx.HTTPError):
            await client.post("/api/v2/alerts", json=[ALERT])
    trust.load_cert_chain(tmp_path / "client.crt", tmp_path / "client.key")
    async with housed(safety, trust=trust) as (_, client):
        assert (await client.post("/api/v2/alerts", json=[ALERT])).status_code == 200


@pytest.mark.parametrize(
    ("safety", "words"),
    [
        (Safety(), "doors: anybody who reaches this address"),
        (Safety(token_file=Path("/nowhere")), "cannot be read"),
    ],
)
@in_a_loop
async def test_doors_that_would_be_open_to_everybody_are_not_opened(safety: Safety, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        async with doors(Letterbox(), SystemClock(), host="127.0.0.1", port=0, safety=safety):
            raise AssertionError("not reached")
