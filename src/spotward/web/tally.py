"""What a shell has done since it began, counted as its steps are stored: deeds, and what became of nodes and pods.

The World forgets an incident when it has ended, so what came of it is counted when it comes to pass. One that a restart
finds in the middle is counted once, by whoever sees it through.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from spotward.engine.core import Step
from spotward.model.event import Done, Event, Failed, FleetAnswered
from spotward.model.incident import Cause, Fate, Incident, PodRecord
from spotward.model.node_event import NodeMarked, PodsAnswered
from spotward.model.world import World

NODE_CAUSES = tuple(cause.value for cause in Cause if cause is not Cause.ARRIVAL)
"""Why a node is emptied."""

POD_ENDS = ("graceful", "shortened", "past-budget", "killed")
"""How a pod went: with all its time; with less; past a disruption budget, in whatever time; with its machine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drains:
    """What became of nodes and pods by now."""

    nodes: Mapping[str, int] = field(default_factory=dict)
    """Cause → how many nodes were emptied."""
    pods: Mapping[str, int] = field(default_factory=dict)
    """How → how many pods went."""
    seconds: float = 0.0
    """From the beginning of each drain to its end, summed."""
    spare_seconds: float = 0.0
    """Left between the end of each drain and its deadline, summed; one that came late left none."""


class Tally:
    """Counts. To be told of every step that was stored, with the World before it."""

    def __init__(self) -> None:
        """Everything is 0."""
        self.deeds: Counter[tuple[str, str]] = Counter()
        """(kind, outcome) → how many."""
        self._nodes: Counter[str] = Counter()
        self._pods: Counter[str] = Counter()
        self._seconds = 0.0
        self._spare_seconds = 0.0

    @property
    def drains(self) -> Drains:
        """As it is now."""
        return Drains(
            nodes=dict(self._nodes),
            pods=dict(self._pods),
            seconds=self._seconds,
            spare_seconds=self._spare_seconds,
        )

    def hear(self, before: World, event: Event, step: Step) -> None:
        """A step was stored."""
        answered = deed_answered(before, event)
        if answered is not None:
            self.deeds[answered] += 1
        for undertaking in step.undertakings:
            if isinstance(undertaking, Incident):
                self._incident(before.incidents.get(undertaking.instance_id), undertaking)

    def _incident(self, before: Incident | None, now: Incident) -> None:
        if now.drained_time is not None and (before is None or not before.drained):
            self._drained(now, now.drained_time)
        known = {record.uid: record for record in before.pods} if before is not None else {}
        for record in now.pods:
            how, was = _end(record), known.get(record.uid)
            if how is not None and (was is None or _end(was) is None):
                self._pods[how] += 1

    def _drained(self, incident: Incident, time: float) -> None:
        causes = incident.causes or {signal.cause for signal in incident.signals}
        self._nodes[next((cause.value for cause in Cause if cause in causes), "")] += 1
        self._seconds += time - (incident.begun_time if incident.begun_time is not None else time)
        if incident.deadline is not None:
            self._spare_seconds += max(0.0, incident.deadline - time)


def _end(record: PodRecord) -> str | None:
    """How it went, or None as long as it has not gone."""
    if record.fate is Fate.KILLED:
        return "killed"
    if record.fate is not Fate.GONE:
        return None
    if record.past_budget:
        return "past-budget"
    return "graceful" if record.given_seconds is None else "shortened"


def deed_answered(before: World, event: Event) -> tuple[str, str] | None:
    """The kind of the deed that an event answers, and what came of it. `before`: while its wish is still in flight."""
    outcome = _outcome(event)
    if outcome is None:
        return None
    wish = before.wishes.get(getattr(event, "key", ""))
    action = wish.action if wish is not None else None
    return (action.kind, outcome) if action is not None and action.mutates else None


def _outcome(event: Event) -> str | None:
    match event:
        case Done() | NodeMarked() | PodsAnswered():
            return "done"
        case FleetAnswered():
            return "done" if event.instances else "nothing"
        case Failed():
            return "unknown" if event.outcome_unknown else "failed"
        case _:
            return None
