"""What a plugin says of itself, which its class knows without being made."""

import json

from spotward.plugins.sdk.plugin import Plugin, about, schema
from spotward.plugins.wire.plugin_pb2 import Description


def described(kind: Plugin | type[Plugin]) -> Description:
    """The answer to `Describe`."""
    properties = schema(kind)
    return Description(
        name=kind.name,
        version=kind.version,
        about=about(kind),
        event_types=kind.event_types,
        properties_schema="" if properties is None else json.dumps(properties),
        idempotent=True,
    )
