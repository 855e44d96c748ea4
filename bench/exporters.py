"""What a scrape of a hundred thousand Spot prices costs, beside the usual library's own way of doing it.

The peer is `prometheus_client` as its documents have it: a gauge with a child for each set of labels, and
`generate_latest` at each scrape, packed with gzip as its own HTTP server does it. Each is a process of its own.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from bench.measure import BenchError, Measure
from bench.process import environment

SERIES = 100_000
REGIONS = 20
SCRAPES = 5
SECONDS_MAX = 120

FASTER_AT_LEAST, SMALLER_AT_LEAST = 50.0, 5.0

SHARED = """
import gzip, json, sys, time
from pathlib import Path

SERIES, REGIONS, SCRAPES = map(int, sys.argv[1:])
EACH = SERIES // REGIONS
ZONES = "abcde"

def rows(region):
    for number in range(EACH):
        zone = f"{region}{ZONES[number % 5]}"
        yield (f"m{number // 5}.2xlarge", region, zone, "Linux/UNIX"), round(0.01 + (number * 7919 % 9973) / 10000, 4)

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

def tell(scrape, before):
    held, times = resident() - before, []
    for _ in range(SCRAPES):
        began = time.perf_counter()
        page = scrape()
        times.append(time.perf_counter() - began)
    text = gzip.decompress(page)
    samples = sum(not line.startswith(b"#") for line in text.splitlines())
    print(json.dumps({"seconds": min(times), "held": held, "packed": len(page), "samples": samples}))
"""

OURS = """
from spotward.web.board import Board, page_of
from spotward.web.exposition import Family

spot = Family(name="aws_spot_current_price", help="Current spot price of the instance type.", samples=(),
              labels=("instance_type", "region", "availability_zone", "product_description"))
before, board = resident(), Board([spot])
for number in range(REGIONS):
    told = Family(name=spot.name, help=spot.help, labels=spot.labels, samples=tuple(rows(f"region-{number}")))
    board.hang(f"region-{number}", board.written(f"region-{number}", [told]))
    del told
tell(lambda: page_of(board.stretches(), (), openmetrics=False, gzip=True), before)
"""

PEER = """
from prometheus_client import CollectorRegistry, Gauge, generate_latest

before, registry = resident(), CollectorRegistry()
spot = Gauge("aws_spot_current_price", "Current spot price of the instance type.", registry=registry,
             labelnames=("instance_type", "region", "availability_zone", "product_description"))
for number in range(REGIONS):
    for labels, price in rows(f"region-{number}"):
        spot.labels(*labels).set(price)
tell(lambda: gzip.compress(generate_latest(registry)), before)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What one of the two said of itself."""

    seconds: float
    """The best of several scrapes: what else the machine is busy with only ever adds to it."""
    held: int
    """Bytes of memory that the samples hold."""
    packed: int
    samples: int


def measures() -> Iterator[Measure]:
    """Time and memory of both, and the ratios."""
    ours, peer = _told(OURS), _told(PEER)
    if not ours.samples == peer.samples == SERIES:
        raise BenchError(f"{SERIES} samples were to be told, and {ours.samples} and {peer.samples} were")
    yield Measure(name=f"a scrape of {SERIES:,} prices", figure=1000 * ours.seconds, unit="ms")
    yield Measure(name="the same from prometheus_client", figure=1000 * peer.seconds, unit="ms")
    yield Measure(name="that is slower by", figure=peer.seconds / ours.seconds, unit="×", at_least=FASTER_AT_LEAST)
    yield Measure(name="memory that the prices hold", figure=ours.held / 1e6, unit="MB")
    yield Measure(name="the same in prometheus_client", figure=peer.held / 1e6, unit="MB")
    yield Measure(name="that is larger by", figure=peer.held / ours.held, unit="×", at_least=SMALLER_AT_LEAST)
    yield Measure(name="bytes of the page as it is sent", figure=ours.packed / 1e6, unit="MB")


def _told(program: str) -> Told:
    words = [sys.executable, "-c", SHARED + program, str(SERIES), str(REGIONS), str(SCRAPES)]
    ended = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    if ended.returncode:
        raise BenchError(f"nothing was measured: {ended.stderr[-500:]}")
    return Told(**json.loads(ended.stdout))
