"""Events, actions, pages, undertakings and worlds as JSON, and back.

The nouns themselves are the schema: pydantic reads their annotations, and the field `kind` tells one event or action
from another. A field that is added with a default reads old text; one that is taken away is ignored in it.
"""

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel, Field, TypeAdapter, create_model
from pydantic_core import to_json
from rpds import HashTrieMap

from spotward.model.action import Action
from spotward.model.cloud import Pool
from spotward.model.event import Event
from spotward.model.page import Page
from spotward.model.pool_memory import PoolMemory
from spotward.model.undertaking import Swap, Undertaking
from spotward.model.wish import WishState
from spotward.model.world import Doom, Pause, World

Value = TypeVar("Value")


class Codec(Generic[Value]):
    """One type, written and read. The reader is made when it is first needed: `explain` needs only one of them."""

    def __init__(self, make: Callable[[], TypeAdapter[Value]]) -> None:
        self._adapter = cache(make)

    def text(self, value: Value) -> bytes:
        """JSON in UTF-8; a number without end is `Infinity`.

        Raises ValueError for text that UTF-8 cannot carry (half a surrogate pair).
        """
        return to_json(value)

    def value(self, text: bytes | str) -> Value:
        """What the text says. Raises ValueError (pydantic's ValidationError) for text that this version cannot read."""
        return self._adapter().validate_json(text)


EVENTS: Codec[Event] = Codec(lambda: TypeAdapter(Annotated[Event, Field(discriminator="kind")]))
ACTIONS: Codec[Action] = Codec(lambda: TypeAdapter(Annotated[Action, Field(discriminator="kind")]))
PAGES: Codec[Page] = Codec(lambda: TypeAdapter(Page))
WISHES: Codec[WishState] = Codec(lambda: TypeAdapter(WishState))
POOLS: Codec[PoolMemory] = Codec(lambda: TypeAdapter(PoolMemory))
DOOMS: Codec[Doom] = Codec(lambda: TypeAdapter(Doom))
PAUSES: Codec[Pause] = Codec(lambda: TypeAdapter(Pause))
VERDICTS: Codec[str] = Codec(lambda: TypeAdapter(str))
POOL_KEYS: Codec[tuple[str, Pool]] = Codec(lambda: TypeAdapter(tuple[str, Pool]))
NAMES: Codec[str] = VERDICTS

SWAP = "swap"
UNDERTAKINGS: dict[str, Codec[Undertaking]] = {SWAP: Codec(lambda: TypeAdapter(Swap))}
"""Kind → how undertakings of that kind are written."""


def kind_of(undertaking: Undertaking) -> str:
    """The kind under which an undertaking is stored."""
    match undertaking:
        case Swap():
            return SWAP


# ---- the whole World -----------------------------------------------------------------------------------------


@cache
def _image() -> type[BaseModel]:
    """The World's own fields, each map as a list of its pairs; so a field that the World gains is not forgotten."""
    hints = get_type_hints(World, localns={HashTrieMap.__name__: dict})
    shapes: dict[str, Any] = {name: (_pairs(hint), []) for name, hint in hints.items()}
    shapes["time"] = (float, ...)
    return create_model("WorldImage", **shapes)


def _pairs(hint: Any) -> Any:
    return list[tuple[get_args(hint)]] if get_origin(hint) is dict else hint  # type: ignore[misc] # made at run time


def world_text(world: World) -> bytes:
    """The whole World as JSON."""
    plain = ((field.name, getattr(world, field.name)) for field in fields(World))
    return to_json({name: [*value.items()] if isinstance(value, HashTrieMap) else value for name, value in plain})


def world_value(text: bytes) -> World:
    """The World that `world_text` wrote."""
    image = _image().model_validate_json(text)
    plain = ((field.name, getattr(image, field.name)) for field in fields(World))
    maps: dict[str, Any] = {name: HashTrieMap(value) if isinstance(value, list) else value for name, value in plain}
    return World(**maps)
