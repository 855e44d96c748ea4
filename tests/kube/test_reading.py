"""API objects become values; what is no object is refused in words, and nothing crashes."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.kube import reading
from spotward.kube.reading import Reader
from spotward.model.cluster import Budget, Condition, Node, Pod, PodOwner, Requirement, Selector, Taint, Toleration
from spotward.model.errors import PayloadError

READERS: list[Reader[Any]] = [reading.node, reading.pod, reading.budget, reading.attachment, reading.claim]
METADATA = {"name": "web-1", "namespace": "shop", "uid": "u-1", "resourceVersion": "7"}


def test_a_node() -> None:
    said = {
        "metadata": {
            "name": "n-1",
            "uid": "u-1",
            "resourceVersion": "7",
            "labels": {"topology.kubernetes.io/zone": "us-east-1a"},
            "annotations": {"spotward.io/set": "{}", "kubectl/last-applied": "a whole manifest"},
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {
            "providerID": "aws:///us-east-1a/i-1",
            "unschedulable": True,
            "taints": [{"key": "k", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:01Z"}],
        },
        "status": {
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:02Z"}],
            "volumesInUse": ["kubernetes.io/csi/ebs.csi.aws.com^vol-1"],
            "nodeInfo": {"bootID": "b-1"},
        },
    }
    read = reading.node(said)
    assert read == Node(
        name="n-1",
        uid="u-1",
        provider_id="aws:///us-east-1a/i-1",
        unschedulable=True,
        taints=(Taint(key="k", effect="NoExecute"),),
        labels={"topology.kubernetes.io/zone": "us-east-1a"},
        annotations={"spotward.io/set": "{}"},
        conditions=(Condition(type="Ready", status="True", time=1767225602.0),),
        volumes_in_use=frozenset({"kubernetes.io/csi/ebs.csi.aws.com^vol-1"}),
        boot_id="b-1",
        creation_time=1767225600.0,
        version="7",
    )
    assert read.taints[0].added_time == 1767225601.0
    assert (read.instance_id, read.az, read.ready) == ("i-1", "us-east-1a", True)


@pytest.mark.parametrize(
    ("metadata", "instance"),
    [
        ({"annotations": {"csi.volume.kubernetes.io/nodeid": '{"ebs.csi.aws.com":"i-0123456789abcdef0"}'}}, "it"),
        ({"labels": {"alpha.eksctl.io/instance-id": "i-0123456789abcdef0"}}, "it"),
        ({"name": "i-0123456789abcdef0.eu-west-1.compute.internal"}, "it"),
        ({"name": "i-0123456789abcdef0"}, "it"),
        ({"name": "ip-10-0-0-1.eu-west-1.compute.internal"}, None),
        ({"name": "i-0123456789abcdef0-not"}, None),
        ({"annotations": {"csi.volume.kubernetes.io/nodeid": "no JSON"}}, None),
        ({"annotations": {"csi.volume.kubernetes.io/nodeid": '["a list"]'}}, None),
        ({"annotations": {"csi.volume.kubernetes.io/nodeid": '{"ebs.csi.aws.com": 7}'}}, None),
    ],
)
def test_a_node_without_a_provider_id_is_known_by_what_else_names_its_instance(
    metadata: dict[str, Any], instance: str | None
) -> None:
    read = reading.node({"metadata": {"name": "n-1", "uid": "u-1", **metadata}})
    assert read.instance_id == ("i-0123456789abcdef0" if instance else None)


def test_a_pod() -> None:
    said = {
        "metadata": {
            **METADATA,
            "annotations": {"kubernetes.io/config.mirror": "x", "karpenter.sh/do-not-disrupt": "true"},
            "ownerReferences": [
                {"kind": "Node", "name": "n-1", "uid": "u-8"},
                {"kind": "ReplicaSet", "name": "web", "uid": "u-9", "controller": True},
            ],
            "deletionTimestamp": "2026-01-01T00:00:30Z",
            "deletionGracePeriodSeconds": 30,
            "finalizers": ["f"],
        },
        "spec": {
            "nodeName": "n-1",
            "priority": 100,
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists", "tolerationSeconds": 300}],
            "volumes": [
                {"name": "a", "persistentVolumeClaim": {"claimName": "data"}},
                {"name": "b", "ephemeral": {"volumeClaimTemplate": {}}},
                {"name": "c", "emptyDir": {}},
            ],
        },
        "status": {"phase": "Running"},
    }
    assert reading.pod(said) == Pod(
        namespace="shop",
        name="web-1",
        uid="u-1",
        node="n-1",
        phase="Running",
        owner=PodOwner(kind="ReplicaSet", name="web", uid="u-9"),
        priority=100,
        grace_seconds=0.0,
        annotations={"karpenter.sh/do-not-disrupt": "true"},
        tolerations=(Toleration(operator="Exists", seconds=300.0),),
        mirror=True,
        claims=("data", "web-1-b"),
        empty_dir=True,
        finalizers=("f",),
        deletion_time=1767225630.0,
        deletion_grace_seconds=30.0,
        version="7",
    )


@pytest.mark.parametrize(
    ("selector", "read"),
    [
        (None, None),
        ({}, Selector()),
        (
            {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]},
            Selector(labels={"a": "b"}, requirements=(Requirement(key="k", operator="In", values=frozenset({"v"})),)),
        ),
    ],
)
def test_a_budget_and_whom_it_covers(selector: Any, read: Selector | None) -> None:
    said = {"metadata": {**METADATA, "generation": 2}, "spec": {"selector": selector, "minAvailable": "50%"}}
    assert reading.budget(said) == Budget(
        namespace="shop", name="web-1", uid="u-1", selector=read, min_available="50%", observed=False, version="7"
    )


def test_a_budget_that_its_controller_has_seen() -> None:
    status = {"observedGeneration": 2, "disruptionsAllowed": 1, "currentHealthy": 3, "desiredHealthy": 2}
    said = {
        "metadata": {**METADATA, "generation": 2},
        "spec": {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"},
        "status": status,
    }
    read = reading.budget(said)
    assert (read.observed, read.disruptions_allowed, read.max_unavailable) == (True, 1, "1")
    assert read.always_evict_unhealthy


def test_an_attachment_and_a_claim() -> None:
    source = {"source": {"persistentVolumeName": "pv-1"}, "nodeName": "n-1", "attacher": "ebs.csi.aws.com"}
    attached = reading.attachment({"metadata": METADATA, "spec": source, "status": {"attached": True}})
    assert (attached.node, attached.volume, attached.attached) == ("n-1", "pv-1", True)
    spec = {"volumeName": "pv-1", "accessModes": ["ReadWriteOnce"]}
    claim = reading.claim({"metadata": METADATA, "spec": spec})
    assert (claim.volume, claim.shared) == ("pv-1", False)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("missing", ["name", "uid"])
def test_what_has_no_name_or_no_uid_is_refused_in_words(reader: Reader[Any], missing: str) -> None:
    said = {"kind": "Thing", "metadata": {key: value for key, value in METADATA.items() if key != missing}}
    with pytest.raises(PayloadError, match=f"Thing.* has no metadata.{missing}"):
        reading.read(reader, said)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("spec", "status", "taints", "conditions", "tolerations", "volumes", "selector", "ownerReferences", "labels")
objects = st.fixed_dictionaries(
    {"metadata": st.just(METADATA) | anything},
    optional={
        name: anything | st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, anything))
        for name in ("spec", "status")
    },
)


@pytest.mark.parametrize("reader", READERS)
@given(said=objects)
def test_no_object_whatever_is_in_it_crashes_a_reader(reader: Reader[Any], said: dict[str, Any]) -> None:
    with contextlib.suppress(PayloadError):
        reading.read(reader, said)
