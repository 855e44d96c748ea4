"""Steps of the plugin `kubernetes` in a real cluster, by somebody with the published rights and no more."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from spotward.cli.cluster_house import house
from spotward.cli.rule_cluster import RuleCluster
from spotward.config import ClusterPlace
from spotward.engine.clock import SystemClock
from spotward.engine.desk import Desk
from spotward.kube.client import Kube
from spotward.kube.configuration import find_cluster
from spotward.kube.resources import Resource
from spotward.nodes.policy import NodesPolicy
from spotward.plugins.builtin.kubernetes import Kubernetes
from spotward.plugins.sdk.call import Answer, Call, Happening
from tests.cluster.stage import ACCOUNTS, ROLES, Stage

STEPS_ROLE = ROLES.with_name("plugin-kubernetes.yaml")
CLUSTER_ROLES = Resource(group="rbac.authorization.k8s.io", version="v1", plural="clusterroles", kind="ClusterRole")
CLUSTER_BINDINGS = Resource(
    group="rbac.authorization.k8s.io", version="v1", plural="clusterrolebindings", kind="ClusterRoleBinding"
)
BINDINGS = Resource(group="rbac.authorization.k8s.io", version="v1", plural="rolebindings", kind="RoleBinding")

POLICY = NodesPolicy(watch_seconds=1.0, cluster="play")


async def kubeconfig(stage: Stage, folder: Path) -> Path:
    """Of a service account of the stage's own, which has the rights of both files: the one of the daemon in the whole
    cluster, the one for steps in the stage's namespace.
    """
    account = "steps"
    await stage.create(ACCOUNTS, {"metadata": {"name": account}}, stage.namespace)
    role, binding = YAML(typ="safe").load_all(STEPS_ROLE.read_text())
    role["metadata"]["name"] = f"steps-{stage.namespace}"
    await stage.owner.json("create", CLUSTER_ROLES, body=role)
    subjects = [{"kind": "ServiceAccount", "name": account, "namespace": stage.namespace}]
    binding["metadata"]["namespace"], binding["subjects"] = stage.namespace, subjects
    binding["roleRef"]["name"] = role["metadata"]["name"]
    await stage.owner.json("create", BINDINGS, namespace=stage.namespace, body=binding)
    daemon = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "spotward"}
    body = {"metadata": {"name": f"steps-{stage.namespace}"}, "roleRef": daemon, "subjects": subjects}
    await stage.create(CLUSTER_BINDINGS, body)
    asking = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    told = await stage.owner.json(
        "create", ACCOUNTS, namespace=stage.namespace, name=account, subresource="token", body=asking
    )
    whole = json.loads(stage.control_plane.kubeconfig("admin").read_text())
    whole["users"][0]["user"] = {"token": told["status"]["token"]}
    file = folder / "kubeconfig"
    file.write_text(json.dumps(whole))
    return file


async def forgotten(stage: Stage) -> None:
    """What is not in the stage's namespace goes with it."""
    for resource in (CLUSTER_BINDINGS, CLUSTER_ROLES):
        await stage.owner.answer("delete", resource, name=f"steps-{stage.namespace}")


@dataclass
class Steps:
    """Somebody who does steps."""

    stage: Stage
    plugin: Kubernetes
    number: int = 0

    async def do(
        self,
        *,
        key: str = "",
        said: dict[str, str] | None = None,
        type_: str = "prometheus.server.alert.Hot",
        seconds: float = 60.0,
        time: float | None = None,
        happens: float | None = None,
        **properties: Any,
    ) -> Answer:
        self.number += 1
        event = Happening(id="e", source="test", type=type_, time=time, data={"labels": said or {}})
        return await self.plugin.answer(
            Call(
                key=key or f"flow.{self.stage.namespace}.{self.number}",
                event=event,
                properties=properties,
                flow="flow",
                step="step",
                seconds_left=seconds,
                happens=happens,
            )
        )


@asynccontextmanager
async def stepping(stage: Stage, folder: Path, *, policy: NodesPolicy = POLICY) -> AsyncIterator[Steps]:
    """A house of its own for the stage's cluster, and the plugin in it."""
    clock = SystemClock()
    file = await kubeconfig(stage, folder)
    cluster = RuleCluster("play", clock, Desk())
    try:
        async with house(cluster, ClusterPlace(kubeconfig=file), folder / "journal", policy, clock):
            yield Steps(stage, Kubernetes({"play": cluster}, home=cluster, now=clock.now, namespaces=[stage.namespace]))
    finally:
        await forgotten(stage)


@asynccontextmanager
async def knocking(stage: Stage, folder: Path) -> AsyncIterator[Kube]:
    """The API server's door for the same account."""
    kube = Kube(find_cluster(await kubeconfig(stage, folder)), clock=SystemClock())
    try:
        yield kube
    finally:
        kube.close()
        await forgotten(stage)
