"""The open orders, and the ways to find them: by key, and by whom their fate depends on."""

from __future__ import annotations  # rpds' map takes its type parameters in an annotation only

from collections.abc import Iterable
from dataclasses import dataclass, field

from rpds import HashTrieMap

from spotward.model.altered import altered
from spotward.model.order import Order


@dataclass(frozen=True, kw_only=True, slots=True)
class Orders:
    """Open orders."""

    by_key: HashTrieMap[str, Order] = field(default_factory=HashTrieMap)
    keys_at: HashTrieMap[str, tuple[str, ...]] = field(default_factory=HashTrieMap)
    """Whom their fate depends on → keys, in order."""

    def __len__(self) -> int:
        return len(self.by_key)

    def get(self, key: str) -> Order | None:
        """The open order of that key, or None."""
        return self.by_key.get(key)

    def at(self, subject: str) -> tuple[Order, ...]:
        """Those whose fate depends on it now, the oldest first."""
        return tuple(sorted((self.by_key[key] for key in self.keys_at.get(subject, ())), key=age))

    def all(self) -> Iterable[Order]:
        """Every open order, the oldest first: a map's own order differs from process to process."""
        return sorted(self.by_key.values(), key=age)

    def with_order(self, order: Order) -> Orders:
        """With an order as it now stands; without it once it has ended."""
        before = self.by_key.get(order.key)
        now = order if order.ended is None else None
        keys_at = self.keys_at
        if before is not None and (now is None or now.at != before.at):
            others = tuple(key for key in keys_at.get(before.at, ()) if key != order.key)
            keys_at = keys_at.insert(before.at, others) if others else keys_at.discard(before.at)
        if now is not None and order.key not in keys_at.get(now.at, ()):
            keys_at = keys_at.insert(now.at, tuple(sorted((*keys_at.get(now.at, ()), order.key))))
        by_key = self.by_key.discard(order.key) if now is None else self.by_key.insert(order.key, now)
        return altered(self, by_key=by_key, keys_at=keys_at)


def age(order: Order) -> tuple[float, str]:
    """Whose turn is first."""
    return (order.born, order.key)
