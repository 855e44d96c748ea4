"""What load balancers still make of a node that is to go: where it is a target, and how far each has let go of it."""

from dataclasses import dataclass

LET_GO = frozenset({"", "unused", "unavailable"})
"""States of a target that gets nothing any more; empty: it is no target there (any more)."""

DRAINING = "draining"
"""It gets nothing new, and what is in flight may end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where an instance is a target: a target group, or a classic load balancer."""

    name: str
    """Its ARN; a classic load balancer has a name alone."""
    classic: bool = False
    managed: bool = False
    """A controller in the cluster decides who is a target there, and takes out nodes that are labelled."""

    @property
    def words(self) -> str:
        """As an operator would name it."""
        return self.name.rpartition("targetgroup/")[2].partition("/")[0] or self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class Balancers:
    """How far load balancers have let go of one node."""

    places: tuple[Place, ...] = ()
    """Where it was asked about: kept, because after a restart they are known only a little later."""
    states: tuple[tuple[str, str], ...] = ()
    """(place, state), as last seen."""
    since: float | None = None
    """When it was first looked at; None before that."""
    look_time: float = 0.0
    """Not before then is it looked at again."""
    over: bool = False
    """Nothing of it need be waited for any more."""
