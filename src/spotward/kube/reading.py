"""API objects → the values of `model.cluster`.

An object is taken as the server sends it, a JSON mapping, and only what the value keeps is looked at. What an API
server never sends (a pod without a uid) raises PayloadError with the object's name, so that one strange object is set
aside and not mistaken for something else.

A field that is absent has the API's own default, not ours: those defaults are named where they matter.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from spotward.model.cluster import (
    GRACE_SECONDS_DEFAULT,
    MIRROR_ANNOTATION,
    Budget,
    Claim,
    Condition,
    Node,
    Pod,
    PodOwner,
    Requirement,
    Selector,
    Taint,
    Toleration,
    VolumeAttachment,
)
from spotward.model.errors import PayloadError

ANNOTATION_PREFIXES = ("spotward.io/", "karpenter.sh/", "cluster-autoscaler.kubernetes.io/")
"""Annotations that say who may do what to a node or a pod. The rest (whole manifests) would fill memory."""

DRIVERS_ANNOTATION = "csi.volume.kubernetes.io/nodeid"
"""A JSON object: driver → what it calls the node. The driver of EBS volumes calls it by its instance."""

EBS_DRIVER = "ebs.csi.aws.com"
EKSCTL_LABEL = "alpha.eksctl.io/instance-id"
ZONE_LABEL = "topology.kubernetes.io/zone"

INSTANCE = re.compile(r"i-[0-9a-f]{8,17}(?![^.])")
"""An instance id, alone or as the first part of a host name (`i-0123456789abcdef0.eu-west-1.compute.internal`)."""

Json = Mapping[str, Any]
T = TypeVar("T")
Reader = Callable[[Json], T]


def read(reader: Reader[T], said: Json) -> T:
    """Read it by that reader. Raises PayloadError, whatever is wrong with it."""
    try:
        return reader(said)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        what = f"{said.get('kind', 'an object')} {part(said, 'metadata').get('name', '')}".strip()
        raise PayloadError(f"{what} is of another form than the API's ({error!r})") from error


def node(said: Json) -> Node:
    """A Node."""
    with_meta, spec, status = part(said, "metadata"), part(said, "spec"), part(said, "status")
    return Node(
        name=name_of(said),
        uid=uid_of(said),
        provider_id=spec.get("providerID") or provider_id_told(with_meta),
        unschedulable=bool(spec.get("unschedulable")),
        taints=tuple(taint(item) for item in spec.get("taints") or ()),
        labels=dict(with_meta.get("labels") or {}),
        annotations=annotations(said),
        conditions=conditions(status),
        volumes_in_use=frozenset(status.get("volumesInUse") or ()),
        boot_id=part(status, "nodeInfo").get("bootID") or "",
        addresses=addresses(status),
        creation_time=time_of(with_meta.get("creationTimestamp")) or 0.0,
        deletion_time=time_of(with_meta.get("deletionTimestamp")),
        version=version_of(said),
    )


def provider_id_told(with_meta: Json) -> str:
    """Of a node without a provider id, as where no cloud controller runs: as its driver of EBS volumes, its maker
    (eksctl) or its own name tells the instance; empty if none does.
    """
    labels, notes = part(with_meta, "labels"), part(with_meta, "annotations")
    try:
        drivers = json.loads(notes.get(DRIVERS_ANNOTATION) or "{}")
    except ValueError:
        drivers = {}
    told = (part({"drivers": drivers}, "drivers").get(EBS_DRIVER), labels.get(EKSCTL_LABEL), with_meta.get("name"))
    found = next((match[0] for word in told if isinstance(word, str) and (match := INSTANCE.match(word))), None)
    return f"aws:///{labels.get(ZONE_LABEL, '')}/{found}" if found is not None else ""


def pod(said: Json) -> Pod:
    """A Pod."""
    with_meta, spec, status = part(said, "metadata"), part(said, "spec"), part(said, "status")
    volumes = spec.get("volumes") or ()
    grace = spec.get("terminationGracePeriodSeconds")
    deletion_grace = with_meta.get("deletionGracePeriodSeconds")
    return Pod(
        namespace=namespace_of(said),
        name=name_of(said),
        uid=uid_of(said),
        node=spec.get("nodeName") or None,
        phase=status.get("phase") or "Pending",
        owner=owner(with_meta),
        priority=int(spec.get("priority") or 0),
        grace_seconds=GRACE_SECONDS_DEFAULT if grace is None else float(grace),
        labels=dict(with_meta.get("labels") or {}),
        annotations=annotations(said),
        tolerations=tuple(toleration(item) for item in spec.get("tolerations") or ()),
        mirror=MIRROR_ANNOTATION in (with_meta.get("annotations") or {}),
        conditions=conditions(status),
        claims=claims_of(name_of(said), volumes),
        empty_dir=any("emptyDir" in volume for volume in volumes),
        host_path=any("hostPath" in volume for volume in volumes),
        finalizers=tuple(with_meta.get("finalizers") or ()),
        creation_time=time_of(with_meta.get("creationTimestamp")) or 0.0,
        deletion_time=time_of(with_meta.get("deletionTimestamp")),
        deletion_grace_seconds=None if deletion_grace is None else float(deletion_grace),
        version=version_of(said),
    )


def budget(said: Json) -> Budget:
    """A PodDisruptionBudget of policy/v1."""
    with_meta, spec, status = part(said, "metadata"), part(said, "spec"), part(said, "status")
    return Budget(
        namespace=namespace_of(said),
        name=name_of(said),
        uid=uid_of(said),
        selector=None if spec.get("selector") is None else selector(spec["selector"]),
        min_available=text_or_none(spec.get("minAvailable")),
        max_unavailable=text_or_none(spec.get("maxUnavailable")),
        always_evict_unhealthy=spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow",
        disruptions_allowed=int(status.get("disruptionsAllowed") or 0),
        current_healthy=int(status.get("currentHealthy") or 0),
        desired_healthy=int(status.get("desiredHealthy") or 0),
        expected_pods=int(status.get("expectedPods") or 0),
        observed=int(status.get("observedGeneration") or 0) >= int(with_meta.get("generation") or 0),
        version=version_of(said),
    )


def attachment(said: Json) -> VolumeAttachment:
    """A VolumeAttachment."""
    with_meta, spec, status = part(said, "metadata"), part(said, "spec"), part(said, "status")
    return VolumeAttachment(
        name=name_of(said),
        uid=uid_of(said),
        node=str(spec.get("nodeName") or ""),
        attacher=str(spec.get("attacher") or ""),
        volume=part(spec, "source").get("persistentVolumeName"),
        attached=bool(status.get("attached")),
        deletion_time=time_of(with_meta.get("deletionTimestamp")),
        version=version_of(said),
    )


def claim(said: Json) -> Claim:
    """A PersistentVolumeClaim."""
    spec = part(said, "spec")
    return Claim(
        namespace=namespace_of(said),
        name=name_of(said),
        uid=uid_of(said),
        volume=spec.get("volumeName") or None,
        access_modes=frozenset(spec.get("accessModes") or ()),
    )


def node_target_groups(said: Json) -> tuple[str, ...]:
    """ARNs of the target groups whose targets are nodes, of a list of TargetGroupBindings."""
    specs = [part(item, "spec") for item in said.get("items") or ()]
    found = {str(s["targetGroupARN"]) for s in specs if s.get("targetGroupARN") and s.get("targetType") != "ip"}
    return tuple(sorted(found))


# ---- parts of objects ----------------------------------------------------------------------------------------


def taint(said: Json) -> Taint:
    """One of `spec.taints`."""
    return Taint(
        key=str(said.get("key", "")),
        effect=str(said.get("effect", "")),
        value=said.get("value") or "",
        added_time=time_of(said.get("timeAdded")),
    )


def toleration(said: Json) -> Toleration:
    """One of `spec.tolerations`."""
    seconds = said.get("tolerationSeconds")
    return Toleration(
        key=said.get("key") or "",
        operator=said.get("operator") or "Equal",
        value=said.get("value") or "",
        effect=said.get("effect") or "",
        seconds=None if seconds is None else float(seconds),
    )


def selector(said: Json) -> Selector:
    """A LabelSelector."""
    return Selector(
        labels=dict(said.get("matchLabels") or {}),
        requirements=tuple(
            Requirement(key=item["key"], operator=item["operator"], values=frozenset(item.get("values") or ()))
            for item in said.get("matchExpressions") or ()
        ),
    )


def conditions(status: Json) -> tuple[Condition, ...]:
    """`status.conditions`."""
    return tuple(
        Condition(
            type=str(item.get("type", "")),
            status=str(item.get("status", "")),
            reason=item.get("reason") or "",
            time=time_of(item.get("lastTransitionTime")),
        )
        for item in status.get("conditions") or ()
    )


def addresses(status: Json) -> tuple[tuple[str, str], ...]:
    """`status.addresses` of a node, the first of each kind."""
    found: dict[str, str] = {}
    for item in status.get("addresses") or ():
        found.setdefault(str(item.get("type", "")), str(item.get("address", "")))
    return tuple(found.items())


def owner(with_meta: Json) -> PodOwner | None:
    """The one owner that controls it."""
    for item in with_meta.get("ownerReferences") or ():
        if item.get("controller"):
            return PodOwner(kind=item["kind"], name=item["name"], uid=item["uid"])
    return None


def claims_of(pod_name: str, volumes: Any) -> tuple[str, ...]:
    """The claims behind a pod's volumes; one that is made for the pod alone is named `<pod>-<volume>`."""
    named = [v["persistentVolumeClaim"]["claimName"] for v in volumes if v.get("persistentVolumeClaim")]
    return (*named, *(f"{pod_name}-{v['name']}" for v in volumes if v.get("ephemeral")))


def annotations(said: Json) -> dict[str, str]:
    """Those that we keep."""
    every = part(said, "metadata").get("annotations") or {}
    return {key: value for key, value in every.items() if key.startswith(ANNOTATION_PREFIXES)}


def name_of(said: Json) -> str:
    """`metadata.name`. Raises PayloadError."""
    return required(said, "name")


def uid_of(said: Json) -> str:
    """`metadata.uid`. Raises PayloadError."""
    return required(said, "uid")


def namespace_of(said: Json) -> str:
    """`metadata.namespace`. Raises PayloadError."""
    return required(said, "namespace")


def version_of(said: Json) -> str:
    """`metadata.resourceVersion`."""
    return str(part(said, "metadata").get("resourceVersion") or "")


def required(said: Json, field: str) -> str:
    """A field of the metadata without which nothing can be said about the object. Raises PayloadError."""
    value = part(said, "metadata").get(field)
    if not isinstance(value, str) or not value:
        what = f"{said.get('kind', 'an object')} {part(said, 'metadata').get('name', '')}".strip()
        raise PayloadError(f"{what} has no metadata.{field}; look at it with `kubectl get -o yaml`")
    return value


def part(said: Json, field: str) -> Json:
    """A mapping within; an empty one if it is absent."""
    value = said.get(field)
    return value if isinstance(value, Mapping) else {}


def text_or_none(value: object) -> str | None:
    """An int-or-string, as text."""
    return None if value is None else str(value)


def time_of(said: object) -> float | None:
    """RFC 3339 → Unix seconds. Raises PayloadError for a text that is no time."""
    if said is None:
        return None
    try:
        return datetime.fromisoformat(str(said)).timestamp()
    except (OverflowError, ValueError):
        raise PayloadError(f"{said!r} is no RFC 3339 time") from None
