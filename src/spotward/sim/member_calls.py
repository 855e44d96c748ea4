"""Auto Scaling's calls about single members: attach, detach, Standby, terminate, health, protection.

AttachInstances and ExitStandby raise the desired capacity; the calls with ShouldDecrementDesiredCapacity lower it. Both
stay within the group's bounds, and each call does all that it was asked or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from spotward.sim.activities import Activity
from spotward.sim.answers import Answer, Operation, Params, page, paged
from spotward.sim.errors import ApiError
from spotward.sim.groups import COUNTED, Group, LifecycleState, Member, find_group, member_entry
from spotward.sim.instances import Instance, Instances
from spotward.sim.keeper import Keeper
from spotward.sim.membership import Membership
from spotward.sim.region import Region, stamp

ATTACH_MAX = 20
"""Instances of one AttachInstances or DetachInstances call, at most."""

MEMBERS_PAGE = 50
"""Instances on one page of DescribeAutoScalingInstances, and ids in one call."""

Begin = Callable[[Group, Member, str], Activity]


class MemberCalls:
    """Auto Scaling's member calls for one region."""

    def __init__(self, region: Region, instances: Instances, keeper: Keeper, membership: Membership) -> None:
        """Changes groups through `membership`."""
        self._region = region
        self._instances = instances
        self._keeper = keeper
        self._membership = membership

    def operations(self) -> dict[str, Operation]:
        """What this part answers."""
        return {
            "autoscaling.AttachInstances": self.attach,
            "autoscaling.DetachInstances": self.detach,
            "autoscaling.EnterStandby": self.enter_standby,
            "autoscaling.ExitStandby": self.exit_standby,
            "autoscaling.TerminateInstanceInAutoScalingGroup": self.terminate,
            "autoscaling.SetInstanceHealth": self.set_health,
            "autoscaling.SetInstanceProtection": self.set_protection,
            "autoscaling.DescribeAutoScalingInstances": self.describe,
        }

    # -- attaching ---------------------------------------------------------------------------------------------------

    def attach(self, params: Params) -> Answer:
        """AttachInstances: the group wants as many more."""
        group, ids = self._group(params), list(dict.fromkeys(params.get("InstanceIds") or ()))
        _check_count(ids)
        if group.deleting:
            raise _refused("Instances may not be attached while the AutoScaling group is pending delete")
        chosen = [self._attachable(group, one) for one in ids]
        if group.desired + len(chosen) > group.most:
            raise _sizes(group, "attach", len(chosen))
        group.desired += len(chosen)
        group.borrowed += len(chosen)
        cause = f"At {stamp(self._region.now)} an instance was added in response to user request. Keeping the "
        for instance in chosen:
            self._membership.attach(group, instance, f"{cause}capacity at the new {group.desired}.")
        self._keeper.wake(group)
        return {}

    def _attachable(self, group: Group, instance_id: str) -> Instance:
        instance = self._instances.by_id.get(instance_id)
        if instance is None:
            raise _refused(f"Invalid Instance ID(s): [{instance_id}] specified")
        known = self._membership.of(instance_id)
        if known is not None:
            raise _refused(f"The Instance: {instance_id} is already part of AutoScalingGroup:{known[0].name}")
        if instance.state != "running":
            raise _refused(f"Instance {instance_id} is not in correct state. Instance(s) must be in 'running' state.")
        if instance.order.zone not in group.zones:
            raise _refused(
                f"Instance {instance_id} is in availability zone {instance.order.zone}, which is not among the "
                f"availability zones of the AutoScalingGroup: [{', '.join(group.zones)}]"
            )
        return instance

    # -- out of service ----------------------------------------------------------------------------------------------

    def detach(self, params: Params) -> Answer:
        """DetachInstances."""
        states = {LifecycleState.IN_SERVICE, LifecycleState.ENTERING_STANDBY, LifecycleState.STANDBY}
        where = "InService or EnteringStandby or Standby"
        return self._set_aside(params, "detach", "was detached", states, where, self._membership.detach)

    def enter_standby(self, params: Params) -> Answer:
        """EnterStandby."""
        states = {LifecycleState.IN_SERVICE}
        return self._set_aside(
            params, "place into standby", "was moved to standby", states, "InService", self._membership.enter_standby
        )

    def _set_aside(
        self,
        params: Params,
        verb: str,
        happened: str,
        states: set[LifecycleState],
        where: str,
        begin: Begin,
    ) -> Answer:
        group = self._group(params)
        members = self._members(group, params.get("InstanceIds") or (), states, where)
        decrement = bool(params["ShouldDecrementDesiredCapacity"])
        counted = [member for member in members if member.state in COUNTED]
        if decrement and group.desired - len(counted) < group.least:
            raise _sizes(group, verb, len(counted))
        begun: list[Activity] = []
        for member in members:
            before = int(group.capacity())
            shrunk = before - (member.state in COUNTED)
            if decrement and member.state in COUNTED:
                self._give_back(group)
            tail = f", shrinking the capacity from {before} to {shrunk}" if decrement and shrunk < before else ""
            cause = f"At {stamp(self._region.now)} instance {member.id} {happened} in response to a user request{tail}."
            begun.append(begin(group, member, cause))
        return {"Activities": [activity.entry() for activity in begun]}

    @staticmethod
    def _give_back(group: Group) -> None:
        """One less is wanted; what an attachment had added is given back first."""
        group.desired -= 1
        group.borrowed = max(0, group.borrowed - 1)

    def exit_standby(self, params: Params) -> Answer:
        """ExitStandby: the group wants as many more."""
        group = self._group(params)
        members = self._members(group, params.get("InstanceIds") or (), {LifecycleState.STANDBY}, "Standby")
        if group.desired + len(members) > group.most:
            raise _sizes(group, "move out of standby", len(members))
        begun: list[Activity] = []
        for member in members:
            before = int(group.capacity())
            group.desired += 1
            cause = (
                f"At {stamp(self._region.now)} instance {member.id} was moved out of standby in response to a user "
                f"request, increasing the capacity from {before} to {before + 1}."
            )
            begun.append(self._membership.exit_standby(group, member, cause))
        return {"Activities": [activity.entry() for activity in begun]}

    def terminate(self, params: Params) -> Answer:
        """TerminateInstanceInAutoScalingGroup; without a decrement the group launches another."""
        group, member = self._member(params.get("InstanceId", ""))
        if member.state not in COUNTED and member.state is not LifecycleState.STANDBY:
            raise _refused(f"The instance {member.id} is not in InService or EnteringStandby or Standby.")
        cause = (
            f"At {stamp(self._region.now)} instance {member.id} was taken out of service in response to a user request"
        )
        if params["ShouldDecrementDesiredCapacity"] and member.state in COUNTED:
            if group.desired <= group.least:
                raise _refused(
                    f"Currently, desiredSize equals minSize ({group.least}). Terminating instance without replacement "
                    "will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false "
                    "or lower group's min size."
                )
            before = int(group.capacity())
            self._give_back(group)
            cause += f", shrinking the capacity from {before} to {before - 1}"
        return {"Activity": self._membership.retire(group, member, f"{cause}.").entry()}

    # -- health and protection ---------------------------------------------------------------------------------------

    def set_health(self, params: Params) -> Answer:
        """SetInstanceHealth; the grace period is respected unless the caller says otherwise."""
        group, member = self._member(params.get("InstanceId", ""))
        if params["HealthStatus"] not in ("Healthy", "Unhealthy"):
            raise _refused(f"Invalid health status: {params['HealthStatus']}. Valid values are Healthy and Unhealthy.")
        if params["HealthStatus"] == "Healthy":
            self._membership.set_health(group, member, None)
            return {}
        respect = params.get("ShouldRespectGracePeriod")
        since = member.in_service_time
        in_grace = since is None or self._region.now < since + group.grace_seconds
        if not (respect is None or respect) or not in_grace:
            self._membership.set_health(group, member, "a user health-check.")
        return {}

    def set_protection(self, params: Params) -> Answer:
        """SetInstanceProtection."""
        group = self._group(params)
        states = set(COUNTED) | {LifecycleState.STANDBY, LifecycleState.ENTERING_STANDBY}
        members = self._members(group, params["InstanceIds"], states, "InService or EnteringStandby or Standby")
        for member in members:
            member.protected = bool(params["ProtectedFromScaleIn"])
        self._membership.recount(group)
        self._keeper.wake(group)
        return {}

    def describe(self, params: Params) -> Answer:
        """DescribeAutoScalingInstances: of the named instances that are members, or of all."""
        ids = params.get("InstanceIds")
        if ids and len(ids) > MEMBERS_PAGE:
            raise _refused(f"The number of instance ids that may be passed in is limited to {MEMBERS_PAGE}")
        found = [self._membership.of(one) for one in ids] if ids else list(self._membership.every())
        members = sorted((one for one in found if one is not None), key=lambda pair: pair[1].id)
        shown, token = page(members, params, key=lambda pair: pair[1].id, size=MEMBERS_PAGE, size_name="MaxRecords")
        return paged("AutoScalingInstances", [_entry(*pair) for pair in shown], token)

    # -- finding -----------------------------------------------------------------------------------------------------

    def _group(self, params: Params) -> Group:
        return find_group(self._keeper.groups, params["AutoScalingGroupName"])

    def _member(self, instance_id: str) -> tuple[Group, Member]:
        known = self._membership.of(instance_id)
        if known is None:
            raise _refused(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")
        return known

    def _members(self, group: Group, ids: Sequence[str], states: set[LifecycleState], where: str) -> list[Member]:
        """Those members of the group. Raises ApiError when one is not a member, or not in one of the states."""
        _check_count(ids)
        for one in ids:
            if one not in group.members:
                raise _refused(f"The instance {one} is not part of Auto Scaling group {group.name}.")
            if group.members[one].state not in states:
                raise _refused(f"The instance {one} is not in {where}.")
        return [group.members[one] for one in dict.fromkeys(ids)]


def _entry(group: Group, member: Member) -> dict[str, Any]:
    entry = member_entry(member)
    # Here, unlike in a group's description, AWS writes the health in capitals.
    return {**entry, "AutoScalingGroupName": group.name, "HealthStatus": str(entry["HealthStatus"]).upper()}


def _check_count(ids: Sequence[str]) -> None:
    if not ids:
        raise _refused("Instance IDs are required")
    if len(ids) > ATTACH_MAX:
        raise _refused(
            f"1 validation error detected: Value '[{', '.join(ids)}]' at 'instanceIds' failed to satisfy constraint: "
            f"Member must have length less than or equal to {ATTACH_MAX}"
        )


def _sizes(group: Group, verb: str, count: int) -> ApiError:
    what = f"{count} instance" if count == 1 else f"{count} instances"
    return _refused(
        f"AutoScalingGroup {group.name} has min-size={group.least}, max-size={group.most}, and "
        f"desired-size={group.desired}. To {verb} {what}, please update the AutoScalingGroup sizes appropriately."
    )


def _refused(message: str) -> ApiError:
    return ApiError("ValidationError", message)
