"""The user's own commands at a notice: save what must not be lost, sign the machine off somewhere.

A command is started once for each thing that is heard of the instance, as soon as that stands in the journal, and has a
budget of time; then it is killed, with all that it started. Nobody waits for it: the node is cordoned and emptied
meanwhile. What it prints goes to the log.

At most once: an agent that is killed in the middle does not start it again, because half of it may have been done.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from spotward.engine.core import Step
from spotward.model.errors import ConfigError
from spotward.model.event import Event
from spotward.model.incident import Cause, Incident, Signal
from spotward.model.units import timestamp

LINE_BYTES_MAX = 16 * 1024
"""A longer line of output is cut."""

KILLED_SECONDS_MAX = 2.0
"""How long a killed command's last output is waited for."""

log = logging.getLogger("spotward.on_notice")


@dataclass(frozen=True, kw_only=True, slots=True)
class OnNotice:
    """One command, and when it is run."""

    command: tuple[str, ...]
    """The program and its arguments; no shell reads them."""

    causes: tuple[Cause, ...] = (Cause.INTERRUPTION,)
    """At what: interruption, rebalance, maintenance, termination."""

    seconds_max: float = 60.0
    """Its budget of time; then it is killed."""

    def __post_init__(self) -> None:
        if not self.command or not self.command[0]:
            raise ConfigError("it names no program; give a list such as [/opt/save.sh, --all]", setting="on_notice")
        if not 0 < self.seconds_max <= 3600:
            raise ConfigError(
                f"seconds_max is {self.seconds_max:g}; give more than 0 and at most 3600", setting="on_notice"
            )


class NoticeCommands:
    """Runs them. A listener of the engine."""

    def __init__(self, wanted: tuple[OnNotice, ...]) -> None:
        self._wanted = wanted
        self._running: set[asyncio.Task[None]] = set()

    def __call__(self, event: Event, step: Step) -> None:
        """A step was stored."""
        for incident in step.undertakings:
            if isinstance(incident, Incident):
                for heard in new_signals(incident, event):
                    self._start(incident, heard)

    def _start(self, incident: Incident, heard: Signal) -> None:
        for wanted in self._wanted:
            if heard.cause in wanted.causes:
                task = asyncio.create_task(run(wanted, told(incident, heard)))
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Those under way are killed."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


def new_signals(incident: Incident, event: Event) -> tuple[Signal, ...]:
    """What this event was the first to say: signals keep the time at which they were first heard of."""
    if incident.born == event.time:
        return incident.signals
    return tuple(each for each in incident.signals if each.time == event.time)


def told(incident: Incident, heard: Signal) -> dict[str, str]:
    """What the command finds in its environment, besides the agent's own."""
    return {
        "SPOTWARD_INSTANCE_ID": incident.instance_id,
        "SPOTWARD_REGION": incident.region,
        "SPOTWARD_NODE": incident.node,
        "SPOTWARD_CAUSE": heard.cause.value,
        "SPOTWARD_ACTION": heard.text,
        "SPOTWARD_DEADLINE": "" if heard.deadline is None else timestamp(heard.deadline),
        "SPOTWARD_DEADLINE_SECONDS": "" if heard.deadline is None else f"{heard.deadline:.0f}",
    }


async def run(wanted: OnNotice, environment: Mapping[str, str]) -> None:
    """Run it to its end or to the end of its budget. Tells the log what came of it, and raises nothing."""
    name = wanted.command[0]
    try:
        process = await asyncio.create_subprocess_exec(
            *wanted.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **environment},
            limit=LINE_BYTES_MAX,
            start_new_session=True,  # so that it can be killed with all that it started
        )
    except OSError as error:
        log.error("%s cannot be run: %s; look at on_notice", name, error)  # noqa: TRY400 - the words say all
        return
    log.info("%s is run: %s %s", name, environment["SPOTWARD_CAUSE"], environment["SPOTWARD_ACTION"])
    output = asyncio.create_task(_told_line_by_line(name, process))
    try:
        async with asyncio.timeout(wanted.seconds_max):
            code = await process.wait()
        log.log(logging.INFO if code == 0 else logging.ERROR, "%s ended with %d", name, code)
    except TimeoutError:
        log.error("%s was killed: its %g s are over", name, wanted.seconds_max)  # noqa: TRY400 - the words say all
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(TimeoutError):
            await asyncio.wait_for(output, KILLED_SECONDS_MAX)


async def _told_line_by_line(name: str, process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None, "it has a pipe"
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError:  # a line beyond the limit; the reader has thrown it away
            log.warning("%s: a line of more than %d bytes is left out", name, LINE_BYTES_MAX)
            continue
        if not line:
            return
        log.info("%s: %s", name, line.decode(errors="replace").rstrip())
