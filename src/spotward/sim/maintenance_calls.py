"""EC2's calls about the state of instances: their checks, what is scheduled for them, and reboots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from spotward.sim.answers import Answer, Operation, Params, Values, page, paged, sieve
from spotward.sim.errors import ApiError
from spotward.sim.finding import Finding
from spotward.sim.instance_calls import INSTANCES_PAGE_MAX
from spotward.sim.instances import STATE_CODES, Instance, Instances
from spotward.sim.maintenance import Maintenance, ScheduledEvent
from spotward.sim.region import Region, when

MOVED_AHEAD_SECONDS = 3600.0
"""A scheduled event is moved to an hour from now at the earliest."""

BEGINS_SOON_SECONDS = 300.0
"""One that begins so soon is moved no more."""


class MaintenanceCalls:
    """The calls for one region."""

    def __init__(self, region: Region, instances: Instances, finding: Finding, maintenance: Maintenance) -> None:
        """Reads and changes `instances`."""
        self._region = region
        self._instances = instances
        self._finding = finding
        self._maintenance = maintenance

    def operations(self) -> dict[str, Operation]:
        """What this part answers."""
        return {
            "ec2.DescribeInstanceStatus": self.describe_status,
            "ec2.ModifyInstanceEventStartTime": self.move_event,
            "ec2.RebootInstances": self.reboot,
        }

    # -- describing --------------------------------------------------------------------------------------------------

    def describe_status(self, params: Params) -> Answer:
        """DescribeInstanceStatus: of running instances, or of all with IncludeAllInstances."""
        every = params.get("IncludeAllInstances")
        filters = list(params.get("Filters") or ())
        of_events = [one for one in filters if str(one.get("Name", "")).startswith("event.")]
        rest = {**params, "Filters": [one for one in filters if one not in of_events]}
        wanted = sieve(of_events, self._event_filter)
        found = (one for one in self._finding.found(rest) if (every or one.state == "running") and wanted(one))
        size = INSTANCES_PAGE_MAX if params.get("MaxResults") else None
        shown, token = page(found, params, key=lambda instance: instance.number, size=size)
        return paged("InstanceStatuses", [self._status(instance) for instance in shown], token)

    def _event_filter(self, name: str) -> Values[Instance] | None:
        look = _EVENT_FILTERS.get(name)
        return None if look is None else lambda instance: [look(one) for one in self._maintenance.of(instance.id)]

    def _status(self, instance: Instance) -> dict[str, Any]:
        checks = _checks(instance, self._region.now)
        events = [event.entry() for event in self._maintenance.of(instance.id)]
        return {
            "AvailabilityZone": instance.order.zone,
            **({"Events": events} if events else {}),
            "InstanceId": instance.id,
            "InstanceState": {"Code": STATE_CODES[instance.state], "Name": instance.state},
            "InstanceStatus": checks,
            "SystemStatus": checks,
        }

    # -- changing ----------------------------------------------------------------------------------------------------

    def move_event(self, params: Params) -> Answer:
        """ModifyInstanceEventStartTime: an event that has a deadline, before it begins, up to that deadline."""
        (instance,) = self._finding.named([params["InstanceId"]])
        event = next((one for one in self._maintenance.of(instance.id) if one.id == params["InstanceEventId"]), None)
        if event is None or event.state != "active":
            raise ApiError(
                "InvalidInstanceEventIDNotFound", f"The event ID '{params['InstanceEventId']}' is not available"
            )
        self._maintenance.move(event, self._new_start(event, _seconds(params["NotBefore"])))
        return {"Event": event.entry()}

    def _new_start(self, event: ScheduledEvent, asked: float) -> float:
        now = self._region.now
        if event.deadline is None or event.not_before <= now + BEGINS_SOON_SECONDS:
            raise ApiError("UnsupportedOperation", f"The event {event.id} can't be rescheduled.")
        if not now + MOVED_AHEAD_SECONDS <= asked <= event.deadline:
            raise ApiError(
                "InvalidInstanceEventStartTime",
                "The new start time must be at least 60 minutes from now and not after the event's deadline.",
            )
        return asked

    def reboot(self, params: Params) -> Answer:
        """RebootInstances; those that are terminated notice nothing."""
        chosen = self._finding.named(params["InstanceIds"])
        for instance in chosen:
            if instance.state in ("stopping", "stopped", "pending"):
                raise ApiError(
                    "IncorrectInstanceState",
                    f"The instance '{instance.id}' is not in a state from which it can be rebooted.",
                )
        for instance in chosen:
            if instance.state == "running":
                self._instances.reboot(instance)
                self._maintenance.rebooted(instance)
        return {}


def _checks(instance: Instance, now: float) -> dict[str, Any]:
    if instance.state != "running":
        return {"Status": "not-applicable"}
    booting = instance.back_time is not None and now < instance.back_time
    status, reachable = ("initializing", "initializing") if booting else ("ok", "passed")
    return {"Status": status, "Details": [{"Name": "reachability", "Status": reachable}]}


def _seconds(moment: object) -> float:
    """Unix seconds of what boto3 takes for a time."""
    read = moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment))
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def _stamped(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


_EVENT_FILTERS: Mapping[str, Callable[[ScheduledEvent], str]] = {
    "event.code": lambda one: one.code,
    "event.description": lambda one: one.description,
    "event.instance-event-id": lambda one: one.id,
    "event.not-after": lambda one: _stamped(when(one.not_after)),
    "event.not-before": lambda one: _stamped(when(one.not_before)),
    "event.not-before-deadline": lambda one: "" if one.deadline is None else _stamped(when(one.deadline)),
}
