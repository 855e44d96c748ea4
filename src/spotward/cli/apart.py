"""Work done in a child process that ends with it, so that what it took is not carried on for months.

Libraries that check and explain what a person wrote weigh twice what an agent does. A child of this process loads them,
hands the outcome over as plain values, and is gone. It is a fork: begun early, by a process that is still small and has
one thread, it costs some milliseconds, and both go on side by side.
"""

import os
import pickle
import sys
import traceback
from collections.abc import Callable
from typing import Generic, TypeVar, cast

from spotward.model.errors import ConfigError

Value = TypeVar("Value")

UNTOLD = 70
"""The child's exit code when something went wrong that is no mistake of the user's (sysexits.h: software)."""


class Apart(Generic[Value]):
    """Work that a child does. `what` names what it is to give, for messages."""

    def __init__(self, work: Callable[[], Value], *, what: str) -> None:
        """Begins. The value must be of classes that weigh nothing: unpickling loads their modules here."""
        self._what = what
        sys.stdout.flush()
        sys.stderr.flush()
        self._answer, theirs = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os._exit(_told(work, theirs))
        os.close(theirs)

    def value(self) -> Value:
        """What came of it, once. Raises ConfigError as the work did, or when the child did not live to say."""
        with os.fdopen(self._answer, "rb") as answer:
            text = answer.read()
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        if code == 0:
            outcome = pickle.loads(text)  # noqa: S301 - our own child wrote it
            if isinstance(outcome, ConfigError):
                raise outcome
            return cast("Value", outcome)
        why = f"was ended by signal {-code}; is there memory enough?" if code < 0 else "failed; the reason is above"
        raise ConfigError(f"{self._what} could not be read: the process that did it {why}")


def _told(work: Callable[[], object], door: int) -> int:
    """In the child: do it, say what came of it. The exit code."""
    try:
        try:
            outcome = work()
        except ConfigError as error:
            outcome = error
        with os.fdopen(door, "wb") as answer:
            pickle.dump(outcome, answer)
    except KeyboardInterrupt:  # the parent was interrupted as well, and says so
        return UNTOLD
    except Exception:  # noqa: BLE001 - nothing may leave the child but by its exit code
        traceback.print_exc()
        return UNTOLD
    return 0
