"""Speaking to a plugin: one way for each contract. Each gives an answer, or raises Missed when none was to be had."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from spotward.plugins.sdk.call import Answer, Call, Problem

Listener = Callable[[str, float], Awaitable[None]]


class Missed(Exception):  # noqa: N818 - it says how things are, and reads as that
    """The plugin could not be reached, or did not answer: whether it acted is not known. The text says which."""


class Speaker(Protocol):
    """One plugin, spoken to in its own way."""

    async def say(self, call: Call, seconds: float, listener: Listener) -> Answer:
        """Its answer. listener: hears of progress. Raises Missed, and OutsideError for what somebody must change."""
        ...

    async def problems(self, properties: Mapping[str, Any], seconds: float) -> tuple[Problem, ...]:
        """What is wrong with a step's properties; nothing where the contract has no such question."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
