"""Auto Scaling's calls about lifecycle hooks and about the members that they hold."""

from __future__ import annotations

from spotward.sim.answers import Answer, Operation, Params
from spotward.sim.errors import ApiError
from spotward.sim.groups import Group, find_group
from spotward.sim.hooks import HOOKS_MAX, RESULTS, TRANSITIONS, HookDesk
from spotward.sim.keeper import Keeper
from spotward.sim.pauses import Action, Pause, Pauses


class HookCalls:
    """Auto Scaling's hook calls for one region."""

    def __init__(self, keeper: Keeper, desk: HookDesk, pauses: Pauses) -> None:
        """Changes the hooks of the groups that the keeper keeps, and ends pauses."""
        self._keeper = keeper
        self._desk = desk
        self._pauses = pauses

    def operations(self) -> dict[str, Operation]:
        """What this part answers."""
        return {
            "autoscaling.PutLifecycleHook": self.put,
            "autoscaling.DescribeLifecycleHooks": self.describe,
            "autoscaling.DescribeLifecycleHookTypes": self.describe_types,
            "autoscaling.DeleteLifecycleHook": self.delete,
            "autoscaling.CompleteLifecycleAction": self.complete,
            "autoscaling.RecordLifecycleActionHeartbeat": self.heartbeat,
        }

    # -- hooks -------------------------------------------------------------------------------------------------------

    def put(self, params: Params) -> Answer:
        """PutLifecycleHook: a new one, or changes to the one of that name; members already held notice nothing."""
        group, name = self._group(params), params["LifecycleHookName"]
        hook = self._desk.read(params, group.hooks.get(name))
        if name not in group.hooks and len(group.hooks) >= HOOKS_MAX:
            raise ApiError("LimitExceeded", f"You have reached the limit of {HOOKS_MAX} lifecycle hooks for this group")
        group.hooks[name] = hook
        if params.get("NotificationTargetARN"):
            self._desk.send_test(hook, group=group.name, group_arn=group.arn)
        return {}

    def describe(self, params: Params) -> Answer:
        """DescribeLifecycleHooks of one group."""
        group, names = self._group(params), params.get("LifecycleHookNames")
        shown = [hook.entry(group.name) for name, hook in sorted(group.hooks.items()) if not names or name in names]
        return {"LifecycleHooks": shown}

    def describe_types(self, params: Params) -> Answer:  # noqa: ARG002 - one of a table
        """DescribeLifecycleHookTypes."""
        return {"LifecycleHookTypes": list(TRANSITIONS)}

    def delete(self, params: Params) -> Answer:
        """DeleteLifecycleHook; whoever it holds is let go."""
        group, name = self._group(params), params["LifecycleHookName"]
        if name not in group.hooks:
            raise ApiError("ValidationError", f"No Lifecycle Hook found with name {name}")
        del group.hooks[name]
        self._pauses.unhook(group, name)
        return {}

    # -- actions -----------------------------------------------------------------------------------------------------

    def complete(self, params: Params) -> Answer:
        """CompleteLifecycleAction."""
        result = params["LifecycleActionResult"]
        if result not in RESULTS:
            raise ApiError("ValidationError", f"Invalid LifecycleActionResult: {result}. Use CONTINUE or ABANDON.")
        self._pauses.complete(*self._action(params), result)
        return {}

    def heartbeat(self, params: Params) -> Answer:
        """RecordLifecycleActionHeartbeat."""
        self._pauses.heartbeat(*self._action(params))
        return {}

    def _action(self, params: Params) -> tuple[Pause, Action]:
        return self._pauses.find(
            self._group(params),
            params["LifecycleHookName"],
            token=params.get("LifecycleActionToken"),
            instance_id=params.get("InstanceId"),
        )

    def _group(self, params: Params) -> Group:
        return find_group(self._keeper.groups, params["AutoScalingGroupName"])
