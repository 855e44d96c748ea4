"""Events, actions, pages, undertakings and worlds as JSON, and back. How: `shape`."""

import json
from typing import Any, Generic, TypeVar

from spotward.engine.shape import plain, reader
from spotward.model.cloud import Pool
from spotward.model.event import Event
from spotward.model.flow import Flow, Turn
from spotward.model.incident import Incident
from spotward.model.order import Order
from spotward.model.page import Page
from spotward.model.pool_memory import PoolMemory
from spotward.model.undertaking import Swap, Undertaking
from spotward.model.wish import WishState
from spotward.model.world import Doom, Pause, World

Value = TypeVar("Value")

_written = json.JSONEncoder(default=plain, separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


def text_of(value: Any) -> bytes:
    """Any of our values as JSON in UTF-8; a number without end is `Infinity`.

    Raises ValueError for text that UTF-8 cannot carry (half a surrogate pair).
    """
    return _written(value).encode()


KEPT_BYTES_MAX = 8 * 1024
"""A longer text is not kept."""


class Codec(Generic[Value]):
    """One type, written and read.

    A value is written several times on its way into the journal: to see that it can be, for the store, for its copy. In
    a storm that is a tenth of all work; so the last texts are kept with their values, which never change.
    """

    def __init__(self, hint: Any, *, kept: int = 0) -> None:
        """kept: so many of the last texts, at most. Threads may share it: a place is read and written whole."""
        self._hint = hint
        self._kept: list[tuple[Value, bytes] | None] = [None] * kept

    def text(self, value: Value) -> bytes:
        """See `text_of`."""
        if not self._kept:
            return text_of(value)
        place = (id(value) >> 4) % len(self._kept)
        known = self._kept[place]
        if known is not None and known[0] is value:
            return known[1]
        text = text_of(value)
        if len(text) <= KEPT_BYTES_MAX:
            self._kept[place] = (value, text)
        return text

    def value(self, text: bytes | str) -> Value:
        """What the text says. Raises ValueError for text that this version cannot read."""
        read: Value = reader(self._hint)(json.loads(text))
        return read


KEPT = 256
"""Of events and of undertakings: more than one batch has."""

EVENTS: Codec[Event] = Codec(Event, kept=KEPT)
PAGES: Codec[Page] = Codec(Page)
WISHES: Codec[WishState] = Codec(WishState)
POOLS: Codec[PoolMemory] = Codec(PoolMemory)
DOOMS: Codec[Doom] = Codec(Doom)
PAUSES: Codec[Pause] = Codec(Pause)
TURNS: Codec[Turn] = Codec(Turn)
VERDICTS: Codec[str] = Codec(str)
POOL_KEYS: Codec[tuple[str, Pool]] = Codec(tuple[str, Pool])
NAMES: Codec[str] = VERDICTS

UNDERTAKINGS: dict[str, Codec[Undertaking]] = {
    Swap.kind: Codec(Swap, kept=KEPT),
    Incident.kind: Codec(Incident, kept=KEPT),
    Flow.kind: Codec(Flow, kept=KEPT),
    Order.kind: Codec(Order, kept=KEPT),
}
"""Kind → how undertakings of that kind are written."""

_WORLDS: Codec[World] = Codec(World)


def world_text(world: World) -> bytes:
    """The whole World, each of its maps as a list of pairs, so that none is forgotten."""
    return text_of(world)


def world_value(text: bytes) -> World:
    """The World that `world_text` wrote; what an older text lacks has its default. Raises ValueError."""
    return _WORLDS.value(text)
