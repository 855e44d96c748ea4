"""open-incidents: keeps a JSON file of the alerts that fire now, for a status page.

A plugin of one class, for what is kept between calls. OPEN_INCIDENTS names the file; `examples/rules/status-page.yaml`
has the rules that call it, one for alerts that fire and one for those that are over.

    OPEN_INCIDENTS=incidents.json python open_incidents.py --token-file token
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spotward.plugins.sdk import Answer, Call, Plugin, Problem, done, ignored, serve

RESOLVED = ".resolved"


@dataclass
class Properties:
    """What a step of a rule can tell it."""

    title: str
    """What visitors read."""
    components: tuple[str, ...] = ()
    """What of the site is concerned."""


class OpenIncidents(Plugin):
    """Keeps a JSON file of the alerts that fire now."""

    name = "open-incidents"
    version = "1"
    event_types = ("prometheus.server.alert.*",)
    properties = Properties

    def __init__(self, file: Path) -> None:
        """file: made with the first incident."""
        self._file = file

    def check(self, properties: Mapping[str, Any]) -> Iterable[Problem]:
        """Told when rules are read, before an alert comes."""
        if not properties["title"].strip():
            yield Problem(place="title", text="visitors would read nothing; give a few words")

    async def handle(self, call: Call) -> Answer:
        """An incident is known by its alert and instance: told twice, it stands there once."""
        alert, over = call.event.type.removesuffix(RESOLVED), call.event.type.endswith(RESOLVED)
        name = f"{alert.rpartition('.')[2]}/{call.event.labels.get('instance', '')}"
        incidents = self._read()
        if over and name not in incidents:
            return ignored(f"{name} is not open")
        if call.dry_run:
            return done(f"would {'close' if over else 'open'} {name}")
        if over:
            del incidents[name]
        else:
            since = incidents.get(name, {}).get("since", call.event.time)
            told = {"title": call.properties.title, "components": list(call.properties.components)}
            incidents[name] = told | {"since": since}
        self._write(incidents)
        return done(f"{name} is {'over' if over else 'open'}", open=len(incidents))

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            found: dict[str, dict[str, Any]] = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return found

    def _write(self, incidents: Mapping[str, Any]) -> None:
        """Whole or not at all: a visitor never reads half of it."""
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(incidents, indent=2), encoding="utf-8")
        new.replace(self._file)


if __name__ == "__main__":
    serve(OpenIncidents(Path(os.environ.get("OPEN_INCIDENTS", "incidents.json"))))
