"""Alerts as Prometheus sends them to an Alertmanager (its old and its present API), and as Alertmanager sends them to a
webhook.

The first two are a bare array, the third an object around one. An alert that is sent again, because it still fires, is
the same occurrence: it is named by its labels and the time at which it began. When it is over it is another one, of
another type (`….resolved`), so that nothing done about a fire is done again when the fire is out.

One alert that cannot be read does not cost the others.

Sources: prometheus/notifier, alertmanager/api/v2 openapi, "Webhook receiver" of Alertmanager's documentation.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from spotward.events.heard import Heard, heard
from spotward.events.reading import iso_seconds, json_value, kind, quoted
from spotward.model.errors import PayloadError
from spotward.model.occurrence import Occurrence, alert_type

NEXT_STEP = "send alerts as Prometheus or Alertmanager does"

UNKNOWN_SOURCE = "prometheus"
"""Where an alert names no place that it comes from."""


def read_alerts(text: str, *, now: float) -> Heard:
    """Alerts in either form. now: Unix seconds, to tell whether an alert's end has come.

    Raises PayloadError when it is neither form.
    """
    said = json_value(text, next_step=NEXT_STEP)
    if isinstance(said, list):
        return heard(said, lambda alert: _read(alert, {}, now), noun="alert")
    if isinstance(said, dict) and isinstance(said.get("alerts"), list):
        return heard(said["alerts"], lambda alert: _read(alert, said, now), noun="alert")
    raise PayloadError(f"this is {kind(said)} and no list of alerts; {NEXT_STEP}")


def _read(alert: object, around: Mapping[str, Any], now: float) -> Occurrence:
    if not isinstance(alert, dict):
        raise PayloadError(f"it is {kind(alert)}; {NEXT_STEP}")
    labels, annotations = _texts(alert, "labels"), _texts(alert, "annotations")
    name = labels.get("alertname", "")
    if not name:
        raise PayloadError("it has no label `alertname`; alerts of Prometheus always have one")
    began, end = _time(alert, "startsAt"), _time(alert, "endsAt")
    # Prometheus says when an alert that fires would end if it fell silent: a time to come.
    over = alert.get("status") == "resolved" if "status" in alert else end is not None and end <= now
    source = alert.get("generatorURL") or around.get("externalURL") or UNKNOWN_SOURCE
    if not isinstance(source, str):
        raise PayloadError(f"its generatorURL is {kind(source)}; {NEXT_STEP}")
    return Occurrence.of(
        id=_id(labels, began, end if over else None),
        source=source,
        type=alert_type(name, resolved=over),
        time=end if over else began,
        subject=labels.get("instance_id") or labels.get("instance") or None,
        data={
            "status": "resolved" if over else "firing",
            "labels": labels,
            "annotations": annotations,
            **{name: alert[name] for name in ("startsAt", "endsAt", "generatorURL") if name in alert},
            **{name: around[name] for name in ("receiver", "groupKey", "externalURL") if name in around},
        },
    )


def _texts(alert: Mapping[str, object], field: str) -> dict[str, str]:
    said = alert.get(field) or {}
    if not isinstance(said, dict):
        raise PayloadError(f"its {field} are {kind(said)}; {NEXT_STEP}")
    wrong = next((name for name, value in said.items() if not isinstance(value, str)), None)
    if wrong is not None:
        raise PayloadError(f"its {field} have {quoted(wrong)} as {kind(said[wrong])}; send texts")
    return said


def _time(alert: Mapping[str, object], field: str) -> float | None:
    """None where it is not said, which is also what the year 1 means."""
    said = alert.get(field)
    if said in (None, ""):
        return None
    seconds = iso_seconds(said)
    if seconds is None:
        raise PayloadError(f"its {field} is {quoted(str(said))}; send RFC 3339")
    return seconds if seconds > 0 else None


def _id(labels: Mapping[str, str], began: float | None, ended: float | None) -> str:
    """The same for the same alert, however often it is sent."""
    named = "\x00".join(f"{name}\x01{labels[name]}" for name in sorted(labels))
    text = f"{named}\x02{began}\x02{ended}"
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]
