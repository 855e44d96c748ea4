"""What the programs cost that run on every node: the exporter of terminations, and the ear of the agent.

The metadata service that they ask is `spotward imds`, in a process of its own.
"""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from bench.measure import BenchError, Measure
from bench.process import SPOTWARD, cpu_seconds, environment, peak_memory_mib

HOST = "127.0.0.1"
STARTS = 5
SCRAPES = 200
POLLS = 500
POLL_SECONDS = 2.0
SECONDS_MAX = 60.0

MEMORY_MIB_MAX, START_SECONDS_MAX, CORE_PERCENT_MAX = 35.0, 0.7, 0.3

EAR = """
import asyncio, sys, time
from spotward.aws.imds import Imds, ImdsPolicy
from spotward.aws.imds_watch import Watch, WatchPolicy
from spotward.engine.clock import SystemClock

async def listen(url, polls):
    watch = Watch(Imds(ImdsPolicy(url=url)), SystemClock(), WatchPolicy())
    await watch.poll()
    if watch.troubles:
        sys.exit(str(watch.troubles))
    before = time.process_time()
    for _ in range(polls):
        await watch.poll()
    print((time.process_time() - before) / polls)

asyncio.run(listen(sys.argv[1], int(sys.argv[2])))
"""
"""The ear without the pauses between its polls, so that a minute is enough for many."""


def measures() -> Iterator[Measure]:
    """Start, memory and processor time of the exporter; processor time of one poll of the ear."""
    with _metadata() as url:
        yield from _exporter(url)
        seconds = float(_said([sys.executable, "-c", EAR, url, str(POLLS)]))
        yield Measure(name="one poll of the metadata service, CPU", figure=seconds * 1000, unit="ms")
        percent = 100 * seconds / POLL_SECONDS
        yield Measure(
            name=f"a poll each {POLL_SECONDS:g} s, of a core", figure=percent, unit="%", at_most=CORE_PERCENT_MAX
        )


def _exporter(url: str) -> Iterator[Measure]:
    port = free_port()
    command = [*SPOTWARD, "export", "terminations", "--bind-addr", f"{HOST}:{port}", "--metadata-endpoint", url]
    page = f"http://{HOST}:{port}/metrics"
    starts = []
    for _ in range(STARTS):
        with running(command, page) as (_process, seconds):
            starts.append(seconds)
    # The best of several: what else the machine is busy with only ever adds to it.
    yield Measure(name="exporter, start until it answers", figure=min(starts), unit="s", at_most=START_SECONDS_MAX)
    with running(command, page) as (process, _):
        before = cpu_seconds(process.pid)
        for _ in range(SCRAPES):
            _got(page)
        each = (cpu_seconds(process.pid) - before) / SCRAPES
        yield Measure(name="exporter, one scrape, CPU", figure=each * 1000, unit="ms")
        memory = peak_memory_mib(process.pid)
        yield Measure(name="exporter, peak memory", figure=memory, unit="MiB", at_most=MEMORY_MIB_MAX)


@contextmanager
def _metadata() -> Iterator[str]:
    """A metadata service that has a notice, advice and maintenance to tell."""
    port = free_port()
    with running([*SPOTWARD, "imds", "--port", str(port)], f"http://{HOST}:{port}/"):
        yield f"http://{HOST}:{port}"


@contextmanager
def running(
    command: Sequence[str], page: str, *, log: IO[bytes] | int = subprocess.DEVNULL
) -> "Iterator[tuple[subprocess.Popen[bytes], float]]":
    """The process, and the seconds until its page was there. log: where what it says goes."""
    own = environment()
    began = time.perf_counter()
    process = subprocess.Popen(command, env=own, stdout=subprocess.DEVNULL, stderr=log)
    try:
        while not _answers(page):
            if process.poll() is not None or time.perf_counter() - began > SECONDS_MAX:
                raise BenchError(f"{' '.join(command)} does not answer at {page}")
            time.sleep(0.01)
        yield process, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(timeout=30)


def _answers(page: str) -> bool:
    try:
        _got(page)
    except urllib.error.URLError:
        return False
    return True


def _got(page: str) -> bytes:
    with urllib.request.urlopen(page, timeout=SECONDS_MAX) as answer:
        read: bytes = answer.read()
        return read


def _said(command: Sequence[str]) -> str:
    ended = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    if ended.returncode:
        raise BenchError(f"the ear heard nothing: {ended.stderr[-500:]}")
    return ended.stdout


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as door:
        door.bind((HOST, 0))
        number: int = door.getsockname()[1]
        return number
