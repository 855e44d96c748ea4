"""Prometheus' text format, written by hand: the library for it would weigh more than the exporter.

The format is "text format 0.0.4" of Prometheus' documents ("Exposition formats"), or OpenMetrics 1.0, which for gauges
and counters differs in the heading of a counter and in its last line alone. The tests let Prometheus' own library read
both.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

OPENMETRICS_END = "# EOF\n"

Sample = tuple[tuple[str, ...], float]
"""The values of the labels, in the order of their names; and the figure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """One metric with all its samples."""

    name: str
    help: str
    samples: tuple[Sample, ...]
    labels: tuple[str, ...] = ()
    kind: Literal["gauge", "counter"] = "gauge"


def rendered(families: Iterable[Family], *, openmetrics: bool = False) -> str:
    """The page. A family without a sample is left out: a help text alone would read as if it were 0."""
    page = "".join(head(family, openmetrics=openmetrics) + lines(family) for family in families if family.samples)
    return page + OPENMETRICS_END if openmetrics else page


def asks_for_openmetrics(accept: str) -> bool:
    """Does an `Accept` header name it? Prometheus does, before the text format."""
    return any(each.strip().startswith("application/openmetrics-text") for each in accept.split(","))


def head(family: Family, *, openmetrics: bool = False) -> str:
    """What stands above the samples. OpenMetrics has a counter without the `_total` of its samples there."""
    name = family.name.removesuffix("_total") if openmetrics and family.kind == "counter" else family.name
    return f"# HELP {name} {_escaped(family.help, quotes=openmetrics)}\n# TYPE {name} {family.kind}\n"


def lines(family: Family) -> str:
    """The samples, a line for each."""
    return "".join(f"{family.name}{_labels(family, values)} {_number(n)}\n" for values, n in family.samples)


def _labels(family: Family, values: tuple[str, ...]) -> str:
    pairs = zip(family.labels, values, strict=True)
    told = ",".join(f'{name}="{_escaped(value, quotes=True)}"' for name, value in pairs)
    return f"{{{told}}}" if told else ""


def _escaped(text: str, *, quotes: bool = False) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return escaped.replace('"', '\\"') if quotes else escaped


def _number(number: float) -> str:
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else repr(number)
