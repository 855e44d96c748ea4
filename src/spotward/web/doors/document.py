"""What the doors' OpenAPI document says of bodies, answers and credentials. Tests hold it against what the doors do."""

from typing import Any

_SAYS: dict[str, Any] = {
    "type": "object",
    "required": ["status", "error"],
    "properties": {"status": {"const": "error"}, "error": {"type": "string"}},
}
"""The body of every answer that is no 200."""


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


TAKEN = _answer(
    "It is stored. What of it could not be read is told, and set aside.",
    {
        "type": "object",
        "required": ["status"],
        "properties": {
            "status": {"const": "success"},
            "warnings": {"type": "array", "items": {"type": "string"}},
        },
    },
)

ANSWERS: dict[int | str, dict[str, Any]] = {
    400: _answer("Nothing of it could be read.", _SAYS),
    401: _answer("A credential is needed.", _SAYS),
    408: _answer("Its body did not come in time.", _SAYS),
    413: _answer("It is too long.", _SAYS),
    429: _answer("Too much waits, or too many flows are open; say it again after `Retry-After`.", _SAYS),
    503: _answer("It could not be stored in time; say it again after `Retry-After`.", _SAYS),
}

CANNOT_BE = _answer("It cannot be; the text says why.", _SAYS)

SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
"""A token of the server; an API destination of EventBridge sends it as its key."""

LOCKED: dict[str, Any] = {"security": [{"bearer": []}, {"key": []}]}
"""What only who shows one of these may do."""

_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_TIME = {"type": "string", "format": "date-time"}
_ALERT: dict[str, Any] = {
    "type": "object",
    "required": ["labels"],
    "properties": {
        "labels": {**_TEXTS, "required": ["alertname"]},
        "annotations": _TEXTS,
        "startsAt": _TIME,
        "endsAt": _TIME,
        "generatorURL": {"type": "string"},
    },
}
ALERTS: dict[str, Any] = {"type": "array", "items": _ALERT}
"""As Prometheus sends them."""

WEBHOOK: dict[str, Any] = {
    "type": "object",
    "required": ["alerts"],
    "properties": {
        "version": {"type": "string"},
        "alerts": {"type": "array", "items": {**_ALERT, "properties": {**_ALERT["properties"], "status": {}}}},
    },
}
"""As Alertmanager sends them."""

_CLOUD_EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        **{name: {"type": "string", "minLength": 1} for name in ("id", "source", "type")},
    },
}
CLOUD_EVENTS: dict[str, Any] = {"anyOf": [_CLOUD_EVENT, {"type": "array", "items": _CLOUD_EVENT}, {}]}
"""One, or a batch; in binary form (`ce-` headers) the body is anything."""

ENVELOPE: dict[str, Any] = {
    "type": "object",
    "required": ["id", "detail-type", "source", "time", "region", "detail"],
    "properties": {name: {"type": "string"} for name in ("id", "detail-type", "source", "region")} | {"time": _TIME},
}
"""As EventBridge sends an event."""


def takes(schema: dict[str, Any], *media: str) -> dict[str, Any]:
    """A request's body, of these types."""
    return {"requestBody": {"required": True, "content": {each: {"schema": schema} for each in media}}}
