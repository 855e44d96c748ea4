"""Plugins of one's own, in Python and in Go, as `spotward plugin new` begins them: served, and called by a rule."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2

from spotward.cli.exits import Exit
from spotward.engine.clock import SystemClock
from spotward.plugins.host.host import Host
from spotward.plugins.host.settings import PluginSettings, Trust
from spotward.plugins.sdk import Answer, Call, Happening, Problem, Status, done
from tests.cli.program import Program
from tests.cli.scenery import Scenery
from tests.emulator.clients import eventually
from tests.journey.test_flows import TOKEN, Doors
from tests.plugins.sdk.served import Caller

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BUILD_SECONDS_MAX = 400
LISTENS = re.compile(r"listens on 127\.0\.0\.1:(\d+)")

HOT = Happening(
    id="e-1", source="test", type="prometheus.server.alert.Hot", data={"labels": {"instance": "n-1"}}, time=1.0
)

RULES = """
version: 1
plugins:
  in-python: {{address: "127.0.0.1:{python}"}}
  in-go: {{address: "127.0.0.1:{go}"}}
rules:
  - name: hot
    events: prometheus.server.alert.Hot
    group_by: labels.instance
    steps:
      - {{plugin: in-python, timeout: 1h, properties: {{greeting: Good morning}}}}
      - {{plugin: in-go, timeout: 1h, properties: {{greeting: Good evening}}}}
"""


def go() -> str:
    """Go's own program. Fails where there is none: what is not built is not tested."""
    found = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    assert found, "Go is needed to build the example in Go: install it, or put it on the PATH"
    return found


@contextmanager
def served(*words: str | Path, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A plugin's own program, and its port. It must end well at SIGTERM."""
    (folder / "token").write_text(TOKEN)
    said = folder / "said.txt"
    with said.open("w") as file:
        command = [str(word) for word in (*words, "--address", "127.0.0.1:0", "--token-file", "token")]
        process = subprocess.Popen(command, cwd=folder, stdout=file, stderr=subprocess.STDOUT)
    try:
        found = eventually(lambda: LISTENS.search(said.read_text()), seconds_max=60)
        yield process, int(found[1])
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(timeout=60) == 0, said.read_text()
        finally:
            process.kill()


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One in each language; the one in Go built, and by its own tests right."""
    folder = tmp_path_factory.mktemp("projects")
    alone = Program(environment={}, state=folder / "state", apart=False)
    for language in ("python", "go"):
        name = f"in-{language}"
        alone("plugin", "new", name, "--directory", folder / name, "--language", language)
    quick = ["-gcflags=all=-N -l", "-ldflags=-s -w"]  # twice as quick to build
    for words in (["build", *quick, "-o", "in-go", "."], ["test", *quick, "-vet=off", "."]):
        built = subprocess.run(
            [go(), *words],
            cwd=folder / "in-go",
            env={**os.environ, "GOFLAGS": "-mod=readonly -buildvcs=false", "CGO_ENABLED": "0"},
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS_MAX,
            check=False,
        )
        assert built.returncode == 0, f"go {words}\n{built.stdout}{built.stderr}"
    return folder


@pytest.fixture
def ports(projects: Path) -> Iterator[dict[str, int]]:
    with ExitStack() as stack:
        python, go_ = projects / "in-python", projects / "in-go"
        _, first = stack.enter_context(served(sys.executable, "in_python.py", folder=python))
        _, second = stack.enter_context(served(go_ / "in-go", folder=go_))
        yield {"python": first, "go": second}


@pytest.mark.parametrize("language", ["python", "go"])
def test_a_plugin_of_ones_own_keeps_our_contract(language: str, ports: dict[str, int], projects: Path) -> None:
    asyncio.run(asyncio.wait_for(_contract_kept(language, ports[language], projects), 120))


async def _contract_kept(language: str, port: int, projects: Path) -> None:
    name, address = f"in-{language}", f"127.0.0.1:{port}"
    trust = Trust(token_file=projects / name / "token")
    host = Host([PluginSettings(name=name, address=address, trust=trust)], SystemClock())
    heard: list[tuple[str, float]] = []

    async def listener(text: str, fraction: float) -> None:
        heard.append((text, fraction))

    async def say(call: Call, seconds: float = 30) -> Answer:
        return await host.call(name, call, seconds=seconds, listener=listener)

    first = Call(key="k-1", event=HOT, properties={"greeting": "Servus"})
    assert await say(first) == done("Servus, n-1!", greeted="n-1")
    assert heard == [("greeting n-1", 0.5)]
    assert await say(replace(first, properties={"greeting": "Hello"})) == done("Servus, n-1!", greeted="n-1")
    assert len(heard) == 1, "the same key has one effect"
    assert await say(replace(first, key="k-2", dry_run=True)) == done("would greet n-1")
    assert (await say(replace(first, key="k-3", event=replace(HOT, type="other")))).status is Status.IGNORED
    assert (await say(replace(first, key="k-4", event=replace(HOT, data={})))).status is Status.REFUSED
    (problem,) = await host.problems(name, {"greting": "x"})
    assert isinstance(problem, Problem)
    assert problem.place == "greting"
    await host.close()
    await _closed_to_others(address)


async def _closed_to_others(address: str) -> None:
    async with aio.insecure_channel(address) as channel:
        asked = health_pb2.HealthCheckRequest(service="spotward.plugin.v1.Plugin").SerializeToString()
        answer = await Caller(channel).send("/grpc.health.v1.Health/Check", asked)
        assert health_pb2.HealthCheckResponse.FromString(answer).status == health_pb2.HealthCheckResponse.SERVING
        for caller in (Caller(channel), Caller(channel, "0123456789abcdef-two")):
            with pytest.raises(aio.AioRpcError) as caught:
                await caller.describe()
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_rule_calls_both_in_the_written_order(
    scenery: Scenery, spotward: Program, ports: dict[str, int], projects: Path, tmp_path: Path
) -> None:
    token = projects / "in-go" / "token"
    (tmp_path / "rules.yaml").write_text(RULES.format(**ports))
    flows = {"rules": str(tmp_path / "rules.yaml")}
    trusts = {name: {"token_file": str(token)} for name in ("in-python", "in-go")}
    settings = tmp_path / "spotward.yaml"
    doors = {"port": 0, "token_file": str(token)}
    settings.write_text(json.dumps({"observe_seconds": 86400, "flows": flows | {"plugins": trusts}, "doors": doors}))
    with spotward.running("run", "--config", settings, "--port", "0", "--log", "json") as daemon:
        assert Doors(daemon, scenery).alert("n-1") == 200
        listed = scenery.until(lambda: _done(spotward), seconds_max=150)
        shown = spotward("flows", "show", listed).out
        assert daemon.stop() == Exit.DONE
    assert shown.index("Good morning, n-1!") < shown.index("Good evening, n-1!")


def _done(spotward: Program) -> str | None:
    for line in spotward("flows", "list").out.splitlines():
        if (found := re.search(r"hot\.[0-9a-f]+", line)) and "done" in line:
            return found[0]
    return None
