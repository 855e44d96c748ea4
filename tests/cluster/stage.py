"""What a test does with a control plane: it sets a scene as the cluster's owner, and acts as Spotward.

`Stage.kube` may do what deploy/clusterrole.yaml says; `Stage.owner` may do everything. Each stage has a namespace and
nodes of its own, so that tests share one control plane and never meet.
"""

import asyncio
import functools
import inspect
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML

from spotward.engine.clock import SystemClock
from spotward.kube.client import Kube, status_of
from spotward.kube.configuration import find_cluster
from spotward.kube.reading import node as node_reader
from spotward.kube.reading import pod as pod_reader
from spotward.kube.reading import read
from spotward.kube.resources import BUDGETS, DEPLOYMENTS, EVENTS, NODES, PODS, Resource
from spotward.model.cluster import Node, Pod
from spotward.model.errors import OutsideError
from spotward.model.node_action import PodOrder
from tests.cluster.control_plane import ADMIN, SPOTWARD, ControlPlane

ROLES = Path(__file__).parents[2] / "deploy" / "clusterrole.yaml"
AGENT_MANIFEST = ROLES.with_name("agent.yaml")
GRANTED = "-granted"

NAMESPACES = Resource(group="", version="v1", plural="namespaces", kind="Namespace")
ACCOUNTS = Resource(group="", version="v1", plural="serviceaccounts", kind="ServiceAccount")

NODE_INFO = dict.fromkeys(
    (
        "architecture",
        "containerRuntimeVersion",
        "kernelVersion",
        "kubeProxyVersion",
        "kubeletVersion",
        "machineID",
        "operatingSystem",
        "osImage",
        "systemUUID",
    ),
    "played",
)
"""What a kubelet tells besides the boot id; the API wants all of it."""

PATIENCE_SECONDS = 90.0
"""How long something may take to become true on a busy machine. Nobody waits longer than it takes."""

NOT_READY = "node.kubernetes.io/not-ready"
"""The taint that a new node has until its controller has seen it ready."""

T = TypeVar("T")
Json = dict[str, Any]


class Stage:
    """One test's part of a cluster. Made within a running loop."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self.control_plane = control_plane
        self.owner = self.as_user(ADMIN)
        self.kube = self.as_user(SPOTWARD)
        self.namespace = f"t-{secrets.token_hex(4)}"
        self._numbers = itertools.count(1)

    def as_user(self, user: str) -> Kube:
        return Kube(find_cluster(self.control_plane.kubeconfig(user)), clock=SystemClock())

    @asynccontextmanager
    async def set(self) -> AsyncIterator["Stage"]:
        await self.create_namespace()
        try:
            yield self
        finally:
            await self.clear()
            for kube in (self.owner, self.kube):
                kube.close()

    async def create_namespace(self) -> None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        await self.owner.json("create", NAMESPACES, body=body)

    async def clear(self) -> None:
        """What this test made is gone, so that the next meets an idle cluster. A server that is off is left alone."""
        try:
            await self.owner.answer("delete", NAMESPACES, name=self.namespace)
            ours = await self.owner.json("list", NODES, query={"labelSelector": f"stage={self.namespace}"})
            for item in ours["items"]:
                await self.owner.answer("delete", NODES, name=item["metadata"]["name"])
        except OutsideError:
            return

    # ---- the scene -------------------------------------------------------------------------------------------

    async def create(self, resource: Resource, body: Json, namespace: str | None = None) -> Json:
        typed = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        return await self.owner.json("create", resource, namespace=namespace, body=typed)

    async def node(self, *, annotations: dict[str, str] | None = None, **spec: Any) -> Node:
        """A node of our own: pods come to it only by name or by its label."""
        name = f"{self.namespace}-n{next(self._numbers)}"
        labels = {"stage": self.namespace, "kubernetes.io/hostname": name}
        metadata: Json = {"name": name, "labels": labels, "annotations": annotations or {}}
        await self.create(NODES, {"metadata": metadata, "spec": {"providerID": f"aws:///us-east-1a/i-{name}", **spec}})
        silent = "play.spotward.io/silent" in metadata["annotations"]
        # Settled: nobody changes it any more who was not asked to.
        return await self.until(
            lambda: self.node_now(name), lambda node: silent or (node.ready and not node.has_taint(NOT_READY))
        )

    async def node_now(self, name: str) -> Node:
        return read(node_reader, await self.owner.json("get", NODES, name=name))

    async def boot(self, node: Node, boot_id: str) -> None:
        """Its kubelet tells of a boot of the machine."""
        body = {"status": {"nodeInfo": {**NODE_INFO, "bootID": boot_id}}}
        await self.owner.json("patch", NODES, name=node.name, subresource="status", body=body)

    async def events_about(self, node: Node) -> dict[str, Json]:
        """Reason → the Kubernetes Event on that node."""
        listed = await self.owner.json("list", EVENTS, namespace="default")
        ours = [item for item in listed["items"] if (item.get("regarding") or {}).get("name") == node.name]
        return {item["reason"]: item for item in ours}

    async def pod(
        self, node: Node, *, labels: dict[str, str] | None = None, play: dict[str, str] | None = None, **spec: Any
    ) -> Pod:
        """A bare pod on that node, running."""
        name = f"p{next(self._numbers)}"
        await self.create(PODS, pod_body(node.name, name, labels, play, spec), self.namespace)
        seen: Pod = await self.until(lambda: self.pod_now(name), lambda pod: pod.phase == "Running")
        return seen

    async def pod_now(self, name: str) -> Any:
        """The pod as it is, or None if it is gone; every test knows which of the two it waits for."""
        answer = await self.owner.answer("get", PODS, namespace=self.namespace, name=name)
        return None if answer.status == 404 else read(pod_reader, status_of(answer))

    async def pods(self, **labels: str) -> list[Pod]:
        query = {"labelSelector": ",".join(f"{key}={value}" for key, value in labels.items())}
        listed = await self.owner.json("list", PODS, namespace=self.namespace, query=query)
        return [read(pod_reader, item) for item in listed["items"]]

    async def deployment(self, app: str, replicas: int, **spec: Any) -> list[Pod]:
        """A deployment whose pods run on this stage's nodes, all of them ready."""
        template = {
            "metadata": {"labels": {"app": app}},
            "spec": {**pod_spec(), "nodeSelector": {"stage": self.namespace}, **spec},
        }
        body = {
            "metadata": {"name": app},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": app}}, "template": template},
        }
        await self.create(DEPLOYMENTS, body, self.namespace)
        return await self.until(
            lambda: self.pods(app=app), lambda pods: len(pods) == replicas and all(pod.ready for pod in pods)
        )

    async def budget(self, name: str, app: str, *, settled: bool = True, **spec: Any) -> Json:
        """A disruption budget; settled: its controller has worked it out for the pods that there are."""
        body = {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": app}}, **spec}}
        ready = sum(pod.ready for pod in await self.pods(app=app))
        await self.create(BUDGETS, body, self.namespace)

        def is_settled(said: Json) -> bool:
            # The controller may meet the budget before it has seen all of the pods.
            status: Json = said.get("status", {})
            return bool(status.get("observedGeneration") == 1 and status.get("currentHealthy") == ready)

        seen: Json = await self.until(
            lambda: self.owner.json("get", BUDGETS, namespace=self.namespace, name=name),
            lambda said: not settled or is_settled(said),
        )
        return seen

    async def until(
        self,
        look: Callable[[], Awaitable[T]],
        holds: Callable[[T], bool],
        *,
        seconds_max: float = PATIENCE_SECONDS,
    ) -> T:
        """Look again and again until it holds. Fails with what was last seen."""
        begun = time.perf_counter()
        while not holds(seen := await look()):
            assert time.perf_counter() - begun < seconds_max, f"last seen: {seen}"
            await asyncio.sleep(0.1)
        return seen


def pod_spec() -> Json:
    return {"containers": [{"name": "app", "image": "none"}]}


def pod_body(node: str, name: str, labels: dict[str, str] | None, play: dict[str, str] | None, spec: Json) -> Json:
    return {
        "metadata": {
            "name": name,
            "labels": labels or {},
            "annotations": {f"play.spotward.io/{key}": value for key, value in (play or {}).items()},
        },
        "spec": {**pod_spec(), "nodeName": node, **spec},
    }


def order(pod: Pod, grace_seconds: int | None = None) -> PodOrder:
    return PodOrder(namespace=pod.namespace, name=pod.name, uid=pod.uid, grace_seconds=grace_seconds)


async def grant(owner: Kube) -> None:
    """What deploy/clusterrole.yaml grants, as its comment says to apply it; to agents, what deploy/agent.yaml does."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "spotward"}}
    await owner.json("create", NAMESPACES, body=body)
    for document in YAML(typ="safe").load_all(ROLES.read_text()):
        group, _, version = document["apiVersion"].rpartition("/")
        resource = Resource(group=group, version=version, plural=f"{document['kind'].lower()}s", kind=document["kind"])
        await owner.json("create", resource, namespace=document["metadata"].get("namespace"), body=document)
    for document in YAML(typ="safe").load_all(AGENT_MANIFEST.read_text()):
        if document["kind"] in ("ClusterRole", "ClusterRoleBinding"):
            document["metadata"]["name"] += GRANTED  # the file's own names stay free for who applies it
            if "roleRef" in document:
                document["roleRef"]["name"] += GRANTED
            resource = Resource(
                group="rbac.authorization.k8s.io",
                version="v1",
                plural=f"{document['kind'].lower()}s",
                kind=document["kind"],
            )
            await owner.json("create", resource, body=document)


def on_stage(play: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """An async test whose first argument is a stage on the shared control plane."""

    @functools.wraps(play)
    def test(control_plane: ControlPlane, **others: Any) -> None:
        async def whole() -> None:
            async with Stage(control_plane).set() as stage:
                await play(stage, **others)

        asyncio.run(whole())

    others = list(inspect.signature(play).parameters.values())[1:]
    here = inspect.Parameter("control_plane", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    test.__signature__ = inspect.Signature([here, *others])  # type: ignore[attr-defined]  # pytest reads it
    return test
