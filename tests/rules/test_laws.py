"""What holds of every history, however messages dawdle and get lost and whenever the process is killed."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from spotward.engine.core import Core
from spotward.engine.rule_deciders import rule_deciders, rule_guards
from spotward.model.event import Event, Failed, Woken
from spotward.model.flow import Flow, TaskState
from spotward.model.flow_event import FlowCancelled, FlowRetried, Occurred, PluginAnswered, PluginProgressed
from spotward.model.occurrence import Occurrence
from spotward.model.plan import Plan
from spotward.model.world import World
from spotward.rules.chain import turn_of
from spotward.rules.match import matched
from spotward.rules.rulebook import Rules
from tests.engine.any_value import any_of
from tests.rules.made import NOON, alert, heard, occurrence, rules
from tests.rules.stage import Behaviour, Plugins, Stage, done, fails, hangs, refuses, unreachable

DAY = 86_400.0

PLUGINS = ("a", "b", "c", "d")

THEN = st.sampled_from(
    ["continue", "stop", "{run: [{plugin: d, name: NAME}], then: continue}", "{run: [{plugin: d, name: NAME}]}"]
)
WHEN = st.sampled_from(["", ", when: {labels.odd: 'yes'}", ", when: {steps.s0.status: {none_of: [failed]}}"])


@st.composite
def steps(draw: st.DrawFn) -> str:
    """A chain of one to four steps."""
    written = []
    for number in range(draw(st.integers(1, 4))):
        plugin, tries = draw(st.sampled_from(PLUGINS[:3])), draw(st.integers(0, 3))
        when = draw(WHEN) if number else ""
        good, bad = (draw(THEN).replace("NAME", f"s{number}-{word}") for word in ("good", "bad"))
        written.append(
            f"{{plugin: {plugin}, name: s{number}, retries: {tries}, timeout: 20s, backoff: {{first: 1s, max: 5s}}"
            f"{when}, on_success: {good}, on_failure: {bad}}}"
        )
    return f"[{', '.join(written)}]"


@st.composite
def rule_books(draw: st.DrawFn) -> Rules:
    """One to three rules over a few types."""
    text = f"match: {draw(st.sampled_from(['first', 'all']))}\n"
    text += f"plugins: {{c: {{address: 'x:1', at_once: {draw(st.integers(1, 3))}}}}}\nrules:\n"
    extras = ["cooldown: 1m", "repeat: 2m", "concurrency: 1", "concurrency: 2", "delay: 7s", "group_by: labels.team"]
    extras += ["finish_within: 3m", "hours: {days: mon-sun, from: '00:00', to: '13:00', zone: Europe/Berlin}"]
    for number in range(draw(st.integers(1, 3))):
        more = "".join(
            f"    {each}\n" for each in draw(st.lists(st.sampled_from(extras), max_size=4, unique_by=key_of))
        )
        glob = draw(st.sampled_from(["'*'", "'*.A'", "'*.B'", "'*.resolved'"]))
        text += f"  - name: r{number}\n    events: {glob}\n{more}    steps: {draw(steps())}\n"
    return rules(text, builtin=PLUGINS)


def key_of(line: str) -> str:
    return line.split(":", maxsplit=1)[0]


BEHAVIOURS: st.SearchStrategy[Behaviour] = st.sampled_from(
    [done, done, fails(1), fails(2), fails(99), refuses, hangs, unreachable(), unreachable(transient=False)]
)

NEWS = st.lists(
    st.tuples(
        st.sampled_from(["A", "B", "C"]),
        st.integers(1, 4),
        st.sampled_from(["x", "y"]),
        st.booleans(),
        st.floats(0, 400),
    ),
    max_size=14,
)

INTERFERENCE = st.lists(st.tuples(st.sampled_from(["kill", "cancel", "retry"]), st.floats(0, 500)), max_size=4)


@st.composite
def plays(draw: st.DrawFn) -> Stage:
    """A play to its end."""
    book = draw(rule_books())
    behaviours = {name: draw(BEHAVIOURS) for name in PLUGINS}
    slow = {name: draw(st.sampled_from([0.1, 3.0, 30.0])) for name in PLUGINS}
    stage = Stage(book, Plugins(behaviours, slow), seed=draw(st.integers(0, 999)), lost=draw(st.sampled_from([0, 0.3])))
    for name, number, team, resolved, after in draw(NEWS):
        odd = "yes" if number % 2 else "no"
        stage.hear(alert(name, number=number, resolved=resolved, team=team, odd=odd), after=after)
    for what, after in draw(INTERFERENCE):
        if what == "kill":
            stage.kill(after=after)
        else:
            stage.at(NOON + after, lambda what=what: interfere(stage, what))  # type: ignore[misc]  # what is bound
    return stage.play(3 * DAY)


def interfere(stage: Stage, what: str) -> None:
    """Somebody cancels the oldest open flow, or retries the last that ended."""
    if what == "cancel" and stage.open:
        stage.step(FlowCancelled(time=stage.time, flow=stage.open[0].key, by="ops"))
    if what == "retry" and stage.ended:
        stage.step(FlowRetried(time=stage.time, flow=stage.ended[-1], by="ops"))


def every_flow_ends_and_leaves_nothing_behind(stage: Stage) -> None:
    assert not stage.open
    flows = stage.world.flows
    assert not [*flows.of_line, *flows.running, *flows.queues, *flows.calls, *flows.crowds]
    assert not stage.world.wishes
    assert not len(stage.world.turns)
    assert all(flow.ended and flow.outcome for flow in stage.ended)


def tasks_are_called_in_the_order_of_the_plan_and_none_before_the_one_before_is_over(stage: Stage) -> None:
    plans: dict[str, Plan] = {flow.key: flow.plan for flow in stage.ended}
    for flow in {call.flow for _, call in stage.plugins.calls}:
        order = [task.name for task in plans[flow].tasks()]
        called = [call.task for _, call in stage.plugins.calls if call.flow == flow]
        retried = any(isinstance(event, FlowRetried) and event.flow.key == flow for event, _ in stage.steps)
        if not retried:  # whoever retries a step that failed has what follows it done anew
            assert all(order.index(first) <= order.index(then) for first, then in pairwise(called))
    for _, call in stage.plugins.calls:
        assert all(each.state is not TaskState.ASKED for each in call.earlier)


def a_task_has_one_key_over_all_tries_and_restarts_and_one_effect(stage: Stage) -> None:
    assert all(number == 1 for number in stage.plugins.effects.values())
    keys = {(call.flow, call.task): call.idempotency_key for _, call in stage.plugins.calls}
    assert len(set(keys.values())) == len(keys)
    assert all(call.idempotency_key == keys[call.flow, call.task] for _, call in stage.plugins.calls)


def the_recorded_events_thought_through_again_give_the_same_pages(stage: Stage) -> None:
    core = Core(rule_deciders(stage.rules), rule_guards(stage.rules))
    world = World()
    for number, (event, step) in enumerate(stage.steps, start=1):
        again = core.step(world, event, page_number=number)
        assert again.page == step.page
        assert again.undertakings == step.undertakings
        world = again.world


def an_open_flow_always_waits_for_something_that_comes(stage: Stage) -> None:
    """For an answer, for a time, or for another flow that is ahead of it."""
    wakes: set[str] = set()
    for event, step in stage.steps:
        if isinstance(event, Woken):
            wakes.discard(event.subject)
        wakes.update(wake.subject for wake in step.wakes)
        flows = step.world.flows
        for flow in flows.by_key.values():
            asked = any(key.startswith(f"call {flow.key}.") for key in step.world.wishes)
            ahead = flow.queued or bool(flow.waits_for)
            assert asked or ahead or flow.key in wakes
        assert all(flows.running.get(rule) for rule in flows.queues)
        assert all(flows.calls.get(plugin) for plugin in flows.crowds)


LAWS = (
    every_flow_ends_and_leaves_nothing_behind,
    tasks_are_called_in_the_order_of_the_plan_and_none_before_the_one_before_is_over,
    a_task_has_one_key_over_all_tries_and_restarts_and_one_effect,
    the_recorded_events_thought_through_again_give_the_same_pages,
    an_open_flow_always_waits_for_something_that_comes,
)


@given(plays())
@settings(max_examples=60)
def test_every_history_keeps_every_law(stage: Stage) -> None:
    for law in LAWS:
        law(stage)


HEARD: st.SearchStrategy[Event] = st.one_of(
    [any_of(kind) for kind in (Occurred, PluginAnswered, PluginProgressed, FlowCancelled, Failed, Woken)]
)
"""All that outsiders have a say in. What is retried comes from our own store."""

BOOK = rules(
    "match: all\nrules:\n  - {name: r, events: '*', group_by: data.a, steps: [{plugin: a}, {plugin: b}]}\n",
    builtin=PLUGINS,
)


@given(st.lists(HEARD, max_size=6))
@settings(max_examples=100)
def test_no_event_breaks_the_thinking(events: list[Event]) -> None:
    core, world = Core(rule_deciders(BOOK), rule_guards(BOOK)), World()
    step = core.step(world, heard(occurrence(data={"a": 1})), page_number=1)
    (flow,) = step.world.flows.all()
    for event in events:
        mine = aimed(event, flow)
        step = core.step(step.world, mine, page_number=1)
        assert all(turn_of(each) is not None for each in step.world.flows.by_key.values() if each.running)


def aimed(event: Event, flow: Flow) -> Event:
    """It is about the flow that is open, where it can be."""
    event = replace(event, time=NOON)  # it is our own clock's
    if isinstance(event, Occurred):
        return event
    names = event.__dataclass_fields__
    changes = {name: flow.key for name in ("flow", "subject") if name in names}
    return replace(event, **changes)  # type: ignore[arg-type]  # fields of it


@given(any_of(Occurrence), st.sampled_from(["'*'", "'a*b'"]))
def test_no_occurrence_breaks_the_matching(one: Occurrence, glob: str) -> None:
    where = "{data.a.0: {above: 1}, labels.x: {matches: '.+'}, time: {exists: true}, source: {is_not: x}}"
    book = rules(f"rules:\n  - {{name: r, events: {glob}, where: {where}, steps: [{{plugin: a}}]}}\n", builtin=PLUGINS)
    match = matched(book, one)
    assert bool(match.rules) != bool(match.reason)
