"""What of the cluster is known, and what of it was not told yet.

A shelf takes the news of one watch, thing by thing, and gives them away in batches. What changed twice in between is
told once, as it is now; what came and went in between is told as gone. A heartbeat, which changes nothing but a
version, stirs nobody.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from spotward.kube.watch import Changed, Listed, Removed
from spotward.model.cluster import Budget, Node, Pod, VolumeAttachment

T = TypeVar("T", Node, Pod, Budget, VolumeAttachment)


def differs(before: T | None, after: T) -> bool:
    """Is anything of it otherwise? The version changes with every write, and says nothing by itself."""
    return before is None or replace(before, version="") != replace(after, version="")


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch(Generic[T]):
    """What there is to tell of one kind."""

    items: tuple[T, ...]
    gone: tuple[T, ...] = ()
    """As they last were."""
    whole: bool = False
    """These are all there are."""


@dataclass(kw_only=True)
class Shelf(Generic[T]):
    """All things of one kind."""

    name_of: Callable[[T], str]
    wanted: Callable[[T], bool] = lambda _: True
    """The others are not kept."""
    known: dict[str, T] = field(default_factory=dict)
    _whole: bool = False
    _changed: set[str] = field(default_factory=set)
    _gone: dict[str, T] = field(default_factory=dict)

    def take(self, news: Listed[T] | Changed[T] | Removed[T]) -> None:
        """Put it in its place."""
        match news:
            case Listed(items=items):
                self.known = {self.name_of(item): item for item in items if self.wanted(item)}
                self._whole, self._changed, self._gone = True, set(), {}
            case Changed(item=item) if self.wanted(item):
                name = self.name_of(item)
                if differs(self.known.get(name), item):
                    self._changed.add(name)
                    self._gone.pop(name, None)
                self.known[name] = item
            case Removed(item=item) if self.known.pop(self.name_of(item), None) is not None:
                self._changed.discard(self.name_of(item))
                self._gone[self.name_of(item)] = item
            case _:
                pass

    def take_part(self, news: Listed[T], belongs: Callable[[T], bool]) -> None:
        """All that there is of a part; the others stay as they were."""
        items = [item for item in self.known.values() if not belongs(item)]
        items += news.items
        self.take(Listed(items=tuple(items)))

    def empty(self) -> None:
        """What stood here is followed no more."""
        if self.known:
            self.take(Listed(items=()))

    def batch(self) -> Batch[T] | None:
        """What was not told yet; from here on it counts as told. None if there is nothing."""
        if not (self._whole or self._changed or self._gone):
            return None
        names: Iterable[str] = self.known if self._whole else sorted(self._changed)
        items = tuple(self.known[name] for name in names)
        told = Batch(items=items, gone=() if self._whole else tuple(self._gone.values()), whole=self._whole)
        self._whole, self._changed, self._gone = False, set(), {}
        return told


@dataclass(kw_only=True)
class PodShelves:
    """All pods, by node; only those of nodes that somebody asked about are told."""

    listed: bool = False
    _nodes: dict[str, Shelf[Pod]] = field(default_factory=dict)
    _asked: dict[str, str] = field(default_factory=dict)
    """Node → id of its instance."""
    _stirred: set[str] = field(default_factory=set)

    def take(self, news: Listed[Pod] | Changed[Pod] | Removed[Pod]) -> None:
        """Put it in its place. A pod that has no node yet is of no interest."""
        if isinstance(news, Listed):
            self._begin_anew(news.items)
            return
        if (node := news.item.node) is not None:
            self._shelf(node).take(news)
            self._stirred.add(node)
            if not self._shelf(node).known and node not in self._asked:
                del self._nodes[node]

    def of(self, node: str) -> tuple[Pod, ...]:
        """The pods of a node."""
        return tuple(self._nodes[node].known.values()) if node in self._nodes else ()

    def ask(self, node: str, instance_id: str) -> tuple[Pod, ...]:
        """The pods of a node; what changes from here on is to be told."""
        self._asked[node] = instance_id
        self._shelf(node).batch()
        return self.of(node)

    def forget(self, node: str) -> None:
        """What changes there is not to be told any more."""
        self._asked.pop(node, None)

    def batches(self) -> list[tuple[str, str, Batch[Pod]]]:
        """Node, id of its instance, and what was not told yet."""
        stirred = sorted(self._stirred & self._asked.keys())
        self._stirred = set()
        told = ((node, self._asked[node], self._shelf(node).batch()) for node in stirred)
        return [(node, instance_id, batch) for node, instance_id, batch in told if batch is not None]

    def _begin_anew(self, pods: tuple[Pod, ...]) -> None:
        by_node: dict[str, list[Pod]] = {node: [] for node in self._asked}
        for pod in pods:
            if pod.node is not None:
                by_node.setdefault(pod.node, []).append(pod)
        self._nodes = {}
        for node, items in by_node.items():
            self._shelf(node).take(Listed(items=tuple(items)))
        self._stirred = set(self._asked)
        self.listed = True

    def _shelf(self, node: str) -> Shelf[Pod]:
        if node not in self._nodes:
            self._nodes[node] = Shelf(name_of=lambda pod: pod.uid)
        return self._nodes[node]
