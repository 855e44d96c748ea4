"""A plugin in a process of its own that writes down what it is asked and does: `python -m tests.journey.ledger FILE 0`.

Each call that reaches it is a line `call KEY`; each effect, which the SDK lets a key have once, is a line
`effect KEY INSTANCE STEP`. Both are there before the caller hears anything. An alert with the label `fault: refused` is
refused, and one with `fault: once` fails the first time.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from grpc import aio

from spotward.plugins.sdk import Answer, Call, Plugin, done, failed, refused
from spotward.plugins.sdk.doors import Doors
from spotward.plugins.sdk.remembered import Remembered

REFUSAL = "the owner forbids it"


class _Ledger(Plugin):
    """Does nothing but write that it did it."""

    name = "ledger"

    def __init__(self, write: Callable[[str], None], *, seconds: float) -> None:
        self._write, self._seconds = write, seconds
        self._failed: set[str] = set()

    async def handle(self, call: Call) -> Answer:
        fault = call.event.labels.get("fault")
        if fault == "refused":
            return refused(REFUSAL)
        if fault == "once" and call.key not in self._failed:
            self._failed.add(call.key)
            return failed("not yet")
        await asyncio.sleep(self._seconds)
        self._write(f"effect {call.key} {call.event.labels['instance']} {call.step}")
        return done(output={"of": call.step})


class _Counted(Remembered):
    """Writes down each call, also one whose answer is known."""

    def __init__(self, file: Path, write: Callable[[str], None]) -> None:
        super().__init__(file)
        self._write = write

    async def once(self, key: str, work: Callable[[], Awaitable[Answer]]) -> Answer:
        self._write(f"call {key}")
        return await super().once(key, work)


async def _serve(file: Path, seconds: float) -> None:
    with file.open("a", buffering=1) as lines:

        def write(line: str) -> None:
            lines.write(f"{line}\n")

        server = aio.server()
        doors = Doors(_Ledger(write, seconds=seconds), _Counted(file.with_suffix(".answers"), write))
        for handler in doors.handlers():
            server.add_generic_rpc_handlers((handler,))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        await server.wait_for_termination()


@dataclass(frozen=True, slots=True)
class Ledger:
    """What it wrote down so far, and where it listens."""

    file: Path
    port: int

    @property
    def effects(self) -> int:
        """How many there are."""
        return self.file.read_bytes().count(b"effect ")

    def lines(self, word: str) -> list[list[str]]:
        """The lines that begin with a word, without it."""
        said = (line.split() for line in self.file.read_text().splitlines())
        return [rest for first, *rest in said if first == word]


@contextmanager
def ledger(file: Path, *, seconds: float = 0.0) -> Iterator[Ledger]:
    """The plugin, for as long as the context is open. seconds: how long a deed takes it."""
    file.touch()
    command = [sys.executable, "-m", "tests.journey.ledger", str(file), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Ledger(file, int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), float(sys.argv[2])))
