"""Swaps that have ended: what came of them, how long they took, and what was left of the time that EC2 gave."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from spotward.engine.core import Step
from spotward.groups.retire import replaced
from spotward.model.histogram import Distribution, Histogram
from spotward.model.undertaking import Swap, SwapCause
from spotward.web.tallies.bounded import Histograms
from spotward.web.tallies.drains import LEFT_SECONDS

SWAP_OUTCOMES = ("whole", "part", "none", "abandoned")
"""All members replaced; some; nobody; undone, because the group is gone, or is not to be touched any more."""

SWAP_SECONDS = (10.0, 30.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
"""An instance boots in one to five minutes, and pods may take their time before the old one goes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Swaps:
    """What came of swaps by now."""

    ended: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(cause, outcome) → how many."""
    members: Mapping[str, int] = field(default_factory=dict)
    """Cause → how many members were replaced."""
    seconds: Mapping[tuple[str, ...], Distribution] = field(default_factory=dict)
    """(cause,) → from the beginning to the end, of those that replaced somebody."""
    left_seconds: Distribution = field(default_factory=lambda: Distribution.empty(LEFT_SECONDS))
    """Between the end of a swap that an interruption began, if it replaced all, and the deadline."""


class SwapTally:
    """Counts. To be told of every step that was stored."""

    def __init__(self) -> None:
        """Nothing has ended yet."""
        self._ended: Counter[tuple[str, str]] = Counter()
        self._members: Counter[str] = Counter()
        self._seconds = Histograms(SWAP_SECONDS, [(cause.value,) for cause in SwapCause])
        self._left = Histogram(LEFT_SECONDS)

    @property
    def now(self) -> Swaps:
        """As it is now."""
        return Swaps(
            ended=dict(self._ended),
            members=dict(self._members),
            seconds=self._seconds.now,
            left_seconds=self._left.now,
        )

    def hear(self, step: Step) -> None:
        """A step was stored."""
        for undertaking in step.undertakings:
            if isinstance(undertaking, Swap) and undertaking.ended_time is not None:
                self._swap(undertaking, undertaking.ended_time)

    def _swap(self, swap: Swap, ended: float) -> None:
        cause, outcome, number = swap.cause.value, _outcome(swap), replaced(swap)
        self._ended[cause, outcome] += 1
        self._members[cause] += number
        if number:
            self._seconds.count(ended - swap.born, cause)
        if swap.deadline is not None and outcome == "whole":
            self._left.count(swap.deadline - ended)


def _outcome(swap: Swap) -> str:
    if swap.abandoned is not None:
        return "abandoned"
    number = replaced(swap)
    if not number:
        return "none"
    return "whole" if number >= len(swap.olds) else "part"
