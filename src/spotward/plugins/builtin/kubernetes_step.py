"""What a step of the plugin `kubernetes` may say, and what is wrong with it: told when rules are read."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from math import ceil
from typing import Any, Literal

from spotward.plugins.builtin.words import is_sound
from spotward.plugins.sdk.call import Problem

Action = Literal["drain", "cordon", "uncordon", "taint", "label", "reschedule", "scale"]
Kind = Literal["Deployment", "StatefulSet", "DaemonSet", "Pod"]

NODE_ACTIONS = ("drain", "cordon", "uncordon", "taint", "label")
_ALWAYS = {"action", "cluster"}
_NODE = {*_ALWAYS, "node"}
_WORKLOAD = {*_ALWAYS, "kind", "namespace", "name"}
PROPERTIES: Mapping[str, set[str]] = {
    "drain": _NODE | {"machine"},
    "cordon": _NODE,
    "uncordon": _NODE,
    "taint": _NODE | {"taint", "remove"},
    "label": _NODE | {"labels"},
    "reschedule": _WORKLOAD | {"node", "selector", "restart"},
    "scale": _WORKLOAD | {"replicas", "min", "max"},
}
"""Action → what a step of it may say."""

_PART = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_QUALIFIED = re.compile(rf"(?:[a-z0-9](?:[-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_PART}")
_VALUE = re.compile(rf"(?:{_PART})?")
_OBJECT = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
_SELECTOR = re.compile(r"[-A-Za-z0-9_./=!,() ]{1,1000}")
_SIZE = re.compile(r"(?P<sign>[+-]?)(?P<number>[0-9]{1,6})(?P<percent>%?)")

TINY = 1e-9
"""Of a pod: what binary fractions make of 1.1 times 10 is not to count as one more."""


@dataclass(frozen=True, kw_only=True)
class TaintWanted:
    """A taint."""

    key: str
    value: str = ""
    effect: Literal["NoSchedule", "PreferNoSchedule"] = "NoSchedule"
    """NoExecute is not among them: it would take every pod at once, past every disruption budget."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a step says. Texts may have gaps that the event fills: `$labels.deployment`."""

    action: Action | None = None
    """Unless given: `drain`, where the event is EC2's notice."""
    cluster: str = ""
    """Its name; empty: what the event's `cluster_name` says, else the one that is looked after."""
    node: str = ""
    """A node by its name, its instance's id or its address; empty: what the event says."""
    machine: Literal["stays", "goes"] | None = None
    """Is the machine taken? Unless given, it is where the event is a notice of EC2's."""
    taint: TaintWanted | None = None
    """Its key, value and effect (NoSchedule, or PreferNoSchedule)."""
    remove: bool = False
    """Take the taint back that a step of rules has set."""
    labels: Mapping[str, str | None] = field(default_factory=dict)
    """Name → value; null takes a label off that a step of rules has set."""
    kind: Kind | None = None
    """Of the workload that is scaled, restarted, or whose pods are moved."""
    namespace: str = ""
    """Where it is; one that the settings allow."""
    name: str = ""
    selector: str = ""
    """Pods by their labels, instead of kind and name."""
    restart: bool = False
    """Let its controller replace all of its pods in its own way."""
    replicas: int | str | None = None
    """A number; `+2`, `-1`; `+50%`, `-25%`, `150%` of what there is, rounded up."""
    min: int | None = None
    """A change goes no lower; 1 unless given."""
    max: int | None = None
    """A change goes no higher; to be given where it may grow."""


# ---- what is wrong -------------------------------------------------------------------------------------------


def problems(said: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with a step, place by place. said: of the right types already."""
    action = said.get("action")
    texts = [key for key in ("cluster", "node", "namespace", "name", "selector") if not is_sound(said.get(key) or "")]
    wrong = [Problem(place=key, text="a `$` stands alone in it; write `$$` for a dollar sign") for key in texts]
    if action is None:
        stray = set(said) - PROPERTIES["drain"]
        return wrong + [Problem(place=key, text="say what is to be done: `action`") for key in sorted(stray)]
    known = [each.name for each in fields(Step)]
    stray = {key for key in said if key in known and key not in PROPERTIES[action] and said[key] not in (None, "")}
    wrong += [Problem(place=key, text=f"`{action}` has no use for it; take it out") for key in sorted(stray)]
    return wrong + list(_OF_ACTION.get(action, _nothing)(said))


def _nothing(said: Mapping[str, Any]) -> Iterable[Problem]:
    del said
    return ()


def _of_taint(said: Mapping[str, Any]) -> Iterable[Problem]:
    taint = said.get("taint")
    if taint is None:
        yield Problem(place="taint", text="say which: `taint: {key: ..., value: ..., effect: NoSchedule}`")
        return
    told = taint if isinstance(taint, Mapping) else vars(taint)
    if not _QUALIFIED.fullmatch(told["key"]):
        yield Problem(place="taint.key", text="give a name such as `example.com/maintenance`")
    if not _is_value(told.get("value", "")):
        yield Problem(place="taint.value", text="give at most 63 letters, digits, `-`, `_` and `.`")


def _of_label(said: Mapping[str, Any]) -> Iterable[Problem]:
    if not said.get("labels"):
        yield Problem(place="labels", text="say which: `labels: {example.com/state: ill}`; null takes one off")
    for name, value in (said.get("labels") or {}).items():
        if not _QUALIFIED.fullmatch(name):
            yield Problem(place=f"labels.{name}", text="give a name such as `example.com/state`")
        if value is not None and not _is_value(value):
            yield Problem(place=f"labels.{name}", text="give at most 63 letters, digits, `-`, `_` and `.`, or null")


def _is_value(text: str) -> bool:
    """With gaps it can be told only once they are filled."""
    return is_sound(text) if "$" in text else bool(_VALUE.fullmatch(text))


def _of_reschedule(said: Mapping[str, Any]) -> Iterable[Problem]:
    yield from _named(said, "namespace")
    if said.get("selector") and (said.get("kind") or said.get("name")):
        yield Problem(place="selector", text="give either a selector, or kind and name")
    elif not said.get("selector"):
        yield from _named(said, "kind", "name")
    if said.get("restart") and (said.get("kind") in (None, "Pod") or said.get("node")):
        yield Problem(place="restart", text="only a Deployment, StatefulSet or DaemonSet as a whole can be restarted")
    if said.get("kind") == "DaemonSet" and not said.get("restart"):
        yield Problem(place="kind", text="pods of a DaemonSet come back to their nodes; add `restart: true`")


def _of_scale(said: Mapping[str, Any]) -> Iterable[Problem]:
    yield from _named(said, "namespace", "kind", "name")
    if said.get("kind") not in (None, "Deployment", "StatefulSet"):
        yield Problem(place="kind", text="only a Deployment or a StatefulSet can be scaled")
    wanted = said.get("replicas")
    size = _SIZE.fullmatch(str(wanted)) if not isinstance(wanted, bool) else None
    if size is None:
        yield Problem(place="replicas", text="give a number, or +2, -1, +50%, -25%, 150% in quotes")
        return
    yield from _bounds(size, said.get("min"), said.get("max"))


def _bounds(size: re.Match[str], least: int | None, most: int | None) -> Iterable[Problem]:
    relative = is_relative(size[0])
    if not relative and (least is not None or most is not None):
        yield Problem(place="min" if least is not None else "max", text="a number that is fixed needs no bounds")
    if relative and most is None and _may_grow(size):
        yield Problem(place="max", text="an alert may come again and again: say how many it may become at most")
    if (least or 0) < 0 or (most is not None and most < max(1, least or 0)):
        yield Problem(place="max" if (least or 0) >= 0 else "min", text="give 0 <= min <= max, and max from 1 up")


def _may_grow(size: re.Match[str]) -> bool:
    return size["sign"] == "+" or (not size["sign"] and int(size["number"]) > 100)


def _named(said: Mapping[str, Any], *keys: str) -> Iterable[Problem]:
    return [Problem(place=key, text="is missing; say which is meant") for key in keys if not said.get(key)]


_OF_ACTION: Mapping[str, Callable[[Mapping[str, Any]], Iterable[Problem]]] = {
    "taint": _of_taint,
    "label": _of_label,
    "reschedule": _of_reschedule,
    "scale": _of_scale,
}


# ---- what a size comes to ------------------------------------------------------------------------------------


def is_relative(replicas: int | str) -> bool:
    """Does it depend on how many there are?"""
    return not str(replicas).isdecimal()


def sized(replicas: int | str, now: int, *, least: int | None, most: int | None) -> int:
    """How many pods are wanted then. Parts are rounded up: capacity first. Without a `min` nothing relative goes below
    one. The bounds stop a step and never turn it round: `+1` takes nothing from what is above `max` already.
    """
    size = _SIZE.fullmatch(str(replicas))
    assert size is not None, "a step that was checked"
    if not is_relative(replicas):
        return int(replicas)
    number = int(size["number"])
    step = now * number / 100 if size["percent"] else float(number)
    wanted = ceil({"+": now + step, "-": now - step, "": step}[size["sign"]] - TINY)
    if wanted >= now:
        return wanted if most is None else max(now, min(wanted, most))
    return min(now, max(wanted, 1 if least is None else least))


# ---- names that an event filled in ---------------------------------------------------------------------------


def is_object_name(text: str) -> bool:
    """May something in a cluster be called so?"""
    return bool(_OBJECT.fullmatch(text))


def is_selector(text: str) -> bool:
    """May it be asked for?"""
    return bool(_SELECTOR.fullmatch(text))


def is_label_value(text: str) -> bool:
    """May a label or a taint have it?"""
    return bool(_VALUE.fullmatch(text))
