"""Joining, serving and leaving a group: the steps of one member's life, each with its activity, tags and targets.

Nothing here decides; the keeper and the API's calls do. When a step takes time, its end is put on the agenda and asks
again whether the member is still where the step left it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from spotward.sim.activities import ACTIVITIES_KEPT, Activity, Failure, Kind, finish
from spotward.sim.groups import COUNTED, LEAVING, Group, LifecycleState, Member
from spotward.sim.health_checks import HealthChecks
from spotward.sim.hooks import LAUNCHING, TERMINATING
from spotward.sim.instances import ALIVE, GROUP_TAG, Instance, Instances
from spotward.sim.launcher import Launcher
from spotward.sim.meter import Meter
from spotward.sim.pauses import Pauses
from spotward.sim.purchasing import Purchase, instance_tags
from spotward.sim.region import Region, stamp
from spotward.sim.targets import Targets

Changed = Callable[[Group], None]
"""Told when a group has lost or gained something, so that it may act on it."""


class Membership:
    """The members of every group of the region."""

    def __init__(
        self,
        *,
        region: Region,
        instances: Instances,
        launcher: Launcher,
        targets: Targets,
        meter: Meter,
        pauses: Pauses,
    ) -> None:
        """Listens to the instances: make it after the meter, which must hear of them first."""
        self._region = region
        self._instances = instances
        self._launcher = launcher
        self._targets = targets
        self._meter = meter
        self._pauses = pauses
        self._checks = HealthChecks(region, targets, self.set_health)
        self._of: dict[str, tuple[Group, Member]] = {}
        self._changed: Changed = lambda _: None
        instances.listen(self._on_state)

    def on_change(self, changed: Changed) -> None:
        """Who is to act on changes."""
        self._changed = changed

    def of(self, instance_id: str) -> tuple[Group, Member] | None:
        """The group and member that an instance is."""
        return self._of.get(instance_id)

    def every(self) -> Iterator[tuple[Group, Member]]:
        """All members of all groups, in the order in which they joined."""
        return iter(self._of.values())

    # -- joining -----------------------------------------------------------------------------------------------------

    def launch(self, group: Group, purchase: Purchase, cause: str) -> Member | None:
        """Launch one instance into the group. None when the last place has just gone."""
        born, _ = self._launcher.launch(purchase.order, 1)
        if not born:
            return None
        member = Member(
            instance=born[0],
            state=LifecycleState.PENDING,
            source=purchase.source,
            weight=purchase.weight,
            protected=bool(group.settings.get("NewInstancesProtectedFromScaleIn")),
        )
        member.activity = self.note(group, member, "launch", f"Launching a new EC2 instance: {member.id}", cause)
        self._join(group, member)
        return member

    def attach(self, group: Group, instance: Instance, cause: str) -> Member:
        """Make a running instance a member."""
        member = Member(instance=instance, state=LifecycleState.PENDING, source={}, attached=True)
        words = f"Attaching an existing EC2 instance: {instance.id}"
        member.activity = self.note(group, member, "attach", words, cause)
        self._instances.tag(instance, instance_tags(group))
        self._join(group, member)
        self._meter.moved(instance)
        self._serve_after(group, member, self._region.timings.attach_seconds)
        return member

    def _join(self, group: Group, member: Member) -> None:
        group.members[member.id] = member
        self._of[member.id] = (group, member)
        group.touch()  # who is Pending changes no count

    def _serve_after(self, group: Group, member: Member, seconds: float) -> None:
        self._region.after(seconds, lambda: self._enter_service(group, member))

    def _booted(self, group: Group, member: Member) -> None:
        """The machine runs: a member that the group has just launched is held by its launch hooks, then it serves."""
        is_new = not member.attached and member.in_service_time is None
        held = is_new and self._pauses.begin(group, member, LAUNCHING, lambda why: self._prepared(group, member, why))
        if not held:
            self._serve_after(group, member, self._region.timings.in_service_seconds)

    def _prepared(self, group: Group, member: Member, abandoned: str | None) -> None:
        """Its launch hooks are done with it, or one has abandoned it: then it is terminated, and its place is empty."""
        if abandoned is None:
            member.state = LifecycleState.PENDING_PROCEED
            if member.activity is not None:
                member.activity.status = "InProgress"
            group.touch()
            self._serve_after(group, member, self._region.timings.in_service_seconds)
            return
        problem = f"Instance failed to complete user's Lifecycle Action: {abandoned}"
        if member.activity is not None:
            member.activity.description += f".  Status Reason: {problem}"
        self._end_activity(member, problem=problem, failure="Cancelled")
        now = stamp(self._region.now)
        self.retire(group, member, f"At {now} instance {member.id} was taken out of service: {problem}.")

    def _enter_service(self, group: Group, member: Member) -> None:
        """The end of Pending."""
        coming = member.state in (LifecycleState.PENDING, LifecycleState.PENDING_PROCEED)
        if not coming or member.instance.state != "running":
            return
        if group.runs("AddToLoadBalancer"):
            for arn in group.target_groups:
                self._targets.register(arn, member.instance)
        member.state = LifecycleState.IN_SERVICE
        member.in_service_time = self._region.now
        self._end_activity(member)
        self._moved(group, member)

    # -- Standby -----------------------------------------------------------------------------------------------------

    def enter_standby(self, group: Group, member: Member, cause: str) -> Activity:
        """Take a member out of service without taking it out of the group."""
        words = f"Moving EC2 instance to Standby: {member.id}"
        return self._set_aside(group, member, LifecycleState.ENTERING_STANDBY, "standby", words, cause)

    def exit_standby(self, group: Group, member: Member, cause: str) -> Activity:
        """Put a member back into service."""
        words = f"Moving EC2 instance out of Standby: {member.id}"
        activity = member.activity = self.note(group, member, "standby", words, cause)
        member.state = LifecycleState.PENDING
        self._serve_after(group, member, self._region.timings.attach_seconds)
        self._moved(group, member)
        return activity

    # -- leaving -----------------------------------------------------------------------------------------------------

    def detach(self, group: Group, member: Member, cause: str) -> Activity:
        """Let an instance go and run on alone."""
        words = f"Detaching EC2 instance: {member.id}"
        return self._set_aside(group, member, LifecycleState.DETACHING, "detach", words, cause)

    def retire(self, group: Group, member: Member, cause: str) -> Activity:
        """Take a member out of service, let its load balancers and its terminating hooks have it, and terminate it."""
        self._pauses.forget(member)
        self._end_activity(member, problem="The instance was terminated before it was in service.")
        activity = self.note(group, member, "terminate", f"Terminating EC2 instance: {member.id}", cause)
        member.activity, member.state = activity, LifecycleState.TERMINATING
        seconds = self._drain_seconds(group, member)
        if seconds:
            activity.status = "WaitingForELBConnectionDraining"
        self._region.after(seconds, lambda: self._drained(group, member))
        self._moved(group, member)
        return activity

    def _drained(self, group: Group, member: Member) -> None:
        """No load balancer needs it any more: the terminating hooks hold it, whether the machine still runs or not."""
        if member.state is not LifecycleState.TERMINATING or member.let_go:
            return
        held = not group.deleting and self._pauses.begin(
            group, member, TERMINATING, lambda _: self.let_go(group, member)
        )
        if not held:
            self.let_go(group, member)

    def let_go(self, group: Group, member: Member) -> None:
        """A member whose termination has begun waits for no hook (any more)."""
        if member.state not in LEAVING or member.let_go:
            return
        member.let_go = True
        if member.state is LifecycleState.TERMINATING_WAIT:
            self._pauses.forget(member)
            member.state = LifecycleState.TERMINATING_PROCEED
            group.touch()
        if member.activity is not None:
            member.activity.status = "InProgress"
        self._shut_down(group, member)

    def _shut_down(self, group: Group, member: Member) -> None:
        if member.instance.state in ALIVE:
            self._instances.terminate(member.instance, "Client.UserInitiatedShutdown", "User initiated shutdown")
        elif member.instance.state == "terminated":
            self._leave(group, member)

    def _set_aside(
        self, group: Group, member: Member, state: LifecycleState, kind: Kind, words: str, cause: str
    ) -> Activity:
        activity = member.activity = self.note(group, member, kind, words, cause)
        member.state = state
        seconds = max(self._region.timings.detach_seconds, self._drain_seconds(group, member))
        self._region.after(seconds, lambda: self._gone_aside(group, member))
        self._moved(group, member)
        return activity

    def _gone_aside(self, group: Group, member: Member) -> None:
        if member.state is LifecycleState.ENTERING_STANDBY and member.instance.state == "terminated":
            self._leave(group, member)
        elif member.state is LifecycleState.ENTERING_STANDBY:
            member.state = LifecycleState.STANDBY
            self._end_activity(member)
            self._moved(group, member)
        elif member.state is LifecycleState.DETACHING:
            self._leave(group, member)
            if member.instance.state in ALIVE:
                self._instances.untag(member.instance, [GROUP_TAG])
                self._meter.moved(member.instance)

    def _leave(self, group: Group, member: Member) -> None:
        if self._of.pop(member.id, None) is not None:
            group.members.pop(member.id)
            self._end_activity(member)
            self._moved(group, member)

    def _drain_seconds(self, group: Group, member: Member) -> float:
        """Deregister from the group's load balancers; how long that takes."""
        drained = [self._targets.deregister(arn, member.instance) for arn in group.target_groups]
        return max(drained, default=0.0)

    # -- what EC2 says -----------------------------------------------------------------------------------------------

    def _on_state(self, instance: Instance, old: str) -> None:  # noqa: ARG002 - a listener hears both
        known = self._of.get(instance.id)
        if known is None:
            return
        group, member = known
        self._weigh(group, member)
        self.recount(group)
        if instance.state == "running" and member.state is LifecycleState.PENDING:
            self._booted(group, member)
        elif instance.state == "terminated" and member.state not in COUNTED:
            self._buried(group, member)
        elif instance.state not in ("pending", "running") and member.state in COUNTED:
            self._checks.machine_failed(group, member)

    def _buried(self, group: Group, member: Member) -> None:
        """The machine is gone; its group keeps the member as long as a hook holds it."""
        if member.state is LifecycleState.TERMINATING:
            self._drained(group, member)
        if member.state is not LifecycleState.TERMINATING_WAIT:
            self._leave(group, member)

    def application_failed(self, instance: Instance) -> None:
        """Nothing on it answers any more, or not for a while: its group may notice."""
        known = self._of.get(instance.id)
        if known is not None:
            self._checks.application_failed(*known)

    def look_at_health(self, group: Group, member: Member) -> None:
        """Have one health check made, now."""
        self._checks.look(group, member)

    def set_health(self, group: Group, member: Member, ailment: str | None) -> None:
        """Take the member for unhealthy, for that reason; None: for healthy again."""
        member.unhealthy = ailment
        self._moved(group, member)

    # -- activities and counts ---------------------------------------------------------------------------------------

    def note(self, group: Group, member: Member | None, kind: Kind, description: str, cause: str) -> Activity:
        """Begin an activity; without a member it is one that fails."""
        order = member.instance.order if member is not None else None
        activity = Activity(
            id=self._region.new_uuid("activity"),
            number=group.activities[-1].number + 1 if group.activities else 1,
            kind=kind,
            group=group.name,
            group_arn=group.arn,
            description=description,
            cause=cause,
            start_time=self._region.now,
            zone=order.zone if order else (group.zones[0] if group.zones else ""),
            # AWS tells no subnet of an attached instance.
            subnet=order.subnet["SubnetId"] if order and kind != "attach" and group.subnets() else None,
            instance_id=member.id if member is not None else "",
        )
        group.activities.append(activity)
        del group.activities[:-ACTIVITIES_KEPT]
        return activity

    def _end_activity(self, member: Member, *, problem: str = "", failure: Failure = "Failed") -> None:
        if member.activity is not None:
            finish(member.activity, self._region, problem=problem, failure=failure)
            member.activity = None

    def _moved(self, group: Group, member: Member) -> None:
        self._weigh(group, member)
        self.recount(group)
        self._changed(group)

    def recount(self, group: Group) -> None:
        """The group's description and its shortfall follow from its members and sizes: call it after each change."""
        group.touch()
        self._meter.missing(group.name, max(0, int(group.desired - group.borrowed - group.serving)))

    @staticmethod
    def _weigh(group: Group, member: Member) -> None:
        """What the member serves with, kept in a sum: a large group is not counted anew for each of its members."""
        serves = member.state is LifecycleState.IN_SERVICE and member.instance.state == "running"
        weight = member.weight if serves else 0.0
        group.serving += weight - member.serving
        member.serving = weight

    def register_all(self, group: Group, arn: str) -> None:
        """A target group was attached to the group: its members become targets."""
        if group.runs("AddToLoadBalancer"):
            for member in group.in_service():
                self._targets.register(arn, member.instance)

    def deregister_all(self, group: Group, arn: str) -> None:
        """A target group was detached from the group."""
        for member in group.members.values():
            self._targets.deregister(arn, member.instance)

    def target_states(self, group: Group, arn: str) -> Mapping[str, Any]:
        """InService member -> its state as a target there."""
        return {member.id: self._targets.state(arn, member.instance) for member in group.in_service()}
