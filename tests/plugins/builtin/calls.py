"""A call of a plugin that comes along, without a server between."""

import asyncio
from typing import Any

from spotward.plugins.sdk import Answer, Call, Happening, Plugin

HOT = Happening(
    id="e-1",
    source="http://prometheus",
    type="prometheus.server.alert.Hot",
    time=1_700_000_000.0,
    data={"labels": {"instance": "n-1", "say": 'a "word"'}, "annotations": {"summary": "too hot"}, "count": 3},
)


def called(plugin: Plugin, *, event: Happening = HOT, dry_run: bool = False, **properties: Any) -> Answer:
    call = Call(key="flow-1/tell", event=event, properties=properties, flow="flow-1", step="tell", dry_run=dry_run)
    return asyncio.run(asyncio.wait_for(plugin.answer(call), 30))
