"""Events of a real cluster come to rules: as they are written, once, and not those of before."""

import asyncio
from contextlib import aclosing
from typing import Any

from spotward.engine.clock import SystemClock
from spotward.kube.happenings import Happenings
from spotward.kube.resources import EVENTS
from spotward.model.flow_event import Occurred
from tests.cluster.stage import PATIENCE_SECONDS, Stage, on_stage


def written(stage: Stage, name: str, reason: str) -> dict[str, Any]:
    about = {"kind": "Pod", "namespace": stage.namespace, "name": "web-1", "apiVersion": "v1"}
    return {
        "metadata": {"name": name},
        "eventTime": "2026-11-23T12:00:00.000000Z",
        "reportingController": "example.com/test",
        "reportingInstance": "test-1",
        "action": "Testing",
        "reason": reason,
        "regarding": about,
        "type": "Warning",
        "note": "something is so",
    }


@on_stage
async def test_an_event_of_the_cluster_is_an_occurrence_as_soon_as_it_is_written(stage: Stage) -> None:
    await stage.create(EVENTS, written(stage, "before", "BackOff"), stage.namespace)
    source = Happenings(
        stage.kube,
        SystemClock(),
        cluster="test",
        types=("kubernetes.event.*",),
        wanted=lambda one: one.labels.get("namespace") == stage.namespace,
    )
    heard: list[Occurred] = []

    async def listen() -> None:
        async with aclosing(source.deliveries()) as deliveries:
            async for delivery in deliveries:
                event = delivery.event if delivery is not None else None
                heard.extend([event] if isinstance(event, Occurred) else [])

    listening = asyncio.create_task(listen())
    async with asyncio.timeout(PATIENCE_SECONDS):
        number = 0
        while not heard:  # a watch may be begun late: until it stands, what is written is of before
            number += 1
            await stage.create(EVENTS, written(stage, f"e-{number}", "FailedMount"), stage.namespace)
            await asyncio.sleep(0.2)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    first = heard[0].occurrence
    assert (first.type, first.subject) == ("kubernetes.event.FailedMount", f"Pod/{stage.namespace}/web-1")
    assert (first.labels["type"], first.data["note"]) == ("Warning", "something is so")
    assert len({each.occurrence.id for each in heard}) == len(heard)
