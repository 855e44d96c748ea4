"""Giving spans to an OpenTelemetry collector, by OTLP over HTTP.

The SDK's batch processor does the sending, in a thread of its own: a collector that is slow or away costs spans, never
a deed. What OTEL_EXPORTER_OTLP_HEADERS and the like say of certificates and headers holds.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from spotward import __version__
from spotward.model.errors import ConfigError
from spotward.model.trace import SAMPLED, TraceContext
from spotward.web.traces.span import Role, Span

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

NANOSECONDS = 1_000_000_000

CLOSING_SECONDS_MAX = 5.0
"""How long the last spans may take to be sent when the process ends."""

CLOSING_LOOK_SECONDS = 0.02

WAITING_MAX = 2_048
"""So many spans may wait to be sent; further ones are dropped."""

SENDING_SECONDS = 2.0
"""A span waits no longer than this for others to go with."""


log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class Collector:
    """Where spans go."""

    endpoint: str
    """Of OTLP over HTTP, `http://127.0.0.1:4318/v1/traces`."""
    headers_file: Path | None = None
    """Headers, a line `name: value` for each."""
    service: str = "spotward"
    """What the process is called there."""


@asynccontextmanager
async def exporting(collector: Collector) -> AsyncIterator[Callable[[Span], None]]:
    """Takes spans as long as the context is open, and sends what is left at its end. Raises ConfigError."""
    headers = _headers(collector.headers_file)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": collector.service, "service.version": __version__})
    exporter = OTLPSpanExporter(endpoint=collector.endpoint, headers=headers)
    processor = BatchSpanProcessor(
        exporter,
        max_queue_size=WAITING_MAX,
        schedule_delay_millis=SENDING_SECONDS * 1000,
    )

    def give(span: Span) -> None:
        if span.context.sampled:
            processor.on_end(readable(span, resource))

    try:
        yield give
    finally:
        await _closed(processor.shutdown, exporter.shutdown)


async def _closed(send_rest: Callable[[], None], give_up: Callable[[], None]) -> None:
    """Wait for the last spans, but not for a collector that does not answer."""
    sent = threading.Event()

    def close() -> None:
        send_rest()
        sent.set()

    # A thread of its own, which the end of the process does not wait for.
    threading.Thread(target=close, name="traces", daemon=True).start()
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSING_SECONDS_MAX):
            while not sent.is_set():  # noqa: ASYNC110 - it is set by a thread, and looked at for seconds at most
                await asyncio.sleep(CLOSING_LOOK_SECONDS)
    if not sent.is_set():
        give_up()
        log.warning("the last spans were not sent", within_seconds=CLOSING_SECONDS_MAX)


def readable(span: Span, resource: "Resource") -> "ReadableSpan":
    """As the SDK's exporters take it."""
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.status import Status, StatusCode

    kinds = {Role.CONSUMER: SpanKind.CONSUMER, Role.INTERNAL: SpanKind.INTERNAL, Role.CLIENT: SpanKind.CLIENT}
    return ReadableSpan(
        name=span.name,
        context=_context(span.context),
        parent=_context(span.parent) if span.parent is not None else None,
        resource=resource,
        attributes=span.attributes,
        kind=kinds[span.role],
        status=Status(StatusCode.OK) if span.error is None else Status(StatusCode.ERROR, span.error),
        start_time=int(span.start_time * NANOSECONDS),
        end_time=int(span.end_time * NANOSECONDS),
        instrumentation_scope=InstrumentationScope("spotward", __version__),
    )


def _context(context: TraceContext) -> "SpanContext":
    from opentelemetry.trace import SpanContext, TraceFlags

    flags = TraceFlags(SAMPLED if context.sampled else 0)
    return SpanContext(int(context.trace_id, 16), int(context.span_id, 16), is_remote=False, trace_flags=flags)


def _headers(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"traces.headers_file: {file} cannot be read: {error}; give a file of `name: value`"
        ) from error
    pairs = (line.partition(":") for line in lines if line.strip())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
