"""The open incidents, and the ways to find them: by instance, by node, by a budget that they wait for.

A storm opens hundreds of them within a second, and each event concerns one or a few: so nothing here looks through all.
"""

from __future__ import annotations  # rpds' map takes its type parameters in an annotation only

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from rpds import HashTrieMap

from spotward.model.altered import altered
from spotward.model.incident import Fate, Incident

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True, slots=True)
class Incidents:
    """Open incidents, at most one of each instance."""

    by_instance: HashTrieMap[str, Incident] = field(default_factory=HashTrieMap)
    instance_of: HashTrieMap[str, str] = field(default_factory=HashTrieMap)
    """Name of a node → the instance whose incident it is in."""
    waiting: HashTrieMap[str, tuple[str, ...]] = field(default_factory=HashTrieMap)
    """Budget → instances whose pods wait for it."""
    held: HashTrieMap[str, int] = field(default_factory=HashTrieMap)
    """Budget → how many pods wait for it."""
    asking: HashTrieMap[str, int] = field(default_factory=HashTrieMap)
    """Budget → how many evictions of its pods are on their way to the API server."""
    taken: HashTrieMap[str, int] = field(default_factory=HashTrieMap)
    """Budget → how many were accepted since it was last seen: what it allows is that much less by now."""
    voluntary: HashTrieMap[str, float] = field(default_factory=HashTrieMap)
    """Instances whose nodes are being emptied although nothing forces it → since when."""
    advised: HashTrieMap[str, float] = field(default_factory=HashTrieMap)
    """Instances that EC2 advises to leave, and of which it has said nothing worse → since when."""

    def __len__(self) -> int:
        return len(self.by_instance)

    def get(self, instance_id: str) -> Incident | None:
        """The open incident of an instance, or None."""
        return self.by_instance.get(instance_id)

    def of_node(self, name: str) -> Incident | None:
        """The open incident of a node, or None."""
        instance_id = self.instance_of.get(name)
        return self.by_instance.get(instance_id) if instance_id is not None else None

    def all(self) -> Iterable[Incident]:
        """Every open incident, the soonest deadline first: a map's own order differs from process to process."""
        return sorted(self.by_instance.values(), key=urgency)

    def with_incident(self, incident: Incident) -> Incidents:
        """With an incident as it now stands; without it once it has ended."""
        before = self.by_instance.get(incident.instance_id)
        now = incident if incident.ended is None else None
        return altered(
            self,
            by_instance=_put(self.by_instance, incident.instance_id, now),
            instance_of=self._nodes_after(before, now),
            waiting=self._waiting_after(before, now),
            held=_counted(self.held, before, now, Fate.BLOCKED),
            asking=_counted(self.asking, before, now, Fate.ASKED),
            taken=self._taken_after(before, now),
            voluntary=_put(
                self.voluntary, incident.instance_id, now.begun_time if now is not None and now.voluntary else None
            ),
            advised=_put(self.advised, incident.instance_id, now.born if now is not None and now.advised else None),
        )

    def _nodes_after(self, before: Incident | None, now: Incident | None) -> HashTrieMap[str, str]:
        known = self.instance_of
        if before is not None and before.node and known.get(before.node) == before.instance_id:
            known = known.discard(before.node)
        return known.insert(now.node, now.instance_id) if now is not None and now.node else known

    def _waiting_after(self, before: Incident | None, now: Incident | None) -> HashTrieMap[str, tuple[str, ...]]:
        waited, waits = (set(_budgets(each, Fate.BLOCKED)) for each in (before, now))
        known = self.waiting
        for budget in waited ^ waits:
            one = before or now
            others = tuple(i for i in known.get(budget, ()) if one is not None and i != one.instance_id)
            mine = (now.instance_id,) if now is not None and budget in waits else ()
            known = _put(known, budget, (*others, *mine) or None)
        return known

    def _taken_after(self, before: Incident | None, now: Incident | None) -> HashTrieMap[str, int]:
        asked = {pod.uid for pod in before.pods if pod.fate is Fate.ASKED} if before is not None else set()
        known = self.taken
        for pod in now.pods if now is not None and asked else ():
            if pod.uid in asked and pod.fate is Fate.LEAVING:
                for budget in pod.budgets:
                    known = known.insert(budget, known.get(budget, 0) + 1)
        return known

    def budgets_seen(self, names: Iterable[str]) -> Incidents:
        """These budgets were seen anew: what was taken from them shows."""
        known = self.taken
        for name in names:
            known = known.discard(name)
        return altered(self, taken=known)


def _counted(
    known: HashTrieMap[str, int], before: Incident | None, now: Incident | None, fate: Fate
) -> HashTrieMap[str, int]:
    """The numbers of pods of that fate, by budget, once an incident stands as it does now."""
    change = _budgets(now, fate)
    change.subtract(_budgets(before, fate))
    for budget, number in change.items():
        if number:
            known = _put(known, budget, known.get(budget, 0) + number or None)
    return known


def _budgets(incident: Incident | None, fate: Fate) -> Counter[str]:
    pods = incident.pods if incident is not None else ()
    return Counter(name for pod in pods if pod.fate is fate for name in pod.budgets)


def urgency(incident: Incident) -> tuple[float, float, str]:
    """Whose turn is first: the soonest deadline, then the oldest."""
    deadline = incident.deadline
    return (float("inf") if deadline is None else deadline, incident.born, incident.instance_id)


def _put(known: HashTrieMap[str, Value], key: str, value: Value | None) -> HashTrieMap[str, Value]:
    return known.discard(key) if value is None else known.insert(key, value)
