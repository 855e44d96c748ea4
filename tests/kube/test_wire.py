"""Connections that break, hang and come back; who we are; and what is said about it."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from spotward.engine.clock import SystemClock
from spotward.kube import client
from spotward.kube.client import Kube
from spotward.kube.configuration import Cluster, ExecPlugin
from spotward.kube.resources import NODES, PODS
from spotward.model.errors import ConfigError, OutsideError, Permanent, Transient
from tests.kube.scripted import Scripted, Visit, always, served, status_body

FINE = {"kind": "Node", "metadata": {"name": "n-1", "uid": "u-1"}}


async def ask(server: Scripted, times: int = 1) -> list[dict[str, Any]]:
    kube = server.kube()
    answers = [await kube.json("get", NODES, name="n-1") for _ in range(times)]
    kube.close()
    return answers


def test_a_connection_is_kept() -> None:
    async def play() -> None:
        async with served(always(200, FINE)) as server:
            assert await ask(server, times=5) == [FINE] * 5
            assert server.visits == 1

    asyncio.run(play())


def test_a_connection_that_was_closed_while_it_was_idle_costs_no_answer() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(200, FINE)  # and then it is closed, without a word of warning

    async def play() -> None:
        async with served(script) as server:
            assert await ask(server, times=3) == [FINE] * 3
            assert server.visits == 3

    asyncio.run(play())


def test_a_connection_that_breaks_within_an_answer_is_an_error_and_not_asked_again() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(200, FINE)
        await visit.request()
        await visit.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")

    async def play() -> None:
        async with served(script) as server:
            with pytest.raises(Transient) as caught:
                await ask(server, times=2)
            assert caught.value.code == "Unreachable"
            assert server.visits == 1

    asyncio.run(play())


def test_a_server_that_never_answers_is_given_up_in_time_and_the_next_call_is_not_harmed() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        if visit.number == 1:
            await asyncio.sleep(30)
        await visit.say(200, FINE)

    async def play() -> None:
        async with served(script) as server:
            kube = server.kube()
            begun = time.perf_counter()
            with pytest.raises(Transient, match=r"no answer within 0\.2 s") as caught:
                await kube.json("get", NODES, name="n-1", timeout_seconds=0.2)
            assert caught.value.code == "Timeout"
            assert time.perf_counter() - begun < 5.0
            assert await kube.json("get", NODES, name="n-1") == FINE

    asyncio.run(play())


def test_nobody_there_is_said_with_the_address_and_where_it_was_read() -> None:
    async def play() -> None:
        async with served(always(200, FINE)) as server:
            kube = server.kube()
        await asyncio.sleep(0)
        with pytest.raises(Transient, match=r"127\.0\.0\.1:\d+, named by the test, cannot be reached") as caught:
            await kube.version()
        assert caught.value.code == "Unreachable"

    asyncio.run(play())


@pytest.mark.parametrize("body", [b"<html>Welcome to nginx!</html>", b"[1, 2]", b""])
def test_something_that_is_no_api_server_is_told_from_one(body: bytes) -> None:
    async def play() -> None:
        async with served(always(200, body)) as server:
            with pytest.raises(Permanent, match="not as an API server does"):
                await server.kube().version()

    asyncio.run(play())


def test_something_that_does_not_speak_http_is_an_error_and_no_crash() -> None:
    async def script(visit: Visit) -> None:
        await visit.raw(b"SSH-2.0-OpenSSH_9.9\r\n")
        await asyncio.sleep(1)

    async def play() -> None:
        async with served(script) as server:
            with pytest.raises(Transient):
                await server.kube().version()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (403, "Forbidden", Permanent),
        (404, "NotFound", Permanent),
        (409, "Conflict", Transient),
        (410, "Expired", Transient),
        (422, "Invalid", Permanent),
        (500, "InternalError", Transient),
        (503, "ServiceUnavailable", Transient),
    ],
)
def test_a_refusal_says_whether_trying_again_may_help(status: int, reason: str, kind: type[OutsideError]) -> None:
    async def play() -> None:
        async with served(always(status, status_body(reason, "so it is"))) as server:
            with pytest.raises(kind, match="so it is") as caught:
                await ask(server)
            assert caught.value.code == reason

    asyncio.run(play())


def test_right_after_an_outage_a_want_of_rights_is_no_answer_yet() -> None:
    """A server that has just begun forbids everything; one that was there all the time means it."""
    refused = status_body("Forbidden", 'nodes "n-1" is forbidden: User "x" cannot get resource "nodes"')

    async def script(visit: Visit) -> None:
        while True:
            _, target, *_ = await visit.request()
            if "pods" in target:
                return  # hangs up
            await visit.say(403, refused)

    async def play() -> None:
        async with served(script) as server:
            kube = server.kube()
            for _ in range(2):
                with pytest.raises(Permanent, match="grant it"):
                    await kube.json("get", NODES, name="n-1")
            with pytest.raises(Transient):
                await kube.answer("list", PODS)
            for _ in range(2):
                with pytest.raises(Transient, match="may not know our rights yet"):
                    await kube.answer("get", NODES, name="n-1")
            with pytest.raises(Transient, match="may not know our rights yet"):
                async with kube.stream(NODES, namespace=None, query={"watch": "true"}):
                    pass

    asyncio.run(play())


def test_too_many_requests_hold_everything_back_but_what_is_urgent() -> None:
    async def script(visit: Visit) -> None:
        while True:
            _, target, *_ = await visit.request()
            if "pods" in target:
                await visit.say(429, b"Too many requests", Retry_After="2")
            else:
                await visit.say(200, FINE)

    async def play() -> None:
        async with served(script) as server:
            kube = server.kube()
            await kube.answer("list", PODS)
            begun = time.perf_counter()
            waiting = asyncio.create_task(kube.json("get", NODES, name="n-1"))
            await kube.json("get", NODES, name="n-1", urgent=True)
            assert not waiting.done()
            await waiting
            assert time.perf_counter() - begun >= 1.9
            assert kube.slowed == {"list pods": 1}

    asyncio.run(play())


def test_what_is_urgent_does_not_queue_behind_a_storm() -> None:
    held = asyncio.Event()

    async def script(visit: Visit) -> None:
        while True:
            _, target, *_ = await visit.request()
            if "pods" in target:
                await held.wait()
            await visit.say(200, FINE)

    async def play() -> None:
        async with served(script) as server:
            cluster = Cluster(server=f"http://127.0.0.1:{server.port}", origin="the test")
            kube = Kube(cluster, clock=SystemClock(), requests_at_once_max=2)
            storm = [asyncio.create_task(kube.answer("list", PODS)) for _ in range(20)]
            await asyncio.sleep(0.1)
            async with asyncio.timeout(5):
                assert await kube.json("get", NODES, name="n-1", urgent=True) == FINE
            assert server.visits == 3, "two of the storm, and the urgent one"
            held.set()
            assert {answer.status for answer in await asyncio.gather(*storm)} == {200}

    asyncio.run(play())


def test_no_server_can_make_us_wait_longer_than_our_own_limit() -> None:
    kube = Kube(Cluster(server="http://127.0.0.1:1", origin="the test"), clock=SystemClock())
    kube.pause(3600.0)
    assert kube._paused_until - time.perf_counter() <= client.PAUSE_SECONDS_MAX


def test_a_line_of_calls_is_counted_in_the_words_of_rbac() -> None:
    async def play() -> None:
        heard: list[str] = []
        async with served(always(200, FINE)) as server:
            cluster = Cluster(server=f"http://127.0.0.1:{server.port}", origin="the test")
            kube = Kube(cluster, clock=SystemClock(), listener=heard.append)
            await kube.json("get", NODES, name="n-1")
            await kube.json("create", PODS, namespace="a", name="b", subresource="eviction", body={})
            assert kube.calls == {"get nodes": 1, "create pods/eviction": 1}
            assert heard == ["get nodes", "create pods/eviction"]

    asyncio.run(play())


# ---- who we are --------------------------------------------------------------------------------------------------


def shown(identity: dict[str, Any], times: int = 1) -> list[str]:
    """The `Authorization` headers that a server sees; it refuses every one but `Bearer good`."""
    seen: list[str] = []

    async def script(visit: Visit) -> None:
        while True:
            _, _, headers, _ = await visit.request()
            seen.append(headers.get("authorization", ""))
            await visit.say(200 if seen[-1] == "Bearer good" else 401, FINE)

    async def play() -> None:
        async with served(script) as server:
            kube = server.kube(**identity)
            for _ in range(times):
                await kube.answer("get", NODES, name="n-1")

    asyncio.run(play())
    return seen


def test_a_token_is_shown_and_a_name_with_its_password() -> None:
    assert shown({"token": "good"}) == ["Bearer good"]
    assert shown({"username": "me", "password": "secret"}) == ["Basic bWU6c2VjcmV0"]
    assert shown({}) == [""]


def test_a_token_file_is_read_again_when_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old\n")
    assert shown({"token_file": tmp_path / "token"}) == ["Bearer old", "Bearer old"]
    (tmp_path / "token").write_text("good\n")
    assert shown({"token_file": tmp_path / "token"}, times=2) == ["Bearer good", "Bearer good"]


def plugin(tmp_path: Path, code: str) -> ExecPlugin:
    (tmp_path / "plugin.py").write_text(code)
    return ExecPlugin(command=sys.executable, arguments=(str(tmp_path / "plugin.py"),), folder=tmp_path)


COUNTING = """
import json, os, pathlib
assert json.loads(os.environ["KUBERNETES_EXEC_INFO"])["kind"] == "ExecCredential"
runs = pathlib.Path({runs!r}); runs.write_text(runs.read_text() + "x" if runs.exists() else "x")
print(json.dumps({{"kind": "ExecCredential", "status": {status}}}))
"""


def test_a_plugins_token_is_kept_until_shortly_before_its_end(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    lasting = json.dumps({"token": "good", "expirationTimestamp": "2999-01-01T00:00:00Z"})
    assert (
        shown({"plugin": plugin(tmp_path, COUNTING.format(runs=str(runs), status=lasting))}, times=3)
        == ["Bearer good"] * 3
    )
    assert runs.read_text() == "x"
    ended = json.dumps({"token": "good", "expirationTimestamp": "2001-01-01T00:00:00Z"})
    shown({"plugin": plugin(tmp_path, COUNTING.format(runs=str(runs), status=ended))}, times=3)
    assert runs.read_text() == "xxxx"


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("import sys; sys.exit('no session; log in again')", Transient, "log in again"),
        ("print('hello')", ConfigError, "printed no ExecCredential"),
        ('print(\'{"status": {"clientCertificateData": "x"}}\')', ConfigError, "client certificates"),
        (
            'print(\'{"status": {"token": "t", "expirationTimestamp": "soon"}}\')',
            ConfigError,
            "is no RFC 3339 time",
        ),
    ],
)
def test_a_plugin_that_fails_is_quoted(tmp_path: Path, code: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        shown({"plugin": plugin(tmp_path, code)})


def test_a_plugin_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"aws-no-such-program.*install it"):
        shown({"plugin": ExecPlugin(command="aws-no-such-program")})
