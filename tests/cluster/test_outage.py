"""An API server that goes away for half a minute while a node is being emptied, and comes back."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from spotward.kube.resources import NODES
from spotward.model.incident import Fate, Incident
from spotward.web.health import readiness
from tests.cluster.control_plane import ControlPlane
from tests.cluster.stage import Stage
from tests.cluster.watchman import CLOCK, CLUSTER, Watchman, watching
from tests.web.scenes import look

AWAY_SECONDS = 30.0
NOTICE_SECONDS = 80.0
"""Its last moments come after the outage: the controllers of the cluster may not be back by then to open a budget."""


def test_an_api_server_that_is_away_for_half_a_minute_loses_nothing_and_doubles_nothing(
    own_control_plane: ControlPlane, tmp_path: Path
) -> None:
    async def whole() -> None:
        async with Stage(own_control_plane).set() as stage:
            await play(stage, tmp_path)

    asyncio.run(whole())


async def play(stage: Stage, place: Path) -> None:
    first = await stage.node()
    await stage.deployment("web", 4)
    await stage.budget("web", "web", maxUnavailable=1)
    other = await stage.node()
    lonely = await stage.pod(other)
    third = await stage.node(unschedulable=True)
    body = {"spec": {"unschedulable": True}}
    await stage.owner.json("patch", NODES, name=other.name, body=body)
    async with watching(stage, place) as spotward:
        spotward.notice(first, seconds=NOTICE_SECONDS)

        async def incident() -> Incident | None:
            return spotward.incident(first)

        await stage.until(incident, lambda i: i is not None and fates(i) == {Fate.GONE: 1, Fate.BLOCKED: 3})
        stage.control_plane.stop("kube-apiserver", kill=True)
        begun = CLOCK.now()
        await true(spotward, lambda: any("cannot be reached" in why for why in not_ready(spotward)))
        assert "the API server" in spotward.live.world.verdicts[f"the cluster {CLUSTER}"]
        spotward.notice(other, seconds=NOTICE_SECONDS)
        await asyncio.sleep(max(0.0, begun + AWAY_SECONDS - CLOCK.now()))
        await asyncio.to_thread(stage.control_plane.start, "kube-apiserver")

        await true(spotward, lambda: not not_ready(spotward))
        assert f"the cluster {CLUSTER}" not in spotward.live.world.verdicts
        await stage.owner.json("patch", NODES, name=third.name, body={"spec": {"unschedulable": None}})
        ends = [await spotward.drained(node, seconds_max=NOTICE_SECONDS) for node in (first, other)]
        assert [record.fate for end in ends for record in end.pods] == [Fate.GONE] * 5
        assert all(end.drained_time < end.deadline for end in ends if end.drained_time and end.deadline)
        assert (await stage.node_now(other.name)).unschedulable
        assert await stage.pod_now(lonely.name) is None
        assert set(spotward.hands.accepted.values()) <= {0, 1}
        assert sum(spotward.hands.accepted.values()) == 5


def fates(incident: Incident) -> dict[Fate, int]:
    return {fate: n for fate in Fate if (n := sum(record.fate is fate for record in incident.pods))}


def not_ready(spotward: Watchman) -> tuple[str, ...]:
    """What /readyz would say."""
    return readiness(look(spotward.live.world, regions=())).reasons


async def true(spotward: Watchman, question: Callable[[], bool]) -> None:
    async def ask() -> bool:
        return question()

    await spotward.stage.until(ask, bool)
