"""Members that lifecycle hooks hold: Pending:Wait and Terminating:Wait.

A member that comes or goes is held by all hooks of that transition at once, each with a lifecycle action and a token
of its own. It goes on when the last of them has ended with CONTINUE, or the first with ABANDON, which ends the others.
An action ends when somebody completes it, or with its hook's default result when no heartbeat has come in time or the
hook's global limit is reached; what has happened to the machine in the meantime makes no difference to it.

Sources: the user guide, "How lifecycle hooks work" and "Complete a lifecycle action"; that hooks of one transition run
at the same time and that one abandonment ends the wait is told by the CodeDeploy guide, which warns of several
deployment groups (each has a hook) on one Auto Scaling group.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from spotward.sim.errors import ApiError
from spotward.sim.groups import Group, LifecycleState, Member
from spotward.sim.hooks import ABANDON, CONTINUE, LAUNCHING, TERMINATING, Hook
from spotward.sim.region import Region, precise_stamp

Then = Callable[[str | None], None]
"""What is done when a pause is over: told why it was abandoned, or None when it was not."""

_HELD = {LAUNCHING: LifecycleState.PENDING_WAIT, TERMINATING: LifecycleState.TERMINATING_WAIT}

_EVENTS = {
    LAUNCHING: ("EC2 Instance-launch Lifecycle Action", "EC2", "AutoScalingGroup"),
    TERMINATING: ("EC2 Instance-terminate Lifecycle Action", "AutoScalingGroup", "EC2"),
}
"""Transition -> detail-type, origin, destination."""


@dataclass(slots=True, kw_only=True, eq=False)
class Action:
    """One lifecycle action: one hook that holds one member."""

    token: str
    hook: Hook
    """As it was when the action began; a later change of the hook is for later actions."""
    last_time: float
    """The latest that it may end, whatever heartbeats come."""
    deadline: float


@dataclass(slots=True, kw_only=True, eq=False)
class Pause:
    """One member that is held, and by what."""

    group: Group
    member: Member
    transition: str
    then: Then
    actions: dict[str, Action] = field(default_factory=dict)
    """Hook name -> its action, while that is open."""


class Pauses:
    """Everybody who is held in the region."""

    def __init__(self, region: Region) -> None:
        """Nobody at first."""
        self._region = region
        self._by_instance: dict[str, Pause] = {}
        self._by_token: dict[str, Pause] = {}

    # -- beginning ---------------------------------------------------------------------------------------------------

    def begin(self, group: Group, member: Member, transition: str, then: Then) -> bool:
        """Hold the member by the group's hooks of that transition. False when it has none, and nothing is done."""
        hooks = [hook for hook in group.hooks.values() if hook.transition == transition]
        if not hooks:
            return False
        member.state = _HELD[transition]
        if member.activity is not None:
            member.activity.status = "MidLifecycleAction"
        group.touch()
        pause = Pause(group=group, member=member, transition=transition, then=then)
        self._by_instance[member.id] = pause
        for hook in hooks:
            self._hold(pause, hook)
        return True

    def _hold(self, pause: Pause, hook: Hook) -> None:
        action = Action(
            token=self._region.new_uuid("lifecycle-action"),
            hook=hook,
            last_time=self._region.now + hook.global_seconds,
            deadline=self._region.now,
        )
        pause.actions[hook.name] = action
        self._by_token[action.token] = pause
        self._extend(pause, action)
        self._announce(pause, action)

    def _extend(self, pause: Pause, action: Action) -> None:
        due = action.deadline = min(self._region.now + action.hook.heartbeat_seconds, action.last_time)
        self._region.at(due, lambda: self._expire(pause, action, due))

    def _expire(self, pause: Pause, action: Action, due: float) -> None:
        if action.deadline == due and self._is_open(pause, action):
            self._end(pause, action, action.hook.default_result, "Heartbeat Timeout")

    # -- ending ------------------------------------------------------------------------------------------------------

    def find(self, group: Group, hook: str, *, token: str | None, instance_id: str | None) -> tuple[Pause, Action]:
        """The open action that a caller means, by its token or its instance. Raises ApiError when there is none."""
        if not token and not instance_id:
            raise ApiError("ValidationError", "Either InstanceId or LifecycleActionToken must be specified.")
        pause = self._by_token.get(token) if token else self._by_instance.get(instance_id or "")
        action = pause.actions.get(hook) if pause is not None and pause.group is group else None
        if pause is None or action is None or token not in (None, "", action.token):
            raise _not_found(token, instance_id)
        if instance_id not in (None, "", pause.member.id):
            raise _not_found(token, instance_id)
        return pause, action

    def heartbeat(self, pause: Pause, action: Action) -> None:
        """The hook's time begins anew, within its global limit."""
        self._extend(pause, action)

    def complete(self, pause: Pause, action: Action, result: str) -> None:
        """Whoever the hook waits for is done."""
        self._end(pause, action, result, f"Lifecycle Action Completed with {result} Result")

    def unhook(self, group: Group, hook: str) -> None:
        """The hook is deleted: its open actions end, those that launch abandoned, those that terminate continued."""
        for pause in list(self._by_instance.values()):
            action = pause.actions.get(hook) if pause.group is group else None
            if action is not None:
                result = ABANDON if pause.transition == LAUNCHING else CONTINUE
                self._end(pause, action, result, "The Lifecycle Hook was deleted")

    def forget(self, member: Member) -> None:
        """Something else has been decided about the member: nothing holds it any more, and nobody is told."""
        pause = self._by_instance.get(member.id)
        if pause is not None:
            self._drop(pause)

    def _drop(self, pause: Pause) -> None:
        del self._by_instance[pause.member.id]
        for action in pause.actions.values():
            self._by_token.pop(action.token, None)

    def _is_open(self, pause: Pause, action: Action) -> bool:
        held = self._by_instance.get(pause.member.id) is pause
        return held and pause.actions.get(action.hook.name) is action

    def _end(self, pause: Pause, action: Action, result: str, why: str) -> None:
        del pause.actions[action.hook.name]
        self._by_token.pop(action.token, None)
        if pause.actions and result == CONTINUE:
            return
        self._drop(pause)
        abandoned = f"Lifecycle Action with token {action.token} was abandoned: {why}"
        pause.then(abandoned if result == ABANDON else None)

    # -- telling -----------------------------------------------------------------------------------------------------

    def _announce(self, pause: Pause, action: Action) -> None:
        detail_type, origin, destination = _EVENTS[pause.transition]
        detail: dict[str, Any] = {
            "LifecycleActionToken": action.token,
            "AutoScalingGroupName": pause.group.name,
            "LifecycleHookName": action.hook.name,
            "EC2InstanceId": pause.member.id,
            "LifecycleTransition": pause.transition,
            **({"NotificationMetadata": action.hook.metadata} if action.hook.metadata else {}),
            "Origin": origin,
            "Destination": destination,
        }
        self._region.emit(source="aws.autoscaling", detail_type=detail_type, resources=[pause.group.arn], detail=detail)
        if action.hook.target_arn:
            verb = "LAUNCHING" if pause.transition == LAUNCHING else "TERMINATING"
            self._region.notify(
                target_arn=action.hook.target_arn,
                subject=f"Auto Scaling:  Lifecycle action '{verb}' for instance {pause.member.id} in progress.",
                message={
                    **detail,
                    "AccountId": self._region.account,
                    "RequestId": self._region.new_uuid("request"),
                    "Service": "AWS Auto Scaling",
                    "Time": precise_stamp(self._region.now),
                },
            )


def _not_found(token: str | None, instance_id: str | None) -> ApiError:
    what = f"token {token}" if token else f"instance ID {instance_id}"
    return ApiError("ValidationError", f"No active Lifecycle Action found with {what}")
