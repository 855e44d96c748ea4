"""Deadlines: until when what can still be done, in plain arithmetic.

A machine is taken at `deadline`. A reserve before it is kept for volumes and for clocks that differ, so pods must have
stopped at the `stop_time`. A pod that may take `grace` seconds to stop, its preStop hook included, must therefore be
asked `grace` seconds before that, its latest start; asked later, it is given what is left, at least one second. (Zero
would delete the pod from the API at once while it may still run, so that two of it could be up at the same time.)
"""

import math

GRACE_SECONDS_MIN = 1
"""The shortest grace that is ever given on a machine that may run."""


ASKING_SECONDS = 1.0
"""Asking takes a moment, so who is asked at the latest start is asked a little after it: nobody is cut short for that.
The reserve covers it."""


def stop_time(deadline: float | None, reserve_seconds: float) -> float:
    """When every pod must have stopped; never, without a deadline."""
    return math.inf if deadline is None else deadline - reserve_seconds


def latest_start(stop: float, grace_seconds: float) -> float:
    """The last moment at which a pod can be asked and still have all its time."""
    return stop - grace_seconds


def fitting_grace(stop: float, now: float, grace_seconds: float) -> int | None:
    """The grace to give a pod that is asked now: None leaves it its own, because that fits."""
    left = stop - now
    if left >= grace_seconds - ASKING_SECONDS:
        return None
    return max(GRACE_SECONDS_MIN, math.floor(left))
