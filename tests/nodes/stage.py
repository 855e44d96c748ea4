"""Where incidents are played out: the real core and the toy cluster, with watches that show each change.

With a seed messages dawdle and get lost and the process is killed; without one nothing is left to chance.
"""

import heapq
from collections.abc import Callable
from dataclasses import replace
from random import Random

from spotward.engine.core import Core, Step
from spotward.engine.deciders import deciders, guards
from spotward.engine.memory import remembered
from spotward.groups.policy import GroupsPolicy
from spotward.model.action import Action
from spotward.model.event import (
    Event,
    Failed,
    InstanceGone,
    InterruptionNoticed,
    RebalanceAdvised,
    Restarted,
    Woken,
)
from spotward.model.incident import Incident
from spotward.model.node_action import ClusterAction, TellCluster
from spotward.model.node_event import AttachmentsSeen, BudgetsSeen, ClusterSilent, LifecycleHooked, NodesSeen, PodsSeen
from spotward.model.page import Asked
from spotward.model.world import World
from spotward.nodes.incidents import incidents
from spotward.nodes.policy import NodesPolicy
from tests.nodes.toy_cluster import CLUSTER, REGION, ToyCluster

STEPS_MAX = 8_000
"""A play that takes more steps than this goes round in circles."""


class Stage:
    """A play in one cluster.

    lag: so long after its answers the cluster shows what it did, in seconds. alone: the room of groups does not decide;
    what it would do is put into the World. dry: every deed is refused.
    """

    def __init__(
        self,
        cluster: ToyCluster,
        *,
        policy: NodesPolicy | None = None,
        groups: GroupsPolicy | None = None,
        alone: bool = False,
        dry: bool = False,
        seed: int | None = None,
        lost: float = 0.0,
        lag: float = 0.0,
        after_step: "Callable[[Stage], None] | None" = None,
    ) -> None:
        self.cluster = cluster
        self.policy = policy or NodesPolicy(cluster=CLUSTER)
        both = (groups or GroupsPolicy(), self.policy)
        every = [incidents(self.policy)] if alone else deciders(*both)
        first = [lambda _world, wish: "dry run" if wish.action.mutates else None] if dry else []
        self.core = Core(every, [*first, *guards(*both)])
        self.world = World()
        self.time = 0.0
        self.asked: list[tuple[float, Asked]] = []
        self.steps: list[tuple[Event, Step]] = []
        self.ended: list[Incident] = []
        self._dice = Random(seed) if seed is not None else None
        self._lost, self._lag = lost, lag
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._life = 0
        self._wakes: set[tuple[float, str]] = set()
        self._shown: ToyCluster | None = None
        self._after_step = after_step
        self.silent = False
        self.fails: Callable[[Action], bool] = lambda _action: False
        """Which actions fail, whatever is asked."""
        cluster.recount()
        self.at(0.0, self.show_all)

    # ---- what a play is made of ------------------------------------------------------------------------------------

    def at(self, time: float, change: Callable[[], object]) -> None:
        """Let something happen at a time."""
        self._number += 1
        heapq.heappush(self._queue, (time, self._number, lambda: _done(change)))

    def hear(self, *events: Event) -> "Stage":
        """Let news arrive at their time."""
        for event in events:
            self.at(event.time, self._told(event))
        return self

    def _told(self, event: Event) -> Callable[[], None]:
        return lambda: self.step(replace(event, time=self.time))

    def notice(self, instance_id: str, time: float, *, action: str = "terminate", takes: bool = True) -> "Stage":
        """EC2 gives two minutes' notice, and then takes the instance."""
        self.hear(
            InterruptionNoticed(time=time, region=REGION, instance_id=instance_id, action=action, deadline=time + 120.0)
        )
        if takes:
            self.at(time + 120.0, lambda: self.cluster.switch_off(instance_id))
        return self

    def advise(self, instance_id: str, time: float) -> "Stage":
        """EC2 advises to move off the instance."""
        return self.hear(RebalanceAdvised(time=time, region=REGION, instance_id=instance_id))

    def hook(self, instance_id: str, time: float, *, token: str = "token-1", launching: bool = False) -> "Stage":
        """The group holds the instance."""
        return self.hear(
            LifecycleHooked(
                time=time,
                region=REGION,
                instance_id=instance_id,
                group="web",
                hook="drain",
                token=token,
                launching=launching,
            )
        )

    def gone(self, instance_id: str, time: float, state: str = "terminated") -> "Stage":
        """The instance changes its state, and EventBridge says so."""
        if state in ("stopped", "terminated"):
            self.at(time, lambda: self.cluster.switch_off(instance_id, state))
        return self.hear(InstanceGone(time=time, region=REGION, instance_id=instance_id, state=state))

    def restart(self) -> None:
        """The process is killed and begins again: memory stays; the cluster is seen anew."""
        self._life += 1
        self.cluster.watched.clear()
        world = self.world
        self.world = remembered(
            time=world.time,
            wishes=dict(world.wishes.items()),
            launches=dict(world.launches.items()),
            pools=dict(world.pools.items()),
            dooms=dict(world.dooms.items()),
            pauses=dict(world.pauses.items()),
            verdicts=dict(world.verdicts.items()),
            undertakings=list(world.open_undertakings),
        )
        self.step(Restarted(time=self.time))
        self.show_all()

    def silence(self, time: float, seconds: float) -> None:
        """The API server goes away for a while."""

        def begin() -> None:
            self.silent = True
            self.step(ClusterSilent(time=self.time, cluster=CLUSTER, reason="connection refused"))

        def end() -> None:
            self.silent = False
            self.show_all()

        self.at(time, begin)
        self.at(time + seconds, end)

    def play(self, *, until: float) -> "Stage":
        """Let everything happen up to a time, and show each change of the cluster as it comes."""
        while True:
            queued = self._queue[0][0] if self._queue else float("inf")
            moment = min(queued, self.cluster.next_change())
            self.time = max(self.time, min(moment, until))
            self.cluster.pass_to(self.time)
            self._show()
            if moment > until:
                return self
            if queued <= moment:
                heapq.heappop(self._queue)[2]()
                self._show()

    # ---- what is seen ----------------------------------------------------------------------------------------------

    def show_all(self) -> None:
        """A new connection: everything is listed."""
        if self.silent:
            return
        c = self.cluster
        c.recount()
        self._shown = None
        self.step(NodesSeen(time=self.time, cluster=CLUSTER, nodes=tuple(c.nodes.values()), whole=True))
        self.step(BudgetsSeen(time=self.time, budgets=tuple(c.budgets.values()), whole=True))
        self.step(AttachmentsSeen(time=self.time, attachments=tuple(c.attachments.values()), whole=True))
        for name in list(c.watched):
            self.step(c.pods_of(name))
        self._remember()

    def _remember(self) -> None:
        c = self.cluster
        self._shown = replace(
            c,
            nodes=dict(c.nodes),
            pods=dict(c.pods),
            budgets=dict(c.budgets),
            attachments=dict(c.attachments),
        )

    def _show(self) -> None:
        """What changed since it was last looked, as the watches tell it."""
        before, c = self._shown, self.cluster
        if before is None or self.silent:
            return
        c.recount()
        self._remember()
        nodes = tuple(n for name, n in c.nodes.items() if before.nodes.get(name) != n)
        gone = tuple(name for name in before.nodes if name not in c.nodes)
        if nodes or gone:
            self._see(NodesSeen(time=self.time, cluster=CLUSTER, nodes=nodes, gone=gone))
        self._show_pods(before)
        budgets = tuple(b for name, b in c.budgets.items() if before.budgets.get(name) != b)
        if budgets:
            self._see(BudgetsSeen(time=self.time, budgets=budgets))
        attached = tuple(a for name, a in c.attachments.items() if before.attachments.get(name) != a)
        detached = tuple(a for name, a in before.attachments.items() if name not in c.attachments)
        if attached or detached:
            self._see(AttachmentsSeen(time=self.time, attachments=attached, gone=detached))

    def _show_pods(self, before: ToyCluster) -> None:
        for name, instance_id in list(self.cluster.watched.items()):
            here = {uid: p for uid, p in self.cluster.pods.items() if p.node == name}
            there = {uid: p for uid, p in before.pods.items() if p.node == name}
            changed = tuple(p for uid, p in here.items() if there.get(uid) != p)
            gone = tuple(uid for uid in there if uid not in here)
            if changed or gone:
                self._see(PodsSeen(time=self.time, instance_id=instance_id, node=name, pods=changed, gone=gone))

    def _see(self, event: Event) -> None:
        """A watch tells it, now or a little later."""
        if self._lag:
            life = self._life
            self.at(self.time + self._lag, lambda: self._deliver(life, event))
        else:
            self.step(event)

    # ---- one step --------------------------------------------------------------------------------------------------

    def step(self, event: Event) -> None:
        """One event, and all that follows from it."""
        step = self.core.step(self.world, event, page_number=len(self.steps) + 1)
        self.world = step.world
        self.steps.append((event, step))
        if len(self.steps) > STEPS_MAX:
            raise AssertionError(f"goes round in circles: {[e.kind for e, _ in self.steps[-12:]]}")
        self.ended.extend(u for u in step.undertakings if isinstance(u, Incident) and u.ended is not None)
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
            self.step(Woken(time=self.time, subject=subject))

        self.at(max(time, self.time), fire)

    def _delay(self) -> float:
        return 0.05 if self._dice is None else self._dice.choice((0.01, 0.05, 0.2, 1.0))

    def _send(self, asked: Asked) -> None:
        life = self._life

        def arrive() -> None:
            if life != self._life and (self._dice is None or self._dice.random() < 0.5):
                return
            fails = self.silent and isinstance(asked.action, ClusterAction)
            fails = fails or self.fails(asked.action)
            if fails or (self._dice is not None and self._dice.random() < self._lost):
                answer: Event = _failed(asked, self.time)
            else:
                answer = self.cluster.do(asked.action, asked.attempt)
            self.at(self.time + self._delay(), lambda: self._deliver(life, answer))

        self.at(self.time + self._delay(), arrive)

    def _deliver(self, life: int, answer: Event) -> None:
        if life == self._life:
            self.step(replace(answer, time=self.time))

    # ---- what came of it -------------------------------------------------------------------------------------------

    @property
    def deeds(self) -> list[Action]:
        """All deeds that were asked for, in order, but for what is told."""
        return [a.action for _, a in self.asked if a.action.mutates and not isinstance(a.action, TellCluster)]

    def of(self, kind: type) -> list[Action]:
        """Deeds of a kind."""
        return [a.action for _, a in self.asked if isinstance(a.action, kind)]

    def incident(self, instance_id: str = "i-1") -> Incident:
        """The incident of an instance, open or ended last."""
        known = self.world.incidents.get(instance_id)
        return known or next(i for i in reversed(self.ended) if i.instance_id == instance_id)

    def words(self) -> list[str]:
        """Every note and refusal, in order."""
        pages = (step.page for _, step in self.steps if step.page is not None)
        return [text for page in pages for text in (*(n.text for n in page.notes), *(r.reason for r in page.refusals))]


def _done(change: Callable[[], object]) -> None:
    change()


def _failed(asked: Asked, time: float) -> Failed:
    return Failed(
        time=time,
        key=asked.action.key,
        attempt=asked.attempt,
        subject=asked.action.subject,
        code="Unavailable",
        reason="the server could not be reached",
        transient=True,
        outcome_unknown=True,
    )
