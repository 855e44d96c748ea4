"""Scheduled maintenance: what EC2 is going to do to instances, announced, moved, withdrawn, done.

A *change* is announced for several instances at once and gives each of them a scheduled event, with a time not before
which it begins. When that has come, an instance is rebooted, stopped or just worked on. An event is over when its deed
is done, when the instance has left its host before (stopped or terminated), or when AWS takes it back; it is shown for
a week more, marked as such.

Sources: the EC2 user guide, "Scheduled events for your instances" and "Reschedule a scheduled event"; the EC2 API
reference, InstanceStatusEvent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from spotward.sim.health import Affected, Communication, Status, communicate
from spotward.sim.instances import ALIVE, SPOT, Instance, Instances
from spotward.sim.region import Region, when

REBOOTS = frozenset({"instance-reboot", "system-reboot"})
"""Events that their owner may move, up to a deadline, and after which the instance is still there."""

SHOWN_SECONDS = 7 * 86_400.0
"""How long an event that is over is still described."""

_WORDS = {
    "instance-reboot": "scheduled reboot",
    "system-reboot": "scheduled reboot",
    "system-maintenance": "scheduled maintenance",
    "instance-retirement": "The instance is running on degraded hardware",
    "instance-stop": "The instance is running on degraded hardware",
}

_MARKS = {"completed": "[Completed] ", "canceled": "[Canceled] "}

_STOPPED = ("Server.ScheduledStop", "Stopped due to a scheduled retirement")


@dataclass(slots=True, kw_only=True, eq=False)
class ScheduledEvent:
    """What is going to be done to one instance."""

    id: str
    instance: Instance
    change: Change
    not_before: float
    not_after: float
    deadline: float | None
    """Until when its owner may move it; None: it cannot be moved."""
    state: str = "active"
    """`active`, `completed` or `canceled`, in the words of the instance metadata service."""
    ended_time: float | None = None

    @property
    def code(self) -> str:
        """`instance-retirement`, say."""
        return self.change.code

    @property
    def description(self) -> str:
        """AWS marks what is over in the text."""
        return _MARKS.get(self.state, "") + _WORDS[self.code]

    def entry(self) -> dict[str, Any]:
        """As DescribeInstanceStatus lists it."""
        entry: dict[str, Any] = {
            "InstanceEventId": self.id,
            "Code": self.code,
            "Description": self.description,
            "NotBefore": when(self.not_before),
            "NotAfter": when(self.not_after),
        }
        return entry if self.deadline is None else {**entry, "NotBeforeDeadline": when(self.deadline)}


@dataclass(slots=True, kw_only=True, eq=False)
class Change:
    """One piece of maintenance, with everybody whom it concerns."""

    id: str
    code: str
    page_size: int
    events: list[ScheduledEvent] = field(default_factory=list)
    begun: bool = False


class Maintenance:
    """The scheduled events of one region."""

    def __init__(self, region: Region, instances: Instances) -> None:
        """Listens to the instances: who has left its host needs no maintenance."""
        self._region = region
        self._instances = instances
        self._by_instance: dict[str, list[ScheduledEvent]] = {}
        instances.listen(self._on_state)

    # -- what there is -----------------------------------------------------------------------------------------------

    def of(self, instance_id: str) -> list[ScheduledEvent]:
        """The instance's events that are still shown, those to come first."""
        oldest = self._region.now - SHOWN_SECONDS
        shown = [one for one in self._by_instance.get(instance_id, ()) if (one.ended_time or self._region.now) > oldest]
        return sorted(shown, key=lambda one: (one.state != "active", one.not_before, one.id))

    # -- announcing, moving, taking back -----------------------------------------------------------------------------

    def announce(
        self,
        chosen: Iterable[Instance],
        code: str,
        *,
        notice_seconds: float,
        lasts_seconds: float,
        page_size: int,
    ) -> list[str]:
        """One change for those of `chosen` that are alive; answers with their ids. Nobody: nothing is announced."""
        change = Change(id=self._region.new_short_id("change").removeprefix("change-"), code=code, page_size=page_size)
        begins = self._region.now + notice_seconds
        for instance in chosen:
            if instance.state in ALIVE:
                change.events.append(self._schedule(change, instance, begins, begins + lasts_seconds))
        if change.events:
            self._tell(change, "upcoming", f"EC2 has scheduled maintenance ({code}) for some of your instances.")
        return [event.instance.id for event in change.events]

    def _schedule(self, change: Change, instance: Instance, begins: float, ends: float) -> ScheduledEvent:
        event = ScheduledEvent(
            id=self._region.new_id("instance-event"),
            instance=instance,
            change=change,
            not_before=begins,
            not_after=ends,
            # A reboot may be put off by as long as its notice was, but not for ever.
            deadline=ends + (begins - self._region.now) if change.code in REBOOTS else None,
        )
        self._by_instance.setdefault(instance.id, []).append(event)
        self._region.at(begins, lambda: self._begin(event, begins))
        return event

    def move(self, event: ScheduledEvent, not_before: float) -> None:
        """Begin at another time; it lasts as long as before."""
        event.not_after += not_before - event.not_before
        event.not_before = not_before
        self._region.at(not_before, lambda: self._begin(event, not_before))
        self._tell(event.change, "upcoming", "The start time of scheduled maintenance has changed.")

    def withdraw(self, instance_ids: Collection[str]) -> list[str]:
        """AWS needs it no more: cancels the active events of those instances. Answers with the instances' ids."""
        found = [
            event
            for one, events in self._by_instance.items()
            for event in events
            if one in instance_ids and event.state == "active"
        ]
        for event in found:
            self._end(event, "canceled")
        for change in {event.change.id: event.change for event in found}.values():
            self._tell_end(change, "Scheduled maintenance has been canceled.")
        return [event.instance.id for event in found]

    # -- doing -------------------------------------------------------------------------------------------------------

    def _begin(self, event: ScheduledEvent, due: float) -> None:
        if event.state != "active" or event.not_before != due:
            return  # taken back or moved since
        if not event.change.begun:
            event.change.begun = True
            self._tell(event.change, "open", "Scheduled maintenance has begun.")
        if event.code in REBOOTS:
            self._instances.reboot(event.instance)
            self._region.after(self._region.timings.reboot_seconds, lambda: self._done(event))
        elif event.code == "system-maintenance":
            self._region.at(event.not_after, lambda: self._done(event))
        elif event.instance.lifecycle == SPOT or event.instance.order.image.get("RootDeviceType") == "instance-store":
            self._instances.terminate(event.instance, *_STOPPED)
        else:
            self._instances.stop(event.instance, *_STOPPED)

    def _on_state(self, instance: Instance, old: str) -> None:  # noqa: ARG002 - a listener hears both
        if instance.state in ("stopped", "terminated"):
            for event in self._by_instance.get(instance.id, ()):
                self._done(event)

    def rebooted(self, instance: Instance) -> None:
        """Its owner has rebooted it, which is all that an `instance-reboot` asks for."""
        for event in self._by_instance.get(instance.id, ()):
            if event.code == "instance-reboot":
                self._done(event)

    def _done(self, event: ScheduledEvent) -> None:
        if event.state == "active":
            self._end(event, "completed")
            self._tell_end(event.change, "Scheduled maintenance is completed.")

    def _end(self, event: ScheduledEvent, state: str) -> None:
        event.state, event.ended_time = state, self._region.now

    # -- telling -----------------------------------------------------------------------------------------------------

    def _tell_end(self, change: Change, words: str) -> None:
        """Health closes a change when the last of its instances is done."""
        if all(event.state != "active" for event in change.events):
            self._tell(change, "closed", words)

    def _tell(self, change: Change, status: Status, words: str) -> None:
        communicate(
            self._region,
            Communication(
                event_id=change.id,
                code=change.code,
                status=status,
                start_time=min(event.not_before for event in change.events),
                end_time=max(event.not_after for event in change.events),
                words=words,
                affected=[
                    Affected(instance=event.instance, is_over=event.state != "active") for event in change.events
                ],
                page_size=change.page_size,
            ),
        )
