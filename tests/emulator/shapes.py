"""Hypothesis strategies for values of botocore's shapes, and botocore's own halves of the wire to test ours against."""

from __future__ import annotations

import urllib.parse
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import strategies as st

from spotward.emulator.wire import Reply, Request

TEXT = st.text(
    st.characters(
        blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff", whitelist_characters="\n\t\r"
    ),
    max_size=12,
)
MOMENTS = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "character": TEXT,
    "boolean": st.booleans(),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "timestamp": MOMENTS,
    "blob": st.binary(max_size=12),
}


def values(shape: Shape, *, solid: bool = False, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a shape, as a boto3 user sees them.

    `solid`: nothing empty in it, which the query protocols cannot send. (Nor can they answer an empty flattened list.)
    """
    if isinstance(shape, StructureShape):
        return structures(shape, solid=solid, depth=depth)
    shortest = 1 if solid or shape.serialization.get("flattened") or depth > 5 else 0
    if isinstance(shape, ListShape):
        return st.lists(values(shape.member, solid=solid, depth=depth + 1), min_size=shortest, max_size=3)
    if isinstance(shape, MapShape):
        inner = values(shape.value, solid=solid, depth=depth + 1)
        return st.dictionaries(values(shape.key), inner, min_size=shortest, max_size=3)
    return SCALARS[shape.type_name]


def structures(shape: StructureShape, *, solid: bool, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Dicts with all required members and some of the others; fewer the deeper."""
    optional = [name for name in shape.members if name not in shape.required_members]
    fewest = 1 if solid and optional and not shape.required_members else 0

    @st.composite
    def some(draw: st.DrawFn) -> dict[str, Any]:
        names = list(shape.required_members)
        if optional:
            most = max(1, 6 - depth)
            names += draw(st.lists(st.sampled_from(optional), unique=True, min_size=fewest, max_size=most))
        return {name: draw(values(shape.members[name], solid=solid, depth=depth + 1)) for name in names}

    return some()


def botocore_reads(reply: Reply, operation: OperationModel) -> dict[str, Any]:
    """What boto3's user would get."""
    headers = {**reply.headers, "content-type": reply.content_type}
    parser = create_parser(operation.service_model.metadata["protocol"])
    response = {"body": reply.body, "headers": headers, "status_code": reply.status}
    shape: Any = operation.output_shape  # the stubs do not know that botocore passes None itself
    parsed: dict[str, Any] = parser.parse(response, shape)
    return parsed


def botocore_sends(params: dict[str, Any], operation: OperationModel) -> Request:
    """The request that boto3 would send."""
    serializer = create_serializer(operation.service_model.metadata["protocol"], include_validation=False)
    sent = serializer.serialize_to_request(params, operation)
    body = sent["body"]
    if isinstance(body, dict):
        body = urllib.parse.urlencode(body).encode()
    headers = {name.lower(): str(value) for name, value in sent["headers"].items()}
    return Request(method="POST", path="/", headers=headers, body=body if isinstance(body, bytes) else body.encode())
