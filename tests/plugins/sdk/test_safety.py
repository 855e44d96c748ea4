"""Without credentials nobody comes in, and renewed ones are taken up while the server runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from grpc import aio

from spotward.plugins.sdk import Call, plugin
from spotward.plugins.sdk.doors import FIRST, OWN, SECOND
from spotward.plugins.sdk.safety import Safety, Unsafe
from spotward.plugins.sdk.serving import Server
from spotward.plugins.wire import plugin_pb2 as own
from tests.cluster.papers import certificate, sign, write
from tests.plugins.sdk.served import Caller, in_a_loop, request, serving

TOKEN = "0123456789abcdef-one"
NEWER = "0123456789abcdef-two"


@plugin(name="deed")
async def deed(call: Call) -> str:
    return "done"


@asynccontextmanager
async def reached(server: Server, *, token: str | None = None) -> AsyncIterator[Caller]:
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield Caller(channel, token)


@asynccontextmanager
async def reached_safely(
    server: Server, papers: Path, *, authority: str = "ca", client: str | None = None, token: str | None = None
) -> AsyncIterator[Caller]:
    trusted = (papers / f"{authority}.crt").read_bytes()
    key = None if client is None else (papers / f"{client}.key").read_bytes()
    chain = None if client is None else (papers / f"{client}.crt").read_bytes()
    credentials = grpc.ssl_channel_credentials(trusted, key, chain)
    async with aio.secure_channel(f"127.0.0.1:{server.port}", credentials) as channel:
        yield Caller(channel, token)


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    issue(tmp_path, "ca", "server", "client")
    return tmp_path


def issue(folder: Path, authority: str, *names: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    paper = certificate(f"authority {authority}", key, key, None)
    write(folder / f"{authority}.crt", paper)
    for name in names:
        sign(folder, name, name, None, paper, key)


def token_file(folder: Path, *tokens: str) -> Path:
    file = folder / "tokens"
    file.write_text("\n".join(tokens) + "\n")
    return file


async def is_shut(caller: Caller, *codes: grpc.StatusCode) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await caller.handle(request())
    assert caught.value.code() in codes


@pytest.mark.parametrize(
    ("safety", "address", "words"),
    [
        (Safety(), "127.0.0.1", "anybody who reaches this address could make it act"),
        (Safety(certificate=Path("a")), "127.0.0.1", "a certificate and its key go together"),
        (Safety(client_ca=Path("a")), "127.0.0.1", "client certificates need TLS"),
        (Safety(certificate=Path("a"), key=Path("b")), "127.0.0.1", "give a token file or a client CA"),
        (Safety(token_file=Path("a")), "0.0.0.0", "a token could be read on the way"),
        (Safety(token_file=Path("a")), "[::]", "a token could be read on the way"),
        (Safety(token_file=Path("/nowhere")), "127.0.0.1", "/nowhere cannot be read: No such file"),
    ],
)
def test_what_would_let_anybody_in_is_not_started(safety: Safety, address: str, words: str) -> None:
    with pytest.raises(Unsafe, match=words):
        safety.checked(address)


def test_a_token_that_is_guessed_soon_is_none(tmp_path: Path) -> None:
    with pytest.raises(Unsafe, match="shorter than 16"):
        Safety(token_file=token_file(tmp_path, "hunter2")).checked("127.0.0.1")
    with pytest.raises(Unsafe, match="holds no token"):
        Safety(token_file=token_file(tmp_path, "")).checked("127.0.0.1")


@in_a_loop
async def test_every_door_is_shut_without_the_token(tmp_path: Path) -> None:
    safety = Safety(token_file=token_file(tmp_path, TOKEN))
    async with serving(deed, safety=safety) as server:
        for token in (None, NEWER, ""):
            async with reached(server, token=token) as caller:
                await is_shut(caller, grpc.StatusCode.UNAUTHENTICATED)
                for method in (f"/{OWN}/Describe", f"/{OWN}/Validate", f"/{FIRST}/HandleAlert", f"/{SECOND}/Handle"):
                    with pytest.raises(aio.AioRpcError) as caught:
                        await caller.send(method, b"")
                    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
                assert await caller.send("/grpc.health.v1.Health/Check", b"")
        async with reached(server, token=TOKEN) as caller:
            assert (await caller.result(request())).status == own.Result.STATUS_DONE


@in_a_loop
async def test_a_renewed_token_opens_and_the_old_one_does_not_any_more(tmp_path: Path) -> None:
    safety = Safety(token_file=token_file(tmp_path, TOKEN))
    async with serving(deed, safety=safety) as server:
        token_file(tmp_path, TOKEN, NEWER)
        async with reached(server, token=TOKEN) as one, reached(server, token=NEWER) as other:
            assert (await one.result(request())).text == (await other.result(request())).text == "done"
            token_file(tmp_path, NEWER)
            await is_shut(one, grpc.StatusCode.UNAUTHENTICATED)
            token_file(tmp_path, "")  # in the middle of being written: what was read last stands
            assert (await other.result(request())).text == "done"


@in_a_loop
async def test_without_a_certificate_of_the_authority_nobody_comes_in(papers: Path) -> None:
    issue(papers, "stranger", "strange-client")
    safety = Safety(certificate=papers / "server.crt", key=papers / "server.key", client_ca=papers / "ca.crt")
    async with serving(deed, safety=safety) as server:
        async with reached_safely(server, papers, client="client") as caller:
            assert (await caller.result(request())).text == "done"
        async with reached_safely(server, papers) as caller:
            await is_shut(caller, grpc.StatusCode.UNAVAILABLE)
        async with reached_safely(server, papers, client="strange-client") as caller:
            await is_shut(caller, grpc.StatusCode.UNAVAILABLE)
        async with reached_safely(server, papers, authority="stranger", client="client") as caller:
            await is_shut(caller, grpc.StatusCode.UNAVAILABLE)
        async with reached(server) as caller:
            await is_shut(caller, grpc.StatusCode.UNAVAILABLE)


@in_a_loop
async def test_a_renewed_certificate_is_shown_to_the_next_who_connects(papers: Path) -> None:
    safety = Safety(certificate=papers / "server.crt", key=papers / "server.key", token_file=token_file(papers, TOKEN))
    async with serving(deed, safety=safety) as server:
        async with reached_safely(server, papers, token=TOKEN) as caller:
            assert (await caller.result(request())).text == "done"
        issue(papers, "newer", "server")
        async with reached_safely(server, papers, authority="newer", token=TOKEN) as caller:
            assert (await caller.result(request())).text == "done"
        (papers / "server.crt").write_text("in the middle of being written")
        async with reached_safely(server, papers, authority="newer", token=TOKEN) as caller:
            assert (await caller.result(request())).text == "done"
