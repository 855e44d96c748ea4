"""How long a person waits for the command line itself."""

import subprocess
import time
from collections.abc import Iterator
from statistics import median

from bench.measure import Measure
from bench.process import SPOTWARD, environment

TRIES = 5


def measures() -> Iterator[Measure]:
    """The commands that need nothing but themselves."""
    for words in (("--help",), ("--version",)):
        yield Measure(name=f"spotward {' '.join(words)}", figure=_seconds(words), unit="s")


def _seconds(words: tuple[str, ...]) -> float:
    own, times = environment(), []
    for _ in range(TRIES):
        began = time.perf_counter()
        subprocess.run([*SPOTWARD, *words], env=own, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - began)
    return median(times)
