"""Events, actions, pages, undertakings and worlds as JSON, and back. How: `shape`."""

import json
from typing import Any, Generic, TypeVar

from spotward.engine.shape import plain, reader
from spotward.model.cloud import Pool
from spotward.model.event import Event
from spotward.model.flow import Flow, Turn
from spotward.model.incident import Incident
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


class Codec(Generic[Value]):
    """One type, written and read."""

    def __init__(self, hint: Any) -> None:
        self._hint = hint

    def text(self, value: Value) -> bytes:
        """See `text_of`."""
        return text_of(value)

    def value(self, text: bytes | str) -> Value:
        """What the text says. Raises ValueError for text that this version cannot read."""
        read: Value = reader(self._hint)(json.loads(text))
        return read


EVENTS: Codec[Event] = Codec(Event)
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
    Swap.kind: Codec(Swap),
    Incident.kind: Codec(Incident),
    Flow.kind: Codec(Flow),
}
"""Kind → how undertakings of that kind are written."""

_WORLDS: Codec[World] = Codec(World)


def world_text(world: World) -> bytes:
    """The whole World, each of its maps as a list of pairs, so that none is forgotten."""
    return text_of(world)


def world_value(text: bytes) -> World:
    """The World that `world_text` wrote; what an older text lacks has its default. Raises ValueError."""
    return _WORLDS.value(text)
