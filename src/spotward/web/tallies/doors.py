"""What was said at the doors: by which door, with which answer, and how long the teller waited for it.

The wait is what Prometheus sees: it ends when all of the request stands in the journal, or was refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from spotward.model.histogram import Distribution
from spotward.web.tallies.bounded import OTHER, Counts, Histograms

PATHS = {
    "/api/v1/alerts": "prometheus",
    "/api/v2/alerts": "prometheus",
    "/alertmanager": "alertmanager",
    "/events": "cloudevents",
    "/eventbridge": "eventbridge",
    "/healthz": "healthz",
}
"""Path → door. What people want of a flow is `flows`, and any other path `other`: a path is no label."""

WAIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


KNOWN = (*dict.fromkeys(PATHS.values()), "flows")
ANSWERS = ("200", "400", "401", "429", "503")
"""What is told from the start."""


def door_of(path: str) -> str:
    """The door behind a path."""
    return "flows" if path.startswith("/flows/") else PATHS.get(path, OTHER)


@dataclass(frozen=True, kw_only=True, slots=True)
class DoorCounts:
    """What was said by now."""

    answers: Mapping[tuple[str, ...], float] = field(default_factory=dict)
    """(door, status) → how many requests were answered so."""
    wait_seconds: Mapping[tuple[str, ...], Distribution] = field(default_factory=dict)
    """(door,) → how long the answer took."""


class DoorTally:
    """Counts. To be told of every answer."""

    def __init__(self) -> None:
        """Nobody came yet."""
        self._answers = Counts((door, answer) for door in KNOWN for answer in ANSWERS)
        self._wait = Histograms(WAIT_SECONDS, [(door,) for door in KNOWN])

    @property
    def now(self) -> DoorCounts:
        """As it is now."""
        return DoorCounts(answers=self._answers.now, wait_seconds=self._wait.now)

    def answered(self, door: str, status: str, seconds: float | None) -> None:
        """A request was answered. status: of HTTP, `200`, or of gRPC, `UNAVAILABLE`. seconds: None for not measured."""
        self._answers.add(door, status)
        if seconds is not None:
            self._wait.count(seconds, door)
