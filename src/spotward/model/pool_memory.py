"""What a pool did to us, and for how long it is therefore left alone."""

from dataclasses import dataclass

CAPACITY_CODES = frozenset(
    {
        "InsufficientInstanceCapacity",
        "InsufficientHostCapacity",
        "InsufficientReservedInstanceCapacity",
        "InsufficientCapacity",
        "UnfulfillableCapacity",
        "SpotMaxPriceTooLow",
        "Unsupported",
    }
)
"""Error codes that say something about one pool; a pool that gave one is left alone for a while."""

POOL_PAUSE_FIRST_SECONDS = 300.0
"""How long a pool is left alone after it first ran dry. Each further time doubles it: capacity that is gone
usually stays gone for minutes to hours, and each try costs a call."""

POOL_PAUSE_SECONDS_MAX = 4 * 3600.0
"""The pause grows no further than this, so that a pool that recovered is found again the same day."""

POOL_PAUSE_DOUBLINGS_MAX = 20
"""More doublings change nothing, and a pool that has been dry for half a year would double beyond any number."""

POOL_FORGET_SECONDS = 24 * 3600.0
"""After so long without trouble a pool starts again with a clean slate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolMemory:
    """What a pool did to us lately."""

    failures: int
    until: float
    """Left alone until then."""
    last_time: float
    reason: str


def troubled(known: PoolMemory | None, *, time: float, reason: str) -> PoolMemory:
    """What is known of a pool once it failed us (again): it rests, longer each time.

    What it does while it rests is still the same failure, so that a storm of notices from one pool counts once.
    """
    if known is None or time - known.last_time > POOL_FORGET_SECONDS:
        failures = 1
    else:
        failures = known.failures + (time >= known.until)
    doublings = min(failures - 1, POOL_PAUSE_DOUBLINGS_MAX)
    pause = min(POOL_PAUSE_FIRST_SECONDS * 2**doublings, POOL_PAUSE_SECONDS_MAX)
    return PoolMemory(failures=failures, until=time + pause, last_time=time, reason=reason)
