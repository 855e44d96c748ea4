"""Spotward at work in a stage's cluster: the real core on a journal of its own, with the cluster's own hands.

Only EC2 is played: it answers where a machine stands. The notices leave some seconds instead of two minutes.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from spotward.aws.targets import TargetHands
from spotward.engine.clock import SystemClock
from spotward.engine.core import Core
from spotward.engine.deciders import deciders, guards
from spotward.engine.live import Live
from spotward.engine.live_policy import LivePolicy
from spotward.engine.ports import Delivery
from spotward.engine.store import SqliteStore, this_process
from spotward.groups.policy import GroupsPolicy
from spotward.kube.hands import ClusterHands
from spotward.kube.nodes import NodeHands
from spotward.kube.surroundings import Surroundings
from spotward.model.action import Action, FindInstance
from spotward.model.cloud import Instance, Lifecycle
from spotward.model.cluster import Node
from spotward.model.event import Done, Event, InstanceFound, InterruptionNoticed, MaintenanceScheduled
from spotward.model.incident import Incident
from spotward.model.node_action import ClusterAction, LookAtTargets
from spotward.model.node_event import PodResult, PodsAnswered
from spotward.nodes.policy import NodesPolicy
from tests.cluster.stage import PATIENCE_SECONDS, Stage

REGION = "us-east-1"
CLUSTER = "real"
POLICY = NodesPolicy(cluster=CLUSTER, reserve_seconds=3.0, delete_node_seconds=1.0)
CLOCK = SystemClock()


class News:
    """A source that delivers what the test says, when it says so."""

    name = "news"

    def __init__(self) -> None:
        self._said: asyncio.Queue[Event] = asyncio.Queue()

    def say(self, event: Event) -> None:
        self._said.put_nowait(event)

    async def deliveries(self) -> AsyncIterator[Delivery]:
        while True:
            yield Delivery(event=await self._said.get())


class Hands:
    """The cluster's own for what the cluster does; for the rest an EC2 in which every machine runs."""

    def __init__(self, cluster: ClusterHands, targets: TargetHands | None) -> None:
        self._cluster, self._targets = cluster, targets
        self.done: list[Action] = []
        self.accepted: Counter[str] = Counter()
        """Uid of a pod → how often the API server accepted that it goes."""
        self.times: list[float] = []
        """When each was begun."""

    async def do(self, action: Action, attempt: int) -> Event:
        self.done.append(action)
        self.times.append(CLOCK.now())
        if isinstance(action, ClusterAction):
            outcome = await self._cluster.do(action, attempt)
            for answer in outcome.answers if isinstance(outcome, PodsAnswered) else ():
                self.accepted[answer.uid] += answer.result is PodResult.ACCEPTED
            return outcome
        if isinstance(action, LookAtTargets) and self._targets is not None:
            return await self._targets.do(action, attempt)
        if isinstance(action, FindInstance):
            return _found(action, attempt)
        return Done(time=CLOCK.now(), key=action.key, attempt=attempt, subject=action.subject)


def _found(action: FindInstance, attempt: int) -> InstanceFound:
    instance = Instance(
        id=action.instance_id,
        region=REGION,
        az="us-east-1a",
        instance_type="m5.large",
        lifecycle=Lifecycle.SPOT,
        state="running",
        cluster=CLUSTER,
    )
    return InstanceFound(
        time=CLOCK.now(),
        key=action.key,
        attempt=attempt,
        region=REGION,
        instance_id=action.instance_id,
        instance=instance,
    )


class Watchman:
    """Spotward at work in the stage's cluster."""

    def __init__(self, stage: Stage, live: Live, news: News, hands: Hands) -> None:
        self.stage, self.live, self.news, self.hands = stage, live, news, hands

    def notice(self, node: Node, *, seconds: float) -> None:
        """EC2 takes its machine in so many seconds."""
        now = CLOCK.now()
        event = InterruptionNoticed(time=now, region=REGION, instance_id=instance_of(node), deadline=now + seconds)
        self.news.say(event)

    def maintenance(self, node: Node, *, seconds: float) -> None:
        """EC2 will reboot its machine in so many seconds."""
        now = CLOCK.now()
        self.news.say(
            MaintenanceScheduled(
                time=now,
                region=REGION,
                instance_id=instance_of(node),
                event_id="event-1",
                code="system-reboot",
                start_time=now + seconds,
            )
        )

    def incident(self, node: Node) -> Incident | None:
        """The open one of a node."""
        return self.live.world.incidents.get(instance_of(node))

    async def drained(self, node: Node, *, seconds_max: float = PATIENCE_SECONDS) -> Incident:
        """The incident of a node that is empty by now."""

        async def look() -> Incident | None:
            return self.incident(node)

        seen = await self.stage.until(
            look, lambda incident: incident is not None and incident.drained, seconds_max=seconds_max
        )
        assert seen is not None
        return seen


def instance_of(node: Node) -> str:
    """Id of its machine."""
    assert node.instance_id is not None
    return node.instance_id


@asynccontextmanager
async def watching(
    stage: Stage, place: Path, policy: NodesPolicy = POLICY, *, targets: TargetHands | None = None
) -> AsyncIterator[Watchman]:
    """Run it on a journal in that folder. targets: whoever asks load balancers; None: nobody is asked."""
    surroundings = Surroundings(stage.kube, cluster=CLUSTER, clock=CLOCK)
    node_hands = NodeHands(stage.kube, seen=surroundings.node)
    hands = Hands(
        ClusterHands(stage.kube, nodes=node_hands, watcher=surroundings, clock=CLOCK, instance="test"), targets
    )
    store, news = SqliteStore.to_write(place), News()
    live = Live(
        core=Core(deciders(GroupsPolicy(), policy), guards(GroupsPolicy(), policy)),
        store=store,
        hands=hands,
        clock=CLOCK,
        owner=this_process(),
        sources=[surroundings, news],
        policy=LivePolicy(observe_seconds=0.0),
    )
    running = asyncio.create_task(live.run())
    try:
        yield Watchman(stage, live, news, hands)
    finally:
        live.stop()
        await running
        await store.close()
