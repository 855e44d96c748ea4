"""A Deployment as far as a drain needs it: how many pods it wants, how many serve, and one more that we lent it.

A `Surge` is one such loan. It stands on the incident before anything is asked, so whoever goes on after a crash knows
what its owner had. Who set the number last is known by the API server itself, which notes the owner of each field: only
while that is us is anything put back.
"""

from dataclasses import dataclass
from enum import StrEnum

from spotward.model.cluster import Pod

HASH_LABEL = "pod-template-hash"
"""A Deployment names its ReplicaSets after itself and this label of their pods."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """A Deployment as it stands."""

    namespace: str
    name: str
    uid: str
    replicas: int
    """How many pods are wanted."""
    available: int = 0
    """How many are ready, and have been for as long as the Deployment asks for (`minReadySeconds`)."""
    settled: bool = True
    """Its controller has seen the newest number."""
    ours: bool = False
    """Nobody has set the number since we did."""
    autoscaler: str = ""
    """Name of the HorizontalPodAutoscaler that sets the number; empty without one, or where that was not asked."""


class SurgeState(StrEnum):
    """How far a loan is."""

    LOOKING = "looking"
    """How does the Deployment stand, and does it need one?"""
    RAISING = "raising"
    RAISED = "raised"
    """One more is wanted, and not available yet."""
    READY = "ready"
    """One more serves: the pods of the node may go."""
    LOWERING = "lowering"
    OVER = "over"


@dataclass(frozen=True, kw_only=True, slots=True)
class Surge:
    """One more pod of a Deployment, for as long as those on a node are moved."""

    namespace: str
    name: str
    state: SurgeState = SurgeState.LOOKING
    since: float
    """When it came into its state."""
    uid: str = ""
    before: int = 0
    """How many pods its owner wanted."""
    look_time: float = 0.0
    """Not before then is the Deployment looked at again."""
    held: str = ""
    """Why its pods stay although the loan is over, in words; empty where they may go."""
    why: str = ""
    """What came of it, in words, once it is over."""

    @property
    def id(self) -> str:
        """`namespace/name`, as an operator would write it."""
        return f"{self.namespace}/{self.name}"

    @property
    def open(self) -> bool:
        """Is there still something to do or to undo?"""
        return self.state is not SurgeState.OVER


def deployment_of(pod: Pod) -> str | None:
    """Name of the Deployment that makes the pod again, or None if none does."""
    made_by, template = pod.owner, pod.labels.get(HASH_LABEL, "")
    if made_by is None or made_by.kind != "ReplicaSet" or not template:
        return None
    name, _, rest = made_by.name.rpartition("-")
    return name if rest == template and name else None
