"""A plugin: one class, or one function with a decorator.

    @plugin(name="greet", event_types=["prometheus.server.alert.*"])
    async def greet(call: Call) -> str:
        return f"hello {call.event.labels['instance']}"

What it returns becomes the answer: an `Answer` as it is, a text as done with these words, None as done. What it raises
becomes a failure that may be tried again. A function that is not `async` runs on a thread, and holds nobody up.

Properties of a step can be declared as a dataclass or a pydantic model. They are then checked when rules are read, an
editor knows them, and the call carries a value of that class. A dataclass takes no property that it does not have, and
the text below a field is what people are told of it.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import is_dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from spotward.plugins.sdk.call import Answer, Call, Problem, done, failed, ignored, refused

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

Outcome = Answer | str | None
Doer = Callable[[Call], Awaitable[Outcome]] | Callable[[Call], Outcome]

TEXT_CHARACTERS_MAX = 2000
"""An answer's words are cut beyond this."""


class Plugin:
    """What a plugin of one class extends: set the names, write `handle`."""

    name: str = ""
    version: str = "0"
    about: str = ""
    """What it does, for a person; the first paragraph of the docstring unless set."""
    event_types: tuple[str, ...] = ()
    """Event types it takes, with globs; others are answered as ignored. None means that it takes every type."""
    calls_at_once_max: int = 100
    """So many calls of it are under way at once where Spotward calls it within its own process."""
    properties: type | None = None
    """A dataclass or pydantic model of a step's properties; None when they are left as they are."""

    async def handle(self, call: Call) -> Outcome:
        """Do it. Asked again with the same key only if the first call's answer was a failure or was lost."""
        raise NotImplementedError(f"{type(self).__name__} has no handle()")

    def check(self, properties: Mapping[str, Any]) -> Iterable[Problem]:
        """What is wrong with a step's properties. Those of a declared class are checked before this is asked."""
        del properties
        return ()

    async def close(self) -> None:
        """The server ends."""

    # ---- what the server calls ------------------------------------------------------------------------------

    def description(self) -> str:
        """What it does, for a person."""
        return about(self)

    def takes(self, event_type: str) -> bool:
        """Is this type of event its business?"""
        return not self.event_types or any(fnmatchcase(event_type, glob) for glob in self.event_types)

    def problems(self, properties: Mapping[str, Any]) -> tuple[Problem, ...]:
        """What is wrong with a step's properties."""
        return self._fitted(properties)[1]

    def schema(self) -> Mapping[str, Any] | None:
        """JSON Schema of a step's properties; None where no class is declared."""
        return schema(self)

    async def answer(self, call: Call) -> Answer:
        """The answer to a call, whatever becomes of it. Only being cancelled goes through."""
        if not self.takes(call.event.type):
            return ignored(f"{self.name} has no business with events of type {call.event.type}")
        properties, wrong = self._fitted(call.properties)
        if wrong:
            return refused("; ".join(f"{p.place}: {p.text}" if p.place else p.text for p in wrong))
        try:
            return _as_answer(await self.handle(replace(call, properties=properties)))
        except TimeoutError as error:
            return failed(f"{self.name} ran into a time limit of its own{_colon(error)}")
        except Exception as error:  # noqa: BLE001 - whatever a plugin's author did not think of is a failed step
            return failed(_cut(f"{type(error).__name__}{_colon(error)}"))

    def _fitted(self, properties: Mapping[str, Any]) -> tuple[Any, tuple[Problem, ...]]:
        """The properties as `handle` gets them, and what is wrong with them."""
        value, wrong = _fitted(self.properties, properties)
        return value, wrong or tuple(self.check(properties))


def about(kind: Plugin | type[Plugin]) -> str:
    """What a plugin does, for a person; its class knows that without being made."""
    return kind.about or inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0]


def schema(kind: Plugin | type[Plugin]) -> Mapping[str, Any] | None:
    """JSON Schema of a step's properties; None where no class is declared."""
    return None if kind.properties is None else _adapter(kind.properties).json_schema()


class _Function(Plugin):
    """A plugin of one function."""

    def __init__(self, doer: Doer) -> None:
        self._doer = doer

    async def handle(self, call: Call) -> Outcome:
        if inspect.iscoroutinefunction(self._doer):
            outcome: Outcome = await self._doer(call)
            return outcome
        return await asyncio.to_thread(cast("Callable[[Call], Outcome]", self._doer), call)


def plugin(
    *,
    name: str,
    version: str = "0",
    event_types: Iterable[str] = (),
    properties: type | None = None,
    about: str | None = None,
) -> Callable[[Doer], Plugin]:
    """Make a function a plugin. about: what it does; the function's docstring unless given."""

    def made(doer: Doer) -> Plugin:
        plugin = _Function(doer)
        plugin.name, plugin.version = name, version
        plugin.about = about or inspect.getdoc(doer) or name
        plugin.event_types, plugin.properties = tuple(event_types), properties
        return plugin

    return made


def _as_answer(outcome: object) -> Answer:
    match outcome:
        case Answer():
            return replace(outcome, text=_cut(outcome.text))
        case str():
            return done(_cut(outcome))
        case None:
            return done()
    return failed(f"it answered with a {type(outcome).__name__}; return an Answer, a text or None")


def _fitted(wanted: type | None, properties: Mapping[str, Any]) -> tuple[Any, tuple[Problem, ...]]:
    """The properties as a value of the class that was declared, and what is wrong with them."""
    if wanted is None:
        return properties, ()
    from pydantic import ValidationError

    try:
        return _adapter(wanted).validate_python(dict(properties)), ()
    except ValidationError as error:
        return None, tuple(
            Problem(place=".".join(str(part) for part in each["loc"]), text=_told(wanted, each))
            for each in error.errors(include_url=False, include_context=False, include_input=False)
        )


def _told(wanted: type, error: "ErrorDetails") -> str:
    if error["type"] not in ("unexpected_keyword_argument", "extra_forbidden") or len(error["loc"]) > 1:
        return error["msg"]
    known = list(_adapter(wanted).json_schema().get("properties", {}))
    near = get_close_matches(str(error["loc"][-1]), known, n=1)
    return f"there is no such property; did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}"


@cache
def _adapter(wanted: type) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter, with_config  # late: without a class for properties nothing of it is needed

    if is_dataclass(wanted) and not hasattr(wanted, "__pydantic_config__"):
        wanted = with_config(extra="forbid", use_attribute_docstrings=True)(wanted)
    return TypeAdapter(wanted)


def _colon(error: BaseException) -> str:
    return f": {error}" if str(error) else ""


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_CHARACTERS_MAX else f"{text[:TEXT_CHARACTERS_MAX]}..."
