"""The decider of this room: what occurs begins flows, answers teach them, and then each goes on.

When a flow ends or a plugin has answered, whoever waits longest for the place or the room is next, in the same step.
"""

from dataclasses import dataclass, field
from enum import Enum

from spotward.model.altered import altered
from spotward.model.decision import NOTHING, Decider, Decision, Verdict, WakeAt, Wish
from spotward.model.event import Event, Failed, Restarted, Woken
from spotward.model.flow import Flow, Outcome, TaskFact, TaskState, Turn
from spotward.model.flow_action import CallPlugin, call_key
from spotward.model.flow_event import FlowCancelled, FlowRetried, Occurred, PluginAnswered, PluginProgressed
from spotward.model.page import Note
from spotward.model.world import World
from spotward.rules.answers import learned
from spotward.rules.chain import advance, over, stopped_by
from spotward.rules.intake import taken_in
from spotward.rules.remembering import SWEEPER, TURNS_MAX, ended_turn, forgettable, sweep_wake
from spotward.rules.rulebook import Rules
from spotward.rules.scene import Scene, Steps
from spotward.rules.schedule import MARK, struck

CONCERNED = (
    Occurred,
    PluginAnswered,
    PluginProgressed,
    FlowCancelled,
    FlowRetried,
    Failed,
    Woken,
    Restarted,
)
"""Events that may have to do with a flow."""


def flows(rules: Rules) -> Decider:
    """The decider that begins flows and carries them on. Without rules it carries on those that are open."""

    def decide(world: World, event: Event) -> Decision:
        if not isinstance(event, CONCERNED):
            return NOTHING
        round_ = _Round(world, rules)
        round_.hear(event)
        return round_.decision()

    return decide


class Line(Enum):
    """What flows wait for in a line."""

    PLACE = "a place among the flows of their rule"
    ROOM = "room for a call of their plugin"


@dataclass(slots=True)
class _Round:
    """One decision while it is being made. `world` goes on with it, so that each flow sees what those before it did."""

    world: World
    rules: Rules
    undertakings: dict[str, Flow] = field(default_factory=dict)
    wishes: list[Wish] = field(default_factory=list)
    wakes: list[WakeAt] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    turns: dict[str, Turn | None] = field(default_factory=dict)
    withdrawn: list[str] = field(default_factory=list)
    freed: dict[tuple[Line, str], None] = field(default_factory=dict)
    """Lines whose first may be let in: of a rule's name, or a plugin's."""

    def hear(self, event: Event) -> None:
        """Everything that an event leads to."""
        match event:
            case Occurred():
                self._take_in(event)
            case Woken(subject=subject) if subject == SWEEPER:
                self._sweep()
            case Woken(subject=subject) if subject.startswith(MARK):
                self._strike(subject)
            case FlowCancelled():
                self._cancel(event)
            case FlowRetried():
                self._retry(event)
            case Restarted():
                self._begin_again()
            case PluginAnswered() | PluginProgressed():
                self._teach(event.flow, event)
            case Failed() | Woken():
                self._teach(event.subject, event)
            case _:
                pass
        self._let_in()

    def decision(self) -> Decision:
        """All of it."""
        return Decision(
            undertakings=tuple(self.undertakings.values()),
            wishes=tuple(self.wishes),
            wakes=tuple(self.wakes),
            verdicts=tuple(self.verdicts),
            notes=tuple(self.notes),
            turns=tuple(self.turns.items()),
            withdrawn=tuple(self.withdrawn),
        )

    # ---- what is heard ---------------------------------------------------------------------------------------

    def _take_in(self, event: Occurred) -> None:
        taken = taken_in(self.world, event, self.rules)
        for key, turn in taken.turns:
            self._remember(key, turn)
        self.verdicts.extend(taken.verdicts)
        self.notes.extend(taken.notes)
        for flow in taken.flows:
            self._put(flow)
        for flow in taken.flows:
            self._go_on(flow.key)
        if taken.turns:
            self.wakes.append(sweep_wake(self.world))
        if len(self.world.turns) > TURNS_MAX:
            self._sweep()

    def _strike(self, key: str) -> None:
        """What is due by the clock occurs, and when that is next is looked at then."""
        schedule = next((each for each in self.rules.schedules if each.key == key), None)
        if schedule is None:
            return
        stroke = struck(schedule, self.world)
        self.wakes.extend([stroke.wake] if stroke.wake is not None else [])
        self.notes.extend([stroke.note] if stroke.note is not None else [])
        if stroke.turn is not None:
            self._remember(key, stroke.turn)
        if stroke.occurred is not None:
            self._take_in(stroke.occurred)

    def _teach(self, key: str, event: Event) -> None:
        if isinstance(event, Failed) and self._is_call(event.key):
            self.withdrawn.append(event.key)  # the flow knows when it is tried again, if it is
        flow = self.world.flows.get(key)
        if flow is None:
            return
        before = flow.calling
        flow = learned(flow, event)
        if before is not None and flow.fact(before.name).state is TaskState.RESTING:
            fact = flow.fact(before.name)
            self.notes.append(Note(subject=key, text=f"{fact.name} is tried again: {fact.text}"))
        self._put(flow)
        self._go_on(key)
        if before is not None and flow.calling is None:
            self.freed[Line.ROOM, flow.plugin_of(before.name)] = None

    def _is_call(self, key: str) -> bool:
        wish = self.world.wishes.get(key)
        return wish is not None and isinstance(wish.action, CallPlugin)

    def _cancel(self, event: FlowCancelled) -> None:
        flow = self.world.flows.get(event.flow)
        if flow is not None:
            words = f"cancelled by {event.by}" if event.by else "cancelled"
            self._take(over(Steps(flow), Outcome.CANCELLED, words, self._scene))

    def _retry(self, event: FlowRetried) -> None:
        known = self.world.flows.get(event.flow.key)
        if known is not None:
            self._put(altered(known, facts=tuple(_rested(fact, self.world.time) for fact in known.facts)))
            self._go_on(known.key)
            return
        if (why := self._may_not_go_on(event.flow)) is not None:
            self.notes.append(Note(subject=event.flow.key, text=f"it does not go on: {why}"))
            return
        flow = reopened(event.flow)
        self.notes.append(Note(subject=flow.key, text="it goes on where it stopped"))
        self._put(flow)
        self._go_on(flow.key)

    def _may_not_go_on(self, flow: Flow) -> str | None:
        if flow.outcome is Outcome.DONE:
            return "it is done"
        holder = self.world.flows.of_group(flow.line)
        return f"{holder.key} is open for the same group" if holder is not None else None

    def _begin_again(self) -> None:
        """What was asked before is asked again, in the order of age; then who waited."""
        for flow in self.world.flows.all():
            self._go_on(flow.key)
        for schedule in self.rules.schedules:
            self._strike(schedule.key)
        self.freed.update({(Line.ROOM, plugin): None for plugin in sorted(self.world.flows.crowds)})
        self.freed.update({(Line.PLACE, rule): None for rule in sorted(self.world.flows.queues)})
        if len(self.world.turns):
            self.wakes.append(sweep_wake(self.world))

    def _sweep(self) -> None:
        for key in list(forgettable(self.world)):
            self._remember(key, None)
            if key in self.world.verdicts:
                self.verdicts.append(Verdict(subject=key, text=None))
        if len(self.world.turns):
            self.wakes.append(sweep_wake(self.world))

    # ---- how a flow goes on ----------------------------------------------------------------------------------

    @property
    def _scene(self) -> Scene:
        return Scene(world=self.world, rules=self.rules)

    def _go_on(self, key: str) -> None:
        flow = self.world.flows.get(key)
        if flow is not None:
            self._take(advance(flow, self._scene))

    def _take(self, steps: Steps) -> None:
        """A flow as it now stands, and what it wants; whom it makes way for is let in later."""
        flow = steps.flow
        calling = self._calling(flow.key)
        self.notes.extend(steps.notes)
        if steps.wish is not None:
            self.wishes.append(steps.wish)
        if steps.wake < float("inf"):
            self.wakes.append(WakeAt(time=steps.wake, subject=flow.key))
        self._put(flow)
        if flow.ended is not None:
            self._remember(flow.line, ended_turn(flow, self.world.turns.get(flow.line), self.rules, self.world.time))
            self.withdrawn.extend(call_key(flow.key, task.name) for task in flow.plan.tasks())
            self.freed[Line.PLACE, flow.rule] = None
        if calling and calling != self._calling(flow.key):
            self.freed[Line.ROOM, calling] = None

    def _calling(self, key: str) -> str:
        flow = self.world.flows.get(key)
        fact = flow.calling if flow is not None else None
        return flow.plugin_of(fact.name) if flow is not None and fact is not None else ""

    def _put(self, flow: Flow) -> None:
        if self.world.flows.get(flow.key) != flow:
            self.undertakings[flow.key] = flow
            self.world = self.world.with_undertaking(flow)

    def _remember(self, key: str, turn: Turn | None) -> None:
        self.turns[key] = turn
        self.world = self.world.with_turn(key, turn)

    # ---- who waits -------------------------------------------------------------------------------------------

    def _let_in(self) -> None:
        """Whoever waits longest goes on, for each place and each room that has come free, until nobody more can."""
        while self.freed:
            line, name = self.freed.popitem()[0]
            while (first := self._first(line, name)) is not None:
                self._go_on(first)
                if self._first(line, name) == first:
                    break

    def _first(self, line: Line, name: str) -> str | None:
        flows = self.world.flows
        keys = (flows.queues if line is Line.PLACE else flows.crowds).get(name, ())
        return keys[0] if keys else None


def reopened(flow: Flow) -> Flow:
    """A flow that ended, to go on where it stopped: with the step that stopped it, or was left, as if never asked."""
    fatal = stopped_by(flow)
    again = {fact.name for fact in flow.facts if fact.state is TaskState.LEFT} | ({fatal.name} if fatal else set())
    followers = {task.name for step in flow.plan.steps if step.task.name in again for task in step.on_failure.tasks}
    fresh = again | followers
    facts = tuple(TaskFact(name=fact.name) if fact.name in fresh else fact for fact in flow.facts)
    return altered(
        flow, facts=facts, started_time=None, retried=flow.retried + 1, outcome=None, ended=None, ended_time=None
    )


def _rested(fact: TaskFact, now: float) -> TaskFact:
    return altered(fact, retry_time=now) if fact.state is TaskState.RESTING else fact
