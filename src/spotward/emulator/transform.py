"""What an EventBridge target is given instead of the whole event: a constant, a part, or a template filled in.

Source: the EventBridge User Guide, "Input transformation". Paths are the subset of JSONPath that EventBridge takes:
`$.detail.instance-id`, `$.resources[0]`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_PIECE = re.compile(r'<[\w.-]+>|\\.|"|.', re.DOTALL)
"""A variable, an escaped character, a quotation mark, or anything else."""


def target_input(event: Mapping[str, Any], target: Mapping[str, Any], *, rule: str, rule_arn: str) -> str:
    """The text that a target gets. `target`: as given to PutTargets."""
    if target.get("Input"):
        return str(target["Input"])
    if target.get("InputPath"):
        return json.dumps(follow(event, target["InputPath"]))
    transformer = target.get("InputTransformer")
    if transformer:
        values = {name: follow(event, path) for name, path in (transformer.get("InputPathsMap") or {}).items()}
        values |= {
            "aws.events.rule-arn": rule_arn,
            "aws.events.rule-name": rule,
            "aws.events.event": {name: part for name, part in event.items() if name != "detail"},
            "aws.events.event.json": dict(event),
            "aws.events.event.ingestion-time": event.get("time"),
        }
        return fill(transformer["InputTemplate"], values)
    return json.dumps(event)


def follow(event: Any, path: str) -> Any:
    """The part of an event that a path leads to; None if it leads nowhere."""
    node = event
    for name, index in _STEP.findall(path.removeprefix("$")):
        if name and isinstance(node, Mapping):
            node = node.get(name)
        elif index and isinstance(node, list) and int(index) < len(node):
            node = node[int(index)]
        else:
            return None
    return node


def fill(template: str, values: Mapping[str, Any]) -> str:
    """A template with its variables: as JSON where they stand alone, as bare text within a string."""
    parts, within = [], False
    for text in _PIECE.findall(template):
        within ^= text == '"'
        name = text[1:-1] if text.startswith("<") else None
        if name is None or name not in values:
            parts.append(text)
        else:
            parts.append(_inside_string(values[name]) if within else json.dumps(values[name]))
    return "".join(parts)


def _inside_string(value: Any) -> str:
    words = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    return json.dumps(words)[1:-1]
