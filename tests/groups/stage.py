"""Where decisions are played out: the real core and the toy cloud, with messages that dawdle, get lost and arrive late.

Everything follows from one seed. Without a seed nothing is left to chance: a deed takes half a second there and half a
second back.
"""

import heapq
from collections.abc import Callable
from dataclasses import replace
from random import Random

from spotward.engine.core import Core, Step
from spotward.engine.deciders import deciders, guards
from spotward.engine.memory import remembered
from spotward.groups.policy import GroupsPolicy
from spotward.groups.scope import in_scope
from spotward.model.action import Action
from spotward.model.cloud import Group, group_id
from spotward.model.event import (
    Event,
    Failed,
    GroupObserved,
    InterruptionNoticed,
    RegionObserved,
    Restarted,
    Tick,
    Woken,
)
from spotward.model.order import Order
from spotward.model.page import Asked
from spotward.model.undertaking import Swap
from spotward.model.world import World
from tests.groups.toy_cloud import REGION, ToyCloud

STEPS_MAX = 6_000
"""A play that takes more steps than this goes round in circles."""

OBSERVED_EVERY_SECONDS = 60.0


class Stage:
    """A play in one region."""

    def __init__(
        self,
        cloud: ToyCloud,
        *,
        policy: GroupsPolicy | None = None,
        seed: int | None = None,
        lost: float = 0.0,
        hiccups: float = 0.0,
        after_step: "Callable[[Stage], None] | None" = None,
    ) -> None:
        self.cloud = cloud
        self.policy = policy or GroupsPolicy()
        self.core = Core(deciders(self.policy), guards(self.policy))
        self.world = World()
        self.time = 0.0
        self.asked: list[tuple[float, Asked]] = []
        self.steps: list[tuple[Event, Step]] = []
        self.ended: list[Swap] = []
        self.orders: dict[str, Order] = {}
        """Every order, as it last stood."""
        self._dice = Random(seed) if seed is not None else None
        self.lost, self.hiccups = lost, hiccups
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._life = 0
        self._wakes: set[tuple[float, str]] = set()
        self._after_step = after_step
        self._unsent: dict[int, Asked] = {}

    # ---- what a play is made of ------------------------------------------------------------------------------

    def at(self, time: float, change: Callable[[], None]) -> None:
        """Let something happen at a time."""
        self._number += 1
        heapq.heappush(self._queue, (time, self._number, change))

    def hear(self, event: Event) -> None:
        """Let news arrive at its time."""
        self.at(event.time, lambda: self._step(replace(event, time=self.time)))

    def notice(self, instance_id: str, time: float, *, times: int = 1) -> None:
        """EC2 gives two minutes' notice, perhaps several times over, and then takes the instance."""

        def told() -> None:
            if self.cloud.instances[instance_id].state not in ("pending", "running"):
                return
            self.cloud.doomed.add(instance_id)
            self.at(time + 120.0, lambda: self.cloud.take(instance_id))
            for n in range(times):
                when = time + n * (0.0 if self._dice is None else self._dice.choice((0.0, 1.0, 7.0)))
                event = InterruptionNoticed(time=when, region=REGION, instance_id=instance_id, deadline=time + 120.0)
                self.hear(event)

        self.at(time, told)

    def tick(self, time: float) -> None:
        """Look at the whole region."""
        self.hear(Tick(time=time, regions=(REGION,)))

    def restart(self, *, sent: bool = False) -> None:
        """The process is killed and begins again: memory stays, observations and answers that were due are lost.

        sent: what was just asked had left the house; the dice decide where there are any.
        """
        self._life += 1
        for asked in self._unsent.values():
            if sent if self._dice is None else self._chance(0.5):
                self._carried_out(asked.action, asked.attempt, self.time)
        self._unsent.clear()
        self.cloud.earlier.clear()  # what AWS may still show of the time before is not remembered over a restart
        world = self.world
        self.world = remembered(
            time=world.time,
            wishes=dict(world.wishes.items()),
            launches=dict(world.launches.items()),
            pools=dict(world.pools.items()),
            dooms=dict(world.dooms.items()),
            pauses=dict(world.pauses.items()),
            verdicts=dict(world.verdicts.items()),
            undertakings=[*world.swaps.by_key.values(), *world.orders.by_key.values()],
        )
        self.hear(Restarted(time=self.time))
        self.tick(self.time)

    def play(self, *, until: float, from_time: float = 0.0) -> "Stage":
        """Observe the region every minute until then, and let everything happen."""
        ticks = int((until - from_time) / OBSERVED_EVERY_SECONDS)
        for n in range(ticks + 1):
            self.tick(from_time + n * OBSERVED_EVERY_SECONDS)
        return self.play_on(until=until)

    def play_on(self, *, until: float) -> "Stage":
        """Let everything happen up to a time, without observing by ourselves."""
        while self._queue and self._queue[0][0] <= until:
            time, _, change = heapq.heappop(self._queue)
            self.time = max(self.time, time)
            self.cloud.pass_to(self.time)
            change()
        self.time = until
        self.cloud.pass_to(until)
        return self

    # ---- one step --------------------------------------------------------------------------------------------

    def _step(self, event: Event) -> None:
        step = self.core.step(self.world, event, page_number=len(self.steps) + 1)
        self.world = step.world
        self.steps.append((event, step))
        if len(self.steps) > STEPS_MAX:
            raise AssertionError(f"goes round in circles: {[kind.kind for kind, _ in self.steps[-12:]]}")
        self.orders.update({u.key: u for u in step.undertakings if isinstance(u, Order)})
        self.ended.extend(u for u in step.undertakings if isinstance(u, Swap) and u.ended is not None)
        for wake in step.wakes:
            self._wake(wake.time, wake.subject)
        for asked in step.asked:
            self.asked.append((self.time, asked))
            self._send(asked)
        if self._after_step is not None:
            self._after_step(self)

    def _wake(self, time: float, subject: str) -> None:
        if (time, subject) in self._wakes:
            return
        self._wakes.add((time, subject))

        def fire() -> None:
            self._wakes.discard((time, subject))
            self._step(Woken(time=self.time, subject=subject))

        self.at(max(time, self.time), fire)

    # ---- messages --------------------------------------------------------------------------------------------

    def _delay(self) -> float:
        return 0.5 if self._dice is None else self._dice.choice((0.1, 0.3, 1.0, 1.0, 4.0))

    def _chance(self, probability: float) -> bool:
        return self._dice is not None and self._dice.random() < probability

    def _send(self, asked: Asked) -> None:
        life, begun = self._life, self.time
        self._number += 1
        number = self._number
        self._unsent[number] = asked

        def arrive() -> None:
            if life != self._life:
                return
            del self._unsent[number]
            if self._chance(self.hiccups):
                self._answer(life, self._failed(asked, code="Throttling", unknown=False))
            elif asked.action.mutates and self._chance(self.lost):
                if self._chance(0.5):
                    self.cloud.do(asked.action, asked.attempt)
                self.cloud.earlier.clear()  # a lost answer and an old look at once is too much for anybody
                self._answer(life, self._failed(asked, code="Timeout", unknown=True))
            else:
                self._answer(life, self._carried_out(asked.action, asked.attempt, begun))

        self.at(self.time + self._delay(), arrive)

    def _carried_out(self, action: Action, attempt: int, begun: float) -> Event:
        if action.mutates:
            return self.cloud.do(action, attempt)
        return self.cloud.look(action, attempt, begun, self._in_scope)

    def _failed(self, asked: Asked, *, code: str, unknown: bool) -> Failed:
        return Failed(
            time=self.time,
            key=asked.action.key,
            attempt=asked.attempt,
            subject=asked.action.subject,
            code=code,
            reason=f"{code} of {asked.action.kind}",
            transient=True,
            outcome_unknown=unknown,
        )

    def _answer(self, life: int, event: Event) -> None:
        unseen, wished = dict(self.cloud.unseen), dict(self.cloud.wished)

        def deliver() -> None:
            if life != self._life:
                return
            told = replace(event, time=self.time)
            if isinstance(told, RegionObserved):
                told = self.cloud.differing_from(self.world, told, self._in_scope)
            self._step(told)
            self._now_seen(event, unseen, wished)

        self.at(self.time + self._delay(), deliver)

    def _now_seen(self, event: Event, unseen: dict[str, int], wished: dict[str, int]) -> None:
        """What the World took up is known from now on."""
        groups: tuple[Group, ...] = ()
        if isinstance(event, RegionObserved):
            groups = event.groups
        elif isinstance(event, GroupObserved) and event.group is not None:
            groups = (event.group,)
        for group in groups:
            known = self.world.groups.get(group.id)
            for now, then in ((self.cloud.unseen, unseen), (self.cloud.wished, wished)):
                if known == group and now.get(group.name) == then.get(group.name):
                    now.pop(group.name, None)

    def _in_scope(self, group: Group) -> bool:
        return in_scope(group, self.policy)

    # ---- what came of it -------------------------------------------------------------------------------------

    @property
    def deeds(self) -> list[Action]:
        """All deeds that were asked for, in order."""
        return [asked.action for _, asked in self.asked if asked.action.mutates]

    def deeds_on(self, name: str) -> list[Action]:
        """Those on one group."""
        return [deed for deed in self.deeds if deed.subject == group_id(REGION, name)]

    def words(self) -> list[str]:
        """Every note and refusal, in order."""
        pages = (step.page for _, step in self.steps if step.page is not None)
        return [text for page in pages for text in (*(n.text for n in page.notes), *(r.reason for r in page.refusals))]

    def orphans(self) -> list[str]:
        """Instances of ours that run and are in no group."""
        members = {i for group in self.cloud.groups.values() for i in group.members}
        return [
            i.id
            for i in self.cloud.instances.values()
            if i.launched_for and i.state in ("pending", "running") and i.id not in members
        ]
