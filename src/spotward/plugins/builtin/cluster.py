"""What the plugin `kubernetes` needs of a cluster. The wiring brings it; nothing here knows an API server.

Every method may raise OutsideError: Transient where another try may help, Permanent where somebody must change
something first, each in words for a person.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from spotward.model.cluster import Node, Pod
from spotward.model.incident import Marks
from spotward.model.node_event import PodAnswer
from spotward.model.node_order import NodeWanted
from spotward.model.order import Order


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """What makes pods again: a Deployment, a StatefulSet, a DaemonSet; by name, in a namespace."""

    kind: str
    namespace: str
    name: str

    @property
    def words(self) -> str:
        """How a person names it."""
        return f"the {self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pods:
    """Which pods are meant, in one namespace: one by name, those of a workload, or those with labels."""

    namespace: str
    name: str = ""
    workload: Workload | None = None
    selector: str = ""
    """As `kubectl get pods -l` takes it: `app=web,tier in (front, back)`."""

    @property
    def words(self) -> str:
        """How a person names them."""
        if self.workload is not None:
            return f"the pods of {self.workload.words}"
        return f"the pod {self.namespace}/{self.name}" if self.name else f"the pods {self.selector} of {self.namespace}"


NONE = Marks()


@dataclass(frozen=True, kw_only=True, slots=True)
class Marked:
    """How marks stand on a node that were to be set, or taken back."""

    changed: Marks = NONE
    """Set, or taken back, now."""
    ours: Marks = NONE
    """There, and set by steps of rules, now or earlier."""
    others: Marks = NONE
    """There, and somebody else's: they stay."""
    instead: Marks = NONE
    """Somebody else's, in the place of what was to be set: another value of the same."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unmark:
    """What is to be taken back, by name."""

    cordon: bool = False
    taints: tuple[str, ...] = ()
    """Keys."""
    labels: tuple[str, ...] = ()
    """Names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaled:
    """How many pods a workload wanted and wants."""

    before: int
    after: int
    repeated: bool = False
    """It had been done already, by an earlier call with the same key."""


Size = Callable[[int], int]
"""From how many pods are wanted to how many shall be."""

Tell = Callable[[str], Awaitable[None]]


class Cluster(Protocol):
    """One cluster, for steps of the user's rules."""

    @property
    def name(self) -> str:
        """As the operator calls it."""
        ...

    async def nodes(self) -> Iterable[Node]:
        """Every node, as last seen."""
        ...

    async def mark(self, node: Node, marks: Marks) -> Marked:
        """Set what is not there, and note on the node that it is ours."""
        ...

    async def unmark(self, node: Node, what: Unmark) -> Marked:
        """Take back what steps of rules had set, and nothing else."""
        ...

    async def order(self, key: str, wanted: NodeWanted, *, by: str, tell: Tell) -> Order:
        """Order something of whoever decides about nodes: the order, once it is over."""
        ...

    async def pods(self, which: Pods) -> tuple[Pod, ...]:
        """The pods that are meant, as they are now."""
        ...

    async def evict(self, pods: Iterable[Pod]) -> tuple[PodAnswer, ...]:
        """Ask each of them to go, with every disruption budget having its say, in its own time."""
        ...

    async def scale(self, workload: Workload, size: Size, *, key: str, exact: bool) -> Scaled:
        """Set how many pods it wants. exact: the size is the same whatever there is, so asking twice changes nothing;
        else the key is noted on the workload together with the number.
        """
        ...

    async def restart(self, workload: Workload, *, key: str) -> bool:
        """Let its controller replace its pods in its own way. False: that was done already, by the same key."""
        ...
