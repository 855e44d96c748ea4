"""How a group learns that a member is not well.

A group does not look all the time: whatever can make a member ill (its machine dies, its application falls silent, it
reboots) says when the group will have noticed, and the member is looked at then. EC2's word counts always, that of load
balancers only in groups that take it, and not within the grace period.
"""

from __future__ import annotations

from collections.abc import Callable

from spotward.sim.groups import COUNTED, Group, Member
from spotward.sim.region import Region
from spotward.sim.targets import Targets

Judged = Callable[[Group, Member, str | None], None]
"""Told what ails a member, in the words of an activity's cause."""


class HealthChecks:
    """The health checks of every group of the region."""

    def __init__(self, region: Region, targets: Targets, judged: Judged) -> None:
        """`judged` is told of the ill."""
        self._region = region
        self._targets = targets
        self._judged = judged

    def machine_failed(self, group: Group, member: Member) -> None:
        """EC2 has stopped or terminated it: the group will have noticed some time later."""
        self._look_later(group, member, self._region.timings.health_check_seconds)

    def application_failed(self, group: Group, member: Member) -> None:
        """Its load balancers' checks will fall: the group, if it listens to them, will notice."""
        for arn in group.target_groups:
            seconds = self._targets.failure_noticed_seconds(arn, member.instance)
            if seconds is not None:
                self._look_later(group, member, seconds + self._region.timings.health_check_seconds)

    def look(self, group: Group, member: Member) -> None:
        """One health check; suspended health checks see nothing."""
        if not group.runs("HealthCheck") or member.state not in COUNTED or member.unhealthy:
            return
        ailment = self._ailment(group, member)
        if ailment is not None:
            self._judged(group, member, ailment)

    def _look_later(self, group: Group, member: Member, seconds: float) -> None:
        self._region.after(seconds, lambda: self.look(group, member))

    def _ailment(self, group: Group, member: Member) -> str | None:
        if member.instance.state not in ("pending", "running"):
            return "an EC2 health check indicating it has been terminated or stopped."
        if not group.checks_load_balancer or member.in_service_time is None:
            return None
        if not any(self._targets.state(arn, member.instance) == "unhealthy" for arn in group.target_groups):
            return None
        grace_left = member.in_service_time + group.grace_seconds - self._region.now
        if grace_left > 0:
            self._look_later(group, member, grace_left)
            return None
        return "an ELB system health check failure."
