"""The instances of the embedded cloud as a metadata service knows them, each behind an address of its own.

Here the same fate is told as over EventBridge and the API: what interrupts an instance in the virtual cloud stands in
its metadata at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Protocol

from spotward.emulator.imds.metadata import Host, Metadata, Standing
from spotward.emulator.imds.service import MetadataService
from spotward.events.imds import Machine
from spotward.http.values import Answer, Request
from spotward.model.event import MaintenanceScheduled
from spotward.sim.cloud import Cloud
from spotward.sim.inside import Inside


class Place(Protocol):
    """A region of the embedded cloud, as far as its instances are looked into."""

    @property
    def region(self) -> str:
        """`us-east-1`."""
        ...

    def look(self, at: Callable[[Cloud], Inside | None]) -> Inside | None:
        """What stands in the virtual cloud now."""
        ...


class CloudMachines:
    """Finds an instance in whichever region it is."""

    def __init__(self, places: Callable[[], Iterable[Place]]) -> None:
        """`places`: the regions that there are so far."""
        self._places = places

    def metadata(self, instance_id: str | None, *, time: float) -> Metadata | None:  # noqa: ARG002 - the cloud has a clock
        """How an instance stands now."""
        if instance_id is None:
            return None
        for place in self._places():
            inside = place.look(lambda cloud: cloud.inside(instance_id))
            if inside is not None:
                return _metadata(inside, place.region)
        return None


def _metadata(inside: Inside, region: str) -> Metadata:
    machine = Machine(
        instance_id=inside.id,
        region=region,
        az=inside.zone,
        instance_type=inside.instance_type,
        account=inside.account,
        image_id=inside.image_id,
        private_ip=inside.address,
        architecture=inside.architecture,
    )
    host = Host(
        machine=machine,
        life_cycle=inside.lifecycle,
        launch_time=inside.launch_time,
        tags=inside.tags,
        token_required=inside.token_required,
    )
    standing = Standing(
        action=inside.action,
        deadline_time=inside.action_time,
        advice_time=inside.advice_time,
        maintenance=tuple(_maintenance(inside, machine)),
        target_state=inside.target_state,
    )
    return Metadata(host=host, standing=standing)


def _maintenance(inside: Inside, machine: Machine) -> Iterable[tuple[MaintenanceScheduled, str]]:
    for each in inside.scheduled:
        event = MaintenanceScheduled(
            time=each.not_before,
            region=machine.region,
            instance_id=machine.instance_id,
            event_id=each.id,
            code=each.code,
            start_time=each.not_before,
            end_time=each.not_after,
            deadline_time=each.deadline,
            description=each.description,
        )
        yield event, each.state


class MetadataDesk:
    """The metadata of all instances at one place of an HTTP server: `<place>/i-…/latest/…`. Safe for threads."""

    def __init__(self, machines: CloudMachines, now: Callable[[], float]) -> None:
        """`now`: virtual time."""
        self._service = MetadataService(machines=machines)
        self._now = now
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Answer:
        """What the instance named first in the path would be told."""
        with self._lock:
            outcome = self._service.answer(request, time=self._now())
        assert isinstance(outcome.answer, Answer), "nothing is scripted to fail here"
        return outcome.answer
