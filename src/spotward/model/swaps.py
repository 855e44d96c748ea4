"""The open swaps, and the ways to find them: by key, by group, by an instance that one of them launched.

A storm opens one for each of hundreds of groups, and each event concerns one or a few: so nothing here looks through
all.
"""

from __future__ import annotations  # rpds' map takes its type parameters in an annotation only

from collections.abc import Iterable
from dataclasses import dataclass, field

from rpds import HashTrieMap

from spotward.model.altered import altered
from spotward.model.cloud import GroupId
from spotward.model.undertaking import Swap


@dataclass(frozen=True, kw_only=True, slots=True)
class Swaps:
    """Open swaps."""

    by_key: HashTrieMap[str, Swap] = field(default_factory=HashTrieMap)
    keys_of: HashTrieMap[GroupId, tuple[str, ...]] = field(default_factory=HashTrieMap)
    """Group → keys of its swaps, in order."""
    key_of: HashTrieMap[str, str] = field(default_factory=HashTrieMap)
    """Instance that was launched → the key of the swap that it was launched for."""

    def __len__(self) -> int:
        return len(self.by_key)

    def of_group(self, subject: GroupId) -> tuple[Swap, ...]:
        """Those of a group, ordered by key: a map's own order differs from process to process."""
        return tuple(self.by_key[key] for key in self.keys_of.get(subject, ()))

    def of_clone(self, instance_id: str) -> Swap | None:
        """The one that launched an instance, or None."""
        key = self.key_of.get(instance_id)
        return self.by_key[key] if key is not None else None

    def groups(self) -> Iterable[GroupId]:
        """Those that have any, in order."""
        return sorted(self.keys_of)

    def with_swap(self, swap: Swap) -> Swaps:
        """With a swap as it now stands; without it once it has ended."""
        now = swap if swap.ended is None else None
        return altered(
            self,
            by_key=self.by_key.insert(swap.key, swap) if now is not None else self.by_key.discard(swap.key),
            keys_of=self._keys_after(swap),
            key_of=self._clones_after(self.by_key.get(swap.key), now),
        )

    def _keys_after(self, swap: Swap) -> HashTrieMap[GroupId, tuple[str, ...]]:
        before = self.keys_of.get(swap.group_id, ())
        if swap.ended is None and swap.key in before:
            return self.keys_of
        others = [key for key in before if key != swap.key]
        keys = sorted([*others, swap.key]) if swap.ended is None else others
        return self.keys_of.insert(swap.group_id, tuple(keys)) if keys else self.keys_of.discard(swap.group_id)

    def _clones_after(self, before: Swap | None, now: Swap | None) -> HashTrieMap[str, str]:
        known = self.key_of
        then, today = _clones(before), _clones(now)
        for instance_id in then - today:
            known = known.discard(instance_id)
        for instance_id in today - then:
            assert now is not None
            known = known.insert(instance_id, now.key)
        return known


def _clones(swap: Swap | None) -> set[str]:
    return {clone.id for clone in swap.clones} if swap is not None else set()
