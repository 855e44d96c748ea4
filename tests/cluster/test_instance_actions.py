"""What the machine's own notice leaves time for: terminate, stop, hibernate, and clocks that differ by a minute."""

from pathlib import Path

import pytest

from spotward.model.cluster import Pod
from tests.cluster.agents import machine
from tests.cluster.stage import Stage, on_stage

RESERVE_SECONDS = 20.0
ASKED_WITHIN_SECONDS = 60.0
"""A busy machine may take long to start an agent and to ask; what is given instead of a grace is less by as much."""


@pytest.mark.parametrize(
    ("notice", "grace_seconds", "most_seconds"),
    [
        ("hibernate", 60, 1.0),
        ("stop", 10, 10.0),
        ("{action: terminate, in: 3m}", 300, 120.0 - RESERVE_SECONDS),
        ("{action: terminate, in: 1m}", 300, 60.0 - RESERVE_SECONDS),
    ],
    ids=["hibernate freezes at once", "stop leaves two minutes", "a clock behind", "a clock ahead"],
)
@on_stage
async def test_pods_are_given_what_time_there_is(
    stage: Stage, tmp_path: Path, notice: str, grace_seconds: int, most_seconds: float
) -> None:
    async with machine(stage, tmp_path, f"  - {{at: 0, interruption: {notice}}}") as place:
        play = {"stops": "at-the-end"}
        pod = await stage.pod(place.node, play=play, terminationGracePeriodSeconds=grace_seconds)
        async with place.agent():
            seen: Pod | None = await stage.until(
                lambda: stage.pod_now(pod.name), lambda each: each is None or each.leaving
            )
            assert (await place.now()).unschedulable
        if seen is None:
            assert most_seconds == 1.0, "it stopped before it was looked at"
            return
        assert seen.deletion_grace_seconds is not None
        assert max(1.0, most_seconds - ASKED_WITHIN_SECONDS) <= seen.deletion_grace_seconds <= most_seconds
