"""An OpenTelemetry collector that keeps what it is sent, read by the protocol's own messages."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tests.plugins.receiver import Receiver, receiving


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """A span as it came."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    status: int
    message: str
    seconds: float
    service: str


class Collector:
    """What has come."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    @property
    def endpoint(self) -> str:
        return f"{self._receiver.url}/v1/traces"

    @property
    def headers(self) -> list[dict[str, str]]:
        return [{name.lower(): value for name, value in headers.items()} for _, headers, _ in self._receiver.heard]

    @property
    def spans(self) -> list[Received]:
        return [span for path, headers, body in self._receiver.heard for span in _read(path, headers, body)]

    def named(self, name: str) -> list[Received]:
        return [span for span in self.spans if span.name == name]


@contextmanager
def collecting() -> Iterator[Collector]:
    with receiving() as receiver:
        yield Collector(receiver)


def _read(path: str, headers: dict[str, str], body: bytes) -> Iterator[Received]:
    assert path == "/v1/traces"
    lower = {name.lower(): value for name, value in headers.items()}
    assert lower["content-type"] == "application/x-protobuf"
    text = gzip.decompress(body) if lower.get("content-encoding") == "gzip" else body
    for of_resource in ExportTraceServiceRequest.FromString(text).resource_spans:
        resource = {each.key: _value(each.value) for each in of_resource.resource.attributes}
        for of_scope in of_resource.scope_spans:
            assert of_scope.scope.name == "spotward"
            for span in of_scope.spans:
                yield Received(
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    attributes={each.key: _value(each.value) for each in span.attributes},
                    status=span.status.code,
                    message=span.status.message,
                    seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                    service=resource["service.name"],
                )


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(_value(each) for each in value.array_value.values)
    return getattr(value, str(kind))
