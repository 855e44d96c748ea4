"""The open flows, and the lines in which they wait: for a place among the flows of their rule, for room at a plugin.

A burst opens thousands of them within a second, and each event concerns one or a few: so nothing here looks through
all of them.
"""

from __future__ import annotations  # rpds' map takes its type parameters in an annotation only

import bisect
from collections.abc import Iterable
from dataclasses import dataclass, field

from rpds import HashTrieMap

from spotward.model.altered import altered
from spotward.model.flow import Flow


@dataclass(frozen=True, kw_only=True, slots=True)
class Flows:
    """Open flows, at most one of each group of a rule."""

    by_key: HashTrieMap[str, Flow] = field(default_factory=HashTrieMap)
    of_line: HashTrieMap[str, str] = field(default_factory=HashTrieMap)
    """A rule and a group → key of their open flow."""
    running: HashTrieMap[str, int] = field(default_factory=HashTrieMap)
    """Rule → how many of its flows have a place."""
    queues: HashTrieMap[str, tuple[str, ...]] = field(default_factory=HashTrieMap)
    """Rule → flows that wait for a place, the oldest first."""
    calls: HashTrieMap[str, int] = field(default_factory=HashTrieMap)
    """Plugin → how many calls of it have not answered."""
    crowds: HashTrieMap[str, tuple[str, ...]] = field(default_factory=HashTrieMap)
    """Plugin → flows that wait for room at it, the oldest first."""

    def __len__(self) -> int:
        return len(self.by_key)

    def get(self, key: str) -> Flow | None:
        """An open flow, or None."""
        return self.by_key.get(key)

    def of_group(self, line: str) -> Flow | None:
        """The open flow of a group of a rule, or None."""
        key = self.of_line.get(line)
        return self.by_key.get(key) if key is not None else None

    def all(self) -> Iterable[Flow]:
        """Every open flow, the oldest first: a map's own order differs from process to process."""
        return sorted(self.by_key.values(), key=age)

    def with_flow(self, flow: Flow) -> Flows:
        """With a flow as it now stands; without it once it has ended."""
        before = self.by_key.get(flow.key)
        now = flow if flow.ended is None else None
        by_key = self.by_key.discard(flow.key) if now is None else self.by_key.insert(flow.key, now)
        return altered(
            self,
            by_key=by_key,
            of_line=self._lines_after(flow),
            running=_counted(self.running, *(_places(each) for each in (before, now))),
            queues=self._waiting_after(self.queues, flow, *(_queue(each) for each in (before, now))),
            calls=_counted(self.calls, *(_called(each) for each in (before, now))),
            crowds=self._waiting_after(self.crowds, flow, *(_crowd(each) for each in (before, now))),
        )

    def _lines_after(self, flow: Flow) -> HashTrieMap[str, str]:
        holder = self.of_line.get(flow.line)
        if flow.ended is None:
            return self.of_line if holder == flow.key else self.of_line.insert(flow.line, flow.key)
        return self.of_line.discard(flow.line) if holder == flow.key else self.of_line

    def _waiting_after(
        self, lines: HashTrieMap[str, tuple[str, ...]], flow: Flow, before: str, now: str
    ) -> HashTrieMap[str, tuple[str, ...]]:
        if before == now:
            return lines
        if before:
            keys = lines.get(before, ())
            at = self._place(keys, flow)
            others = keys[:at] + keys[at + 1 :]
            lines = lines.insert(before, others) if others else lines.discard(before)
        if now:
            keys = lines.get(now, ())
            at = self._place(keys, flow)
            lines = lines.insert(now, (*keys[:at], flow.key, *keys[at:]))
        return lines

    def _place(self, keys: tuple[str, ...], flow: Flow) -> int:
        """Where it stands in a line, or would. Most come last and go first."""
        if not keys or age(flow) > age(self.by_key[keys[-1]]):
            return len(keys)
        return bisect.bisect_left(keys, age(flow), key=lambda key: age(self.by_key[key]))


def age(flow: Flow) -> tuple[float, str]:
    """Whose turn is first."""
    return (flow.born, flow.key)


def _places(flow: Flow | None) -> str:
    return flow.rule if flow is not None and flow.running else ""


def _queue(flow: Flow | None) -> str:
    return flow.rule if flow is not None and flow.queued and flow.started_time is None else ""


def _called(flow: Flow | None) -> str:
    fact = flow.calling if flow is not None else None
    return flow.plugin_of(fact.name) if flow is not None and fact is not None else ""


def _crowd(flow: Flow | None) -> str:
    return flow.waits_for if flow is not None else ""


def _counted(counts: HashTrieMap[str, int], before: str, now: str) -> HashTrieMap[str, int]:
    if before == now:
        return counts
    for name, change in ((before, -1), (now, 1)):
        if name:
            number = counts.get(name, 0) + change
            counts = counts.insert(name, number) if number else counts.discard(name)
    return counts
