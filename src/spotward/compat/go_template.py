"""Templates of Go, in ours: as long as they only name fields.

The other tool's webhook has a template of Go's with the functions of sprig. Ours replaces `$field`. One whose actions
each name a field that is known here too is carried over; anything else, a condition or a function, is refused by name.
"""

import re

FIELDS = {
    "EventID": "key",
    "Kind": "cause",
    "Description": "text",
    "InstanceID": "instance",
    "NodeName": "node",
    "StartTime": "deadline",
    "Region": "region",
    "AvailabilityZone": "az",
    "InstanceType": "instance_type",
    "InstanceLifeCycle": "life_cycle",
    "AutoScalingGroupName": "group",
}
"""Its field → ours. (`key` names the incident and the moment; `deadline` is empty where there is none.)"""

KNOWN_FIELDS = ", ".join(f"`.{name}`" for name in FIELDS)

_TRIMS = ((re.compile(r"\s*\{\{-\s"), "{{ "), (re.compile(r"\s-\}\}\s*"), " }}"))
"""A dash takes the white space away that stands before, or after."""

_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_FIELD = re.compile(r"\.(?P<name>\w+)")


def translated(template: str) -> str:
    """The same in our form. Raises ValueError with what stands in the way."""
    for dash, instead in _TRIMS:
        template = dash.sub(instead, template)
    pieces = _ACTION.split(template)
    texts, actions = pieces[::2], pieces[1::2]
    fields = [_field(inside.strip()) for inside in actions] + [""]
    return "".join(_plain(text) + field for text, field in zip(texts, fields, strict=True))


def _plain(text: str) -> str:
    if "{{" in text:
        raise ValueError("it has braces `{{` that are never closed")
    return text.replace("$", "$$")


def _field(inside: str) -> str:
    if inside.startswith("/*"):
        return ""
    field = _FIELD.fullmatch(inside)
    if field is None:
        raise ValueError(f"`{{{{ {inside} }}}}` is more than a field, and nothing is computed in a template here")
    if field["name"] not in FIELDS:
        raise ValueError(f"there is no `.{field['name']}` here; of its fields there are {KNOWN_FIELDS}")
    return f"${{{FIELDS[field['name']]}}}"
