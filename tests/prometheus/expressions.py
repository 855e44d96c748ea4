"""What stands in deploy/prometheus and deploy/grafana, as expressions, and the metrics that they ask."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

CHECKOUT = Path(__file__).parents[2]
RULES = CHECKOUT / "deploy" / "prometheus"
DASHBOARDS = sorted((CHECKOUT / "deploy" / "grafana").glob("*.json"))
REFERENCES = sorted((CHECKOUT / "docs" / "reference").glob("*.md"))

METRIC = re.compile(r"\b(?:spotward|aws|process)_\w+")
QUOTED = re.compile(r'"[^"]*"')
PARTS = ("_bucket", "_sum", "_count")


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One panel that asks something."""

    dashboard: str
    title: str
    expressions: tuple[str, ...]
    raw: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.title}"


def yaml(file: Path) -> Any:
    """What a file says."""
    return YAML(typ="safe", pure=True).load(file)


def rule_groups() -> list[dict[str, Any]]:
    """Those of recording and alerting rules."""
    return [group for name in ("recording", "alerting") for group in yaml(RULES / f"{name}.rules.yml")["groups"]]


def alerts() -> list[dict[str, Any]]:
    """The alerting rules."""
    return [rule for group in rule_groups() for rule in group["rules"] if "alert" in rule]


def panels() -> Iterator[Panel]:
    """Every panel that is no heading."""
    for file in DASHBOARDS:
        for panel in json.loads(file.read_text())["panels"]:
            if panel["type"] != "row":
                asked = tuple(target["expr"] for target in panel["targets"])
                yield Panel(dashboard=file.stem, title=panel["title"], expressions=asked, raw=panel)


def with_everything(expression: str) -> str:
    """With each variable of the dashboard set to all there is."""
    return re.sub(r"\$\w+", ".*", expression)


def metrics_in(expression: str) -> set[str]:
    """The metrics that an expression asks, by the names of their families."""
    bare = QUOTED.sub("", re.sub(r"\b(?:by|on|without|group_left) \([^)]*\)", "", expression))
    return {_family(name) for name in METRIC.findall(bare)}


def _family(name: str) -> str:
    part = next((part for part in PARTS if name.endswith(part)), "")
    return name.removesuffix(part)


def told_of() -> set[str]:
    """Every metric that the reference tells of. Those of the process have one line for all of them."""
    return {name for file in REFERENCES for name in re.findall(r"`((?:spotward|aws)_\w+)`", file.read_text())}
