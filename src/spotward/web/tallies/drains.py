"""What became of nodes and their pods: incidents begun, drains and how long they took, the time left at their end.

The World forgets an incident when it has ended, so what came of it is counted when it comes to pass. One that a restart
finds in the middle is counted once, by whoever sees it through.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from spotward.engine.core import Step
from spotward.model.histogram import Distribution, Histogram
from spotward.model.incident import Cause, Fate, Incident, PodRecord
from spotward.model.world import World
from spotward.web.tallies.bounded import Histograms

NODE_CAUSES = tuple(cause.value for cause in Cause if cause is not Cause.ARRIVAL)
"""Why a node is emptied."""

INCIDENT_CAUSES = tuple(cause.value for cause in Cause)
"""Why there is an incident."""

POD_ENDS = ("graceful", "shortened", "past-budget", "killed")
"""How a pod went: with all its time; with less; past a disruption budget, in whatever time; with its machine."""

DRAIN_SECONDS = (1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 300.0, 900.0, 3600.0)
"""EC2 gives two minutes; what nothing forces may take longer."""

LEFT_SECONDS = (0.0, 5.0, 10.0, 15.0, 30.0, 45.0, 60.0, 75.0, 90.0, 105.0, 120.0, 300.0, 900.0)
"""Of two minutes mostly. The first bucket holds what came too late."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drains:
    """What became of nodes and pods by now."""

    nodes: Mapping[str, int] = field(default_factory=dict)
    """Cause → how many nodes were emptied."""
    pods: Mapping[str, int] = field(default_factory=dict)
    """How → how many pods went."""
    incidents: Mapping[str, int] = field(default_factory=dict)
    """Cause → how often it was heard of a node, each once for each incident."""
    seconds: Mapping[tuple[str, ...], Distribution] = field(default_factory=dict)
    """(cause,) → from the beginning of each drain to its end."""
    left_seconds: Distribution = field(default_factory=lambda: Distribution.empty(LEFT_SECONDS))
    """Between the end of each drain and its deadline, where it has one; one that came late left none."""


class DrainTally:
    """Counts. To be told of every step that was stored, with the World before it."""

    def __init__(self) -> None:
        """Nothing happened yet."""
        self._nodes: Counter[str] = Counter()
        self._pods: Counter[str] = Counter()
        self._incidents: Counter[str] = Counter()
        self._seconds = Histograms(DRAIN_SECONDS, [(cause,) for cause in NODE_CAUSES])
        self._left = Histogram(LEFT_SECONDS)

    @property
    def now(self) -> Drains:
        """As it is now."""
        return Drains(
            nodes=dict(self._nodes),
            pods=dict(self._pods),
            incidents=dict(self._incidents),
            seconds=self._seconds.now,
            left_seconds=self._left.now,
        )

    def hear(self, before: World, step: Step) -> None:
        """A step was stored."""
        for undertaking in step.undertakings:
            if isinstance(undertaking, Incident):
                self._incident(before.incidents.get(undertaking.instance_id), undertaking)

    def _incident(self, before: Incident | None, now: Incident) -> None:
        heard = {signal.cause for signal in before.signals} if before is not None else set()
        self._incidents.update(cause.value for cause in {signal.cause for signal in now.signals} - heard)
        if now.drained_time is not None and (before is None or not before.drained):
            self._drained(now, now.drained_time)
        known = {record.uid: record for record in before.pods} if before is not None else {}
        for record in now.pods:
            how, was = _end(record), known.get(record.uid)
            if how is not None and (was is None or _end(was) is None):
                self._pods[how] += 1

    def _drained(self, incident: Incident, time: float) -> None:
        causes = incident.causes or {signal.cause for signal in incident.signals}
        cause = next((cause.value for cause in Cause if cause in causes), "")
        self._nodes[cause] += 1
        self._seconds.count(time - (incident.begun_time if incident.begun_time is not None else time), cause)
        if incident.deadline is not None:
            self._left.count(incident.deadline - time)


def _end(record: PodRecord) -> str | None:
    """How it went, or None as long as it has not gone."""
    if record.fate is Fate.KILLED:
        return "killed"
    if record.fate is not Fate.GONE:
        return None
    if record.past_budget:
        return "past-budget"
    return "graceful" if record.given_seconds is None else "shortened"
