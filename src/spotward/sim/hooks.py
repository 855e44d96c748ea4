"""Lifecycle hooks: what an owner hangs on a group so that its members pause while they come or go.

A hook belongs to one transition and says how long it waits for a sign of life (its heartbeat), how long at the very
most, and what is taken for its result when the sign does not come. What happens to a member that it holds is in
`pauses`.

Sources: the Auto Scaling API reference, PutLifecycleHook and LifecycleHook; the user guide, "Amazon EC2 Auto Scaling
lifecycle hooks" and "Prepare to add a lifecycle hook".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spotward.sim.answers import Params
from spotward.sim.errors import ApiError
from spotward.sim.region import Region, precise_stamp
from spotward.sim.surroundings import Remembered

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
TRANSITIONS = (LAUNCHING, TERMINATING)

CONTINUE, ABANDON = "CONTINUE", "ABANDON"
RESULTS = (CONTINUE, ABANDON)

HEARTBEAT_SECONDS_MIN, HEARTBEAT_SECONDS_MAX = 30, 7200

GLOBAL_SECONDS_MAX = 172_800
"""No hook holds a member for more than 48 hours, or a hundred times its heartbeat, whichever is less."""

GLOBAL_HEARTBEATS = 100

HOOKS_MAX = 50
"""Hooks of one group."""

_ARN = re.compile(r"arn:[a-z-]+:(sqs|sns):([a-z0-9-]+):(\d{12}):[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One lifecycle hook of a group."""

    name: str
    transition: str
    heartbeat_seconds: int = 3600
    default_result: str = ABANDON
    target_arn: str = ""
    """A queue or topic that is told besides EventBridge; empty: none."""
    role_arn: str = ""
    metadata: str = ""

    @property
    def global_seconds(self) -> int:
        """How long it may hold one member, heartbeats or not."""
        return min(GLOBAL_SECONDS_MAX, GLOBAL_HEARTBEATS * self.heartbeat_seconds)

    def entry(self, group: str) -> dict[str, Any]:
        """As DescribeLifecycleHooks lists it; what was not given is left out."""
        given = {
            "NotificationTargetARN": self.target_arn,
            "RoleARN": self.role_arn,
            "NotificationMetadata": self.metadata,
        }
        return {
            "LifecycleHookName": self.name,
            "AutoScalingGroupName": group,
            "LifecycleTransition": self.transition,
            "HeartbeatTimeout": self.heartbeat_seconds,
            "GlobalTimeout": self.global_seconds,
            "DefaultResult": self.default_result,
            **{key: value for key, value in given.items() if value},
        }


class HookDesk:
    """Reads hooks as callers write them, and tries their targets out."""

    def __init__(self, region: Region, surroundings: Remembered) -> None:
        """Asks the surroundings whether targets exist."""
        self._region = region
        self._around = surroundings

    def read(self, params: Params, known: Hook | None = None) -> Hook:
        """A new hook, or `known` with the changes. Raises ApiError for one that cannot be."""
        transition = params.get("LifecycleTransition") or (known.transition if known else None)
        if transition not in TRANSITIONS:
            listed = ", ".join(TRANSITIONS)
            raise _refused(f"Valid requests must contain a LifecycleTransition, which must be one of [{listed}].")
        hook = Hook(
            name=params["LifecycleHookName"],
            transition=transition,
            heartbeat_seconds=_given(params, "HeartbeatTimeout", known.heartbeat_seconds if known else 3600),
            default_result=_given(params, "DefaultResult", known.default_result if known else ABANDON),
            target_arn=_given(params, "NotificationTargetARN", known.target_arn if known else ""),
            role_arn=_given(params, "RoleARN", known.role_arn if known else ""),
            metadata=_given(params, "NotificationMetadata", known.metadata if known else ""),
        )
        _check_heartbeat(hook.heartbeat_seconds)
        if hook.default_result not in RESULTS:
            raise _refused(f"Invalid DefaultResult: {hook.default_result}. Valid values are CONTINUE and ABANDON.")
        self._check_target(hook)
        return hook

    def _check_target(self, hook: Hook) -> None:
        """What AWS finds out by sending the test: a standard queue or topic of this region, and a role to send with."""
        if not hook.target_arn:
            return
        found = _ARN.fullmatch(hook.target_arn)
        here = found is not None and found[2] == self._region.name and not hook.target_arn.endswith(".fifo")
        if not here or not hook.role_arn or not self._around.notification_target_exists(hook.target_arn):
            raise _refused(
                f"Unable to publish test message to notification target {hook.target_arn} using IAM role "
                f"{hook.role_arn}. Please check your target and role configuration and try to put lifecycle hook again."
            )

    def send_test(self, hook: Hook, *, group: str, group_arn: str) -> None:
        """The test message that AWS sends whenever a hook is put with a target."""
        if hook.target_arn:
            self._region.notify(
                target_arn=hook.target_arn,
                subject=f'Auto Scaling: test notification for group "{group}"',
                message={
                    "AccountId": self._region.account,
                    "RequestId": self._region.new_uuid("request"),
                    "AutoScalingGroupARN": group_arn,
                    "AutoScalingGroupName": group,
                    "Service": "AWS Auto Scaling",
                    "Event": "autoscaling:TEST_NOTIFICATION",
                    "Time": precise_stamp(self._region.now),
                },
            )


def _given(params: Mapping[str, Any], name: str, otherwise: Any) -> Any:
    """An empty text is a value too: it takes a target away."""
    value = params.get(name)
    return otherwise if value is None else value


def _check_heartbeat(seconds: int) -> None:
    if HEARTBEAT_SECONDS_MIN <= seconds <= HEARTBEAT_SECONDS_MAX:
        return
    least = seconds < HEARTBEAT_SECONDS_MIN
    words, bound = ("greater", HEARTBEAT_SECONDS_MIN) if least else ("less", HEARTBEAT_SECONDS_MAX)
    raise _refused(
        f"1 validation error detected: Value '{seconds}' at 'heartbeatTimeout' failed to satisfy constraint: Member "
        f"must have value {words} than or equal to {bound}"
    )


def _refused(message: str) -> ApiError:
    return ApiError("ValidationError", message)
