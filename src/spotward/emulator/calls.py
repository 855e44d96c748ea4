"""Who called what: the account book of a run, for tests and benchmarks that count calls."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

CALLS_KEPT_MAX = 100_000
"""The newest calls that are kept one by one; the counts go back to the beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of AWS's API, answered or refused."""

    time: float
    """Virtual Unix seconds."""
    service: str
    operation: str
    region: str
    access_key: str
    status: int
    error: str | None = None
    """The code of the refusal."""
    request_bytes: int = 0
    answer_bytes: int = 0

    @property
    def name(self) -> str:
        """`ec2.CreateFleet`."""
        return f"{self.service}.{self.operation}"


OnCall = Callable[[Call], None]
"""Told of each call when it is done and its answer is not yet sent: the moment at which a caller may be killed."""


class CallLog:
    """All calls so far. Safe for threads."""

    def __init__(self, on_call: OnCall | None = None) -> None:
        """`on_call`: see `OnCall`."""
        self._on_call = on_call
        self._lock = threading.Lock()
        self._newest: deque[Call] = deque(maxlen=CALLS_KEPT_MAX)
        self._counts: Counter[tuple[str, str]] = Counter()
        self._errors: Counter[tuple[str, str]] = Counter()
        self._bytes = 0

    def add(self, call: Call) -> None:
        """One more."""
        with self._lock:
            self._newest.append(call)
            self._counts[call.access_key, call.name] += 1
            self._bytes += call.answer_bytes
            if call.error is not None:
                self._errors[call.name, call.error] += 1
        if self._on_call is not None:
            self._on_call(call)

    def newest(self) -> list[Call]:
        """The calls, oldest first."""
        with self._lock:
            return list(self._newest)

    def count(self, access_key: str | None = None) -> Counter[str]:
        """Operation -> how often; of one access key or of all."""
        with self._lock:
            counted: Counter[str] = Counter()
            for (key, name), times in self._counts.items():
                if access_key in {None, key}:
                    counted[name] += times
            return counted

    def clear(self) -> None:
        """Begins anew."""
        with self._lock:
            self._newest.clear()
            self._counts.clear()
            self._errors.clear()
            self._bytes = 0

    def summary(self) -> dict[str, Any]:
        """Counts by operation and by access key, and of errors: what GET /_spotward/calls answers."""
        with self._lock:
            keys = sorted({key for key, _ in self._counts})
            errors = [
                {"operation": name, "code": code, "count": times}
                for (name, code), times in sorted(self._errors.items())
            ]
            total, answer_bytes = self._counts.total(), self._bytes
        return {
            "total": total,
            "answer_bytes": answer_bytes,
            "by_operation": dict(sorted(self.count().items())),
            "by_access_key": {key: dict(sorted(self.count(key).items())) for key in keys},
            "errors": errors,
        }
