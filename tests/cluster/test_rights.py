"""deploy/clusterrole.yaml grants what is used, and everything that it grants is used."""

import asyncio
from contextlib import aclosing
from functools import partial
from typing import Any

import pytest
from ruamel.yaml import YAML

from spotward.engine.clock import SystemClock
from spotward.kube.client import Kube
from spotward.kube.configuration import find_cluster
from spotward.kube.hands import ClusterHands
from spotward.kube.happenings import Happenings
from spotward.kube.nodes import NodeHands
from spotward.kube.resources import CLAIMS, PODS, Resource
from spotward.kube.surroundings import Surroundings
from spotward.model.cluster import Node, Pod, Taint
from spotward.model.event import Done
from spotward.model.node_action import (
    CordonNode,
    DeleteNode,
    DeletePods,
    EvictPods,
    LookAtWorkload,
    MarkOutOfService,
    PodOrder,
    ScaleWorkload,
    TellCluster,
    Tiding,
    UncordonNode,
    UnmarkOutOfService,
    UnwatchPods,
    WatchPods,
)
from spotward.model.node_event import NodeMarked, PodResult, PodsAnswered, PodsSeen, WorkloadSeen
from tests.cluster.stage import ACCOUNTS, ROLES, Stage, on_stage, order

OURS = Taint(key="spotward.io/interruption", value="spot", effect="NoSchedule")
EVENTS = Resource(group="events.k8s.io", version="v1", plural="events", kind="Event")


def granted() -> set[str]:
    """What the file grants, in the words in which calls are counted."""
    documents = YAML(typ="safe").load_all(ROLES.read_text())
    rules = [rule for document in documents for rule in document.get("rules", ())]
    assert all("*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"] for rule in rules)
    return {f"{verb} {resource}" for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}


async def told_of(stage: Stage, node: Node) -> list[dict[str, Any]]:
    """The Kubernetes Events about a node that is drained."""
    said = await stage.owner.json("list", EVENTS, namespace="default")
    return [i for i in said["items"] if i["regarding"]["name"] == node.name and i["reason"] == "Drained"]


async def used(stage: Stage) -> set[str]:
    """What was called so far."""
    return set(stage.kube.calls)


async def with_claim(stage: Stage, node: Node) -> Pod:
    """A pod with a volume claim."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    await stage.create(CLAIMS, {"metadata": {"name": "data"}, "spec": spec}, stage.namespace)
    return await stage.pod(node, volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}])


async def listened(source: Surroundings | Happenings) -> None:
    """To whatever it tells, for ever."""
    async with aclosing(source.deliveries()) as deliveries:
        async for delivery in deliveries:
            if delivery is not None:
                await delivery.acknowledge()


@on_stage
async def test_every_action_on_a_cluster_is_done_with_the_published_rights_and_uses_all_of_them(stage: Stage) -> None:
    node = await stage.node()
    claimed = await with_claim(stage, node)
    other = await stage.pod(node, play={"stops": "at-the-end"})
    surroundings = Surroundings(stage.kube, cluster="test", clock=SystemClock())
    hands = ClusterHands(
        stage.kube, nodes=NodeHands(stage.kube), watcher=surroundings, clock=SystemClock(), instance="test-1"
    )
    who: dict[str, Any] = {"instance_id": "i-1", "key": "k", "node": node.name}

    types = ("kubernetes.event.*",)
    happenings = Happenings(stage.kube, SystemClock(), cluster="test", types=types, wanted=lambda _: True)
    listening = asyncio.gather(listened(surroundings), listened(happenings))
    seen = await hands.do(WatchPods(**who), 1)
    assert isinstance(seen, PodsSeen)
    assert {pod.uid for pod in seen.pods} == {claimed.uid, other.uid}
    assert [claim.name for claim in seen.claims] == ["data"]

    marked = await hands.do(CordonNode(**who, uid=node.uid, taints=(OURS,), labels=(("a", "b"),)), 1)
    assert isinstance(marked, NodeMarked)
    assert (marked.cordoned, marked.taints, marked.labels) == (True, (OURS,), (("a", "b"),))

    for action in (EvictPods(**who, pods=(order(claimed),)), DeletePods(**who, pods=(order(other, 1),))):
        answered = await hands.do(action, 1)
        assert isinstance(answered, PodsAnswered)
        assert [answer.result for answer in answered.answers] == [PodResult.ACCEPTED]

    tiding = Tiding(about="Node", name=node.name, uid=node.uid, reason="Drained", text="all pods are gone")
    for deed in (
        UncordonNode(**who, uid=node.uid, uncordon=True, taints=(OURS,), labels=(("a", "b"),)),
        MarkOutOfService(**who, uid=node.uid),
        UnmarkOutOfService(**who, uid=node.uid),
        TellCluster(**who, tidings=(tiding,)),
        TellCluster(**who, tidings=(tiding,)),
        UnwatchPods(**who),
        DeleteNode(**who, uid=node.uid),
    ):
        assert isinstance(await hands.do(deed, 1), Done)
    assert [item["note"] for item in await told_of(stage, node)] == ["all pods are gone"], (
        "what is said twice stands there once"
    )

    again = await stage.pod(await stage.node())
    await stage.deployment("web", 1)
    web = {**who, "namespace": stage.namespace, "name": "web"}
    seen_of_web = await hands.do(LookAtWorkload(**web, autoscaler=True), 1)
    assert isinstance(seen_of_web, WorkloadSeen)
    assert seen_of_web.workload is not None
    uid = seen_of_web.workload.uid
    assert isinstance(await hands.do(ScaleWorkload(**web, uid=uid, before=1, replicas=2), 1), Done)
    wrong = PodOrder(namespace=again.namespace, name=again.name, uid="00000000-0000-0000-0000-000000000000")
    gone = await hands.do(EvictPods(**who, pods=(wrong,)), 1)
    assert isinstance(gone, PodsAnswered)
    assert [answer.result for answer in gone.answers] == [PodResult.GONE]

    await stage.until(partial(used, stage), lambda calls: calls >= granted())  # a watch may be begun late
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    assert set(stage.kube.calls) == granted()


@on_stage
async def test_as_a_pod_in_the_cluster_it_is_the_service_account_of_the_published_file(
    stage: Stage, tmp_path: Any
) -> None:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    asked = await stage.owner.json(
        "create", ACCOUNTS, namespace="spotward", name="spotward", subresource="token", body=body
    )
    (tmp_path / "token").write_text(asked["status"]["token"])
    (tmp_path / "ca.crt").write_bytes(stage.control_plane.papers.authority.read_bytes())
    (tmp_path / "namespace").write_text("spotward")
    host, port = stage.control_plane.server.removeprefix("https://").split(":")
    environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    cluster = find_cluster(environment=environment, service_account=tmp_path)
    assert cluster.namespace == "spotward"
    kube = Kube(cluster, clock=SystemClock())
    assert "items" in await kube.json("list", PODS)
    kube.close()


@on_stage
async def test_a_token_that_was_renewed_under_our_feet_is_read_again(stage: Stage, tmp_path: Any) -> None:
    papers = stage.control_plane.papers
    (tmp_path / "ca.crt").write_bytes(papers.authority.read_bytes())
    (tmp_path / "token").write_text("worn-out")
    host, port = stage.control_plane.server.removeprefix("https://").split(":")
    environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    kube = Kube(find_cluster(environment=environment, service_account=tmp_path), clock=SystemClock())
    assert (await kube.answer("list", PODS)).status == 401
    (tmp_path / "token").write_text(papers.token("admin"))
    assert (await kube.answer("list", PODS)).status == 200
    kube.close()


def test_the_file_grants_nothing_twice() -> None:
    documents = YAML(typ="safe").load_all(ROLES.read_text())
    lines = [
        (resource, verb)
        for document in documents
        for rule in document.get("rules", ())
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize("secret", ["secrets", "configmaps", "*"])
def test_the_file_grants_no_look_at(secret: str) -> None:
    assert not [line for line in granted() if line.endswith(f" {secret}")]
