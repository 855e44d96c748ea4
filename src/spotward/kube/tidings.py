"""Kubernetes Events (events.k8s.io/v1): what `kubectl describe` shows under a node or a pod, for an hour or so.

They are for people, and best effort: nothing is decided by them. The name is worked out from what is said, so that an
order that is repeated after a crash meets its own Event (409) and does not say everything twice.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from spotward.kube.client import Kube, refusal
from spotward.kube.resources import EVENTS
from spotward.model.node_action import Tiding

CONTROLLER = "spotward.io/spotward"
"""Who says it: `reportingController` wants a qualified name."""

ACTION = "Drain"
"""`action` may not be empty: what we were about."""

NOTE_CHARACTERS_MAX = 1024
"""The API refuses a longer note."""

NODES_NAMESPACE = "default"
"""Where Events about things without a namespace live."""


async def tell(
    kube: Kube, tiding: Tiding, *, key: str, time: float, instance: str, annotations: Mapping[str, str]
) -> None:
    """Write one Event. `key` is the wish that it belongs to, `instance` who of us speaks. Raises OutsideError."""
    namespace = tiding.namespace or NODES_NAMESPACE
    body = event_of(tiding, key=key, time=time, instance=instance, annotations=annotations)
    answer = await kube.answer("create", EVENTS, namespace=namespace, body=body)
    if answer.status >= 300 and answer.status != 409:
        raise refusal(answer, "create events", kube.cluster)


def event_of(tiding: Tiding, *, key: str, time: float, instance: str, annotations: Mapping[str, str]) -> dict[str, Any]:
    """The Event, as the API wants it."""
    about = {"kind": tiding.about, "name": tiding.name, "uid": tiding.uid, "apiVersion": "v1"}
    if tiding.namespace:
        about["namespace"] = tiding.namespace
    said = f"{key}\n{tiding.about}\n{tiding.uid}\n{tiding.reason}\n{tiding.text}"
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {
            "name": f"{tiding.name[:200]}.{hashlib.sha256(said.encode()).hexdigest()[:16]}",
            "namespace": tiding.namespace or NODES_NAMESPACE,
            "annotations": dict(annotations),
        },
        "eventTime": micro_time(time),
        "reportingController": CONTROLLER,
        "reportingInstance": instance[:128],
        "action": ACTION,
        "reason": tiding.reason[:128],
        "type": "Warning" if tiding.warning else "Normal",
        "note": tiding.text[:NOTE_CHARACTERS_MAX],
        "regarding": about,
    }


def micro_time(time: float) -> str:
    """Unix seconds → the API's MicroTime."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
