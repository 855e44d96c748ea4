"""Events of a cluster as occurrences: named by themselves, and whatever is wrong with one is told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.events.kubernetes import kubernetes_occurrence
from spotward.kube.reading import read
from spotward.model.errors import PayloadError
from spotward.model.occurrence import Occurrence

BACK_OFF = {
    "metadata": {"name": "web-1.17c", "namespace": "shop", "uid": "u-1", "creationTimestamp": "2026-11-23T12:00:00Z"},
    "eventTime": None,
    "deprecatedFirstTimestamp": "2026-11-23T12:00:00Z",
    "deprecatedLastTimestamp": "2026-11-23T12:05:00Z",
    "deprecatedCount": 7,
    "deprecatedSource": {"component": "kubelet", "host": "n-1"},
    "reason": "BackOff",
    "regarding": {"kind": "Pod", "namespace": "shop", "name": "web-1", "uid": "u-2", "apiVersion": "v1"},
    "note": "Back-off restarting failed container",
    "type": "Warning",
}


def occurrence(**more: Any) -> Occurrence:
    return kubernetes_occurrence({**BACK_OFF, **more}, cluster="prod")


def test_what_an_event_says_is_there_for_rules() -> None:
    one = occurrence()
    assert (one.id, one.source, one.type, one.subject) == (
        "u-1",
        "/kubernetes/prod",
        "kubernetes.event.BackOff",
        "Pod/shop/web-1",
    )
    assert one.time == 1_795_435_500.0
    assert one.labels == {
        "reason": "BackOff",
        "type": "Warning",
        "kind": "Pod",
        "name": "web-1",
        "namespace": "shop",
        "node": "n-1",
    }
    assert (one.data["note"], one.data["controller"], one.data["count"]) == (BACK_OFF["note"], "kubelet", 7)


def test_one_that_is_counted_up_is_the_same_at_a_later_time() -> None:
    again = occurrence(series={"count": 9, "lastObservedTime": "2026-11-23T12:10:00.000001Z"})
    assert again.identity == occurrence().identity
    assert again.data["count"] == 9
    assert again.time is not None
    assert again.time > 1_795_435_500.0


def test_an_event_about_a_node_names_the_node() -> None:
    about = {"kind": "Node", "name": "n-7", "uid": "n-7"}
    one = occurrence(
        regarding=about, reason="NodeNotReady", deprecatedSource=None, reportingController="node-controller"
    )
    assert (one.type, one.subject, one.labels["node"]) == ("kubernetes.event.NodeNotReady", "Node/n-7", "n-7")
    assert one.data["controller"] == "node-controller"


@pytest.mark.parametrize("metadata", [{}, {"uid": ""}, {"uid": 5}, None])
def test_one_without_a_name_of_its_own_is_none(metadata: object) -> None:
    with pytest.raises(PayloadError, match="has no uid"):
        occurrence(metadata=metadata)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=5), inner, max_size=2)),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*BACK_OFF, "series", "related", "action"]), JSON))
def test_no_object_breaks_the_reader(more: dict[str, Any]) -> None:
    try:
        one = read(lambda said: kubernetes_occurrence(said, cluster="prod"), {**BACK_OFF, **more})
    except PayloadError:
        return
    assert one.type.startswith("kubernetes.event.")
