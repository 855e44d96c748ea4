"""Answers that are believed for a while."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class Aged(Generic[K, V]):
    """Answers, and when they were given. Bounded by what can be asked: there are so many types, zones and products."""

    age_seconds: float
    entries: dict[K, tuple[float, V]] = field(default_factory=dict)

    def fresh(self, key: K, now: float) -> V | None:
        """The answer, unless it is too old."""
        known = self.entries.get(key)
        return known[1] if known is not None and now - known[0] < self.age_seconds else None

    def last(self, key: K, now: float, *, within_seconds: float) -> V | None:
        """The last answer, although it may be too old to be believed: for where no newer one can be had."""
        known = self.entries.get(key)
        return known[1] if known is not None and now - known[0] < within_seconds else None

    def missing(self, keys: Iterable[K], now: float) -> list[K]:
        """Those of the keys that must be asked for."""
        return [key for key in dict.fromkeys(keys) if self.fresh(key, now) is None]

    def keep(self, key: K, value: V, now: float) -> None:
        """Remember an answer."""
        self.entries[key] = (now, value)
