"""A cluster on paper, for the plugin `kubernetes`: what it is told to do is written down, and answered as it is set."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from spotward.model.cluster import Node, Pod, PodOwner
from spotward.model.flow_event import Status as Ended
from spotward.model.incident import Marks
from spotward.model.node_event import PodAnswer, PodResult
from spotward.model.node_order import NodeWanted
from spotward.model.order import Order, Ordered
from spotward.plugins.builtin.cluster import Marked, Pods, Scaled, Size, Tell, Unmark, Workload
from spotward.plugins.builtin.kubernetes import Kubernetes
from spotward.plugins.sdk.call import Call, Happening

NOW = 1_800_000_000.0
SET = Marked(changed=Marks(cordoned=True), ours=Marks(cordoned=True))
TAKEN_BACK = Marked(changed=Marks(cordoned=True))
NOTICE = "prometheus.server.alert.SpotTerminationNotice"


def a_node(number: int, **changes: Any) -> Node:
    node = Node(
        name=f"n-{number}",
        uid=f"u-{number}",
        provider_id=f"aws:///eu-west-1a/i-{number}",
        addresses=(("InternalIP", f"10.0.0.{number}"), ("Hostname", f"ip-10-0-0-{number}")),
        labels={"topology.kubernetes.io/zone": "eu-west-1a"},
    )
    return replace(node, **changes)


def a_pod(name: str, **changes: Any) -> Pod:
    owner = PodOwner(kind="ReplicaSet", name="web-1", uid="o-1")
    pod = Pod(namespace="shop", name=name, uid=f"uid-{name}", node="n-1", phase="Running", owner=owner)
    return replace(pod, **changes)


Ending = Callable[[Order, Tell], Awaitable[Order]]


async def done(order: Order, tell: Tell) -> Order:
    await tell("1 of 2 pods left")
    return replace(order, status=Ended.DONE, ended="it is so", ended_time=NOW, output_json='{"evicted": 2}')


@dataclass
class PaperCluster:
    """See the port."""

    name: str = "prod"
    every: tuple[Node, ...] = (a_node(1), a_node(2))
    here: tuple[Pod, ...] = ()
    ending: Ending = done
    marked: Marked = SET
    unmarked: Marked = TAKEN_BACK
    ill: Exception | None = None
    size: int = 2
    answers: dict[str, PodResult] = field(default_factory=dict)
    said: list[Any] = field(default_factory=list)

    async def nodes(self) -> Iterable[Node]:
        return self.every

    async def mark(self, node: Node, marks: Marks) -> Marked:
        if self.ill is not None:
            raise self.ill
        self.said.append((node.name, marks))
        return self.marked

    async def unmark(self, node: Node, what: Unmark) -> Marked:
        self.said.append((node.name, what))
        return self.unmarked

    async def order(self, key: str, wanted: NodeWanted, *, by: str, tell: Tell) -> Order:
        order = Ordered(time=NOW, order=key, wanted=wanted, by=by).born
        self.said.append(order)
        return await self.ending(order, tell)

    async def pods(self, which: Pods) -> tuple[Pod, ...]:
        self.said.append(which)
        return self.here

    async def evict(self, pods: Iterable[Pod]) -> tuple[PodAnswer, ...]:
        asked = tuple(pods)
        self.said.append(tuple(pod.name for pod in asked))
        answers = [PodAnswer(uid=p.uid, result=self.answers.get(p.name, PodResult.ACCEPTED)) for p in asked]
        going = {each.uid for each in answers if each.result is PodResult.ACCEPTED}
        self.here = tuple(pod for pod in self.here if pod.uid not in going)
        return tuple(answers)

    async def scale(self, workload: Workload, size: Size, *, key: str, exact: bool) -> Scaled:
        self.said.append((workload.words, key, exact))
        before, self.size = self.size, size(self.size)
        return Scaled(before=before, after=self.size)

    async def restart(self, workload: Workload, *, key: str) -> bool:
        self.said.append((workload.words, key))
        return True


def a_plugin(home: PaperCluster | None = None, **others: PaperCluster) -> Kubernetes:
    home = home or PaperCluster()
    clusters = {"prod": home, "stage": others.get("stage", PaperCluster(name="stage"))}
    return Kubernetes(clusters, home=home, now=lambda: NOW, namespaces=["shop", "team-*"])


def a_call(
    properties: dict[str, Any] | None = None,
    *,
    type_: str = "prometheus.server.alert.Hot",
    labels: dict[str, str] | None = None,
    data: Any = None,
    **changes: Any,
) -> Call:
    said = {"labels": labels} if labels is not None else data
    event = Happening(id="e-1", source="prometheus", type=type_, time=NOW - 5.0, data=said)
    call = Call(key="flow.step", event=event, properties=properties or {}, flow="flow", step="step", seconds_left=30.0)
    return replace(call, **changes)
