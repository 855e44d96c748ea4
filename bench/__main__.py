"""`python -m bench [PART …]`: measure, print a table for each part, and end with 1 if a bound is broken."""

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape

from bench import agent, alerts, calls, daemon, emulator, engine, exporters, node, notices, start, storm, wall
from bench.measure import BenchError, Part, show
from spotward.emulator.stage import StageError

PARTS: dict[str, tuple[str, Part]] = {
    "start": ("From the command to its answer", start.measures),
    "engine": ("The core and its journal, 10,000 instances in the World", engine.measures),
    "calls": ("AWS calls: 20 on-demand members of one group become Spot, default surge", calls.measures),
    "wall": ("Time: 100 members of one group against 1, surge 100 %", wall.measures),
    "daemon": ("The daemon over 500 groups of 20", daemon.measures),
    "node": ("What runs on every node", node.measures),
    "exporters": ("A hundred thousand Spot prices for Prometheus", exporters.measures),
    "agent": ("The agent of a node, beside a real control plane", agent.measures),
    "alerts": ("Alerts for the rules, by the doors", alerts.measures),
    "notices": ("Fifteen thousand interruption notices in a queue, and the API server away", notices.measures),
    "storm": ("Five hundred nodes are interrupted in the same second", storm.measures),
    "emulator": ("The embedded cloud with 10,000 instances", emulator.measures),
}


WIDTH = 110
"""Of a table where no terminal says how wide it is."""


def main(arguments: Sequence[str], parts: Mapping[str, tuple[str, Part]] = PARTS) -> int:
    """Measures the parts that are named, or all. The exit code: 1 if a bound is broken."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one or more of {', '.join(parts)}; none means all")
    wanted = parser.parse_args(arguments).parts or list(parts)
    unknown = set(wanted) - set(parts)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}; choose of {', '.join(parts)}")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    console.print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} processors\n")
    began = time.perf_counter()
    broken = [name for name in wanted if not _measured(console, *parts[name])]
    console.print(f"{time.perf_counter() - began:.0f} s in all; broken: {', '.join(broken) or 'nothing'}")
    return 1 if broken else 0


def _measured(console: Console, title: str, measures: Part) -> bool:
    began = time.perf_counter()
    try:
        found = list(measures())
    except (BenchError, StageError, subprocess.TimeoutExpired) as error:
        console.print(f"[bold]{title}[/bold]\n[red]not measured:[/red] {escape(str(error))}\n")
        return False
    show(console, f"{title} ({time.perf_counter() - began:.0f} s)", found)
    return all(each.ok for each in found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
