"""What the cluster shows, as events: nodes, pods, budgets and volume attachments, followed at once.

Four watches run for as long as somebody listens. What they tell is gathered and handed on in batches, a few times a
second: a storm over five hundred nodes is some dozens of events and not tens of thousands.

Pods are followed all together, or those of one node (`only_node`) for an agent that runs there; told are only those of
nodes that were asked about (`watch_pods`), because only about those a decision is due. Following all of them costs one
connection whatever happens, where a watch for each node would open hundreds of them in the worst minute.

An API server that is away for longer than a moment is told once (`ClusterSilent`); the next `NodesSeen` ends that.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing, suppress
from typing import Any

from spotward.engine.ports import Clock, Delivery
from spotward.kube.client import Kube
from spotward.kube.pods import PodHands
from spotward.kube.reading import attachment, budget, node, pod
from spotward.kube.resources import ATTACHMENTS, BUDGETS, NODES, PODS
from spotward.kube.shelves import PodShelves, Shelf
from spotward.kube.watch import Lost, Regained, Wanted, Watch
from spotward.model.cluster import Budget, Claim, Node, Pod, VolumeAttachment
from spotward.model.errors import OutsideError, Transient
from spotward.model.event import Event
from spotward.model.node_event import AttachmentsSeen, BudgetsSeen, ClusterSilent, NodesSeen, PodsSeen

BATCH_SECONDS = 0.1
"""News is gathered for so long. A notice leaves two minutes; a tenth of a second of it is nothing."""

DEALT_WITH_SECONDS_MAX = 2.0
"""The next batch waits until the last one was dealt with, but no longer: while there is much to think about, what
changes in the meantime is told once, as it is then, and not each time."""

SILENT_SECONDS = 1.0
"""A connection that breaks and stands again sooner is nobody's business."""

LISTED_SECONDS_MAX = 10.0
"""How long the question for a node's pods waits until pods were seen at all."""


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
        self._claims: dict[str, Claim] = {}
        """Those that have their volume, which never changes again."""
        self._stirred, self._listed = asyncio.Event(), asyncio.Event()
        self._lost: dict[str, tuple[float, str]] = {}
        """Kind → since when (by the stopwatch) it cannot be followed, and why."""
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
        try:
            async with asyncio.timeout(LISTED_SECONDS_MAX):
                await self._listed.wait()
        except TimeoutError:
            raise Transient("the pods of the cluster were not seen yet", code="NotListed") from None
        if (lost := self._lost.get(PODS.plural)) is not None:
            raise Transient(f"what is known of the node's pods is old: {lost[1]}", code="Unreachable")
        claims = await self._claims_of(self._pods.of(node))
        pods = self._pods.ask(node, instance_id)  # last, so that no change of them is told before they are
        return PodsSeen(
            time=self._clock.now(), instance_id=instance_id, node=node, pods=pods, claims=claims, whole=True
        )

    def unwatch_pods(self, node: str) -> None:
        """They are of no interest any more."""
        self._pods.forget(node)

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
        tasks = [asyncio.create_task(self._follow(wanted, take)) for wanted, take in self._wanted()]
        try:
            while True:
                await self._until_stirred(tasks)
                await asyncio.sleep(BATCH_SECONDS)
                self._stirred.clear()
                events = await self._events()
                handed = Handed(len(events))
                for event in events:
                    yield Delivery(event=event, acknowledge=handed.acknowledge)
                await handed.dealt_with()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _wanted(self) -> list[tuple[Wanted[Any], Callable[[Any], None]]]:
        """What is followed, and where it goes."""
        me = self._only_node
        named, placed = (f"metadata.name={me}", f"spec.nodeName={me}") if me is not None else ("", "")
        return [
            (Wanted(resource=NODES, reader=node, field_selector=named), self._nodes.take),
            (Wanted(resource=PODS, reader=pod, field_selector=placed), self._pods.take),
            (Wanted(resource=BUDGETS, reader=budget), self._budgets.take),
            (Wanted(resource=ATTACHMENTS, reader=attachment), self._attachments.take),
        ]

    async def _follow(self, wanted: Wanted[Any], take: Callable[[Any], None]) -> None:
        """One watch, for ever."""
        kind = wanted.resource.plural
        async with aclosing(Watch(kube=self._kube, wanted=wanted).news()) as told:
            async for news in told:
                if isinstance(news, Lost):
                    self._lost[kind] = (time.perf_counter(), news.reason)
                    self._stirred.set()
                    continue
                self._lost.pop(kind, None)
                if not isinstance(news, Regained):
                    take(news)
                if self._pods.listed:
                    self._listed.set()
                self._stirred.set()

    async def _until_stirred(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        """Until there may be something to tell. Raises what ended a watch."""
        waiting = asyncio.create_task(self._stirred.wait())
        impatient = self._lost and not self._silence_told
        try:
            await asyncio.wait(
                {waiting, *tasks},
                timeout=SILENT_SECONDS if impatient else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            waiting.cancel()
        for task in tasks:
            if task.done():
                task.result()

    async def _events(self) -> list[Event]:
        """All that was not told yet, nodes first: pods of a node nobody knows would be pods of nothing."""
        now = self._clock.now()
        events: list[Event] = []
        events += self._nodes_seen(now)
        for name, instance_id, told in self._pods.batches():
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
        return events

    def _nodes_seen(self, now: float) -> list[Event]:
        """What changed of nodes; or that nothing can be seen; or, with nothing in it, that it can be seen again."""
        if silence := self._silence():
            self._silence_told = True
            return [ClusterSilent(time=now, cluster=self._cluster, reason=silence)]
        told = self._nodes.batch()
        regained = self._silence_told and not self._lost
        self._silence_told = self._silence_told and not regained
        if told is None:
            return [NodesSeen(time=now, cluster=self._cluster)] if regained else []
        gone = tuple(each.name for each in told.gone)
        seen = NodesSeen(time=now, cluster=self._cluster, nodes=told.items, gone=gone, whole=told.whole)
        if not self._silence_told:
            return [seen]
        return [seen, ClusterSilent(time=now, cluster=self._cluster, reason=min(self._lost.values())[1])]

    def _silence(self) -> str:
        """Why nothing can be seen, if that has lasted and was not told yet; else empty."""
        if self._silence_told or not self._lost:
            return ""
        since, reason = min(self._lost.values())
        return reason if time.perf_counter() - since >= SILENT_SECONDS else ""

    async def _claims_if_any(self, pods: tuple[Pod, ...]) -> tuple[Claim, ...]:
        """What cannot be asked now is asked when the pods change again, or when they are asked about again."""
        try:
            return await self._claims_of(pods)
        except OutsideError:
            return ()
