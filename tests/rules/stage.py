"""Where flows are played out: the real core, and toy plugins that honour idempotency keys.

With a seed answers dawdle and get lost and the process is killed; without one nothing is left to chance.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from spotward.engine.codec import EVENTS, UNDERTAKINGS, WISHES
from spotward.engine.core import Core, Step
from spotward.engine.memory import remembered
from spotward.engine.rule_deciders import rule_deciders, rule_guards
from spotward.model.event import Event, Failed, Restarted, Woken
from spotward.model.flow import Flow
from spotward.model.flow_action import CallPlugin
from spotward.model.flow_event import Occurred, PluginAnswered, Status
from spotward.model.occurrence import Occurrence
from spotward.model.world import World
from spotward.rules.rulebook import Rules
from tests.rules.made import NOON

STEPS_MAX = 60_000
"""A play that takes more steps than this goes round in circles."""

HANGS = None
"""The answer of a plugin that gives none: the caller's own limit ends the call."""

Behaviour = Callable[[CallPlugin, int], "PluginAnswered | Failed | None"]
"""`(call, how often this key was called)` → its answer."""


def answer(
    call: CallPlugin, status: Status = Status.DONE, text: str = "", output: str = "{}", after: float = 0.0
) -> PluginAnswered:
    """An answer to a call."""
    return PluginAnswered(
        time=0.0,
        key=call.key,
        flow=call.flow,
        task=call.task,
        status=status,
        text=text,
        output_json=output,
        retry_after_seconds=after,
    )


def done(call: CallPlugin, _: int) -> PluginAnswered:
    """All is well."""
    return answer(call)


def fails(times: int, text: str = "it did not work", after: float = 0.0) -> Behaviour:
    """Fails so often for each key, and then works."""
    return lambda call, n: answer(call, Status.FAILED, text, after=after) if n <= times else answer(call)


def refuses(call: CallPlugin, _: int) -> PluginAnswered:
    """Will not do it."""
    return answer(call, Status.REFUSED, "I will not")


def hangs(call: CallPlugin, _: int) -> None:
    """Gives no answer."""
    return HANGS


def unreachable(*, transient: bool = True) -> Behaviour:
    """Cannot be asked."""

    def behaviour(call: CallPlugin, _: int) -> Failed:
        return Failed(
            time=0.0,
            key=call.key,
            subject=call.subject,
            code="Unavailable",
            reason="connection refused",
            transient=transient,
        )

    return behaviour


@dataclass
class Plugins:
    """All plugins: each call is noted; what has been done under a key is not done again."""

    behaviours: Mapping[str, Behaviour] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long a plugin takes; a tenth of a second unless it is named."""
    calls: list[tuple[float, CallPlugin]] = field(default_factory=list)
    effects: Counter[str] = field(default_factory=Counter)
    """Idempotency key → how often it had an effect."""
    _tried: Counter[str] = field(default_factory=Counter)

    def called(self, call: CallPlugin, time: float) -> PluginAnswered | Failed | None:
        """What it answers, and whether it does anything."""
        key = call.idempotency_key
        self.calls.append((time, call))
        if self.effects[key]:
            return answer(call, text="it was done before")
        self._tried[key] += 1
        said = self.behaviours.get(call.plugin, done)(call, self._tried[key])
        if isinstance(said, PluginAnswered) and said.status is Status.DONE:
            self.effects[key] += 1
        return said


class Stage:
    """A play. lost: the share of answers that get lost. Every value goes through the journal's form and back."""

    def __init__(
        self,
        rules: Rules,
        plugins: Plugins | None = None,
        *,
        seed: int | None = None,
        lost: float = 0.0,
        start: float = NOON,
    ) -> None:
        self.rules = rules
        self.plugins = plugins or Plugins()
        self.core = Core(rule_deciders(rules), rule_guards(rules))
        self.world = World()
        self.time = start
        self.steps: list[tuple[Event, Step]] = []
        self.ended: list[Flow] = []
        self._dice = Random(seed) if seed is not None else None
        self._lost = lost
        self._queue: list[tuple[float, int, Callable[[], object]]] = []
        self._number = 0
        self._life = 0
        self._wakes: set[tuple[float, str]] = set()

    # ---- what a play is made of ------------------------------------------------------------------------------

    def at(self, time: float, change: Callable[[], object]) -> "Stage":
        """Let something happen at a time."""
        self._number += 1
        heapq.heappush(self._queue, (time, self._number, change))
        return self

    def hear(self, one: Occurrence, after: float = 0.0) -> "Stage":
        """Something occurs, so long after the play began."""
        time = self.time + after
        return self.at(time, lambda: self.step(Occurred(time=self.time, occurrence=one)))

    def tell(self, event: Event, after: float = 0.0) -> "Stage":
        """Any other event."""
        return self.at(self.time + after, lambda: self.step(replace(event, time=self.time)))

    def kill(self, after: float = 0.0, rules: Rules | None = None) -> "Stage":
        """The process is killed and begins again from what is stored, perhaps with other rules."""
        return self.at(self.time + after, lambda: self.restart(rules))

    def restart(self, rules: Rules | None = None) -> None:
        """Begin again: what was under way is answered to nobody."""
        self._life += 1
        self.rules = rules or self.rules
        self.core = Core(rule_deciders(self.rules), rule_guards(self.rules))
        world = self.world
        flow_codec = UNDERTAKINGS[Flow.kind]
        self.world = remembered(
            time=world.time,
            wishes={key: WISHES.value(WISHES.text(wish)) for key, wish in world.wishes.items()},
            launches={},
            pools={},
            dooms={},
            pauses={},
            verdicts=dict(world.verdicts.items()),
            turns=dict(world.turns.items()),
            undertakings=[flow_codec.value(flow_codec.text(each)) for each in world.open_undertakings],
        )
        self.step(Restarted(time=self.time))

    def play(self, seconds: float = 3600.0) -> "Stage":
        """Let everything happen that happens within so long."""
        end = self.time + seconds
        while self._queue and self._queue[0][0] <= end:
            time, _, change = heapq.heappop(self._queue)
            self.time = max(self.time, time)
            change()
        self.time = end
        return self

    # ---- one step --------------------------------------------------------------------------------------------

    def step(self, event: Event) -> Step:
        """One event, and all that follows from it."""
        event = EVENTS.value(EVENTS.text(event))
        step = self.core.step(self.world, event, page_number=len(self.steps) + 1)
        self.world = step.world
        self.steps.append((event, step))
        if len(self.steps) > STEPS_MAX:
            raise AssertionError(f"goes round in circles: {[e.kind for e, _ in self.steps[-12:]]}")
        self.ended.extend(u for u in step.undertakings if isinstance(u, Flow) and u.ended is not None)
        for wake in step.wakes:
            self._wake(wake.time, wake.subject)
        for asked in step.asked:
            assert isinstance(asked.action, CallPlugin)
            self._send(asked.action)
        return step

    def _wake(self, time: float, subject: str) -> None:
        if (time, subject) not in self._wakes:
            self._wakes.add((time, subject))
            self.at(max(time, self.time), lambda: self._ring(time, subject))

    def _ring(self, time: float, subject: str) -> None:
        self._wakes.discard((time, subject))
        self.step(Woken(time=self.time, subject=subject))

    def _delay(self) -> float:
        return 0.05 if self._dice is None else self._dice.choice((0.01, 0.05, 0.2, 1.0))

    def _send(self, call: CallPlugin) -> None:
        life, sent = self._life, self.time

        def arrive() -> None:
            if life != self._life and self._dice is not None and self._dice.random() < 0.5:
                return  # killed before it was sent
            said = self.plugins.called(call, self.time)
            takes = self.plugins.seconds.get(call.plugin, 0.1)
            late = said is HANGS or takes > call.timeout_seconds
            if late or (self._dice is not None and self._dice.random() < self._lost):
                said, takes = _timed_out(call), max(call.deadline_time - sent, 0.0)
            at = self.time + takes + self._delay()
            self.at(at, lambda: self._deliver(life, said))

        self.at(self.time + self._delay(), arrive)

    def _deliver(self, life: int, said: "PluginAnswered | Failed | None") -> None:
        if life == self._life and said is not None:
            self.step(replace(said, time=self.time))

    # ---- what came of it -------------------------------------------------------------------------------------

    @property
    def called(self) -> list[str]:
        """Tasks in the order in which their plugins were called, each once for each call."""
        return [call.task for _, call in self.plugins.calls]

    @property
    def outcomes(self) -> list[str]:
        """How each flow ended, in words."""
        return [flow.ended or "" for flow in self.ended]

    @property
    def open(self) -> list[Flow]:
        """Flows that have not ended, the oldest first."""
        return list(self.world.flows.all())

    def words(self) -> list[str]:
        """Every note and refusal, in order."""
        pages = (step.page for _, step in self.steps if step.page is not None)
        return [text for page in pages for text in (*(n.text for n in page.notes), *(r.reason for r in page.refusals))]


def _timed_out(call: CallPlugin) -> Failed:
    return Failed(
        time=0.0,
        key=call.key,
        subject=call.subject,
        code="TimedOut",
        reason="no answer in time; it may have been done",
        transient=True,
        outcome_unknown=True,
    )
