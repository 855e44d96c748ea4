"""What stands at a path of an occurrence, or of what came of earlier steps."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from spotward.model.flow import Flow
from spotward.model.occurrence import Json, Occurrence, json_value, scalar_text
from spotward.model.plan import Comparison, Condition
from spotward.model.units import timestamp
from spotward.rules.patterns import is_match

ROOTS = ("id", "source", "type", "subject", "time", "data", "labels", "annotations", "extensions")
"""What the first part of a path may be."""

STEPS = "steps"
"""The root of what came of earlier steps, where there are any."""

STEP_FIELDS = ("status", "text", "output", "tries")

MISSING: Any = object()
"""Nothing stands there; `null` stands there is something else."""

TEXT_CHARACTERS_MAX = 4_096
"""An expression is tried on no more of a text than this."""


@dataclass(slots=True)
class Look:
    """One occurrence, looked at from many sides: its data are read once."""

    occurrence: Occurrence
    flow: Flow | None = None
    _parts: dict[str, Json] = field(default_factory=dict)

    def at(self, path: tuple[str, ...]) -> Json:
        """What stands at a path, or MISSING."""
        root, *rest = path
        found = self._root(root)
        for part in rest:
            found = _child(found, part)
        return found

    def text_at(self, path: tuple[str, ...]) -> str:
        """It as text, for a group's name; empty where nothing stands there, or no single thing."""
        found = self.at(path)
        return "" if found is MISSING or isinstance(found, dict | list) else scalar_text(found)

    def time_at(self, path: tuple[str, ...]) -> float | None:
        """The time that stands there: Unix seconds, or RFC 3339; None for what is neither."""
        return time_of(self.at(path))

    def holds(self, condition: Condition) -> bool:
        """Does it hold?"""
        return _holds(condition, self.at(condition.path))

    def _root(self, root: str) -> Json:
        if root not in self._parts:
            self._parts[root] = self._made(root)
        return self._parts[root]

    def _made(self, root: str) -> Json:
        one = self.occurrence
        match root:
            case "id" | "source" | "type" | "subject":
                found = getattr(one, root)
                return MISSING if found is None else found
            case "time":
                return MISSING if one.time is None else timestamp(one.time)
            case "data":
                return one.data
            case "labels":
                return dict(one.labels)
            case "annotations":
                return _child(self._root("data"), "annotations")
            case "extensions":
                return dict(one.extensions)
            case "steps":
                return steps_of(self.flow) if self.flow is not None else MISSING
            case _:
                return MISSING


def steps_of(flow: Flow) -> Mapping[str, Json]:
    """What came of each task that is over, by its name."""
    return {
        fact.name: {
            "status": fact.state.value,
            "text": fact.text,
            "output": json_value(fact.output_json),
            "tries": fact.tries,
        }
        for fact in flow.facts
        if not fact.open
    }


def _child(found: Json, part: str) -> Json:
    if isinstance(found, dict):
        return found.get(part, MISSING)
    if isinstance(found, list) and part.isdecimal() and part.isascii() and len(part) < 6:
        return found[int(part)] if int(part) < len(found) else MISSING
    return MISSING


def time_of(found: Json) -> float | None:
    """A time as events carry it."""
    number = _number(found)
    if number is not None:
        return number
    try:
        moment = datetime.fromisoformat(found) if isinstance(found, str) else None
        return moment.timestamp() if moment is not None and moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


# ---- comparing -----------------------------------------------------------------------------------------------


def _holds(condition: Condition, found: Json) -> bool:
    operands = condition.operands
    if condition.how is Comparison.EXISTS:
        return (found is not MISSING) == (operands[0] == "true")
    scalar = None if found is MISSING or isinstance(found, dict | list) else scalar_text(found)
    match condition.how:
        case Comparison.IS | Comparison.ONE_OF:
            return scalar is not None and scalar in operands
        case Comparison.IS_NOT | Comparison.NONE_OF:
            return scalar is None or scalar not in operands
        case Comparison.MATCHES:
            return scalar is not None and len(scalar) <= TEXT_CHARACTERS_MAX and is_match(operands[0], scalar)
        case _:
            return _compares(condition.how, _number(found), float(operands[0]))


def _compares(how: Comparison, number: float | None, limit: float) -> bool:
    if number is None:
        return False
    match how:
        case Comparison.ABOVE:
            return number > limit
        case Comparison.AT_LEAST:
            return number >= limit
        case Comparison.BELOW:
            return number < limit
        case _:
            return number <= limit


def _number(found: Json) -> float | None:
    """A number, or a text that is one: labels are texts."""
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        return None
    try:
        number = float(found)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
