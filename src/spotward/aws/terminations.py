"""Terminating instances of ours that are in no group: all that can be, whatever one of them is up to.

TerminateInstances takes a list and refuses all of it for one id that is unknown or protected; so that one is left out
and the rest is asked again. An id that EC2 does not know is an instance that is gone, which is what was wanted; unless
it may have been launched a moment ago, for then EC2 may only not show it yet, and to call it gone would leave it
running for nobody. The deed says when that was, for the process that launched it may be dead. One that is protected is
the user's to let go.
"""

import re

from spotward.aws.session import Aws
from spotward.engine.ports import Clock
from spotward.model.action import TerminateInstances
from spotward.model.errors import OutsideError, Permanent, Transient
from spotward.model.units import listed

NOT_FOUND = "InvalidInstanceID.NotFound"
PROTECTED = "OperationNotPermitted"

NEWBORN_SECONDS = 300.0
"""For so long after its launch an unknown instance is one that EC2 does not show yet (its answers are eventually
consistent, "usually within seconds")."""

RETRY_AFTER_NEWBORN_SECONDS = 5.0

_INSTANCE_ID = re.compile(r"i-[0-9A-Za-z]+")


class Terminations:
    """Ends instances."""

    def __init__(self, aws: Aws, clock: Clock) -> None:
        self._aws, self._clock = aws, clock

    async def terminate(self, deed: TerminateInstances) -> None:
        """Terminate all that can be. Raises Transient while one is too young to be found, Permanent for one that is
        protected, else as the call does.
        """
        left, unseen = set(deed.instance_ids), set[str]()
        protected: OutsideError | None = None
        while left and (refusal := await self._refusal(deed.region, sorted(left))) is not None:
            named = set(_INSTANCE_ID.findall(str(refusal))) & left
            if not named:
                raise _explained(refusal)
            left -= named
            if refusal.code == PROTECTED:
                protected = refusal
            elif self._clock.now() - deed.launched_by_time < NEWBORN_SECONDS:
                unseen |= named
        if protected is not None:
            raise _explained(protected)
        if unseen:
            raise Transient(
                f"EC2 does not show {listed(sorted(unseen))} yet; terminated as soon as it does",
                code=NOT_FOUND,
                retry_after_seconds=RETRY_AFTER_NEWBORN_SECONDS,
            )

    async def _refusal(self, region: str, instance_ids: list[str]) -> OutsideError | None:
        """Ask once: None when all are being terminated, else why EC2 refused the whole list because of some."""
        try:
            await self._aws.call(region, "ec2", "terminate_instances", InstanceIds=instance_ids)
        except OutsideError as error:
            if error.code in (NOT_FOUND, PROTECTED):
                return error
            raise
        return None


def _explained(refusal: OutsideError) -> OutsideError:
    """With the next step, where there is one."""
    if refusal.code != PROTECTED:
        return refusal
    return Permanent(f"{refusal}; turn off its API termination protection", code=PROTECTED)
