"""Hollowtrees, both generations: their events from ours and ours from theirs.

They know alerts alone, and of an alert the labels alone. Plugins and engines of either generation so go on working.
"""

import json
from datetime import UTC, datetime

from spotward.plugins.sdk.call import Happening
from spotward.plugins.sdk.messages import json_in
from spotward.plugins.wire.hollowtrees_v1_pb2 import AlertEvent
from spotward.plugins.wire.hollowtrees_v2_pb2 import CloudEvent

OK = "ok"
"""What a plugin of either generation answers when it did its work, or when the event was none of its business."""


def first_message(event: Happening) -> AlertEvent:
    """For a plugin of the first generation: the labels are all the data that it gets."""
    message = AlertEvent(eventId=event.id, eventType=event.type, data=dict(event.labels))
    message.resource.resourceType, message.resource.resourceId = "prometheus.server", event.source
    return message


def first_value(message: AlertEvent) -> Happening:
    """From an engine of the first generation."""
    return Happening(
        id=message.eventId,
        source=message.resource.resourceId or message.resource.resourceType,
        type=message.eventType,
        data={"labels": dict(message.data)},
    )


def second_message(event: Happening) -> CloudEvent:
    """For a plugin of the second generation, with the data as that engine laid it out: the envelope, each label as a
    lower-case key unless the envelope has that name, and all labels as they were.
    """
    when = "" if event.time is None else _iso(event.time)
    envelope = {
        "specversion": "0.2",
        "type": event.type,
        "source": event.source,
        "id": event.id,
        "time": when,
        "schemaurl": "",
    }
    correlation = str(event.extensions.get("correlationid", event.id))
    rest = {"labels": dict(event.labels), "correlationid": correlation, "eventtype": "prometheus"}
    spread = {name.lower(): value for name, value in event.labels.items()}
    return CloudEvent(
        specversion="0.2",
        type=event.type,
        source=event.source,
        id=event.id,
        time=when,
        contenttype="application/cloudevents+json",
        data=json.dumps(spread | envelope | rest).encode(),
        extensions=dict(event.labels),
    )


def second_value(message: CloudEvent) -> Happening:
    """From an engine of the second generation. Raises Unreadable."""
    whole = json_in(message.data) if message.data else {}
    labels = whole.get("labels") if isinstance(whole, dict) else None
    return Happening(
        id=message.id,
        source=message.source,
        type=message.type,
        data={"labels": labels if isinstance(labels, dict) else dict(message.extensions)},
    )


def _iso(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat().replace("+00:00", "Z")
