"""Lifecycle hooks: telling Auto Scaling that it may go on, or that it is to wait a while longer.

That nobody waits any more (the hook timed out, was completed by somebody else, or the instance is gone) is a
`ValidationError` of AWS, and comes back as Permanent under that code.
"""

from typing import assert_never

from spotward.aws.session import Aws
from spotward.engine.ports import Clock
from spotward.model.event import Done, Event
from spotward.model.node_action import CompleteLifecycle, HookDeed, RecordHeartbeat


class LifecycleHands:
    """Does what is asked of a group's hooks."""

    def __init__(self, aws: Aws, clock: Clock) -> None:
        self._aws, self._clock = aws, clock

    async def do(self, deed: HookDeed, attempt: int) -> Event:
        """Do it once. Both may be asked again safely: the token names this one wait. Raises OutsideError."""
        match deed:
            case CompleteLifecycle():
                await self._complete(deed)
            case RecordHeartbeat():
                await self._beat(deed)
            case _:
                assert_never(deed)
        return Done(time=self._clock.now(), key=deed.key, attempt=attempt, subject=deed.subject)

    async def _complete(self, deed: CompleteLifecycle) -> None:
        await self._aws.call(
            deed.region,
            "autoscaling",
            "complete_lifecycle_action",
            AutoScalingGroupName=deed.group,
            LifecycleHookName=deed.hook,
            LifecycleActionToken=deed.token,
            InstanceId=deed.instance_id,
            LifecycleActionResult="CONTINUE" if deed.proceed else "ABANDON",
        )

    async def _beat(self, deed: RecordHeartbeat) -> None:
        await self._aws.call(
            deed.region,
            "autoscaling",
            "record_lifecycle_action_heartbeat",
            AutoScalingGroupName=deed.group,
            LifecycleHookName=deed.hook,
            LifecycleActionToken=deed.token,
            InstanceId=deed.instance_id,
        )
