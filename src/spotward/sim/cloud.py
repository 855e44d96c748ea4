"""One region of one AWS account, on virtual time.

The region is spoken to in boto3's shapes: `call("ec2.DescribeInstances", {...}, time=t)` takes the parameters that a
boto3 user would pass and returns the dictionary that boto3 would return, without ResponseMetadata; a refusal is an
`ApiError`. It rolls seeded dice, touches nothing outside itself and knows no time but the one it is told: the same seed
and the same calls at the same times give the same history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spotward.sim.pools import Pools
from spotward.sim.prices import ListPrice
from spotward.sim.surroundings import Surroundings
from spotward.sim.timings import Timings


class Cloud:
    """The virtual region. Not safe for threads: the caller holds a lock."""

    operations: frozenset[str] = frozenset()
    """What `call` answers, as "service.Operation"."""

    def __init__(
        self,
        *,
        region: str,
        account: str,
        seed: int,
        pools: Pools,
        start_time: float,
        instance_types: Mapping[str, Mapping[str, Any]],
        offerings: Mapping[str, Sequence[str]],
        surroundings: Surroundings,
        timings: Timings | None = None,
        list_price: ListPrice | None = None,
    ) -> None:
        """`instance_types`: type -> its entry of DescribeInstanceTypes. `offerings`: zone name -> types sold there."""
        raise NotImplementedError

    def owns(self, operation: str, params: Mapping[str, Any]) -> bool:
        """Does `call` answer this one? Tags, say, only of what lives here; target health only of instance targets."""
        raise NotImplementedError

    def call(self, operation: str, params: Mapping[str, Any], *, time: float) -> dict[str, Any]:
        """Advance to `time`, then answer. Raises ApiError with AWS's code and words."""
        raise NotImplementedError

    def advance(self, time: float) -> None:
        """Let everything happen that is due until `time`, in order of time. Going back does nothing."""
        raise NotImplementedError

    def take_events(self) -> list[dict[str, Any]]:
        """EventBridge events since last asked, oldest first, each the whole JSON envelope."""
        raise NotImplementedError

    def next_time(self) -> float | None:
        """When the next internal happening is due; None when nothing is."""
        raise NotImplementedError

    def interrupt(self, instance_ids: Sequence[str]) -> list[str]:
        """Warn these Spot instances now and take them two minutes later. Returns those that it could be done to."""
        raise NotImplementedError

    def interrupt_pool(self, *, pool: str = "*", group: str = "*", count: int | None = None) -> list[str]:
        """Interrupt up to `count` (None: all) Spot instances of pools "type/az" and groups that match the globs."""
        raise NotImplementedError

    def recheck_pools(self) -> None:
        """Ask the pools again, now: call it after `Pools.shock`, whose effect no earlier answer could foretell."""
        raise NotImplementedError
