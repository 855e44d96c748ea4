"""What a scenario does to the virtual region itself at its moments: interruptions, maintenance, slow requests.

The other shocks change how the market or the API answers, and are looked up by those; these are deeds, and somebody has
to do them when their time has come. Whoever moves a region's time asks here on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from heapq import heappop, heappush

from spotward.sim.cloud import Cloud
from spotward.sim.shocks import Interruption, MaintenanceWithdrawal, ScheduledMaintenance, Shock, SlowRequests

Deed = Callable[[Cloud], None]


class Drills:
    """The deeds that one region's scenario has still to do."""

    def __init__(self, *, region: str, start_time: float) -> None:
        """Nothing is scripted yet. `start_time`: of the scenario, Unix seconds."""
        self._region = region
        self._start_time = start_time
        self._due: list[tuple[float, int, Deed]] = []
        self._planned = 0

    def add(self, shock: Shock) -> None:
        """Plan what the shock does; one of another region or of another kind does nothing here."""
        if not fnmatchcase(self._region, shock.region):
            return
        match shock:
            case Interruption():
                self._plan(
                    shock.at_seconds,
                    lambda cloud: cloud.interrupt_pool(pool=shock.pool, group=shock.group, count=shock.count),
                )
            case ScheduledMaintenance():
                self._plan(shock.at_seconds, lambda cloud: self._announce(shock, cloud))
            case MaintenanceWithdrawal():
                self._plan(
                    shock.at_seconds,
                    lambda cloud: cloud.withdraw_maintenance(
                        pool=shock.pool, group=shock.group, instance=shock.instance
                    ),
                )
            case SlowRequests():
                self._slow_down(shock)
            case _:
                pass

    def next_time(self) -> float | None:
        """When the next deed is due; None when none is."""
        return self._due[0][0] if self._due else None

    def advance(self, cloud: Cloud, time: float) -> None:
        """Bring the region to `time`, with each deed done at its own moment."""
        while self._due and self._due[0][0] <= time:
            due, _, deed = heappop(self._due)
            cloud.advance(due)
            deed(cloud)
        cloud.advance(time)

    def _plan(self, seconds: float, deed: Callable[[Cloud], object]) -> None:
        def do(cloud: Cloud) -> None:
            deed(cloud)

        self._planned += 1
        heappush(self._due, (self._start_time + seconds, self._planned, do))

    def _slow_down(self, shock: SlowRequests) -> None:
        self._plan(shock.at_seconds, lambda cloud: cloud.requests_take(shock.target_group, shock.seconds))
        if shock.until_seconds is not None:
            self._plan(shock.until_seconds, lambda cloud: cloud.requests_take(shock.target_group, None))

    def _announce(self, shock: ScheduledMaintenance, cloud: Cloud) -> None:
        hit = cloud.announce_maintenance(shock)
        if shock.until_seconds is not None and hit:
            self._plan(shock.until_seconds, lambda later: [later.withdraw_maintenance(instance=one) for one in hit])
