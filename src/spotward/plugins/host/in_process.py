"""A plugin of ours, called where it is: no server, and the same key has one effect all the same."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spotward.plugins.host.speakers import Listener, Missed
from spotward.plugins.sdk.call import Answer, Call, Problem
from spotward.plugins.sdk.plugin import Plugin
from spotward.plugins.sdk.remembered import Remembered


class InProcess:
    """Calls one."""

    def __init__(self, plugin: Plugin) -> None:
        self._plugin, self._remembered = plugin, Remembered()

    async def say(self, call: Call, seconds: float, listener: Listener) -> Answer:
        """See the port."""
        asked = replace(call, tell=listener, seconds_left=seconds)
        try:
            async with asyncio.timeout(seconds):
                return await self._remembered.once(call.key, lambda: self._plugin.answer(asked))
        except TimeoutError:
            raise Missed(f"it did not answer within {seconds:.3g} s") from None

    async def problems(self, properties: Mapping[str, Any], seconds: float) -> tuple[Problem, ...]:
        """See the port."""
        del seconds
        return self._plugin.problems(properties)

    async def close(self) -> None:
        """It lets go of what it has."""
        await self._plugin.close()
