"""Steps of the user's rules against a real API server, with the published rights and no more."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grpc import aio
from ruamel.yaml import YAML

from spotward.engine.clock import SystemClock
from spotward.kube.for_rules import RuleHands
from spotward.kube.resources import AUTOSCALERS, BUDGETS, DAEMON_SETS, DEPLOYMENTS, PODS, STATEFUL_SETS, Resource
from spotward.plugins.sdk.call import Status
from spotward.plugins.wire.hollowtrees_v1_pb2 import AlertEvent
from tests.cli.program import Program, Running
from tests.cluster.stage import Stage, on_stage, pod_spec
from tests.cluster.steps import STEPS_ROLE, forgotten, knocking, kubeconfig, stepping
from tests.emulator.clients import eventually
from tests.plugins.sdk.served import Caller

TOKEN = "0123456789abcdef-one"
LISTENS = re.compile(r"listens on 127\.0\.0\.1:(\d+)")
NOTICE = "prometheus.server.alert.SpotTerminationNotice"


async def stateful_set(stage: Stage, name: str, replicas: int) -> None:
    body = {
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "serviceName": name,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod_spec()},
        },
    }
    await stage.create(STATEFUL_SETS, body, stage.namespace)


async def daemon_set(stage: Stage, name: str) -> None:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {**pod_spec(), "nodeSelector": {"stage": stage.namespace}},
    }
    body = {
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template},
    }
    await stage.create(DAEMON_SETS, body, stage.namespace)
    await stage.until(lambda: stage.pods(app=name), lambda pods: bool(pods) and all(pod.ready for pod in pods))


async def replicas(stage: Stage, name: str, resource: Resource = DEPLOYMENTS) -> int:
    said = await stage.owner.json("get", resource, namespace=stage.namespace, name=name)
    return int(said["spec"]["replicas"])


@on_stage
async def test_a_notice_of_old_drains_the_node_that_it_names_and_leaves_daemons_and_what_has_finished(
    stage: Stage, tmp_path: Path
) -> None:
    node = await stage.node()
    await stage.deployment("web", 2)
    await daemon_set(stage, "log")
    finished = await stage.pod(node, restartPolicy="Never")
    succeeded: dict[str, Any] = {"subresource": "status", "body": {"status": {"phase": "Succeeded"}}}
    await stage.owner.json("patch", PODS, namespace=stage.namespace, name=finished.name, **succeeded)
    await stage.node()
    async with stepping(stage, tmp_path) as steps:
        answer = await steps.do(type_=NOTICE, said={"cluster_name": "play", "instance": node.name})
    assert answer.status is Status.DONE, answer.text
    assert answer.output["evicted"] == answer.output["to_move"] == 2
    assert answer.output["left"] == 0
    assert 0 < answer.output["seconds_left"] < 120
    staying = {pod.name for pod in [*await stage.pods(app="log"), *await stage.pods()] if pod.node == node.name}
    assert finished.name in staying
    assert len(staying) == 2, "and the daemon"
    assert (await stage.node_now(node.name)).unschedulable


@on_stage
async def test_a_drain_for_maintenance_waits_for_budgets_is_joined_by_who_asks_again_and_is_undone(
    stage: Stage, tmp_path: Path
) -> None:
    node = await stage.node()
    await stage.deployment("web", 1)
    await stage.budget("web", "web", maxUnavailable=0)
    other = await stage.node()
    async with stepping(stage, tmp_path) as steps:
        first = await steps.do(action="drain", node=node.name, seconds=4.0)
        assert first.status is Status.FAILED
        assert "1 of 1 pod of" in first.text
        assert "allows none to be missing" in first.text
        waiting = asyncio.create_task(steps.do(action="drain", node=node.name, seconds=90.0))
        await stage.owner.json(
            "patch",
            BUDGETS,
            namespace=stage.namespace,
            name="web",
            body={"spec": {"maxUnavailable": 1}},
        )
        second = await waiting
        assert (second.status, second.output["evicted"]) == (Status.DONE, 1), second.text
        assert second.output["seconds_left"] is None
        [pod] = await stage.until(
            lambda: stage.pods(app="web"), lambda pods: len(pods) == 1 and pods[0].node == other.name
        )
        assert not pod.leaving
        undone = await steps.do(action="uncordon", node=node.name)
        assert undone.status is Status.DONE, undone.text
        assert (await steps.do(action="uncordon", node=node.name)).status is Status.IGNORED
    after = await stage.node_now(node.name)
    assert not after.unschedulable
    assert not after.taints
    assert "node.kubernetes.io/exclude-from-external-load-balancers" not in after.labels


@on_stage
async def test_what_steps_set_on_a_node_is_set_once_and_only_that_is_taken_back(stage: Stage, tmp_path: Path) -> None:
    node, foreign = await stage.node(), await stage.node(unschedulable=True)
    at, there = {"instance_id": f"i-{node.name}"}, {"node": foreign.name}
    ill = {"key": "example.com/ill", "value": "$labels.severity"}
    async with stepping(stage, tmp_path) as steps:
        assert (await steps.do(said=at, action="cordon")).text == f"{node.name} is cordoned"
        assert (await steps.do(said=at, action="cordon")).text == f"{node.name} is cordoned already"
        for severity in ("critical", "page"):  # our own value may change
            answer = await steps.do(said={**at, "severity": severity}, action="taint", taint=ill)
            assert answer.status is Status.DONE, answer.text
        answer = await steps.do(said=at, action="label", labels={"example.com/state": "ill", "stage": "other"})
        assert answer.status is Status.REFUSED
        assert answer.text.startswith(f"{node.name} has stage={stage.namespace} instead of the label"), answer.text
        now = await stage.node_now(node.name)
        assert [(t.key, t.value) for t in now.taints if t.key.startswith("example")] == [("example.com/ill", "page")]
        assert now.labels["example.com/state"] == "ill"
        for off, status in (
            ("example.com/state", Status.DONE),
            ("example.com/state", Status.IGNORED),
            ("stage", Status.REFUSED),
        ):
            assert (await steps.do(said=at, action="label", labels={off: None})).status is status
        for status in (Status.DONE, Status.IGNORED):
            answer = await steps.do(said={**at, "severity": "page"}, action="taint", taint=ill, remove=True)
            assert answer.status is status, answer.text
        assert (await steps.do(said=at, action="uncordon")).text == f"{node.name} takes pods again"
        left = await steps.do(said=there, action="uncordon")
        assert (left.status, "by others" in left.text) == (Status.REFUSED, True)
    now = await stage.node_now(node.name)
    assert not now.unschedulable
    assert not [taint for taint in now.taints if taint.key.startswith("example")]
    assert not [name for name in (*now.labels, *now.annotations) if "example" in name or "set-by-rules" in name]
    assert (await stage.node_now(foreign.name)).unschedulable


@on_stage
async def test_pods_of_a_workload_are_moved_off_a_node_with_budgets_having_their_say(
    stage: Stage, tmp_path: Path
) -> None:
    first = await stage.node()
    await stage.deployment("web", 2)
    bare = await stage.pod(first)
    await stage.budget("web", "web", maxUnavailable=0)
    second = await stage.node()
    moving: dict[str, Any] = {"action": "reschedule", "namespace": stage.namespace, "node": first.name}
    web = {**moving, "kind": "Deployment", "name": "$labels.deployment"}
    async with stepping(stage, tmp_path) as steps:
        held = await steps.do(**web, said={"deployment": "web"}, seconds=4.0)
        assert held.status is Status.FAILED
        assert held.output["moved"] == []
        assert len(held.output["left"]) == 2
        assert "2 of 2 pods left" in held.text
        assert (await steps.do(**web, said={})).status is Status.REFUSED, "the event names none"
        late = await steps.do(**web, said={"deployment": "web"}, time=1_000_000_000.0)
        assert (late.status, "younger than the event" in late.text) == (Status.IGNORED, True)
        await stage.owner.answer("delete", BUDGETS, namespace=stage.namespace, name="web")
        assert (await steps.do(action="cordon", node=first.name)).status is Status.DONE
        answer = await steps.do(**moving, selector="app=web")
        assert (answer.status, len(answer.output["moved"])) == (Status.DONE, 2), answer.text
        assert (await steps.do(**moving, kind="Pod", name=bare.name)).status is Status.IGNORED, "nobody makes it again"
        elsewhere = await steps.do(**{**web, "namespace": "kube-system"})
        assert (elsewhere.status, "namespaces" in elsewhere.text) == (Status.REFUSED, True)
    pods = [pod for pod in await stage.pods(app="web") if not pod.leaving]
    assert {pod.node for pod in pods if pod.owner is not None} == {second.name}
    assert await stage.pod_now(bare.name) is not None


@on_stage
async def test_a_workload_is_scaled_within_its_bounds_and_a_repeated_call_adds_nothing(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.node()
    await stage.deployment("web", 2)
    await stateful_set(stage, "db", 1)
    scaling: dict[str, Any] = {"action": "scale", "namespace": stage.namespace}
    web, db = {**scaling, "kind": "Deployment", "name": "web"}, {**scaling, "kind": "StatefulSet", "name": "db"}
    async with stepping(stage, tmp_path) as steps:
        answer = await steps.do(**web, replicas="+1", max=4, key="once")
        assert answer.text == f"the Deployment {stage.namespace}/web: 2 → 3 pods"
        assert answer.output == {"before": 2, "after": 3}
        # A call that comes again after a crash, even if somebody else has set another number meanwhile.
        await stage.owner.json(
            "patch", DEPLOYMENTS, namespace=stage.namespace, name="web", body={"spec": {"replicas": 2}}
        )
        again = await steps.do(**web, replicas="+1", max=4, key="once")
        assert (again.status, "done already" in again.text) == (Status.DONE, True)
        assert await replicas(stage, "web") == 2
        both = await asyncio.gather(*(steps.do(**web, replicas="+1", max=9) for _ in range(2)))
        assert sorted(each.output["after"] for each in both) == [3, 4]
        assert (await steps.do(**web, replicas="+50%", max=5)).output == {"before": 4, "after": 5}
        assert (await steps.do(**web, replicas="+1", max=5)).status is Status.IGNORED
        assert (await steps.do(**web, replicas="-100%")).output == {"before": 5, "after": 1}
        assert (await steps.do(**web, replicas=0)).output == {"before": 1, "after": 0}
        assert (await steps.do(**db, replicas=3)).output == {"before": 1, "after": 3}
        assert (await steps.do(**db, replicas="-1")).output == {"before": 3, "after": 2}
        missing = await steps.do(**{**web, "name": "none"}, replicas=1)
        assert missing.text == f"there is no Deployment {stage.namespace}/none"
        target = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db"}
        auto = {"metadata": {"name": "auto"}, "spec": {"scaleTargetRef": target, "maxReplicas": 3}}
        await stage.create(AUTOSCALERS, auto, stage.namespace)
        scaled = await steps.do(**db, replicas="-1")
        assert (scaled.status, "HorizontalPodAutoscaler" in scaled.text) == (Status.REFUSED, True)
    assert await replicas(stage, "db", STATEFUL_SETS) == 2


@on_stage
async def test_a_restart_replaces_the_pods_once_for_one_key(stage: Stage, tmp_path: Path) -> None:
    await stage.node()
    before = {pod.uid for pod in await stage.deployment("web", 1)}
    again: dict[str, Any] = {"action": "reschedule", "restart": True, "namespace": stage.namespace}
    async with stepping(stage, tmp_path) as steps:
        once, twice = [await steps.do(**again, kind="Deployment", name="web", key="once") for _ in range(2)]
        assert once.status is Status.DONE
        assert (twice.status, "already" in twice.text) == (Status.DONE, True)
        await stage.until(
            lambda: stage.pods(app="web"), lambda pods: len(pods) == 1 and before.isdisjoint(p.uid for p in pods)
        )
    said = await stage.owner.json("get", DEPLOYMENTS, namespace=stage.namespace, name="web")
    assert said["metadata"]["generation"] == 2, "two calls, one change"


@on_stage
async def test_steps_use_all_of_the_rights_that_their_file_grants_and_no_other(stage: Stage, tmp_path: Path) -> None:
    await stage.node()
    await stage.deployment("web", 1)
    await stateful_set(stage, "db", 1)
    await daemon_set(stage, "log")
    [role, _] = YAML(typ="safe").load_all(STEPS_ROLE.read_text())
    granted = {f"{verb} {what}" for rule in role["rules"] for what in rule["resources"] for verb in rule["verbs"]}
    where = stage.namespace
    async with knocking(stage, tmp_path) as kube:
        hands = RuleHands(kube, SystemClock())
        for kind, name in (("Deployment", "web"), ("StatefulSet", "db")):
            for size, exact in ((2, True), (3, False)):
                done = await hands.scale(kind, where, name, lambda _, to=size: to, key="k", exact=exact)  # type: ignore[misc]  # bound at once
                assert done.after == size
        for kind, name in (("Deployment", "web"), ("StatefulSet", "db"), ("DaemonSet", "log")):
            assert await hands.restart(kind, where, name, key="k")
        daemons = {"get deployments", "patch deployments/scale", "list horizontalpodautoscalers"}
        assert set(kube.calls) == granted | daemons


@contextmanager
def serving(alone: Program, file: Path) -> Iterator[tuple[Running, int]]:
    with alone.running("plugin", "serve", "kubernetes", "--config", str(file)) as server:
        eventually(lambda: server.says("listens on"), seconds_max=90)
        said = LISTENS.search(server.said)
        assert said is not None, server.said
        yield server, int(said[1])


@on_stage
async def test_a_server_of_its_own_that_was_killed_in_the_middle_finishes_what_an_engine_of_old_has_asked(
    stage: Stage, tmp_path: Path
) -> None:
    node = await stage.node()
    slow = await stage.pod(node, play={"stops-after": "5s"})
    (tmp_path / "tokens").write_text(TOKEN)
    settings = {
        "port": 0,
        "token_file": str(tmp_path / "tokens"),
        "state": str(tmp_path / "state"),
        "kubernetes": {"clusters": {"play": {"kubeconfig": str(await kubeconfig(stage, tmp_path))}}},
        "nodes": {"watch_seconds": 1},
    }
    file = tmp_path / "plugin-config.yaml"
    file.write_text(json.dumps(settings))
    alone = Program(environment={}, state=tmp_path / "unused")

    async def notice(port: int, number: int) -> str:
        """What the server answers; an engine of old sends an alert again that was not answered with `ok`."""
        data = {"cluster_name": "play", "instance": node.name}
        event = AlertEvent(eventId=f"e-{number}", eventType=NOTICE, data=data)
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            try:
                return await Caller(channel, TOKEN).alert(event)
            except aio.AioRpcError as error:
                return str(error.details())

    try:
        with serving(alone, file) as (server, port):
            first = asyncio.create_task(notice(port, 1))
            asked = await stage.until(lambda: stage.pod_now(slow.name), lambda pod: pod is None or pod.leaving)
            assert asked is not None
            server.process.kill()
            assert await first != "ok"
        with serving(alone, file) as (server, port):
            await stage.until(lambda: notice(port, 2), lambda said: said == "ok")
            assert await stage.pod_now(slow.name) is None
            assert server.stop() == 0
    finally:
        await forgotten(stage)
    assert (await stage.node_now(node.name)).unschedulable
