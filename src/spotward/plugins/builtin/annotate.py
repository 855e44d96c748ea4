"""annotate: marks a moment in Grafana, so that a dashboard shows what was done beside what happened."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spotward.plugins.builtin.outgoing import Request, Unset, secret, sent
from spotward.plugins.builtin.words import filled, is_sound
from spotward.plugins.sdk.call import Answer, Call, Problem, done, refused
from spotward.plugins.sdk.plugin import Plugin


@dataclass(frozen=True, kw_only=True, slots=True)
class Grafana:
    """Where it is."""

    url: str
    """Such as https://grafana.example.com"""
    token_file: Path
    """A file with the token of a service account that may write annotations."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What a step marks."""

    text: str = "$type $labels.instance"
    tags: list[str] = field(default_factory=lambda: ["spotward"])
    dashboard_uid: str | None = None
    """One dashboard; all of the organization unless given."""
    panel_id: int | None = None


class Annotate(Plugin):
    """Marks a moment in Grafana."""

    name = "annotate"
    version = "1"
    properties = Mark

    def __init__(self, grafana: Grafana) -> None:
        self._grafana = grafana

    def check(self, properties: Mapping[str, Any]) -> list[Problem]:
        """The texts can be filled."""
        texts = [properties.get("text", ""), *properties.get("tags", [])]
        if all(is_sound(text) for text in texts):
            return []
        return [Problem(place="text", text="a `$` stands alone in it; write `$$` for a dollar sign")]

    async def handle(self, call: Call) -> Answer:
        """Mark the time of the event; Grafana takes its own where the event has none."""
        mark: Mark = call.properties
        body: dict[str, Any] = {"text": filled(mark.text, call), "tags": [filled(tag, call) for tag in mark.tags]}
        if call.event.time is not None:
            body["time"] = round(call.event.time * 1000)
        place = {"dashboardUID": mark.dashboard_uid, "panelId": mark.panel_id}
        body |= {name: value for name, value in place.items() if value is not None}
        if call.dry_run:
            return done(f"would mark: {body['text']}")
        try:
            token = secret(self._grafana.token_file)
        except Unset as error:
            return refused(str(error))
        headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
        address = f"{self._grafana.url.rstrip('/')}/api/annotations"
        return await sent(Request(url=address, body=json.dumps(body).encode(), headers=headers), "Grafana")
