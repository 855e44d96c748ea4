"""Any event of EventBridge as an occurrence, so that rules can take those that nothing else of ours takes.

`EC2 Spot Instance Interruption Warning` of `aws.ec2` becomes `aws.ec2.spot-instance-interruption-warning`: the source,
then the detail type in lower case with dashes, without the service's name where it repeats the source.
"""

import re
from collections.abc import Mapping

from spotward.events.reading import iso_seconds, json_value, kind
from spotward.model.errors import PayloadError
from spotward.model.occurrence import Occurrence

NEXT_STEP = "send the event as EventBridge writes it (a target with no input transformer)"

_APART = re.compile(r"[^a-z0-9]+")


def read_envelope(text: str) -> Occurrence:
    """The occurrence in an envelope. Raises PayloadError."""
    said = json_value(text, next_step=NEXT_STEP)
    if not isinstance(said, dict):
        raise PayloadError(f"this is {kind(said)}; {NEXT_STEP}")
    return envelope_occurrence(said)


def envelope_occurrence(envelope: Mapping[str, object]) -> Occurrence:
    """The occurrence in an envelope that was read. Raises PayloadError."""
    source, detail_type = _text(envelope, "source"), _text(envelope, "detail-type")
    detail = envelope.get("detail")
    if not isinstance(detail, dict):
        raise PayloadError(f"its detail is {kind(detail)}; {NEXT_STEP}")
    instance = detail.get("instance-id") or detail.get("EC2InstanceId")
    return Occurrence.of(
        id=_text(envelope, "id"),
        source=f"{source}/{envelope.get('account', '')}/{envelope.get('region', '')}",
        type=type_of(source, detail_type),
        time=iso_seconds(envelope.get("time")),
        subject=instance if isinstance(instance, str) else None,
        data={
            "detail-type": detail_type,
            "account": envelope.get("account"),
            "region": envelope.get("region"),
            "resources": envelope.get("resources"),
            "labels": {"instance_id": instance} if isinstance(instance, str) else {},
            "detail": detail,
        },
    )


def type_of(source: str, detail_type: str) -> str:
    """`aws.ec2.spot-instance-interruption-warning`"""
    words = [each for each in _APART.split(detail_type.lower()) if each]
    service = source.rpartition(".")[2].lower()
    if len(words) > 1 and words[0] == service:
        words = words[1:]
    return f"{source}.{'-'.join(words)}"


def _text(envelope: Mapping[str, object], field: str) -> str:
    value = envelope.get(field)
    if not isinstance(value, str) or not value:
        raise PayloadError(f"its {field} is {kind(value)}; {NEXT_STEP}")
    return value
