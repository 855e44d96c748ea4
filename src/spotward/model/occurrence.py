"""What somebody outside says has happened: a CloudEvent 1.0, whichever way it came.

An alert of Prometheus, a message of EventBridge, a Kubernetes Event, the stroke of a schedule: all become one of these
before anything is decided. Its `data` is kept as JSON text, because text cannot change under anybody's hands, is as
long as it says, and is what the wire wants anyway.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from spotward.model.errors import PayloadError

Json = Any
"""None, a bool, a number, a text, a list or a mapping of such, as JSON has them."""

ALERT_TYPE = "prometheus.server.alert."
"""What the type of an alert begins with; its name follows."""

RESOLVED = ".resolved"
"""What the type of an alert that is over ends with."""

DATA_CHARACTERS_MAX = 65_536
"""Of `data` as JSON. CloudEvents asks intermediaries to carry 64 KB; what is larger belongs into a store of its own."""

DATA_DEPTH_MAX = 32
"""How deeply lists and mappings in `data` may be nested."""

NAME_CHARACTERS_MAX = 1_024
"""Of `id`, `source`, `type`, `subject`, and of each extension."""

EXTENSIONS_MAX = 64
"""How many extensions an occurrence may have. An alert's labels travel there, too, for plugins of the old kind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Occurrence:
    """A CloudEvent. `source` and `id` together name it: whatever comes with both the same is the same."""

    id: str
    source: str
    type: str
    time: float | None = None
    """When it happened, Unix seconds, where the sender says so."""
    subject: str | None = None
    data_json: str = "null"
    data_schema: str | None = None
    extensions: tuple[tuple[str, str], ...] = ()
    """Name and value, as text; ordered by name."""

    @classmethod
    def of(
        cls,
        *,
        id: str,  # noqa: A002 - CloudEvents' own word for it
        source: str,
        type: str,  # noqa: A002 - CloudEvents' own word for it
        time: float | None = None,
        subject: str | None = None,
        data: Json = None,
        data_schema: str | None = None,
        extensions: Mapping[str, str | int | bool] | None = None,
    ) -> Self:
        """One from values that came over the wire. Raises PayloadError for what is too large, too deep or no JSON."""
        made = cls(
            id=id,
            source=source,
            type=type,
            time=time,
            subject=subject,
            data_json=json_text(data),
            data_schema=data_schema,
            extensions=tuple(sorted((name, scalar_text(value)) for name, value in (extensions or {}).items())),
        )
        made._check()
        return made

    def _check(self) -> None:
        """Raises PayloadError for what no occurrence may be."""
        for name in ("id", "source", "type"):
            if not getattr(self, name):
                raise PayloadError(f"the event has no {name}; CloudEvents demands one")
        texts = [("id", self.id), ("source", self.source), ("type", self.type), ("subject", self.subject or "")]
        for name, text in (*texts, *self.extensions):
            if len(text) > NAME_CHARACTERS_MAX:
                raise PayloadError(f"the event's {name:.40} has {len(text)} characters; send {NAME_CHARACTERS_MAX}")
            _check_utf_8(name, text)
        if len(self.extensions) > EXTENSIONS_MAX:
            raise PayloadError(f"the event has {len(self.extensions)} extensions; send at most {EXTENSIONS_MAX}")
        if len(self.data_json) > DATA_CHARACTERS_MAX:
            raise PayloadError(f"the event's data has {len(self.data_json)} characters; send {DATA_CHARACTERS_MAX}")
        if self.time is not None and not math.isfinite(self.time):
            raise PayloadError("the event's time is no time; send RFC 3339")

    @property
    def data(self) -> Json:
        """What it carries, as a value of its own; None where there is nothing."""
        return json_value(self.data_json)

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of an alert; of any other event, those of its data's fields that are texts."""
        data = self.data
        found = data.get("labels", data) if isinstance(data, dict) else None
        return {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}

    @property
    def is_alert(self) -> bool:
        """Is it an alert, firing or over?"""
        return self.type.startswith(ALERT_TYPE)

    @property
    def resolved(self) -> bool:
        """Is it an alert that is over?"""
        return self.is_alert and self.type.endswith(RESOLVED)

    @property
    def identity(self) -> str:
        """Names it among all others."""
        return f"{self.source} {self.id}"


def _check_utf_8(name: str, text: str) -> None:
    try:
        f"{name}{text}".encode()
    except UnicodeEncodeError as error:
        raise PayloadError(f"the event's {name!r:.40} is no text in UTF-8; send it as such") from error


def alert_type(name: str, *, resolved: bool) -> str:
    """The type of an alert by the name of its rule. One that is over is another kind of event."""
    return f"{ALERT_TYPE}{name}{RESOLVED if resolved else ''}"


# ---- JSON ------------------------------------------------------------------------------------------------------


def json_text(value: Json) -> str:
    """As JSON, short. Raises PayloadError for what JSON has no word for, and for what is nested too deeply."""
    if deeper_than(value, DATA_DEPTH_MAX):
        raise PayloadError(f"the data are nested more than {DATA_DEPTH_MAX} deep; send them flatter")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError) as error:
        raise PayloadError(f"the data are no JSON: {error}; send plain values in UTF-8") from error
    return text


def json_value(text: str) -> Json:
    """What the text says; None for what is no JSON, which `json_text` never wrote."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def deeper_than(value: Json, levels: int) -> bool:
    """Is it nested more than so many levels deep?"""
    layer = [value]
    for _ in range(levels + 1):
        layer = [child for each in layer for child in _children(each)]
        if not layer:
            return False
    return True


def _children(value: Json) -> Iterable[Json]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def scalar_text(value: Json) -> str:
    """As people write it: `true`, `5`, `2.5`, `null`; a text is itself."""
    match value:
        case str():
            return value
        case bool() | None:
            return json.dumps(value)
        case float() if value.is_integer() and abs(value) < 2**53:
            return str(int(value))
        case _:
            return str(value)
