"""Texts with gaps that an event fills: `$type of $labels.instance: $annotations.summary`.

A gap whose name the event does not have is filled with `?`, because a message with a gap is better than none; what a
template may name is `type`, `source`, `subject`, `id`, `time`, `flow`, `step`, `happens`, `labels.NAME`,
`annotations.NAME`, `data.NAME` and `earlier.STEP`, which is what that step answered.
"""

import json
import string
from collections.abc import Mapping

from spotward.model.units import moment
from spotward.plugins.sdk.call import Call, Json

UNKNOWN = "?"

WORD_MAX = 4000
"""What fills a gap is cut beyond this."""


class Words(string.Template):
    """`$name` and `$name.name`, with dots and dashes inside, or in braces; `$$` is a dollar sign."""

    idpattern = r"(?a:[_a-z][_a-z0-9]*(?:\.[_a-z0-9](?:[_a-z0-9-]*[_a-z0-9])?)*)"


def filled(text: str, call: Call, *, in_json: bool = False) -> str:
    """The text with its gaps filled. in_json: what fills them is escaped as the inside of a JSON text."""
    words = Words(text)
    found = {name: _found(call, name)[:WORD_MAX] for name in words.get_identifiers()}
    return words.safe_substitute({name: json.dumps(word)[1:-1] for name, word in found.items()} if in_json else found)


def is_sound(text: str) -> bool:
    """Can the text be filled?"""
    return Words(text).is_valid()


def _found(call: Call, name: str) -> str:
    first, _, rest = name.partition(".")
    event = call.event
    match first:
        case "type" | "source" | "subject" | "id" if not rest:
            return str(getattr(event, first) or UNKNOWN)
        case "time" if not rest:
            return _known(event.time)
        case "happens" if not rest:
            return _known(call.happens)
        case "flow" | "step" if not rest:
            return str(getattr(call, first))
        case "labels":
            return event.labels.get(rest, UNKNOWN)
        case "earlier" if rest in call.earlier:
            return call.earlier[rest].text or call.earlier[rest].status.value
        case "annotations":
            return _text(_at(event.data, ["annotations", *rest.split(".")]))
        case "data":
            return _text(_at(event.data, rest.split(".")))
    return UNKNOWN


def _at(value: Json, path: list[str]) -> Json:
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return value


def _text(value: Json) -> str:
    return UNKNOWN if value is None else str(value)


def _known(time: float | None) -> str:
    return UNKNOWN if time is None else moment(time)
