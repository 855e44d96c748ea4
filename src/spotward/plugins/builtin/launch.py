"""Begins an allowed command within its limits: `launch.py MEMORY_BYTES LC_CTYPE PROGRAM WORD...`, a program of its own.

Between fork and exec of a process that has threads, as whoever speaks gRPC has, hardly anything may be done: a child
that sets its limits there dies, or stands still for ever, now and then. So that child is this program at once, and sets
them in peace before it becomes the command.
"""

import os
import resource
import signal
import sys

FILES_MAX = 256
CANNOT_BE_RUN = 126
"""The code by which shells say so."""


def become(words: list[str], *, memory_bytes: int, locale: str) -> None:
    """Does not return. locale: what the command is to find as LC_CTYPE; empty for nothing."""
    for limit, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, FILES_MAX),
    ):
        resource.setrlimit(limit, (most, most))
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python ignores them, and what is ignored stays so
    if not locale:
        os.environ.pop("LC_CTYPE", None)  # Python sets one where there is none
    try:
        os.execv(words[0], words)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{words[0]} cannot be run: {error.strerror}\n")
        sys.exit(CANNOT_BE_RUN)


if __name__ == "__main__":
    become(sys.argv[3:], memory_bytes=int(sys.argv[1]), locale=sys.argv[2])
