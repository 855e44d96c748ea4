"""How a command ends. The numbers are documented in docs/reference/commands.md."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    """What was asked for is done; a member that stays on demand for a readable reason is no failure."""
    BROKEN = 1
    """Spotward itself failed, or the demo found an invariant broken."""
    USAGE = 2
    """A file, an option or an event must be changed by the user."""
    UNFINISHED = 3
    """`run --once` or `handle` left something undone: calls failed, a swap came to nothing, or its time was up."""
    OUTSIDE = 4
    """AWS could not be asked: credentials, permission, network."""
    INTERRUPTED = 130
    """Ended by a signal before it was done."""
