"""An Event of Kubernetes (events.k8s.io/v1) as an occurrence, for rules: `kubernetes.event.BackOff` and its like.

Whatever is repeated under the same name is one occurrence: the cluster counts it up in the same object, and rules act
on it once, unless they say `repeat`.
"""

from collections.abc import Mapping
from typing import Any

from spotward.events.reading import iso_seconds, quoted
from spotward.model.errors import PayloadError
from spotward.model.occurrence import Occurrence

TYPE = "kubernetes.event."
"""What the type begins with; the Event's reason follows."""

NO_REASON = "Unknown"


def kubernetes_occurrence(said: Mapping[str, Any], *, cluster: str) -> Occurrence:
    """cluster: its name, for the source. Raises PayloadError, KeyError or TypeError for what is no Event."""
    about, metadata = _mapping(said.get("regarding")), _mapping(said.get("metadata"))
    uid, reason = metadata.get("uid"), str(said.get("reason") or NO_REASON)
    if not isinstance(uid, str) or not uid:
        raise PayloadError(f"the Event {quoted(metadata.get('name'))} has no uid")
    kind, name, namespace = (str(about.get(each) or "") for each in ("kind", "name", "namespace"))
    labels = {
        "reason": reason,
        "type": str(said.get("type") or ""),
        "kind": kind,
        "name": name,
        "namespace": namespace,
        "node": name if kind == "Node" else str(_mapping(said.get("deprecatedSource")).get("host") or ""),
    }
    return Occurrence.of(
        id=uid,
        source=f"/kubernetes/{cluster}",
        type=f"{TYPE}{reason}",
        subject="/".join(each for each in (kind, namespace, name) if each) or None,
        time=last_time(said),
        data={
            "labels": {label: text for label, text in labels.items() if text},
            "note": str(said.get("note") or ""),
            "action": str(said.get("action") or ""),
            "regarding": dict(about),
            "related": dict(_mapping(said.get("related"))) or None,
            "controller": speaker(said),
            "count": _count(said),
        },
    )


def last_time(said: Mapping[str, Any]) -> float | None:
    """When it was last so: of a series its last time; Unix seconds."""
    series = _mapping(said.get("series"))
    stated = (
        series.get("lastObservedTime"),
        said.get("deprecatedLastTimestamp"),
        said.get("eventTime"),
        said.get("deprecatedFirstTimestamp"),
        _mapping(said.get("metadata")).get("creationTimestamp"),
    )
    return next((seconds for each in stated if (seconds := iso_seconds(each)) is not None), None)


def speaker(said: Mapping[str, Any]) -> str:
    """Who says it."""
    return str(said.get("reportingController") or _mapping(said.get("deprecatedSource")).get("component") or "")


def _count(said: Mapping[str, Any]) -> int:
    count = _mapping(said.get("series")).get("count") or said.get("deprecatedCount") or 1
    return count if isinstance(count, int) else 1


def _mapping(said: Any) -> Mapping[str, Any]:
    return said if isinstance(said, Mapping) else {}
