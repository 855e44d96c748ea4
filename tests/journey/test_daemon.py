"""The daemon: events long before the next look, pages about itself, a clean end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from spotward.cli.exits import Exit
from spotward.emulator.server import Emulator
from tests.cli.program import Program, Running
from tests.cli.scenery import BYSTANDER, Scenery

HARDLY_EVER = "observe_seconds: 86400\n"
"""A day of virtual time: what is done after the first look is done because of events."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def daemon(spotward: Program, tmp_path: Path) -> Iterator[Running]:
    settings = tmp_path / "spotward.yaml"
    settings.write_text(HARDLY_EVER)
    with spotward.running(
        "run", "--config", settings, "--queue", "spotward", "--port", "0", "--log", "json"
    ) as running:
        yield running


def whole(scenery: Scenery, group: str, size: int) -> None:
    """Wait until it has so many Spot members in service and nothing else, and all is as its owner had it."""

    def at_rest() -> bool:
        return len(scenery.spot(group)) == len(scenery.members(group)) == size and not scenery.borrowed(group)

    scenery.until(at_rest, seconds_max=150)


def test_a_group_that_is_scaled_out_moves_by_its_events_alone(scenery: Scenery, daemon: Running) -> None:
    web = scenery.group(size=2, size_max=4)
    assert daemon.page("/healthz").status_code == 200
    scenery.until(lambda: daemon.page("/readyz").status_code == 200)
    whole(scenery, web, 2)

    scenery.hand.autoscaling.set_desired_capacity(AutoScalingGroupName=web, DesiredCapacity=4)
    scenery.keep_to_owner(web)
    whole(scenery, web, 4)

    metrics = scenery.until(lambda: _shows(daemon, f'spotward_group_members{{group="{web}",lifecycle="spot"', "4.0"))
    assert 'spotward_deeds_total{kind="launch-fleet",outcome="done"}' in metrics
    assert f'group="{BYSTANDER}"' not in metrics
    assert daemon.stop(signal.SIGTERM) == Exit.DONE
    assert "Traceback" not in daemon.said


def _shows(daemon: Running, sample: str, value: str) -> str | None:
    text = daemon.page("/metrics").text
    return text if any(line.startswith(sample) and line.endswith(value) for line in text.splitlines()) else None


def test_a_message_that_cannot_be_read_is_set_aside_and_the_next_one_is_acted_on(
    scenery: Scenery, daemon: Running
) -> None:
    scenery.until(lambda: daemon.page("/readyz").status_code == 200)
    scenery.hand.sqs.send_message(QueueUrl=str(scenery.queue_url), MessageBody="what the cat typed")
    scenery.until(lambda: _shows(daemon, "spotward_deliveries_unreadable_total", "1.0"))

    web = scenery.group(size=1, size_max=1)
    whole(scenery, web, 1)
    assert daemon.page("/healthz").status_code == 200


def test_ended_in_mid_swap_it_leaves_soon_and_the_next_run_goes_on(scenery: Scenery, spotward: Program) -> None:
    web = scenery.group(size=2, size_max=2)
    with spotward.running("run", "--port", "0", "--log", "json") as daemon:
        scenery.until(scenery.launched)
        assert daemon.stop(signal.SIGTERM) == Exit.DONE
        assert "Traceback" not in daemon.said
    spotward("run", "--once")
    assert len(scenery.spot(web)) == 2
    assert scenery.on_demand(web) == []
    assert len(scenery.launched()) == 2


def test_a_run_that_is_interrupted_says_what_is_not_finished(scenery: Scenery, spotward: Program) -> None:
    web = scenery.group(size=2, size_max=2)
    with spotward.running("run", "--once", "--log", "json") as run:
        scenery.until(scenery.launched)
        assert run.stop(signal.SIGINT) == Exit.INTERRUPTED
        assert "1 undertaking not finished; the next run goes on with it" in run.said
    under_way = spotward("status").out.splitlines()
    assert any(line.split()[:2] == [f"us-east-1/{web}", "saving"] for line in under_way), under_way
    assert spotward("run", "--once").code == Exit.DONE
    assert "nothing is under way" in spotward("status").out


def test_a_glob_means_every_region_that_it_matches_and_no_other(cloud: Emulator, tmp_path: Path) -> None:
    oregon, california, canada = (Scenery(cloud, name) for name in ("us-west-2", "us-west-1", "ca-central-1"))
    regions = (oregon, california, canada)
    for region in regions:
        region.open()
    groups = {region.region: region.group(size=1, size_max=1) for region in regions}
    before = canada.fingerprints()

    program = Program(environment=cloud.environment(region="eu-west-1"), state=tmp_path / "state", cloud=cloud)
    ran = program("run", "--once", "--region", "us-west-*")

    assert len(oregon.spot(groups["us-west-2"])) == 1
    assert len(california.spot(groups["us-west-1"])) == 1
    assert canada.fingerprints() == before
    assert "ca-central-1" not in ran.said
    for region in regions:
        assert region.close() == []
