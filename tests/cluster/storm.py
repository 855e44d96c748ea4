"""A storm: hundreds of nodes full of pods that are all taken in the same second, and what the API server noted of it.

The API server itself is the witness: its audit log says when each request of Spotward's account came and was answered,
for the daemon and for the bare loop that the daemon is held against alike.
"""

import asyncio
import json
import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from spotward.emulator.stage import Network, StageHand
from spotward.kube.client import Kube
from spotward.kube.nodes import Marks, NodeHands
from spotward.kube.pods import PodHands
from spotward.kube.reading import node as node_reader
from spotward.kube.reading import pod as pod_reader
from spotward.kube.reading import read
from spotward.kube.resources import BUDGETS, NODES, PODS
from spotward.kube.wire import REQUESTS_AT_ONCE_MAX
from spotward.model.cluster import EXCLUDE_FROM_LOAD_BALANCERS_LABEL, Node, Pod, Taint
from tests.cluster.stage import NAMESPACES, Json, Stage, order, pod_spec

T = TypeVar("T")

READY_SECONDS_MAX = 180.0
"""How long it may take until every pod of a field runs."""

INSTANCES_PER_CALL = 100


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How great the storm is. One pod of each node is under a disruption budget, which keeps some of them."""

    nodes: int = 500
    pods_per_node: int = 10
    budgets: int = 25
    budget_keeps: int = 5
    """Of the pods that it covers."""
    grace_seconds: int = 30
    """What every pod is given to stop."""

    @property
    def held(self) -> int:
        """Pods that no budget lets go before their last moment."""
        return self.budgets * self.budget_keeps

    @property
    def free(self) -> int:
        """Pods that may be evicted at once."""
        return self.nodes * self.pods_per_node - self.held


@dataclass(frozen=True, kw_only=True)
class Field:
    """Nodes with pods on them, all running."""

    plan: Plan
    namespace: str
    nodes: tuple[Node, ...]


async def side_by_side(work: Iterable[Callable[[], Awaitable[T]]], at_once: int = REQUESTS_AT_ONCE_MAX) -> list[T]:
    """All of it, so many at a time."""
    room = asyncio.Semaphore(at_once)

    async def one(each: Callable[[], Awaitable[T]]) -> T:
        async with room:
            return await each()

    return await asyncio.gather(*(one(each) for each in work))


def spot_instances(hand: StageHand, network: Network, number: int) -> list[str]:
    """So many Spot instances in no group; they boot for some twenty seconds of the cloud's."""
    made: list[str] = []
    while len(made) < number:
        count = min(INSTANCES_PER_CALL, number - len(made))
        answer = hand.ec2.run_instances(
            ImageId=network.image_id,
            InstanceType="m5.large",
            SubnetId=network.subnet_ids[0],
            MinCount=count,
            MaxCount=count,
            InstanceMarketOptions={"MarketType": "spot"},
        )
        made += [each["InstanceId"] for each in answer["Instances"]]
    return made


# ---- the scene -----------------------------------------------------------------------------------------------


async def laid_out(stage: Stage, plan: Plan, instances: Sequence[str] = ()) -> Field:
    """A field in a namespace of its own, every pod running and every budget worked out. Its nodes are these instances,
    or such as nobody knows.
    """
    owner, namespace = stage.owner, f"storm-{secrets.token_hex(3)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    await owner.json("create", NAMESPACES, body=body)
    names = [f"{namespace}-n{number:03d}" for number in range(plan.nodes)]
    ids = instances or [f"i-{secrets.token_hex(8)}0" for _ in names]
    nodes = [_node(namespace, name, instance) for name, instance in zip(names, ids, strict=True)]
    pods = [_pod(name, number, at, plan) for at, name in enumerate(names) for number in range(plan.pods_per_node)]
    await side_by_side(partial(stage.create, NODES, node) for node in nodes)
    await side_by_side(partial(stage.create, PODS, pod, namespace) for pod in pods)
    await side_by_side(partial(stage.create, BUDGETS, _budget(at, plan), namespace) for at in range(plan.budgets))
    return Field(plan=plan, namespace=namespace, nodes=await _settled(owner, namespace, plan))


async def cleared(stage: Stage, field: Field) -> None:
    """The field is on its way out, and nobody waits for it."""
    await stage.owner.answer("delete", NAMESPACES, name=field.namespace)
    await stage.owner.answer("deletecollection", NODES, query={"labelSelector": f"stage={field.namespace}"})


def _node(namespace: str, name: str, instance: str) -> Json:
    labels = {"stage": namespace, "kubernetes.io/hostname": name}
    return {"metadata": {"name": name, "labels": labels}, "spec": {"providerID": f"aws:///us-east-1a/{instance}"}}


def _pod(node: str, number: int, at: int, plan: Plan) -> Json:
    labels = {"app": f"guarded-{at % plan.budgets}"} if number == 0 and plan.budgets else {}
    spec = {**pod_spec(), "nodeName": node, "terminationGracePeriodSeconds": plan.grace_seconds}
    return {"metadata": {"name": f"{node}-{number}", "labels": labels}, "spec": spec}


def _budget(at: int, plan: Plan) -> Json:
    name = f"guarded-{at}"
    spec = {"minAvailable": plan.budget_keeps, "selector": {"matchLabels": {"app": name}}}
    return {"metadata": {"name": name}, "spec": spec}


async def _settled(owner: Kube, namespace: str, plan: Plan) -> tuple[Node, ...]:
    """The nodes, once all is as it is to be."""
    async with asyncio.timeout(READY_SECONDS_MAX):
        while True:
            listed = await owner.json("list", NODES, query={"labelSelector": f"stage={namespace}"})
            nodes = tuple(read(node_reader, item) for item in listed["items"])
            waiting = await pods_left(owner, namespace, "status.phase!=Running")
            if not waiting and all(node.ready for node in nodes) and await _budgets_count(owner, namespace, plan):
                return nodes
            await asyncio.sleep(1.0)


async def pods_left(owner: Kube, namespace: str, selector: str = "") -> int:
    """How many pods there are, of those that fit; the server counts them."""
    query = {"limit": "1"} | ({"fieldSelector": selector} if selector else {})
    page = await owner.json("list", PODS, namespace=namespace, query=query)
    return len(page["items"]) + int(page["metadata"].get("remainingItemCount") or 0)


async def _budgets_count(owner: Kube, namespace: str, plan: Plan) -> bool:
    """Did the controller find every pod of every budget healthy?"""
    listed = await owner.json("list", BUDGETS, namespace=namespace)
    healthy = sum(int(item.get("status", {}).get("currentHealthy", 0)) for item in listed["items"])
    return healthy == (plan.nodes if plan.budgets else 0)


# ---- the bare loop -------------------------------------------------------------------------------------------


async def bare_loop(kube: Kube, field: Field) -> None:
    """The calls that the field needs at the least: each node marked, then each of its pods asked to go, in the same
    words as the daemon's, as many at once as our client ever has under way. No watch, no thought, no journal.
    """
    pods: defaultdict[str, list[Pod]] = defaultdict(list)
    for item in (await kube.json("list", PODS, query={"fieldSelector": f"metadata.namespace={field.namespace}"}))[
        "items"
    ]:
        pods[item["spec"]["nodeName"]].append(read(pod_reader, item))
    known = {node.name: node for node in field.nodes}
    nodes, asking = NodeHands(kube, seen=known.get), PodHands(kube)
    marks = Marks(
        cordoned=True,
        taints=(Taint(key="spotward.io/leaving", effect="NoSchedule", value="interruption"),),
        labels=((EXCLUDE_FROM_LOAD_BALANCERS_LABEL, "spotward"),),
    )

    async def emptied(node: Node) -> None:
        await nodes.mark(node.name, node.uid, marks)
        await asyncio.gather(*(asking.evict(order(pod)) for pod in pods[node.name]))

    await side_by_side(partial(emptied, node) for node in field.nodes)


# ---- what the API server noted -------------------------------------------------------------------------------

CORDON, EVICT = "patch nodes", "create pods/eviction"


@dataclass(frozen=True, kw_only=True, slots=True)
class Noted:
    """One request of Spotward's account."""

    call: str
    """In RBAC's words, such as `create pods/eviction`."""
    name: str
    """Of the object."""
    status: int
    came: float
    answered: float


class Witness:
    """The audit log from some moment on, read as it grows."""

    def __init__(self, log: Path) -> None:
        self._log, self._at = log, log.stat().st_size
        self.noted: list[Noted] = []

    def look(self) -> list[Noted]:
        """All requests that were answered so far, since it was made."""
        with self._log.open("rb") as log:
            log.seek(self._at)
            whole, _, _ = log.read().rpartition(b"\n")
        if whole:
            self._at += len(whole) + 1
            self.noted += [_noted(json.loads(line)) for line in whole.split(b"\n")]
        return self.noted

    def answered(self, call: str, *statuses: int) -> list[Noted]:
        """Requests of a kind that were answered so."""
        return [each for each in self.look() if each.call == call and each.status in statuses]


def _noted(said: Json) -> Noted:
    what = said.get("objectRef") or {}
    subresource = f"/{what['subresource']}" if "subresource" in what else ""
    return Noted(
        call=f"{said['verb']} {what.get('resource', '')}{subresource}",
        name=what.get("name", ""),
        status=(said.get("responseStatus") or {}).get("code", 0),
        came=_seconds(said["requestReceivedTimestamp"]),
        answered=_seconds(said["stageTimestamp"]),
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def node_of(noted: Noted) -> str:
    """The node that a cordon or an eviction was about: pods of a field are named after it."""
    return noted.name.rpartition("-")[0] if noted.call == EVICT else noted.name


def last_of_each_node(noted: Iterable[Noted]) -> list[float]:
    """When the last of these was answered for each node, in order."""
    last: dict[str, float] = {}
    for each in noted:
        last[node_of(each)] = max(each.answered, last.get(node_of(each), 0.0))
    return sorted(last.values())


def share(sorted_figures: Sequence[float], part: float) -> float:
    """The figure that so great a part of them does not exceed."""
    return sorted_figures[min(len(sorted_figures) - 1, int(part * len(sorted_figures)))]
