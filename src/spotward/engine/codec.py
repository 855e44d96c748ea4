"""Events, actions, pages, undertakings and worlds as JSON, and back.

The nouns themselves are the schema: pydantic reads their annotations, and the field `kind` tells one event or action
from another. A field that is added with a default reads old text; one that is taken away is ignored in it.
"""

from collections.abc import Callable
from dataclasses import MISSING, fields
from dataclasses import Field as DataclassField
from functools import cache
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model
from pydantic_core import to_json
from rpds import HashTrieMap

from spotward.model.cloud import Pool
from spotward.model.cluster_view import ClusterView
from spotward.model.event import Event
from spotward.model.incident import Incident
from spotward.model.incidents import Incidents
from spotward.model.page import Page
from spotward.model.pool_memory import PoolMemory
from spotward.model.sights import Sights
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
PAGES: Codec[Page] = Codec(lambda: TypeAdapter(Page))
WISHES: Codec[WishState] = Codec(lambda: TypeAdapter(WishState))
POOLS: Codec[PoolMemory] = Codec(lambda: TypeAdapter(PoolMemory))
DOOMS: Codec[Doom] = Codec(lambda: TypeAdapter(Doom))
PAUSES: Codec[Pause] = Codec(lambda: TypeAdapter(Pause))
VERDICTS: Codec[str] = Codec(lambda: TypeAdapter(str))
POOL_KEYS: Codec[tuple[str, Pool]] = Codec(lambda: TypeAdapter(tuple[str, Pool]))
NAMES: Codec[str] = VERDICTS

UNDERTAKINGS: dict[str, Codec[Undertaking]] = {
    Swap.kind: Codec(lambda: TypeAdapter(Swap)),
    Incident.kind: Codec(lambda: TypeAdapter(Incident)),
}
"""Kind → how undertakings of that kind are written."""


# ---- the whole World -----------------------------------------------------------------------------------------


PARTS = (ClusterView, Incidents, Sights)
"""Parts of the World that hold maps of their own."""


@cache
def _image(shape: type) -> type[BaseModel]:
    """The fields of a World or of a part of it, each map as a list of its pairs, so that none is forgotten.

    A field that an older text lacks has its default.
    """
    hints = get_type_hints(shape, localns={HashTrieMap.__name__: dict})
    shapes: dict[str, Any] = {f.name: (_shape(hints[f.name]), _default(f)) for f in fields(shape)}
    return create_model(f"{shape.__name__}Image", __config__=ConfigDict(validate_default=True), **shapes)


def _shape(hint: Any) -> Any:
    if get_origin(hint) is dict:
        return list[tuple[get_args(hint)]]  # type: ignore[misc] # made at run time
    return _image(hint) if hint in PARTS else hint


def _default(field: DataclassField[Any]) -> Any:
    made = field.default if field.default_factory is MISSING else field.default_factory()
    return _plain(made)


def _plain(value: Any) -> Any:
    if isinstance(value, HashTrieMap):
        return [*value.items()]
    if type(value) in PARTS:
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value


def _built(shape: type, image: Any) -> Any:
    hints = get_type_hints(shape, localns={HashTrieMap.__name__: dict})
    return shape(**{name: _value(hint, getattr(image, name)) for name, hint in hints.items()})


def _value(hint: Any, value: Any) -> Any:
    if get_origin(hint) is dict:
        return HashTrieMap(value)
    return _built(hint, value) if hint in PARTS else value


def world_text(world: World) -> bytes:
    """The whole World as JSON."""
    return to_json({field.name: _plain(getattr(world, field.name)) for field in fields(World)})


def world_value(text: bytes) -> World:
    """The World that `world_text` wrote."""
    world: World = _built(World, _image(World).model_validate_json(text))
    return world
