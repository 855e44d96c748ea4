"""The limits of the live shell. Each has a name, a unit, and a reason."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from spotward.model.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class LivePolicy:
    """How the shell runs the core."""

    observe_seconds: float = 60.0
    """How often every region is looked at, whether or not an event came.

    A minute: events bring what is urgent, looking finds what no event told, and DescribeInstances of 10,000 instances
    costs seconds of CPU. Set 0 to look at no region by itself.
    """

    inbox_max: int = 1_000
    """How many events may wait for the core. When it is full the sources wait, and messages stay in their queue."""

    batch_max: int = 100
    """How many waiting events are thought about before their pages are written together, by one sync to the disk."""

    at_once: int = 8
    """How many actions of one kind may be under way at once, where `at_once_of` names no other number.

    AWS gives each API a bucket of some hundred calls; eight calls of 100 ms each are what refills it.
    """

    at_once_of: Mapping[str, int] = field(
        default_factory=lambda: {
            "observe-region": 4,
            "launch-fleet": 16,
            "attach-instances": 16,
            "retire-member": 16,
            "cordon-node": 32,
            "watch-pods": 32,
            "find-instance": 16,
            "call-plugin": 1_000,
        }
    )
    """Kind of action → how many of it may be under way at once. Regions are few, because each takes much memory. Nodes
    are cordoned by the dozen, so that in a storm no pod moves from one that goes to another that goes. Instances are
    looked for together, so many in a call; more of them would hold up the notices that are still to be read. Of calls
    of plugins each plugin has a limit of its own."""

    at_leisure: frozenset[str] = frozenset({"tell-cluster"})
    """Kinds of action that only tell: in a storm they wait until nothing urgent is under way, because what they would
    take of the API server is missing where nodes are being emptied."""

    leisure_seconds_max: float = 30.0
    """They wait no longer than this."""

    action_seconds_max: float = 900.0
    """An action that has not answered by then is given up, its outcome unknown. Adapters have tighter limits of their
    own; this one only keeps a fault in them from blocking a wish for ever."""

    shutdown_seconds: float = 30.0
    """How long a stopping Spotward waits for what is under way. What is cut off is found in doubt at the next start."""

    lease_seconds: float = 60.0
    """For how long the lease on the journal is taken. It is renewed five times in its length; who cannot renew it stops
    beginning anything when seven tenths of it are over."""

    standby_seconds: float | None = None
    """How often a process that finds the lease taken asks for it again. None: it does not wait, but says who has it and
    ends, which is right where a second process can only be a mistake."""

    standby_seconds_max: float = math.inf
    """For how long it goes on asking. What a killed process left is free within the length of a lease."""

    snapshot_inputs: int = 5_000
    """After so many events the whole World is kept, so that replay need not begin further back."""

    snapshot_apart_seconds: float = 60.0
    """But in a flood no sooner than so long after the last time: with thousands of flows open it takes half a second,
    for which whoever brings something waits."""

    snapshot_seconds: float = 3_600.0
    """And after so long, if there was any event."""

    source_pause_first_seconds: float = 1.0
    """How long a source that failed is left alone; doubled at each further failure in a row."""

    source_pause_seconds_max: float = 60.0
    """The pause of a source grows no further: a queue that comes back is heard within a minute."""

    def __post_init__(self) -> None:
        for name in ("inbox_max", "batch_max", "at_once", "snapshot_inputs"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; give 1 or more")
        if any(number < 1 for number in self.at_once_of.values()):
            raise ConfigError("at_once_of holds a number below 1; give 1 or more")
        if self.observe_seconds < 0:
            raise ConfigError(f"observe_seconds is {self.observe_seconds:g}; give 0 or more")
        for name in (
            *("action_seconds_max", "lease_seconds", "snapshot_seconds", "source_pause_first_seconds"),
            *(("standby_seconds",) if self.standby_seconds is not None else ()),
        ):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name):g}; give a number above 0")
