"""The user's own commands: what they are told, that they are killed in time, and that they run once."""

import asyncio
import logging
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from spotward.engine.core import Step
from spotward.engine.memory import Change
from spotward.model.errors import ConfigError
from spotward.model.event import Event, InterruptionNoticed, Woken
from spotward.model.incident import Cause, Incident, Signal
from spotward.model.world import World
from spotward.plugins.on_notice import NoticeCommands, OnNotice, run

HEARD = InterruptionNoticed(time=1000.0, region="us-east-1", instance_id="i-1", action="stop", deadline=1120.0)
NOTICE = Signal(cause=Cause.INTERRUPTION, id="interruption", time=1000.0, deadline=1120.0, text="stop")
INCIDENT = Incident(
    key="incident i-1", instance_id="i-1", region="us-east-1", born=1000.0, signals=(NOTICE,), node="n-1"
)
ENVIRONMENT = {"SPOTWARD_CAUSE": "interruption", "SPOTWARD_ACTION": "stop"}


def shell(script: str, **more: object) -> OnNotice:
    return replace(OnNotice(command=("/bin/sh", "-c", script)), **more)  # type: ignore[arg-type]  # any of its fields


def step(*incidents: Incident) -> Step:
    return Step(world=World(), page=None, undertakings=incidents, change=Change(time=1000.0))


def heard_by(wanted: OnNotice, *steps: tuple[Event, Incident], seconds: float = 2.0) -> None:
    async def hear() -> None:
        commands = NoticeCommands((wanted,))
        for event, incident in steps:
            commands(event, step(incident))
        await asyncio.sleep(seconds)
        await commands.close()

    asyncio.run(hear())


def test_a_command_is_told_what_was_heard_and_by_when(tmp_path: Path) -> None:
    file = tmp_path / "told"
    heard_by(shell(f"env | grep ^SPOTWARD_ | sort > {file}"), (HEARD, INCIDENT))
    assert file.read_text().splitlines() == [
        "SPOTWARD_ACTION=stop",
        "SPOTWARD_CAUSE=interruption",
        "SPOTWARD_DEADLINE=1970-01-01T00:18:40Z",
        "SPOTWARD_DEADLINE_SECONDS=1120",
        "SPOTWARD_INSTANCE_ID=i-1",
        "SPOTWARD_NODE=n-1",
        "SPOTWARD_REGION=us-east-1",
    ]


def test_what_is_heard_again_or_of_another_cause_starts_nothing(tmp_path: Path) -> None:
    file = tmp_path / "runs"
    later = Woken(time=1001.0, subject="i-1")
    advice = Signal(cause=Cause.REBALANCE, id="rebalance", time=1001.0)
    again = (later, INCIDENT.with_signal(advice))
    heard_by(shell(f"echo run >> {file}"), (HEARD, INCIDENT), again, again)
    assert file.read_text() == "run\n"


def test_a_command_is_killed_at_its_budget_with_all_that_it_started(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    began = time.perf_counter()
    asyncio.run(run(shell(f"(sleep 3; echo alive > {file}) & sleep 30", seconds_max=0.3), ENVIRONMENT))
    assert time.perf_counter() - began < 10
    time.sleep(3.5)
    assert not file.exists()


def test_output_ends_and_a_missing_program_are_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="spotward.on_notice")
    asyncio.run(run(shell("echo saving; head -c 40000 /dev/zero | tr '\\0' x; echo; echo saved; exit 3"), ENVIRONMENT))
    asyncio.run(run(OnNotice(command=("/no/such/program",)), ENVIRONMENT))
    said = "\n".join(caplog.messages)
    for words in ("/bin/sh: saving", "left out", "/bin/sh: saved", "/bin/sh ended with 3", "cannot be run"):
        assert words in said


@pytest.mark.parametrize("wrong", [{"command": ()}, {"seconds_max": 0.0}, {"seconds_max": 3601.0}])
def test_nonsense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        replace(OnNotice(command=(sys.executable,)), **wrong)  # type: ignore[arg-type]  # any of its fields
