"""Flows of the user's rules, and the plugins that they call."""

from collections import Counter
from collections.abc import Mapping

from spotward.model.flow import Flow
from spotward.model.world import World
from spotward.web.metrics.question import Answer, Labels, Question, Reading, each
from spotward.web.tallies.bounded import Counts

FLOW_STATES = ("waiting", "queued", "running")
"""Of an open flow: its time has not come; it waits for a place among the flows of its rule; its steps are done."""


def _state(flow: Flow) -> str:
    if flow.running:
        return "running"
    return "queued" if flow.queued else "waiting"


def _open(reading: Reading) -> Answer:
    found = Counter((flow.rule, _state(flow)) for flow in reading.look.world.flows.by_key.values())
    rules = {rule for rule, *_ in (*found, *reading.look.flows.begun)}
    return _bounded({(rule, state): found[rule, state] for rule in sorted(rules) for state in FLOW_STATES})


def _under_way(reading: Reading) -> Answer:
    return _bounded({(plugin,): number for plugin, number in reading.look.world.flows.calls.items()})


def _in_line(reading: Reading) -> Answer:
    return _bounded({(plugin,): len(flows) for plugin, flows in _crowds(reading.look.world).items()})


def _crowds(world: World) -> Mapping[str, tuple[str, ...]]:
    return dict(world.flows.crowds.items())


def _bounded(numbers: Mapping[Labels, float]) -> Answer:
    """The names in a journal may be those of many rules files."""
    counts = Counts()
    for labels, number in sorted(numbers.items()):
        counts.add(*labels, number=number)
    return sorted(counts.now.items())


FLOWS = (
    Question(
        name="spotward_flows_open",
        labels=("rule", "state"),
        help="Open flows: waiting for their time, queued for a place, or running.",
        answer=_open,
    ),
    Question(
        name="spotward_flows_begun_total",
        labels=("rule",),
        help="Flows that were begun.",
        answer=each(lambda look: look.flows.begun),
    ),
    Question(
        name="spotward_flows_ended_total",
        labels=("rule", "outcome"),
        help="Flows that have ended: done, failed, cancelled.",
        answer=each(lambda look: look.flows.ended),
    ),
    Question(
        name="spotward_flow_seconds",
        labels=("rule",),
        help="From a flow's first step to its end.",
        answer=each(lambda look: look.flows.seconds),
        distributed=True,
    ),
    Question(
        name="spotward_plugin_calls_total",
        labels=("plugin", "outcome"),
        help="Calls of plugins: done, ignored, failed, refused, or unanswered.",
        answer=each(lambda look: look.flows.calls),
    ),
    Question(
        name="spotward_plugin_call_seconds",
        labels=("plugin",),
        help="From asking a plugin to its answer, or to giving up.",
        answer=each(lambda look: look.flows.call_seconds),
        distributed=True,
    ),
    Question(
        name="spotward_plugin_retries_total",
        labels=("plugin",),
        help="Calls that were further tries of a step.",
        answer=each(lambda look: look.flows.retries),
    ),
    Question(
        name="spotward_plugin_calls_under_way",
        labels=("plugin",),
        help="Calls that have not answered.",
        answer=_under_way,
    ),
    Question(
        name="spotward_plugin_line",
        labels=("plugin",),
        help="Flows that wait for room at a plugin.",
        answer=_in_line,
    ),
    Question(
        name="spotward_plugin_resting",
        labels=("plugin",),
        help="1 while a plugin is left alone because it could not be reached, else 0.",
        answer=each(lambda look: {(plugin,): float(resting) for plugin, resting in look.plugins.items()}),
    ),
)
