"""A plugin that comes along as a server of its own: a process, called over a socket by whoever may."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from grpc import aio

from spotward.cli.exits import Exit
from tests.cli.program import Program, Running
from tests.emulator.clients import eventually
from tests.plugins.receiver import receiving
from tests.plugins.sdk.served import Caller, request
from tests.plugins.sdk.test_safety import issue

TOKEN = "0123456789abcdef-one"
LISTENS = re.compile(r"listens on (?:127\.0\.0\.1|0\.0\.0\.0):(\d+)")


@contextmanager
def served(alone: Program, folder: Path, settings: dict[str, object], *words: str) -> Iterator[tuple[Running, int]]:
    (folder / "tokens").write_text(TOKEN)
    file = folder / "plugin-config.yaml"
    file.write_text(json.dumps({"port": 0, "token_file": str(folder / "tokens"), **settings}))
    with alone.running("plugin", "serve", *words, "--config", str(file)) as server:
        eventually(lambda: server.says("listens on"), seconds_max=60)
        said = LISTENS.search(server.said)
        assert said is not None, server.said
        yield server, int(said[1])


def test_a_server_does_what_its_file_allows_for_whoever_has_the_token(alone: Program, tmp_path: Path) -> None:
    with receiving() as hook:
        settings: dict[str, object] = {
            "notify": {"ops": {"kind": "webhook", "url": hook.url}},
            "log": {"format": "json"},
        }
        with served(alone, tmp_path, settings, "notify") as (server, port):
            asyncio.run(_call(port))
            assert server.stop() == Exit.DONE
        lines = [json.loads(line) for line in server.said.splitlines()]
    assert len(hook.heard) == 1, "the second call with the same key has no second effect"
    assert "flow-1/greet, prometheus.server.alert.Hot: done: ops: the webhook answered 200" in lines[2]["event"]
    assert lines[-1]["event"] == "calls under way have 20 s to end"


async def _call(port: int) -> None:
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        caller = Caller(channel, TOKEN)
        assert (await caller.describe()).name == "notify"
        for _ in range(2):
            answer = await caller.result(request(to=["ops"], text="hello"))
            assert answer.text == "ops: the webhook answered 200"
        with pytest.raises(aio.AioRpcError) as caught:
            await Caller(channel).result(request("k2", to=["ops"]))
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_told_to_end_it_finishes_the_call_under_way(alone: Program, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    script = f"touch {tmp_path}/begun; while [ -e {tmp_path}/go ]; do sleep 0.05; done; echo well"
    commands = {"slow": {"command": ["/bin/sh", "-c", script]}}
    with served(alone, tmp_path, {"commands": commands}, "exec") as (server, port):
        asyncio.run(asyncio.wait_for(_ended_meanwhile(server, port, tmp_path), 60))
        assert server.process.wait(timeout=60) == Exit.DONE


async def _ended_meanwhile(server: Running, port: int, folder: Path) -> None:
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        caller = Caller(channel, TOKEN)
        under_way = asyncio.ensure_future(caller.result(request(command="slow")))
        await asyncio.to_thread(eventually, (folder / "begun").exists)
        server.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(eventually, lambda: server.says("calls under way have 20 s to end"))
        with pytest.raises(aio.AioRpcError) as caught:
            await caller.result(request("k2", command="slow"))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        (folder / "go").unlink()
        assert (await under_way).text == "slow ended well"


def test_a_start_that_would_let_anybody_in_is_refused_in_words(alone: Program, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(TOKEN)
    file = tmp_path / "p.toml"
    for text, words in (
        ("", "anybody who reaches this address could make it act; give a token file or a client CA"),
        (f"host = '0.0.0.0'\ntoken_file = '{tmp_path}/tokens'", "on 0.0.0.0 a token could be read on the way"),
        (f"client_ca = '{tmp_path}/tokens'", "client certificates need TLS"),
        (f"token_file = '{tmp_path}/none'", "none cannot be read: No such file"),
        (f"insecure = true\nremember = '{tmp_path}'", "cannot keep answers"),
    ):
        file.write_text(text)
        said = alone("plugin", "serve", "notify", "--config", file, "--port", "0", code=Exit.USAGE).err
        assert f"{file}: " in said
        assert words in said


def test_beyond_this_machine_only_who_shows_a_certificate_comes_in(alone: Program, tmp_path: Path) -> None:
    issue(tmp_path, "ca", "server", "client")
    issue(tmp_path, "other", "stranger")
    settings: dict[str, object] = {
        "host": "0.0.0.0",
        "token_file": None,
        "certificate": str(tmp_path / "server.crt"),
        "key": str(tmp_path / "server.key"),
        "client_ca": str(tmp_path / "ca.crt"),
    }
    with served(alone, tmp_path, settings, "exec") as (_, port):
        words = ("plugin", "describe", f"127.0.0.1:{port}", "--ca", tmp_path / "ca.crt", "--seconds", "20")
        mine = ("--tls-certificate", tmp_path / "client.crt", "--tls-key", tmp_path / "client.key")
        assert alone(*words, *mine).out.startswith("exec 1\n")
        theirs = ("--tls-certificate", tmp_path / "stranger.crt", "--tls-key", tmp_path / "stranger.key")
        for others in ((), theirs):
            assert "could not be reached" in alone(*words, *others, code=Exit.OUTSIDE).err


def test_what_is_unsafe_is_told_before_anything_is_connected_to(alone: Program, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text("port = 0")
    said = alone("plugin", "serve", "kubernetes", "--config", tmp_path / "p.toml", code=Exit.USAGE).err
    assert "anybody who reaches this address could make it act" in said


def test_what_is_missing_or_wrong_is_told_with_the_file(alone: Program, tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text("insecure = true")
    said = alone("plugin", "serve", "annotate", "--config", file, code=Exit.USAGE).err
    assert f"{file}: annotate needs to know where Grafana is" in said
    assert "did you mean `notify`?" in alone("plugin", "serve", "notfy", code=Exit.USAGE).err


def test_the_schema_of_the_file_is_for_editors(alone: Program) -> None:
    schema = alone("plugin", "schema").document
    assert {"log", "port", "region", "regions", "notify", "commands", "targets", "grafana"} <= set(schema["properties"])


BARE = """
import asyncio, os, signal, sys
from spotward.cli.plugin import parser
from spotward.cli.plugin_file import read
from spotward.cli.plugin_serving import serve
from spotward.cli.plugin_shelf import from_the_shelf

async def whole_life():
    settings = read(None, said={"insecure": True, "port": 0})
    serving = asyncio.ensure_future(serve(from_the_shelf("notify"), settings, None))
    while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        await asyncio.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
    await serving

asyncio.run(whole_life())
print(*sys.modules)
"""

HEAVY = {"boto3", "botocore", "numpy", "highspy", "moto", "httpx", "fastapi", "uvicorn", "structlog", "typer", "rich"}
ROOMS_NOT_NEEDED = ("spotward.aws", "spotward.kube", "spotward.web", "spotward.sim", "spotward.emulator")


def test_a_server_carries_nothing_that_it_does_not_need() -> None:
    ended = subprocess.run([sys.executable, "-c", BARE], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(ended.stdout.split())
    assert {"grpc", "grpc_reflection", "spotward.plugins.builtin.notify"} <= loaded
    assert HEAVY & loaded == set()
    assert [name for name in loaded if name.startswith(ROOMS_NOT_NEEDED)] == []
