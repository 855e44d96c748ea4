"""The example of a plugin of one class: what it keeps, and what it is told twice."""

import asyncio
import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from spotward.plugins.sdk import Answer, Call, Happening, Plugin, Problem, done, ignored

EXAMPLE = Path(__file__).parents[3] / "examples" / "plugins" / "open_incidents.py"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "incidents.json"


@pytest.fixture
def incidents(file: Path) -> Plugin:
    spec = spec_from_file_location("open_incidents", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.OpenIncidents(file)
    assert isinstance(made, Plugin)
    return made


def told(plugin: Plugin, kind: str, *, time: float = 1.0, **fields: Any) -> Answer:
    event = Happening(
        id=kind, source="t", type=f"prometheus.server.alert.{kind}", time=time, data={"labels": {"instance": "shop"}}
    )
    properties = {"title": "The shop is closed", "components": ["shop"]}
    return asyncio.run(plugin.answer(Call(key=f"{kind} {time}", event=event, properties=properties, **fields)))


def test_an_incident_is_open_from_its_alert_to_the_end_of_it(incidents: Plugin, file: Path) -> None:
    assert told(incidents, "SiteDown") == done("SiteDown/shop is open", open=1)
    assert told(incidents, "SiteDown", time=9.0) == done("SiteDown/shop is open", open=1)
    expected = {"title": "The shop is closed", "components": ["shop"], "since": 1.0}
    assert json.loads(file.read_text()) == {"SiteDown/shop": expected}
    assert told(incidents, "SiteDown.resolved") == done("SiteDown/shop is over", open=0)
    assert told(incidents, "SiteDown.resolved") == ignored("SiteDown/shop is not open")
    assert json.loads(file.read_text()) == {}


def test_a_dry_run_writes_nothing(incidents: Plugin, file: Path) -> None:
    assert told(incidents, "SiteDown", dry_run=True) == done("would open SiteDown/shop")
    assert not file.exists()


def test_a_title_that_says_nothing_is_told_when_rules_are_read(incidents: Plugin) -> None:
    assert incidents.problems({"title": " "}) == (
        Problem(place="title", text="visitors would read nothing; give a few words"),
    )
