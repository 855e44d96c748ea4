"""The wishes that are asked or have failed, and the ways to find them: by key, by subject.

A look at a region brings thousands of groups at once, and each asks what is wished about it: so nothing here looks
through all.
"""

from __future__ import annotations  # rpds' map takes its type parameters in an annotation only

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from rpds import HashTrieMap

from spotward.model.altered import altered
from spotward.model.wish import WishState


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes(Mapping[str, WishState]):
    """Key → where the wish stands. One that was done, or that nobody has any more, is not among them."""

    by_key: HashTrieMap[str, WishState] = field(default_factory=HashTrieMap)
    keys_of: HashTrieMap[str, tuple[str, ...]] = field(default_factory=HashTrieMap)
    """Subject → keys of the wishes about it, in order."""

    def __getitem__(self, key: str) -> WishState:
        return self.by_key[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_key)

    def __len__(self) -> int:
        return len(self.by_key)

    def about(self, subject: str) -> Iterable[tuple[str, WishState]]:
        """Key and state of each wish about a subject, ordered by key."""
        return ((key, self.by_key[key]) for key in self.keys_of.get(subject, ()))

    def with_wish(self, key: str, state: WishState) -> Wishes:
        """With a wish as it now stands."""
        return altered(self, by_key=self.by_key.insert(key, state), keys_of=self._keys_with(key, state))

    def _keys_with(self, key: str, state: WishState) -> HashTrieMap[str, tuple[str, ...]]:
        if state.action is None or key in (about := self.keys_of.get(state.action.subject, ())):
            return self.keys_of
        return self.keys_of.insert(state.action.subject, tuple(sorted((*about, key))))

    def without(self, key: str) -> Wishes:
        """Without that one."""
        known = self.by_key.get(key)
        if known is None:
            return self
        return altered(self, by_key=self.by_key.discard(key), keys_of=self._keys_without(key, known))

    def _keys_without(self, key: str, known: WishState) -> HashTrieMap[str, tuple[str, ...]]:
        if known.action is None:
            return self.keys_of
        subject = known.action.subject
        keys = tuple(other for other in self.keys_of.get(subject, ()) if other != key)
        return self.keys_of.insert(subject, keys) if keys else self.keys_of.discard(subject)
