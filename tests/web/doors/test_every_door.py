"""Every door of the engine and of a plugin's server is tried without a credential, with wrong ones, and with the right.

What doors there are is asked of the servers themselves: of the route table, and by reflection. A new one that has no
row here fails.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from enum import Enum
from pathlib import Path

import grpc
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from fastapi.routing import APIRoute
from google.protobuf.descriptor_pool import DescriptorPool
from grpc import aio
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from starlette.routing import Route

from spotward.engine.clock import SystemClock
from spotward.model.errors import ConfigError
from spotward.model.flow_event import FlowCancelled, FlowEvent
from spotward.plugins.sdk import Answer, Call, Plugin, done
from spotward.plugins.sdk.doors import FIRST, OWN, SECOND
from spotward.plugins.sdk.safety import Safety, Unsafe
from spotward.plugins.sdk.serving import Place, Server
from spotward.plugins.wire import hollowtrees_v1_pb2 as first
from spotward.web.app import build as build_pages
from spotward.web.doors.app import build as build_doors
from spotward.web.doors.by_grpc import SERVICE, grpc_door
from spotward.web.doors.letterbox import Letterbox
from spotward.web.doors.serving import doors
from tests.cluster.papers import certificate, sign, write
from tests.plugins.sdk.fuzzed import answered
from tests.plugins.sdk.served import in_a_loop, request, serving
from tests.web.doors import test_grpc_door
from tests.web.doors.test_doors import ALERT, CLOUD, NOTICE, TOKEN, House
from tests.web.scenes import view

WRONG = "fedcba9876543210-two"


class Door(Enum):
    """What may be done there without a credential."""

    LOCKED = "nothing"
    OPEN = "everybody may look, and nothing acts"


HTTP_DOORS = {
    "POST /api/v1/alerts": (Door.LOCKED, [ALERT]),
    "POST /api/v2/alerts": (Door.LOCKED, [ALERT]),
    "POST /alertmanager": (Door.LOCKED, {"alerts": [ALERT]}),
    "POST /events": (Door.LOCKED, [CLOUD]),
    "POST /eventbridge": (Door.LOCKED, NOTICE),
    "POST /flows/{key}/{what}": (Door.LOCKED, None),
    "GET /openapi.json": (Door.LOCKED, None),
    "GET /healthz": (Door.OPEN, None),
}
"""Method and path → who may, and a body that acts for who may."""

PAGES = {"GET /healthz", "GET /readyz", "GET /metrics"}
"""Read by everybody who reaches their address, which is loopback unless set otherwise; they change nothing."""

ALERT_MESSAGE = first.AlertEvent(eventId="e", eventType="t").SerializeToString()
GRPC_DOORS = {
    f"/{OWN}/Handle": (Door.LOCKED, request().SerializeToString()),
    f"/{OWN}/Describe": (Door.LOCKED, b""),
    f"/{OWN}/Validate": (Door.LOCKED, b""),
    f"/{FIRST}/HandleAlert": (Door.LOCKED, ALERT_MESSAGE),
    f"/{SECOND}/Handle": (Door.LOCKED, ALERT_MESSAGE),
    f"/{SERVICE}/Publish": (Door.LOCKED, test_grpc_door.request()),
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": (Door.LOCKED, b""),
    "/grpc.health.v1.Health/Check": (Door.OPEN, b""),
    "/grpc.health.v1.Health/Watch": (Door.OPEN, b""),
    "/grpc.health.v1.Health/List": (Door.OPEN, b""),
}
STREAMS = {name for name in GRPC_DOORS if name.endswith(("Plugin/Handle", "ReflectionInfo", "Watch"))}


class Deed(Plugin):
    """Counts what it is made to do."""

    name = "deed"

    def __init__(self) -> None:
        self.done = 0

    async def handle(self, call: Call) -> Answer:
        self.done += 1
        return done(call.step)


# ---- HTTP ------------------------------------------------------------------------------------------------------------


async def a_word(key: str, what: str) -> FlowEvent:
    return FlowCancelled(time=1.0, flow=key, by=what)


def routes_of(app: FastAPI) -> set[str]:
    found = [route for route in app.routes if isinstance(route, Route | APIRoute)]
    assert len(found) == len(app.routes), "a kind of route that is not known here"
    methods = [(method, route.path) for route in found for method in sorted(route.methods or ())]
    return {f"{method} {path}" for method, path in methods if method != "HEAD"}


def test_each_route_has_its_row() -> None:
    assert routes_of(build_doors(Letterbox(), SystemClock(), None, word=a_word)) == set(HTTP_DOORS)
    assert routes_of(build_pages(view())) == PAGES


@asynccontextmanager
async def engine_doors(safety: Safety) -> AsyncIterator[tuple[House, str]]:
    house = House()
    living = asyncio.ensure_future(house.live())
    async with doors(house.letterbox, SystemClock(), host="127.0.0.1", port=0, safety=safety, word=a_word) as address:
        assert address is not None
        yield house, address
    living.cancel()
    with suppress(asyncio.CancelledError):
        await living


NOT_LET_IN: dict[str, dict[str, str]] = {
    "nothing": {},
    "a wrong token": {"authorization": f"Bearer {WRONG}"},
    "no scheme": {"authorization": TOKEN},
    "another scheme": {"authorization": f"Basic {TOKEN}"},
    "an empty token": {"authorization": "Bearer"},
    "a part of the token": {"authorization": f"Bearer {TOKEN[:-1]}"},
    "the token and more": {"authorization": f"Bearer {TOKEN} {TOKEN}"},
    "a wrong key": {"x-api-key": WRONG},
    "a cookie": {"cookie": f"authorization=Bearer {TOKEN}"},
    "a word of a proxy": {"x-forwarded-for": "127.0.0.1", "x-original-url": "/healthz"},
}


@pytest.mark.parametrize("row", HTTP_DOORS)
@in_a_loop
async def test_no_door_of_http_acts_without_the_token(row: str, tmp_path: Path) -> None:
    (method, path), (door, body) = row.split(), HTTP_DOORS[row]
    path = path.format(key="k", what="cancel")
    (tmp_path / "tokens").write_text(TOKEN)
    async with (
        engine_doors(Safety(token_file=tmp_path / "tokens")) as (house, address),
        httpx.AsyncClient(base_url=address, trust_env=False, timeout=20) as client,
    ):
        for headers in NOT_LET_IN.values():
            for form in (path, f"{path}?token={TOKEN}"):
                answer = await client.request(method, form, json=body, headers=headers)
                assert answer.status_code == (401 if door is Door.LOCKED else 200)
            for form in (f"{path}/", path.upper(), f"/healthz{path}", f"/healthz;{path}"):
                assert (await client.request(method, form, json=body, headers=headers)).status_code == 401
        assert house.heard == []
        content_type = {"content-type": "application/cloudevents-batch+json"} if path == "/events" else {}
        right = {"authorization": f"Bearer {TOKEN}", **content_type}
        assert (await client.request(method, path, json=body, headers=right)).status_code == 200
        assert bool(house.heard) == (method == "POST")


@in_a_loop
async def test_no_door_of_http_acts_without_a_certificate_where_one_is_wanted(tmp_path: Path) -> None:
    safety = papers(tmp_path)
    async with engine_doors(safety) as (house, address):
        for trust in wrong_trusts(tmp_path):
            async with httpx.AsyncClient(base_url=address, verify=trust, trust_env=False, timeout=20) as client:
                for row, (_, body) in HTTP_DOORS.items():
                    method, path = row.split()
                    with pytest.raises(httpx.HTTPError):
                        await client.request(method, path.format(key="k", what="retry"), json=body)
        assert house.heard == []


def papers(folder: Path) -> Safety:
    """Two authorities, each with a client; and the server of one of them."""
    for authority, names in (("ca", ("server", "client")), ("other", ("stranger",))):
        key = ec.generate_private_key(ec.SECP256R1())
        paper = certificate(f"authority {authority}", key, key, None)
        write(folder / f"{authority}.crt", paper)
        for name in names:
            sign(folder, name, name, None, paper, key)
    return Safety(certificate=folder / "server.crt", key=folder / "server.key", client_ca=folder / "ca.crt")


def wrong_trusts(folder: Path) -> Iterable[ssl.SSLContext]:
    for client in (None, "stranger"):
        context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        if client is not None:
            context.load_cert_chain(folder / f"{client}.crt", folder / f"{client}.key")
        yield context


# ---- gRPC ------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def plugin_server(safety: Safety) -> AsyncIterator[tuple[Callable[[], int], str]]:
    plugin = Deed()
    async with serving(plugin, safety=safety) as server:
        yield lambda: plugin.done, f"127.0.0.1:{server.port}"


@asynccontextmanager
async def events_server(safety: Safety) -> AsyncIterator[tuple[Callable[[], int], str]]:
    async with test_grpc_door.housed(safety) as (house, place):
        yield lambda: len(house.heard), place


SERVERS = {"a plugin": plugin_server, "CloudEvents": events_server}
OPEN = Safety(insecure=True)


def methods_at(place: str) -> set[str]:
    """All that a server answers, as it tells by reflection."""
    with grpc.insecure_channel(place) as channel:
        told = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(told)
        services = [pool.FindServiceByName(name) for name in told.get_services()]
        return {f"/{service.full_name}/{method.name}" for service in services for method in service.methods}


@in_a_loop
async def test_each_method_has_its_row() -> None:
    found: set[str] = set()
    for server in SERVERS.values():
        async with server(OPEN) as (_, place):
            found |= await asyncio.to_thread(methods_at, place)
    assert found == set(GRPC_DOORS)


@pytest.mark.parametrize("name", SERVERS)
@in_a_loop
async def test_no_door_of_grpc_acts_without_the_token(name: str, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(TOKEN)
    async with SERVERS[name](OPEN) as (_, place):
        methods = await asyncio.to_thread(methods_at, place)
    async with SERVERS[name](Safety(token_file=tmp_path / "tokens")) as (deeds, place):
        for headers in ({}, *({"authorization": each} for each in (f"Bearer {WRONG}", TOKEN, "Bearer ", "Basic x"))):
            async with aio.insecure_channel(place, interceptors=[]) as channel:
                for method in methods:
                    door, body = GRPC_DOORS[method]
                    status = await told(channel, method, body, headers)
                    assert (status is grpc.StatusCode.UNAUTHENTICATED) == (door is Door.LOCKED), f"{method}: {status}"
        assert deeds() == 0
        async with aio.insecure_channel(place) as channel:
            for method in sorted(methods - STREAMS):
                await told(channel, method, GRPC_DOORS[method][1], {"authorization": f"Bearer {TOKEN}"})
        assert deeds() > 0


@pytest.mark.parametrize("name", SERVERS)
@in_a_loop
async def test_no_door_of_grpc_opens_without_a_certificate_where_one_is_wanted(name: str, tmp_path: Path) -> None:
    async with SERVERS[name](OPEN) as (_, place):
        methods = await asyncio.to_thread(methods_at, place)
    safety = papers(tmp_path)
    async with SERVERS[name](safety) as (deeds, place):
        authority = (tmp_path / "ca.crt").read_bytes()
        strange = ((tmp_path / "stranger.key").read_bytes(), (tmp_path / "stranger.crt").read_bytes())
        for shown in ((None, None), strange):
            async with aio.secure_channel(place, grpc.ssl_channel_credentials(authority, *shown)) as channel:
                for method in methods:
                    status = await told(channel, method, GRPC_DOORS[method][1], {})
                    assert status is grpc.StatusCode.UNAVAILABLE, method
        assert deeds() == 0


async def told(channel: aio.Channel, method: str, body: bytes, headers: dict[str, str]) -> grpc.StatusCode:
    """The status of a call; that of a stream is its first answer's."""
    return await answered(
        channel, method, body, streams=method in STREAMS, metadata=tuple(headers.items()), first_is_enough=True
    )


# ---- addresses -------------------------------------------------------------------------------------------------------

EVERYWHERE = ("0.0.0.0", "::", "192.0.2.1")


@pytest.mark.parametrize("host", EVERYWHERE)
@in_a_loop
async def test_no_listener_is_opened_to_others_without_tls_or_without_a_credential(host: str, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(TOKEN)
    papers(tmp_path)
    readable = Safety(token_file=tmp_path / "tokens")
    anybody = Safety(certificate=tmp_path / "server.crt", key=tmp_path / "server.key")
    for safety, next_step in (
        (readable, "give a certificate and a key"),
        (anybody, "give a token file or a client CA"),
    ):
        with pytest.raises(ConfigError, match=next_step):
            async with doors(Letterbox(), SystemClock(), host=host, port=0, safety=safety):
                raise AssertionError("not reached")
        with pytest.raises(ConfigError, match=next_step):
            async with grpc_door(Letterbox(), SystemClock(), host=host, port=0, safety=safety):
                raise AssertionError("not reached")
        with pytest.raises(Unsafe, match=next_step):
            Server(Deed(), safety, Place(address=f"[{host}]:0" if ":" in host else f"{host}:0"))
