"""What carrying a flow on is written in: the scene it happens in, and the steps it asks for so far."""

import math
from dataclasses import dataclass

from spotward.model.altered import altered
from spotward.model.decision import Wish
from spotward.model.flow import Flow, TaskFact
from spotward.model.flow_action import CallPlugin
from spotward.model.page import Note
from spotward.model.world import World
from spotward.rules.rulebook import Rules


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What a step may look at. Everything in it was known before the step; only the flow changes."""

    world: World
    rules: Rules

    @property
    def now(self) -> float:
        return self.world.time

    def has_place(self, flow: Flow) -> bool:
        """May one more flow of its rule run?"""
        return flow.concurrency is None or self.world.flows.running.get(flow.rule, 0) < flow.concurrency

    def has_room(self, plugin: str) -> bool:
        """May one more call of a plugin be under way?"""
        return self.world.flows.calls.get(plugin, 0) < self.rules.callee(plugin).at_once


@dataclass(frozen=True, slots=True)
class Steps:
    """A flow as it now stands, and what it wants."""

    flow: Flow
    wish: Wish | None = None
    wake: float = math.inf
    """When to look again at the latest."""
    notes: tuple[Note, ...] = ()

    def at(self, flow: Flow) -> "Steps":
        """With the flow further on."""
        return altered(self, flow=flow)

    def knowing(self, fact: TaskFact) -> "Steps":
        """With one of its tasks as it now stands."""
        return self.at(self.flow.with_fact(fact))

    def wishing(self, action: CallPlugin, reason: str) -> "Steps":
        """With the one call that a flow may wish for at a time. It is urgent where what it is about will happen."""
        return altered(self, wish=Wish(action=action, reason=reason, urgent=action.happens_time is not None))

    def waking(self, time: float) -> "Steps":
        """With a time to look again, if it is sooner than those so far."""
        return altered(self, wake=min(self.wake, time))

    def noting(self, text: str) -> "Steps":
        """With a word for the journal."""
        return altered(self, notes=(*self.notes, Note(subject=self.flow.key, text=text)))
