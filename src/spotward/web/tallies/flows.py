"""Flows: begun and ended by rule, and the calls of plugins, with how long each took and what it said.

A call is counted when its answer is stored, by the fact that stood on its flow before.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from spotward.engine.core import Step
from spotward.model.event import Event, Failed
from spotward.model.flow import Flow, Outcome, TaskFact, TaskState
from spotward.model.flow_action import CallPlugin
from spotward.model.flow_event import PluginAnswered, Status
from spotward.model.histogram import Distribution
from spotward.model.world import World
from spotward.web.tallies.bounded import Counts, Histograms

FLOW_OUTCOMES = tuple(outcome.value for outcome in Outcome)

STEP_OUTCOMES = (*(status.value for status in Status), "unanswered")
"""What a plugin said of a call; `unanswered`: it could not be reached, or said nothing in time."""

STEP_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
"""From a message that is posted to a node that is drained."""

FLOW_SECONDS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 90.0, 120.0, 300.0, 900.0, 3600.0)

Numbers = Mapping[tuple[str, ...], float]


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowCounts:
    """What came of flows by now."""

    begun: Numbers = field(default_factory=dict)
    """(rule,) → how many."""
    ended: Numbers = field(default_factory=dict)
    """(rule, outcome) → how many."""
    seconds: Mapping[tuple[str, ...], Distribution] = field(default_factory=dict)
    """(rule,) → from the first step to the end."""
    calls: Numbers = field(default_factory=dict)
    """(plugin, outcome) → how many calls were answered, or were not."""
    retries: Numbers = field(default_factory=dict)
    """(plugin,) → how many calls were further tries of a step."""
    call_seconds: Mapping[tuple[str, ...], Distribution] = field(default_factory=dict)
    """(plugin,) → from the asking to the answer."""


class FlowTally:
    """Counts. To be told of every step that was stored, with the World before it."""

    def __init__(self, rules: Iterable[str] = (), plugins: Iterable[str] = ()) -> None:
        """Nothing happened yet. Of these rules and plugins that is told."""
        of_rules, of_plugins = [(name,) for name in rules], [(name,) for name in plugins]
        self._begun, self._retries = Counts(of_rules), Counts(of_plugins)
        self._ended = Counts((rule, outcome) for (rule,) in of_rules for outcome in FLOW_OUTCOMES)
        self._calls = Counts((plugin, outcome) for (plugin,) in of_plugins for outcome in STEP_OUTCOMES)
        self._seconds = Histograms(FLOW_SECONDS, of_rules)
        self._call_seconds = Histograms(STEP_SECONDS, of_plugins)

    @property
    def now(self) -> FlowCounts:
        """As it is now."""
        return FlowCounts(
            begun=self._begun.now,
            ended=self._ended.now,
            seconds=self._seconds.now,
            calls=self._calls.now,
            retries=self._retries.now,
            call_seconds=self._call_seconds.now,
        )

    def hear(self, before: World, event: Event, step: Step) -> None:
        """A step was stored."""
        self._answer(before, event)
        for asked in step.asked:
            if isinstance(asked.action, CallPlugin) and asked.action.tries > 1:
                self._retries.add(asked.action.plugin)
        for undertaking in step.undertakings:
            if isinstance(undertaking, Flow):
                self._flow(undertaking, before.flows.get(undertaking.key))

    def _flow(self, flow: Flow, before: Flow | None) -> None:
        if before is None and not flow.retried:
            self._begun.add(flow.rule)
        if flow.outcome is not None:
            self._ended.add(flow.rule, flow.outcome.value)
            if flow.started_time is not None and flow.ended_time is not None:
                self._seconds.count(flow.ended_time - flow.started_time, flow.rule)

    def _answer(self, before: World, event: Event) -> None:
        called = _called(before, event)
        if called is not None and isinstance(event, PluginAnswered | Failed):
            flow, fact = called
            plugin = flow.plugin_of(fact.name)
            said = event.status.value if isinstance(event, PluginAnswered) else "unanswered"
            self._calls.add(plugin, said)
            if fact.asked_time is not None:
                self._call_seconds.count(event.time - fact.asked_time, plugin)


def _called(before: World, event: Event) -> tuple[Flow, TaskFact] | None:
    """The flow and the task that an event answers, if it answers one that was asked."""
    wish = before.wishes.get(getattr(event, "key", ""))
    action = wish.action if wish is not None else None
    flow = before.flows.get(action.flow) if isinstance(action, CallPlugin) else None
    if flow is None or not isinstance(action, CallPlugin):
        return None
    fact = flow.fact(action.task)
    return (flow, fact) if fact.state is TaskState.ASKED else None
