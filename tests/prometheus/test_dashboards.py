"""The dashboards under deploy/grafana: whatever Grafana reads them finds its place, its datasource and its metrics."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.prometheus.expressions import DASHBOARDS, Panel, metrics_in, panels, told_of

COLUMNS = 24
"""Grafana's grid is so wide."""


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    across = one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"]
    return across and one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"]


each_dashboard = pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)


def test_there_is_one_of_spotward_and_one_of_its_exporters() -> None:
    assert [file.stem for file in DASHBOARDS] == ["exporters", "spotward"]
    assert len({read(file)["uid"] for file in DASHBOARDS}) == 2


@each_dashboard
def test_panels_lie_side_by_side_within_the_grid(file: Path) -> None:
    places = [panel["gridPos"] for panel in read(file)["panels"]]
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= COLUMNS for place in places)
    assert not [pair for pair in combinations(places, 2) if overlap(*pair)]


@each_dashboard
def test_panels_have_ids_of_their_own_and_say_what_they_show(file: Path) -> None:
    dashboard = read(file)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    assert all(panel.get("description") for panel in dashboard["panels"] if panel["type"] != "row")
    titles = [panel["title"] for panel in dashboard["panels"]]
    assert len(set(titles)) == len(titles)


@each_dashboard
def test_the_datasource_is_a_variable_everywhere(file: Path) -> None:
    dashboard = read(file)
    first, *others = dashboard["templating"]["list"]
    assert (first["type"], first["name"], first["query"]) == ("datasource", "datasource", "prometheus")
    wanted = {"type": "prometheus", "uid": "${datasource}"}
    assert all(variable["datasource"] == wanted for variable in others)
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            assert panel["datasource"] == wanted
            assert all(target["datasource"] == wanted for target in panel["targets"])


@pytest.mark.parametrize("panel", list(panels()), ids=str)
def test_a_panel_asks_for_metrics_that_the_reference_tells_of(panel: Panel) -> None:
    asked = {name for expression in panel.expressions for name in metrics_in(expression)}
    assert asked
    assert {name for name in asked if not name.startswith("process_")} - told_of() == set()
