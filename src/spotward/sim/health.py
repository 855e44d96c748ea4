"""AWS Health's word of scheduled changes, on EventBridge.

One event of Health names all instances that share a piece of maintenance. It is told when the maintenance is announced,
when it begins, when it moves, and when it is over or withdrawn, each time as one communication; a communication that
is too long for one message comes in several, which share all but the list of what is affected.

Sources: the AWS Health guide, "Reference: AWS Health events Amazon EventBridge schema" and "Viewing paginated lists of
AWS Health events on EventBridge". The guide gives no list of type codes; those below are the ones that users see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from spotward.sim.instances import Instance
from spotward.sim.region import Region

Status = Literal["upcoming", "open", "closed"]

TYPE_CODES = {
    "instance-reboot": "AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED",
    "system-reboot": "AWS_EC2_SYSTEM_REBOOT_MAINTENANCE_SCHEDULED",
    "system-maintenance": "AWS_EC2_INSTANCE_NETWORK_MAINTENANCE_SCHEDULED",
    "instance-retirement": "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED",
    "instance-stop": "AWS_EC2_INSTANCE_STOP_SCHEDULED",
}
"""EC2's code of a scheduled event -> Health's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """One instance that the change concerns."""

    instance: Instance
    is_over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Communication:
    """What Health says at one moment."""

    event_id: str
    """The same for all communications about one change."""
    code: str
    """EC2's, `instance-retirement` say."""
    status: Status
    start_time: float
    end_time: float
    words: str
    affected: Sequence[Affected]
    page_size: int
    """How many instances one message names."""


def communicate(region: Region, said: Communication) -> None:
    """Put it on the bus, page by page."""
    communication = region.new_uuid("communication").replace("-", "")
    pages = _pages(said.affected, said.page_size)
    for number, page in enumerate(pages, start=1):
        region.emit(
            source="aws.health",
            detail_type="AWS Health Event",
            resources=[one.instance.id for one in page],
            detail={
                **_common(region, said),
                # The number of the page is a part of it, also when there is only one.
                "communicationId": f"{communication}-{number}",
                "affectedEntities": [_entity(region, one) for one in page],
                "page": str(number),
                "totalPages": str(len(pages)),
            },
        )


def _common(region: Region, said: Communication) -> dict[str, Any]:
    type_code = TYPE_CODES[said.code]
    return {
        "eventArn": f"arn:{region.partition}:health:{region.name}::event/EC2/{type_code}/{type_code}_{said.event_id}",
        "service": "EC2",
        "eventTypeCode": type_code,
        "eventTypeCategory": "scheduledChange",
        "eventScopeCode": "ACCOUNT_SPECIFIC",
        "startTime": health_time(said.start_time),
        "endTime": health_time(said.end_time),
        "lastUpdatedTime": health_time(region.now),
        "statusCode": said.status,
        "eventRegion": region.name,
        "eventDescription": [{"language": "en_US", "latestDescription": said.words}],
        "affectedAccount": region.account,
    }


def _entity(region: Region, one: Affected) -> dict[str, Any]:
    return {
        "entityValue": one.instance.id,
        "lastUpdatedTime": health_time(region.now),
        "status": "RESOLVED" if one.is_over else "PENDING",
        **({"tags": dict(one.instance.tags)} if one.instance.tags else {}),
    }


def health_time(time: float) -> str:
    """`Sat, 05 Jun 2016 15:10:09 GMT`, as Health writes it."""
    return datetime.fromtimestamp(int(time), UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


def _pages(affected: Sequence[Affected], size: int) -> list[Sequence[Affected]]:
    return [affected[place : place + size] for place in range(0, len(affected), size)]
