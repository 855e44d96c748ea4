"""Auto Scaling's calls about groups as a whole: create, update, describe, delete, suspend, resize."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spotward.sim.answers import Answer, Operation, Params, Values, page, paged, sieve
from spotward.sim.configurations import Configurations
from spotward.sim.errors import ApiError
from spotward.sim.group_settings import SOURCES, Settings
from spotward.sim.groups import DELETING, LEAVING, PROCESSES, Group, describe, find_group
from spotward.sim.hooks import HookDesk
from spotward.sim.keeper import Keeper
from spotward.sim.membership import Membership
from spotward.sim.region import Region, stamp
from spotward.sim.surroundings import Remembered

GROUPS_PAGE = 100
"""Groups on one page, at most; AWS shows 50 unless asked."""

_SIZES = frozenset({"AutoScalingGroupName", "MinSize", "MaxSize", "DesiredCapacity", "Tags"})

_DEFAULTS: Mapping[str, Any] = {
    "DefaultCooldown": 300,
    "LoadBalancerNames": [],
    "TargetGroupARNs": [],
    "HealthCheckType": "EC2",
    "HealthCheckGracePeriod": 0,
    "VPCZoneIdentifier": "",
    "TerminationPolicies": ["Default"],
    "NewInstancesProtectedFromScaleIn": False,
    "CapacityRebalance": False,
}


class GroupCalls:
    """Auto Scaling's group calls for one region."""

    def __init__(
        self,
        *,
        region: Region,
        keeper: Keeper,
        membership: Membership,
        settings: Settings,
        desk: HookDesk,
        configurations: Configurations,
        surroundings: Remembered,
    ) -> None:
        """Changes what the keeper keeps."""
        self._desk = desk
        self._region = region
        self._keeper = keeper
        self._membership = membership
        self._settings = settings
        self._configurations = configurations
        self._around = surroundings

    def operations(self) -> dict[str, Operation]:
        """What this part answers."""
        return {
            "autoscaling.CreateAutoScalingGroup": self.create,
            "autoscaling.UpdateAutoScalingGroup": self.update,
            "autoscaling.DeleteAutoScalingGroup": self.delete,
            "autoscaling.DescribeAutoScalingGroups": self.describe,
            "autoscaling.SetDesiredCapacity": self.set_desired_capacity,
            "autoscaling.SuspendProcesses": self.suspend,
            "autoscaling.ResumeProcesses": self.resume,
            "autoscaling.AttachLoadBalancerTargetGroups": self.attach_target_groups,
            "autoscaling.DetachLoadBalancerTargetGroups": self.detach_target_groups,
            "autoscaling.DescribeLoadBalancerTargetGroups": self.describe_target_groups,
        }

    # -- creating and updating ---------------------------------------------------------------------------------------

    def create(self, params: Params) -> Answer:
        """CreateAutoScalingGroup."""
        name = params["AutoScalingGroupName"]
        if name in self._keeper.groups:
            pending = " and is pending delete" if self._keeper.groups[name].deleting else ""
            raise ApiError(
                "AlreadyExists",
                f"AutoScalingGroup by this name already exists - A group with the name {name} already exists{pending}",
            )
        settings = {**_DEFAULTS, **_kept(params)}
        self._settings.check_source(settings)
        desired = params.get("DesiredCapacity")
        group = Group(
            name=name,
            arn=self._region.arn(
                "autoscaling", f"autoScalingGroup:{self._region.new_uuid('group')}:autoScalingGroupName/{name}"
            ),
            created_time=self._region.now,
            settings=self._settings.completed(settings),
            least=params["MinSize"],
            most=params["MaxSize"],
            desired=0,
            zones=self._settings.zones(settings),
            tags={tag["Key"]: (tag.get("Value", ""), bool(tag.get("PropagateAtLaunch"))) for tag in _tags(params)},
            hooks={
                hook.name: hook for hook in map(self._desk.read, params.get("LifecycleHookSpecificationList") or ())
            },
        )
        wanted = group.least if desired is None else desired
        _check_sizes(group.least, group.most, wanted)
        self._keeper.groups[name] = group
        self._note_configurations()
        for hook in group.hooks.values():
            self._desk.send_test(hook, group=name, group_arn=group.arn)
        self._keeper.set_desired(group, wanted, "a user request created an AutoScalingGroup")
        return {}

    def update(self, params: Params) -> Answer:
        """UpdateAutoScalingGroup; running instances stay as they are."""
        group = self._group(params)
        if group.deleting:
            raise _pending_delete("The AutoScalingGroup may not be updated")
        settings = {**group.settings, **_kept(params)}
        given = [one for one in SOURCES if params.get(one)]
        if given:
            self._settings.check_source(params)
            settings = {key: value for key, value in settings.items() if key not in SOURCES or key in given}
        least, most = params.get("MinSize", group.least), params.get("MaxSize", group.most)
        # AWS moves the desired capacity into the new bounds when the call does not name it.
        desired = params.get("DesiredCapacity", min(max(group.desired, least), most))
        _check_sizes(least, most, desired)
        if params.get("VPCZoneIdentifier") or params.get("AvailabilityZones"):
            group.zones = self._settings.zones(settings)
        group.settings = self._settings.completed(settings)
        group.least, group.most = least, most
        self._note_configurations()
        words = (
            f"a user request update of AutoScalingGroup constraints to min: {least}, max: {most}, desired: {desired}"
        )
        self._keeper.set_desired(group, desired, words)
        return {}

    def _note_configurations(self) -> None:
        names = (group.settings.get("LaunchConfigurationName") for group in self._keeper.groups.values())
        self._configurations.in_use = {name for name in names if name}

    # -- sizes, processes, the end -----------------------------------------------------------------------------------

    def set_desired_capacity(self, params: Params) -> Answer:
        """SetDesiredCapacity, within the group's bounds."""
        group, wanted = self._group(params), params["DesiredCapacity"]
        if group.deleting:
            raise _pending_delete("The desired capacity may not be set")
        if wanted > group.most:
            raise _out_of_bounds(wanted, f"above max value {group.most}")
        if wanted < group.least:
            raise _out_of_bounds(wanted, f"below min value {group.least}")
        self._keeper.set_desired(group, wanted, "a user request explicitly set group desired capacity")
        return {}

    def suspend(self, params: Params) -> Answer:
        """SuspendProcesses: those named, or all."""
        group = self._group(params)
        if group.deleting:
            raise _pending_delete("Processes may not be suspended")
        reason = f"User suspended at {stamp(self._region.now)}"
        for process in _processes(params):
            group.suspended.setdefault(process, reason)
        self._membership.recount(group)
        return {}

    def resume(self, params: Params) -> Answer:
        """ResumeProcesses: those named, or all."""
        group = self._group(params)
        resumed = [process for process in _processes(params) if group.suspended.pop(process, None)]
        self._membership.recount(group)
        self._keeper.resumed(group, resumed)
        return {}

    def delete(self, params: Params) -> Answer:
        """DeleteAutoScalingGroup: an empty one, or with ForceDelete all its instances with it."""
        group = self._group(params)
        force = bool(params.get("ForceDelete"))
        if group.settings.get("DeletionProtection", "none") == "prevent-all-deletion":
            raise ApiError("ValidationError", f"AutoScalingGroup {group.name} is protected from deletion.")
        if not force and any(member.state in LEAVING for member in group.members.values()):
            raise ApiError(
                "ScalingActivityInProgress",
                "You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group.",
            )
        if not force and (group.members or group.desired):
            raise ApiError(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) "
                "still in the group.",
            )
        group.status = DELETING
        group.least = group.most = 0
        self._keeper.set_desired(group, 0, "a user request force deleted AutoScalingGroup")
        return {}

    # -- target groups -----------------------------------------------------------------------------------------------

    def attach_target_groups(self, params: Params) -> Answer:
        """AttachLoadBalancerTargetGroups; the members are registered."""
        group = self._group(params)
        for arn in params["TargetGroupARNs"]:
            if self._around.target_group(arn) is None:
                raise ApiError(
                    "ValidationError",
                    "Provided Target Groups may not be valid. Please ensure they exist and try again.",
                )
            if arn not in group.target_groups:
                group.settings["TargetGroupARNs"] = [*group.target_groups, arn]
                self._membership.register_all(group, arn)
        self._membership.recount(group)
        return {}

    def detach_target_groups(self, params: Params) -> Answer:
        """DetachLoadBalancerTargetGroups; the members drain."""
        group = self._group(params)
        for arn in params["TargetGroupARNs"]:
            if arn not in group.target_groups:
                raise ApiError(
                    "ValidationError", f"Trying to remove Target Groups that are not part of the group: {arn}"
                )
            group.settings["TargetGroupARNs"] = [one for one in group.target_groups if one != arn]
            self._membership.deregister_all(group, arn)
        self._membership.recount(group)
        return {}

    def describe_target_groups(self, params: Params) -> Answer:
        """DescribeLoadBalancerTargetGroups: InService as soon as one member is healthy, Added when all are known."""
        group = self._group(params)
        shown, token = page(
            sorted(group.target_groups), params, key=lambda arn: arn, size=GROUPS_PAGE, size_name="MaxRecords"
        )
        entries = [{"LoadBalancerTargetGroupARN": arn, "State": self._target_group_state(group, arn)} for arn in shown]
        return paged("LoadBalancerTargetGroups", entries, token)

    def _target_group_state(self, group: Group, arn: str) -> str:
        states = self._membership.target_states(group, arn).values()
        return "InService" if "healthy" in states else "Added"

    # -- descriptions ------------------------------------------------------------------------------------------------

    def describe(self, params: Params) -> Answer:
        """DescribeAutoScalingGroups, by name; a name that does not exist is no error."""
        groups = self._keeper.groups
        names = sorted(set(params.get("AutoScalingGroupNames") or groups) & groups.keys())
        wanted = sieve(params.get("Filters"), _FILTERS.get, _tag_values)
        shown, token = page(
            (groups[name] for name in names if wanted(groups[name])),
            {"MaxRecords": 50, **{key: value for key, value in params.items() if value is not None}},
            key=lambda group: group.name,
            size=GROUPS_PAGE,
            size_name="MaxRecords",
        )
        return paged("AutoScalingGroups", [describe(group, self._region) for group in shown], token)

    def _group(self, params: Params) -> Group:
        return find_group(self._keeper.groups, params["AutoScalingGroupName"])


_FILTERS: Mapping[str, Values[Group]] = {
    "tag-key": lambda group: group.tags.keys(),
    "tag-value": lambda group: [value for value, _ in group.tags.values()],
}


def _tag_values(group: Group) -> Mapping[str, str]:
    return {key: value for key, (value, _) in group.tags.items()}


def _kept(params: Params) -> dict[str, Any]:
    return {key: value for key, value in params.items() if key not in _SIZES and value is not None}


def _tags(params: Params) -> Sequence[Params]:
    return params.get("Tags") or ()


def _check_sizes(least: int, most: int, desired: int) -> None:
    if least > most:
        raise ApiError("ValidationError", "Max bound must be greater than or equal to min bound")
    if not least <= desired <= most:
        raise ApiError(
            "ValidationError",
            f"Desired capacity:{desired} must be between the specified min size:{least} and max size:{most}",
        )


def _out_of_bounds(wanted: int, where: str) -> ApiError:
    return ApiError("ValidationError", f"New SetDesiredCapacity value {wanted} is {where} for the AutoScalingGroup.")


def _processes(params: Params) -> Sequence[str]:
    named: Sequence[str] = params.get("ScalingProcesses") or PROCESSES
    unknown = [process for process in named if process not in PROCESSES]
    if unknown:
        raise ApiError("ValidationError", f"Invalid scaling process type: {unknown[0]}")
    return named


def _pending_delete(what: str) -> ApiError:
    return ApiError("ValidationError", f"{what} while the AutoScaling group is pending delete")
