"""What was saved since the process began: the estimate of each moment, times how long it held.

It is the estimate of `figures`, no other: prices of the last ranking of pools, and only members whose prices are known.
Where no price is known nothing is added, rather than a guess. It may fall, where Spot costs more than on-demand.
"""

from spotward.groups.policy import GroupsPolicy
from spotward.model.world import World
from spotward.web.figures import savings
from spotward.web.tallies.bounded import Counts

LOOK_SECONDS = 300.0
"""So often the estimate is worked out; in between it is taken to stay. It costs a tenth of a second of the loop for ten
thousand instances, so it is not done for each event."""

GROUPS_MAX = 5_000
"""So many groups are told apart, those that are no more included."""

HOUR_SECONDS = 3600.0


class SavingTally:
    """Adds up. To be told of every World that was stored."""

    def __init__(self, policy: GroupsPolicy) -> None:
        """Nothing was saved yet. policy: tells which groups are ours."""
        self._policy = policy
        self._accrued = Counts(most=GROUPS_MAX)
        self._per_hour: dict[tuple[str, str, str], float] = {}
        self._time: float | None = None
        """Until when it is added up."""
        self._looked_time: float | None = None

    def hear(self, world: World, *, time: float) -> None:
        """A step was stored. time: now."""
        if self._looked_time is not None and time - self._looked_time < LOOK_SECONDS:
            return
        self._add_up(time)
        self._looked_time = time
        found = savings(world, self._policy)
        self._per_hour = {
            (group.region, group.name, saving.currency): saving.per_hour
            for group_id, saving in found.items()
            if (group := world.groups.get(group_id)) is not None
        }

    def at(self, time: float) -> dict[tuple[str, ...], float]:
        """(region, group, currency) → what was saved by then."""
        self._add_up(time)
        return self._accrued.now

    def _add_up(self, time: float) -> None:
        if self._time is not None and time > self._time:
            for labels, per_hour in self._per_hour.items():
                self._accrued.add(*labels, number=per_hour * (time - self._time) / HOUR_SECONDS)
        self._time = time if self._time is None else max(self._time, time)
