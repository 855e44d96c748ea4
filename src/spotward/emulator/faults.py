"""Calls that a scenario lets fail: throttled for a while, or answered with an error for some times."""

from __future__ import annotations

from fnmatch import fnmatchcase

from spotward.emulator.throttle import too_many_requests
from spotward.sim.errors import ApiError
from spotward.sim.shocks import Failure, Shock, Throttle, calls, in_force

_UNAVAILABLE = frozenset({"InternalError", "InternalFailure", "InsufficientInstanceCapacity", "Server.InternalError"})
_BUSY = frozenset({"RequestLimitExceeded", "ServiceUnavailable", "Unavailable"})
_FORBIDDEN = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "OptInRequired"})


class Faults:
    """The scripted failures of one region. Not safe for threads: the caller holds a lock."""

    def __init__(self, *, region: str, start_time: float) -> None:
        """`start_time`: from when a shock's seconds count."""
        self._region = region
        self._start_time = start_time
        self._throttles: list[Throttle] = []
        self._failures: list[tuple[Failure, list[int]]] = []

    def add(self, shock: Shock) -> None:
        """Adds one, if it is of this kind and of this region."""
        if isinstance(shock, Throttle) and fnmatchcase(self._region, shock.region):
            self._throttles.append(shock)
        if isinstance(shock, Failure) and fnmatchcase(self._region, shock.region):
            self._failures.append((shock, [0]))

    def of(self, service: str, operation: str, *, time: float) -> ApiError | None:
        """The error that this call is to answer with, if any; it counts as one of the shock's times."""
        seconds = time - self._start_time
        for throttle in self._throttles:
            if in_force(throttle, seconds) and calls(throttle.operation, service, operation):
                return too_many_requests(service)
        for failure, failed in self._failures:
            left = failure.times is None or failed[0] < failure.times
            if left and in_force(failure, seconds) and calls(failure.operation, service, operation):
                failed[0] += 1
                message = failure.message or f"The scenario lets {operation} fail with {failure.code}."
                return ApiError(failure.code, message, _status(failure.code))
        return None


def _status(code: str) -> int:
    """The HTTP status that AWS sends with a code."""
    if code in _UNAVAILABLE:
        return 500
    if code in _BUSY:
        return 503
    return 403 if code in _FORBIDDEN else 400
