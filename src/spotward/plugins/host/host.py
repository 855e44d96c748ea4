"""All plugins, by name. A step is carried out here, within its time and with its key. Each plugin has a line of its own
with a limit of calls at once, so that what goes wrong with one holds up no other's steps.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from spotward.engine.ports import Clock
from spotward.model.errors import ConfigError, Permanent, Transient
from spotward.plugins.host.breaker import Breaker
from spotward.plugins.host.by_http import ByHttp, ByLambda, Invoke
from spotward.plugins.host.in_process import InProcess
from spotward.plugins.host.settings import PluginSettings, Speaks
from spotward.plugins.host.speakers import Listener, Missed, Speaker
from spotward.plugins.sdk.call import Answer, Call, Problem
from spotward.plugins.sdk.plugin import Plugin

VALIDATE_SECONDS = 5.0
"""How long a plugin may think about whether properties are right."""


async def nobody(text: str, fraction: float) -> None:
    """Hears of progress, and does nothing about it."""


class Host:
    """Calls plugins."""

    def __init__(
        self,
        plugins: Iterable[PluginSettings],
        clock: Clock,
        *,
        own: Iterable[Plugin] = (),
        invoke: Invoke | None = None,
    ) -> None:
        """own: plugins that are called where they are; one of the same name elsewhere goes before. invoke: runs a
        Lambda function. Raises ConfigError for a name that two have, or a Lambda without it.
        """
        self._lines: dict[str, _Line] = {}
        for settings in plugins:
            if settings.name in self._lines:
                raise ConfigError(f"two plugins are called `{settings.name}`; rename one", setting="plugins")
            breaker = Breaker(failures_max=settings.failures_max, rest_seconds=settings.rest_seconds)
            self._lines[settings.name] = _Line(
                settings.name,
                _speaker(settings, invoke),
                clock,
                calls_at_once_max=settings.calls_at_once_max,
                breaker=breaker,
            )
        for plugin in own:
            at_once = plugin.calls_at_once_max
            self._lines.setdefault(
                plugin.name, _Line(plugin.name, InProcess(plugin), clock, calls_at_once_max=at_once, breaker=Breaker())
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Plugins that can be called."""
        return tuple(self._lines)

    @property
    def resting(self) -> dict[str, bool]:
        """Plugin → is it left alone, because it could not be reached?"""
        return {name: line.resting for name, line in self._lines.items()}

    async def call(self, plugin: str, call: Call, *, seconds: float, listener: Listener = nobody) -> Answer:
        """The plugin's answer, within so many seconds.

        Raises Transient when it could not be reached or did not answer in time, so that it is not known whether it
        acted; Permanent when somebody must change something first.
        """
        return await self._line(plugin).call(call, seconds, listener)

    async def problems(self, plugin: str, properties: Mapping[str, Any]) -> tuple[Problem, ...]:
        """What is wrong with a step's properties, as the plugin sees it. Raises Transient and Permanent."""
        return await self._line(plugin).problems(properties)

    async def close(self) -> None:
        """Let go of all connections."""
        await asyncio.gather(*(line.close() for line in self._lines.values()))

    def _line(self, plugin: str) -> "_Line":
        line = self._lines.get(plugin)
        if line is None:
            raise Permanent(f"no plugin is called `{plugin}`; there are {', '.join(self._lines)}", code="NoPlugin")
        return line


class _Line:
    """The line to one plugin."""

    def __init__(self, name: str, speaker: Speaker, clock: Clock, *, calls_at_once_max: int, breaker: Breaker) -> None:
        self._name, self._speaker, self._clock = name, speaker, clock
        self._at_once_max, self._breaker = calls_at_once_max, breaker
        self._turns = asyncio.Semaphore(calls_at_once_max)

    @property
    def resting(self) -> bool:
        """See the host."""
        return self._breaker.open

    async def call(self, call: Call, seconds: float, listener: Listener) -> Answer:
        """See the host."""
        begun = self._clock.now()
        try:
            async with asyncio.timeout(seconds):
                await self._turns.acquire()
        except TimeoutError:
            words = f"{self._name} is busy: its {self._at_once_max} calls took all of the time"
            raise Transient(words, code="PluginBusy") from None
        try:
            return await self._said(call, max(0.001, seconds - (self._clock.now() - begun)), listener)
        finally:
            self._turns.release()

    async def _said(self, call: Call, seconds: float, listener: Listener) -> Answer:
        rest = self._breaker.seconds_left(self._clock.now())
        if rest is not None:
            words = f"{self._name} is left alone for {rest:.0f} s, because it could not be reached"
            raise Transient(words, code="PluginRests", retry_after_seconds=rest)
        try:
            answer = await self._speaker.say(call, seconds, listener)
        except Missed as error:
            self._breaker.missed(self._clock.now())
            raise Transient(f"{self._name}: {error}", code="PluginMissed") from error
        except BaseException:
            self._breaker.undecided()
            raise
        self._breaker.reached()
        return answer

    async def problems(self, properties: Mapping[str, Any]) -> tuple[Problem, ...]:
        """See the host."""
        try:
            return await self._speaker.problems(properties, VALIDATE_SECONDS)
        except Missed as error:
            raise Transient(f"{self._name}: {error}", code="PluginMissed") from error

    async def close(self) -> None:
        """Let go of connections."""
        await self._speaker.close()


def _speaker(settings: PluginSettings, invoke: Invoke | None) -> Speaker:
    match settings.speaks:
        case Speaks.HTTP | Speaks.FN:
            return ByHttp(settings)
        case Speaks.LAMBDA if invoke is not None:
            return ByLambda(settings, invoke)
        case Speaks.LAMBDA:
            raise ConfigError(f"`{settings.name}` is a Lambda function, and there is no AWS here", setting="plugins")
    from spotward.plugins.host.by_grpc import by_grpc  # late: gRPC weighs 30 MB

    return by_grpc(settings)
