"""AWS Health's word of scheduled changes to EC2 instances: one message, many instances, an event for each.

A message names all instances that share a piece of maintenance (`affectedEntities`), days before it begins. Which
region it is about stands in `detail.eventRegion`; the envelope's own may be another, because Health also sends every
event to a backup region. The same change is told again when it moves, begins and ends: its `eventArn` stays the same.

Source: the AWS Health guide, "Reference: AWS Health events Amazon EventBridge schema".
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from spotward.events.envelope import Envelope, Ignored
from spotward.events.reading import INSTANCE_ID, REGION, dated_seconds, iso_seconds
from spotward.model.event import MaintenanceEnded, MaintenanceScheduled

HEALTH = "AWS Health Event"

CLOSED = "closed"
RESOLVED = "RESOLVED"


def read_health(envelope: Envelope) -> tuple[MaintenanceScheduled | MaintenanceEnded | Ignored, ...]:
    """An event for each instance that it names. Raises PayloadError."""
    detail = envelope.detail
    if detail.get("service") != "EC2" or detail.get("eventTypeCategory") != "scheduledChange":
        return (Ignored(detail_type=HEALTH, reason="not about a scheduled change of EC2 instances"),)
    if REGION.fullmatch(str(detail.get("eventRegion"))):
        envelope = replace(envelope, fields={**envelope.fields, "region": detail["eventRegion"]})
    events = tuple(_events(envelope))
    return events or (Ignored(detail_type=HEALTH, reason="it names no instance"),)


def _events(envelope: Envelope) -> Iterator[MaintenanceScheduled | MaintenanceEnded]:
    closed = envelope.detail.get("statusCode") == CLOSED
    for entity in _entities(envelope):
        instance_id = entity.get("entityValue")
        if isinstance(instance_id, str) and INSTANCE_ID.fullmatch(instance_id):
            over = closed or entity.get("status") == RESOLVED
            yield _ended(envelope, instance_id) if over else _scheduled(envelope, instance_id)


def _entities(envelope: Envelope) -> list[Mapping[str, object]]:
    entities = envelope.detail.get("affectedEntities")
    if not isinstance(entities, list):
        raise envelope.wrong("detail.affectedEntities", entities, "a list")
    return [each for each in entities if isinstance(each, dict)]


def _scheduled(envelope: Envelope, instance_id: str) -> MaintenanceScheduled:
    return MaintenanceScheduled(
        time=envelope.time,
        region=envelope.region,
        instance_id=instance_id,
        event_id=envelope.text("eventArn"),
        code=envelope.text("eventTypeCode"),
        start_time=_start(envelope),
    )


def _ended(envelope: Envelope, instance_id: str) -> MaintenanceEnded:
    """Health does not say whether it took place or was called off."""
    return MaintenanceEnded(
        time=envelope.time,
        region=envelope.region,
        instance_id=instance_id,
        event_id=envelope.text("eventArn"),
        outcome="withdrawn",
    )


def _start(envelope: Envelope) -> float:
    """`Sat, 05 Jun 2016 15:10:09 GMT`; the day of the week is not looked at."""
    stated = envelope.detail.get("startTime")
    dated = stated.partition(", ")[2] if isinstance(stated, str) else None
    seconds = dated_seconds(dated)
    seconds = seconds if seconds is not None else iso_seconds(stated)
    if seconds is None:
        raise envelope.wrong("detail.startTime", stated, "a time such as Sat, 05 Jun 2027 15:10:09 GMT")
    return seconds
