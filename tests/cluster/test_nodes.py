"""What is set on a node and taken back, on a real API server, among others who write to the same node."""

import asyncio
from typing import Any

import pytest

from spotward.kube.nodes import NOTE, OUT_OF_SERVICE, Marks, NodeHands
from spotward.kube.resources import NODES
from spotward.model.cluster import EXCLUDE_FROM_LOAD_BALANCERS_LABEL, UNSCHEDULABLE_TAINT, Node, Taint
from spotward.model.errors import Permanent
from tests.cluster.rules_of_the_house import policy
from tests.cluster.stage import Stage, on_stage

OURS = Taint(key="spotward.io/interruption", value="spot", effect="NoSchedule")
THEIRS = Taint(key="example.com/dedicated", value="batch", effect="NoExecute")
LABEL = (EXCLUDE_FROM_LOAD_BALANCERS_LABEL, "true")
ALL = Marks(cordoned=True, taints=(OURS,), labels=(LABEL,))


async def patch(stage: Stage, node: Node, body: dict[str, Any]) -> None:
    await stage.owner.json("patch", NODES, name=node.name, body=body)


def said(taint: Taint, **more: str) -> dict[str, str]:
    return {"key": taint.key, "value": taint.value, "effect": taint.effect, **more}


@on_stage
async def test_cordon_taint_and_label_are_one_patch_and_come_off_again(stage: Stage) -> None:
    before = await stage.node()
    hands = NodeHands(stage.kube)
    assert await hands.mark(before.name, before.uid, ALL) == ALL
    assert stage.kube.calls == {"get nodes": 1, "patch nodes": 1}
    marked = await stage.until(lambda: stage.node_now(before.name), lambda node: node.has_taint(UNSCHEDULABLE_TAINT))
    assert marked.unschedulable
    assert marked.has_taint(OURS.key, OURS.effect)
    assert marked.labels[LABEL[0]] == "true"
    await hands.unmark(before.name, before.uid, ALL)
    after = await stage.until(lambda: stage.node_now(before.name), lambda node: not node.has_taint(UNSCHEDULABLE_TAINT))
    assert (after.unschedulable, after.taints, after.labels, after.annotations) == (False, (), before.labels, {})


@on_stage
async def test_a_node_that_is_followed_takes_one_call(stage: Stage) -> None:
    node = await stage.node()
    seen = await stage.node_now(node.name)
    assert await NodeHands(stage.kube, seen=lambda _: seen).mark(node.name, node.uid, ALL) == ALL
    assert stage.kube.calls == {"patch nodes": 1}


@on_stage
async def test_what_was_there_before_stays_and_is_not_ours(stage: Stage) -> None:
    node = await stage.node(unschedulable=True, taints=[said(OURS)])
    await patch(stage, node, {"metadata": {"labels": {LABEL[0]: "by-hand"}}})
    hands = NodeHands(stage.kube)
    assert await hands.mark(node.name, node.uid, ALL) == Marks()
    await hands.unmark(node.name, node.uid, Marks())
    after = await stage.node_now(node.name)
    assert after.unschedulable
    assert OURS in after.taints
    assert after.labels[LABEL[0]] == "by-hand"


@on_stage
async def test_an_order_repeated_after_a_crash_still_knows_what_is_ours(stage: Stage) -> None:
    node = await stage.node()
    await NodeHands(stage.kube).mark(node.name, node.uid, ALL)
    assert await NodeHands(stage.kube).mark(node.name, node.uid, ALL) == ALL
    assert stage.kube.calls["patch nodes"] == 1


@on_stage
async def test_a_taint_of_somebody_else_keeps_the_time_it_was_put(stage: Stage) -> None:
    node = await stage.node(taints=[said(THEIRS, timeAdded="2026-01-02T03:04:05Z")])
    hands = NodeHands(stage.kube)
    await hands.mark(node.name, node.uid, ALL)
    await hands.unmark(node.name, node.uid, ALL)
    spec = (await stage.owner.json("get", NODES, name=node.name))["spec"]
    assert said(THEIRS, timeAdded="2026-01-02T03:04:05Z") in spec["taints"]


@on_stage
async def test_what_others_changed_since_is_left_as_they_want_it(stage: Stage) -> None:
    node = await stage.node()
    hands = NodeHands(stage.kube)
    await hands.mark(node.name, node.uid, ALL)
    theirs = {"metadata": {"labels": {LABEL[0]: "by-hand"}}, "spec": {"unschedulable": None, "taints": [said(THEIRS)]}}
    await patch(stage, node, theirs)
    await hands.unmark(node.name, node.uid, ALL)
    after = await stage.node_now(node.name)
    assert after.labels[LABEL[0]] == "by-hand"
    assert THEIRS in after.taints
    assert NOTE not in after.annotations


@on_stage
async def test_others_who_write_all_the_time_lose_nothing_and_do_not_keep_us_out(stage: Stage) -> None:
    node = await stage.node()

    async def others() -> None:
        for number in range(30):
            await patch(stage, node, {"metadata": {"labels": {f"others/{number}": "yes"}}})
            await asyncio.sleep(0.01)

    writing = asyncio.create_task(others())
    ours = await asyncio.gather(
        *(
            NodeHands(stage.kube).mark(
                node.name, node.uid, Marks(taints=(Taint(key=f"spotward.io/t{n}", effect="NoSchedule"),))
            )
            for n in range(3)
        )
    )
    await writing
    after = await stage.node_now(node.name)
    assert all(len(marks.taints) == 1 for marks in ours)
    assert {taint.key for taint in after.taints} >= {"spotward.io/t0", "spotward.io/t1", "spotward.io/t2"}
    assert sum(key.startswith("others/") for key in after.labels) == 30


@on_stage
async def test_where_the_cluster_forbids_our_taint_the_node_is_cordoned_all_the_same(stage: Stage) -> None:
    node = await stage.node()
    forbidden = "!has(object.spec.taints) || object.spec.taints.all(t, !t.key.startsWith('spotward.io/'))"
    async with policy(stage, "nodes", "UPDATE", forbidden, "no such taints here"):
        probe = {"spec": {"taints": [said(OURS)]}}

        async def refused() -> int:
            query = {"dryRun": "All"}
            return (await stage.owner.answer("patch", NODES, name=node.name, body=probe, query=query)).status

        await stage.until(refused, lambda status: status >= 400)
        ours = await NodeHands(stage.kube).mark(node.name, node.uid, ALL)
    assert ours == Marks(cordoned=True)
    assert (await stage.node_now(node.name)).unschedulable


@on_stage
async def test_a_node_that_is_another_by_now_is_not_touched(stage: Stage) -> None:
    node = await stage.node()
    hands = NodeHands(stage.kube)
    with pytest.raises(Permanent, match="another machine") as caught:
        await hands.mark(node.name, "00000000-0000-0000-0000-000000000000", ALL)
    assert caught.value.code == "NotFound"
    await hands.delete(node.name, "00000000-0000-0000-0000-000000000000")
    assert (await stage.node_now(node.name)).uid == node.uid


@on_stage
async def test_a_node_that_is_gone_says_so_and_deleting_it_twice_is_fine(stage: Stage) -> None:
    node = await stage.node()
    hands = NodeHands(stage.kube)
    await hands.delete(node.name, node.uid)
    await hands.delete(node.name, node.uid)
    with pytest.raises(Permanent) as caught:
        await hands.mark(node.name, node.uid, ALL)
    assert caught.value.code == "NotFound"


@on_stage
async def test_out_of_service_removes_the_pods_of_a_machine_that_is_off(stage: Stage) -> None:
    node = await stage.node(annotations={"play.spotward.io/silent": "true"})
    pod = await stage.pod(node, play={"stops": "at-the-end"}, terminationGracePeriodSeconds=600)
    not_ready = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}
    body: dict[str, Any] = {"status": {"conditions": [not_ready]}}
    await stage.owner.json("patch", NODES, name=node.name, subresource="status", body=body)
    hands = NodeHands(stage.kube)
    await hands.mark_out_of_service(node.name, node.uid)
    await stage.until(lambda: stage.pod_now(pod.name), lambda seen: seen is None)
    await hands.unmark_out_of_service(node.name, node.uid)
    assert OUT_OF_SERVICE not in (await stage.node_now(node.name)).taints
