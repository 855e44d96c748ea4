"""What goes wrong outside: permissions, launch data, capacity, deletions. It is told in words, and the rest goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from spotward.cli.exits import Exit
from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.sim.shocks import Failure, Throttle
from tests.cli.program import Program
from tests.cli.scenery import SPEED, Scenery
from tests.house.test_style import CHECKOUT

NOWHERE = CHECKOUT / "examples/scenarios/no-spot-anywhere.yaml"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

REGIONS = iter(("eu-west-1", "eu-west-2", "eu-central-1", "ap-southeast-2", "ca-central-1", "us-west-2", "us-east-2"))
"""What breaks calls for good has a region of its own."""


@pytest.fixture
def elsewhere(cloud: Emulator) -> Iterator[Scenery]:
    scenery = Scenery(cloud, next(REGIONS))
    scenery.open()
    yield scenery
    assert scenery.close() == []


@pytest.fixture
def there(cloud: Emulator, elsewhere: Scenery, tmp_path: Path) -> Program:
    """The program in that region."""
    return Program(environment=cloud.environment(region=elsewhere.region), state=tmp_path / "state", cloud=cloud)


# ---- permissions -----------------------------------------------------------------------------------------------------


def test_without_the_first_permission_nothing_begins_and_it_is_named(elsewhere: Scenery, there: Program) -> None:
    elsewhere.refuse("ec2.DescribeRegions", "UnauthorizedOperation")
    said = there("run", "--once", code=Exit.OUTSIDE).err
    assert f"ec2.DescribeRegions in {elsewhere.region}" in said
    assert "ec2:DescribeRegions" in said


def test_a_missing_permission_is_named_and_groups_that_do_not_need_it_go_on(elsewhere: Scenery, there: Program) -> None:
    web = elsewhere.group("web", size=1, size_max=1)
    batch = elsewhere.group("batch", size=1, size_max=1, with_configuration=True)
    elsewhere.refuse("autoscaling.DescribeLaunchConfigurations", "AccessDenied")

    ran = there("run", "--once", "--log", "text", code=Exit.UNFINISHED)

    assert len(elsewhere.spot(web)) == 1
    assert len(elsewhere.on_demand(batch)) == 1
    assert f"autoscaling.DescribeLaunchConfigurations in {elsewhere.region}" in ran.err
    assert "autoscaling:DescribeLaunchConfigurations" in ran.err
    assert f"{elsewhere.region}/{batch}" in there("status").out
    assert "autoscaling:DescribeLaunchConfigurations" in there("explain", batch).out


def test_without_leave_to_launch_every_member_stays_and_the_permission_is_named(
    elsewhere: Scenery, there: Program
) -> None:
    web = elsewhere.group(size=2, size_max=2)
    elsewhere.refuse("ec2.CreateFleet", "UnauthorizedOperation")
    ran = there("run", "--once", "--log", "text", code=Exit.UNFINISHED)
    assert len(elsewhere.on_demand(web)) == 2
    assert f"ec2.CreateFleet in {elsewhere.region}" in ran.said
    assert "ec2:CreateFleet" in ran.said
    assert not elsewhere.borrowed(web)


def test_a_permission_that_is_given_later_is_made_use_of(elsewhere: Scenery, there: Program) -> None:
    web = elsewhere.group(size=1, size_max=1)
    name = "autoscaling.AttachInstances"
    until = elsewhere.seconds() + 10 * SPEED
    elsewhere.shock(Failure(at_seconds=0, until_seconds=until, operation=name, code="AccessDenied"))
    there("run", "--once")
    assert len(elsewhere.spot(web)) == 1
    assert len(elsewhere.launched()) == 1


# ---- launch data -----------------------------------------------------------------------------------------------------


def test_a_group_whose_launch_template_is_gone_is_said_so_and_the_others_go_on(
    scenery: Scenery, spotward: Program
) -> None:
    template = scenery.template()
    own = scenery.group_of_template(template)
    web = scenery.group(size=1, size_max=1)
    scenery.hand.ec2.delete_launch_template(LaunchTemplateId=template)

    ran = spotward("run", "--once", "--log", "text")

    words = f"nothing can be launched for it: launch template {template}"
    assert f"us-east-1/{own}: {words}" in ran.out
    assert "is gone; point the group to one that exists" in ran.out
    assert len(scenery.on_demand(own)) == 2
    assert len(scenery.spot(web)) == 1
    assert words in spotward("plan").out


def test_a_volume_without_type_or_size_is_copied_as_it_is(scenery: Scenery, spotward: Program) -> None:
    root = {"DeviceName": scenery.network.root_device, "Ebs": {"DeleteOnTermination": True}}
    scratch = {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}
    of_template = scenery.group_of_template(scenery.template(BlockDeviceMappings=[root, scratch]), size=1)
    of_configuration = scenery.group_of_configuration(BlockDeviceMappings=[root, scratch], size=1)
    spotward("run", "--once")
    assert len(scenery.spot(of_template)) == 1
    assert len(scenery.spot(of_configuration)) == 1
    assert scenery.templates_of_ours() == []


# ---- deletion --------------------------------------------------------------------------------------------------------


def test_when_the_group_is_deleted_in_mid_swap_the_clone_goes_at_once(
    elsewhere: Scenery, there: Program, tmp_path: Path
) -> None:
    settings = tmp_path / "patient.yaml"  # nothing else gives the swap up
    settings.write_text("groups: {running_timeout_seconds: 36000, attach_timeout_seconds: 36000}\n")
    web = elsewhere.group(size=1, size_max=1, watched=False)
    until = elsewhere.seconds() + 3600
    elsewhere.shock(Throttle(at_seconds=0, until_seconds=until, operation="autoscaling.AttachInstances"))
    with there.running("run", "--once", "--config", settings, "--log", "text") as run:
        (clone,) = elsewhere.until(elsewhere.launched)
        elsewhere.hand.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=web, ForceDelete=True)
        deleted = elsewhere.seconds()
        assert run.process.wait(timeout=150) == Exit.DONE, run.said
        took = elsewhere.seconds() - deleted
    assert elsewhere.state(clone.id) in ("shutting-down", "terminated")
    elsewhere.until(lambda: elsewhere.described(web) == {})
    assert took < 3000, f"the clone stood in the way for {took:.0f} s"
    assert "given up: " in run.said


# ---- capacity --------------------------------------------------------------------------------------------------------


def test_with_no_spot_anywhere_members_stay_on_demand_until_there_is_some(
    no_spot_anywhere: Emulator, tmp_path: Path
) -> None:
    scenery = Scenery(no_spot_anywhere)
    scenery.open()
    web = scenery.group(size=1, size_max=1, tags={"spotward:allowed-types": "m5.large m5a.large m6i.large m6a.large"})
    program = Program(environment=no_spot_anywhere.environment(), state=tmp_path / "state", cloud=no_spot_anywhere)

    first = program("run", "--once", "--log", "text")
    assert "ec2.CreateFleet" in first.changes
    assert len(scenery.on_demand(web)) == 1
    assert "no Spot capacity: every pool that fits rests, the next until " in first.out
    assert "InsufficientInstanceCapacity" in program("explain", web).out
    status = program("status").out
    assert "no Spot capacity: every pool that fits rests" in status
    assert "pools at rest: " in status
    assert program("run", "--once").changes == [], "a pool that rests is not asked again"

    scenery.until(lambda: scenery.seconds() > 610, seconds_max=150)
    scenery.until(lambda: program("run", "--once").code == 0 and scenery.spot(web), seconds_max=150)
    assert scenery.on_demand(web) == []
    assert scenery.close() == []


@pytest.fixture
def no_spot_anywhere(cloud: Emulator) -> Iterator[Emulator]:
    cloud.stop()  # there is one embedded cloud at a time in a process, and no test of this module comes after
    with Emulator(EmulatorSettings(seed=3, speed=15.0, scenario=NOWHERE)) as emulator:
        yield emulator
