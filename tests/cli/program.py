"""The program as its user starts it: a process of its own, that knows nothing of the test.

Where a process is not the point, the same words go to the same entry point inside the test's own process, which saves
the second that Python takes to load everything.
"""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests
import structlog

from spotward.cli.main import main
from spotward.emulator.server import Emulator
from tests.emulator.clients import eventually

COMMAND = (sys.executable, "-m", "spotward")
RUN_SECONDS_MAX = 180.0
STOP_SECONDS_MAX = 60.0

READING = ("Describe", "Get", "List")
"""What calls that change nothing are called."""

_numbers = count(1)


def is_change(operation: str) -> bool:
    """Does `ec2.CreateFleet` change anything?"""
    return not operation.partition(".")[2].startswith(READING)


def bare_environment() -> dict[str, str]:
    """Nothing of the machine's own: no credentials, no region, no state; and lines that are not wrapped."""
    mine = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SPOTWARD_", "FORCE_COLOR"))
    }
    return mine | {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "COLUMNS": "400"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """How it went."""

    code: int
    out: str
    err: str
    order: tuple[str, ...] = ()
    """The AWS operations that the process asked for, in the order in which AWS was done with them."""

    @property
    def said(self) -> str:
        """All that it printed."""
        return f"{self.out}\n{self.err}"

    @property
    def document(self) -> Any:
        """What it printed as JSON."""
        return json.loads(self.out)

    @property
    def calls(self) -> Counter[str]:
        """Operation → how often."""
        return Counter(self.order)

    @property
    def changes(self) -> list[str]:
        """Those that do not only read."""
        return [name for name in self.order if is_change(name)]


@dataclass(frozen=True, kw_only=True)
class Program:
    """Spotward with a cloud and a state directory of its own."""

    environment: Mapping[str, str]
    state: Path
    cloud: Emulator | None = None
    access_key: bool = True
    """Does it have one?"""
    apart: bool = True
    """Is it a process of its own?"""

    def __call__(self, *words: str | Path, stdin: str | None = None, code: int = 0) -> Ran:
        """Run it to its end. `code`: the exit code that it must end with."""
        key = f"AKIAPROGRAM{next(_numbers):09d}"
        start = _run_apart if self.apart else _run_here
        ran = replace(start([str(word) for word in words], self.surroundings(key), stdin), order=self._order(key))
        assert ran.code == code, f"`spotward {' '.join(map(str, words))}` ended with {ran.code}:{ran.said}"
        assert "Traceback" not in ran.said, ran.said
        return ran

    @contextmanager
    def running(self, *words: str | Path, file: Path | None = None) -> Iterator[Running]:
        """Start it, and end it when the test is done with it; what it says goes to a file."""
        key = f"AKIAPROGRAM{next(_numbers):09d}"
        file = file or self.state.parent / f"said-{key}.txt"
        with file.open("w") as said:
            process = subprocess.Popen(
                [*COMMAND, *map(str, words)],
                env=self.surroundings(key),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        try:
            yield Running(process=process, file=file, key=key)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    def elsewhere(self, state: Path) -> Program:
        """The same cloud, another state directory."""
        return replace(self, state=state)

    def surroundings(self, key: str = "AKIAPROGRAM") -> dict[str, str]:
        """The environment that it is started with."""
        own = {"SPOTWARD_STATE": str(self.state)}
        own |= {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "secret"} if self.access_key else {}
        return {**bare_environment(), **self.environment, **own}

    def _order(self, key: str) -> tuple[str, ...]:
        return () if self.cloud is None else tuple(c.name for c in self.cloud.calls.newest() if c.access_key == key)


def _run_apart(words: Sequence[str], environment: Mapping[str, str], stdin: str | None) -> Ran:
    done = subprocess.run(
        [*COMMAND, *words],
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS_MAX,
        check=False,
    )
    return Ran(code=done.returncode, out=done.stdout, err=done.stderr)


def _run_here(words: Sequence[str], environment: Mapping[str, str], stdin: str | None) -> Ran:
    out, err = io.StringIO(), io.StringIO()
    with (
        _surroundings(environment, stdin),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main(words)
    return Ran(code=int(ended.value.code or 0), out=out.getvalue(), err=err.getvalue())


@contextmanager
def _surroundings(environment: Mapping[str, str], stdin: str | None) -> Iterator[None]:
    """Environment, standard input and logging as a new process has them; afterwards all is as it was."""
    own, own_stdin, root, own_structlog = dict(os.environ), sys.stdin, logging.getLogger(), structlog.get_config()
    own_handlers = list(root.handlers)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdin = io.StringIO(stdin or "")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(own)
        sys.stdin = own_stdin
        root.handlers[:] = own_handlers
        structlog.configure(**own_structlog)


@dataclass(frozen=True, kw_only=True)
class Running:
    """A process that is at work."""

    process: subprocess.Popen[bytes]
    file: Path
    key: str
    """Its access key."""

    @property
    def said(self) -> str:
        """All that it printed so far."""
        return self.file.read_text()

    def says(self, words: str) -> bool:
        """Has it?"""
        assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.said}"
        return words in self.said

    @property
    def pages(self) -> str:
        """The address of its own pages, once it has told it."""
        started = (json.loads(line) for line in self.said.splitlines() if line.startswith("{"))
        return str(next((line["pages"] for line in started if line.get("event") == "started"), ""))

    def page(self, path: str) -> requests.Response:
        """One of them."""
        address = eventually(lambda: self.says("started") and self.pages, seconds_max=90)
        return requests.get(f"{address}{path}", timeout=60)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=STOP_SECONDS_MAX)
