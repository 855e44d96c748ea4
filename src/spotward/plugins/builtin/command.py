"""exec: runs a command that the operator allows.

A step names a command, not a program; no shell reads anything; what comes in with an event reaches the command on its
standard input and in its environment, never among its words, unless the operator gave those a gap. It runs in a process
group of its own with limits of time, memory, files and output, and nothing of our environment but what is named.
"""

import asyncio
import errno
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spotward.plugins.builtin import launch
from spotward.plugins.builtin.words import filled
from spotward.plugins.sdk.call import Answer, Call, Problem, done, failed, refused
from spotward.plugins.sdk.plugin import Plugin

OUTPUT_BYTES_MAX = 16 * 1024
"""Of what it prints, the end is kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """One command that may be run."""

    command: tuple[str, ...]
    """The program, by its whole path, and its words; words may have gaps that the event fills, each stays one word."""
    seconds_max: float = 60.0
    """Then it is killed, with all that it started."""
    memory_mib_max: int = 512
    """Of address space."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Set for it, beside PATH and what tells of the call."""
    pass_on: tuple[str, ...] = ()
    """Names of our own environment that it gets too."""
    folder: Path = Path("/")
    """Where it runs."""
    final: tuple[int, ...] = ()
    """Codes that say: another attempt gives the same."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a step runs."""

    command: str
    """The name of an allowed command."""


class Exec(Plugin):
    """Runs a command that the operator allows."""

    name = "exec"
    version = "1"
    properties = Run

    def __init__(self, commands: Mapping[str, Command]) -> None:
        """Raises ValueError for a command without the whole path of its program."""
        for name, each in commands.items():
            if not each.command or not Path(each.command[0]).is_absolute():
                raise ValueError(f"the command `{name}` needs the whole path of its program first")
        self._commands = commands

    def check(self, properties: Mapping[str, Any]) -> list[Problem]:
        """It is allowed."""
        if properties["command"] in self._commands:
            return []
        known = ", ".join(self._commands) or "none"
        return [Problem(place="command", text=f"`{properties['command']}` is not allowed; allowed are: {known}")]

    async def handle(self, call: Call) -> Answer:
        """Run it to its end, or to that of its time."""
        wanted: Run = call.properties
        allowed = self._commands[wanted.command]
        words = [allowed.command[0], *(filled(word, call) for word in allowed.command[1:])]
        if call.dry_run:
            return done(f"would run {wanted.command}")
        environment = _environment(allowed, call)
        try:
            _check(Path(words[0]))
            process = await asyncio.create_subprocess_exec(
                *_launched(words, allowed, environment),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                cwd=allowed.folder,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            return refused(f"{wanted.command} cannot be run: {error.strerror}")
        return await _ended(wanted.command, allowed, process, _told(call))


async def _ended(name: str, allowed: Command, process: asyncio.subprocess.Process, told: bytes) -> Answer:
    output = asyncio.ensure_future(_end_of(process.stdout))
    try:
        async with asyncio.timeout(allowed.seconds_max):
            await _given(process.stdin, told)
            code = await process.wait()
    except TimeoutError:
        return failed(f"{name} was killed: its {allowed.seconds_max:g} s are over")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        said = (await output).decode(errors="replace").strip()
    if code == 0:
        return done(f"{name} ended well", output=said)
    words = f"{name} ended with {code}: {said[-200:]}" if said else f"{name} ended with {code}"
    return refused(words) if code in allowed.final else failed(words)


async def _given(pipe: asyncio.StreamWriter | None, told: bytes) -> None:
    assert pipe is not None, "it has one"
    with suppress(ConnectionError):  # a command need not read
        pipe.write(told)
        await pipe.drain()
    pipe.close()


async def _end_of(stream: asyncio.StreamReader | None) -> bytes:
    assert stream is not None, "it has one"
    kept = b""
    while piece := await stream.read(65536):
        kept = (kept + piece)[-OUTPUT_BYTES_MAX:]
    return kept


def _told(call: Call) -> bytes:
    event = call.event
    about = {"id": event.id, "source": event.source, "type": event.type, "subject": event.subject, "time": event.time}
    return json.dumps({"key": call.key, "attempt": call.attempt, "event": about | {"data": event.data}}).encode()


def _environment(allowed: Command, call: Call) -> dict[str, str]:
    passed = {name: os.environ[name] for name in allowed.pass_on if name in os.environ}
    about = {"SPOTWARD_KEY": call.key, "SPOTWARD_EVENT_TYPE": call.event.type, "SPOTWARD_ATTEMPT": str(call.attempt)}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", **passed, **allowed.environment, **about}


def _check(program: Path) -> None:
    """Raises OSError for what cannot be run."""
    if not program.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    if not os.access(program, os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _launched(words: list[str], allowed: Command, environment: Mapping[str, str]) -> list[str]:
    """The command behind the program that sets its limits."""
    memory_bytes = allowed.memory_mib_max * 1024 * 1024
    return [sys.executable, "-I", "-S", launch.__file__, str(memory_bytes), environment.get("LC_CTYPE", ""), *words]
