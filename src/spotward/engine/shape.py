"""Plain JSON made into values, as the annotations of the values say; and values made plain.

The nouns themselves are the schema. Of several dataclasses that may stand in one place, the field `kind` tells which
it is. A field that is added with a default reads old text; one that is taken away is ignored in it.

It is the standard library's JSON, and not a validator's: that one would weigh ten megabytes in an agent, of which
every node has one, to read what we wrote ourselves. Writing is as quick; reading is five times as slow (10,000
instances in a third of a second), and is only done when a process starts, takes over or explains.
"""

import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from rpds import HashTrieMap

Reader = Callable[[Any], Any]
"""From what the JSON says to the value. Raises Misfit."""

Key = TypeVar("Key")
Value = TypeVar("Value")


class Misfit(ValueError):  # noqa: N818 - it says what is the matter, and reads as that
    """What was read is not what the annotation asks for."""


class Trie(Generic[Key, Value]):
    """Stands for rpds' map in annotations, which takes no type parameters when the program runs. As text it is the list
    of its pairs, because its keys need not be text.
    """


# ---- reading -------------------------------------------------------------------------------------------------


@cache
def reader(hint: Any) -> Reader:
    """How a value of this type is read."""
    if isinstance(hint, type) and not get_args(hint):
        return _reader_of_class(hint)
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _one_of(parts)
    if origin is Literal:
        return _literal(parts)
    if origin is tuple and parts[-1] is not Ellipsis:
        return _row([reader(part) for part in parts])
    if origin in (tuple, frozenset, list):
        return _many(origin, reader(parts[0]))
    if origin is Trie:
        return _trie(_row([reader(part) for part in parts]))
    if origin in (dict, Mapping):
        return _mapping(reader(parts[0]), reader(parts[1]))
    raise TypeError(f"{hint} has no form as text; write one here")


def _reader_of_class(shape: type) -> Reader:
    if issubclass(shape, Enum):
        return _choice(shape)
    if is_dataclass(shape):
        return _dataclass(shape)
    if shape in (str, int, float, bool, types.NoneType):
        return _plain(shape)
    raise TypeError(f"{shape.__name__} has no form as text; write one here")


def _plain(kind: type) -> Reader:
    def read(said: Any) -> Any:
        if type(said) is kind:
            return said
        if kind is float and type(said) is int:  # a whole number of seconds
            return float(said)
        raise Misfit(f"{said!r:.80} is no {kind.__name__}")

    return read


def _choice(shape: type[Enum]) -> Reader:
    def read(said: Any) -> Enum:
        try:
            return shape(said)
        except ValueError as error:
            raise Misfit(str(error)) from None

    return read


def _literal(words: tuple[Any, ...]) -> Reader:
    def read(said: Any) -> Any:
        if said in words:
            return said
        raise Misfit(f"{said!r:.80} is none of {words}")

    return read


def _many(made: Callable[[list[Any]], Any], each: Reader) -> Reader:
    return lambda said: made([each(item) for item in _list(said)])


def _row(parts: list[Reader]) -> Reader:
    def read(said: Any) -> tuple[Any, ...]:
        if len(_list(said)) != len(parts):
            raise Misfit(f"{said!r:.80} has not {len(parts)} parts")
        return tuple([part(item) for part, item in zip(parts, said, strict=True)])

    return read


def _trie(pair: Reader) -> Reader:
    return lambda said: HashTrieMap([pair(item) for item in _list(said)])


def _mapping(key: Reader, value: Reader) -> Reader:
    return lambda said: {key(name): value(item) for name, item in _dict(said).items()}


def _one_of(hints: tuple[Any, ...]) -> Reader:
    """Nothing, or one thing; or one of several dataclasses."""
    known = [hint for hint in hints if hint is not types.NoneType]
    read = reader(known[0]) if len(known) == 1 else _by_kind(tuple(known))
    if len(known) == len(hints):
        return read
    return lambda said: None if said is None else read(said)


@cache
def _by_kind(shapes: tuple[Any, ...]) -> Reader:
    readers = {shape.__dataclass_fields__["kind"].default: _dataclass(shape) for shape in shapes}

    def read(said: Any) -> Any:
        kind = _dict(said).get("kind")
        if not isinstance(kind, str) or kind not in readers:
            raise Misfit(f"{kind!r:.80} is no kind that this version knows")
        return readers[kind](said)

    return read


@cache
def _dataclass(shape: type) -> Reader:
    # Late: of the hundred nouns a process reads a few, and each may hold others of its own kind.
    readers = cache(lambda: _fields(shape))

    def read(said: Any) -> Any:
        known, given, name = readers(), {}, ""
        try:
            for name, value in _dict(said).items():
                if (field := known.get(name)) is not None:
                    given[name] = field(value)
        except Misfit as error:
            raise Misfit(f"{shape.__name__}.{name}: {error}") from None
        try:
            return shape(**given)
        except TypeError as error:
            raise Misfit(str(error)) from None

    return read


def _fields(shape: Any) -> dict[str, Reader]:
    hints = get_type_hints(shape, localns={HashTrieMap.__name__: Trie})
    return {field.name: reader(hints[field.name]) for field in fields(shape) if field.init}


def _list(said: Any) -> list[Any]:
    if isinstance(said, list):
        return said
    raise Misfit(f"{said!r:.80} is no list")


def _dict(said: Any) -> dict[str, Any]:
    if isinstance(said, dict):
        return said
    raise Misfit(f"{said!r:.80} is no object")


# ---- writing -------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """One thing that JSON has no word for, as one that it has; its parts may need the same. Raises TypeError."""
    shape: Any = type(value)
    return _writer(shape)(value)


@cache
def _writer(shape: Any) -> Callable[[Any], Any]:
    """How a value of a class is made plain. Raises TypeError."""
    if is_dataclass(shape):
        return _by_fields(shape)
    if issubclass(shape, HashTrieMap):
        return lambda value: list(value.items())
    if issubclass(shape, frozenset):
        return list
    if issubclass(shape, Mapping):
        return dict
    raise TypeError(f"a {shape.__name__} has no form as text")


def _by_fields(shape: Any) -> Callable[[Any], dict[str, Any]]:
    """Its fields by their names, all of them got at once."""
    names = tuple(field.name for field in fields(shape))
    if len(names) < 2:
        return lambda value: {name: getattr(value, name) for name in names}
    parts = attrgetter(*names)
    return lambda value: dict(zip(names, parts(value), strict=True))
