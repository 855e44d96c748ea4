"""Terminating instances of ours that are in no group: all that can be, whatever one of them is up to.

TerminateInstances takes a list and refuses all of it for one unknown id. An id that EC2 does not know is an instance
that is gone, which is what was wanted; unless it was launched a moment ago, for then EC2 may only not show it yet, and
to call it gone would leave it running for nobody.
"""

import re
from collections.abc import Iterable

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
    """Ends instances, and knows which ones this process launched a moment ago."""

    def __init__(self, aws: Aws, clock: Clock) -> None:
        self._aws, self._clock = aws, clock
        self._born: dict[str, float] = {}

    def note_newborn(self, instance_ids: Iterable[str]) -> None:
        """These were launched now."""
        now = self._clock.now()
        self._born = {i: time for i, time in self._born.items() if now - time < NEWBORN_SECONDS}
        self._born.update(dict.fromkeys(instance_ids, now))

    async def terminate(self, deed: TerminateInstances) -> None:
        """Terminate all of them. Raises Transient while one is too young to be found, else as the call does."""
        left, unseen = set(deed.instance_ids), set[str]()
        while left:
            unknown = await self._unknown(deed.region, sorted(left))
            if not unknown:
                break
            left -= unknown
            unseen |= {i for i in unknown if self._is_newborn(i)}
        if unseen:
            raise Transient(
                f"EC2 does not show {listed(sorted(unseen))} yet; terminated as soon as it does",
                code=NOT_FOUND,
                retry_after_seconds=RETRY_AFTER_NEWBORN_SECONDS,
            )

    async def _unknown(self, region: str, instance_ids: list[str]) -> set[str]:
        """Ask once: none when all are being terminated, else those for which EC2 refused the whole list."""
        try:
            await self._aws.call(region, "ec2", "terminate_instances", InstanceIds=instance_ids)
        except OutsideError as error:
            named = set(_INSTANCE_ID.findall(str(error))) & set(instance_ids) if error.code == NOT_FOUND else set()
            if named:
                return named
            if error.code == PROTECTED:
                raise Permanent(f"{error}; turn off its API termination protection", code=PROTECTED) from error
            raise
        return set()

    def _is_newborn(self, instance_id: str) -> bool:
        born = self._born.get(instance_id)
        return born is not None and self._clock.now() - born < NEWBORN_SECONDS
