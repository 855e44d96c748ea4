"""How many values were how large: the figure behind a histogram of Prometheus.

A `Histogram` counts and is kept by whoever sees the values; a `Distribution` is what it has counted by a moment, and
does not change any more. Buckets are told by their upper bounds, as Prometheus does.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

Bounds = tuple[float, ...]
"""Upper bounds of the buckets, rising; above the last is one more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Distribution:
    """What was counted by a moment."""

    bounds: Bounds
    counts: tuple[int, ...]
    """Values in each bucket, and above the last bound."""
    total: float = 0.0
    """The values, summed."""

    @classmethod
    def empty(cls, bounds: Bounds) -> "Distribution":
        """Of no value at all."""
        return cls(bounds=bounds, counts=(0,) * (len(bounds) + 1))

    @property
    def number(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    @property
    def buckets(self) -> Iterator[tuple[float, int]]:
        """(upper bound, how many values are not above it), the last bound being infinite."""
        return zip((*self.bounds, float("inf")), accumulate(self.counts), strict=True)


class Histogram:
    """Counts values by their size."""

    def __init__(self, bounds: Bounds) -> None:
        """Nothing was counted yet."""
        self._bounds, self._counts, self._total = bounds, [0] * (len(bounds) + 1), 0.0

    def count(self, value: float) -> None:
        """One more value. One below nought is nought: it comes of clocks that differ."""
        value = max(0.0, value)
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    @property
    def now(self) -> Distribution:
        """What was counted so far."""
        return Distribution(bounds=self._bounds, counts=tuple(self._counts), total=self._total)
