"""The processes that are measured: how they are started, and what they have cost so far, as Linux tells it in /proc."""

import atexit
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

SPOTWARD = (sys.executable, "-m", "spotward")

_ALL_OF_IT = (
    "import spotward.cli.running, spotward.web.server, spotward.emulator.server, spotward.emulator.stage, boto3; "
    "import spotward.cli.export, spotward.cli.imds, spotward.web.exporter, spotward.aws.imds_watch; "
    "import spotward.cli.agent, spotward.cli.agent_wire, spotward.config; "
    "import spotward.web.doors.app, spotward.plugins.host.by_grpc, spotward.rules.parse"
)

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and all its threads, in user and kernel mode."""
    # The name of the program, in parentheses, may hold anything; the fields that follow are numbered from 3 (proc(5)).
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = fields[14 - 3], fields[15 - 3]
    return (int(user) + int(system)) / _TICKS_PER_SECOND


def peak_memory_mib(pid: int) -> float:
    """The most memory that a process ever had resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"process {pid} tells no peak memory; has it ended?")


@cache
def environment() -> dict[str, str]:
    """The environment of a process that is measured: this one's, without a way to a real account, and with all modules
    compiled already.

    An installed program has its bytecode at hand from the second start on, which is what is to be measured, whatever
    this process was told about bytecode (containers often switch it off).
    """
    directory = tempfile.TemporaryDirectory(prefix="spotward-bench-bytecode-")
    atexit.register(directory.cleanup)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SPOTWARD_"))}
    own.pop("PYTHONDONTWRITEBYTECODE", None)
    own |= {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    own["PYTHONPYCACHEPREFIX"] = directory.name
    subprocess.run([sys.executable, "-c", _ALL_OF_IT], env=own, check=True)
    return own
