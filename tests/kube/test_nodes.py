"""Patches of nodes: what is set, what is left, and that what is ours can always be taken back."""

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spotward.kube.nodes import NOTE, Marks, marking, noted, unmarking
from spotward.kube.reading import node as node_reader
from spotward.model.cluster import Node, Taint

effects = st.sampled_from(["NoSchedule", "NoExecute"])
taints = st.builds(Taint, key=st.sampled_from("abc"), effect=effects, value=st.sampled_from(["", "x", "y"]))
some_taints = st.lists(taints, max_size=3, unique_by=lambda taint: (taint.key, taint.effect)).map(tuple)
labels = st.dictionaries(st.sampled_from("lmn"), st.sampled_from(["1", "2"]), max_size=2)
marks = st.builds(
    Marks, cordoned=st.booleans(), taints=some_taints, labels=labels.map(lambda said: tuple(sorted(said.items())))
)
nodes = st.builds(
    Node,
    name=st.just("n-1"),
    uid=st.just("u-1"),
    unschedulable=st.booleans(),
    taints=some_taints,
    labels=labels,
    version=st.just("7"),
)


def patched(node: Node, patch: dict[str, Any] | None) -> Node:
    """The node after a merge patch, by RFC 7396: null removes, mappings merge, lists are replaced."""
    if patch is None:
        return node
    assert patch["metadata"]["resourceVersion"] == node.version
    assert patch["metadata"]["uid"] == node.uid
    spec = patch["spec"]
    read = node_reader(
        {
            "metadata": {
                "name": node.name,
                "uid": node.uid,
                "resourceVersion": "8",
                "labels": merged(node.labels, patch["metadata"].get("labels", {})),
                "annotations": merged(node.annotations, patch["metadata"]["annotations"]),
            },
            "spec": {"unschedulable": spec.get("unschedulable", node.unschedulable), "taints": spec.get("taints", [])},
        }
    )
    return read if "taints" in spec else replace(read, taints=node.taints)


def merged(here: Any, change: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**here, **change}.items() if value is not None}


def shape(node: Node) -> tuple[Any, ...]:
    return node.unschedulable, set(node.taints), dict(node.labels)


@given(node=nodes, wanted=marks)
def test_what_was_set_can_be_taken_back_and_the_node_is_as_it_was(node: Node, wanted: Marks) -> None:
    marked = patched(node, marking(node, wanted))
    restored = patched(replace(marked, version="7"), unmarking(replace(marked, version="7"), noted(marked)))
    assert shape(restored) == shape(node)
    assert NOTE not in restored.annotations


@given(node=nodes, wanted=marks)
def test_after_marking_everything_wanted_is_there_or_somebody_elses_stands_in_its_place(
    node: Node, wanted: Marks
) -> None:
    marked = patched(node, marking(node, wanted))
    assert marked.unschedulable or not wanted.cordoned
    assert {(t.key, t.effect) for t in wanted.taints} <= {(t.key, t.effect) for t in marked.taints}
    assert {key for key, _ in wanted.labels} <= set(marked.labels)
    assert set(node.taints) <= set(marked.taints), "what was there stays"
    assert dict(node.labels).items() <= dict(marked.labels).items()


@given(node=nodes, wanted=marks)
def test_marking_twice_changes_nothing_the_second_time(node: Node, wanted: Marks) -> None:
    marked = replace(patched(node, marking(node, wanted)), version="7")
    assert marking(marked, wanted) is None


@given(node=nodes, first=marks, second=marks)
def test_two_orders_are_both_ours_to_take_back(node: Node, first: Marks, second: Marks) -> None:
    once = replace(patched(node, marking(node, first)), version="7")
    twice = replace(patched(once, marking(once, second)), version="7")
    restored = patched(twice, unmarking(twice, noted(twice)))
    assert restored.unschedulable == node.unschedulable
    assert {(t.key, t.effect) for t in restored.taints} == {(t.key, t.effect) for t in node.taints}


def test_a_taint_of_ours_takes_a_new_value_and_one_of_theirs_does_not() -> None:
    old, new = (Taint(key="a", effect="NoSchedule", value=value) for value in ("rebalance", "interruption"))
    bare = Node(name="n-1", uid="u-1", version="7")
    ours = replace(patched(bare, marking(bare, Marks(taints=(old,)))), version="7")
    assert patched(ours, marking(ours, Marks(taints=(new,)))).taints == (new,)
    theirs = Node(name="n-1", uid="u-1", version="7", taints=(old,))
    assert marking(theirs, Marks(taints=(new,))) is None


def test_a_note_that_cannot_be_read_claims_nothing() -> None:
    for note in ("", "{", "[]", '"x"', "null", json.dumps({"taints": 7}), json.dumps({"labels": [1]})):
        node = Node(name="n-1", uid="u-1", unschedulable=True, annotations={NOTE: note})
        assert noted(node) == Marks()
