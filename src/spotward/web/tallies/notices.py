"""What EC2 has said of instances that we know: how often each type is interrupted, and how old such news is.

Only an instance that the World knows lends its type and its region to a label: what somebody makes up in a message has
none. One instance counts once for each kind of notice, however often it comes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from spotward.model.event import Event, InterruptionNoticed, RebalanceAdvised, Told
from spotward.model.histogram import Distribution, Histogram
from spotward.model.world import World
from spotward.web.tallies.bounded import Counts

NOTICES = ("interruption", "rebalance")

AGE_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
"""Of two minutes each second counts; a queue that nobody read for an hour shows in the last bucket."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notices:
    """What was heard by now."""

    heard: Mapping[tuple[str, ...], float] = field(default_factory=dict)
    """(region, instance type, notice) → how many instances."""
    age_seconds: Distribution = field(default_factory=lambda: Distribution.empty(AGE_SECONDS))
    """How long ago what was told of an instance had happened when it was stored: what queues and we ourselves took."""


class NoticeTally:
    """Counts. To be told of every event whose step was stored, with the World before it."""

    def __init__(self) -> None:
        """Nothing was heard yet."""
        self._heard, self._age = Counts(), Histogram(AGE_SECONDS)

    @property
    def now(self) -> Notices:
        """As it is now."""
        return Notices(heard=self._heard.now, age_seconds=self._age.now)

    def hear(self, before: World, event: Event, *, time: float) -> None:
        """A step was stored. time: now."""
        if isinstance(event, get_args(Told)):
            self._age.count(time - event.time)
        match event:
            case InterruptionNoticed(instance_id=instance_id):
                doom = before.dooms.get(instance_id)
                if doom is None or doom.deadline is None:
                    self._count(before, instance_id, "interruption")
            case RebalanceAdvised(instance_id=instance_id) if instance_id not in before.dooms:
                self._count(before, instance_id, "rebalance")
            case _:
                pass

    def _count(self, before: World, instance_id: str, notice: str) -> None:
        known = before.instances.get(instance_id)
        if known is not None:
            self._heard.add(known.region, known.instance_type, notice)
