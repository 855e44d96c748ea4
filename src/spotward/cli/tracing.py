"""Telling of traces, where that is wanted: the settings in, a listener of the live shell out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

from spotward.config import Config
from spotward.engine.ports import Clock
from spotward.engine.turns import Listener
from spotward.model.errors import ConfigError

NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def check_extra(config: Config) -> None:
    """Raises ConfigError where it is wanted and not installed: before anything is begun."""
    if config.traces.endpoint is not None and not all(_is_there(name) for name in NEEDED):
        raise ConfigError("traces are an extra of their own: pip install 'spotward[otel]'")


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False


@asynccontextmanager
async def tracing(config: Config, clock: Clock) -> AsyncIterator[list[Listener]]:
    """Listeners that tell a collector, as long as the context is open; none where it is not wanted.

    Raises ConfigError.
    """
    wanted = config.traces
    if wanted.endpoint is None:
        yield []
        return
    from spotward.web.traces.chain import Chain
    from spotward.web.traces.export import Collector, exporting

    collector = Collector(endpoint=wanted.endpoint, headers_file=wanted.headers_file, service=wanted.service)
    async with exporting(collector) as give:
        yield [Chain(give, clock)]
