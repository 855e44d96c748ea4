"""Why a whole group is left alone, in words an operator understands.

Where AWS acts by itself (Capacity Rebalancing, an instance refresh, a deletion, a mixed-instances policy that asks
for Spot) two hands would do the work twice, so it is left to AWS.
"""

from spotward.groups.policy import TAG_LAUNCH_HOOKS, GroupPolicy
from spotward.model.cloud import Group, GroupDetails
from spotward.model.units import listed

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
"""Transitions of lifecycle hooks."""


def obstacle(group: Group, *, rescue: bool = False) -> str | None:
    """Why no swap may begin in the group, seen from the group alone. `rescue`: EC2 takes, or may take, a member."""
    if group.status is not None:
        return f"AWS says of the group: {group.status}"
    if group.max_size == 0 or group.desired == 0:
        return "its owner set it to no instances"
    if group.mixed_spot:
        return "its own mixed-instances policy asks for Spot already: AWS divides it"
    if rescue and group.capacity_rebalance:
        return "Capacity Rebalancing is on: AWS replaces its Spot members itself"
    if group.launch is None:
        return "it names neither a launch template nor a launch configuration"
    if "Launch" in group.suspended:
        return "its owner suspended Launch: nothing new may join"
    if "Terminate" in group.suspended:
        return "its owner suspended Terminate: nothing may leave"
    return None


def obstacle_in_details(details: GroupDetails, policy: GroupPolicy, *, rescue: bool = False) -> str | None:
    """Why no swap may begin, seen from what cost further calls to learn."""
    if details.launch_problem is not None:
        return f"nothing can be launched for it: {details.launch_problem}"
    if details.refresh_in_progress:
        return "an instance refresh is running: AWS replaces its members itself"
    if details.stack_busy is not None:
        return f"its CloudFormation stack is changing: {details.stack_busy}"
    if details.termination_protected and not rescue:
        return "its launch data protects instances from termination"
    hooks = [hook.name for hook in details.hooks if hook.transition == LAUNCHING]
    if hooks and not policy.skip_launch_hooks:
        return (
            f"it has the launch hook {listed(hooks)}, which AWS does not run for an attached instance; "
            f"if its instances come up without, tag it {TAG_LAUNCH_HOOKS}=skip"
        )
    return None
