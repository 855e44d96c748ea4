"""What the cluster shows, as events: nodes, pods, budgets and volume attachments, followed at once.

Four watches run for as long as somebody listens. What they tell is gathered and handed on in batches, a few times a
second: a storm over five hundred nodes is some dozens of events and not tens of thousands.

Pods are followed all together, told are only those of nodes that were asked about (`watch_pods`), because only about
those a decision is due. Following all of them costs one connection whatever happens, where a watch for each node would
open hundreds of them in the worst minute.

An agent, of which each node has one, follows its own node and the pods on it (`only_node`), and while nothing happens
nothing else: five hundred agents that followed every budget would be told of each change five hundred times. Only from
when its pods are asked about does it follow the budgets in their namespaces and, if one of them has a claim, the
attachments; and it tells of these before it tells of the pods.

An API server that is away for longer than a moment is told once (`ClusterSilent`); the next `NodesSeen` ends that.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from functools import partial

from spotward.engine.ports import Clock, Delivery
from spotward.kube.bindings import Bindings
from spotward.kube.client import Kube
from spotward.kube.following import Following, Interest
from spotward.kube.pods import PodHands
from spotward.kube.reading import attachment, budget, node, pod
from spotward.kube.resources import ATTACHMENTS, BUDGETS, NODES, PODS
from spotward.kube.shelves import PodShelves, Shelf
from spotward.kube.watch import Changed, Listed, Removed, Wanted
from spotward.model.cluster import Budget, Claim, Node, Pod, VolumeAttachment
from spotward.model.errors import OutsideError, Transient
from spotward.model.event import Event
from spotward.model.node_event import AttachmentsSeen, BudgetsSeen, ClusterSilent, NodesSeen, PodsSeen, TargetGroupsSeen

BATCH_SECONDS = 0.1
"""News is gathered for so long. A notice leaves two minutes; a tenth of a second of it is nothing."""

BATCH_SECONDS_MAX = 1.0
"""While there is much to think about it is gathered for as long as the last batch took, up to this: a pod that is gone
may be told of a second later, when hundreds of nodes are being emptied."""

DEALT_WITH_SECONDS_MAX = 2.0
"""The next batch waits until the last one was dealt with, but no longer: while there is much to think about, what
changes in the meantime is told once, as it is then, and not each time."""

SILENT_SECONDS = 1.0
"""A connection that breaks and stands again sooner is nobody's business."""

LISTED_SECONDS_MAX = 10.0
"""How long the question for a node's pods waits until pods were seen at all; and an agent's, until what is needed
beside them was told."""


class Handed:
    """A batch of so many events that was handed on."""

    def __init__(self, number: int) -> None:
        self._left, self._done = number, asyncio.Event()

    async def acknowledge(self) -> None:
        """One event of it was dealt with."""
        self._left -= 1
        if not self._left:
            self._done.set()

    async def dealt_with(self, seconds_max: float = DEALT_WITH_SECONDS_MAX) -> None:
        """Return when all were, or when that takes too long."""
        if self._left > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds_max):
                    await self._done.wait()


class Surroundings:
    """A Source, and the PodWatcher of the hands."""

    def __init__(self, kube: Kube, *, cluster: str, clock: Clock, only_node: str | None = None) -> None:
        """`cluster`: its name, as events carry it."""
        self._kube, self._pod_hands = kube, PodHands(kube)
        self._cluster, self._clock, self._only_node = cluster, clock, only_node
        self._nodes: Shelf[Node] = Shelf(name_of=lambda each: each.name)
        self._pods = PodShelves()
        self._budgets: Shelf[Budget] = Shelf(name_of=lambda each: each.id)
        self._attachments: Shelf[VolumeAttachment] = Shelf(
            name_of=lambda each: each.name, wanted=lambda each: only_node in {None, each.node}
        )
        self._bindings = Bindings(kube)
        self._claims: dict[str, Claim] = {}
        """Those that have their volume, which never changes again."""
        self._following = Following(kube)
        self._needed: set[str] = set()
        """Names of what an agent follows besides, as long as it empties its node."""
        self._told: set[str] = set()
        """Of what is followed, what was told whole to the listener."""
        self._telling = asyncio.Condition()
        self._silence_told = False

    @property
    def name(self) -> str:
        """How an operator would name it."""
        return f"Kubernetes cluster {self._cluster}"

    def node(self, name: str) -> Node | None:
        """How a node was last seen."""
        return self._nodes.known.get(name)

    # ---- pods that are asked about ---------------------------------------------------------------------------

    async def watch_pods(self, node: str, instance_id: str) -> PodsSeen:
        """All pods of a node; from then on every change of them is told. Raises OutsideError: what we know is old."""
        await self._until_told({PODS.plural}, "the pods of the cluster were not seen yet")
        if (lost := self._following.lost.get(PODS.plural)) is not None:
            raise Transient(f"what is known of the node's pods is old: {lost[1]}", code="Unreachable")
        if self._only_node is not None:
            self._need(self._pods.of(node))
            await self._until_told(self._interests().keys(), "the budgets of the node's pods were not seen yet")
        claims = await self._claims_of(self._pods.of(node))
        pods = self._pods.ask(node, instance_id)  # last, so that no change of them is told before they are
        return PodsSeen(
            time=self._clock.now(), instance_id=instance_id, node=node, pods=pods, claims=claims, whole=True
        )

    def unwatch_pods(self, node: str) -> None:
        """They are of no interest any more."""
        self._pods.forget(node)
        if self._only_node is not None:
            self._needed.clear()
            self._following.stirred.set()

    def _need(self, pods: Iterable[Pod]) -> None:
        """An agent follows what is needed to move these."""
        pods = tuple(pods)
        wanted = {f"{BUDGETS.plural}/{each.namespace}" for each in pods}
        wanted |= {ATTACHMENTS.plural for each in pods if each.claims}
        if not wanted <= self._needed:
            self._needed |= wanted
            self._following.stirred.set()

    async def _until_told(self, names: Iterable[str], otherwise: str) -> None:
        """Until these were told. Raises Transient, in those words."""
        wanted = set(names)
        try:
            async with asyncio.timeout(LISTED_SECONDS_MAX), self._telling:
                await self._telling.wait_for(lambda: wanted <= self._told)
        except TimeoutError:
            raise Transient(otherwise, code="NotListed") from None

    async def _claims_of(self, pods: Iterable[Pod]) -> tuple[Claim, ...]:
        """The claims of these pods, each asked for once. Raises OutsideError."""
        wanted = sorted({(each.namespace, name) for each in pods for name in each.claims})
        found = await asyncio.gather(*(self._claim(namespace, name) for namespace, name in wanted))
        return tuple(claim for claim in found if claim is not None)

    async def _claim(self, namespace: str, name: str) -> Claim | None:
        if (known := self._claims.get(f"{namespace}/{name}")) is not None:
            return known
        claim = await self._pod_hands.claim(namespace, name)
        if claim is not None and claim.volume is not None:
            self._claims[f"{namespace}/{name}"] = claim
        return claim

    # ---- following -------------------------------------------------------------------------------------------

    async def deliveries(self) -> AsyncGenerator[Delivery, None]:
        """Batches of what there is and what changes, for ever. Raises Permanent: we may not look."""
        following, gathering_seconds = self._following, BATCH_SECONDS
        listing = self._bindings.keep_listing(following.stirred) if self._only_node is None else None
        task = asyncio.create_task(listing) if listing is not None else None
        try:
            self._follow_what_counts()
            while True:
                impatient = following.lost and not self._silence_told
                await following.until_stirred(seconds_max=SILENT_SECONDS if impatient else None)
                await asyncio.sleep(gathering_seconds)
                begun = time.perf_counter()
                following.stirred.clear()
                self._follow_what_counts()
                listed = set(following.listed)
                events = await self._events()
                handed = Handed(len(events))
                for event in events:
                    yield Delivery(event=event, acknowledge=handed.acknowledge)
                await self._have_told(listed)
                await handed.dealt_with()
                gathering_seconds = min(max(time.perf_counter() - begun, BATCH_SECONDS), BATCH_SECONDS_MAX)
        finally:
            self._told.clear()
            if task is not None:
                task.cancel()
            await following.close()

    async def _have_told(self, names: set[str]) -> None:
        async with self._telling:
            self._told = names
            self._telling.notify_all()

    def _follow_what_counts(self) -> None:
        self._following.keep(self._interests())
        if self._only_node is not None and not self._needed:
            self._budgets.empty()
            self._attachments.empty()

    def _interests(self) -> dict[str, Interest]:
        """What is followed, and where it goes."""
        me = self._only_node
        if me is None:
            return {
                NODES.plural: Interest(wanted=Wanted(resource=NODES, reader=node), take=self._nodes.take),
                PODS.plural: Interest(wanted=Wanted(resource=PODS, reader=pod), take=self._pods.take),
                BUDGETS.plural: Interest(wanted=Wanted(resource=BUDGETS, reader=budget), take=self._budgets.take),
                ATTACHMENTS.plural: self._attached(),
            }
        mine = Wanted(resource=NODES, reader=node, field_selector=f"metadata.name={me}", cached=True)
        here = Wanted(resource=PODS, reader=pod, field_selector=f"spec.nodeName={me}", cached=True)
        return {
            NODES.plural: Interest(wanted=mine, take=self._nodes.take),
            PODS.plural: Interest(wanted=here, take=self._pods.take),
            **{name: self._needed_by_agent(name) for name in self._needed},
        }

    def _needed_by_agent(self, name: str) -> Interest:
        _, _, namespace = name.partition("/")
        if not namespace:
            return self._attached()
        wanted = Wanted(resource=BUDGETS, reader=budget, namespace=namespace, cached=True)
        return Interest(wanted=wanted, take=partial(self._take_budgets, namespace))

    def _attached(self) -> Interest:
        wanted = Wanted(resource=ATTACHMENTS, reader=attachment, cached=self._only_node is not None)
        return Interest(wanted=wanted, take=self._attachments.take)

    def _take_budgets(self, namespace: str, news: Listed[Budget] | Changed[Budget] | Removed[Budget]) -> None:
        """A list of one namespace says nothing about the others."""
        if isinstance(news, Listed):
            self._budgets.take_part(news, lambda each: each.namespace == namespace)
        else:
            self._budgets.take(news)

    async def _events(self) -> list[Event]:
        """All that was not told yet, nodes first: pods of a node nobody knows would be pods of nothing."""
        now = self._clock.now()
        events: list[Event] = []
        events += self._nodes_seen(now)
        for name, instance_id, told in self._pods.batches():
            if self._only_node is not None:
                self._need(told.items)
            events.append(
                PodsSeen(
                    time=now,
                    instance_id=instance_id,
                    node=name,
                    pods=told.items,
                    gone=tuple(each.uid for each in told.gone),
                    claims=await self._claims_if_any(told.items),
                    whole=told.whole,
                )
            )
        if (budgets := self._budgets.batch()) is not None:
            gone = tuple(each.id for each in budgets.gone)
            events.append(BudgetsSeen(time=now, budgets=budgets.items, gone=gone, whole=budgets.whole))
        if (attached := self._attachments.batch()) is not None:
            events.append(
                AttachmentsSeen(time=now, attachments=attached.items, gone=attached.gone, whole=attached.whole)
            )
        if (target_groups := self._bindings.batch()) is not None:
            events.append(TargetGroupsSeen(time=now, target_groups=target_groups))
        return events

    def _nodes_seen(self, now: float) -> list[Event]:
        """What changed of nodes; or that nothing can be seen; or, with nothing in it, that it can be seen again."""
        if silence := self._silence():
            self._silence_told = True
            return [ClusterSilent(time=now, cluster=self._cluster, reason=silence)]
        told = self._nodes.batch()
        regained = self._silence_told and not self._following.lost
        self._silence_told = self._silence_told and not regained
        if told is None:
            return [NodesSeen(time=now, cluster=self._cluster)] if regained else []
        gone = tuple(each.name for each in told.gone)
        seen = NodesSeen(time=now, cluster=self._cluster, nodes=told.items, gone=gone, whole=told.whole)
        if not self._silence_told:
            return [seen]
        return [seen, ClusterSilent(time=now, cluster=self._cluster, reason=min(self._following.lost.values())[1])]

    def _silence(self) -> str:
        """Why nothing can be seen, if that has lasted and was not told yet; else empty."""
        if self._silence_told or not self._following.lost:
            return ""
        since, reason = min(self._following.lost.values())
        return reason if time.perf_counter() - since >= SILENT_SECONDS else ""

    async def _claims_if_any(self, pods: tuple[Pod, ...]) -> tuple[Claim, ...]:
        """What cannot be asked now is asked when the pods change again, or when they are asked about again."""
        try:
            return await self._claims_of(pods)
        except OutsideError:
            return ()
