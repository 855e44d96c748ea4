"""Where the command begins: programs that run beside others are started without the weight of all the others.

The parser of the many commands loads a good dozen megabytes and a third of a second that a program with five options
does not need. So the words of the light ones are read by the standard library's parser, before anything else is loaded.
"""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from spotward.cli.exits import Exit
from spotward.model.errors import OutsideError, SpotwardError

LIGHT = {
    "agent": "spotward.cli.agent",
    "export": "spotward.cli.export",
    "imds": "spotward.cli.imds",
    "plugin": "spotward.cli.plugin",
}
"""First word → the module whose `run` reads the rest and gives the exit code."""


def main(words: Sequence[str] | None = None) -> None:
    """The entry point. `words`: those of the shell."""
    told = sys.argv[1:] if words is None else list(words)
    module = LIGHT.get(told[0]) if told else None
    if module is None:
        from spotward.cli.main import main as every_other

        every_other(told)
    else:
        sys.exit(light(import_module(module).run, told[1:]))


def light(run: Callable[[Sequence[str]], int], words: Sequence[str]) -> int:
    """Runs a light program and turns errors into words and an exit code."""
    try:
        return run(words)
    except SpotwardError as error:
        sys.stderr.write(f"spotward: {error}\n")
        return Exit.OUTSIDE if isinstance(error, OutsideError) else Exit.USAGE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
