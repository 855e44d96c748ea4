"""Whatever is sent to the doors is answered in HTTP's own terms, and the doors stay open for the next."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from spotward.plugins.sdk.safety import Safety
from spotward.web.doors.hurry import Hurry
from tests.cluster.papers import BEGIN, END, certificate, sign, write
from tests.plugins.sdk.served import in_a_loop
from tests.web.doors.test_doors import ALERT, CLOUD, TOKEN, House, housed

QUICK = Hurry(request_seconds_max=0.6, body_seconds_max=0.2)


def alert(**fields: Any) -> bytes:
    return json.dumps([ALERT | fields]).encode()


LABELS_BOMB = alert(labels={"alertname": "Hot", **{f"label_{number}": "x" * 20 for number in range(10_000)}})
NESTED = b'{"labels":' * 50_000 + b"{}" + b"}" * 50_000
STRUCTURED = {"content-type": "application/cloudevents+json"}

BAD = {
    "truncated JSON": ("/api/v2/alerts", alert()[:-10], {}, 400, "JSON"),
    "a truncated CloudEvent": ("/events", json.dumps(CLOUD)[:-5].encode(), STRUCTURED, 400, "JSON"),
    "ten megabytes": ("/api/v2/alerts", b"[" + b" " * 10_000_000 + b"]", {}, 413, "longer than"),
    "ten thousand labels": ("/api/v2/alerts", LABELS_BOMB, {}, 400, "characters"),
    "a label beyond the limit": ("/api/v2/alerts", alert(labels={"alertname": "x" * 70_000}), {}, 400, "characters"),
    "nested fifty thousand deep": ("/api/v2/alerts", b"[" + NESTED + b"]", {}, 400, "deep"),
    "numbers without end": ("/api/v2/alerts", b"[" + b"9" * 100_000 + b"]", {}, 400, ""),
    "no number": ("/api/v2/alerts", b"[NaN, Infinity]", {}, 400, ""),
    "labels that are no texts": ("/api/v2/alerts", alert(labels={"alertname": 3}), {}, 400, "send texts"),
    "half a surrogate pair": ("/api/v2/alerts", b'[{"labels": {"alertname": "\\ud800"}}]', {}, 400, "UTF-8"),
    "invalid UTF-8": ("/api/v2/alerts", b'[{"labels": {"alertname": "\xff\xfe"}}]', {}, 400, "UTF-8 at byte"),
    "UTF-16": ("/api/v2/alerts", alert().decode().encode("utf-16"), {}, 400, "UTF-8"),
    "nothing": ("/api/v2/alerts", b"", {}, 400, "JSON"),
    "an unknown version of CloudEvents": (
        "/events", json.dumps(CLOUD | {"specversion": "9.9"}).encode(), STRUCTURED, 400, "1.0",
    ),
    "a form where an event is wanted": (
        "/events", b"a=1&b=2", {"content-type": "application/x-www-form-urlencoded"}, 400, "",
    ),
    "compressed": ("/api/v2/alerts", b"\x1f\x8b\x08" + b"\0" * 20, {"content-encoding": "gzip"}, 400, "UTF-8"),
    "a time that is none": ("/api/v2/alerts", alert(startsAt="yesterday"), {}, 400, "startsAt"),
    "an envelope without end": ("/eventbridge", b'{"detail": ' * 20_000, {}, 400, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
@in_a_loop
async def test_bad_input_of_every_kind_is_answered_clearly_and_the_next_alert_is_taken(name: str) -> None:
    path, body, headers, status, words = BAD[name]
    async with housed() as (house, client):
        answer = await client.post(path, content=body, headers=headers)
        assert answer.status_code == status
        assert answer.json()["status"] == "error"
        assert words in answer.json()["error"]
        assert len(answer.content) < 2_000
        assert (await client.post("/api/v2/alerts", json=[ALERT])).status_code == 200
    assert house.types == ["prometheus.server.alert.Hot"]


@asynccontextmanager
async def raw(address: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection on which anything may be said."""
    place = urlsplit(address)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


HEAD = b"POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\n"
SLOW = {
    "says nothing": b"",
    "half a head": HEAD,
    "a body that does not come": HEAD + b"Content-Length: 100\r\n\r\n[",
    "chunks without end": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n",
}


@pytest.mark.parametrize("name", SLOW)
@in_a_loop
async def test_who_sends_without_end_is_given_up_after_a_time_with_words(name: str) -> None:
    async with housed(hurry=QUICK) as (house, client), raw(str(client.base_url)) as (reader, writer):
        writer.write(SLOW[name])
        said = b""
        while piece := await asyncio.wait_for(reader.read(65_536), 20):  # to its end: the connection is closed
            said += piece
            with suppress(ConnectionError):
                writer.write(b"1\r\n \r\n" if b"chunked" in SLOW[name] else b"")
        assert said.startswith(b"HTTP/1.1 408")
        assert b"did not come whole" in said
        assert (await client.post("/api/v2/alerts", json=[ALERT])).status_code == 200
    assert house.types == ["prometheus.server.alert.Hot"]


@in_a_loop
async def test_who_has_no_credential_holds_no_place_either(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(TOKEN)
    safety = Safety(token_file=tmp_path / "tokens")
    async with housed(safety, hurry=QUICK) as (_, client), raw(str(client.base_url)) as (reader, writer):
        writer.write(SLOW["a body that does not come"])
        said = await asyncio.wait_for(reader.read(), 20)
    assert said.startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize("said", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"\x00" * 70_000])
@in_a_loop
async def test_what_is_no_http_is_told_so(said: bytes) -> None:
    async with housed() as (_, client), raw(str(client.base_url)) as (reader, writer):
        writer.write(said + b"\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 20)
        assert answer.startswith(b"HTTP/1.1 400")
        assert (await client.get("/healthz")).status_code == 200


@in_a_loop
async def test_a_sender_who_goes_away_in_the_middle_of_a_body_leaves_no_trace(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with housed() as (house, client):
        async with raw(str(client.base_url)) as (_, writer):
            writer.write(SLOW["a body that does not come"])
            await writer.drain()
        assert (await client.post("/api/v2/alerts", json=[ALERT])).status_code == 200
    assert house.types == ["prometheus.server.alert.Hot"]
    assert "Traceback" not in capfd.readouterr().err


# ---- certificates ----------------------------------------------------------------------------------------------------


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """Two authorities; of `ca` a server, a client and a client whose time is over, of `other` a client."""
    for authority, names in (("ca", ("server", "client", "late")), ("other", ("stranger",))):
        key = ec.generate_private_key(ec.SECP256R1())
        paper = certificate(f"authority {authority}", key, key, None)
        write(tmp_path / f"{authority}.crt", paper)
        for name in names:
            sign(tmp_path, name, name, None, paper, key, end=BEGIN + timedelta(days=1) if name == "late" else END)
    return tmp_path


def trust(papers: Path, authority: str, client: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(papers / f"{authority}.crt"))
    if client is not None:
        context.load_cert_chain(papers / f"{client}.crt", papers / f"{client}.key")
    return context


async def came_in(papers: Path, context: ssl.SSLContext | None, *, name: str = "127.0.0.1") -> tuple[str, House]:
    """The first line of the answer to an alert, or why there is none; and the house. name: whom we take it for."""
    safety = Safety(certificate=papers / "server.crt", key=papers / "server.key", client_ca=papers / "ca.crt")
    body = json.dumps([ALERT]).encode()
    told = HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    async with housed(safety, trust=trust(papers, "ca", "client")) as (house, owner):
        place = urlsplit(str(owner.base_url))
        hostname = name if context is not None else None
        try:
            where = (place.hostname, place.port)
            reader, writer = await asyncio.open_connection(*where, ssl=context, server_hostname=hostname)
            writer.write(told)
            said = (await asyncio.wait_for(reader.readline(), 20)).decode(errors="replace")
            writer.close()
        except OSError as error:
            said = str(error)
        heard = list(house.heard)
        assert (await owner.post("/api/v2/alerts", json=[ALERT])).status_code == 200
        house.heard = heard
    return said, house


@in_a_loop
async def test_a_client_of_the_authority_comes_in(papers: Path) -> None:
    said, house = await came_in(papers, trust(papers, "ca", "client"))
    assert "200" in said
    assert house.types == ["prometheus.server.alert.Hot"]


@pytest.mark.parametrize(
    ("authority", "client", "name", "words"),
    [
        ("ca", None, "127.0.0.1", ""),  # asyncio ends the handshake, and does not always say why
        ("ca", "stranger", "127.0.0.1", ""),
        ("ca", "late", "127.0.0.1", ""),
        ("other", "client", "127.0.0.1", "certificate verify failed"),
        ("ca", "client", "doors.example", "hostname mismatch"),
    ],
)
@in_a_loop
async def test_wrong_certificates_end_the_handshake(
    papers: Path, authority: str, client: str | None, name: str, words: str
) -> None:
    said, house = await came_in(papers, trust(papers, authority, client), name=name)
    assert words in said.lower()
    assert "HTTP" not in said
    assert house.heard == []


@in_a_loop
async def test_plain_http_leads_nowhere_where_tls_is_spoken(papers: Path) -> None:
    said, house = await came_in(papers, None)
    assert "200" not in said
    assert house.heard == []
