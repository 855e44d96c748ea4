"""What an agent tells Prometheus of its deeds, in the daemon's names: one node's drains, written by hand.

It listens to the live shell, as the daemon's view does, and counts no more than what came to pass: a thousand agents
with a sample for each kind of deed and outcome would fill Prometheus with zeros.
"""

from collections.abc import Iterable

from spotward.engine.core import Step
from spotward.model.event import Event
from spotward.model.world import World
from spotward.web.exposition import Family
from spotward.web.node_questions import nodes_drained, open_incidents, pods_gone, pods_held
from spotward.web.tallies.deeds import DeedTally
from spotward.web.tallies.drains import DrainTally


class NodeView:
    """A listener of the live shell. To be used on the shell's own loop."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        self._world, self._deeds, self._drains = World(), DeedTally(), DrainTally()

    def __call__(self, event: Event, step: Step) -> None:
        """A step was stored."""
        self._deeds.hear(self._world, event)
        self._drains.hear(self._world, step)
        self._world = step.world

    def families(self) -> Iterable[Family]:
        """As it is now."""
        drains = self._drains.now
        yield Family(
            name="spotward_deeds_total",
            help="Deeds that were answered: done, failed, unknown (no answer came).",
            labels=("kind", "outcome"),
            kind="counter",
            samples=tuple((each, float(number)) for each, number in sorted(self._deeds.now.answered.items())),
        )
        yield Family(
            name="spotward_incidents",
            help="Open incidents of the node, by what was heard.",
            labels=("cause",),
            samples=tuple(open_incidents(self._world)),
        )
        yield Family(
            name="spotward_pods_held",
            help="Pods that a disruption budget or the like keeps on the node.",
            samples=(((), float(pods_held(self._world))),),
        )
        yield Family(
            name="spotward_nodes_drained_total",
            help="How often the node was emptied.",
            labels=("cause",),
            kind="counter",
            samples=tuple(nodes_drained(drains)),
        )
        yield Family(
            name="spotward_pods_gone_total",
            help="Pods of it that went: graceful, shortened, past-budget, killed.",
            labels=("how",),
            kind="counter",
            samples=tuple(pods_gone(drains)),
        )
        took = sum(each.total for each in drains.seconds.values())
        yield _seconds("spotward_drain_seconds_total", "How long emptying it took.", took)
        yield _seconds("spotward_drain_spare_seconds_total", "How much time was left.", drains.left_seconds.total)


def _seconds(name: str, words: str, seconds: float) -> Family:
    return Family(name=name, help=words, kind="counter", samples=(((), seconds),))
