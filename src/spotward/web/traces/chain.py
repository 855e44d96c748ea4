"""From steps to spans: a listener of the live shell.

A step stands in the trace of what caused it: the deed or question that its event answers, the undertaking that its
event is about, a notice of its instance, or the sender of the event; otherwise it begins a trace. Only a step that says
something (a page, a first notice, the answer to what was asked in a trace) makes spans: a look that found nothing new
makes none.

What is asked for an undertaking stands in that undertaking's trace, also when another's event made room for it. A call
of a plugin stands where `model.trace` says, which is what the plugin is told.
"""

from collections.abc import Callable
from dataclasses import dataclass

from spotward.engine.core import Step
from spotward.engine.ports import Clock
from spotward.model.event import Event, Failed, InterruptionNoticed, RebalanceAdvised
from spotward.model.flow_action import CallPlugin
from spotward.model.flow_event import Occurred, PluginAnswered, Status
from spotward.model.page import Asked
from spotward.model.trace import TraceContext, came_with, of_call, of_occurrence, root
from spotward.web.traces.span import Role, Span, facts, of_action, of_event, of_page

OPEN_MAX = 50_000
"""So many deeds, and so many undertakings, are remembered; what is beyond that begins traces of its own."""

NOTICES = ("instance.interruption", "instance.rebalance")

GOOD = frozenset({Status.DONE, Status.IGNORED})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Open:
    """Something that was asked and is not answered."""

    asked: Asked
    context: TraceContext
    parent: TraceContext
    time: float


class Chain:
    """Makes spans of steps. To be used on the shell's own loop."""

    def __init__(self, give: Callable[[Span], None], clock: Clock) -> None:
        """give: takes each span once it is over; it must be quick."""
        self._give, self._clock = give, clock
        self._asked: dict[str, _Open] = {}
        """Key of an action → as it was asked."""
        self._traced: dict[str, TraceContext] = {}
        """Key and subject of an undertaking, an instance of which there was a notice, its group → where that is."""

    def __call__(self, event: Event, step: Step) -> None:
        """A step was stored."""
        now = self._clock.now()
        answered = self._asked.pop(getattr(event, "key", ""), None)
        cause = answered.context if answered is not None else self._cause(event)
        if answered is None and step.page is None and not self._is_news(event, step):
            return
        if answered is not None:
            self._give(_deed(answered, event))
        here = self._heard(event, step, cause, now)
        for asked in step.asked:
            self._ask(asked, here, event.time)
        self._remember(event, step, here)

    def _is_news(self, event: Event, step: Step) -> bool:
        """Is it the first notice of an instance of ours? What comes of it may be decided a moment later."""
        if not isinstance(event, InterruptionNoticed | RebalanceAdvised):
            return False
        return event.instance_id in step.world.instances and _notice(event.kind, event.instance_id) not in self._traced

    def _remember(self, event: Event, step: Step, here: TraceContext) -> None:
        """Where undertakings were begun, and what a notice will lead to; what has ended is forgotten."""
        if isinstance(event, InterruptionNoticed | RebalanceAdvised):
            instance = event.instance_id
            self._put(here, _notice(event.kind, instance), instance, step.world.group_of.get(instance, ""))
        for undertaking in step.undertakings:
            if undertaking.ended is None:
                self._put(here, undertaking.key, undertaking.subject)
                continue
            for name in (undertaking.key, undertaking.subject, *undertaking.about):
                for key in (name, *(_notice(kind, name) for kind in NOTICES)):
                    self._traced.pop(key, None)

    def _put(self, here: TraceContext, *names: str) -> None:
        for name in names:
            if name and len(self._traced) < OPEN_MAX:
                self._traced.setdefault(name, here)

    def _cause(self, event: Event) -> TraceContext | None:
        """What led to an event that answers nothing of a trace."""
        if isinstance(event, Occurred):
            return came_with(event.occurrence)
        names = (getattr(event, name, None) for name in ("flow", "subject", "instance_id"))
        return next((self._traced[name] for name in names if isinstance(name, str) and name in self._traced), None)

    def _heard(self, event: Event, step: Step, cause: TraceContext | None, now: float) -> TraceContext:
        """The spans of the event and of its page; where what it led to hangs."""
        named = f"{event.kind} {facts(event)} {event.time!r}"
        if isinstance(event, Occurred):
            context = of_occurrence(event.occurrence)
        else:
            context = root(named) if cause is None else cause.child(named)
        end = max(now, event.time)
        self._give(
            Span(
                name=event.kind,
                context=context,
                parent=cause,
                role=Role.CONSUMER if cause is None or isinstance(event, Occurred) else Role.INTERNAL,
                start_time=event.time,
                end_time=end,
                attributes=of_event(event),
            )
        )
        if step.page is None:
            return context
        page = context.child(f"page {step.page.number}")
        attributes = of_page(step.page, step.undertakings)
        self._give(
            Span(
                name="page",
                context=page,
                parent=context,
                role=Role.INTERNAL,
                start_time=event.time,
                end_time=end,
                attributes=attributes,
            )
        )
        return page

    def _ask(self, asked: Asked, here: TraceContext, time: float) -> None:
        action = asked.action
        parent = self._traced.get(action.subject, here)
        if parent.trace_id == here.trace_id:
            parent = here
        if isinstance(action, CallPlugin):
            context, whole = of_call(action), of_occurrence(action.occurrence)
            parent = parent if parent.trace_id == context.trace_id else whole
        else:
            context = parent.child(f"{action.key} {asked.attempt} {time!r}")
        if len(self._asked) < OPEN_MAX:
            self._asked[action.key] = _Open(asked=asked, context=context, parent=parent, time=time)


def _notice(kind: str, instance_id: str) -> str:
    return f"{kind} {instance_id}"


def _deed(known: _Open, event: Event) -> Span:
    """What was asked, from the asking to the answer."""
    outcome, error = _outcome(event)
    asked = known.asked
    attributes = of_action(asked.action, asked.attempt, asked.reason)
    return Span(
        name=asked.action.kind,
        context=known.context,
        parent=known.parent,
        role=Role.CLIENT,
        start_time=known.time,
        end_time=max(event.time, known.time),
        attributes={**attributes, "spotward.outcome": outcome},
        error=error,
    )


def _outcome(event: Event) -> tuple[str, str | None]:
    match event:
        case PluginAnswered():
            return event.status.value, None if event.status in GOOD else event.text
        case Failed():
            return "unknown" if event.outcome_unknown else "failed", f"{event.code}: {event.reason}"
        case _:
            return "done", None
