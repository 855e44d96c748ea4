"""Whatever somebody has in a file and means as events: its form is seen by what it looks like."""

from spotward.events.alertmanager import read_alerts
from spotward.events.cloudevents import read_batch, read_structured
from spotward.events.heard import Heard
from spotward.events.occurred import read_envelope
from spotward.events.reading import json_value, kind
from spotward.model.errors import PayloadError

NEXT_STEP = "give a CloudEvent, alerts as Prometheus or Alertmanager sends them, or an event of EventBridge, as JSON"


def read_any(text: str, *, now: float) -> Heard:
    """The events in a text of any form that the doors take. now: Unix seconds. Raises PayloadError."""
    said = json_value(text, next_step=NEXT_STEP)
    first = said[0] if isinstance(said, list) and said else said
    if not isinstance(first, dict):
        raise PayloadError(f"this is {kind(first)}; {NEXT_STEP}")
    if "specversion" in first:
        return read_batch(text) if isinstance(said, list) else Heard(occurrences=(read_structured(text),))
    if "labels" in first or "alerts" in first:
        return read_alerts(text, now=now)
    if "detail-type" in first and isinstance(said, dict):
        return Heard(occurrences=(read_envelope(text),))
    raise PayloadError(
        f"its form is not known: it has no `specversion`, `labels`, `alerts` or `detail-type`; {NEXT_STEP}"
    )
