"""A metric as a question, and the usual ways to answer it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from spotward.model.histogram import Distribution
from spotward.web.figures import Figures
from spotward.web.view import Look

Labels = tuple[str, ...]
Value = float | Distribution
Answer = Iterable[tuple[Labels, Value]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One look, and the figures of its groups, worked out once for all questions."""

    look: Look
    groups: list[Figures]

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that are looked after."""
        return self.look.regions


class Kind(StrEnum):
    """What Prometheus takes a family for."""

    GAUGE = "gauge"
    COUNTER = "counter"
    """It only ever rises, from the start of the process on."""
    HISTOGRAM = "histogram"


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One family of metrics."""

    name: str
    """As it stands in the samples: a counter's ends in `_total`."""
    help: str
    answer: Callable[[Reading], Answer]
    labels: Labels = ()
    distributed: bool = False
    """Is the answer a distribution?"""

    @property
    def kind(self) -> Kind:
        """What Prometheus takes it for."""
        if self.distributed:
            return Kind.HISTOGRAM
        return Kind.COUNTER if self.name.endswith("_total") else Kind.GAUGE


def one(value: Callable[[Look], Value]) -> Callable[[Reading], Answer]:
    """A single sample."""
    return lambda reading: [((), value(reading.look))]


def each_kind(kinds: Iterable[str], counts: Callable[[Look], Mapping[str, int]]) -> Callable[[Reading], Answer]:
    """One sample for each kind, 0 included, so that a rate is right from the first event on."""

    def answer(reading: Reading) -> Answer:
        counted = counts(reading.look)
        return [((kind,), counted.get(kind, 0)) for kind in kinds]

    return answer


def each(values: Callable[[Look], Mapping[Labels, Value]]) -> Callable[[Reading], Answer]:
    """One sample for each set of labels that there is, in their order."""
    return lambda reading: sorted(values(reading.look).items(), key=lambda item: item[0])
