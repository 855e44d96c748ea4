"""What was used, what it cost, and how long a group was short."""

import pytest

from spotward.sim.timings import Timings
from tests.sim.scene import START, Scene

EVEN = Timings(jitter=0.0)


def test_an_instance_is_charged_from_running_until_it_shuts_down() -> None:
    scene = Scene(timings=EVEN)
    (one,) = scene.run()  # launched, and 60 s later
    scene.ec2("TerminateInstances", InstanceIds=[one])
    scene.wait(600)
    use = scene.cloud.usage().uses[("", "on-demand")]
    assert use.instance_seconds == pytest.approx(40)
    assert use.cost == pytest.approx(40 * 0.1 / 3600)


def test_spot_is_charged_at_the_price_in_force() -> None:
    scene = Scene(timings=EVEN)
    scene.prices.fixed[("m5.large", "us-east-1a")] = 0.03
    scene.prices.steps[("m5.large", "us-east-1a")] = [(START + 1820, 0.06)]
    scene.run(spot=True)
    scene.wait(3560)
    use = scene.cloud.usage().uses[("", "spot")]
    assert use.instance_seconds == pytest.approx(3600)
    assert use.cost == pytest.approx(0.5 * 0.03 + 0.5 * 0.06)


def test_reading_the_meter_twice_charges_nothing_twice() -> None:
    readings = []
    for often in (False, True):
        scene = Scene(timings=EVEN)
        scene.run(3, spot=True)
        for _ in range(10):
            scene.wait(100)
            if often:
                scene.cloud.usage()
        readings.append(scene.cloud.usage().uses[("", "spot")])
    assert readings[0].cost == pytest.approx(readings[1].cost)
    assert readings[0].instance_seconds == pytest.approx(readings[1].instance_seconds)


def test_a_charge_stays_with_the_group_that_had_the_instance() -> None:
    scene = Scene(timings=EVEN)
    scene.group(desired=0)
    (one,) = scene.run(spot=True)  # 40 s as nobody's
    scene.asg("AttachInstances", AutoScalingGroupName="web", InstanceIds=[one])
    scene.wait(100)
    scene.asg("DetachInstances", AutoScalingGroupName="web", InstanceIds=[one], ShouldDecrementDesiredCapacity=True)
    scene.wait(50)
    uses = scene.cloud.usage().uses
    assert uses[("web", "spot")].instance_seconds == pytest.approx(105)
    assert uses[("", "spot")].instance_seconds == pytest.approx(40 + 45)


def test_a_group_is_short_until_its_members_serve() -> None:
    scene = Scene(timings=EVEN)
    scene.group(desired=2)  # reaction 5 s, boot 20 s, InService 10 s
    assert scene.cloud.usage().shortfall_instance_seconds["web"] == pytest.approx(2 * 35)


def test_what_an_attachment_adds_is_no_shortfall_but_a_loss_is() -> None:
    scene = Scene(timings=EVEN)
    scene.group(desired=2)
    before = scene.cloud.usage().shortfall_instance_seconds["web"]
    old = scene.members()[0]
    scene.asg("AttachInstances", AutoScalingGroupName="web", InstanceIds=scene.run(1, spot=True))
    scene.wait(60)
    assert scene.cloud.owners_capacity("web") == 2
    terminate = {"InstanceId": old, "ShouldDecrementDesiredCapacity": True}
    scene.asg("TerminateInstanceInAutoScalingGroup", **terminate)
    scene.wait(60)
    assert scene.cloud.usage().shortfall_instance_seconds["web"] == before
    assert (scene.cloud.owners_capacity("web"), scene.shown()["DesiredCapacity"]) == (2, 2)
    scene.asg("SetInstanceHealth", InstanceId=scene.members()[0], HealthStatus="Unhealthy")
    scene.wait(300)
    # It is out of service as soon as the group acts; its successor boots for 20 s and waits for 10 more.
    assert scene.cloud.usage().shortfall_instance_seconds["web"] == pytest.approx(before + 30, abs=6)


def test_terminating_before_the_newcomer_serves_is_a_shortfall() -> None:
    scene = Scene(timings=EVEN)
    scene.group(desired=2)
    before = scene.cloud.usage().shortfall_instance_seconds["web"]
    spot = scene.run(1, spot=True)
    scene.asg("AttachInstances", AutoScalingGroupName="web", InstanceIds=spot)
    terminate = {"InstanceId": scene.members()[0], "ShouldDecrementDesiredCapacity": True}
    scene.asg("TerminateInstanceInAutoScalingGroup", **terminate)
    scene.wait(60)
    assert scene.cloud.usage().shortfall_instance_seconds["web"] == pytest.approx(before + 8)


def test_a_member_that_does_not_run_serves_nobody_though_its_group_has_not_noticed() -> None:
    scene = Scene(timings=EVEN)
    scene.group(desired=2)
    before = scene.cloud.usage().shortfall_instance_seconds["web"]
    scene.asg("SuspendProcesses", AutoScalingGroupName="web", ScalingProcesses=["HealthCheck"])
    scene.ec2("TerminateInstances", InstanceIds=[scene.members()[0]])
    scene.wait(100)
    assert len(scene.members()) == 2
    assert scene.cloud.usage().shortfall_instance_seconds["web"] == pytest.approx(before + 100)


def test_a_group_that_is_gone_misses_nothing() -> None:
    scene = Scene(timings=EVEN)
    scene.group(desired=2)
    scene.asg("DeleteAutoScalingGroup", AutoScalingGroupName="web", ForceDelete=True)
    scene.wait(600)
    assert scene.cloud.usage().shortfall_instance_seconds["web"] == pytest.approx(70)
