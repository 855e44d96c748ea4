"""Counting by names that others give, within a limit.

Rules, plugins and types of instances have names that we do not choose. There are few of them, unless somebody means ill
or a configuration is changed again and again under a process that lives for months. Then further names are counted
together, under `other`, and Prometheus is not filled with series that nobody reads.
"""

from collections.abc import Iterable, Mapping

from spotward.model.histogram import Bounds, Distribution, Histogram

OTHER = "other"
"""Under this name is counted what has no room under its own."""

NAMES_MAX = 500
"""So many different sets of labels are told apart in one family; a rules file may have as many rules."""

Labels = tuple[str, ...]


def _place(known: Mapping[Labels, object], labels: Labels, most: int) -> Labels:
    return labels if labels in known or len(known) < most else (OTHER,) * len(labels)


class Counts:
    """How many, by labels."""

    def __init__(self, known: Iterable[Labels] = (), *, most: int = NAMES_MAX) -> None:
        """known: labels that are told from the start, with 0: what Prometheus first sees at 1 has no increase for it.
        most: sets of labels that are told apart.
        """
        self._most, self._numbers = most, dict.fromkeys(known, 0.0)

    def add(self, *labels: str, number: float = 1) -> None:
        """So many more."""
        place = _place(self._numbers, labels, self._most)
        self._numbers[place] = self._numbers.get(place, 0) + number

    @property
    def now(self) -> dict[Labels, float]:
        """Labels → how many so far."""
        return dict(self._numbers)


class Histograms:
    """How large, by labels."""

    def __init__(self, bounds: Bounds, known: Iterable[Labels] = (), *, most: int = NAMES_MAX) -> None:
        """known, most: as of `Counts`."""
        self._bounds, self._most = bounds, most
        self._each = {labels: Histogram(bounds) for labels in known}

    def count(self, value: float, *labels: str) -> None:
        """One more value."""
        place = _place(self._each, labels, self._most)
        self._each.setdefault(place, Histogram(self._bounds)).count(value)

    @property
    def now(self) -> dict[Labels, Distribution]:
        """Labels → what was counted so far."""
        return {labels: each.now for labels, each in self._each.items()}
