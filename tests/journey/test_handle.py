"""One event, from a file or standard input, acted on to its end; and the same event once more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.sim.shocks import PoolShock
from tests.cli.program import Program
from tests.cli.scenery import CALM, Scenery
from tests.plugins.receiver import receiving

SPEED = 3.0
"""EC2's two minutes are forty seconds of ours, of which a busy machine takes some to start a program."""

LAUNCHED = "EC2 Instance Launch Successful"
WARNED = "EC2 Spot Instance Interruption Warning"
ADVISED = "EC2 Instance Rebalance Recommendation"

ATTACH = "autoscaling.AttachInstances"
RETIRE = "autoscaling.TerminateInstanceInAutoScalingGroup"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def cloud() -> Iterator[Emulator]:
    with Emulator(EmulatorSettings(seed=3, speed=SPEED)) as emulator:
        emulator.sites.shock(CALM)
        yield emulator


@pytest.fixture
def on_spot(scenery: Scenery, spotward: Program) -> str:
    """A group that has moved."""
    web = scenery.group(size=2, size_max=2, tags={"spotward:surge-percentage": "100"})
    spotward("run", "--once")
    assert len(scenery.spot(web)) == 2
    return web


def handled(spotward: Program, event: str, file: Path) -> list[str]:
    """What it changed, in order."""
    file.write_text(event)
    return spotward("handle", file, "--log", "text").changes


def test_a_new_on_demand_instance_is_replaced_and_the_second_delivery_changes_nothing(
    scenery: Scenery, spotward: Program, tmp_path: Path
) -> None:
    web = scenery.group(size=1, size_max=1)
    (instance,) = scenery.on_demand(web)
    event = scenery.news(LAUNCHED, instance)

    first = handled(spotward, event, tmp_path / "event.json")
    assert [name for name in first if name in ("ec2.CreateFleet", ATTACH, RETIRE)] == [
        "ec2.CreateFleet",
        ATTACH,
        RETIRE,
    ]
    assert scenery.on_demand(web) == []
    assert len(scenery.spot(web)) == 1

    again = spotward("handle", "-", stdin=event)
    assert again.changes == []
    assert f"terminate {instance} through us-east-1/{web}" in spotward("explain", instance).out


def test_an_interruption_is_survived_at_full_strength_and_the_second_notice_changes_nothing(
    scenery: Scenery, spotward: Program, on_spot: str, tmp_path: Path
) -> None:
    doomed = scenery.spot(on_spot)[0]
    short = scenery.shortfall(on_spot)
    scenery.site.interrupt([doomed])
    event = scenery.news(WARNED, doomed)

    first = handled(spotward, event, tmp_path / "event.json")
    assert first.index("ec2.CreateFleet") < first.index(ATTACH) < first.index(RETIRE), "the successor comes first"
    assert handled(spotward, event, tmp_path / "event.json") == []

    scenery.until(lambda: scenery.state(doomed) == "terminated")
    assert len(scenery.spot(on_spot)) == 2
    assert doomed not in scenery.spot(on_spot)
    assert scenery.shortfall(on_spot) == short, "the group was never smaller than it must be"
    assert len(scenery.launched()) == 3


def test_at_a_rebalance_recommendation_the_member_moves_to_another_pool(
    scenery: Scenery, spotward: Program, on_spot: str, tmp_path: Path
) -> None:
    advised = next(member for member in scenery.members(on_spot) if member.spot)
    pool = f"{advised.instance_type}/{advised.zone}"
    began = scenery.seconds()
    scenery.shock(PoolShock(at_seconds=began, until_seconds=began + 900, pool=pool, rebalance=True))
    event = scenery.news(ADVISED, advised.id)

    first = handled(spotward, event, tmp_path / "event.json")
    assert first.index("ec2.CreateFleet") < first.index(ATTACH) < first.index(RETIRE)
    assert pool not in {f"{m.instance_type}/{m.zone}" for m in scenery.members(on_spot) if m.standing == "InService"}
    assert len(scenery.spot(on_spot)) == 2
    assert handled(spotward, event, tmp_path / "event.json") == []


def test_where_capacity_rebalancing_is_on_the_rescue_is_left_to_aws(
    scenery: Scenery, spotward: Program, on_spot: str, tmp_path: Path
) -> None:
    scenery.hand.autoscaling.update_auto_scaling_group(AutoScalingGroupName=on_spot, CapacityRebalance=True)
    doomed = scenery.spot(on_spot)[0]
    scenery.site.interrupt([doomed])
    ran = spotward("handle", "-", "--log", "text", stdin=scenery.news(WARNED, doomed))
    assert "Capacity Rebalancing is on: AWS replaces its Spot members itself" in ran.out
    # The on-demand successor that AWS launches may be there already, and is then replaced like any other.
    assert f"terminate {doomed} through" not in spotward("explain", doomed).out


def test_with_no_spot_anywhere_an_interrupted_member_gets_an_on_demand_successor(
    scenery: Scenery, spotward: Program, on_spot: str, tmp_path: Path
) -> None:
    doomed = scenery.spot(on_spot)
    short = scenery.shortfall(on_spot)
    began = scenery.seconds()
    scenery.shock(PoolShock(at_seconds=began, until_seconds=began + 3600, pool="*", spot_capacity=0))
    event = scenery.news(WARNED, doomed[0])
    handled(spotward, f"[{event}, {event.replace(doomed[0], doomed[1])}]", tmp_path / "events.json")

    scenery.until(lambda: all(scenery.state(each) == "terminated" for each in doomed))
    assert len(scenery.on_demand(on_spot)) == 2
    assert scenery.shortfall(on_spot) == short
    explained = spotward("explain", on_spot).out
    assert "InsufficientInstanceCapacity" in explained
    assert f"us-east-1/{on_spot}: 2 of 2 replaced by m5.large (on-demand)" in explained


def test_an_event_that_only_a_rule_means_is_carried_to_the_end_of_its_flow(
    scenery: Scenery, spotward: Program, tmp_path: Path
) -> None:
    with receiving() as hook:
        steps = "[{plugin: notify, properties: {to: [hook]}}]"
        (tmp_path / "rules.yaml").write_text(
            f'version: 1\nrules: [{{name: told, events: "aws.ec2.*", steps: {steps}}}]\n'
        )
        settings = tmp_path / "spotward.yaml"
        target = json.dumps({"hook": {"kind": "webhook", "url": hook.url}})
        settings.write_text(f"flows: {{rules: {tmp_path / 'rules.yaml'}, notify: {target}}}\n")
        event = {
            "version": "0",
            "id": "b1",
            "detail-type": "EC2 Fleet Error",
            "source": "aws.ec2",
            "account": "123456789012",
            "time": "2026-11-22T14:05:09Z",
            "region": scenery.region,
            "resources": [],
            "detail": {"sub-type": "launchSpecUnusable"},
        }
        told = spotward("handle", "-", "--config", settings, stdin=json.dumps(event))
        assert "not for Spotward" not in told.said
        assert len(hook.heard) == 1
        assert "told" in spotward("flows", "list", "--config", settings).out
