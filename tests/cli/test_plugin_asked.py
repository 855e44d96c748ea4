"""A look at any plugin and a call by hand, against servers on real sockets."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from spotward.cli.exits import Exit
from spotward.cli.plugin_shelf import SHELF
from spotward.plugins.sdk import Answer, Call, Plugin, done, failed
from spotward.plugins.sdk.safety import Safety
from tests.cli.program import Program
from tests.plugins.sdk.served import OPEN, serving

TOKEN = "0123456789abcdef-one"

EVENT = {"specversion": "1.0", "id": "e-1", "source": "test", "type": "test.hot", "data": {"instance": "n-1"}}
ALERT = {"labels": {"alertname": "Hot", "instance": "n-1"}, "startsAt": "2025-11-22T08:26:01Z"}


@dataclass
class Wanted:
    """What a step wants."""

    do: Literal["count", "break"] = "count"
    """What is to be done."""
    urgency: int | None = None


class Counting(Plugin):
    """Counts what it is asked."""

    name = "counting"
    version = "3"
    event_types = ("test.*", "prometheus.server.alert.*")
    properties = Wanted

    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def handle(self, call: Call) -> Answer:
        self.calls.append(call)
        await call.progress("half way", 0.5)
        if call.properties.do == "break":
            return failed("it broke", retry_after_seconds=3)
        return done("would count" if call.dry_run else "counted", instance=call.event.labels.get("instance", ""))


@contextmanager
def listening(plugin: Plugin, safety: Safety = OPEN) -> Iterator[str]:
    """Its server in a thread of its own; the address."""
    ports: list[int] = []
    up, down = threading.Event(), threading.Event()

    async def live() -> None:
        async with serving(plugin, safety=safety) as server:
            ports.append(server.port)
            up.set()
            await asyncio.to_thread(down.wait)

    thread = threading.Thread(target=lambda: asyncio.run(live()), daemon=True)
    thread.start()
    assert up.wait(30)
    try:
        yield f"127.0.0.1:{ports[0]}"
    finally:
        down.set()
        thread.join(30)


@pytest.fixture
def event(tmp_path: Path) -> Path:
    (tmp_path / "event.json").write_text(json.dumps(EVENT))
    return tmp_path / "event.json"


def test_every_plugin_that_comes_along_is_listed_with_what_a_step_can_tell_it(alone: Program) -> None:
    said = alone("plugin", "list").out
    for name in SHELF:
        assert f"{name} {SHELF[name].kind.version}\n" in said
    assert "      to: a list of text, required\n          Names of destinations.\n" in said


def test_one_that_comes_along_is_described_without_being_started(alone: Program) -> None:
    described = alone("plugin", "describe", "exec", "--output", "json").document
    assert described["name"] == "exec"
    assert described["properties_schema"]["required"] == ["command"]
    assert "did you mean `exec`?" in alone("plugin", "describe", "exce", code=Exit.USAGE).err


def test_any_plugin_at_an_address_is_described(alone: Program, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(TOKEN)
    with listening(Counting(), Safety(token_file=tmp_path / "tokens")) as address:
        said = alone("plugin", "describe", address, "--token-file", tmp_path / "tokens").out
        refused = alone("plugin", "describe", address, code=Exit.OUTSIDE).err
    assert said == (
        "counting 3\n"
        "    Counts what it is asked.\n"
        "    events: test.*, prometheus.server.alert.*\n"
        "    properties of a step:\n"
        '      do: count | break, "count" unless given\n'
        "          What is to be done.\n"
        "      urgency: integer\n"
    )
    assert "send `authorization: Bearer TOKEN` with a token of this server" in refused


def test_a_call_by_hand_prints_progress_and_the_answer(alone: Program, event: Path) -> None:
    counting = Counting()
    with listening(counting) as address:
        ran = alone("plugin", "call", address, "--event", event, "--property", "urgency=2")
        again = ("plugin", "call", address, "--event", event, "--idempotency-key", "k")
        assert alone(*again).document == alone(*again).document
        assert alone("plugin", "call", address, "--event", event, "--dry-run").document["text"] == "would count"
    assert ran.document == {"status": "done", "text": "counted", "output": {"instance": "n-1"}}
    assert ran.err == "half way (50%)\n"
    first, second, third = counting.calls
    assert first.properties == Wanted(urgency=2)
    assert first.key.startswith("by-hand/")
    assert (second.key, third.dry_run) == ("k", True)


def test_a_failure_and_a_refusal_are_told_by_the_exit_code(alone: Program, event: Path) -> None:
    with listening(Counting()) as address:
        call = ("plugin", "call", address, "--event", event, "--property")
        broken = alone(*call, "do=break", code=Exit.UNFINISHED).document
        unknown = alone(*call, "udo=1", code=Exit.UNFINISHED).document
        assert "give NAME=VALUE" in alone(*call, "do", code=Exit.USAGE).err
    assert broken == {"status": "failed", "text": "it broke", "retry_after_seconds": 3}
    assert unknown == {"status": "refused", "text": "udo: there is no such property; did you mean `do`?"}


@pytest.mark.parametrize("protocol", ["hollowtrees-v1", "hollowtrees-v2"])
def test_the_contracts_of_old_are_spoken_too(alone: Program, protocol: str) -> None:
    counting = Counting()
    call = ("plugin", "call", "--event", "-", "--protocol", protocol)
    with listening(counting) as address:
        ran = alone(*call, address, stdin=json.dumps([ALERT]))
        said = alone(*call, address, "--dry-run", stdin=json.dumps([ALERT]), code=Exit.USAGE).err
    assert ran.document == {"status": "done", "text": ""}
    assert [call.event.labels["instance"] for call in counting.calls] == ["n-1"]
    assert f"{protocol} knows no dry run, and the plugin would act" in said


def test_several_alerts_are_several_calls_each_with_a_key_of_its_own(alone: Program) -> None:
    counting = Counting()
    with listening(counting) as address:
        alone("plugin", "call", address, "--event", "-", "--idempotency-key", "k", stdin=json.dumps([ALERT, ALERT]))
    assert [call.key for call in counting.calls] == ["k", "k/1"]


def test_nobody_there_is_told_with_the_next_step(alone: Program, event: Path) -> None:
    said = alone("plugin", "call", "127.0.0.1:1", "--event", event, code=Exit.OUTSIDE).err
    assert "it could not be reached" in said
    assert "is the address right, and does it speak TLS?" in said
    assert "give host:port" in alone("plugin", "call", "nowhere", "--event", event, code=Exit.USAGE).err
    missing = alone("plugin", "call", "127.0.0.1:1", "--event", "none.json", code=Exit.USAGE).err
    assert "none.json: cannot be read: No such file or directory; give the path of an event as JSON" in missing
