"""Occurrences and rules that tests are made of."""

from collections.abc import Mapping
from textwrap import dedent
from typing import Any

from spotward.model.flow_event import Occurred
from spotward.model.hours import Zone
from spotward.model.occurrence import Occurrence, alert_type
from spotward.rules.build import Zones
from spotward.rules.parse import parse
from spotward.rules.rulebook import Rules

NOON = 1_795_435_200.0
"""2026-11-23 12:00:00Z, a Monday."""

BERLIN = Zone(
    name="Europe/Berlin",
    offsets=((0.0, 3600), (1_774_746_000.0, 7200), (1_792_890_000.0, 3600), (1_806_195_600.0, 7200)),
)
"""As the law has it for 2026 and the beginning of 2027."""

NEW_YORK = Zone(
    name="America/New_York",
    offsets=((0.0, -18_000), (1_772_953_200.0, -14_400), (1_793_512_800.0, -18_000), (1_805_007_600.0, -14_400)),
)

ZONES = Zones(
    names=("America/New_York", "Europe/Berlin", "UTC"),
    zone=lambda name: {"Europe/Berlin": BERLIN, "America/New_York": NEW_YORK}[name],
)

PLUGINS = ("drain", "swap", "notify", "http")


def alert(name: str = "SpotTerminationNotice", *, number: int = 1, resolved: bool = False, **labels: str) -> Occurrence:
    """An alert as Prometheus sends one; `number` tells one firing from another."""
    return Occurrence.of(
        id=f"{name}-{number}{'-over' if resolved else ''}",
        source="http://prometheus.test/graph",
        type=alert_type(name, resolved=resolved),
        subject=labels.get("instance_id"),
        time=NOON,
        data={"labels": {"alertname": name, **labels}, "annotations": {"summary": "it goes"}},
    )


def occurrence(kind: str = "com.example.thing", *, number: int = 1, data: Any = None, **more: Any) -> Occurrence:
    """Any other event."""
    return Occurrence.of(id=str(number), source="/example", type=kind, data=data, **more)


def heard(one: Occurrence, time: float = NOON) -> Occurred:
    """It is heard."""
    return Occurred(time=time, occurrence=one, door="test")


def rules(text: str, *, builtin: tuple[str, ...] = PLUGINS) -> Rules:
    """Rules from the inner part of a file."""
    return parse(f"version: 1\n{dedent(text)}", file="rules.yaml", zones=ZONES, builtin=builtin)


def one_rule(steps: str = "[{plugin: drain}, {plugin: swap}]", *, match: str = "first", **more: Any) -> Rules:
    """One rule `r` that takes every alert; `more` are further keys of it, as YAML."""
    extra = "".join(f"    {name}: {value}\n" for name, value in more.items())
    return rules(
        f"match: {match}\nrules:\n  - name: r\n    events: 'prometheus.server.alert.*'\n{extra}    steps: {steps}\n"
    )


def labels(**values: str) -> Mapping[str, str]:
    """Just that."""
    return values
