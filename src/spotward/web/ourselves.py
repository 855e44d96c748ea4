"""What a light exporter tells of its own process, under the names that Prometheus' libraries use."""

import resource
from collections.abc import Iterable
from pathlib import Path

from spotward import __version__
from spotward.web.exposition import Family, Sample


def of_ourselves() -> Iterable[Family]:
    """Processor time, memory, version."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    yield Family(
        name="process_cpu_seconds_total",
        help="Total user and system CPU time spent in seconds.",
        kind="counter",
        samples=_one(used.ru_utime + used.ru_stime),
    )
    yield Family(
        name="process_resident_memory_bytes",
        help="Resident memory size in bytes.",
        samples=_one(_resident_bytes()),
    )
    yield Family(
        name="process_peak_resident_memory_bytes",
        help="The most memory that was ever resident.",
        samples=_one(float(used.ru_maxrss * 1024)),
    )
    yield Family(
        name="spotward_build_info",
        help="Always 1; the version is a label.",
        labels=("version",),
        samples=(((__version__,), 1.0),),
    )


def _resident_bytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return float(pages * resource.getpagesize())


def _one(figure: float) -> tuple[Sample, ...]:
    return (((), figure),)
