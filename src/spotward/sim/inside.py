"""What an instance is told of itself: what its metadata service has to say.

The same facts as the API's, as one value at one moment, seen from within the machine. An instance that does not run has
nobody to ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from spotward.sim.groups import LEAVING, LifecycleState
from spotward.sim.instances import Instances
from spotward.sim.maintenance import Maintenance
from spotward.sim.membership import Membership
from spotward.sim.region import Region

RUNS = frozenset({"running", "shutting-down", "stopping"})
"""The states in which the machine's own software works, or still does."""

_STANDING_BY = frozenset({LifecycleState.ENTERING_STANDBY, LifecycleState.STANDBY})


@dataclass(frozen=True, kw_only=True, slots=True)
class Scheduled:
    """One entry of the scheduled events. Times are Unix seconds."""

    id: str
    code: str
    state: str
    description: str
    not_before: float
    not_after: float
    deadline: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Inside:
    """One instance, seen from within. Times are Unix seconds."""

    id: str
    instance_type: str
    zone: str
    account: str
    image_id: str
    architecture: str
    address: str
    lifecycle: str
    launch_time: float
    token_required: bool
    tags: Mapping[str, str] = field(default_factory=dict)
    """Empty unless the instance lets its metadata tell its tags."""
    action: str | None = None
    """What EC2 has said that it will do."""
    action_time: float | None = None
    """And when."""
    advice_time: float | None = None
    """When EC2 advised to move away."""
    scheduled: tuple[Scheduled, ...] = ()
    target_state: str | None = None
    """To which state its group takes it; None: it is in no group."""


class Windows:
    """Looks into the instances of one region."""

    def __init__(self, region: Region, instances: Instances, membership: Membership, maintenance: Maintenance) -> None:
        """Changes nothing."""
        self._region = region
        self._instances = instances
        self._membership = membership
        self._maintenance = maintenance

    def inside(self, instance_id: str) -> Inside | None:
        """As it is now; None when there is no such instance, or it does not run."""
        instance = self._instances.by_id.get(instance_id)
        if instance is None or instance.state not in RUNS:
            return None
        options = instance.order.parameters.get("MetadataOptions") or {}
        warned, advised = instance.warning_time, instance.rebalance_time
        return Inside(
            id=instance.id,
            instance_type=instance.order.instance_type,
            zone=instance.order.zone,
            account=self._region.account,
            image_id=str(instance.order.image["ImageId"]),
            architecture=instance.order.architecture,
            address=instance.address,
            lifecycle=instance.lifecycle,
            launch_time=instance.launch_time,
            token_required=options.get("HttpTokens") == "required",
            tags=dict(instance.tags) if options.get("InstanceMetadataTags") == "enabled" else {},
            action=None if warned is None else "terminate",
            action_time=None if warned is None else warned + self._region.timings.interruption_warning_seconds,
            advice_time=advised if advised is not None and advised <= self._region.now else None,
            scheduled=self._scheduled(instance_id),
            target_state=self._target_state(instance_id),
        )

    def _scheduled(self, instance_id: str) -> tuple[Scheduled, ...]:
        return tuple(
            Scheduled(
                id=event.id,
                code=event.code,
                state=event.state,
                description=event.description,
                not_before=event.not_before,
                not_after=event.not_after,
                deadline=event.deadline,
            )
            for event in self._maintenance.of(instance_id)
        )

    def _target_state(self, instance_id: str) -> str | None:
        known = self._membership.of(instance_id)
        if known is None:
            return None
        state = known[1].state
        if state in LEAVING:
            return "Terminated"
        if state in _STANDING_BY:
            return "Standby"
        return "Detached" if state is LifecycleState.DETACHING else "InService"
